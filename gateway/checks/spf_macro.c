/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The macros of SPF; see spf_macro.h. One reader cuts the text into pieces, and the
 * check of the syntax and the expansion both work on these, so that they cannot
 * have two minds about where a macro ends.
 *
 *     domain-spec   = macro-string domain-end
 *     domain-end    = ( "." toplabel [ "." ] ) / macro-expand
 *     macro-string  = *( macro-expand / macro-literal )
 *     macro-expand  = ( "%{" macro-letter transformers *delimiter "}" )
 *                     / "%%" / "%_" / "%-"
 *     transformers  = *DIGIT [ "r" ]
 *     macro-literal = %x21-24 / %x26-7E
 */
#include "checks/spf_macro.h"

#include <string.h>

/* More parts than any value has; so many digits are no way to make a number overflow. */
#define MAX_PARTS 1000
/* What a macro costs beside the bytes of its value, in bytes of value. */
#define MACRO_WORK 16

enum piece_kind {
    PIECE_LITERAL,
    PIECE_ESCAPE, /* %%, %_ and %- */
    PIECE_MACRO,
    PIECE_BAD,
};

struct piece {
    enum piece_kind kind;
    struct slice literal; /* of LITERAL and ESCAPE: what it stands for */
    char letter;          /* of MACRO, in lower case; and so on */
    bool is_url_escaped;  /* the letter was in upper case */
    bool is_reversed;
    size_t part_count; /* so many parts from the right; 0: all */
    struct slice delimiters;
};

static bool is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static char first_byte(struct slice s)
{
    return s.length > 0 ? s.data[0] : '\0';
}

/* "%{d2r.-}", behind the brace; false when it is no macro. */
static bool take_macro(struct slice *rest, struct piece *piece)
{
    bool has_digits = false;
    size_t count = 0;

    piece->letter = ascii_lower(first_byte(*rest));
    piece->is_url_escaped = ascii_is_upper(first_byte(*rest));
    if (!is_one_of(piece->letter, "slodiphcrtv"))
        return false;
    *rest = slice_from_offset(*rest, 1);
    for (; ascii_is_digit(first_byte(*rest)); *rest = slice_from_offset(*rest, 1)) {
        has_digits = true;
        piece->part_count = piece->part_count * 10 + (size_t)(rest->data[0] - '0');
        if (piece->part_count > MAX_PARTS)
            piece->part_count = MAX_PARTS;
    }
    if (has_digits && piece->part_count == 0)
        return false; /* RFC 7208 7.1: it must not be zero */
    piece->is_reversed = ascii_lower(first_byte(*rest)) == 'r';
    if (piece->is_reversed)
        *rest = slice_from_offset(*rest, 1);
    while (count < rest->length && is_one_of(rest->data[count], ".-+,/_="))
        count++;
    piece->delimiters = slice_until(*rest, count);
    *rest = slice_from_offset(*rest, count);
    if (first_byte(*rest) != '}')
        return false;
    *rest = slice_from_offset(*rest, 1);
    return true;
}

/* What begins with a percent sign. */
static void take_expand(struct slice *rest, struct piece *piece)
{
    char second = first_byte(slice_from_offset(*rest, 1));

    *rest = slice_from_offset(*rest, 2);
    piece->kind = PIECE_ESCAPE;
    if (second == '%')
        piece->literal = SLICE("%");
    else if (second == '_')
        piece->literal = SLICE(" ");
    else if (second == '-')
        piece->literal = SLICE("%20");
    else
        piece->kind = second == '{' && take_macro(rest, piece) ? PIECE_MACRO : PIECE_BAD;
}

/* Cuts the next piece off; false at the end. */
static bool next_piece(struct slice *rest, struct piece *piece)
{
    size_t count;

    if (rest->length == 0)
        return false;
    *piece = (struct piece){ .kind = PIECE_LITERAL };
    if (rest->data[0] == '%') {
        take_expand(rest, piece);
        return true;
    }
    if (!slice_find_byte(*rest, '%', &count))
        count = rest->length;
    piece->literal = slice_until(*rest, count);
    *rest = slice_from_offset(*rest, count);
    return true;
}

/*
 *     toplabel = ( *alphanum ALPHA *alphanum )
 *                / ( 1*alphanum "-" *( alphanum / "-" ) alphanum )
 */
static bool is_top_label(struct slice label)
{
    bool has_other = false;

    if (label.length == 0 || !ascii_is_alnum(label.data[0]) ||
        !ascii_is_alnum(label.data[label.length - 1]))
        return false;
    for (size_t i = 0; i < label.length; i++) {
        if (!ascii_is_alnum(label.data[i]) && label.data[i] != '-')
            return false;
        has_other = has_other || !ascii_is_digit(label.data[i]);
    }
    return has_other;
}

