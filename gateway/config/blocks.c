/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tables of all settings; see blocks.h. A setting is one entry here and one
 * paragraph in postern.conf(5); a test holds the two together.
 *
 * RFC 5321 4.5.3.2 asks a server to wait 5 minutes for a command and 3 between
 * blocks of content, and a client 10 minutes for the answer to its dot. Half a
 * minute less than that is what budget and backend may take together.
 */
#include "config/blocks.h"

#include "config/block_settings.h"
#include "config/config.h"
#include "smtp/server_dialogue.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define KIB 1024ull
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define MINUTE 60000ull
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
/* Tests need short times, and no one a shorter one. */
#define SHORTEST 10

#define NOT_YET "config.not-yet"

/* ---- Outside of all blocks ---- */

static const struct setting_word mode_words[] = { { .name = "enforce", .value = MODE_ENFORCE },
                                                  { .name = "shadow", .value = MODE_SHADOW },
                                                  { .name = NULL } };
static const struct setting_word sandbox_words[] = { { .name = "on", .value = SANDBOX_ON },
                                                     { .name = "off", .value = SANDBOX_OFF },
                                                     { .name = NULL } };

#define TO(field) .offset = offsetof(struct config, field)
static const struct setting outermost_settings[] = {
    { .key = "hostname", .type = SETTING_HOST, TO(hostname), .is_required = true,
      .doc = "The name of this host, in greetings, Received header fields and loop checks." },
    { .key = "authserv-id", .type = SETTING_HOST, TO(authserv_id),
      .doc = "The name in Authentication-Results header fields, where it is not the hostname." },
    { .key = "user", .type = SETTING_TEXT, TO(user),
      .doc = "The system user that all processes but the first become when started as root." },
    { .key = "mode", .type = SETTING_WORD, TO(mode), .words = mode_words,
      .default_text = "enforce",
      .doc = "With shadow, rules decide and are logged but refuse nothing; relaying stays "
             "closed." },
    { .key = "sandbox", .type = SETTING_WORD, TO(sandbox), .words = sandbox_words,
      .default_text = "on",
      .doc = "Whether each process gives up what it does not need; off is for finding mistakes." },
    { .key = "workers", .type = SETTING_NUMBER, TO(workers), .max = 256, .default_text = "0",
      .doc = "How many worker processes serve clients; 0 means one for each processor." },
    { .key = "max-sessions", .type = SETTING_NUMBER, TO(max_sessions), .min = 1, .max = 1000000,
      .default_text = "5000",
      .doc = "Sessions that one worker has at a time; a client past it is told to come back." },
    { .key = "drain-timeout", .type = SETTING_DURATION, TO(drain_timeout_ms), .min = SHORTEST,
      .max = DAY, .default_text = "60s",
      .doc = "How long sessions may go on after a reload or a stop before they are cut off." },
    { .key = "spool-folder", .type = SETTING_PATH, TO(spool_folder),
      .default_text = "/var/spool/postern",
      .doc = "The folder for messages that are too large for memory; its files have no names." },
    { .key = "max-spool-memory", .type = SETTING_SIZE, TO(max_spool_memory_bytes), .min = MIB,
      .max = 64 * GIB, .default_text = "32M",
      .doc = "Memory that the messages of one worker may take together." },
    { .key = "max-spool-disk", .type = SETTING_SIZE, TO(max_spool_disk_bytes), .min = MIB,
      .max = 16384 * GIB, .default_text = "1G",
      .doc = "Disk space that the messages of one worker may take together." },
    { .key = "spool-timeout", .type = SETTING_DURATION, TO(spool_timeout_ms), .min = SHORTEST,
      .max = HOUR, .default_text = "30s",
      .doc = "How long the disk may take to store a part of a message before it is put off." },
    { .key = "waive", .type = SETTING_OTHER, .read = block_read_waiver, .may_repeat = true,
      .form = "a lint id, perhaps the name of one block, and a reason in quotes",
      .doc = "Silences a warning, in one block or in all, and says why." },
};
#undef TO

