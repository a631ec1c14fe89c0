/* SPDX-License-Identifier: BSD-2-Clause */
/* The second SPF engine as the daemon has it: behind its guard, and in a process of its own. */
#ifndef POSTERN_TESTS_SPF2_UNIT_H
#define POSTERN_TESTS_SPF2_UNIT_H

#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "checks/spf2.h"
#include "unit.h"

#define SPF2_UNIT_MS 200

enum spf2_unit_end {
    SPF2_GUARDED, /* it was not asked */
    SPF2_DIED,
    SPF2_STALLED, /* until its time was over */
    SPF2_ANSWERED,
};

/* The child's side: no more processor time than the daemon gives it. */
static inline void spf2_unit_run(struct slice request, int out)
{
    /* Set where all is slower, as under valgrind. */
    const char *factor = getenv("CK_TIMEOUT_MULTIPLIER");
    long ms = SPF2_UNIT_MS * (factor != NULL ? strtol(factor, NULL, 10) : 1);
    const struct itimerval limit = { .it_value = { ms / 1000, ms % 1000 * 1000 } };
    struct spf2 *engine = spf2_new();
    struct text answer;
    bool is_said;

    text_init(&answer, SPF_PARCEL_MAX_BYTES);
    setitimer(ITIMER_PROF, &limit, NULL);
    if (engine == NULL || !spf2_run(engine, request, &answer))
        _exit(3);
    is_said = write(out, answer.data, answer.length) == (ssize_t)answer.length;
    text_clear(&answer);
    spf2_free(&engine);
    _exit(is_said ? 0 : 4);
}

/* One request, made and answered. */
static inline enum spf2_unit_end spf2_unit_ask(struct slice request, struct spf_second *second)
{
    char bytes[2 * DNS_NAME_MAX_BYTES];
    ssize_t length;
    int ends[2], status;
    pid_t child;

    ck_assert_int_eq(pipe(ends), 0);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        spf2_unit_run(request, ends[1]);
    close(ends[1]);
    length = read(ends[0], bytes, sizeof bytes);
    close(ends[0]);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGPROF ? SPF2_STALLED : SPF2_DIED;
    ck_assert_msg(WEXITSTATUS(status) == 0, "the engine ended with %d", WEXITSTATUS(status));
    ck_assert(spf_second_unpack((struct slice){ bytes, (size_t)length }, second));
    return SPF2_ANSWERED;
}

#endif
