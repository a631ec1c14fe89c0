/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One mail on the bench: what a session would do with it, by the code of a session
 * (the dialogue, routes, checks, rules), up to the point where the backend or the
 * disk would be asked. Both are taken to say yes.
 */
#ifndef POSTERN_TOOLS_TRIAL_H
#define POSTERN_TOOLS_TRIAL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/ip.h"
#include "flow/account.h"
#include "flow/check_run.h"
#include "flow/party.h"
#include "flow/recipients.h"
#include "mail/mailbox.h"
#include "smtp/server_dialogue.h"
#include "tools/bench.h"

/* What is known of a mail that nobody has any more: the log has its findings. All lent. */
struct trial_memory {
    const struct findings *findings; /* those that were logged are `done`; no check is run */
    bool has_content;                /* it came to its end of data */
    uint64_t size_bytes;
    const char *author;              /* the first address in From; NULL: not known */
};

/* What is tried; all lent. */
struct trial_mail {
    const char *sender;            /* "a@b"; "" or "<>": the null sender */
    const char *const *recipients; /* at least one */
    size_t recipient_count;
    struct ip_address client;
    const char *helo;
    const char *listener;          /* NULL: the first of role inbound */
    const char *tls;               /* "1.2"; NULL: plain */
    struct slice content;          /* CRLF line ends */
    bool has_content;              /* without it, it is only said what the envelope decides */
    const struct trial_memory *memory; /* instead of content; NULL: the mail is here */
};

struct trial {
    /* Lent. */
    const struct bench *bench;
    const struct trial_mail *mail;
    /* What a session has. */
    struct server_dialogue dialogue;
    struct facts session_facts;    /* up to PHASE_HELO */
    struct party party;
    /* What a transaction has. */
    struct envelope envelope;
    struct facts facts;
    struct recipients recipients;
    struct check_run *checks;      /* NULL: none was run */
    struct message_limits limits;
    struct message message;
    struct mailbox_list from;
    struct account account;        /* the line of the log */
    /* State. */
    bool has_transaction;          /* MAIL was said */
    bool has_message;              /* `message` is to be cleared */
    bool is_over;                  /* there is a verdict */
    enum phase phase;              /* how far it came: RCPT, DATA or MESSAGE */
    /* Results, once it is over. */
    enum record_verdict verdict;
    struct reply reply;            /* the last to the client */
};

/*
 * Tries the mail. `bench` and `mail` are kept until trial_clear. It is not over where the content
 * is missing and would decide, or where something is not known of a remembered one. False and a
 * sentence, and nothing to clear, when the mail is none: no such listener, words with line ends.
 */
bool trial_run(struct trial *trial, const struct bench *bench, const struct trial_mail *mail,
               struct text *problem) __attribute__((warn_unused_result));
void trial_clear(struct trial *trial);

/*
 * The facts as they were for this attempt when it was last judged, up to `phase`, which is at most
 * trial_phase_of it.
 */
struct facts trial_facts(const struct trial *trial, const struct attempt *attempt,
                         enum phase phase);
/* How far its rules were walked: to PHASE_RCPT when it was refused there. */
enum phase trial_phase_of(const struct trial *trial, const struct attempt *attempt);
/* Its rules were asked. */
bool trial_was_judged(const struct attempt *attempt);
/* NULL: no check was run. */
const struct findings *trial_findings(const struct trial *trial);

/* "TLSv1.3" of "1.3"; NULL when it is no version. */
const char *trial_tls_version(const char *word);

#endif
