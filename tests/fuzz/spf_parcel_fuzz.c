/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What passes between a worker and libspf2. The first byte says what the rest is:
 * - 'r': a request, as the engine's process may get it from a worker that was taken over
 * - 'a': an answer, the other way round
 * - else a record: what the guard makes of it is one that our parser reads, plain and not too
 *   long, and libspf2 lives through it
 */
#include <stdint.h>
#include <stdlib.h>

#include "checks/spf2.h"
#include "checks/spf_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool is_true)
{
    if (!is_true)
        abort();
}

static void read_request(struct slice bytes)
{
    struct spf_parcel parcel;

    (void)!spf_parcel_unpack(bytes, &parcel);
    spf_parcel_clear(&parcel);
}

static void read_answer(struct slice bytes)
{
    struct spf_second second;

    if (spf_second_unpack(bytes, &second) && second.end == SPF_SECOND_MISSING)
        require(second.name[0] != '\0');
}

static void look_at_guarded(struct slice request)
{
    struct spf_parcel parcel;
    struct spf_record record;
    struct slice bad_term;
    struct dns_question question;
    const struct dns_answer *answer;

    require(spf_parcel_unpack(request, &parcel));
    answer = dns_answers_get(parcel.answers, 0, &question);
    require(answer != NULL && answer->record_count <= 1);
    for (size_t i = 0; i < answer->record_count; i++) {
        struct slice bytes = answer->records[i].bytes;

        require(bytes.length <= SPF_PARCEL_RECORD_BYTES && spf_record_is_one(bytes));
        require(spf_record_parse(bytes, &record, &bad_term) == NULL);
        require(record.explanation.length == 0);
        for (size_t j = 0; j < bytes.length; j++)
            require(ascii_is_printable(bytes.data[j]));
    }
    spf_parcel_clear(&parcel);
}

static void ask_library(struct slice request)
{
    static struct spf2 *engine;
    struct spf_second second;
    struct text answer;

    if (engine == NULL)
        engine = spf2_new();
    require(engine != NULL);
    text_init(&answer, 4096);
    require(spf2_run(engine, request, &answer));
    require(spf_second_unpack(text_slice(&answer), &second));
    text_clear(&answer);
}

static void try_record(struct slice bytes)
{
    const struct spf_question question = { .helo = SLICE("mx.example.org"),
                                           .sender_local = SLICE("anna+x"),
                                           .sender_domain = SLICE("example.org") };
    const struct spf_finding native = { .result = RESULT_FAIL,
                                        .domain = (char *)(uintptr_t)"example.org" };
    const struct dns_record record = { .bytes = bytes };
    struct dns_answers *answers = dns_answers_new(10);
    struct dns_question wanted;
    struct text request;

    require(dns_answers_find(answers, SLICE("example.org"), DNS_TYPE_TXT) == NULL);
    require(dns_answers_take_wanted(answers, &wanted));
    dns_answers_put(answers, &wanted, dns_answer_new(DNS_FOUND, &record, 1));
    text_init(&request, SPF_PARCEL_MAX_BYTES);
    require(spf_parcel_pack(&question, &native, answers, &request));
    look_at_guarded(text_slice(&request));
    ask_library(text_slice(&request));
    text_clear(&request);
    dns_answers_free(&answers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = { (const char *)data, size };

    if (size == 0)
        return 0;
    if (data[0] == 'r')
        read_request(slice_from_offset(bytes, 1));
    else if (data[0] == 'a')
        read_answer(slice_from_offset(bytes, 1));
    else
        try_record(bytes);
    return 0;
}