static const struct setting_later outermost_later[] = {
    { "state", NOT_YET,
      "a state block needs rate limits and greylisting, which this version does not have" },
};

const struct settings_block block_outermost = {
    .kind = "",
    .settings = outermost_settings,
    .count = COUNT(outermost_settings),
    .later = outermost_later,
    .later_count = COUNT(outermost_later),
};

/* ---- log ---- */

static const struct setting_word format_words[] = {
    { .name = "logfmt", .value = LOG_FORMAT_LOGFMT },
    { .name = "json", .value = LOG_FORMAT_JSON },
    { .name = NULL },
};
static const struct setting_word log_address_words[] = {
    { .name = "full", .value = LOG_ADDRESSES_FULL },
    { .name = "domain", .value = LOG_ADDRESSES_DOMAIN },
    { .name = "hash", .value = LOG_ADDRESSES_HASH },
    { .name = NULL },
};

#define TO(field) .offset = offsetof(struct config_log, field)
static const struct setting log_settings[] = {
    { .key = "to", .type = SETTING_OTHER, .read = block_read_log_target, .default_text = "stderr",
      .form = "stderr, file PATH or syslog [FACILITY]",
      .doc = "Where the log goes; the facility is mail unless another is given." },
    { .key = "format", .type = SETTING_WORD, TO(format), .words = format_words,
      .default_text = "logfmt", .doc = "How a line is written." },
    { .key = "addresses", .type = SETTING_WORD, TO(addresses), .words = log_address_words,
      .default_text = "full",
      .doc = "How much of mail addresses is logged: all, the domain, or a keyed hash." },
    { .key = "ring", .type = SETTING_SIZE, TO(ring_bytes), .min = 64 * KIB, .max = GIB,
      .default_text = "4M",
      .doc = "Memory of each worker for lines the logger has not yet written; full, mail is "
             "deferred." },
};
#undef TO

const struct settings_block block_log = {
    .kind = "log",
    .settings = log_settings,
    .count = COUNT(log_settings),
};

/* ---- quarantine ---- */

static const struct setting_word held_reply_words[] = {
    { .name = "hide", .value = HELD_REPLY_HIDE },
    { .name = "tell", .value = HELD_REPLY_TELL },
    { .name = NULL },
};

#define TO(field) .offset = offsetof(struct config_quarantine, field)
static const struct setting quarantine_settings[] = {
    { .key = "folder", .type = SETTING_PATH, TO(folder), .is_required = true,
      .doc = "The folder for held mail; it holds nothing else, and nobody else reads it." },
    { .key = "max-age", .type = SETTING_DURATION, TO(max_age_ms), .min = SHORTEST,
      .max = 3650 * DAY, .default_text = "30d",
      .doc = "How long mail is held before it is deleted." },
    { .key = "max-size", .type = SETTING_SIZE, TO(max_bytes), .min = MIB, .max = 16384 * GIB,
      .default_text = "10G",
      .doc = "Disk space that held mail may take; more of it is put off until there is room." },
    { .key = "max-waiting", .type = SETTING_NUMBER, TO(max_waiting), .min = 1, .max = 100000,
      .default_text = "100",
      .doc = "Mails of one worker that may wait for the disk at a time; more are put off." },
    { .key = "reply", .type = SETTING_WORD, TO(reply), .words = held_reply_words,
      .default_text = "hide",
      .doc = "Whether the client is told that its mail is held." },
};
#undef TO

const struct settings_block block_quarantine = {
    .kind = "quarantine",
    .settings = quarantine_settings,
    .count = COUNT(quarantine_settings),
};

/* ---- resolver ---- */