/* The literal behind the last macro-expand, or all of the text where there is none. */
static bool ends_like_a_name(struct slice tail)
{
    size_t dot;

    if (tail.length > 0 && tail.data[tail.length - 1] == '.')
        tail = slice_until(tail, tail.length - 1);
    return slice_find_last_byte(tail, '.', &dot) && is_top_label(slice_from_offset(tail, dot + 1));
}

static bool is_literal_valid(struct slice literal, enum spf_macro_use use)
{
    for (size_t i = 0; i < literal.length; i++)
        if (!ascii_is_printable(literal.data[i]) ||
            (literal.data[i] == ' ' && use != SPF_MACRO_EXPLANATION))
            return false;
    return true;
}

bool spf_macro_is_valid(struct slice text, enum spf_macro_use use)
{
    struct piece piece = { .kind = PIECE_LITERAL };

    while (next_piece(&text, &piece)) {
        if (piece.kind == PIECE_BAD ||
            (piece.kind == PIECE_LITERAL && !is_literal_valid(piece.literal, use)))
            return false;
        if (piece.kind == PIECE_MACRO && use == SPF_MACRO_NAME && is_one_of(piece.letter, "crt"))
            return false;
    }
    if (use != SPF_MACRO_NAME)
        return true;
    return piece.kind != PIECE_LITERAL || ends_like_a_name(piece.literal);
}

bool spf_macro_uses(struct slice text, const char *letters)
{
    struct piece piece;

    while (next_piece(&text, &piece))
        if (piece.kind == PIECE_MACRO && is_one_of(piece.letter, letters))
            return true;
    return false;
}

/* Everything but the unreserved characters of RFC 3986 2.3. */
static void add_url_escaped(struct text *out, struct slice s)
{
    for (size_t i = 0; i < s.length && !out->is_cut; i++) {
        if (ascii_is_alnum(s.data[i]) || is_one_of(s.data[i], "-._~"))
            text_add_byte(out, s.data[i]);
        else
            text_add_format(out, "%%%02X", (unsigned char)s.data[i]);
    }
}

static void add_value(struct text *out, const struct piece *piece, struct slice value)
{
    if (piece->is_url_escaped)
        add_url_escaped(out, value);
    else
        text_add(out, value);
}

static bool is_delimiter(const struct piece *piece, char c)
{
    return piece->delimiters.length == 0
               ? c == '.'
               : c != '\0' && memchr(piece->delimiters.data, c, piece->delimiters.length) != NULL;
}

/* The parts that are wanted: the last ones, or what are the last ones after reversal. */
static struct slice wanted_parts(const struct piece *piece, struct slice value)
{
    size_t count = 0;

    if (piece->part_count == 0)
        return value;
    for (size_t i = 0; i <= value.length; i++) {
        size_t border = piece->is_reversed ? i : value.length - i;
        bool is_end = i == value.length ||
                      is_delimiter(piece, value.data[piece->is_reversed ? border : border - 1]);

        if (is_end && ++count == piece->part_count)
            return piece->is_reversed ? slice_until(value, border)
                                      : slice_from_offset(value, border);
    }
    return value;
}

static void add_reversed(struct text *out, const struct piece *piece, struct slice value)
{
    size_t end = value.length;

    for (size_t i = value.length; i > 0; i--) {
        if (!is_delimiter(piece, value.data[i - 1]))
            continue;
        add_value(out, piece, slice_from_offset(slice_until(value, end), i));
        text_add_byte(out, '.');
        end = i - 1;
    }
    add_value(out, piece, slice_until(value, end));
}

/* Whatever the parts were divided by, they are joined by dots. */
static void add_forward(struct text *out, const struct piece *piece, struct slice value)
{
    size_t start = 0;

    for (size_t i = 0; i < value.length; i++) {
        if (!is_delimiter(piece, value.data[i]))
            continue;
        add_value(out, piece, slice_from_offset(slice_until(value, i), start));
        text_add_byte(out, '.');
        start = i + 1;
    }
    add_value(out, piece, slice_from_offset(value, start));
}

/* False when there is no work left. */
static bool spend(size_t *work, size_t amount)
{
    bool has_enough = *work >= amount;

    *work = has_enough ? *work - amount : 0;
    return has_enough;
}

void spf_macro_expand(struct slice text, const struct spf_macro_values *values, struct text *out,
                      size_t *work)
{
    struct piece piece;

    while (!out->is_cut && next_piece(&text, &piece)) {
        struct slice value = piece.literal;

        if (piece.kind == PIECE_MACRO)
            value = values->letters[piece.letter - 'a'];
        if (!spend(work, value.length + MACRO_WORK))
            return;
        if (piece.kind != PIECE_MACRO)
            text_add(out, value);
        else if (piece.is_reversed)
            add_reversed(out, &piece, wanted_parts(&piece, value));
        else
            add_forward(out, &piece, wanted_parts(&piece, value));
    }
}
