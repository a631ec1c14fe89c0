/* SPDX-License-Identifier: BSD-2-Clause */
/* config/: the plain structs that good configurations become, and the questions they answer. */
#include <stdio.h>
#include <string.h>

#include "config/blocks.h"
#include "config/config.h"
#include "config/config_checks.h"
#include "config/lint.h"
#include "memory_files.h"
#include "smtp/server_dialogue.h"
#include "unit.h"

#define HEAD                                                                                      \
    "hostname MX.Example.org; certificate { names mx.example.org; chain mx.pem; key mx.key; }\n"  \
    "listener inbound { listen 0.0.0.0:25; }\n"                                                   \
    "backend legacy { address 198.51.100.5:25; }\n"

/* Loads `bytes` with further files beside it; what is said must be nothing. */
static struct config *load_with(struct slice bytes, const struct memory_file *others, size_t count)
{
    struct memory_file stored[8] = { { "main", bytes } };
    struct memory_files files = { stored, count + 1, 0 };
    struct sources *sources = sources_new(memory_files_fetch, &files);
    struct diagnostics diagnostics;
    struct config *config;

    for (size_t i = 0; i < count; i++)
        stored[i + 1] = others[i];
    diagnostics_init(&diagnostics);
    config = config_new(sources, "main", &diagnostics);
    ck_assert_msg(diagnostics.count == 0, "line %u: %s",
                  diagnostics.count > 0 ? diagnostics.items[0].at.line : 0,
                  diagnostics.count > 0 ? diagnostics.items[0].sentence : "");
    ck_assert_ptr_nonnull(config);
    diagnostics_clear(&diagnostics);
    return config;
}

static struct config *load(const char *text)
{
    return load_with(slice_from(text), NULL, 0);
}

/* ---- Structs ---- */

START_TEST(defaults_fill_what_is_not_written)
{
    struct config *config = load(HEAD);
    const struct config_listener *listener = &config->listeners[0];
    const struct config_backend *backend = &config->backends[0];

    ck_assert_str_eq(config->hostname, "mx.example.org");
    ck_assert_str_eq(config->authserv_id, "mx.example.org");
    ck_assert_ptr_null(config->user);
    ck_assert_int_eq(config->mode, MODE_ENFORCE);
    ck_assert_uint_eq(config->workers, 0);
    ck_assert_uint_eq(config->max_sessions, 5000);
    ck_assert_uint_eq(config->max_spool_memory_bytes, 32u << 20);
    ck_assert_uint_eq(config->max_spool_disk_bytes, 1u << 30);
    ck_assert_uint_eq(config->drain_timeout_ms, 60000);
    ck_assert_str_eq(config->spool_folder, "/var/spool/postern");
    ck_assert_int_eq(config->log.target, LOG_TARGET_STDERR);
    ck_assert_uint_eq(config->log.ring_bytes, 4u << 20);
    ck_assert_str_eq(listener->name, "inbound");
    ck_assert_str_eq(listener->hostname, "mx.example.org");
    ck_assert_str_eq(listener->greeting, "ESMTP");
    ck_assert_int_eq(listener->role, ROLE_INBOUND);
    ck_assert_int_eq(listener->tls, LISTENER_TLS_OPTIONAL);
    ck_assert_int_eq(listener->tls_lowest, TLS_LOWEST_1_2);
    ck_assert_int_eq(listener->vrfy, PROBE_HIDE);
    ck_assert_int_eq(listener->expn, PROBE_REFUSE);
    ck_assert_int_eq(listener->bare_lf, BARE_LF_REFUSE);
    ck_assert_uint_eq(listener->withheld_extensions, 0);
    ck_assert_uint_eq(listener->max_recipients, 100);
    ck_assert_uint_eq(listener->max_header_bytes, 256 << 10);
    ck_assert_uint_eq(listener->idle_timeout_ms, 300000);
    ck_assert_uint_eq(listener->post_dot_budget_ms, 60000);
    ck_assert_int_eq(backend->tls, BACKEND_TLS_OPTIONAL);
    ck_assert_int_eq(backend->tls_lowest, TLS_LOWEST_AUTO);
    ck_assert_int_eq(backend->identity, IDENTITY_NONE);
    ck_assert_int_eq(backend->recipients, RECIPIENTS_ASK);
    ck_assert(backend->is_chunking_wanted);
    ck_assert_uint_eq(backend->max_connections, 50);
    ck_assert_uint_eq(backend->dot_timeout_ms, 510000);
    ck_assert_uint_eq(backend->hold_ms, 30000);
    config_free(&config);
    ck_assert_ptr_null(config);
    config_free(&config);
}
END_TEST

