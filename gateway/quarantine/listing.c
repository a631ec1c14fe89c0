/* SPDX-License-Identifier: BSD-2-Clause */
/* Held mail to be read; see listing.h. */
#include "quarantine/listing.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/escape.h"

#define SUBJECT_BYTES 100 /* of the subject, in a line */
#define LINE_FORMAT "%-19s  %-16s  %-10s %5s"
#define VALUE_COLUMN 12

/* The strings of a mail, in the order of the output. */
static const struct {
    const char *label;
    const char *key;
    size_t offset; /* of the const char * in struct index_mail */
} strings[] = {
    { "sender", "sender", offsetof(struct index_mail, sender) },
    { "client", "client", offsetof(struct index_mail, client) },
    { "helo", "helo", offsetof(struct index_mail, helo) },
    { "listener", "listener", offsetof(struct index_mail, listener) },
    { "domain", "domain", offsetof(struct index_mail, domain) },
    { "policy", "policy", offsetof(struct index_mail, policy) },
    { "backend", "backend", offsetof(struct index_mail, backend) },
    { "message-id", "message_id", offsetof(struct index_mail, message_id) },
    { "from", "header_from", offsetof(struct index_mail, header_from) },
    { "subject", "subject", offsetof(struct index_mail, subject) },
};
#define STRING_COUNT (sizeof strings / sizeof strings[0])

static const char *get_string(const struct index_mail *mail, size_t i)
{
    return *(const char *const *)(const void *)((const char *)mail + strings[i].offset);
}

size_t listing_max_bytes(const struct index_mail *mail)
{
    /* A byte takes six at most, as \u001b, and 60 are enough for what stands around a value. */
    size_t bytes = 60 * (STRING_COUNT + 10);

    for (size_t i = 0; i < STRING_COUNT; i++)
        bytes += 6 * strlen(get_string(mail, i));
    for (size_t i = 0; i < mail->recipient_count; i++) {
        const struct index_recipient *recipient = &mail->recipients[i];

        bytes += 60 * 8 + 6 * (strlen(recipient->address) + strlen(recipient->reason) +
                               strlen(recipient->by) + strlen(recipient->text));
    }
    return bytes;
}

/* ---- A line ---- */

/* "2026-11-25 19:00", in UTC. */
static void print_minute(struct text *out, uint64_t wall_us)
{
    struct text whole;
    size_t t;

    text_init(&whole, 100);
    clock_print_utc(&whole, wall_us);
    if (slice_find_byte(text_slice(&whole), 'T', &t)) {
        text_add(out, slice_until(text_slice(&whole), t));
        text_add_byte(out, ' ');
        text_add(out, slice_until(slice_from_offset(text_slice(&whole), t + 1), 5));
    }
    text_clear(&whole);
}

/* In five columns at most, for all that fits on a disk. */
static void print_size(struct text *out, uint64_t bytes)
{
    static const char units[] = "KMGTPE";
    size_t unit = 0;

    if (bytes == 0) {
        text_add_byte(out, '-');
    } else if (bytes < 10000) {
        text_add_number(out, bytes);
    } else {
        for (bytes = bytes / 1024 + (bytes % 1024 > 0); bytes >= 10000; unit++)
            bytes = bytes / 1024 + (bytes % 1024 > 0);
        text_add_number(out, bytes);
        text_add_byte(out, units[unit]);
    }
}

/* Each once, in the order of their numbers: "held,released". */
static void print_states(struct text *out, const struct index_mail *mail)
{
    unsigned int states = 0;
    const char *separator = "";

    for (size_t i = 0; i < mail->recipient_count; i++)
        states |= 1u << mail->recipients[i].state;
    for (int state = 0; state < COPY_STATE_COUNT; state++) {
        if ((states >> state & 1) == 0)
            continue;
        text_add_string(out, separator);
        text_add_string(out, copy_state_name((enum copy_state)state));
        separator = ",";
    }
}

