/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one line about a transaction or session; see record.h and postern-log(7).
 *
 * One table names every key in its order, with its group, its kind, its place in
 * the struct and its meaning. Logfmt, JSON and the manual's check all walk it.
 */
#include "record/record.h"

#include <string.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/escape.h"
#include "base/log.h"

/* record_growth_bytes: all values are cut, the backend's reply and detail among them. */
#define GROWTH_BYTES 1250
#define GROWTH_BYTES_PER_RECIPIENT 48

/*
 * Longest value of one key as it is written, escapes included; longer ones are cut, so that all
 * keys together and one recipient stay below RECORD_MAX_BYTES, whatever clients and backends say.
 */
#define MAX_VALUE_BYTES 160
#define MAX_ADDRESS_BYTES 256
/* What ends a line behind the recipients: their bracket, the object's, and the newline. */
#define MAX_CLOSING_BYTES 3
/* What a line of further recipients has in front of them: two ids of any length, and the rest. */
#define MAX_OPENING_BYTES (2 * MAX_VALUE_BYTES + 120)
/* So many find room in such a line, however long they are, each with a comma. */
#define LEAST_RECIPIENTS_IN_LINE \
    ((RECORD_MAX_BYTES - MAX_OPENING_BYTES - MAX_CLOSING_BYTES) / (MAX_ADDRESS_BYTES + 1))

struct printer {
    struct text *out;
    const struct record_style *style;
    size_t line_start;      /* where the present line begins in `out` */
    bool has_key;           /* a key was written in this line already */
};

/* ---- Values. */

static void begin_key(struct printer *printer, const char *key)
{
    bool is_json = printer->style->format == RECORD_JSON;

    if (printer->has_key)
        text_add_byte(printer->out, is_json ? ',' : ' ');
    if (is_json)
        text_add_byte(printer->out, '"');
    text_add_string(printer->out, key);
    text_add_string(printer->out, is_json ? "\":" : "=");
    printer->has_key = true;
}

/* Escapes as much of `value` as `max_bytes` hold, never half an escape. */
static void add_escaped(struct text *out, struct slice value, size_t max_bytes,
                        void (*escape)(struct text *out, struct slice bytes))
{
    size_t ceiling = out->max_length;
    bool was_cut = out->is_cut;

    if (max_bytes < ceiling - out->length)
        out->max_length = out->length + max_bytes;
    escape(out, value);
    if (out->max_length < ceiling)
        out->is_cut = was_cut;
    out->max_length = ceiling;
}

static void print_value(struct printer *printer, struct slice value, size_t max_bytes)
{
    add_escaped(printer->out, value, max_bytes,
                printer->style->format == RECORD_JSON ? escape_add_json : escape_add_logfmt);
}

static void put_text(struct printer *printer, const char *key, const char *value)
{
    if (value == NULL || value[0] == '\0')
        return;
    begin_key(printer, key);
    print_value(printer, slice_from(value), MAX_VALUE_BYTES);
}

static void put_number(struct printer *printer, const char *key, uint64_t value)
{
    begin_key(printer, key);
    text_add_number(printer->out, value);
}

static void put_count(struct printer *printer, const char *key, uint64_t value)
{
    if (value > 0)
        put_number(printer, key, value);
}

static void put_time(struct printer *printer, const char *key, int64_t milliseconds)
{
    if (milliseconds >= 0)
        put_number(printer, key, (uint64_t)milliseconds);
}

static void put_flag(struct printer *printer, const char *key, bool value)
{
    if (!value)
        return;
    begin_key(printer, key);
    text_add_string(printer->out, printer->style->format == RECORD_JSON ? "true" : "yes");
}