START_TEST(written_settings_arrive_in_their_fields)
{
    struct config *config = load(
        "hostname mx.example.org; authserv-id Example.org;\n"
        "user mail; mode shadow; workers 3; spool-folder spool;\n"
        "log { to syslog local3; addresses domain; }\n"
        "listener in { listen 192.0.2.1:25 [2001:db8::1]:2525; listen socket smtp; tls off;\n"
        "  hostname in.example.org; extension dsn off; extension chunking off; vrfy refuse;\n"
        "  idle-timeout 10ms; max-line-bytes 2K; bare-lf rewrite; }\n"
        "backend b { address 192.0.2.5:25, 192.0.2.6:26; tls verified; tls-implicit on;\n"
        "  tls-lowest 1.1;"
        "  tls-name Mail.example.org; tls-ca /ca.pem; identity xclient; recipients any;\n"
        "  assume 8bitmime dsn; chunking off; hold 2m; }\n"
        "relay r { from 192.0.2.64/28 2001:db8::/48; policy p; backend b; }\n");
    const struct config_listener *listener = &config->listeners[0];
    const struct config_backend *backend = &config->backends[0];

    ck_assert_str_eq(config->authserv_id, "example.org");
    ck_assert_str_eq(config->user, "mail");
    ck_assert_int_eq(config->mode, MODE_SHADOW);
    ck_assert_uint_eq(config->workers, 3);
    ck_assert_str_eq(config->spool_folder, "spool");
    ck_assert_int_eq(config->log.target, LOG_TARGET_SYSLOG);
    ck_assert_str_eq(config->log.facility, "local3");
    ck_assert_int_eq(config->log.addresses, LOG_ADDRESSES_DOMAIN);
    ck_assert_uint_eq(listener->endpoint_count, 2);
    ck_assert_uint_eq(listener->endpoints[1].port, 2525);
    ck_assert_str_eq(listener->socket_name, "smtp");
    ck_assert_str_eq(listener->hostname, "in.example.org");
    ck_assert_int_eq(listener->tls, LISTENER_TLS_OFF);
    ck_assert_uint_eq(listener->withheld_extensions, SERVER_DSN | SERVER_CHUNKING);
    ck_assert_int_eq(listener->vrfy, PROBE_REFUSE);
    ck_assert_uint_eq(listener->idle_timeout_ms, 10);
    ck_assert_uint_eq(listener->max_line_bytes, 2048);
    ck_assert_int_eq(listener->bare_lf, BARE_LF_REWRITE);
    ck_assert_uint_eq(backend->address_count, 2);
    ck_assert_uint_eq(backend->addresses[1].port, 26);
    ck_assert_int_eq(backend->tls, BACKEND_TLS_VERIFIED);
    ck_assert_int_eq(backend->tls_lowest, TLS_LOWEST_1_1);
    ck_assert(backend->is_tls_implicit);
    ck_assert_str_eq(backend->tls_name, "mail.example.org");
    ck_assert_str_eq(backend->tls_ca_path, "/ca.pem");
    ck_assert_int_eq(backend->identity, IDENTITY_XCLIENT);
    ck_assert_int_eq(backend->recipients, RECIPIENTS_ANY);
    ck_assert_uint_eq(backend->assumed, SERVER_8BITMIME | SERVER_DSN);
    ck_assert(!backend->is_chunking_wanted);
    ck_assert_uint_eq(backend->hold_ms, 120000);
    ck_assert_uint_eq(config->relays[0].network_count, 2);
    ck_assert_str_eq(config->relays[0].policy, "p");
    ck_assert_ptr_eq(config->relays[0].backend, backend);
    ck_assert_ptr_eq(config_find_backend(config, SLICE("b")), backend);
    ck_assert_ptr_null(config_find_backend(config, SLICE("B")));
    ck_assert_ptr_null(config_find_list(config, SLICE("b")));
    config_free(&config);
}
END_TEST

