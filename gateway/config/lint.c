/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The second look at a configuration that loads: warnings, names that nobody
 * uses, and the waivers that silence a warning for a stated reason.
 */
#include "config/lint.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/ip.h"
#include "base/memory.h"
#include "config/config.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define WIDE_V4 (96 + 16)
#define WIDE_V6 48

static const struct lint_info lint_table[] = {
    { "lint.include-empty", "A pattern that matches no file is often a misspelt folder." },
    { "lint.relay-wide", "Everyone in a relay network can send as anyone to anywhere, so a network "
                         "wider than /16 or /48 is seldom meant." },
    { "lint.backend-trusts-us", "Mail servers often relay for local and private addresses; without "
                                "XCLIENT every client comes from ours." },
    { "lint.shadow", "A gateway left in shadow mode refuses nothing that a policy forbids." },
    { "lint.sandbox-off", "Without it, a worker that is broken into can do what its user can." },
    { "lint.no-tls", "Without TLS, mail and passwords cross the network in the clear." },
    { "lint.tls-old", "TLS 1.0 and 1.1 are broken and were withdrawn by RFC 8996." },
    { "lint.bare-lf", "Rewriting bare line feeds changes signed messages, and disagreement about "
                      "line ends is how mail is smuggled." },
    { "lint.backend-plain", "Without TLS, what clients sent under TLS crosses the network to the "
                            "backend in the clear." },
    { "lint.certificate-unused", "A certificate is read although no listener speaks TLS." },
    { "lint.key-readable", "Whoever can read the private key can pretend to be this host." },
    { "lint.certificate-expiry", "Clients stop sending when a certificate has run out." },
    { "lint.certificate-name", "A certificate that is not for the name that clients ask for is "
                               "refused by those who check." },
    { "lint.waiver-unused", "A waiver that silences nothing is out of date or misspelt." },
};

const struct lint_info *lint_get_table(size_t *count)
{
    *count = COUNT(lint_table);
    return lint_table;
}

static const char *find_id(const char *id)
{
    for (size_t i = 0; i < COUNT(lint_table); i++)
        if (strcmp(lint_table[i].id, id) == 0)
            return lint_table[i].id;
    return NULL;
}

void lint_report(struct diagnostics *diagnostics, const char *id, struct position at,
                 const char *format, ...)
{
    const char *known = find_id(id);
    struct text sentence;
    va_list arguments;

    if (known == NULL)
        abort(); /* an id that the manual does not have */
    text_init(&sentence, 1000);
    va_start(arguments, format);
    text_add_format_list(&sentence, format, arguments);
    va_end(arguments);
    diagnostics_add(diagnostics, SEVERITY_WARNING, known, at, "%s", text_string(&sentence));
    text_clear(&sentence);
}

/* ---- One kind of block after another ---- */

static void lint_sandbox(const struct config *config, struct diagnostics *diagnostics)
{
    for (size_t i = 0; i < config->tree.statement_count; i++)
        if (config->sandbox == SANDBOX_OFF &&
            statement_has_word(&config->tree.statements[i], 0, "sandbox"))
            lint_report(diagnostics, "lint.sandbox-off", config->tree.statements[i].words[0].at,
                        "the processes are not confined: who breaks into one can do all that its "
                        "user can; take this line away when the mistake is found");
}

static void lint_mode(const struct config *config, struct diagnostics *diagnostics)
{
    for (size_t i = 0; i < config->tree.statement_count; i++)
        if (config->mode == MODE_SHADOW &&
            statement_has_word(&config->tree.statements[i], 0, "mode"))
            lint_report(diagnostics, "lint.shadow", config->tree.statements[i].words[0].at,
                        "the whole gateway is in shadow mode: rules decide and are logged, but "
                        "refuse nothing; take this line away when the log looks right");
}

