/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A configuration as plain structs, checked and complete: every name resolved,
 * every default filled in. Domains and policies are in policy/policy_book.h.
 * Immutable once built; everything in it lives until config_free.
 */
#ifndef POSTERN_CONFIG_CONFIG_H
#define POSTERN_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ip.h"
#include "config/diagnostics.h"
#include "config/name_set.h"
#include "config/sources.h"
#include "config/syntax.h"
#include "dns/zone.h"

enum mode { MODE_ENFORCE, MODE_SHADOW };
enum sandbox { SANDBOX_ON, SANDBOX_OFF };

enum listener_role { ROLE_INBOUND, ROLE_SUBMISSION };
enum listener_tls {
    LISTENER_TLS_OFF,
    LISTENER_TLS_OPTIONAL,
    LISTENER_TLS_REQUIRED,
    LISTENER_TLS_IMPLICIT, /* from the first byte on */
};
enum probe_answer { PROBE_HIDE, PROBE_REFUSE }; /* 252 or 502 */
enum bare_lf { BARE_LF_REFUSE, BARE_LF_REWRITE };
enum mixed { MIXED_SPLIT, MIXED_HOLD };
/* Lowest version; the order is that of net/tls.h. AUTO is for backends, by what `tls` asks for. */
enum tls_lowest {
    TLS_LOWEST_1_0,
    TLS_LOWEST_1_1,
    TLS_LOWEST_1_2,
    TLS_LOWEST_1_3,
    TLS_LOWEST_AUTO,
};

struct config_listener {
    const char *name;
    struct position at;
    struct ip_endpoint *endpoints;
    size_t endpoint_count;
    const char *socket_name;    /* `listen socket NAME`: LISTEN_FDNAMES of systemd; NULL for none */
    enum listener_role role;
    enum listener_tls tls;
    enum tls_lowest tls_lowest;
    const char *policy;         /* for role submission; NULL for inbound */
    struct config_backend *backend; /* likewise */
    const char *hostname;       /* of the greeting; the gateway's unless set */
    const char *greeting;       /* behind the hostname: "ESMTP" */
    enum probe_answer vrfy;
    enum probe_answer expn;
    enum bare_lf bare_lf;
    enum mixed mixed;
    unsigned int withheld_extensions; /* SERVER_* bits switched off by `extension NAME off` */
    uint64_t max_recipients;
    uint64_t max_errors;
    uint64_t max_commands_without_mail;
    uint64_t max_sessions;      /* of this listener, per worker */
    uint64_t max_sessions_per_address; /* of this listener, in all workers */
    uint64_t max_sessions_per_network; /* likewise */
    uint64_t max_header_bytes;
    uint64_t max_header_fields;
    uint64_t max_line_bytes;    /* of the content */
    uint64_t idle_timeout_ms;   /* between commands (RFC 5321 4.5.3.2.7: 5 min) */
    uint64_t data_timeout_ms;   /* between reads of content */
    uint64_t write_timeout_ms;  /* without progress in what we send */
    uint64_t session_timeout_ms;/* of a whole session */
    uint64_t tls_timeout_ms;    /* of a handshake */
    uint64_t post_dot_budget_ms;
};

struct config_relay {
    const char *name;
    struct position at;
    struct ip_prefix *networks;
    size_t network_count;
    const char *policy;
    struct config_backend *backend;
};

struct config_certificate {
    struct position at;
    const char **names;         /* in mail/domain.h's one form, or "*." and such a one */
    size_t name_count;
    const char *chain_path;
    const char *key_path;
};

enum backend_tls {
    BACKEND_TLS_OFF,
    BACKEND_TLS_OPTIONAL,
    BACKEND_TLS_REQUIRED,
    BACKEND_TLS_VERIFIED,
};
enum backend_identity { IDENTITY_NONE, IDENTITY_XCLIENT };
enum backend_recipients { RECIPIENTS_ASK, RECIPIENTS_FILE, RECIPIENTS_ANY };

