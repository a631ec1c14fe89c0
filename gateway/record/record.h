/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one line that says what became of a transaction, or of a session that had
 * none: postern-log(7) is its contract. A record is a plain struct that flow/
 * fills in while things happen; printing it is one walk over one table.
 */
#ifndef POSTERN_RECORD_RECORD_H
#define POSTERN_RECORD_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ip.h"
#include "base/slice.h"
#include "base/text.h"
#include "mail/address.h"

/* A line is never longer; longer values are cut, further recipients go to event=rcpt lines. */
#define RECORD_MAX_BYTES 4096

enum record_event { RECORD_TRANSACTION, RECORD_SESSION, RECORD_REPLY_LOST, RECORD_RELEASE };
enum record_verdict {
    RECORD_VERDICT_NONE,     /* a session without a transaction */
    RECORD_VERDICT_ACCEPT,   /* the backend said 2xx */
    RECORD_VERDICT_REJECT,   /* 5xx: by policy, protocol or backend; reason says which */
    RECORD_VERDICT_TEMPFAIL, /* 4xx, likewise */
    RECORD_VERDICT_QUARANTINE, /* held, and passed on to nobody */
    RECORD_VERDICT_DISCARD,
    RECORD_VERDICT_ABORT,    /* the client reset or left before its end of data */
    RECORD_VERDICT_UNKNOWN,  /* our dot went out, the backend's answer never came */
};
/* The words of the log line, and back for tools. "none" is not printed. */
const char *record_verdict_name(enum record_verdict verdict);

enum record_format { RECORD_LOGFMT, RECORD_JSON };
enum record_addresses { RECORD_ADDRESSES_FULL, RECORD_ADDRESSES_DOMAIN, RECORD_ADDRESSES_HASH };

struct record_style {
    enum record_format format;
    enum record_addresses addresses;
    struct slice hash_key; /* with RECORD_ADDRESSES_HASH: HMAC-SHA-256, 16 hex digits are printed */
};

/* What one recipient got. Strings are borrowed like the record's. */
struct record_recipient {
    const struct address *address;
    int code;            /* of the reply to RCPT, or the per-recipient final one; 0 for none yet */
    const char *reason;  /* "" for a plain success */
};

/*
 * All strings are borrowed until the line is printed; NULL or 0 means the field is left out, but
 * for the fields of the base group. Foreign bytes are escaped when printed.
 */
struct record {
    /* base */
    enum record_event event;
    uint64_t wall_us;            /* of the line */
    enum record_verdict verdict;
    struct ip_endpoint client;
    const char *session_id;
    const char *transaction_id;
    /* where */
    const char *listener;
    const char *helo;
    const char *relay;           /* name of the relay block that let it in */
    /* TLS */
    const char *tls_version;
    const char *tls_cipher;
    const char *tls_server_name;
    bool tls_is_resumed;
    /* envelope */
    const struct address *sender;
    const struct record_recipient *recipients;
    size_t recipient_count;
    /* message */
    const char *message_id;      /* of header Message-ID, raw */
    const char *header_from;
    uint64_t size_bytes;
    bool is_8bit;
    bool is_smtputf8;
    bool has_broken_header;      /* mail/message.h: an empty line was put into it */
    /* checks: the words of their results; NULL where one was not run */
    const char *spf;
    const char *spf_domain;      /* whose record it was */
    const char *spf_helo;
    const char *spf_libspf2;      /* what libspf2 says where it differs; NULL: it does not */
    const char *spf_helo_libspf2; /* likewise */
    const char *dkim;
    const char *dkim_domains;    /* of the signatures that pass, with a comma between them */
    const char *dmarc;
    const char *dmarc_policy;    /* that the author's domain publishes for this mail */
    const char *arc;
    const char *arc_sealer;      /* d= of the newest seal, of a chain that passes */
    const char *check_text;      /* why one was temperror or permerror */
    uint64_t dns_question_count;
    /* decision */
    const char *domain;          /* of the policy in force */
    const char *policy;
    const char *rule;            /* reason id of the rule that decided */
    const char *reason;          /* reason id of the outcome: a rule's, or the program's own */
    const char *phase;
    const char *shadow_rule;     /* reason id of what would have decided */
    const char *shadow_action;
    const char *shadow_phase;
    const char *const *tags;
    size_t tag_count;
    const char *quarantine_id;   /* of the copy that is held, for whichever recipients */
    /* reply to the client */
    int reply_code;
    const char *reply_enhanced;
    /* backend */
    const char *backend;         /* name of the block */
    struct ip_endpoint backend_address;
    int backend_code;
    const char *backend_reply;   /* its text, cut */
    const char *backend_queue_id;/* found in its reply, "" when none */
    const char *backend_tls;     /* version; NULL for plain */
    bool backend_is_reused;      /* a pooled connection */
    /* times, milliseconds; -1 is left out */
    int64_t rcpt_ms;             /* from MAIL to the first RCPT's answer */
    int64_t data_ms;             /* from the 354 to the client's dot */
    int64_t check_ms;
    int64_t backend_ms;          /* from the client's dot to the backend's answer */
    int64_t total_ms;            /* from MAIL, or of the session */
    /* session lines */
    uint64_t command_count;
    uint64_t error_count;
    uint64_t transaction_count;
    const char *foreign;         /* first bytes of a foreign protocol */
    /* end */
    uint64_t generation;         /* of the configuration */
    const char *close_reason;    /* why the session ended; also of transactions cut short */
    const char *detail;          /* the system's or library's words on a failure */
};

/* All zero but for the times, which are -1. */
void record_init(struct record *record);
/*
 * Appends the line with its newline. Recipients beyond what fits follow as lines of their own,
 * "event=rcpt" with the same session and transaction, so `out` needs room for more than one.
 */
void record_print(struct text *out, const struct record *record, const struct record_style *style);

/* What record_print writes at most for so many recipients, every value of its longest. */
size_t record_max_bytes(size_t recipient_count);
/*
 * A transaction's room in the log is set aside before the backend answers. Its final lines are
 * longer than those of then by what the backend said and how the recipients fared: at most this.
 */
size_t record_growth_bytes(size_t recipient_count);

/* A key of the line: for `postern check --list-log-fields` and the manual's check. */
struct record_field_info {
    const char *key;
    const char *group;
    const char *meaning;
};
/* NULL behind the last. */
const struct record_field_info *record_field_get(size_t index);

#endif