static void lint_listener(const struct config *config, const struct config_listener *listener,
                          struct diagnostics *diagnostics)
{
    if (listener->tls == LISTENER_TLS_OFF)
        lint_report(diagnostics, "lint.no-tls", config_find_place(config, listener->at, "tls"),
                    "listener %s offers no TLS, so mail comes to it in the clear", listener->name);
    else if (listener->tls_lowest < TLS_LOWEST_1_2)
        lint_report(diagnostics, "lint.tls-old",
                    config_find_place(config, listener->at, "tls-lowest"),
                    "listener %s speaks versions of TLS below 1.2, which are broken",
                    listener->name);
    if (listener->bare_lf == BARE_LF_REWRITE)
        lint_report(diagnostics, "lint.bare-lf", config_find_place(config, listener->at, "bare-lf"),
                    "listener %s mends bare line feeds; this breaks signatures, and is meant for "
                    "old devices on a network of their own",
                    listener->name);
}

static void lint_relay(const struct config *config, const struct config_relay *relay,
                       struct diagnostics *diagnostics)
{
    for (size_t i = 0; i < relay->network_count; i++) {
        const struct ip_prefix *network = &relay->networks[i];
        struct text printed;

        if (network->length >= (ip_prefix_is_v4(network) ? WIDE_V4 : WIDE_V6))
            continue;
        text_init(&printed, 100);
        ip_prefix_print(&printed, network);
        lint_report(diagnostics, "lint.relay-wide", config_find_place(config, relay->at, "from"),
                    "relay %s lets every host in %s send mail to anywhere; name the networks of "
                    "your own hosts as closely as you can",
                    relay->name, text_string(&printed));
        text_clear(&printed);
    }
}

static bool is_in(const struct ip_address *address, const char *network)
{
    struct ip_prefix prefix;

    return ip_prefix_parse(slice_from(network), &prefix) && ip_prefix_contains(&prefix, address);
}

static bool is_private(const struct ip_address *address)
{
    static const char *const networks[] = { "10.0.0.0/8",     "172.16.0.0/12", "192.168.0.0/16",
                                            "169.254.0.0/16", "fc00::/7",      "fe80::/10" };

    for (size_t i = 0; i < COUNT(networks); i++)
        if (is_in(address, networks[i]))
            return true;
    return ip_is_loopback(address);
}

static void lint_backend(const struct config *config, const struct config_backend *backend,
                         struct diagnostics *diagnostics)
{
    bool has_private = false;
    bool is_remote = false;

    for (size_t i = 0; i < backend->address_count; i++) {
        has_private = has_private || is_private(&backend->addresses[i].address);
        is_remote = is_remote || !ip_is_loopback(&backend->addresses[i].address);
    }
    if (backend->identity == IDENTITY_NONE && has_private)
        lint_report(diagnostics, "lint.backend-trusts-us",
                    config_find_place(config, backend->at, "identity"),
                    "backend %s sees our address instead of the client's; make sure that it does "
                    "not relay for this host, or use identity xclient",
                    backend->name);
    if (backend->tls == BACKEND_TLS_OFF && is_remote)
        lint_report(diagnostics, "lint.backend-plain",
                    config_find_place(config, backend->at, "tls"),
                    "mail to backend %s crosses the network in the clear", backend->name);
    if ((backend->tls == BACKEND_TLS_REQUIRED || backend->tls == BACKEND_TLS_VERIFIED) &&
        backend->tls_lowest < TLS_LOWEST_1_2)
        lint_report(diagnostics, "lint.tls-old",
                    config_find_place(config, backend->at, "tls-lowest"),
                    "backend %s is to have TLS, and may have versions below 1.2, which are broken",
                    backend->name);
}

static void lint_certificates(const struct config *config, struct diagnostics *diagnostics)
{
    for (size_t i = 0; i < config->listener_count; i++)
        if (config->listeners[i].tls != LISTENER_TLS_OFF)
            return;
    for (size_t i = 0; i < config->certificate_count; i++)
        lint_report(diagnostics, "lint.certificate-unused", config->certificates[i].at,
                    "no listener speaks TLS, so this certificate is for nothing");
}

/* ---- Names that nobody uses ---- */

/* Is there, anywhere in these statements, the word `before` and behind it `name`? */
static bool is_named(const struct statement *statements, size_t count, const char *before,
                     const char *name)
{
    for (size_t i = 0; i < count; i++) {
        const struct statement *statement = &statements[i];

        for (size_t j = 0; j + 1 < statement->word_count; j++)
            if (!statement->has_block && statement_has_word(statement, j, before) &&
                slice_equals(statement->words[j + 1].text, slice_from(name)))
                return true;
        if (is_named(statement->children, statement->child_count, before, name))
            return true;
    }
    return false;
}