#define TO(field) .offset = offsetof(struct config_resolver, field)
static const struct setting resolver_settings[] = {
    { .key = "address", .type = SETTING_ADDRESSES, TO(addresses),
      .count_offset = offsetof(struct config_resolver, address_count), .min = 1,
      .doc = "The DNS servers to ask, instead of those in /etc/resolv.conf." },
    { .key = "validate", .type = SETTING_SWITCH, TO(is_validating), .default_text = "off",
      .doc = "Whether answers are checked by DNSSEC here; the servers must pass signatures on." },
    { .key = "trust-anchor", .type = SETTING_PATH, TO(trust_anchor_path),
      .default_text = "/usr/share/dns/root.key",
      .doc = "A file of DS or DNSKEY records, one on a line, from which DNSSEC begins." },
    { .key = "local-data", .type = SETTING_PATH, TO(local_data_path),
      .doc = "A zone file; names in it are answered from it alone." },
    { .key = "timeout", .type = SETTING_DURATION, TO(timeout_ms), .min = SHORTEST, .max = MINUTE,
      .default_text = "5s", .doc = "How long an answer is waited for." },
    { .key = "cache-size", .type = SETTING_SIZE, TO(cache_bytes), .min = MIB / 4, .max = GIB,
      .default_text = "8M", .doc = "Memory of each worker for answers that are still good." },
    { .key = "max-questions", .type = SETTING_NUMBER, TO(max_questions), .min = 1, .max = 1000,
      .default_text = "200",
      .doc = "Questions of one worker that are asked at a time; five times as many may wait." },
};
#undef TO

const struct settings_block block_resolver = {
    .kind = "resolver",
    .settings = resolver_settings,
    .count = COUNT(resolver_settings),
};

/* ---- checks ---- */

static const struct setting_word length_words[] = {
    { .name = "whole", .value = DKIM_LENGTH_WHOLE },
    { .name = "part", .value = DKIM_LENGTH_PART },
    { .name = "none", .value = DKIM_LENGTH_NONE },
    { .name = NULL },
};

static const struct setting_word spf_engine_words[] = {
    { .name = "native", .value = SPF_ENGINE_NATIVE },
    { .name = "libspf2", .value = SPF_ENGINE_LIBSPF2 },
    { .name = "both", .value = SPF_ENGINE_BOTH },
    { .name = NULL },
};

static const struct setting_word discovery_words[] = {
    { .name = "tree", .value = DMARC_BY_TREE },
    { .name = "suffix", .value = DMARC_BY_SUFFIX },
    { .name = NULL },
};

static const struct setting_word results_words[] = {
    { .name = "run", .value = SHOWN_RUN },
    { .name = "all", .value = SHOWN_ALL },
    { .name = "none", .value = SHOWN_NONE },
    { .name = NULL },
};