/* Appends an address as the owner wants addresses to be shown; "<>" for the null sender. */
static void add_address(struct text *out, const struct record_style *style,
                        const struct address *address)
{
    struct slice text = address_text(address);
    uint8_t digest[CRYPTO_SHA256_BYTES];

    if (text.length == 0) {
        text_add_string(out, "<>");
        return;
    }
    switch (style->addresses) {
    case RECORD_ADDRESSES_FULL:
        text_add(out, text);
        return;
    case RECORD_ADDRESSES_DOMAIN:
        text_add_byte(out, '@');
        text_add(out, address_domain(address));
        return;
    case RECORD_ADDRESSES_HASH:
        crypto_hmac_sha256(style->hash_key, text, digest);
        for (int i = 0; i < 8; i++)
            text_add_format(out, "%02x", digest[i]);
        if (address->domain_length > 0) {
            text_add_byte(out, '@');
            text_add(out, address_domain(address));
        }
        return;
    }
}

static void put_address(struct printer *printer, const char *key, const struct address *address)
{
    struct text value;

    if (address == NULL)
        return;
    text_init(&value, 2 * MAX_ADDRESS_BYTES);
    add_address(&value, printer->style, address);
    begin_key(printer, key);
    print_value(printer, text_slice(&value), MAX_ADDRESS_BYTES);
    text_clear(&value);
}

/* Around a value of our own making that needs no escapes: quotes in JSON, nothing in logfmt. */
static void put_quote(struct printer *printer)
{
    if (printer->style->format == RECORD_JSON)
        text_add_byte(printer->out, '"');
}

static void put_endpoint(struct printer *printer, const char *key,
                         const struct ip_endpoint *endpoint)
{
    begin_key(printer, key);
    put_quote(printer);
    ip_endpoint_print(printer->out, endpoint);
    put_quote(printer);
}

/* header_from follows log-addresses too: it is an address like those of the envelope. */
static void put_header_from(struct printer *printer, const char *key, const char *value)
{
    struct slice text = slice_from(value);
    size_t at = 0;
    struct address address = { .is_literal = false };

    if (text.length == 0)
        return;
    if (printer->style->addresses == RECORD_ADDRESSES_FULL ||
        !slice_find_last_byte(text, '@', &at) || text.length > UINT16_MAX) {
        put_text(printer, key, value);
        return;
    }
    /* Borrowed for the call: address_text and address_domain only read it. */
    address.text = (char *)(uintptr_t)value;
    address.local_length = (uint16_t)at;
    address.domain_length = (uint16_t)(text.length - at - 1);
    put_address(printer, key, &address);
}

/* ---- Recipients: "user@example.org:250" or "user@example.org:550:recipient.unknown". */

static void add_recipient(struct text *out, const struct record_style *style,
                          const struct record_recipient *recipient)
{
    add_address(out, style, recipient->address);
    if (recipient->code != 0)
        text_add_format(out, ":%d", recipient->code);
    if (recipient->reason != NULL && recipient->reason[0] != '\0')
        text_add_format(out, ":%s", recipient->reason);
}

static void print_recipient(struct text *out, const struct record_style *style,
                            const struct record_recipient *recipient)
{
    struct text plain;

    text_init(&plain, 2 * MAX_ADDRESS_BYTES);
    add_recipient(&plain, style, recipient);
    add_escaped(out, text_slice(&plain), MAX_ADDRESS_BYTES,
                style->format == RECORD_JSON ? escape_add_json : escape_add_ascii);
    text_clear(&plain);
}

/* Writes recipients from `first` on while `room_after` is left, at least one; gives the next. */
static size_t put_recipients(struct printer *printer, const struct record *record, size_t first,
                             size_t room_after)
{
    bool is_json = printer->style->format == RECORD_JSON;
    struct text *out = printer->out;
    size_t max_length = printer->line_start + RECORD_MAX_BYTES - room_after - MAX_CLOSING_BYTES;
    struct text one;
    size_t index;

    text_init(&one, MAX_ADDRESS_BYTES + 1);
    begin_key(printer, "rcpts");
    text_add_byte(out, is_json ? '[' : '"');
    for (index = first; index < record->recipient_count; index++) {
        text_reset(&one);
        if (index > first)
            text_add_byte(&one, ',');
        print_recipient(&one, printer->style, &record->recipients[index]);
        if (index > first && out->length + one.length > max_length)
            break;
        text_add(out, text_slice(&one));
    }
    text_add_byte(out, is_json ? ']' : '"');
    text_clear(&one);
    return index;
}

