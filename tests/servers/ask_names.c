/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For tests: asks the resolver, as a worker would.
 *
 *     ask-names TIMEOUT-MS ANCHOR-FILE ADDRESS:PORT ...
 *
 * ANCHOR-FILE is "-" for none. Each line of standard input is a name and the number of a type; the
 * answer is a line before the next is read: result, problem, DNSSEC, TTL, milliseconds, and then
 * for each record its preference or address, and its first bytes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/number.h"
#include "net/resolver.h"

#define MAX_SERVERS 4
#define SHOWN_BYTES 60

struct asking {
    struct loop *loop;
    uint64_t started_us;
};

static void print_record(struct text *line, const struct dns_record *record)
{
    text_add_byte(line, ' ');
    if (record->bytes.length == 0)
        ip_print(line, &record->address);
    if (record->preference > 0)
        text_add_format(line, "%u/", (unsigned int)record->preference);
    escape_add_ascii(line, slice_until(record->bytes, SHOWN_BYTES));
}

static void on_answer(void *owner, struct dns_answer *answer)
{
    static const char *const results[] = { "found", "nodata", "noname", "failed" };
    struct asking *asking = owner;
    uint64_t ms = (clock_monotonic_us() - asking->started_us) / 1000;
    struct text line;

    text_init(&line, 10000);
    text_add_format(&line, "%s %s %s %u %llu", results[answer->result],
                    answer->problem != NULL ? answer->problem : "-",
                    answer->is_bogus ? "bogus" : answer->is_secure ? "secure" : "plain",
                    (unsigned int)answer->ttl_s, (unsigned long long)ms);
    for (size_t i = 0; i < answer->record_count; i++)
        print_record(&line, &answer->records[i]);
    puts(text_string(&line));
    fflush(stdout);
    text_clear(&line);
    loop_stop(asking->loop);
}

static void answer_lines(struct resolver *resolver, struct loop *loop)
{
    struct asking asking = { .loop = loop };
    char line[2000];

    while (fgets(line, sizeof line, stdin) != NULL) {
        struct slice rest = slice_trim(slice_from(line));
        struct slice name;
        uint64_t type;

        if (!slice_next(&rest, ' ', &name) || !number_parse(rest, 65535, &type))
            exit(2);
        asking.started_us = clock_monotonic_us();
        resolver_start(resolver, name, (enum dns_type)type, on_answer, &asking);
        loop_run(loop);
    }
}

static void read_anchors(const char *path, struct text *out)
{
    char block[4096];
    size_t length;
    FILE *file;

    if (strcmp(path, "-") == 0)
        return;
    file = fopen(path, "r");
    if (file == NULL)
        exit(2);
    while ((length = fread(block, 1, sizeof block, file)) > 0)
        text_add(out, (struct slice){ block, length });
    fclose(file);
}

int main(int count, char **words)
{
    struct ip_endpoint servers[MAX_SERVERS];
    struct resolver_settings settings = { .addresses = servers, .cache_bytes = 1 << 20,
                                          .max_questions = 200 };
    struct loop *loop = loop_new();
    struct resolver *resolver;
    struct text anchors, problem;

    text_init(&anchors, 100000);
    text_init(&problem, 500);
    if (count < 4 || count - 3 > MAX_SERVERS ||
        !number_parse(slice_from(words[1]), 1000000, &settings.timeout_ms))
        return 2;
    read_anchors(words[2], &anchors);
    settings.trust_anchors = text_slice(&anchors);
    for (int i = 3; i < count; i++)
        if (!ip_endpoint_parse(slice_from(words[i]), &servers[settings.address_count++]))
            return 2;
    resolver = resolver_new(loop, &settings, &problem);
    if (resolver == NULL) {
        fprintf(stderr, "ask-names: %s\n", text_string(&problem));
        return 2;
    }
    answer_lines(resolver, loop);
    resolver_free(&resolver);
    loop_free(&loop);
    text_clear(&anchors);
    text_clear(&problem);
    return 0;
}