#define TO(field) .offset = offsetof(struct config_checks, field)
static const struct setting checks_settings[] = {
    { .key = "timeout", .type = SETTING_DURATION, TO(timeout_ms), .min = SHORTEST, .max = MINUTE,
      .default_text = "10s",
      .doc = "How long checks may take; those that have not ended then are temperror." },
    { .key = "max-questions", .type = SETTING_NUMBER, TO(max_questions), .min = 1, .max = 1000,
      .default_text = "150", .doc = "Questions that the checks of one mail ask the DNS." },
    { .key = "spf-void-lookups", .type = SETTING_NUMBER, TO(max_void_lookups), .min = 0,
      .max = 10, .default_text = "2",
      .doc = "Names without an answer that an SPF record may lead to." },
    { .key = "spf-engine", .type = SETTING_WORD, TO(spf_engine), .words = spf_engine_words,
      .default_text = "native",
      .doc = "Who evaluates SPF records: postern itself, the library libspf2, or both to "
             "compare them." },
    { .key = "dkim-signatures", .type = SETTING_NUMBER, TO(max_signatures), .min = 1, .max = 8,
      .default_text = "8", .doc = "Signatures of a mail that are looked at, from the top." },
    { .key = "dkim-min-key", .type = SETTING_NUMBER, TO(min_key_bits), .min = 512, .max = 4096,
      .default_text = "1024", .doc = "Bits of the smallest RSA key that counts." },
    { .key = "dkim-length", .type = SETTING_WORD, TO(dkim_length), .words = length_words,
      .default_text = "whole",
      .doc = "What a signature that names a length of the body must cover to count." },
    { .key = "arc-sets", .type = SETTING_NUMBER, TO(max_arc_sets), .min = 1, .max = 50,
      .default_text = "10", .doc = "Sets that an ARC chain may have; a longer one fails." },
    { .key = "dmarc-discovery", .type = SETTING_WORD, TO(dmarc_discovery),
      .words = discovery_words, .default_text = "tree",
      .doc = "How DMARC learns to which organization a domain belongs: from the DNS, or from a "
             "list of public suffixes." },
    { .key = "suffix-list", .type = SETTING_PATH, TO(suffix_list_path),
      .default_text = "/usr/share/publicsuffix/public_suffix_list.dafsa",
      .doc = "That list, as publicsuffix.org publishes it or made into a .dafsa file." },
    { .key = "clock-drift", .type = SETTING_DURATION, TO(clock_drift_ms), .min = 0,
      .max = 60 * MINUTE, .default_text = "5m",
      .doc = "How far the clocks of signers may differ from ours." },
    { .key = "authentication-results", .type = SETTING_WORD, TO(results),
      .words = results_words, .default_text = "run",
      .doc = "Which results stand in the field of that name: of the checks that rules need, of "
             "all, or none." },
    { .key = "received-spf", .type = SETTING_SWITCH, TO(has_received_spf), .default_text = "off",
      .doc = "Whether a Received-SPF field is added as well." },
};
#undef TO

const struct settings_block block_checks = {
    .kind = "checks",
    .settings = checks_settings,
    .count = COUNT(checks_settings),
};

/* ---- listener ---- */

static const struct setting_word role_words[] = {
    { .name = "inbound", .value = ROLE_INBOUND },
    { .name = "submission", .value = ROLE_SUBMISSION, .later_id = "listener.no-login",
      .later_sentence = "a submission listener needs a way to log in, which this version does not "
                        "have yet; use a relay block for known networks" },
    { .name = NULL },
};
static const struct setting_word listener_tls_words[] = {
    { .name = "off", .value = LISTENER_TLS_OFF },
    { .name = "optional", .value = LISTENER_TLS_OPTIONAL },
    { .name = "required", .value = LISTENER_TLS_REQUIRED },
    { .name = "implicit", .value = LISTENER_TLS_IMPLICIT },
    { .name = NULL },
};
static const struct setting_word tls_lowest_words[] = {
    { .name = "1.0", .value = TLS_LOWEST_1_0 }, { .name = "1.1", .value = TLS_LOWEST_1_1 },
    { .name = "1.2", .value = TLS_LOWEST_1_2 }, { .name = "1.3", .value = TLS_LOWEST_1_3 },
    { .name = NULL },
};
static const struct setting_word probe_words[] = { { .name = "hide", .value = PROBE_HIDE },
                                                   { .name = "refuse", .value = PROBE_REFUSE },
                                                   { .name = NULL } };
static const struct setting_word bare_lf_words[] = {
    { .name = "refuse", .value = BARE_LF_REFUSE },
    { .name = "rewrite", .value = BARE_LF_REWRITE },
    { .name = NULL },
};
static const struct setting_word mixed_words[] = {
    { .name = "split", .value = MIXED_SPLIT },
    { .name = "hold", .value = MIXED_HOLD },
    { .name = NULL },
};
static const struct setting_word extension_words[] = {
    { .name = "pipelining", .value = SERVER_PIPELINING },
    { .name = "size", .value = SERVER_SIZE },
    { .name = "8bitmime", .value = SERVER_8BITMIME },
    { .name = "smtputf8", .value = SERVER_SMTPUTF8 },
    { .name = "dsn", .value = SERVER_DSN },
    { .name = "enhancedstatuscodes", .value = SERVER_ENHANCEDSTATUSCODES },
    { .name = "chunking", .value = SERVER_CHUNKING },
    { .name = "prdr", .value = SERVER_PRDR },
    { .name = NULL },
};