static void expect_used(const struct config *config, const char *kind, const char *name,
                        const char *before, struct position at, struct diagnostics *diagnostics)
{
    if (!is_named(config->tree.statements, config->tree.statement_count, before, name))
        diagnostics_add(diagnostics, SEVERITY_ERROR, "config.unused", at,
                        "nothing uses %s %s; remove it, or look for a misspelt name", kind, name);
}

void config_lint(const struct config *config, struct diagnostics *diagnostics)
{
    lint_mode(config, diagnostics);
    lint_sandbox(config, diagnostics);
    for (size_t i = 0; i < config->listener_count; i++)
        lint_listener(config, &config->listeners[i], diagnostics);
    for (size_t i = 0; i < config->relay_count; i++)
        lint_relay(config, &config->relays[i], diagnostics);
    for (size_t i = 0; i < config->backend_count; i++) {
        const struct config_backend *backend = &config->backends[i];

        lint_backend(config, backend, diagnostics);
        expect_used(config, "backend", backend->name, "backend", backend->at, diagnostics);
    }
    for (size_t i = 0; i < config->list_count; i++)
        if (!config->lists[i].is_used)
            expect_used(config, "list", config->lists[i].name, "in", config->lists[i].at,
                        diagnostics);
    lint_certificates(config, diagnostics);
}

/* ---- Waivers ---- */

/* Does `at` lie in this statement? */
static bool spans(const struct statement *statement, struct position at)
{
    struct position first = statement->words[0].at;
    struct position last = statement->end;

    return strcmp(first.path, at.path) == 0 &&
           (at.line > first.line || (at.line == first.line && at.column >= first.column)) &&
           (at.line < last.line || (at.line == last.line && at.column <= last.column));
}

/* Does `at` lie in a block that has `name` among its own names? */
static bool is_in_block(const struct config *config, struct position at, struct slice name)
{
    for (size_t i = 0; i < config->tree.statement_count; i++) {
        const struct statement *block = &config->tree.statements[i];

        if (!spans(block, at))
            continue;
        for (size_t j = 1; j < block->word_count; j++)
            if (slice_equals(block->words[j].text, name))
                return true;
    }
    return false;
}

/* waive LINT-ID [NAME] "reason", whose form was checked when it was read. */
static bool apply_waiver(const struct config *config, const struct statement *waiver,
                         struct diagnostics *diagnostics)
{
    struct slice id = waiver->words[1].text;
    struct slice reason = waiver->words[waiver->word_count - 1].text;
    bool is_used = false;

    for (size_t i = 0; i < diagnostics->count; i++) {
        struct diagnostic *found = &diagnostics->items[i];

        if (found->severity != SEVERITY_WARNING || !slice_equals(id, slice_from(found->id)) ||
            (waiver->word_count > 3 && !is_in_block(config, found->at, waiver->words[2].text)))
            continue;
        is_used = true;
        if (found->waived_because == NULL)
            found->waived_because = mem_copy(reason);
    }
    return is_used;
}

static void report_unused_waiver(const struct statement *waiver, struct diagnostics *diagnostics)
{
    const char *known[COUNT(lint_table)];
    struct slice id = waiver->words[1].text;
    const char *suggestion;

    for (size_t i = 0; i < COUNT(lint_table); i++)
        known[i] = lint_table[i].id;
    suggestion = diagnostics_suggest(id, known, COUNT(known));
    if (suggestion != NULL && slice_equals(id, slice_from(suggestion)))
        suggestion = NULL;
    lint_report(diagnostics, "lint.waiver-unused", waiver->words[0].at,
                "there is no such warning to waive, so this line does nothing%s%s%s",
                suggestion != NULL ? "; did you mean \"" : "", suggestion != NULL ? suggestion : "",
                suggestion != NULL ? "\"?" : "");
}

void config_apply_waivers(const struct config *config, struct diagnostics *diagnostics)
{
    for (size_t i = 0; i < config->tree.statement_count; i++) {
        const struct statement *statement = &config->tree.statements[i];

        if (statement_has_word(statement, 0, "waive") &&
            !apply_waiver(config, statement, diagnostics))
            report_unused_waiver(statement, diagnostics);
    }
}
