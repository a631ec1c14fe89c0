/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Message content; see data_reader.h. Most of a message is lines that need no
 * change, so they leave as one piece as long as the input holds them: memchr
 * looks for the line ends, and only where a line opens with a dot, or where the
 * input was cut inside CRLF or the dot's line, does a byte count by itself.
 *
 * What attackers try here is to have one server see an end of data where
 * another sees content: LF.LF, LF.CRLF, CRLF.LF, CR.CR, CRLF.CR CRLF, or NUL
 * between. The states DOT and DOT_CR are entered behind a true CRLF only, and
 * DONE behind DOT_CR only; all else is text, and a problem.
 */
#include "smtp/data_reader.h"

#include <assert.h>
#include <string.h>

void data_reader_init(struct data_reader *reader, enum data_line_ends line_ends,
                      size_t max_line_bytes, bool is_chunked)
{
    assert(max_line_bytes != 1);
    *reader = (struct data_reader){
        .line_ends = line_ends,
        .is_chunked = is_chunked,
        .max_line_bytes = max_line_bytes,
        .state = DATA_STATE_LINE_START,
    };
}

static void enter(struct data_reader *reader, enum data_state state)
{
    reader->state = state;
}

static void note_problem(struct data_reader *reader, enum data_problem problem)
{
    if (reader->problem == DATA_OK)
        reader->problem = problem;
}

/* Bytes of a line, without its end: what must not be in there, and the length. */
static void check_text(struct data_reader *reader, const char *text, size_t length)
{
    if (reader->problem != DATA_OK || length == 0)
        return;
    if (memchr(text, '\r', length) != NULL)
        note_problem(reader, DATA_BARE_CR);
    if (memchr(text, '\0', length) != NULL)
        note_problem(reader, DATA_NUL);
    reader->line_length += length;
    if (reader->max_line_bytes > 0 && reader->line_length + 2 > reader->max_line_bytes)
        note_problem(reader, DATA_LINE_TOO_LONG);
}

static void start_line(struct data_reader *reader, enum data_state state)
{
    reader->line_length = 0;
    enter(reader, state);
}

/* Gives the CRLF that the input does not hold as such. */
static void give_line_end(const struct data_reader *reader, struct slice *piece)
{
    if (reader->problem == DATA_OK)
        *piece = SLICE("\r\n");
}

static bool may_rewrite(const struct data_reader *reader)
{
    return reader->is_chunked || reader->line_ends == DATA_LINE_ENDS_REWRITE;
}

/*
 * A bare LF at the start of the input. In DATA, what follows is text in any case: behind an LF no
 * dot opens a line, whoever stuffed it or did not.
 */
static void read_bare_lf(struct data_reader *reader, struct slice *piece)
{
    give_line_end(reader, piece);
    start_line(reader, reader->is_chunked ? DATA_STATE_LINE_START : DATA_STATE_TEXT);
}

/*
 * Whole lines and the start of one more, up to what stops a piece: a dot that opens a line, a bare
 * LF to rewrite, a CR at the end of the input. Gives the bytes used.
 */
static size_t read_lines(struct data_reader *reader, struct slice input, struct slice *piece)
{
    size_t given = 0; /* bytes that go into the piece */
    size_t used = 0;

    while (used < input.length) {
        const char *line = input.data + used;
        size_t rest = input.length - used;
        const char *lf = memchr(line, '\n', rest);
        size_t length = lf != NULL ? (size_t)(lf - line) : rest;
        bool has_cr = length > 0 && line[length - 1] == '\r';

        check_text(reader, line, length - has_cr);
        if (lf == NULL) {
            enter(reader, has_cr ? DATA_STATE_CR : DATA_STATE_TEXT);
            used = input.length;
            given = used - has_cr;
        } else if (has_cr) {
            start_line(reader, DATA_STATE_LINE_START);
            used += length + 1;
            given = used;
            if (!reader->is_chunked && used < input.length && input.data[used] == '.')
                break;
        } else if (!may_rewrite(reader)) {
            note_problem(reader, DATA_BARE_LF);
            start_line(reader, DATA_STATE_TEXT);
            used += length + 1;
        } else if (used + length == 0) {
            read_bare_lf(reader, piece);
            return 1;
        } else { /* the LF is left in the input, to be rewritten by itself */
            enter(reader, DATA_STATE_TEXT);
            used += length;
            given = used;
            break;
        }
    }
    if (reader->problem == DATA_OK)
        *piece = slice_until(input, given);
    return used;
}

/* One byte behind a held CR, a dot, or both: 1 when it belongs to them, 0 when it is text. */
static size_t read_held(struct data_reader *reader, char byte, struct slice *piece)
{
    if (reader->state == DATA_STATE_DOT) {
        enter(reader, byte == '\r' ? DATA_STATE_DOT_CR : DATA_STATE_TEXT);
        return byte == '\r';
    }
    if (byte != '\n') {
        note_problem(reader, DATA_BARE_CR);
        enter(reader, DATA_STATE_TEXT);
        return 0;
    }
    if (reader->state == DATA_STATE_DOT_CR) {
        enter(reader, DATA_STATE_DONE);
        return 1;
    }
    give_line_end(reader, piece);
    start_line(reader, DATA_STATE_LINE_START);
    return 1;
}

static bool is_held(const struct data_reader *reader)
{
    return reader->state == DATA_STATE_CR || reader->state == DATA_STATE_DOT ||
           reader->state == DATA_STATE_DOT_CR;
}

enum data_step data_reader_feed(struct data_reader *reader, struct slice input, size_t *used,
                                struct slice *piece)
{
    size_t at = 0;

    assert(reader->state != DATA_STATE_DONE);
    *piece = SLICE_EMPTY;
    while (at < input.length && piece->length == 0 && reader->state != DATA_STATE_DONE) {
        if (is_held(reader)) {
            at += read_held(reader, input.data[at], piece);
        } else if (reader->state == DATA_STATE_LINE_START && !reader->is_chunked &&
                   input.data[at] == '.') {
            enter(reader, DATA_STATE_DOT);
            at++;
        } else {
            at += read_lines(reader, slice_from_offset(input, at), piece);
        }
    }
    *used = at;
    if (reader->state == DATA_STATE_DONE)
        return DATA_STEP_END;
    return piece->length > 0 ? DATA_STEP_PIECE : DATA_STEP_MORE;
}

struct slice data_reader_finish(struct data_reader *reader)
{
    bool is_at_line_start = reader->state == DATA_STATE_LINE_START;

    assert(reader->is_chunked);
    if (reader->state == DATA_STATE_CR)
        note_problem(reader, DATA_BARE_CR);
    enter(reader, DATA_STATE_DONE);
    return is_at_line_start || reader->problem != DATA_OK ? SLICE_EMPTY : SLICE("\r\n");
}