struct config_backend {
    const char *name;
    struct position at;
    struct ip_endpoint *addresses; /* tried in this order */
    size_t address_count;
    enum backend_tls tls;
    enum tls_lowest tls_lowest;
    bool is_tls_implicit;       /* `tls-implicit on`: TLS from the first byte */
    const char *tls_name;       /* for SNI and verification; NULL for the address alone */
    const char *tls_ca_path;    /* NULL: the system's bundle */
    enum backend_identity identity;
    enum backend_recipients recipients;
    const char *recipients_path;/* with RECIPIENTS_FILE */
    struct name_set recipient_set; /* with RECIPIENTS_FILE; ask config_backend_has_recipient */
    unsigned int assumed;       /* SERVER_* bits of `assume`: offered even if the backend has not */
    bool is_chunking_wanted;    /* `chunking`: BDAT where the backend offers CHUNKING */
    uint64_t max_connections;   /* per worker */
    uint64_t max_idle;          /* pooled ones kept, per worker */
    uint64_t idle_timeout_ms;   /* a pooled connection is closed after this */
    uint64_t max_transactions;  /* on one connection, then it is closed */
    uint64_t connect_timeout_ms;
    uint64_t command_timeout_ms;/* for greeting, EHLO, MAIL, RCPT, DATA */
    uint64_t data_timeout_ms;   /* progress while content is sent */
    uint64_t dot_timeout_ms;    /* for the reply to the dot */
    uint64_t hold_ms;           /* how long an envelope is kept for a slow client: 30 s */
    uint64_t wait_ms;           /* for a free connection: 10 s */
    uint64_t retry_ms;          /* an address that failed is left alone for this */
};

/* `list NAME { ... }`: domains, addresses or networks, by what each entry looks like. */
struct config_list {
    const char *name;
    struct position at;
    bool is_used;               /* set by policy/ for each list it finds */
    struct name_set entries;    /* "example.com", ".example.com", "a@b" */
    struct ip_prefix *networks; /* sorted, none within another */
    size_t network_count;
};

enum log_addresses { LOG_ADDRESSES_FULL, LOG_ADDRESSES_DOMAIN, LOG_ADDRESSES_HASH };
enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };
enum log_target { LOG_TARGET_STDERR, LOG_TARGET_FILE, LOG_TARGET_SYSLOG };

struct config_log {
    enum log_target target;
    const char *path;           /* with LOG_TARGET_FILE */
    const char *facility;       /* with LOG_TARGET_SYSLOG: "mail" */
    enum log_format format;
    enum log_addresses addresses;
    uint64_t ring_bytes;        /* per worker */
};

enum held_reply { HELD_REPLY_HIDE, HELD_REPLY_TELL };

/* `quarantine { ... }`: without the block there is no keeper, and no rule may hold mail. */
struct config_quarantine {
    bool is_set;
    struct position at;
    const char *folder;
    uint64_t max_age_ms;
    uint64_t max_bytes;         /* of all held mail */
    uint64_t max_waiting;       /* per worker: copies on their way to the disk */
    enum held_reply reply;
};

/* `resolver { ... }`; without the block all is as by default. */
struct config_resolver {
    bool is_set;
    struct position at;
    struct ip_endpoint *addresses; /* never none: the system's where the block has none */
    size_t address_count;
    bool is_validating;
    const char *trust_anchor_path;
    struct slice trust_anchors; /* the bytes of that file; empty unless is_validating */
    const char *local_data_path;/* NULL for none */
    struct zone *local_data;    /* owned; likewise */
    uint64_t timeout_ms;        /* of a question */
    uint64_t cache_bytes;       /* per worker */
    uint64_t max_questions;     /* per worker, that are asked at a time */
};

/* What a DKIM signature over a part of the body (l=) is worth. */
enum dkim_length { DKIM_LENGTH_WHOLE, DKIM_LENGTH_PART, DKIM_LENGTH_NONE };

/* Which checks find their way into the message. */
enum shown_results {
    SHOWN_RUN, /* those that a rule needs */
    SHOWN_ALL, /* all: they are run for it */
    SHOWN_NONE,
};

/* Who evaluates SPF. */
enum spf_engine {
    SPF_ENGINE_NATIVE,
    SPF_ENGINE_LIBSPF2, /* in a process of its own, where the native one finds no error */
    SPF_ENGINE_BOTH,    /* the native result counts, and where the other differs is logged */
};

/* How DMARC learns to which organization a domain belongs. */
enum dmarc_discovery_way {
    DMARC_BY_TREE,   /* by the DNS tree walk of RFC 9989 */
    DMARC_BY_SUFFIX, /* by a list of public suffixes, as RFC 7489 had it */
};

