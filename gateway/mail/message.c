/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One message and its way through; see message.h. Content goes to the spool,
 * which may move it to disk, and past the header parser, which keeps a copy of
 * the header section. That section is the first bytes of the content, so a
 * field's place in the copy is its place in the spool, and taking a field out
 * is a note of offsets: no byte is ever moved.
 */
#include "mail/message.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"

void message_init(struct message *message, const struct message_limits *limits,
                  struct spool_budget *budget)
{
    *message = (struct message){ .limits = limits };
    spool_init(&message->spool, budget);
    header_parser_init(&message->header, limits->max_header_bytes, limits->max_header_fields);
    text_init(&message->added, TEXT_MAX_LENGTH);
}

void message_init_stored(struct message *message, const struct message_limits *limits,
                         struct spool_budget *budget, int take_fd, uint64_t bytes)
{
    message_init(message, limits, budget);
    message->spool.file = spool_file_new(take_fd);
    message->spool.length = message->spool.file_length = bytes;
    header_parser_end(&message->header);
    message->is_complete = true;
}

void message_clear(struct message *message)
{
    const struct message_limits *limits = message->limits;
    struct spool_budget *budget = message->spool.budget;

    spool_budget_give_back(budget, message->header_bytes);
    spool_clear(&message->spool);
    header_parser_clear(&message->header);
    text_clear(&message->added);
    mem_free(message->cuts);
    message_init(message, limits, budget);
}

/*
 * The copy of the header section counts as well: a thousand clients with a large header and no body
 * are as heavy as a thousand with a body. It is counted once it is there; a ceiling that is passed
 * by one piece of input is still a ceiling.
 */
static bool take_header_memory(struct message *message)
{
    uint64_t bytes = header_parser_memory_bytes(&message->header);

    if (bytes <= message->header_bytes)
        return true;
    if (!spool_budget_take(message->spool.budget, bytes - message->header_bytes))
        return false;
    message->header_bytes = bytes;
    return true;
}

static enum message_problem check_header(struct message *message)
{
    if (!take_header_memory(message))
        message->problem = MESSAGE_NO_MEMORY;
    if (message->header.end == HEADER_END_TOO_LARGE)
        message->problem = MESSAGE_HEADER_TOO_LARGE;
    return message->problem;
}

enum message_problem message_append(struct message *message, struct slice bytes)
{
    uint64_t max_bytes = message->limits->max_bytes;

    assert(!message->is_complete);
    if (message->problem != MESSAGE_OK || bytes.length == 0)
        return message->problem;
    if (max_bytes > 0 && bytes.length > max_bytes - message->spool.length) {
        message->problem = MESSAGE_TOO_LARGE;
        return message->problem;
    }
    if (!spool_append(&message->spool, bytes)) {
        message->problem = MESSAGE_NO_MEMORY;
        return message->problem;
    }
    header_parser_feed(&message->header, bytes);
    return check_header(message);
}

enum message_problem message_end(struct message *message)
{
    message->is_complete = true;
    header_parser_end(&message->header);
    return message->problem != MESSAGE_OK ? message->problem : check_header(message);
}

const struct header_field *message_find_field(const struct message *message, struct slice name,
                                              size_t index)
{
    for (size_t i = 0; i < message->header.field_count; i++) {
        const struct header_field *field = &message->header.fields[i];

        if (slice_equals_nocase(message_field_name(message, field), name) && index-- == 0)
            return field;
    }
    return NULL;
}

struct slice message_field_name(const struct message *message, const struct header_field *field)
{
    return header_parser_name(&message->header, field);
}

struct slice message_field_value(const struct message *message, const struct header_field *field)
{
    return header_parser_value(&message->header, field);
}

size_t message_count_fields(const struct message *message, struct slice name)
{
    size_t count = 0;

    for (size_t i = 0; i < message->header.field_count; i++)
        count += slice_equals_nocase(message_field_name(message, &message->header.fields[i]), name);
    return count;
}