static void print_word(struct text *out, const char *value)
{
    text_add_string(out, "  ");
    if (value[0] != '\0')
        escape_add_ascii(out, slice_from(value));
    else
        text_add_byte(out, '-');
}

static void print_more(struct text *out, size_t count)
{
    if (count > 0)
        text_add_format(out, " +%zu", count);
}

static bool is_new_reason(const struct index_mail *mail, size_t i)
{
    for (size_t before = 0; before < i; before++)
        if (strcmp(mail->recipients[before].reason, mail->recipients[i].reason) == 0)
            return false;
    return true;
}

/* Looking no further than this keeps a mail to a hundred thousand in time. */
#define MAX_REASONS_LOOKED_AT 100

static void print_recipients(struct text *out, const struct index_mail *mail)
{
    size_t reasons = 0;

    for (size_t i = 0; i < mail->recipient_count && i < MAX_REASONS_LOOKED_AT; i++)
        reasons += is_new_reason(mail, i);
    print_word(out, mail->recipient_count > 0 ? mail->recipients[0].address : "");
    print_more(out, mail->recipient_count > 0 ? mail->recipient_count - 1 : 0);
    print_word(out, mail->recipient_count > 0 ? mail->recipients[0].reason : "");
    print_more(out, reasons > 0 ? reasons - 1 : 0);
}

void listing_print_head(struct text *out)
{
    text_add_format(out, LINE_FORMAT "  FROM  TO  REASON  SUBJECT\n", "ID", "HELD (UTC)", "STATE",
                    "SIZE");
}

void listing_print_line(struct text *out, const struct index_mail *mail)
{
    struct text when;
    struct text states;
    struct text size;

    text_init(&when, 100);
    text_init(&states, 200);
    text_init(&size, 100);
    print_minute(&when, mail->held_us);
    print_states(&states, mail);
    print_size(&size, mail->file_bytes);
    text_add_format(out, LINE_FORMAT, mail->id, text_string(&when), text_string(&states),
                    text_string(&size));
    print_word(out, mail->sender);
    print_recipients(out, mail);
    text_add_string(out, "  ");
    if (mail->is_damaged)
        text_add_string(out, "(damaged)");
    else if (mail->subject[0] != '\0')
        escape_add_ascii(out, slice_until(slice_from(mail->subject), SUBJECT_BYTES));
    else
        text_add_byte(out, '-');
    text_add_byte(out, '\n');
    text_clear(&when);
    text_clear(&states);
    text_clear(&size);
}

/* ---- All of it ---- */

static void print_label(struct text *out, const char *label)
{
    text_add_format(out, "%-*s", VALUE_COLUMN, label);
}

static void print_value(struct text *out, const char *label, const char *value)
{
    if (value[0] == '\0')
        return;
    print_label(out, label);
    escape_add_ascii(out, slice_from(value));
    text_add_byte(out, '\n');
}

static void print_recipient(struct text *out, const struct index_recipient *recipient)
{
    print_label(out, "recipient");
    escape_add_ascii(out, slice_from(recipient->address));
    text_add_byte(out, '\n');
    print_label(out, "  state");
    text_add_string(out, copy_state_name(recipient->state));
    if (recipient->changed_us != 0) {
        text_add_string(out, " since ");
        clock_print_utc(out, recipient->changed_us);
    }
    text_add_byte(out, '\n');
    print_value(out, "  reason", recipient->reason);
    if (recipient->attempt != 0) {
        print_label(out, "  attempt");
        text_add_number(out, recipient->attempt);
        text_add_byte(out, '\n');
    }
    print_value(out, "  by", recipient->by);
    print_value(out, "  said", recipient->text);
}