START_TEST(paths_follow_the_file_they_stand_in)
{
    static const struct memory_file others[] = {
        { "sub/certificates", BYTES("certificate { names *.example.org b\xc3\xbc" "cher.example;\n"
                                    " chain mx.pem; key /keys/mx.key; }\n"
                                    "log { to file ./gate.log; }") },
    };
    struct config *config = load_with(SLICE("hostname h; listener l { listen [::]:25; }\n"
                                            "include sub/certificates;"),
                                      others, COUNT(others));

    ck_assert_str_eq(config->certificates[0].chain_path, "sub/mx.pem");
    ck_assert_str_eq(config->certificates[0].key_path, "/keys/mx.key");
    ck_assert_str_eq(config->certificates[0].names[0], "*.example.org");
    ck_assert_str_eq(config->certificates[0].names[1], "xn--bcher-kva.example");
    ck_assert_str_eq(config->log.path, "sub/gate.log");
    config_free(&config);
}
END_TEST

START_TEST(packed_sources_make_the_same_configuration)
{
    static const struct memory_file others[] = {
        { "sub/a.conf",
          BYTES("backend legacy { address 192.0.2.1:25; recipients file ../rcpt; }") },
        { "sub/../rcpt", BYTES("info@example.org\n") },
    };
    struct config *config = load_with(SLICE("hostname h; include sub/*.conf;\n"
                                            "listener l { listen [::]:25; tls off; }"),
                                      others, COUNT(others));
    struct sources *sources = sources_new(NULL, NULL);
    struct diagnostics diagnostics;
    struct text packed;

    text_init(&packed, 10000);
    diagnostics_init(&diagnostics);
    sources_pack(config->sources, &packed);
    config_free(&config);
    ck_assert(sources_unpack(sources, text_slice(&packed)));
    config = config_new(sources, "main", &diagnostics);
    ck_assert_ptr_nonnull(config);
    ck_assert(config_backend_has_recipient(&config->backends[0], SLICE("info@example.org")));
    config_free(&config);
    text_clear(&packed);
    diagnostics_clear(&diagnostics);
}
END_TEST

START_TEST(diagnostics_outlive_what_they_are_about)
{
    static const struct memory_file file = { "main", BYTES("nonsense;") };
    struct memory_files files = { &file, 1, 0 };
    struct diagnostics diagnostics;
    struct text out;

    diagnostics_init(&diagnostics);
    text_init(&out, 1000);
    ck_assert_ptr_null(config_new(sources_new(memory_files_fetch, &files), "main", &diagnostics));
    diagnostic_print(&out, &diagnostics.items[0]);
    unit_expect_text("printed", &out, SLICE("main:1:1: error: there is no setting or block "
                                            "\"nonsense\" [config.unknown-setting]\n"));
    text_clear(&out);
    diagnostics_clear(&diagnostics);
}
END_TEST

/* ---- Relay networks ---- */

