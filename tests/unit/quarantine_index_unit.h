/* SPDX-License-Identifier: BSD-2-Clause */
/* A quarantine for the tests of the index: store, audit and index in a folder, and a dump of it. */
#ifndef POSTERN_TESTS_QUARANTINE_INDEX_UNIT_H
#define POSTERN_TESTS_QUARANTINE_INDEX_UNIT_H

#include <inttypes.h>

#include "base/log.h"
#include "quarantine/index.h"
#include "quarantine_unit.h"

#define ALL_STATES ((1u << COPY_STATE_COUNT) - 1)

/* One keeper's hold on the folder. */
struct hold {
    struct store *store;
    struct audit *audit;
    struct index *index;
};

static char folder[32];
static int folder_fd;
static struct text problem;
static struct text logged; /* event: message, a line each */

/* For log_set_sink. */
static inline void keep_log(void *owner, enum log_level level, const char *event,
                            struct slice message)
{
    (void)owner;
    (void)level;
    text_add_format(&logged, "%s: %.*s\n", event, SLICE_ARGS(message));
}

/* For a fixture. */
static inline void unit_set_up_folder(void)
{
    text_init(&problem, 1000);
    text_init(&logged, 100000);
    log_set_sink(keep_log, NULL);
    folder_fd = unit_make_folder(folder);
}

/* Likewise. */
static inline void unit_tear_down_folder(void)
{
    close(folder_fd);
    unit_remove_folder(folder);
    text_clear(&problem);
    text_clear(&logged);
    log_set_sink(NULL, NULL);
}

/* Opens all three, or fails the test. */
static inline struct hold unit_open_hold(void)
{
    struct hold hold = { NULL, NULL, NULL };

    hold.store = store_open(fcntl(folder_fd, F_DUPFD_CLOEXEC, 3), &problem);
    ck_assert_msg(hold.store != NULL, "%s", text_string(&problem));
    hold.audit = audit_open(folder_fd, &problem);
    ck_assert_msg(hold.audit != NULL, "%s", text_string(&problem));
    hold.index = index_open(hold.store, hold.audit, &problem);
    ck_assert_msg(hold.index != NULL, "%s", text_string(&problem));
    return hold;
}

/* All three. */
static inline void unit_close_hold(struct hold *hold)
{
    index_close(&hold->index);
    audit_close(&hold->audit);
    store_close(&hold->store);
}

/* The next index is made anew. */
static inline void unit_remove_index(void)
{
    unlinkat(folder_fd, "index.db", 0);
    unlinkat(folder_fd, "index.db-wal", 0);
    unlinkat(folder_fd, "index.db-shm", 0);
}

/* To the disk only; gives the bytes of the file. */
static inline uint64_t unit_store(struct hold *hold, const struct copy *copy)
{
    struct store_piece piece = { .bytes = "content", .length = 7 };
    struct store_draft *draft;
    enum store_result result;
    uint64_t bytes;

    result = store_write(hold->store, copy, -1, &piece, 1, &draft, &problem);
    ck_assert_msg(result == STORE_DONE, "%s", text_string(&problem));
    bytes = store_draft_bytes(draft);
    store_sync(hold->store, &draft, 1, &result, &problem);
    ck_assert_msg(result == STORE_DONE, "%s", text_string(&problem));
    ck_assert_int_eq(store_note_answered(hold->store, copy->id, &problem), STORE_DONE);
    return bytes;
}

/* Appends an entry about the mail of a number. */
static inline void unit_say(struct hold *hold, unsigned int number, enum audit_event event,
                            uint32_t recipient, uint64_t attempt, const char *address)
{
    struct audit_entry entry = { .event = event, .recipient = recipient, .attempt = attempt };

    entry.wall_us = HELD_US + number * 1000000u + 500000u + (uint64_t)event;
    entry.address = slice_from(address);
    if (event >= AUDIT_RELEASE) {
        entry.by = SLICE("uid 1000");
        entry.text = slice_from(audit_event_name(event));
    }
    snprintf(entry.id, sizeof entry.id, "06h0x6s1zxfdk76x-%u", number);
    ck_assert_msg(audit_append(hold->audit, &entry, 1, false, &problem), "%s",
                  text_string(&problem));
}

