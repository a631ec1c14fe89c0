/* SPDX-License-Identifier: BSD-2-Clause */
/* config/: the resolver block, and the files that belong to it. */
#include <string.h>

#include "config/config.h"
#include "memory_files.h"
#include "unit.h"

#define HEAD "hostname mx.example.org; listener inbound { listen 0.0.0.0:25; tls off; }\n"

static struct config *load(struct slice block, struct slice system_file, struct sources *sources)
{
    struct memory_file stored[] = { { "/etc/resolv.conf", system_file },
                                    { "local.zone", SLICE("$FAIL a.example\n") },
                                    { "main", block },
                                    { "root.key", SLICE(". IN DS 1 8 2 00\n") } };
    struct memory_files files = { stored, COUNT(stored), 0 };
    struct diagnostics diagnostics;
    struct config *config;

    if (system_file.length == 0)
        stored[0].path = "/etc/hosts";
    if (sources == NULL)
        sources = sources_new(memory_files_fetch, &files);
    diagnostics_init(&diagnostics);
    config = config_new(sources, "main", &diagnostics);
    ck_assert_msg(config != NULL, "%s",
                  diagnostics.count > 0 ? diagnostics.items[0].sentence : "no reason");
    diagnostics_clear(&diagnostics);
    return config;
}

static const struct {
    struct slice block, system_file;
    const char *want;
} servers[] = {
    { BYTES(HEAD), BYTES("nameserver 192.0.2.1\n"), "192.0.2.1:53 " },
    { BYTES(HEAD "resolver { timeout 1s; }"),
      BYTES("# nameserver 192.0.2.9\nsearch example.org\nnameserver\t192.0.2.1 # one\n"
            "nameserver 2001:db8::1\r\nnameservers 192.0.2.8\noptions edns0\n"),
      "192.0.2.1:53 [2001:db8::1]:53 " },
    { BYTES(HEAD),
      BYTES("nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\n"
            "nameserver 192.0.2.4"),
      "192.0.2.1:53 192.0.2.2:53 192.0.2.3:53 " },
    { BYTES(HEAD), BYTES("nameserver fe80::1%eth0\nnameserver\nnameserver x\n"), "127.0.0.1:53 " },
    { BYTES(HEAD), BYTES(""), "127.0.0.1:53 " }, /* no such file */
    { BYTES(HEAD "resolver { address 192.0.2.5:5353 [2001:db8::5]:53; }"),
      BYTES("nameserver 192.0.2.1\n"), "192.0.2.5:5353 [2001:db8::5]:53 " },
};

START_TEST(servers_are_those_of_the_block_or_of_the_system)
{
    struct config *config = load(servers[_i].block, servers[_i].system_file, NULL);
    struct text got;

    text_init(&got, 500);
    for (size_t i = 0; i < config->resolver.address_count; i++) {
        ip_endpoint_print(&got, &config->resolver.addresses[i]);
        text_add_byte(&got, ' ');
    }
    unit_expect_text("servers", &got, slice_from(servers[_i].want));
    text_clear(&got);
    config_free(&config);
}
END_TEST

START_TEST(without_a_block_all_is_as_by_default)
{
    struct config *config = load(SLICE(HEAD), SLICE(""), NULL);
    const struct config_resolver *resolver = &config->resolver;

    ck_assert(!resolver->is_set && !resolver->is_validating);
    ck_assert_uint_eq(resolver->trust_anchors.length, 0);
    ck_assert_ptr_null(resolver->local_data);
    ck_assert_uint_eq(resolver->timeout_ms, 5000);
    ck_assert_uint_eq(resolver->cache_bytes, 8 << 20);
    ck_assert_uint_eq(resolver->max_questions, 200);
    config_free(&config);
}
END_TEST

/* As in a worker: it opens nothing. */
START_TEST(files_travel_with_the_configuration)
{
    struct config *config = load(SLICE(HEAD "resolver { validate on; trust-anchor root.key; "
                                            "local-data local.zone; }"),
                                 SLICE("nameserver 192.0.2.1\n"), NULL);
    struct sources *sources = sources_new(NULL, NULL);
    struct dns_answer *answer;
    struct text packed;

    text_init(&packed, 100000);
    sources_pack(config->sources, &packed);
    config_free(&config);
    ck_assert(sources_unpack(sources, text_slice(&packed)));
    config = load(SLICE(""), SLICE(""), sources);
    ck_assert(config->resolver.is_set);
    ck_assert_uint_eq(config->resolver.addresses[0].address.bytes[12], 192);
    ck_assert(slice_equals(config->resolver.trust_anchors, SLICE(". IN DS 1 8 2 00\n")));
    answer = zone_answer(config->resolver.local_data, SLICE("a.example"), DNS_TYPE_A);
    ck_assert_int_eq(answer->result, DNS_FAILED);
    dns_answer_unref(answer);
    config_free(&config);
    text_clear(&packed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config: resolver");
    TCase *tests = tcase_create("resolver");

    tcase_add_loop_test(tests, servers_are_those_of_the_block_or_of_the_system, 0,
                        COUNT(servers));
    tcase_add_test(tests, without_a_block_all_is_as_by_default);
    tcase_add_test(tests, files_travel_with_the_configuration);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
