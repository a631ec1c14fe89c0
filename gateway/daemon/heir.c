/* SPDX-License-Identifier: BSD-2-Clause */
/* Tries whether this program could take over; see heir.h. */
#include "daemon/heir.h"

#include <stdlib.h>

#include "daemon/estate.h"
#include "daemon/handover.h"
#include "daemon/loader.h"
#include "daemon/memory_file.h"

#define EXIT_CANNOT_START 2
#define SENTENCE_BYTES 500

static bool say(enum handover_type type, struct slice body)
{
    return handover_send(HANDOVER_CHANNEL_FD, type, body, NULL, 0) == PACKET_DONE;
}

static void say_why_not(const struct text *sentence)
{
    const struct handover_diagnostic head = { .severity = SEVERITY_ERROR };
    struct text body;
    bool ignored;

    text_init(&body, HANDOVER_MAX_BYTES);
    text_add(&body, (struct slice){ (const char *)&head, sizeof head });
    text_add(&body, text_slice(sentence));
    ignored = say(HANDOVER_DIAGNOSTIC, text_slice(&body));
    (void)ignored; /* the exit status says no as well */
    text_clear(&body);
}

/* The descriptors in it are the master's: here they are numbers without a meaning. */
static bool read_estate(int fd, struct estate *estate)
{
    struct slice bytes;
    struct text problem;
    bool is_fine = false;

    text_init(&problem, SENTENCE_BYTES);
    if (memory_file_map_sealed(fd, &bytes)) {
        is_fine = estate_parse(bytes, estate, &problem);
        memory_file_unmap_sealed(&bytes);
    } else {
        text_add_string(&problem, "what is handed over cannot be read");
    }
    if (!is_fine)
        say_why_not(&problem);
    text_clear(&problem);
    return is_fine;
}

int heir_run(void)
{
    struct handover message;
    struct estate estate;
    bool is_fine;

    estate_init(&estate);
    is_fine = handover_receive(HANDOVER_CHANNEL_FD, &message) == PACKET_DONE &&
              handover_type(&message) == HANDOVER_ESTATE &&
              read_estate(message.packet.fds[0], &estate) &&
              loader_try(estate.path) && say(HANDOVER_AGREED, SLICE_EMPTY);
    packet_clear(&message.packet);
    estate_clear(&estate);
    return is_fine ? EXIT_SUCCESS : EXIT_CANNOT_START;
}
