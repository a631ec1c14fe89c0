/* SPDX-License-Identifier: BSD-2-Clause */
/* For tests of policy/ and verdict/: books and facts made of short texts. */
#ifndef POSTERN_TESTS_POLICY_UNIT_H
#define POSTERN_TESTS_POLICY_UNIT_H

#include <string.h>

#include "memory_files.h"
#include "policy/policy_book.h"
#include "unit.h"

/* In front of every test's policies: two listeners, two backends, a list. The next line is 16. */
#define BOOK_PRELUDE \
    "hostname mx.example.org;\n" \
    "listener inbound { listen 127.0.0.1:2525; tls off; }\n" \
    "listener second { listen 127.0.0.1:2526; tls off; }\n" \
    "backend legacy { address 192.0.2.10:25; }\n" \
    "backend other { address 192.0.2.11:25; }\n" \
    "backend listed { address 192.0.2.12:25; recipients file users; }\n" \
    "list partners {\n" \
    "    partner.example;\n" \
    "    .below.example;\n" \
    "    boss@friend.example;\n" \
    "    198.51.100.0/24;\n" \
    "}\n" \
    "quarantine { folder /q; }\n" \
    "# lines\n" \
    "\n"

/* A book and what it rests on. */
struct book_fixture {
    struct config *config;
    struct policy_book *book; /* NULL when there was an error */
    struct diagnostics diagnostics;
    struct memory_file files[2];
    struct memory_files memory;
    struct text main;
};

/* The prelude and `text`, as file "t". */
static inline void book_load(struct book_fixture *fixture, const char *text)
{
    struct sources *sources;

    *fixture = (struct book_fixture){ 0 };
    text_init(&fixture->main, 1 << 20);
    text_add_string(&fixture->main, BOOK_PRELUDE);
    text_add_string(&fixture->main, text);
    fixture->files[0] = (struct memory_file){ "t", text_slice(&fixture->main) };
    fixture->files[1] = (struct memory_file){ "users", SLICE("joe@example.org\n") };
    fixture->memory = (struct memory_files){ fixture->files, 2, 0 };
    diagnostics_init(&fixture->diagnostics);
    sources = sources_new(memory_files_fetch, &fixture->memory);
    fixture->config = config_new(sources, "t", &fixture->diagnostics);
    if (fixture->config != NULL)
        fixture->book = policy_book_new(fixture->config, &fixture->diagnostics);
}

static inline void book_unload(struct book_fixture *fixture)
{
    policy_book_free(&fixture->book);
    if (fixture->config != NULL)
        config_free(&fixture->config);
    diagnostics_clear(&fixture->diagnostics);
    text_clear(&fixture->main);
}

/* As book_load, and there must be no error. */
static inline void book_load_good(struct book_fixture *fixture, const char *text)
{
    struct text all;

    book_load(fixture, text);
    text_init(&all, 100000);
    for (size_t i = 0; i < fixture->diagnostics.count; i++)
        diagnostic_print(&all, &fixture->diagnostics.items[i]);
    ck_assert_msg(fixture->book != NULL, "does not load:\n%s\n%s", text, text_string(&all));
    text_clear(&all);
}

/* Facts and what they rest on. */
struct facts_fixture {
    struct facts facts;
    struct address sender;
    struct address recipient;
    struct spool_budget budget;
    struct message message;
    struct mailbox_list from;
};

static inline void parse_path(struct address *address, const char *path, enum address_form form)
{
    size_t used;

    ck_assert_msg(address_parse(slice_from(path), form, true, address, &used) == ADDRESS_OK, "%s",
                  path);
}

static inline void facts_set_recipient(struct facts_fixture *fixture, const char *path)
{
    address_clear(&fixture->recipient);
    parse_path(&fixture->recipient, path, ADDRESS_FORWARD_PATH);
}

/* From 192.0.2.1 by listener inbound, as HELO mail.sender.example, over TLS 1.3. */
static inline void facts_make(struct facts_fixture *fixture, const char *sender,
                              const char *recipient, const char *message)
{
    static const struct message_limits limits = {
        .max_header_bytes = 100000, .max_header_fields = 1000,
    };

    memset(fixture, 0, sizeof *fixture);
    parse_path(&fixture->sender, sender, ADDRESS_REVERSE_PATH);
    parse_path(&fixture->recipient, recipient, ADDRESS_FORWARD_PATH);
    fixture->budget.max_bytes = 1 << 24;
    message_init(&fixture->message, &limits, &fixture->budget);
    ck_assert_int_eq(message_append(&fixture->message, slice_from(message)), MESSAGE_OK);
    ck_assert_int_eq(message_end(&fixture->message), MESSAGE_OK);
    facts_parse_from(&fixture->from, &fixture->message);
    fixture->facts = (struct facts){
        .phase = PHASE_MESSAGE,
        .listener = "inbound",
        .helo = "mail.sender.example",
        .is_extended = true,
        .tls_version = "TLSv1.3",
        .sender = &fixture->sender,
        .recipient = &fixture->recipient,
        .recipient_count = 1,
        .message = &fixture->message,
        .from = &fixture->from,
    };
    ck_assert(ip_parse(SLICE("192.0.2.1"), &fixture->facts.client.address));
}

static inline void facts_clear(struct facts_fixture *fixture)
{
    mailbox_list_clear(&fixture->from);
    message_clear(&fixture->message);
    address_clear(&fixture->recipient);
    address_clear(&fixture->sender);
}

/* What was not known yet in `phase` is not there: a term that looks ahead crashes the test. */
static inline struct facts facts_until(const struct facts_fixture *fixture, enum phase phase)
{
    struct facts facts = fixture->facts;

    facts.phase = phase;
    if (phase < PHASE_MESSAGE) {
        facts.message = NULL;
        facts.from = NULL;
    }
    if (phase < PHASE_RCPT)
        facts.recipient = NULL;
    if (phase < PHASE_MAIL)
        facts.sender = NULL;
    if (phase < PHASE_HELO)
        facts.helo = NULL;
    return facts;
}

#endif