#define TO(field) .offset = offsetof(struct config_listener, field)
static const struct setting listener_settings[] = {
    { .key = "listen", .type = SETTING_OTHER, .read = block_read_listen, .is_required = true,
      .may_repeat = true,
      .form = "IP addresses with ports, such as 0.0.0.0:25 [::]:25, or socket NAME",
      .doc = "Where clients connect: addresses, or a socket that systemd hands over by name." },
    { .key = "role", .type = SETTING_WORD, TO(role), .words = role_words,
      .default_text = "inbound",
      .doc = "What the listener is for: mail for the domains behind us." },
    { .key = "tls", .type = SETTING_WORD, TO(tls), .words = listener_tls_words,
      .default_text = "optional",
      .doc = "Whether clients may or must use STARTTLS, or begin with TLS at once (implicit)." },
    { .key = "tls-lowest", .type = SETTING_WORD, TO(tls_lowest), .words = tls_lowest_words,
      .default_text = "1.2", .doc = "The lowest version of TLS that is spoken." },
    { .key = "hostname", .type = SETTING_HOST, TO(hostname),
      .doc = "The name in the greeting, where it is not the gateway's." },
    { .key = "greeting", .type = SETTING_TEXT, TO(greeting), .default_text = "ESMTP",
      .doc = "What stands behind the name in the greeting." },
    { .key = "vrfy", .type = SETTING_WORD, TO(vrfy), .words = probe_words, .default_text = "hide",
      .doc = "Whether VRFY gets the same 252 for every name, or 502." },
    { .key = "expn", .type = SETTING_WORD, TO(expn), .words = probe_words, .default_text = "refuse",
      .doc = "Whether EXPN gets the same 252 for every name, or 502." },
    { .key = "bare-lf", .type = SETTING_WORD, TO(bare_lf), .words = bare_lf_words,
      .default_text = "refuse",
      .doc = "Whether a message with a line feed that no carriage return precedes is refused or "
             "mended." },
    { .key = "mixed", .type = SETTING_WORD, TO(mixed), .words = mixed_words,
      .default_text = "split",
      .doc = "What a recipient with another policy gets: split asks the client to send it "
             "separately, hold takes it, and holds the mail for those who would refuse it." },
    { .key = "extension", .type = SETTING_OTHER, .read = block_read_extension,
      .words = extension_words,
      .may_repeat = true,
      .form = "pipelining, size, 8bitmime, smtputf8, dsn, enhancedstatuscodes, chunking or prdr, "
              "and off",
      .doc = "Withholds an SMTP extension that would be offered." },
    { .key = "max-recipients", .type = SETTING_NUMBER, TO(max_recipients), .min = 1, .max = 100000,
      .default_text = "100", .doc = "Recipients that one transaction may have; more get 452." },
    { .key = "max-errors", .type = SETTING_NUMBER, TO(max_errors), .min = 1, .max = 10000,
      .default_text = "10", .doc = "Mistakes of the client after which the session is ended." },
    { .key = "max-commands-without-mail", .type = SETTING_NUMBER, TO(max_commands_without_mail),
      .min = 1, .max = 100000, .default_text = "100",
      .doc = "Commands that lead to no mail after which the session is ended." },
    { .key = "max-sessions", .type = SETTING_NUMBER, TO(max_sessions), .min = 1, .max = 1000000,
      .default_text = "5000", .doc = "Sessions that one worker has at a time on this listener." },
    { .key = "max-sessions-per-address", .type = SETTING_NUMBER, TO(max_sessions_per_address),
      .min = 1, .max = 1000000, .default_text = "50",
      .doc = "Sessions that one client address has at a time on this listener, in all workers." },
    { .key = "max-sessions-per-network", .type = SETTING_NUMBER, TO(max_sessions_per_network),
      .min = 1, .max = 1000000, .default_text = "200",
      .doc = "Sessions that the network of a client has at a time on this listener, in all "
             "workers." },
    { .key = "max-header-bytes", .type = SETTING_SIZE, TO(max_header_bytes), .min = KIB,
      .max = 16 * MIB, .default_text = "256K", .doc = "Size of a message's header." },
    { .key = "max-header-fields", .type = SETTING_NUMBER, TO(max_header_fields), .min = 10,
      .max = 100000, .default_text = "1000", .doc = "Fields in a message's header." },
    { .key = "max-line-bytes", .type = SETTING_SIZE, TO(max_line_bytes), .min = 1000,
      .max = 16 * MIB, .default_text = "64K", .doc = "Length of a line of a message." },
    { .key = "idle-timeout", .type = SETTING_DURATION, TO(idle_timeout_ms), .min = SHORTEST,
      .max = DAY, .default_text = "5m", .doc = "How long we wait for the next command." },
    { .key = "data-timeout", .type = SETTING_DURATION, TO(data_timeout_ms), .min = SHORTEST,
      .max = DAY, .default_text = "5m",
      .doc = "How long we wait for the next bytes of a message." },
    { .key = "write-timeout", .type = SETTING_DURATION, TO(write_timeout_ms), .min = SHORTEST,
      .max = HOUR, .default_text = "60s",
      .doc = "How long a client may take none of what we say." },
    { .key = "session-timeout", .type = SETTING_DURATION, TO(session_timeout_ms), .min = SHORTEST,
      .max = DAY, .default_text = "1h", .doc = "How long a session may last in all." },
    { .key = "tls-timeout", .type = SETTING_DURATION, TO(tls_timeout_ms), .min = SHORTEST,
      .max = DAY, .default_text = "30s", .doc = "How long a TLS handshake may take." },
    { .key = "post-dot-budget", .type = SETTING_DURATION, TO(post_dot_budget_ms), .min = SHORTEST,
      .max = 9 * MINUTE, .default_text = "60s",
      .doc = "How long our own work may take once the message is here, before the client gets "
             "451." },
};
#undef TO

