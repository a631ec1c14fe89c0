/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finds the fields of a message's header section (RFC 5322 2.2) while the bytes
 * pass, in pieces of any size. It reads no meaning into them. A field is
 *
 *   name *WSP ":" value CRLF *( WSP more of the value CRLF )
 *
 * with a name of printable ASCII but the colon; the blanks behind it are RFC
 * 5322's obsolete form (4.5), which receivers take and so an attacker may use. A
 * line of blanks only is folding (4.2) like any line that begins with one. CRLF
 * alone ends a line; other control bytes, NUL and bytes above 127 may stand in
 * a value and not in a name. Any other line is no field, and with it the header
 * section is over, as it is for the receivers we know.
 */
#ifndef POSTERN_MAIL_HEADER_PARSER_H
#define POSTERN_MAIL_HEADER_PARSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/text.h"

/* One header field, by offsets into the header section. */
struct header_field {
    uint32_t start;        /* of the name */
    uint32_t name_length;
    uint32_t value_start;  /* behind the colon, folding and white space included */
    uint32_t length;       /* of the whole field from `start`, its last CRLF included */
};

enum header_state {
    HEADER_STATE_LINE_START, /* behind CRLF, or at the very start */
    HEADER_STATE_LINE_CR,    /* behind a CR that opens the line */
    HEADER_STATE_NAME,       /* inside what may be a name */
    HEADER_STATE_NAME_BLANK, /* behind it, in blanks before the colon */
    HEADER_STATE_VALUE,      /* behind the colon, up to CRLF */
    HEADER_STATE_OVER,       /* see `end` */
};

/* What ended the header section. */
enum header_end {
    HEADER_END_NONE,       /* it goes on */
    HEADER_END_EMPTY_LINE, /* as it should be */
    HEADER_END_NO_FIELD,   /* a line that is no field: that line is the first of the body */
    HEADER_END_OF_INPUT,   /* header_parser_end, before any of these */
    HEADER_END_TOO_LARGE,  /* a ceiling: the last field is incomplete, or there were more */
};

struct header_parser {
    /* Ceilings. */
    size_t max_bytes;      /* of the section without its empty line; at most UINT32_MAX */
    size_t max_fields;
    /* State. */
    enum header_state state;
    struct header_field field; /* the one that is being read, while is_in_field */
    bool is_in_field;
    size_t line_start;     /* where the present line begins */
    /* Results. */
    enum header_end end;
    struct text text;      /* bytes seen; the section is its first `length` bytes */
    size_t length;         /* whole fields, CRLF included */
    struct header_field *fields; /* whole ones, in order of appearance */
    size_t field_count;
    size_t field_capacity;
};

void header_parser_init(struct header_parser *parser, size_t max_bytes, size_t max_fields);
void header_parser_clear(struct header_parser *parser);

/*
 * The next bytes of the message. A field becomes visible in `fields` once the
 * line behind it shows that it is whole. When the section is over, more bytes
 * are ignored.
 */
void header_parser_feed(struct header_parser *parser, struct slice bytes);
/* The message ends here; a last field without CRLF counts. Harmless when the section is over. */
void header_parser_end(struct header_parser *parser);

/* No more fields will come; `end` says why. */
static inline bool header_parser_is_over(const struct header_parser *parser)
{
    return parser->state == HEADER_STATE_OVER;
}

/* Memory that it holds, for budgets; it grows by doubling. */
size_t header_parser_memory_bytes(const struct header_parser *parser);

/* Borrowed until the parser changes. */
struct slice header_parser_name(const struct header_parser *parser,
                                const struct header_field *field);
/* As it came, folded, trimmed at both ends. */
struct slice header_parser_value(const struct header_parser *parser,
                                 const struct header_field *field);

#endif
