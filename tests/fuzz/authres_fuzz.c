/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whose a field is, for any value; and fields that are written with any bytes in
 * them: these keep to the grammar's characters and lines, and are ours.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "verdict/authres.h"

#define ID "mx.example.org"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool is_true)
{
    if (!is_true)
        abort();
}

/* Printable ASCII, folded with tabs, one CRLF at its end. */
static void expect_one_field(struct slice field)
{
    require(field.length > 2 && field.data[field.length - 1] == '\n');
    for (size_t i = 0; i < field.length; i++) {
        char c = field.data[i];

        require(ascii_is_printable(c) || c == '\t' || c == '\r' || c == '\n');
        if (c == '\r')
            require(field.data[i + 1] == '\n' &&
                    (i + 2 == field.length || field.data[i + 2] == '\t'));
        if (c == '\n')
            require(field.data[i - 1] == '\r');
    }
}

static void print_with(struct slice s)
{
    struct spf_finding spf = { .result = RESULT_PERMERROR, .problem = mem_copy(s) };
    struct dkim_signature signature = { .result = RESULT_PASS, .domain = mem_copy(s),
                                        .identity = mem_copy(s) };
    struct dkim_finding dkim = { .result = RESULT_PASS, .signatures = &signature,
                                 .signature_count = 1 };
    struct authres authres = { .id = ID, .mail_from = s, .helo = s, .spf_mail = &spf,
                               .spf_helo = &spf, .dkim = &dkim, .dmarc = RESULT_FAIL,
                               .dmarc_domain = signature.domain };
    struct ip_address client;
    struct text field;

    text_init(&field, 4 * AUTHRES_MAX_BYTES);
    authres_print(&field, &authres);
    require(field.length <= AUTHRES_MAX_BYTES && !field.is_cut);
    expect_one_field(text_slice(&field));
    require(authres_is_ours(slice_from_offset(text_slice(&field), sizeof AUTHRES_FIELD),
                            SLICE(ID)));
    text_reset(&field);
    require(ip_parse(SLICE("2001:db8::1"), &client));
    authres_print_received_spf(&field, &authres, &client);
    expect_one_field(text_slice(&field));
    text_clear(&field);
    mem_free(spf.problem);
    dkim_signature_clear(&signature);
}

/* In front of a clear field of ours, no comment or folding makes it another's. */
static void expect_ours(struct slice s)
{
    struct text value;

    text_init(&value, s.length + 100);
    text_add_string(&value, " (c)\r\n\t" ID ";");
    text_add(&value, s);
    require(authres_is_ours(text_slice(&value), SLICE(ID)));
    text_clear(&value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice s = { (const char *)data, size };

    (void)authres_is_ours(s, SLICE(ID));
    print_with(s);
    expect_ours(s);
    return 0;
}
