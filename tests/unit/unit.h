/* SPDX-License-Identifier: BSD-2-Clause */
/* What the unit test programs share: table helpers, one comparison, one main. */
#ifndef POSTERN_TESTS_UNIT_H
#define POSTERN_TESTS_UNIT_H

#include <check.h>
#include <stdlib.h>

#include "base/text.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A slice of a string literal as it may stand in a static table; NUL bytes are kept. */
#define BYTES(literal) { "" literal, sizeof(literal) - 1 }

/* `got` holds exactly `want`, and a NUL behind it. */
static inline void unit_expect_text(const char *what, const struct text *got, struct slice want)
{
    ck_assert_msg(slice_equals(text_slice(got), want), "%s: got \"%.*s\", want \"%.*s\"", what,
                  SLICE_ARGS(text_slice(got)), SLICE_ARGS(want));
    ck_assert_msg(text_string(got)[got->length] == '\0', "%s: no NUL behind the bytes", what);
}

static inline bool unit_ends_with(const struct text *text, struct slice end)
{
    return text->length >= end.length &&
           slice_equals(slice_from_offset(text_slice(text), text->length - end.length), end);
}

/* What a dialogue has used up is gone from its input. */
static inline void unit_drop_front(struct text *text, size_t count)
{
    struct text rest;

    text_init(&rest, text->max_length);
    text_add(&rest, slice_from_offset(text_slice(text), count));
    text_clear(text);
    *text = rest;
}

/* Runs the suite and frees it; gives the exit status of the program. */
static inline int unit_run(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    int failed;

    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
