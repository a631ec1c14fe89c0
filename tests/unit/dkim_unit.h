/* SPDX-License-Identifier: BSD-2-Clause */
/* What the DKIM tests share: a message through a check, a zone as text, a finding as text. */
#ifndef POSTERN_TESTS_DKIM_UNIT_H
#define POSTERN_TESTS_DKIM_UNIT_H

#include <string.h>

#include "checks/dkim.h"
#include "unit.h"

#define UNIT_NOW_S 1600000000

/* Lines of a zone: "NAME TEXT", "secure NAME TEXT", "fail NAME PROBLEM"; "#" begins a comment. */
static inline struct dns_answer *unit_zone_answer(struct slice zone, struct slice name)
{
    struct dns_record records[8];
    size_t count = 0;
    bool is_secure = false;
    struct dns_answer *answer;
    struct slice line;

    while (slice_next(&zone, '\n', &line)) {
        struct slice owner;

        if (line.length == 0 || line.data[0] == '#' || !slice_next(&line, ' ', &owner))
            continue;
        if (slice_equals(owner, SLICE("fail"))) {
            (void)slice_next(&line, ' ', &owner);
            if (slice_equals_nocase(owner, name))
                return dns_answer_new_failed("servfail");
            continue;
        }
        if (slice_equals(owner, SLICE("secure"))) {
            (void)slice_next(&line, ' ', &owner);
            is_secure |= slice_equals_nocase(owner, name);
        }
        if (slice_equals_nocase(owner, name) && count < COUNT(records))
            records[count++] = (struct dns_record){ .bytes = line };
    }
    answer = dns_answer_new(count > 0 ? DNS_FOUND : DNS_NO_NAME, records, count);
    answer->is_secure = is_secure;
    return answer;
}

static inline void unit_answer_all(struct dns_answers *answers, struct slice zone)
{
    struct dns_question question;

    while (dns_answers_take_wanted(answers, &question)) {
        ck_assert_int_eq(question.type, DNS_TYPE_TXT);
        dns_answers_put(answers, &question, unit_zone_answer(zone, slice_from(question.name)));
    }
}

/* The message in pieces of `piece` bytes to the check, whose functions these are. */
static inline void unit_stream(struct slice content, size_t piece, void *check,
                               void (*take)(void *check, const struct message *message,
                                            struct slice piece),
                               void (*end)(void *check, const struct message *message))
{
    struct message_limits limits = { .max_header_bytes = 1 << 20, .max_header_fields = 2000 };
    struct spool_budget budget = { .max_bytes = (uint64_t)1 << 30 };
    struct message message;

    message_init(&message, &limits, &budget);
    while (content.length > 0) {
        struct slice bytes = slice_until(content, piece);

        ck_assert_int_eq(message_append(&message, bytes), MESSAGE_OK);
        take(check, &message, bytes);
        content = slice_from_offset(content, piece);
    }
    ck_assert_int_eq(message_end(&message), MESSAGE_OK);
    end(check, &message);
    message_clear(&message);
}

/* For unit_stream. */
static inline void unit_take_dkim(void *check, const struct message *message, struct slice piece)
{
    dkim_check_take(check, message, piece);
}

/* Likewise. */
static inline void unit_end_dkim(void *check, const struct message *message)
{
    dkim_check_end(check, message);
    ck_assert(dkim_check_is_header_taken(check));
}

/* The message in such pieces, and the zone asked when the header is over. */
static inline void unit_verify_in_pieces(const struct dkim_settings *settings, uint64_t now_s,
                                         struct slice content, struct slice zone, size_t piece,
                                         struct dkim_finding *finding)
{
    struct dkim_library *library = dkim_library_new();
    struct dkim_check *check = dkim_check_new(library, settings, now_s);
    struct dns_answers *answers = dns_answers_new(100);

    unit_stream(content, piece, check, unit_take_dkim, unit_end_dkim);
    if (!dkim_check_conclude(check, answers, finding)) {
        unit_answer_all(answers, zone);
        ck_assert(dkim_check_conclude(check, answers, finding));
    }
    dns_answers_free(&answers);
    dkim_check_free(&check);
    dkim_library_free(&library);
}

static inline const char *unit_or_dash(const char *text)
{
    return text != NULL ? text : "-";
}

static inline void unit_print_signature(struct text *out, const struct dkim_signature *signature)
{
    text_add_format(out, "signature %s reason=%s d=%s s=%s i=%s a=%s bits=%u",
                    result_word(signature->result), unit_or_dash(signature->reason),
                    unit_or_dash(signature->domain), unit_or_dash(signature->selector),
                    unit_or_dash(signature->identity), unit_or_dash(signature->algorithm),
                    signature->key_bits);
    text_add_string(out, signature->is_testing ? " testing" : "");
    text_add_string(out, signature->is_secure ? " secure" : "");
    text_add_string(out, signature->has_length_limit ? " length" : "");
    text_add_string(out, signature->has_unsigned_body ? " unsigned-body" : "");
    text_add_byte(out, '\n');
}

static inline void unit_print_finding(struct text *out, const struct dkim_finding *finding)
{
    text_add_format(out, "result %s\n", result_word(finding->result));
    if (finding->from_count != 1)
        text_add_format(out, "from %zu\n", finding->from_count);
    if (finding->ignored_count > 0)
        text_add_format(out, "ignored %zu\n", finding->ignored_count);
    for (size_t i = 0; i < finding->signature_count; i++)
        unit_print_signature(out, &finding->signatures[i]);
}

/* Appends the finding; the ways in which the content may come must all make the same one. */
static inline void unit_verify(const struct dkim_settings *settings, uint64_t now_s,
                               struct slice content, struct slice zone, struct text *out)
{
    static const size_t pieces[] = { 65536, 1, 7, 1000 };
    struct text first;
    struct text again;

    text_init(&first, 1 << 20);
    text_init(&again, 1 << 20);
    for (size_t i = 0; i < COUNT(pieces); i++) {
        struct dkim_finding finding;
        struct text *print = i == 0 ? &first : &again;

        if (pieces[i] < 100 && content.length > 100000)
            continue;
        unit_verify_in_pieces(settings, now_s, content, zone, pieces[i], &finding);
        text_reset(print);
        unit_print_finding(print, &finding);
        dkim_finding_clear(&finding);
        if (i > 0)
            unit_expect_text("in other pieces", &again, text_slice(&first));
    }
    text_add(out, text_slice(&first));
    text_clear(&first);
    text_clear(&again);
}

#endif
