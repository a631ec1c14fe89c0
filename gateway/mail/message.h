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
#include "mail/header_parser.h"
#include "mail/spool.h"

/* Ceilings; settings of the listener. */
struct message_limits {
    uint64_t max_bytes;          /* of the content; 0 for none */
    size_t max_header_bytes;     /* of the whole header section; not 0 */
    size_t max_header_fields;    /* not 0 */
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
    struct header_parser header; /* its header section */
    uint64_t header_bytes;       /* of the spool's budget, taken for the copy of that section */
    enum message_problem problem;/* the first one; nothing is taken after it */
    bool is_complete;            /* message_end was called */
    /* What we change. */
    struct text added;           /* header fields put on top, each with CRLF */
    struct message_cut *cuts;    /* ascending, apart */
    size_t cut_count;
    size_t cut_capacity;
};

/* `limits` and `budget` are kept until message_clear. */
void message_init(struct message *message, const struct message_limits *limits,
                  struct spool_budget *budget);
/*
 * A message that was kept as it is to be passed on: `bytes` at the start of `take_fd`. It has no
 * header fields to look at, and takes no content.
 */
void message_init_stored(struct message *message, const struct message_limits *limits,
                         struct spool_budget *budget, int take_fd, uint64_t bytes);
void message_clear(struct message *message);

/*
 * More content. After a problem the message takes nothing any more and answers the same again: go
 * on reading, then refuse.
 */
enum message_problem message_append(struct message *message, struct slice bytes)
    __attribute__((warn_unused_result));
/* All content has come. The last field of a message without a body may be one too many. */
enum message_problem message_end(struct message *message) __attribute__((warn_unused_result));

/* The empty line, a line that is no field, the end or a ceiling has come; message->header.end. */
static inline bool message_is_header_complete(const struct message *message)
{
    return header_parser_is_over(&message->header);
}

/*
 * The `index`th field (from 0) of this name, in any case; NULL when there is none. Fields are found
 * as they were received, cut or not; what we added is not among them. Borrowed until the message
 * changes.
 */
const struct header_field *message_find_field(const struct message *message, struct slice name,
                                              size_t index);
struct slice message_field_name(const struct message *message, const struct header_field *field);
/* The raw value, folded as it came, trimmed at both ends. Borrowed from the message. */
struct slice message_field_value(const struct message *message, const struct header_field *field);
size_t message_count_fields(const struct message *message, struct slice name);

/* Puts a whole field, "Name: value\r\n", above all that was put there before. */
void message_add_on_top(struct message *message, struct slice field);
/* Takes a field out of what is passed on; harmless when it was taken out already. */
void message_cut_field(struct message *message, const struct header_field *field);

/*
 * A line that is no field ended the header section. Readers differ on such a line: some take it for
 * the first of the body, as we do, others read on and see fields that no rule of ours saw. So what
 * is passed on has an empty line in front of it, and means the same to everyone. It also keeps a
 * content that begins with a blank from becoming part of our last field.
 */
static inline bool message_has_broken_header(const struct message *message)
{
    return message->header.end == HEADER_END_NO_FIELD;
}

/* Bytes that message_next_piece will give in all. */
uint64_t message_outgoing_bytes(const struct message *message);

enum message_piece_kind {
    MESSAGE_PIECE_MEMORY, /* `bytes` */
    MESSAGE_PIECE_FILE,   /* `length` bytes at `offset` of message->spool.file: read them first */
    MESSAGE_PIECE_END,    /* no more content has come so far */
};

struct message_piece {
    enum message_piece_kind kind;
    struct slice bytes;  /* borrowed until the message changes */
    uint64_t offset;
    uint64_t length;     /* of either kind */
};

/* Where a reader stands; all zero is the start. */
struct message_position {
    uint64_t added;     /* bytes given of what is put on top */
    uint64_t offset;    /* next byte of the content */
    size_t cut;         /* the first cut that does not lie behind it */
    size_t separated;   /* bytes given of the empty line behind a broken header section */
};

/*
 * The next run of the outgoing message: what was put on top, then the content without the cuts,
 * with an empty line where the header section is broken. At most `max_bytes` (not 0) at once. Moves
 * the position. What is put on top and cut must not change between two calls, and the header
 * section must be complete.
 */
struct message_piece message_next_piece(const struct message *message,
                                        struct message_position *position, uint64_t max_bytes);

#endif