static void put_tags(struct printer *printer, const struct record *record)
{
    bool is_json = printer->style->format == RECORD_JSON;

    if (record->tag_count == 0)
        return;
    begin_key(printer, "tags");
    text_add_byte(printer->out, is_json ? '[' : '"');
    for (size_t i = 0; i < record->tag_count; i++) {
        if (i > 0)
            text_add_byte(printer->out, ',');
        if (is_json)
            escape_add_json(printer->out, slice_from(record->tags[i]));
        else
            escape_add_ascii(printer->out, slice_from(record->tags[i]));
    }
    text_add_byte(printer->out, is_json ? ']' : '"');
}

/* ---- The table. */

enum field_kind {
    FIELD_TIMESTAMP,
    FIELD_VERSION,
    FIELD_EVENT,
    FIELD_VERDICT,
    FIELD_CLIENT,      /* struct ip_endpoint, always written */
    FIELD_ENDPOINT,    /* struct ip_endpoint, left out without a port */
    FIELD_TEXT,        /* const char * */
    FIELD_COUNT,       /* uint64_t, left out when 0 */
    FIELD_CODE,        /* int, left out when 0 */
    FIELD_TIME,        /* int64_t milliseconds, left out when below 0 */
    FIELD_FLAG,        /* bool, left out when false */
    FIELD_ADDRESS,     /* const struct address * */
    FIELD_HEADER_FROM, /* const char *, shown as addresses are */
    FIELD_RECIPIENTS,
    FIELD_TAGS,
};

struct field {
    struct record_field_info info;
    enum field_kind kind;
    size_t offset;
};

#define AT(member) offsetof(struct record, member)