#define NO_LOGIN "logging in is not available in this version"
#define INBOUND_ONLY                                                                              \
    "policy and backend of a listener belong to role submission, which this version does not "    \
    "have; inbound mail follows the domain block of each recipient"
static const struct setting_later listener_later[] = {
    { "policy", "listener.no-login", INBOUND_ONLY },
    { "backend", "listener.no-login", INBOUND_ONLY },
    { "auth", NOT_YET, NO_LOGIN },
    { "login", NOT_YET, NO_LOGIN },
    { "users", NOT_YET, NO_LOGIN },
};

const struct settings_block block_listener = {
    .kind = "listener",
    .settings = listener_settings,
    .count = COUNT(listener_settings),
    .later = listener_later,
    .later_count = COUNT(listener_later),
};

/* ---- relay ---- */

#define TO(field) .offset = offsetof(struct config_relay, field)
static const struct setting relay_settings[] = {
    { .key = "from", .type = SETTING_NETWORKS, TO(networks),
      .count_offset = offsetof(struct config_relay, network_count), .is_required = true,
      .may_repeat = true, .doc = "Networks whose clients may send to any domain." },
    { .key = "policy", .type = SETTING_TEXT, TO(policy), .is_required = true,
      .form = "the name of a policy block",
      .doc = "The policy for their mail." },
    { .key = "backend", .type = SETTING_OTHER, .read = block_read_backend_name, TO(backend),
      .is_required = true, .form = "the name of a backend block",
      .doc = "The backend that their mail goes to, whoever the recipients are." },
};
#undef TO

const struct settings_block block_relay = {
    .kind = "relay",
    .settings = relay_settings,
    .count = COUNT(relay_settings),
};

/* ---- certificate ---- */

