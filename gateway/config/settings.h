/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Settings as tables: one line says how a setting is written, where its value
 * goes, its limits, its default and what it is for. One interpreter fills the
 * plain structs from any such table and words every complaint; the manual and
 * `postern check --list-settings` read the same lines.
 */
#ifndef POSTERN_CONFIG_SETTINGS_H
#define POSTERN_CONFIG_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "config/diagnostics.h"
#include "config/sources.h"
#include "config/syntax.h"

/* How a value is written, and the type of the field it goes to. */
enum setting_type {
    SETTING_WORD,      /* one of `words` -> an enum */
    SETTING_FLAGS,     /* some of `words` -> unsigned int, their values or-ed */
    SETTING_SWITCH,    /* on or off -> bool */
    SETTING_NUMBER,    /* -> uint64_t */
    SETTING_SIZE,      /* -> uint64_t, bytes */
    SETTING_DURATION,  /* -> uint64_t, milliseconds */
    SETTING_TEXT,      /* printable ASCII -> const char * */
    SETTING_PATH,      /* relative to the file it stands in -> const char * */
    SETTING_HOST,      /* a host name -> const char *, in the one form of mail/domain.h */
    SETTING_HOSTS,     /* host names, "*.x" too -> const char **, count at `count_offset` */
    SETTING_NETWORKS,  /* -> struct ip_prefix *, count at `count_offset` */
    SETTING_ADDRESSES, /* with ports -> struct ip_endpoint *, count at `count_offset` */
    SETTING_OTHER,     /* `read` knows; `form` says it in words */
};

/* A word that a setting takes. */
struct setting_word {
    const char *name;    /* NULL ends the list */
    unsigned int value;
    const char *later_id; /* not NULL: it comes with a later version; until then, this error */
    const char *later_sentence;
};

/* What reading settings needs; lent for the call. */
struct settings_reader {
    struct sources *sources;
    struct diagnostics *diagnostics;
    const struct settings_block *const *blocks; /* all kinds: a stray setting belongs in one */
    size_t block_count;
    void *owner; /* for SETTING_OTHER */
};

struct setting {
    const char *key;
    enum setting_type type;
    size_t offset;       /* of the field in the block's struct */
    size_t count_offset; /* of the size_t that goes with an array */
    const struct setting_word *words;
    uint64_t min, max;   /* of numbers, sizes (bytes) and durations (ms) */
    /* Only SETTING_OTHER: reads all words behind the key; reports what is wrong itself. */
    void (*read)(const struct settings_reader *reader, const struct setting *setting,
                 const struct statement *statement, void *target);
    const char *form;    /* "stderr, file PATH or syslog [FACILITY]"; or what a SETTING_TEXT is */
    const char *default_text; /* as in a file; NULL: the field stays 0 */
    bool is_required;
    bool may_repeat;
    const char *doc;     /* one sentence */
};

/* A key that belongs to a later version. */
struct setting_later {
    const char *key;
    const char *id;
    const char *sentence;
};

/* The settings of one kind of block. */
struct settings_block {
    const char *kind;  /* "listener"; "" outside of all blocks */
    const struct setting *settings;
    size_t count;
    const struct setting_later *later;
    size_t later_count;
};

/*
 * Fills `*target` (zeroed before) from `statements`: first all defaults, then
 * what is written. Unknown, repeated and missing keys and wrong values are
 * reported, missing ones at `at`. In the outermost block a statement whose key is
 * the kind of a block is passed over: the caller reads those. What the target's
 * pointers lead to is freed by settings_clear, or lives as long as sources and
 * tree do.
 */
void settings_read(const struct settings_reader *reader, const struct settings_block *block,
                   const struct statement *statements, size_t count, struct position at,
                   void *target);
/* Frees the arrays; not the target. */
void settings_clear(const struct settings_block *block, void *target);

/*
 * The bytes of a file that a setting at `asked_at` names, which live as long as the sources. False,
 * and reported, when it cannot be read or has more than 16 MiB.
 */
bool settings_get_file(const struct settings_reader *reader, const char *path,
                       struct position asked_at, struct slice *bytes);

/* How its value is written: "off, optional or required", "a time from 10ms to 1d, such as 5m". */
void setting_print_form(struct text *out, const struct setting *setting);

/* Reports that `word` is not what the setting takes, with the nearest word if there is one. */
void setting_refuse(const struct settings_reader *reader, const struct setting *setting,
                    const struct word *word);
/*
 * The words from words[first] on, without the commas between them: start with
 * *index = first; NULL at the end. A comma between nothing is reported.
 */
const struct word *setting_next_value(const struct settings_reader *reader,
                                      const struct statement *statement, size_t first,
                                      size_t *index);
/* The only word behind the key. Reported, and NULL, when there is none or more than one. */
const struct word *setting_only_value(const struct settings_reader *reader,
                                      const struct setting *setting,
                                      const struct statement *statement);

#endif