static const struct field fields[] = {
    { { "ts", "base", "when the line was written: RFC 3339, UTC" }, FIELD_TIMESTAMP, AT(wall_us) },
    { { "v", "base", "version of this contract" }, FIELD_VERSION, 0 },
    { { "event", "base", "transaction, session, rcpt, reply-lost or release" }, FIELD_EVENT,
      AT(event) },
    { { "verdict", "base",
        "accept, quarantine, reject, tempfail, discard, abort or unknown" }, FIELD_VERDICT,
      AT(verdict) },
    { { "client", "base", "address and port of the client" }, FIELD_CLIENT, AT(client) },
    { { "sid", "base", "id of the session" }, FIELD_TEXT, AT(session_id) },
    { { "txn", "base",
        "id of the transaction, as in the reply and the Received field" }, FIELD_TEXT,
      AT(transaction_id) },
    { { "listener", "where", "name of the listener block" }, FIELD_TEXT, AT(listener) },
    { { "helo", "where", "what the client called itself" }, FIELD_TEXT, AT(helo) },
    { { "relay", "where", "name of the relay block that the client's address is in" }, FIELD_TEXT,
      AT(relay) },
    { { "tls", "tls", "version of the client's TLS" }, FIELD_TEXT, AT(tls_version) },
    { { "cipher", "tls", "its cipher" }, FIELD_TEXT, AT(tls_cipher) },
    { { "sni", "tls", "the server name that the client asked for" }, FIELD_TEXT,
      AT(tls_server_name) },
    { { "tls_resumed", "tls", "the TLS session was resumed" }, FIELD_FLAG, AT(tls_is_resumed) },
    { { "from", "envelope", "the envelope sender; <> for the null sender" }, FIELD_ADDRESS,
      AT(sender) },
    { { "rcpts", "envelope",
        "each recipient with the code it got, and the reason id of a refusal" },
      FIELD_RECIPIENTS, 0 },
    { { "rcpt_count", "envelope", "how many recipients were tried" }, FIELD_COUNT,
      AT(recipient_count) },
    { { "msgid", "message", "the Message-ID field" }, FIELD_TEXT, AT(message_id) },
    { { "header_from", "message", "the first address in the From field" }, FIELD_HEADER_FROM,
      AT(header_from) },
    { { "size", "message", "bytes of the content as received" }, FIELD_COUNT, AT(size_bytes) },
    { { "8bit", "message", "BODY=8BITMIME was given" }, FIELD_FLAG, AT(is_8bit) },
    { { "smtputf8", "message", "SMTPUTF8 was given" }, FIELD_FLAG, AT(is_smtputf8) },
    { { "header_broken", "message", "a line among the header fields was none" }, FIELD_FLAG,
      AT(has_broken_header) },
    { { "spf", "checks", "what SPF says of the sender, or of the HELO name for the null sender" },
      FIELD_TEXT, AT(spf) },
    { { "spf_dom", "checks", "the domain whose SPF record was asked for" }, FIELD_TEXT,
      AT(spf_domain) },
    { { "spf_helo", "checks", "what SPF says of the HELO name" }, FIELD_TEXT, AT(spf_helo) },
    { { "spf_libspf2", "checks", "what libspf2 says in place of spf, where it differs" },
      FIELD_TEXT, AT(spf_libspf2) },
    { { "spf_helo_libspf2", "checks", "what libspf2 says in place of spf_helo, where it differs" },
      FIELD_TEXT, AT(spf_helo_libspf2) },
    { { "dkim", "checks", "what became of the best DKIM signature" }, FIELD_TEXT, AT(dkim) },
    { { "dkim_dom", "checks", "the domains whose signatures pass, with a comma between them" },
      FIELD_TEXT, AT(dkim_domains) },
    { { "dmarc", "checks", "whether the author's domain stands behind the mail" }, FIELD_TEXT,
      AT(dmarc) },
    { { "dmarc_p", "checks", "what that domain wishes for mail that fails" }, FIELD_TEXT,
      AT(dmarc_policy) },
    { { "arc", "checks", "whether the chain of ARC seals holds" }, FIELD_TEXT, AT(arc) },
    { { "arc_sealer", "checks", "the domain of the newest seal of a chain that passes" },
      FIELD_TEXT, AT(arc_sealer) },
    { { "check_text", "checks", "why a check was temperror or permerror" }, FIELD_TEXT,
      AT(check_text) },
    { { "dns_q", "checks", "different questions to the DNS" }, FIELD_COUNT,
      AT(dns_question_count) },
    { { "domain", "decision", "the domain block whose policy was in force" }, FIELD_TEXT,
      AT(domain) },
    { { "policy", "decision", "the policy in force" }, FIELD_TEXT, AT(policy) },
    { { "rule", "decision", "reason id of the rule that decided" }, FIELD_TEXT, AT(rule) },
    { { "reason", "decision", "reason id of a refusal, as in the reply" }, FIELD_TEXT, AT(reason) },
    { { "phase", "decision", "phase in which the rule decided" }, FIELD_TEXT, AT(phase) },
    { { "shadow", "decision",
        "reason id of the rule that would have decided, were it not in shadow" },
      FIELD_TEXT, AT(shadow_rule) },
    { { "shadow_action", "decision", "what that rule would have done" }, FIELD_TEXT,
      AT(shadow_action) },
    { { "shadow_phase", "decision", "phase in which it would have" },
      FIELD_TEXT, AT(shadow_phase) },
    { { "tags", "decision", "tags that rules put on the message" }, FIELD_TAGS, 0 },
    { { "qid", "decision", "id of the mail in the quarantine, held for some recipient or all" },
      FIELD_TEXT, AT(quarantine_id) },
    { { "reply", "reply", "code of the final reply to the client" }, FIELD_CODE, AT(reply_code) },
    { { "dsn", "reply", "its enhanced status code" }, FIELD_TEXT, AT(reply_enhanced) },
    { { "backend", "backend", "name of the backend block" }, FIELD_TEXT, AT(backend) },
    { { "backend_addr", "backend", "address and port of the backend" }, FIELD_ENDPOINT,
      AT(backend_address) },
    { { "backend_tls", "backend", "version of TLS towards it" }, FIELD_TEXT, AT(backend_tls) },
    { { "backend_reused", "backend", "the connection came from the pool" }, FIELD_FLAG,
      AT(backend_is_reused) },
    { { "backend_code", "backend", "the code of its last reply" }, FIELD_CODE, AT(backend_code) },
    { { "backend_reply", "backend", "the words of its last reply" },
      FIELD_TEXT, AT(backend_reply) },
    { { "backend_qid", "backend", "the queue id it named" }, FIELD_TEXT, AT(backend_queue_id) },
    { { "rcpt_ms", "times", "from MAIL to the answer to the first RCPT" },
      FIELD_TIME, AT(rcpt_ms) },
    { { "data_ms", "times", "from our 354 to the client's final dot" }, FIELD_TIME, AT(data_ms) },
    { { "check_ms", "times", "spent waiting for checks" }, FIELD_TIME, AT(check_ms) },
    { { "backend_ms", "times", "from the client's final dot to the backend's answer" }, FIELD_TIME,
      AT(backend_ms) },
    { { "total_ms", "times", "from MAIL to the end; of a session: all of it" }, FIELD_TIME,
      AT(total_ms) },
    { { "commands", "session", "commands that the client gave" }, FIELD_COUNT, AT(command_count) },
    { { "errors", "session", "of those, the mistaken ones" }, FIELD_COUNT, AT(error_count) },
    { { "foreign", "session", "the first bytes of another protocol" }, FIELD_TEXT, AT(foreign) },
    { { "gen", "end", "generation of the configuration" }, FIELD_COUNT, AT(generation) },
    { { "close", "end", "why the session ended" }, FIELD_TEXT, AT(close_reason) },
    { { "detail", "end", "the words of the system or a library about a failure" }, FIELD_TEXT,
      AT(detail) },
};

