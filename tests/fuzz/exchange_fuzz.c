/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a worker that was taken over can send the keeper: a message with any type, body and
 * descriptors, and a sheet of any bytes. The first byte says how many descriptors come along, the
 * second how long the body is; the rest is the sheet. And all of it as an owner's request.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "quarantine/exchange.h"
#include "quarantine/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool is_true)
{
    if (!is_true)
        abort();
}

/* A sanitizer sees when one of them is not ours. */
static void look_at_bytes(const char *bytes, uint64_t length, size_t most)
{
    volatile char last = 0;

    require(length <= most);
    for (uint64_t i = 0; i < length; i += length > 64 ? length / 64 : 1)
        last ^= bytes[i];
    (void)last;
}

static void look_at_sheet(struct slice bytes)
{
    int fd = exchange_make_text(bytes);
    struct exchange_sheet sheet;

    require(fd >= 0);
    if (exchange_read_sheet(fd, EXCHANGE_MAX_SHEET_BYTES, &sheet)) {
        for (size_t i = 0; i < sheet.piece_count; i++)
            if (sheet.pieces[i].bytes != NULL)
                look_at_bytes(sheet.pieces[i].bytes, sheet.pieces[i].length, bytes.length);
        require(sheet.copy.length <= bytes.length);
    }
    exchange_sheet_clear(&sheet);
    close(fd);
}

static void look_at_message(uint32_t type, struct slice body, size_t fd_count)
{
    int ends[2];
    int fds[4];
    struct exchange message;

    require(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0);
    for (size_t i = 0; i < fd_count; i++)
        fds[i] = ends[0];
    require(packet_send(ends[0], type, body, fds, fd_count) == PACKET_DONE);
    if (exchange_receive(ends[1], &message) == PACKET_DONE) {
        require(message.packet.type < EXCHANGE_TYPE_COUNT);
        require(exchange_words(&message).length <= body.length);
        if (message.packet.type == EXCHANGE_STORE)
            (void)exchange_claim_is_valid(&message.body.claim);
    }
    packet_clear(&message.packet);
    close(ends[0]);
    close(ends[1]);
}

static void look_at_request(struct slice bytes)
{
    struct request request;
    struct text problem;
    struct text words;

    text_init(&problem, 500);
    text_init(&words, REQUEST_MAX_BYTES * 2);
    request_init(&request, REQUEST_LIST);
    if (request_parse(&request, bytes, &problem))
        request_print(&words, &request);
    else
        require(problem.length > 0 && request.id_count == 0);
    request_clear(&request);
    text_clear(&problem);
    text_clear(&words);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = { (const char *)data, size };
    uint32_t type;
    size_t length;

    if (size < 6)
        return 0;
    look_at_request(rest);
    memcpy(&type, data + 2, sizeof type);
    length = data[1] % (EXCHANGE_MAX_BYTES / 8);
    look_at_message(type % (EXCHANGE_TYPE_COUNT + 2),
                    slice_until(slice_from_offset(rest, 6), length), data[0] % 4);
    look_at_sheet(slice_from_offset(rest, 6));
    return 0;
}