void listing_print_all(struct text *out, const struct index_mail *mail)
{
    print_value(out, "id", mail->id);
    print_label(out, "held");
    clock_print_utc(out, mail->held_us);
    text_add_byte(out, '\n');
    print_label(out, "file");
    if (mail->file_bytes > 0)
        text_add_format(out, "%" PRIu64 " bytes%s\n", mail->file_bytes,
                        mail->is_damaged ? ", damaged" : "");
    else
        text_add_string(out, mail->is_damaged ? "empty, damaged\n" : "gone\n");
    for (size_t i = 0; i < STRING_COUNT; i++)
        print_value(out, strings[i].label, get_string(mail, i));
    for (size_t i = 0; i < mail->recipient_count; i++)
        print_recipient(out, &mail->recipients[i]);
}

/* ---- JSON ---- */

static void print_key(struct text *out, const char *key)
{
    text_add_format(out, ",\"%s\":", key);
}

static void print_json_string(struct text *out, const char *key, const char *value)
{
    print_key(out, key);
    escape_add_json(out, slice_from(value));
}

/* "" for 0. */
static void print_json_time(struct text *out, const char *key, uint64_t wall_us)
{
    print_key(out, key);
    text_add_byte(out, '"');
    if (wall_us != 0)
        clock_print_utc(out, wall_us);
    text_add_byte(out, '"');
}

static void print_json_recipient(struct text *out, const struct index_recipient *recipient)
{
    text_add_format(out, "{\"number\":%" PRIu32, recipient->number);
    print_json_string(out, "address", recipient->address);
    print_json_string(out, "reason", recipient->reason);
    print_json_string(out, "state", copy_state_name(recipient->state));
    print_json_time(out, "changed", recipient->changed_us);
    print_key(out, "attempt");
    text_add_byte(out, '"');
    if (recipient->attempt != 0)
        text_add_number(out, recipient->attempt);
    text_add_byte(out, '"');
    print_json_string(out, "by", recipient->by);
    print_json_string(out, "said", recipient->text);
    text_add_byte(out, '}');
}

void listing_print_json(struct text *out, const struct index_mail *mail)
{
    text_add_string(out, "{\"id\":");
    escape_add_json(out, slice_from(mail->id));
    print_json_time(out, "held", mail->held_us);
    print_key(out, "file_bytes");
    text_add_number(out, mail->file_bytes);
    print_key(out, "damaged");
    text_add_string(out, mail->is_damaged ? "true" : "false");
    for (size_t i = 0; i < STRING_COUNT; i++)
        print_json_string(out, strings[i].key, get_string(mail, i));
    print_key(out, "recipients");
    for (size_t i = 0; i < mail->recipient_count; i++) {
        text_add_byte(out, i == 0 ? '[' : ',');
        print_json_recipient(out, &mail->recipients[i]);
    }
    text_add_string(out, mail->recipient_count == 0 ? "[]}\n" : "]}\n");
}

/* ---- Results ---- */

static const char *result_name(enum copy_state state)
{
    return state == COPY_ERASED ? "absent" : copy_state_name(state);
}

void listing_print_result(struct text *out, const char *id, const char *address,
                          enum copy_state state, const char *words)
{
    text_add_format(out, "%s ", id);
    if (address != NULL) {
        escape_add_ascii(out, slice_from(address));
        text_add_byte(out, ' ');
    }
    text_add_string(out, result_name(state));
    if (words != NULL && words[0] != '\0') {
        text_add_string(out, ": ");
        escape_add_ascii(out, slice_from(words));
    }
    if (state == COPY_UNCERTAIN)
        text_add_string(out, " (it may have arrived; --again sends it once more)");
    text_add_byte(out, '\n');
}

void listing_print_result_json(struct text *out, const char *id, const char *address,
                               enum copy_state state, const char *words)
{
    text_add_string(out, "{\"id\":");
    escape_add_json(out, slice_from(id));
    print_json_string(out, "recipient", address != NULL ? address : "");
    print_json_string(out, "state", result_name(state));
    print_json_string(out, "text", words != NULL ? words : "");
    text_add_string(out, "}\n");
}