/* `checks { ... }`; without the block all is as by default. */
struct config_checks {
    uint64_t timeout_ms;         /* of all that is checked at one time */
    uint64_t max_questions;      /* to the DNS, for one mail */
    uint64_t max_void_lookups;   /* of one SPF evaluation */
    enum spf_engine spf_engine;
    uint64_t max_signatures;     /* of one mail */
    uint64_t min_key_bits;       /* of RSA */
    enum dkim_length dkim_length;
    uint64_t max_arc_sets;       /* of one chain */
    uint64_t clock_drift_ms;     /* of signers' clocks */
    enum shown_results results;
    bool has_received_spf;
    enum dmarc_discovery_way dmarc_discovery;
    const char *suffix_list_path;
    struct slice suffix_list;    /* the bytes of that file; empty unless DMARC_BY_SUFFIX */
    struct position at;          /* of the block; of the file's beginning without one */
};

struct config {
    struct sources *sources;    /* owned */
    struct syntax_tree tree;    /* owned; policy/ reads its blocks from here */
    const char *path;           /* of the main file */
    const char *hostname;
    const char *authserv_id;    /* in Authentication-Results; the hostname unless set */
    const char *user;           /* to become when started as root; NULL: stay who we are */
    enum mode mode;
    enum sandbox sandbox;
    uint64_t workers;           /* 0 in the file means one for each core, resolved by the daemon */
    const char *spool_folder;
    uint64_t max_spool_memory_bytes; /* per worker */
    uint64_t max_spool_disk_bytes;   /* per worker */
    uint64_t max_sessions;      /* per worker */
    uint64_t spool_timeout_ms;  /* for the disk to store a part of a message */
    uint64_t drain_timeout_ms;  /* how long sessions may go on after SIGTERM or reload */
    struct config_log log;
    struct config_quarantine quarantine;
    struct config_resolver resolver;
    struct config_checks checks;
    struct config_listener *listeners;
    size_t listener_count;
    struct config_relay *relays;
    size_t relay_count;
    struct config_certificate *certificates;
    size_t certificate_count;
    struct config_backend *backends;
    size_t backend_count;
    struct config_list *lists;
    size_t list_count;
};

/*
 * Parses and checks `path`. NULL when a diagnostic is an error. Takes the
 * sources over (and frees them on failure). Certificates and keys are not
 * read here: only the loader does. Policy and domain blocks are left to
 * policy_book_new, which takes the tree of this config.
 */
struct config *config_new(struct sources *take_sources, const char *path,
                          struct diagnostics *diagnostics);
void config_free(struct config **config);

/* By name; NULL when there is none. */
struct config_backend *config_find_backend(const struct config *config, struct slice name);
/* Likewise. */
struct config_list *config_find_list(const struct config *config, struct slice name);
/* The relay block with the longest matching network, or NULL. */
const struct config_relay *config_find_relay(const struct config *config,
                                             const struct ip_address *client);
/*
 * With RECIPIENTS_FILE: is "local@domain", or "@domain", in the file? It takes as long for known
 * addresses as for unknown ones. "postmaster" alone always is (RFC 5321 4.5.1).
 */
bool config_backend_has_recipient(const struct config_backend *backend, struct slice address);
/* Is the address or domain, an address's domain, or a parent as ".parent", in the list? */
bool config_list_has_name(const struct config_list *list, struct slice name);
bool config_list_has_ip(const struct config_list *list, const struct ip_address *address);

/* Where the block that begins at `at` sets `key`, or `at` itself when it does not. */
struct position config_find_place(const struct config *config, struct position at,
                                  const char *key);

/*
 * The second look: warnings, and as errors the backends and lists that nobody
 * names. Run it after the policy's own checks, which mark the lists they use.
 */
void config_lint(const struct config *config, struct diagnostics *diagnostics);
/*
 * Marks the warnings that a `waive` line is for, and warns of lines that are
 * for none. Run it last of all, when every warning is there.
 */
void config_apply_waivers(const struct config *config, struct diagnostics *diagnostics);

/* One line of the settings tables, for `postern check --list-settings` and the manual's check. */
struct setting_info {
    const char *block;        /* "listener"; "" outside of all blocks */
    const char *key;
    const char *form;         /* how the value is written, in words */
    const char *default_text; /* as in a file; NULL for none */
    bool is_required;
    const char *doc;          /* one sentence */
};
typedef void (*setting_info_fn)(void *owner, const struct setting_info *info);
/* All settings of all blocks but policy and domain, in the manual's order. */
void config_each_setting(setting_info_fn each, void *owner);

#endif