/* All that is known of a mail, as lines. */
static inline bool unit_dump_mail(void *owner, const struct index_mail *mail)
{
    struct text *out = owner;

    text_add_format(out, "%s %" PRIu64 " %" PRIu64 " %" PRIu64 " %s [%s] [%s] [%s] [%s] [%s] [%s]"
                         " [%s] [%s] [%s] [%s] %d\n",
                    mail->id, mail->held_us, mail->file_bytes, mail->owner, mail->claim,
                    mail->sender, mail->client, mail->helo, mail->listener, mail->domain,
                    mail->policy, mail->backend, mail->message_id, mail->header_from,
                    mail->subject, mail->is_damaged);
    for (size_t i = 0; i < mail->recipient_count; i++) {
        const struct index_recipient *recipient = &mail->recipients[i];

        text_add_format(out, "  %" PRIu32 " [%s] [%s] %s %" PRIu64 " %" PRIu64 " [%s] [%s]\n",
                        recipient->number, recipient->address, recipient->reason,
                        copy_state_name(recipient->state), recipient->changed_us,
                        recipient->attempt, recipient->by, recipient->text);
    }
    return true;
}

/* Of everything, with the totals. */
static inline void unit_dump(struct hold *hold, struct text *out)
{
    struct index_filter filter = { .states = ALL_STATES };
    struct index_totals totals = index_get_totals(hold->index);

    text_reset(out);
    index_each(hold->index, &filter, unit_dump_mail, out);
    text_add_format(out, "%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", totals.mail_count,
                    totals.file_bytes, totals.oldest_us);
}

/* A mail of that number with some recipients, stored, told to the audit and to the index. */
static inline void unit_add(struct hold *hold, unsigned int number, unsigned int recipient_count,
                            bool is_pending)
{
    struct copy copy;
    uint64_t bytes;

    unit_make_copy(&copy, number, "<sender@example.org>");
    copy.is_pending = is_pending;
    for (unsigned int i = 0; i < recipient_count; i++) {
        char path[40];

        snprintf(path, sizeof path, "<user%u@example.net>", i);
        unit_add_recipient(&copy, path, "rule.standard.spf-fail", 0, NULL);
    }
    bytes = unit_store(hold, &copy);
    unit_say(hold, number, AUDIT_HOLD, AUDIT_ALL_RECIPIENTS, 0, NULL);
    index_add(hold->index, &copy, true, bytes);
    index_catch_up(hold->index);
    copy_clear(&copy);
}

/* Appends an entry about a recipient that unit_add made, and has the index apply it. */
static inline void unit_tell(struct hold *hold, unsigned int number, enum audit_event event,
                             uint32_t recipient, uint64_t attempt)
{
    char address[40];

    snprintf(address, sizeof address, "user%u@example.net", recipient);
    unit_say(hold, number, event, recipient, attempt,
             recipient != AUDIT_ALL_RECIPIENTS ? address : NULL);
    index_catch_up(hold->index);
}

/* Its file is removed. */
static inline void unit_drop(struct hold *hold, unsigned int number)
{
    char id[COPY_ID_MAX_BYTES + 1];

    snprintf(id, sizeof id, "06h0x6s1zxfdk76x-%u", number);
    ck_assert_int_ne(store_remove(hold->store, id, &problem), STORE_FAILED);
    index_remove(hold->index, id);
}

/* The state of a recipient, in the dump of its mail. */
static inline void unit_expect_state(struct hold *hold, unsigned int number, uint32_t recipient,
                                     const char *want)
{
    char id[COPY_ID_MAX_BYTES + 1];
    struct index_filter filter = { .id = id, .states = ALL_STATES };
    struct text dump;
    char start[100];

    snprintf(id, sizeof id, "06h0x6s1zxfdk76x-%u", number);
    text_init(&dump, 100000);
    index_each(hold->index, &filter, unit_dump_mail, &dump);
    snprintf(start, sizeof start, "  %u [user%u@example.net] [rule.standard.spf-fail] %s",
             recipient, recipient, want);
    ck_assert_msg(strstr(text_string(&dump), start) != NULL, "not %s:\n%s", want,
                  text_string(&dump));
    text_clear(&dump);
}

#endif
