/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Zone files from hostile bytes: refused with a place and a sentence that is fit for a log, or
 * taken, and then asked for every word in them as a name.
 */
#include <stdint.h>
#include <stdlib.h>

#include "dns/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool is_true)
{
    if (!is_true)
        abort();
}

static void ask(const struct zone *zone, struct slice word)
{
    static const enum dns_type types[] = { DNS_TYPE_A, DNS_TYPE_CNAME, DNS_TYPE_PTR, DNS_TYPE_MX,
                                           DNS_TYPE_TXT, DNS_TYPE_AAAA, DNS_TYPE_TLSA };
    struct text name;

    text_init(&name, DNS_NAME_MAX_BYTES);
    for (size_t i = 0; dns_name_normalise(word, &name) && i < 7; i++) {
        struct dns_answer *answer = zone_answer(zone, text_slice(&name), types[i]);

        require(answer == NULL || answer->result != DNS_NO_NAME);
        require(answer == NULL || (answer->result == DNS_FOUND) == (answer->record_count > 0));
        dns_answer_unref(answer);
        text_reset(&name);
    }
    text_clear(&name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = { (const char *)data, size };
    struct zone_problem problem = { 0 };
    struct slice word;
    struct zone *zone;

    text_init(&problem.sentence, 1000);
    zone = zone_new(bytes, &problem);
    require((zone == NULL) == (problem.sentence.length > 0));
    require(zone != NULL || (problem.line > 0 && problem.column > 0));
    for (size_t i = 0; i < problem.sentence.length; i++)
        require(ascii_is_printable(problem.sentence.data[i]));
    for (int i = 0; i < 50 && zone != NULL && slice_next(&bytes, ' ', &word); i++)
        ask(zone, slice_trim(word));
    zone_free(&zone);
    text_clear(&problem.sentence);
    return 0;
}
