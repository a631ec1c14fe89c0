/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mails with the verdict that they are to get, kept beside the policies they try:
 * files in the language of the configuration.
 *
 *     configuration gateway.conf;
 *     test forged-sender-is-refused {
 *         from ann@example.net;
 *         rcpt joe@example.org;
 *         ip 203.0.113.9;
 *         helo mail.example.net;
 *         zone "example.net. TXT \"v=spf1 -all\"";
 *         message "From: ann@example.net" "" "hello";
 *         expect reject;
 *         reason rule.standard.spf-fail;
 *     }
 */
#ifndef POSTERN_TOOLS_CASES_H
#define POSTERN_TOOLS_CASES_H

#include <stdbool.h>

#include "config/diagnostics.h"
#include "config/sources.h"
#include "config/syntax.h"
#include "dns/zone.h"
#include "record/record.h"
#include "tools/ruling.h"

/* Words of one setting; an owned array of strings that are the tree's. */
struct case_words {
    const char **items;
    size_t count;
    size_t capacity;
    bool is_given;
};

struct test_case {
    const char *name;       /* the tree's, as all strings here */
    struct position at;
    /* The mail. */
    const char *sender;
    struct case_words recipients;
    struct ip_address client;
    const char *helo;
    const char *listener;   /* NULL: the first for inbound mail */
    const char *tls;        /* "1.3"; NULL: plain */
    struct text content;    /* CRLF line ends */
    bool has_content;
    struct zone *zone;      /* owned; empty where the case has none */
    /* What it is to get; NULL: whatever it is. */
    unsigned int verdict;   /* enum record_verdict; NONE is undecided */
    const char *reason;
    const char *phase;
    const char *shadow;     /* "none": no rule in shadow */
    struct case_words tags; /* "none" alone: no tag */
};

struct case_file {
    /* Owned. */
    struct sources *sources;
    struct syntax_tree tree;
    /* Read. */
    const char *path;
    const char *configuration_path; /* NULL: not named */
    struct test_case *cases;        /* owned, in order */
    size_t case_count;
};

/* False, after the errors on stderr. Close it in any case. */
bool case_file_open(struct case_file *file, const char *path) __attribute__((warn_unused_result));
void case_file_close(struct case_file *file);

/*
 * What becomes of the mail under this configuration; nothing goes to the network. False and a
 * sentence when it cannot be tried.
 */
bool case_try(const struct test_case *test, const struct configuration *configuration,
              struct ruling *ruling, struct text *problem) __attribute__((warn_unused_result));
/* It is what was expected. */
bool case_is_met(const struct test_case *test, const struct ruling *ruling);
/* What was expected, like ruling_print. */
void case_print_wish(struct text *out, const struct test_case *test);

#endif