START_TEST(relay_is_the_block_with_the_longest_network)
{
    static const struct {
        const char *client;
        const char *want; /* NULL for none */
    } cases[] = {
        { "192.0.2.1", "wide" },   { "192.0.2.65", "narrow" }, { "192.0.2.66", "wide" },
        { "192.0.3.1", NULL },     { "2001:db8::1", "wide" },  { "2001:db9::1", NULL },
        { "::192.0.2.1", NULL },   { "::", NULL },
    };
    struct config *config = load(
        HEAD "relay wide { from 192.0.2.0/24 2001:db8::/48; policy p; backend legacy; }\n"
             "relay narrow { from 192.0.2.65; policy p; backend legacy; }\n");

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ip_address client;
        const struct config_relay *relay;
        const char *got;

        ck_assert(ip_parse(slice_from(cases[i].client), &client));
        relay = config_find_relay(config, &client);
        got = relay != NULL ? relay->name : "none";
        ck_assert_msg(strcmp(got, cases[i].want != NULL ? cases[i].want : "none") == 0,
                      "%s: got %s", cases[i].client, got);
    }
    config_free(&config);
}
END_TEST

START_TEST(relay_networks_are_measured_by_what_they_cover)
{
    static const struct {
        const char *networks; /* joined by blanks */
        bool is_v4;
        unsigned int want;    /* thousandths */
    } cases[] = {
        { "", true, 0 },
        { "0.0.0.0/0", true, 1000 },
        { "0.0.0.0/1 128.0.0.0/1", true, 1000 },
        { "128.0.0.0/1 0.0.0.0/1 8.0.0.0/8", true, 1000 },
        { "0.0.0.0/0", false, 0 },
        { "::/0", false, 1000 },
        { "::/0", true, 0 },
        { "2000::/3", false, 1000 },
        { "2000::/4 3000::/4", false, 1000 },
        { "2000::/4", false, 1000 },
        { "3000::/4", false, 0 },
        { "2400::/12 2400::/12", false, 123 },
        { "fc00::/7 ::/3", false, 0 },
        { "10.0.0.0/8 192.168.0.0/16 224.0.0.0/3 127.0.0.0/8", true, 0 },
        { "8.0.0.0/8", true, 4 },
        { "8.0.0.0/8 8.0.0.0/9 8.1.2.3", true, 4 },
        { "9.0.0.0/8 8.0.0.0/8", true, 9 },
        { "2001:db8::1 2001:db8:0:1::/64 2001:db8::/65", false, 0 },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ip_prefix networks[8];
        struct config_relay relay = { .networks = networks };
        struct config config = { .relays = &relay, .relay_count = 1 };
        struct slice rest = slice_from(cases[i].networks);
        struct slice word;
        unsigned int got;

        while (slice_next(&rest, ' ', &word))
            ck_assert(ip_prefix_parse(word, &networks[relay.network_count++]));
        got = config_measure_relays(&config, cases[i].is_v4);
        ck_assert_msg(got == cases[i].want, "\"%s\": got %u, want %u", cases[i].networks, got,
                      cases[i].want);
    }
}
END_TEST

/* ---- Lists and recipients ---- */

START_TEST(lists_hold_domains_addresses_and_networks)
{
    static const struct {
        const char *name;
        bool want;
    } names[] = {
        { "example.com", true },          { "EXAMPLE.com", true },
        { "sub.example.com", false },     { "a@example.com", true },
        { "a@sub.example.com", false },   { "example.net", false },
        { "sub.example.net", true },      { "a.b.example.net", true },
        { "x@a.b.example.net", true },    { "x@example.net", false },
        { "bob@example.edu", true },      { "Bob@Example.edu", true },
        { "eve@example.edu", false },     { "example.edu", false },
        { "xn--bcher-kva.example", true }, { "com", false },
        { ".com", false },                { ".example.net", true },
        { "", false },                    { "@", false },
        { "evilexample.net", false },     { "\"a@b\"@example.com", true },
    };
    static const struct {
        const char *address;
        bool want;
    } addresses[] = {
        { "192.0.2.0", true },     { "192.0.2.255", true }, { "192.0.3.0", false },
        { "192.0.1.255", false },  { "203.0.113.7", true }, { "203.0.113.8", false },
        { "2001:db8::1", true },   { "2001:db9::", false }, { "::", false },
        { "10.1.2.3", true },      { "255.255.255.255", false },
    };
    struct config *config = load(
        HEAD "list l { example.com, .example.net; bob@Example.edu; b\xc3\xbc" "cher.example;\n"
             "  203.0.113.7 192.0.2.0/24; 192.0.2.128/25; 2001:db8::/32 10.0.0.0/8; 10.1.0.0/16;\n"
             "  10.0.0.0/8; 2001:db8:1::/48; }");
    const struct config_list *list = config_find_list(config, SLICE("l"));

    ck_assert_uint_eq(list->network_count, 4);
    for (size_t i = 0; i < COUNT(names); i++)
        ck_assert_msg(config_list_has_name(list, slice_from(names[i].name)) == names[i].want,
                      "name \"%s\"", names[i].name);
    for (size_t i = 0; i < COUNT(addresses); i++) {
        struct ip_address address;

        ck_assert(ip_parse(slice_from(addresses[i].address), &address));
        ck_assert_msg(config_list_has_ip(list, &address) == addresses[i].want, "address %s",
                      addresses[i].address);
    }
    config_free(&config);
}
END_TEST

