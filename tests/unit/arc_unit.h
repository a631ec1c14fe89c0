/* SPDX-License-Identifier: BSD-2-Clause */
/* What the ARC tests share: a message through a check, a finding as text. */
#ifndef POSTERN_TESTS_ARC_UNIT_H
#define POSTERN_TESTS_ARC_UNIT_H

#include "checks/arc.h"
#include "dkim_unit.h"

/* For unit_stream. */
static inline void unit_take_arc(void *check, const struct message *message, struct slice piece)
{
    arc_check_take(check, message, piece);
}

/* Likewise. */
static inline void unit_end_arc(void *check, const struct message *message)
{
    arc_check_end(check, message);
    ck_assert(arc_check_is_header_taken(check));
}

/* The message in pieces of `piece` bytes, and the zone asked when the header is over. */
static inline void unit_verify_arc_in_pieces(const struct dkim_settings *settings, size_t max_sets,
                                             uint64_t now_s, struct slice content,
                                             struct slice zone, size_t piece,
                                             struct arc_finding *finding)
{
    struct arc_check *check = arc_check_new(settings, max_sets, now_s);
    struct dns_answers *answers = dns_answers_new(100);

    unit_stream(content, piece, check, unit_take_arc, unit_end_arc);
    if (!arc_check_conclude(check, answers, finding)) {
        unit_answer_all(answers, zone);
        ck_assert(arc_check_conclude(check, answers, finding));
    }
    dns_answers_free(&answers);
    arc_check_free(&check);
}

static inline void unit_print_arc(struct text *out, const struct arc_finding *finding)
{
    text_add_format(out, "result %s\nsets %zu\n", result_word(finding->result),
                    finding->set_count);
    for (size_t i = 0; i < finding->sealer_count; i++)
        text_add_format(out, "sealer %s\n", finding->sealers[i]);
    if (finding->reason == NULL)
        return;
    text_add_format(out, "reason %s: ", finding->reason);
    arc_finding_print_problem(finding, out);
    text_add_byte(out, '\n');
}

/* Appends the finding; the ways in which the content may come must all make the same one. */
static inline void unit_verify_arc(const struct dkim_settings *settings, size_t max_sets,
                                   uint64_t now_s, struct slice content, struct slice zone,
                                   struct text *out)
{
    static const size_t pieces[] = { 65536, 1, 7, 1000 };
    struct text first;
    struct text again;

    text_init(&first, 1 << 20);
    text_init(&again, 1 << 20);
    for (size_t i = 0; i < COUNT(pieces); i++) {
        struct arc_finding finding;
        struct text *print = i == 0 ? &first : &again;

        if (pieces[i] < 100 && content.length > 100000)
            continue;
        unit_verify_arc_in_pieces(settings, max_sets, now_s, content, zone, pieces[i], &finding);
        text_reset(print);
        unit_print_arc(print, &finding);
        arc_finding_clear(&finding);
        if (i > 0)
            unit_expect_text("in other pieces", &again, text_slice(&first));
    }
    text_add(out, text_slice(&first));
    text_clear(&first);
    text_clear(&again);
}

#endif