#define FIELD_COUNT_ALL (sizeof fields / sizeof fields[0])

const struct record_field_info *record_field_get(size_t index)
{
    return index < FIELD_COUNT_ALL ? &fields[index].info : NULL;
}

static const char *event_name(enum record_event event)
{
    switch (event) {
    case RECORD_TRANSACTION: return "transaction";
    case RECORD_SESSION: return "session";
    case RECORD_REPLY_LOST: return "reply-lost";
    case RECORD_RELEASE: return "release";
    }
    return "";
}

const char *record_verdict_name(enum record_verdict verdict)
{
    static const char *const names[] = {
        [RECORD_VERDICT_NONE] = "none",         [RECORD_VERDICT_ACCEPT] = "accept",
        [RECORD_VERDICT_REJECT] = "reject",     [RECORD_VERDICT_TEMPFAIL] = "tempfail",
        [RECORD_VERDICT_QUARANTINE] = "quarantine",
        [RECORD_VERDICT_DISCARD] = "discard",   [RECORD_VERDICT_ABORT] = "abort",
        [RECORD_VERDICT_UNKNOWN] = "unknown",
    };

    return names[verdict];
}

void record_init(struct record *record)
{
    memset(record, 0, sizeof *record);
    record->rcpt_ms = record->data_ms = record->check_ms = -1;
    record->backend_ms = record->total_ms = -1;
}

static void put_timestamp(struct printer *printer, const char *key, uint64_t wall_us)
{
    begin_key(printer, key);
    put_quote(printer);
    clock_print_utc(printer->out, wall_us);
    put_quote(printer);
}