#define TO(field) .offset = offsetof(struct config_certificate, field)
static const struct setting certificate_settings[] = {
    { .key = "names", .type = SETTING_HOSTS, TO(names),
      .count_offset = offsetof(struct config_certificate, name_count), .is_required = true,
      .may_repeat = true,
      .doc = "Names that clients ask for; the first certificate is for all other names too." },
    { .key = "chain", .type = SETTING_PATH, TO(chain_path), .is_required = true,
      .doc = "A PEM file with the certificate and behind it those that lead to its root." },
    { .key = "key", .type = SETTING_PATH, TO(key_path), .is_required = true,
      .doc = "A PEM file with its private key, without a passphrase." },
};
#undef TO

const struct settings_block block_certificate = {
    .kind = "certificate",
    .settings = certificate_settings,
    .count = COUNT(certificate_settings),
};

/* ---- backend ---- */

static const struct setting_word backend_tls_words[] = {
    { .name = "off", .value = BACKEND_TLS_OFF },
    { .name = "optional", .value = BACKEND_TLS_OPTIONAL },
    { .name = "required", .value = BACKEND_TLS_REQUIRED },
    { .name = "verified", .value = BACKEND_TLS_VERIFIED },
    { .name = NULL },
};
static const struct setting_word backend_tls_lowest_words[] = {
    { .name = "auto", .value = TLS_LOWEST_AUTO },
    { .name = "1.0", .value = TLS_LOWEST_1_0 }, { .name = "1.1", .value = TLS_LOWEST_1_1 },
    { .name = "1.2", .value = TLS_LOWEST_1_2 }, { .name = "1.3", .value = TLS_LOWEST_1_3 },
    { .name = NULL },
};
static const struct setting_word identity_words[] = {
    { .name = "none", .value = IDENTITY_NONE },
    { .name = "xclient", .value = IDENTITY_XCLIENT },
    { .name = "xforward", .later_id = NOT_YET,
      .later_sentence = "identity xforward is not available in this version; use xclient or none" },
    { .name = "proxy", .later_id = NOT_YET,
      .later_sentence = "identity proxy is not available in this version; use xclient or none" },
    { .name = NULL },
};
static const struct setting_word assume_words[] = {
    { .name = "8bitmime", .value = SERVER_8BITMIME },
    { .name = "smtputf8", .value = SERVER_SMTPUTF8 },
    { .name = "dsn", .value = SERVER_DSN },
    { .name = NULL },
};

