/* SPDX-License-Identifier: BSD-2-Clause */
/* quarantine/copy_state: every event in every state. */
#include "quarantine/copy_state.h"

#include <string.h>

#include "unit.h"

/* The state after each event, by its first two letters; "-" where it is not allowed. */
static const struct {
    enum copy_state from;
    const char *to[AUDIT_EVENT_COUNT];
} rows[COPY_STATE_COUNT] = {
    /*                 hold commit  erase     orphan       release      released    refused lost
                       delete     expire */
    { COPY_PENDING,   { "-", "held", "erased", "uncertain", "-",         "-",        "-",    "-",
                        "-",       "-" } },
    { COPY_HELD,      { "-", "-",    "-",      "-",         "releasing", "-",        "-",    "-",
                        "deleted", "expired" } },
    { COPY_RELEASING, { "-", "-",    "-",      "-",         "-",         "released", "held",
                        "uncertain", "-", "-" } },
    { COPY_UNCERTAIN, { "-", "-",    "-",      "-",         "releasing", "released", "held", "-",
                        "deleted", "expired" } },
    { COPY_RELEASED,  { "-", "-",    "-",      "-",         "-",         "-",        "-",    "-",
                        "-",       "-" } },
    { COPY_DELETED,   { "-", "-",    "-",      "-",         "-",         "-",        "-",    "-",
                        "-",       "-" } },
    { COPY_EXPIRED,   { "-", "-",    "-",      "-",         "-",         "-",        "-",    "-",
                        "-",       "-" } },
    { COPY_ERASED,    { "-", "-",    "-",      "-",         "-",         "-",        "-",    "-",
                        "-",       "-" } },
};

static bool is_outcome(enum audit_event event)
{
    return event == AUDIT_RELEASED || event == AUDIT_REFUSED || event == AUDIT_LOST;
}

START_TEST(every_event_leads_where_it_should_and_nowhere_else)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (int e = 0; e < AUDIT_EVENT_COUNT; e++) {
            enum audit_event event = (enum audit_event)e;
            enum copy_state state = rows[i].from;
            uint64_t attempt = 7;
            uint64_t given = event == AUDIT_RELEASE ? 8 : 7;
            bool has_changed = copy_state_apply(&state, &attempt, event, given);
            const char *want = rows[i].to[e];

            ck_assert_msg(has_changed == (strcmp(want, "-") != 0), "%s in %s",
                          audit_event_name(event), copy_state_name(rows[i].from));
            if (!has_changed)
                want = copy_state_name(rows[i].from);
            ck_assert_msg(strcmp(copy_state_name(state), want) == 0, "%s in %s: %s",
                          audit_event_name(event), copy_state_name(rows[i].from),
                          copy_state_name(state));
            ck_assert_uint_eq(attempt, has_changed && event == AUDIT_RELEASE ? 8 : 7);
        }
    }
}
END_TEST

START_TEST(the_outcome_of_another_attempt_means_nothing)
{
    static const uint64_t others[] = { 0, 6, 8, UINT64_MAX };

    for (size_t i = 0; i < COUNT(rows); i++) {
        for (int e = 0; e < AUDIT_EVENT_COUNT; e++) {
            for (size_t k = 0; k < COUNT(others); k++) {
                enum copy_state state = rows[i].from;
                uint64_t attempt = 7;

                if (!is_outcome((enum audit_event)e))
                    continue;
                ck_assert(!copy_state_apply(&state, &attempt, (enum audit_event)e, others[k]));
                ck_assert_int_eq(state, rows[i].from);
                ck_assert_uint_eq(attempt, 7);
            }
        }
    }
}
END_TEST

/* 0 is no attempt: a mail that is uncertain since its worker died was never released. */
START_TEST(a_release_has_a_number)
{
    enum copy_state state = COPY_UNCERTAIN;
    uint64_t attempt = 0;

    ck_assert(!copy_state_apply(&state, &attempt, AUDIT_RELEASED, 0));
    ck_assert(!copy_state_apply(&state, &attempt, AUDIT_REFUSED, 0));
    ck_assert(!copy_state_apply(&state, &attempt, AUDIT_RELEASE, 0));
    ck_assert_int_eq(state, COPY_UNCERTAIN);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("quarantine: copy_state");
    TCase *tests = tcase_create("copy_state");

    tcase_add_test(tests, every_event_leads_where_it_should_and_nowhere_else);
    tcase_add_test(tests, the_outcome_of_another_attempt_means_nothing);
    tcase_add_test(tests, a_release_has_a_number);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