START_TEST(networks_of_both_families_do_not_hide_each_other)
{
    struct config *config = load(HEAD "list l { ::/0; 192.0.2.0/24; }\nlist m { 0.0.0.0/0; }");
    struct ip_address address;

    ck_assert(ip_parse(SLICE("2001:db8::1"), &address));
    ck_assert(config_list_has_ip(&config->lists[0], &address));
    ck_assert(!config_list_has_ip(&config->lists[1], &address));
    ck_assert(ip_parse(SLICE("192.0.2.1"), &address));
    ck_assert(config_list_has_ip(&config->lists[0], &address));
    ck_assert(ip_parse(SLICE("192.0.3.1"), &address));
    ck_assert(!config_list_has_ip(&config->lists[0], &address));
    ck_assert(config_list_has_ip(&config->lists[1], &address));
    config_free(&config);
}
END_TEST

START_TEST(recipients_come_from_a_file_in_any_case)
{
    static const struct {
        const char *address;
        bool want;
    } cases[] = {
        { "info@example.org", true },       { "INFO@example.org", true },
        { "o'brien@example.org", true },    { "a#b@example.org", true },
        { "comment@example.org", false },   { "nobody@example.org", false },
        { "anyone@example.net", true },     { "@example.net", true },
        { "anyone@sub.example.net", false }, { "\xc3\xa4@xn--bcher-kva.example", true },
        { "info@example.org ", false },     { "info", false },
        { "Postmaster", true },             { "postmaster@example.org", false },
        { "", false },                      { "@", false },
        { "\"a@b\"@example.org", true },   { "quoted@example.org", true },
        { "\"c d\"@example.org", true },
    };
    static const struct memory_file others[] = {
        { "rcpt", BYTES("\xef\xbb\xbf# Who there is.\r\ninfo@example.org\r\n\n"
                        "  O'Brien@Example.ORG\t# him\n"
                        "a#b@example.org\n#comment@example.org\n@example.net\n"
                        "\xc3\xa4@b\xc3\xbc" "cher.example\n\"a@b\"@example.org\n"
                        "\"quo\\ted\"@EXAMPLE.org\n\"c\\ d\"@example.org\n"
                        "info@example.org") },
    };
    struct config *config =
        load_with(SLICE("hostname h; listener l { listen [::]:25; tls off; }\n"
                        "backend b { address 192.0.2.1:25; recipients file rcpt; }"),
                  others, COUNT(others));
    const struct config_backend *backend = &config->backends[0];

    ck_assert_uint_eq(backend->recipient_set.count, 8);
    for (size_t i = 0; i < COUNT(cases); i++)
        ck_assert_msg(config_backend_has_recipient(backend, slice_from(cases[i].address)) ==
                          cases[i].want,
                      "\"%s\"", cases[i].address);
    config_free(&config);
}
END_TEST

