/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Content on its way; see content.h. A stream stops reading while much output
 * waits in it; we stay below that, so that a backend's early word ("552 enough")
 * is heard while we still talk. The disk reads ahead in larger pieces.
 *
 * Most mail is in memory and smaller than that. By BDAT it is one command with
 * LAST in front of its octets, so nothing of it may go out before the owner has
 * said yes to the end: it waits for content_end, and is one write. See
 * smtp/client_dialogue.h for what else there is. The CRLF that DATA wants in front
 * of its dot needs no adding here: data_reader gave it to every message.
 */
#include "delivery/content.h"

#include <assert.h>

#include "base/memory.h"

/* What may wait in the stream. Doubled dots make it at most a third larger: ".CRLF" to "..CRLF". */
#define MAX_PENDING_BYTES (STREAM_MAX_OUTPUT_BYTES / 4 * 3)
/* Read from disk at once. */
#define READ_AHEAD_BYTES (256 * 1024)

void content_init(struct content *content, struct spill *spill, const struct message *message,
                  struct channel *channel, void (*on_read)(void *owner), void *owner)
{
    *content = (struct content){
        .spill = spill,
        .message = message,
        .channel = channel,
        .on_read = on_read,
        .owner = owner,
    };
}

static void on_read_done(void *owner, enum spill_result result)
{
    struct content *content = owner;

    content->read = NULL;
    content->has_failed = result != SPILL_DONE;
    content->buffered = (struct slice){ content->buffer, content->read_length };
    content->on_read(content->owner);
}

static void start_read(struct content *content, const struct message_piece *piece)
{
    assert(content->spill != NULL && piece->length <= READ_AHEAD_BYTES);
    if (content->buffer == NULL)
        content->buffer = mem_resize(NULL, READ_AHEAD_BYTES, 1);
    content->read_length = (size_t)piece->length;
    content->read = spill_read_start(content->spill, &content->message->spool, piece->offset,
                                     content->buffer, content->read_length, on_read_done, content);
}

/* Bytes that may be written now. */
static size_t find_room(const struct content *content)
{
    size_t pending = channel_pending_output(content->channel);

    return pending < MAX_PENDING_BYTES ? MAX_PENDING_BYTES - pending : 0;
}

static void write_buffered(struct content *content, size_t room)
{
    channel_write_content(content->channel, slice_until(content->buffered, room));
    content->buffered = slice_from_offset(content->buffered, room);
}

enum client_event content_start(struct content *content)
{
    uint64_t bytes = message_outgoing_bytes(content->message);
    bool is_in_one_go =
        content->message->spool.file_length == 0 && bytes <= find_room(content);
    enum client_event event = channel_start_content(content->channel, is_in_one_go);

    if (event != CLIENT_EVENT_GO_AHEAD)
        return event;
    content->is_held_back = is_in_one_go;
    if (!is_in_one_go)
        channel_start_chunk(content->channel, bytes, false);
    return event;
}

enum content_step content_step(struct content *content)
{
    size_t room;

    if (content->is_held_back)
        return CONTENT_STEP_END;
    while (content->read == NULL && !content->has_failed && (room = find_room(content)) > 0) {
        struct message_position next = content->position;
        struct message_piece piece;

        if (content->buffered.length > 0) {
            write_buffered(content, room);
            continue;
        }
        piece = message_next_piece(content->message, &next, room);
        if (piece.kind == MESSAGE_PIECE_END)
            return CONTENT_STEP_END;
        if (piece.kind == MESSAGE_PIECE_FILE) {
            next = content->position;
            piece = message_next_piece(content->message, &next, READ_AHEAD_BYTES);
            start_read(content, &piece);
        } else {
            channel_write_content(content->channel, piece.bytes);
        }
        content->position = next;
    }
    return content->has_failed ? CONTENT_STEP_FAILED : CONTENT_STEP_WAIT;
}

/* BDAT with LAST and all of its octets. They are in memory, and there is room for them. */
static void let_go(struct content *content)
{
    struct message_piece piece;

    channel_start_chunk(content->channel, message_outgoing_bytes(content->message), true);
    for (;;) {
        piece = message_next_piece(content->message, &content->position, MAX_PENDING_BYTES);
        if (piece.kind == MESSAGE_PIECE_END)
            return;
        assert(piece.kind == MESSAGE_PIECE_MEMORY);
        channel_write_content(content->channel, piece.bytes);
    }
}

void content_end(struct content *content)
{
    if (content->is_held_back)
        let_go(content);
    channel_end_content(content->channel);
}

void content_clear(struct content *content)
{
    if (content->read != NULL)
        spill_cancel(&content->read);
    mem_free(content->buffer);
    content->buffer = NULL;
}
