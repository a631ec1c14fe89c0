/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One message: its bytes in a spool, its header fields as they passed, and what
 * we change on the way: text put on top and header fields taken out. The bytes
 * given are those of the content after dot-unstuffing, with CRLF line ends
 * (smtp/data_reader sees to it). Nothing here waits or does I/O.
 */
#ifndef POSTERN_MAIL_MESSAGE_H
#define POSTERN_MAIL_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/text.h"
#include "mail/spool.h"

/* Ceilings; settings of the listener. */
struct message_limits {
    uint64_t max_bytes;          /* of the content; 0 for none */
    size_t max_header_bytes;     /* of the whole header section */
    size_t max_header_fields;
};

/* One header field, by offsets into the header text. */
struct header_field {
    uint32_t start;        /* of the name */
    uint32_t name_length;
    uint32_t value_start;  /* behind the colon, folding and white space included */
    uint32_t length;       /* of the whole field from `start`, its last CRLF included */
};

enum message_problem {
    MESSAGE_OK,
    MESSAGE_TOO_LARGE,        /* max_bytes */
    MESSAGE_HEADER_TOO_LARGE, /* max_header_bytes or max_header_fields */
    MESSAGE_NO_MEMORY,        /* the spool's budget */
};

struct message_cut {
    uint64_t offset;
    uint64_t length;
};

struct message {
    /* Lent. */
    const struct message_limits *limits;
    /* State. */
    struct spool spool;          /* the content as received */
    struct text header;          /* copy of the header section, without the empty line */
    struct header_field *fields; /* in order of appearance */
    size_t field_count;
    size_t field_capacity;
    bool is_header_complete;     /* the empty line, a line that is no field, or the end has come */
    bool is_complete;            /* message_end was called */
    bool has_8bit;               /* a byte above 127 was seen */
    bool ends_with_crlf;         /* or is empty */
    /* What we change. */
    struct text added;           /* header fields put on top, each with CRLF */
    struct message_cut *cuts;    /* ascending, apart */
    size_t cut_count;
    size_t cut_capacity;
};

void message_init(struct message *message, const struct message_limits *limits,
                  struct spool_budget *budget);
void message_clear(struct message *message);

/* More content. After a problem the message takes nothing any more: go on reading, then refuse. */
enum message_problem message_append(struct message *message, struct slice bytes)
    __attribute__((warn_unused_result));
void message_end(struct message *message);

/* The `index`th field (from 0) of this name, in any case; NULL when there is none. */
const struct header_field *message_find_field(const struct message *message, struct slice name,
                                              size_t index);
struct slice message_field_name(const struct message *message, const struct header_field *field);
/* The raw value, folded as it came, trimmed at both ends. Borrowed from the message. */
struct slice message_field_value(const struct message *message, const struct header_field *field);
size_t message_count_fields(const struct message *message, struct slice name);

/* Puts a whole field, "Name: value\r\n", above all that was put there before. */
void message_add_on_top(struct message *message, struct slice field);
/* Takes a field out of what is passed on. */
void message_cut_field(struct message *message, const struct header_field *field);

/* Bytes that message_next_piece will give in all. */
uint64_t message_outgoing_bytes(const struct message *message);

enum message_piece_kind {
    MESSAGE_PIECE_MEMORY, /* `bytes` */
    MESSAGE_PIECE_FILE,   /* `length` bytes at `offset` of message->spool.file: read them first */
    MESSAGE_PIECE_END,
};

struct message_piece {
    enum message_piece_kind kind;
    struct slice bytes;
    uint64_t offset;
    uint64_t length;
};

/* Where a reader stands; all zero is the start. */
struct message_position {
    uint64_t added; /* bytes of `added` given */
    uint64_t offset; /* next byte of the content */
};

/*
 * The next run of the outgoing message: what was put on top, then the content
 * without the cuts. At most `max_bytes` at once. Moves the position.
 */
struct message_piece message_next_piece(const struct message *message,
                                        struct message_position *position, uint64_t max_bytes);

#endif