START_TEST(name_sets_find_all_and_only_what_was_added)
{
    static char names[2000][16];
    struct name_set set;

    name_set_init(&set);
    ck_assert(!name_set_has(&set, SLICE("none")));
    for (int i = 0; i < 2000; i++) {
        snprintf(names[i], sizeof names[i], "Name-%d", i);
        if (i % 2 == 0) {
            name_set_add(&set, slice_from(names[i]));
            name_set_add(&set, slice_from(names[i]));
        }
    }
    ck_assert_uint_eq(set.count, 1000);
    for (int i = 0; i < 2000; i++) {
        names[i][0] = 'n';
        ck_assert_msg(name_set_has(&set, slice_from(names[i])) == (i % 2 == 0), "%s", names[i]);
    }
    name_set_clear(&set);
    ck_assert_uint_eq(set.count, 0);
}
END_TEST

/* ---- Tables and the manual ---- */

START_TEST(tables_say_what_each_setting_is_for)
{
    for (size_t i = 0; i < blocks_count; i++) {
        for (size_t j = 0; j < blocks_all[i]->count; j++) {
            const struct setting *setting = &blocks_all[i]->settings[j];
            const char *block = blocks_all[i]->kind;

            ck_assert_msg(setting->doc != NULL && strlen(setting->doc) > 10 &&
                              setting->doc[strlen(setting->doc) - 1] == '.',
                          "%s %s: no sentence", block, setting->key);
            ck_assert_msg(setting->default_text == NULL || !setting->is_required,
                          "%s %s: required, yet it has a default", block, setting->key);
            for (size_t k = 0; k < j; k++)
                ck_assert_msg(strcmp(blocks_all[i]->settings[k].key, setting->key) != 0,
                              "%s %s: twice", block, setting->key);
        }
    }
}
END_TEST

/* The manual, and where in it the part about one kind of block begins. */
struct manual {
    struct text text;
    size_t checked_count;
};

static void read_manual(struct manual *manual)
{
    const char *source_folder = getenv("POSTERN_SRCDIR");
    struct text path;
    char block[4096];
    size_t length;
    FILE *file;

    text_init(&manual->text, 1u << 20);
    text_init(&path, 1000);
    text_add_format(&path, "%s/gateway/config/postern.conf.5",
                    source_folder != NULL ? source_folder : ".");
    file = fopen(text_string(&path), "rb");
    ck_assert_msg(file != NULL, "cannot read %s; is POSTERN_SRCDIR set?", text_string(&path));
    while ((length = fread(block, 1, sizeof block, file)) > 0)
        text_add(&manual->text, (struct slice){ block, length });
    fclose(file);
    text_clear(&path);
}

/* The part of `text` from behind `start` up to `end`; fails when it is not there. */
static struct slice cut_part(struct slice text, const char *start, const char *end)
{
    struct slice whole = { start, strlen(start) };
    size_t stop = 0;

    while (text.length > 0 && !slice_has_prefix(text, whole))
        text = slice_from_offset(text, 1);
    ck_assert_msg(text.length > 0, "the manual has no \"%s\"", start + 1);
    text = slice_from_offset(text, whole.length);
    while (stop < text.length && !slice_has_prefix(slice_from_offset(text, stop), slice_from(end)))
        stop++;
    return slice_until(text, stop);
}

static void expect_in_manual(void *owner, const struct setting_info *info)
{
    struct manual *manual = owner;
    struct slice part;
    char wanted[200];

    snprintf(wanted, sizeof wanted, "\n.Ss %s\n",
             info->block[0] != '\0' ? info->block : "Outside of all blocks");
    part = cut_part(text_slice(&manual->text), wanted, "\n.S");
    snprintf(wanted, sizeof wanted, "\n.It Ic %s", info->key);
    part = cut_part(part, wanted, "\n.It");
    ck_assert_msg(part.length > 0 && (part.data[0] == ' ' || part.data[0] == '\n'),
                  "%s is only the beginning of another setting", info->key);
    if (info->default_text != NULL)
        snprintf(wanted, sizeof wanted, "\nDefault: %s.", info->default_text);
    else
        snprintf(wanted, sizeof wanted, "%s", info->is_required ? "\nRequired." : "\n");
    ck_assert_msg(memmem(part.data, part.length, wanted, strlen(wanted)) != NULL,
                  "the manual's %s %s does not say \"%s\"", info->block, info->key, wanted + 1);
    manual->checked_count++;
}