void message_add_on_top(struct message *message, struct slice field)
{
    struct text added;

    assert(field.length > 2 && field.data[field.length - 2] == '\r' &&
           field.data[field.length - 1] == '\n');
    text_init(&added, TEXT_MAX_LENGTH);
    text_add(&added, field);
    text_add(&added, text_slice(&message->added));
    text_clear(&message->added);
    message->added = added;
}

void message_cut_field(struct message *message, const struct header_field *field)
{
    struct message_cut cut = { field->start, field->length };
    size_t at = message->cut_count;

    while (at > 0 && message->cuts[at - 1].offset >= cut.offset)
        at--;
    if (at < message->cut_count && message->cuts[at].offset == cut.offset)
        return;
    message->cuts = mem_grow(message->cuts, message->cut_count, &message->cut_capacity, sizeof cut);
    memmove(message->cuts + at + 1, message->cuts + at, (message->cut_count - at) * sizeof cut);
    message->cuts[at] = cut;
    message->cut_count++;
}

static const struct slice empty_line = { "\r\n", 2 };

uint64_t message_outgoing_bytes(const struct message *message)
{
    uint64_t bytes = message->added.length + message->spool.length;

    if (message_has_broken_header(message))
        bytes += empty_line.length;
    for (size_t i = 0; i < message->cut_count; i++)
        bytes -= message->cuts[i].length;
    return bytes;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Moves the position over cuts; gives how many bytes follow before the next one or the end. */
static uint64_t skip_cuts(const struct message *message, struct message_position *position)
{
    while (position->cut < message->cut_count &&
           message->cuts[position->cut].offset <= position->offset) {
        const struct message_cut *cut = &message->cuts[position->cut++];

        if (cut->offset + cut->length > position->offset)
            position->offset = cut->offset + cut->length;
    }
    if (position->cut < message->cut_count)
        return message->cuts[position->cut].offset - position->offset;
    return message->spool.length - position->offset;
}

/* The next run of the content itself. */
static struct message_piece next_content(const struct message *message,
                                         struct message_position *position, uint64_t run)
{
    struct message_piece piece = { .kind = MESSAGE_PIECE_MEMORY };
    const struct spool *spool = &message->spool;

    if (position->offset < spool->file_length) {
        piece.kind = MESSAGE_PIECE_FILE;
        piece.offset = position->offset;
        piece.length = smaller(run, spool->file_length - position->offset);
    } else {
        piece.bytes = slice_until(spool_at(spool, position->offset), (size_t)run);
        piece.length = piece.bytes.length;
    }
    position->offset += piece.length;
    return piece;
}

/* What is no part of the content. */
static struct message_piece give_own(struct slice own, uint64_t max_bytes)
{
    own = slice_until(own, (size_t)smaller(max_bytes, SIZE_MAX));
    return (struct message_piece){ MESSAGE_PIECE_MEMORY, .bytes = own, .length = own.length };
}

struct message_piece message_next_piece(const struct message *message,
                                        struct message_position *position, uint64_t max_bytes)
{
    uint64_t header_end = message->header.length;
    struct message_piece piece;
    uint64_t run;

    assert(max_bytes > 0);
    if (position->added < message->added.length) {
        piece = give_own(slice_from_offset(text_slice(&message->added), (size_t)position->added),
                         max_bytes);
        position->added += piece.length;
        return piece;
    }
    run = skip_cuts(message, position);
    if (message_has_broken_header(message) && position->separated < empty_line.length) {
        if (position->offset == header_end) {
            piece = give_own(slice_from_offset(empty_line, position->separated), max_bytes);
            position->separated += (size_t)piece.length;
            return piece;
        }
        run = smaller(run, header_end - position->offset);
    }
    run = smaller(run, max_bytes);
    if (run == 0)
        return (struct message_piece){ .kind = MESSAGE_PIECE_END };
    return next_content(message, position, run);
}