#define TO(field) .offset = offsetof(struct config_backend, field)
static const struct setting backend_settings[] = {
    { .key = "address", .type = SETTING_ADDRESSES, TO(addresses),
      .count_offset = offsetof(struct config_backend, address_count), .min = 1,
      .is_required = true,
      .doc = "Where the mail server is; several addresses are tried in this order." },
    { .key = "tls", .type = SETTING_WORD, TO(tls), .words = backend_tls_words,
      .default_text = "optional",
      .doc = "Whether STARTTLS is used never, when offered, always, or with a checked "
             "certificate." },
    { .key = "tls-lowest", .type = SETTING_WORD, TO(tls_lowest), .words = backend_tls_lowest_words,
      .default_text = "auto",
      .doc = "The lowest version of TLS that is spoken; auto is 1.0 with tls optional, else 1.2." },
    { .key = "tls-implicit", .type = SETTING_SWITCH, TO(is_tls_implicit), .default_text = "off",
      .doc = "Whether TLS begins with the connection instead of STARTTLS." },
    { .key = "tls-name", .type = SETTING_HOST, TO(tls_name),
      .doc = "The name that is asked for and must be in its certificate; without it, the "
             "address." },
    { .key = "tls-ca", .type = SETTING_PATH, TO(tls_ca_path),
      .doc = "A PEM file of certificate authorities to trust instead of the system's." },
    { .key = "identity", .type = SETTING_WORD, TO(identity), .words = identity_words,
      .default_text = "none",
      .doc = "How the backend learns who the client is: not at all, or by XCLIENT." },
    { .key = "recipients", .type = SETTING_OTHER, .read = block_read_recipients,
      .default_text = "ask",
      .form = "ask, any or file PATH",
      .doc = "Who knows the recipients: the backend, nobody (all are taken), or a file." },
    { .key = "assume", .type = SETTING_FLAGS, TO(assumed), .words = assume_words,
      .doc = "Extensions that are offered to clients even if the backend does not offer them." },
    { .key = "chunking", .type = SETTING_SWITCH, TO(is_chunking_wanted), .default_text = "on",
      .doc = "Whether content goes by BDAT where the backend offers CHUNKING." },
    { .key = "max-connections", .type = SETTING_NUMBER, TO(max_connections), .min = 1, .max = 10000,
      .default_text = "50", .doc = "Connections that one worker has at a time." },
    { .key = "max-idle", .type = SETTING_NUMBER, TO(max_idle), .max = 10000, .default_text = "10",
      .doc = "Connections that one worker keeps open for the next mail." },
    { .key = "max-transactions", .type = SETTING_NUMBER, TO(max_transactions), .min = 1,
      .max = 1000000, .default_text = "100",
      .doc = "Mails after which a connection is closed." },
    { .key = "idle-timeout", .type = SETTING_DURATION, TO(idle_timeout_ms), .min = SHORTEST,
      .max = DAY, .default_text = "60s",
      .doc = "How long an open connection waits for the next mail; stay below the backend's own." },
    { .key = "connect-timeout", .type = SETTING_DURATION, TO(connect_timeout_ms), .min = SHORTEST,
      .max = HOUR, .default_text = "10s", .doc = "How long a connection may take to come about." },
    { .key = "command-timeout", .type = SETTING_DURATION, TO(command_timeout_ms), .min = SHORTEST,
      .max = HOUR, .default_text = "60s",
      .doc = "How long the greeting, or the answer to a command, may take." },
    { .key = "data-timeout", .type = SETTING_DURATION, TO(data_timeout_ms), .min = SHORTEST,
      .max = HOUR, .default_text = "60s",
      .doc = "How long the backend may take no bytes of a message." },
    { .key = "dot-timeout", .type = SETTING_DURATION, TO(dot_timeout_ms), .min = SHORTEST,
      .max = 570000, .default_text = "510s",
      .doc = "How long the answer to a whole message may take." },
    { .key = "hold", .type = SETTING_DURATION, TO(hold_ms), .min = SHORTEST, .max = HOUR,
      .default_text = "30s",
      .doc = "How long a slow client keeps its envelope open at the backend before it is given "
             "back." },
    { .key = "wait", .type = SETTING_DURATION, TO(wait_ms), .min = SHORTEST, .max = HOUR,
      .default_text = "10s", .doc = "How long a mail waits for a free connection." },
    { .key = "retry", .type = SETTING_DURATION, TO(retry_ms), .min = SHORTEST, .max = DAY,
      .default_text = "30s",
      .doc = "How long at most an address that failed is left alone: first 1s, then twice as long "
             "each time." },
};
#undef TO

const struct settings_block block_backend = {
    .kind = "backend",
    .settings = backend_settings,
    .count = COUNT(backend_settings),
};

/* ---- list, and the kinds that policy/ reads ---- */

static const struct setting list_settings[] = {
    { .key = "file", .type = SETTING_OTHER, .may_repeat = true, .form = "a path",
      .doc = "A file with more entries, one on a line." },
};

const struct settings_block block_list = {
    .kind = "list",
    .settings = list_settings,
    .count = COUNT(list_settings),
};

static const struct settings_block block_policy = { .kind = "policy" };
static const struct settings_block block_domain = { .kind = "domain" };

const struct settings_block *const blocks_all[] = {
    &block_outermost, &block_log,         &block_quarantine, &block_resolver,
    &block_checks,    &block_listener,  &block_relay,       &block_certificate, &block_backend,
    &block_list,      &block_policy,      &block_domain,
};
const size_t blocks_count = COUNT(blocks_all);