START_TEST(manual_has_every_setting_with_its_default)
{
    struct manual manual = { .checked_count = 0 };
    size_t item_count = 0;
    struct slice rest;

    read_manual(&manual);
    config_each_setting(expect_in_manual, &manual);
    ck_assert_uint_ge(manual.checked_count, 60);
    rest = cut_part(text_slice(&manual.text), "\n.Sh SETTINGS\n", "\n.Sh");
    for (; rest.length > 0; rest = slice_from_offset(rest, 1))
        item_count += slice_has_prefix(rest, SLICE("\n.It Ic "));
    ck_assert_msg(item_count == manual.checked_count, "the manual has %zu settings, the tables %zu",
                  item_count, manual.checked_count);
    text_clear(&manual.text);
}
END_TEST

START_TEST(manual_has_every_lint_with_its_reason)
{
    struct manual manual = { .checked_count = 0 };
    size_t count;
    const struct lint_info *lints = lint_get_table(&count);
    struct slice part;

    read_manual(&manual);
    part = cut_part(text_slice(&manual.text), "\n.Sh WARNINGS\n", "\n.Sh");
    for (size_t i = 0; i < count; i++) {
        char wanted[100];
        struct slice found;

        snprintf(wanted, sizeof wanted, "\n.It Cm %s\n", lints[i].id);
        found = cut_part(part, wanted, "\n.It");
        ck_assert_msg(found.length > 20, "%s says nothing", lints[i].id);
    }
    text_clear(&manual.text);
}
END_TEST

START_TEST(lint_reports_are_warnings_with_a_known_id)
{
    struct diagnostics diagnostics;

    diagnostics_init(&diagnostics);
    lint_report(&diagnostics, "lint.key-readable", (struct position){ "mx.key", 0, 0 },
                "%s can be read by others", "mx.key");
    ck_assert_uint_eq(diagnostics.error_count, 0);
    ck_assert_int_eq(diagnostics.items[0].severity, SEVERITY_WARNING);
    ck_assert_str_eq(diagnostics.items[0].sentence, "mx.key can be read by others");
    diagnostics_clear(&diagnostics);
}
END_TEST

static Suite *config_suite(void)
{
    Suite *suite = suite_create("config");
    TCase *structs = tcase_create("structs");
    TCase *names = tcase_create("names");
    TCase *tables = tcase_create("tables");

    tcase_add_test(structs, defaults_fill_what_is_not_written);
    tcase_add_test(structs, written_settings_arrive_in_their_fields);
    tcase_add_test(structs, paths_follow_the_file_they_stand_in);
    tcase_add_test(structs, packed_sources_make_the_same_configuration);
    tcase_add_test(structs, diagnostics_outlive_what_they_are_about);
    tcase_add_test(names, relay_is_the_block_with_the_longest_network);
    tcase_add_test(names, relay_networks_are_measured_by_what_they_cover);
    tcase_add_test(names, lists_hold_domains_addresses_and_networks);
    tcase_add_test(names, networks_of_both_families_do_not_hide_each_other);
    tcase_add_test(names, recipients_come_from_a_file_in_any_case);
    tcase_add_test(names, name_sets_find_all_and_only_what_was_added);
    tcase_add_test(tables, tables_say_what_each_setting_is_for);
    tcase_add_test(tables, manual_has_every_setting_with_its_default);
    tcase_add_test(tables, manual_has_every_lint_with_its_reason);
    tcase_add_test(tables, lint_reports_are_warnings_with_a_known_id);
    suite_add_tcase(suite, structs);
    suite_add_tcase(suite, names);
    suite_add_tcase(suite, tables);
    return suite;
}

int main(void)
{
    return unit_run(config_suite());
}
