/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The signatures of one message and what is known against each of them: all of DKIM
 * but the canonical forms and the mathematics. A signature is alive while nothing
 * is, and only those that are alive are shown to the library.
 */
#ifndef POSTERN_CHECKS_DKIM_ENTRIES_H
#define POSTERN_CHECKS_DKIM_ENTRIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "checks/body_length.h"
#include "checks/dkim_claim.h"
#include "checks/dkim_reason.h"
#include "checks/dkim_record.h"
#include "checks/dkim_settings.h"
#include "dns/dns_answers.h"
#include "evidence/finding.h"
#include "mail/message.h"

struct dkim_entry {
    struct dkim_claim claim;   /* its reason is why it does not pass */
    enum dkim_reason shadow;   /* what a pass is worth less for; DKIM_REASON_NONE: nothing */
    struct dkim_record record; /* its key, once that is known */
    struct dkim_siginfo *info; /* the library's; NULL when it was not shown this one */
};

/* All zero is a message without any. */
struct dkim_entries {
    struct dkim_entry *entries; /* owned; in the order of the message */
    size_t count;
    size_t capacity;
    size_t ignored_count;      /* past the ceiling */
    size_t from_count;         /* From fields */
    bool is_header_bad;        /* the library cannot be shown some field */
    bool has_length_limit;     /* some signature has l= */
};

/* The header section is over; `now_s` is the wall clock's. */
void dkim_entries_read(struct dkim_entries *entries, const struct message *message,
                       const struct dkim_settings *settings, uint64_t now_s);
void dkim_entries_clear(struct dkim_entries *entries);

/* One more, of this value; borrowed until the next one is added. */
struct dkim_entry *dkim_entries_add(struct dkim_entries *entries, enum dkim_claim_kind kind,
                                    struct slice value);
/* Holds t=, x= and l= against the clock and the settings. */
void dkim_entry_judge_times(struct dkim_entry *entry, const struct dkim_settings *settings,
                            uint64_t now_s);

/* The field is one of those that became entries, or would have. */
bool dkim_entries_is_signature(const struct message *message, const struct header_field *field);
/* A field from its name on, without the CRLF at its end. */
struct slice dkim_entries_field(const struct message *message, const struct header_field *field);

/* Nothing is known against it. */
static inline bool dkim_entry_is_alive(const struct dkim_entry *entry)
{
    return entry->claim.reason == DKIM_REASON_NONE;
}

/* How many that are. */
size_t dkim_entries_count_alive(const struct dkim_entries *entries);
/* All that are alive, for the same reason. */
void dkim_entries_refuse_all(struct dkim_entries *entries, enum dkim_reason reason);

/* Makes the keys of all that are alive wanted. True when none is missing. */
bool dkim_entries_want_keys(const struct dkim_entries *entries, struct dns_answers *answers);
/* Once none is missing: reads them, and refuses the entries whose key is of no use. */
void dkim_entries_read_keys(struct dkim_entries *entries, const struct dkim_settings *settings,
                            struct dns_answers *answers);
/* Holds l= of one that is alive against the body as it came. */
void dkim_entry_judge_length(struct dkim_entry *entry, const struct dkim_settings *settings,
                             const struct body_length *length);

/* What was found; what it owns comes out of the entries. */
void dkim_entries_take_finding(struct dkim_entries *entries, struct dkim_finding *finding);

#endif