static void put_field(struct printer *printer, const struct field *field,
                      const struct record *record)
{
    const char *key = field->info.key;
    const void *place = (const char *)record + field->offset;

    switch (field->kind) {
    case FIELD_TIMESTAMP: put_timestamp(printer, key, record->wall_us); break;
    case FIELD_VERSION: put_number(printer, key, LOG_VERSION); break;
    case FIELD_EVENT: put_text(printer, key, event_name(record->event)); break;
    case FIELD_VERDICT:
        if (record->verdict != RECORD_VERDICT_NONE)
            put_text(printer, key, record_verdict_name(record->verdict));
        break;
    case FIELD_CLIENT: put_endpoint(printer, key, place); break;
    case FIELD_ENDPOINT:
        if (((const struct ip_endpoint *)place)->port != 0)
            put_endpoint(printer, key, place);
        break;
    case FIELD_TEXT: put_text(printer, key, *(const char *const *)place); break;
    case FIELD_COUNT: put_count(printer, key, *(const uint64_t *)place); break;
    case FIELD_CODE: put_count(printer, key, (uint64_t) * (const int *)place); break;
    case FIELD_TIME: put_time(printer, key, *(const int64_t *)place); break;
    case FIELD_FLAG: put_flag(printer, key, *(const bool *)place); break;
    case FIELD_ADDRESS: put_address(printer, key, *(const struct address *const *)place); break;
    case FIELD_HEADER_FROM: put_header_from(printer, key, *(const char *const *)place); break;
    case FIELD_RECIPIENTS: break; /* record_print does it: they may go on in further lines */
    case FIELD_TAGS: put_tags(printer, record); break;
    }
}

/* ---- Lines. */

static void begin_line(struct printer *printer)
{
    printer->line_start = printer->out->length;
    printer->has_key = false;
    if (printer->style->format == RECORD_JSON)
        text_add_byte(printer->out, '{');
}

static void end_line(struct printer *printer)
{
    if (printer->style->format == RECORD_JSON)
        text_add_byte(printer->out, '}');
    text_add_byte(printer->out, '\n');
}

/* The recipients that found no room in the first line, as many lines as they need. */
static void print_more_recipients(struct printer *printer, const struct record *record,
                                  size_t first)
{
    while (first < record->recipient_count) {
        begin_line(printer);
        put_timestamp(printer, "ts", record->wall_us);
        put_number(printer, "v", LOG_VERSION);
        put_text(printer, "event", "rcpt");
        put_text(printer, "sid", record->session_id);
        put_text(printer, "txn", record->transaction_id);
        first = put_recipients(printer, record, first, 0);
        end_line(printer);
    }
}

/* The keys on one side of the recipients. */
static void put_fields(struct printer *printer, const struct record *record, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        put_field(printer, &fields[i], record);
}

static size_t find_recipients_field(void)
{
    size_t index = 0;

    while (fields[index].kind != FIELD_RECIPIENTS)
        index++;
    return index;
}

/* What follows the recipients is printed before them, to see how many of them fit. */
void record_print(struct text *out, const struct record *record, const struct record_style *style)
{
    size_t recipients_at = find_recipients_field();
    struct printer printer = { .out = out, .style = style };
    struct text tail;
    struct printer tail_printer = { .out = &tail, .style = style, .has_key = true };
    size_t next = 0;

    text_init(&tail, RECORD_MAX_BYTES);
    put_fields(&tail_printer, record, recipients_at + 1, FIELD_COUNT_ALL);
    begin_line(&printer);
    put_fields(&printer, record, 0, recipients_at);
    if (record->recipient_count > 0)
        next = put_recipients(&printer, record, 0, tail.length);
    text_add(out, text_slice(&tail));
    end_line(&printer);
    text_clear(&tail);
    print_more_recipients(&printer, record, next);
}

/* The first line has at least one of them. */
size_t record_max_bytes(size_t recipient_count)
{
    size_t more = recipient_count > 1 ? recipient_count - 1 : 0;
    size_t lines = (more + LEAST_RECIPIENTS_IN_LINE - 1) / LEAST_RECIPIENTS_IN_LINE;

    return (1 + lines) * RECORD_MAX_BYTES;
}

size_t record_growth_bytes(size_t recipient_count)
{
    return GROWTH_BYTES + GROWTH_BYTES_PER_RECIPIENT * recipient_count;
}
