/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What `postern` can do: one subcommand, one file, one row of main.c's table.
 * A subcommand says how it is called as data; options.c reads the words into a
 * plain struct and prints the help from the same rows.
 */
#ifndef POSTERN_TOOLS_SUBCOMMAND_H
#define POSTERN_TOOLS_SUBCOMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ip.h"

/* Exit statuses, the same for all subcommands; postern(1) lists what each of them means where. */
enum tool_exit {
    TOOL_DONE = 0,
    TOOL_REFUSED = 1, /* it ran, and the answer is no: mail refused, domain unknown, warnings */
    TOOL_UNABLE = 2,  /* it could not: wrong usage, broken configuration, the system said no */
};

#define TOOL_DEFAULT_CONFIG POSTERN_SYSCONFDIR "/postern.conf"

enum option_kind {
    OPTION_FLAG,     /* no argument -> bool */
    OPTION_BIT,      /* no argument: ors `bit` into an unsigned int */
    OPTION_TEXT,     /* -> const char *, of the command line */
    OPTION_TEXTS,    /* the same, any number of times -> struct option_texts */
    OPTION_NUMBER,   /* -> uint64_t */
    OPTION_SIZE,     /* with K, M or G -> uint64_t, bytes */
    OPTION_DURATION, /* with ms, s, m, h or d -> uint64_t, milliseconds */
    OPTION_ENDPOINT, /* ADDRESS:PORT -> struct ip_endpoint */
};

struct option_texts {
    const char **items; /* owned array; its strings are the command line's */
    size_t count;
    size_t capacity;
};

struct option {
    const char *name;     /* "--listen" or "-c" */
    enum option_kind kind;
    size_t offset;        /* of the field in the subcommand's struct */
    unsigned int bit;     /* with OPTION_BIT */
    const char *argument; /* "ADDRESS:PORT", for the help; NULL with the kinds that take none */
    const char *doc;      /* half a sentence */
};

struct subcommand {
    const char *name;
    const char *operands;       /* "DOMAIN", for the help; "" for none */
    size_t operand_count;       /* exactly so many, or at least */
    bool has_more_operands;     /* at least; NULL stands behind the last */
    const char *summary;        /* one line */
    const char *description;    /* for `postern help NAME`; lines below 80 columns */
    const struct option *options;
    size_t option_count;
    size_t values_size;         /* of the struct that the options fill */
    /* Defaults, before the options are read; NULL: all zero. */
    void (*set_defaults)(void *values);
    enum tool_exit (*run)(const void *values, const char *const *operands);
};

extern const struct subcommand subcommand_check;
extern const struct subcommand subcommand_diff;
extern const struct subcommand subcommand_effective;
extern const struct subcommand subcommand_explain;
extern const struct subcommand subcommand_quarantine;
extern const struct subcommand subcommand_send;
extern const struct subcommand subcommand_sink;
extern const struct subcommand subcommand_test;

/*
 * Reads `words` (what stands behind the subcommand's name) into `values`, which
 * is zeroed memory of values_size bytes with its defaults set. Operands are moved
 * to the front of `words`, which has room for a NULL behind them. False, after a
 * line on stderr, when something is wrong.
 */
bool options_parse(const struct subcommand *subcommand, const char **words, size_t word_count,
                   void *values) __attribute__((warn_unused_result));
/* Frees the arrays in `values`. */
void options_clear(const struct subcommand *subcommand, void *values);
/* `postern help NAME` on stdout. */
void options_print_help(const struct subcommand *subcommand);

#endif
