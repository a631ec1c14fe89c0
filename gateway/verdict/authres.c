/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Authentication-Results and Received-SPF, written; see authres.h. Each result is
 * put together by itself and goes in whole or not at all, so that no ceiling can
 * leave half a statement.
 */
#include "verdict/authres.h"

#include "mail/domain.h"
#include "mail/grammar.h"

/* ---- values ---- */

/* token of RFC 2045 5.1: no blanks, controls or tspecials. */
static bool is_token(struct slice s)
{
    size_t at;

    for (size_t i = 0; i < s.length; i++)
        if (s.data[i] <= ' ' || s.data[i] > '~' ||
            slice_find_byte(SLICE("()<>@,;:\\\"/[]?="), s.data[i], &at))
            return false;
    return s.length > 0;
}

static bool is_printable(struct slice s)
{
    for (size_t i = 0; i < s.length; i++)
        if (!ascii_is_printable(s.data[i]))
            return false;
    return s.length > 0 && s.length <= AUTHRES_MAX_VALUE_BYTES;
}

static void add_quoted(struct text *out, struct slice s)
{
    text_add_byte(out, '"');
    for (size_t i = 0; i < s.length; i++) {
        if (s.data[i] == '"' || s.data[i] == '\\')
            text_add_byte(out, '\\');
        text_add_byte(out, s.data[i]);
    }
    text_add_byte(out, '"');
}

/* [ [ local-part ] "@" ] domain-name, with a local part that needs no quotes. */
static bool is_plain_address(struct slice s)
{
    struct slice local;
    size_t at;

    if (!slice_find_last_byte(s, '@', &at))
        return false;
    local = slice_until(s, at);
    return (local.length == 0 || grammar_is_dot_atom(local)) &&
           is_token(slice_from_offset(s, at + 1));
}

/* False, with nothing added, when no form of it would be safe. */
static bool add_value(struct text *out, struct slice s)
{
    if (!is_printable(s))
        return false;
    if (is_token(s) || is_plain_address(s))
        text_add(out, s);
    else
        add_quoted(out, s);
    return true;
}

/* ---- folding ---- */

/* Bytes on the last line of what was written so far. */
static size_t line_length(const struct text *out)
{
    size_t at;

    return slice_find_last_byte(text_slice(out), '\n', &at) ? out->length - at - 1 : out->length;
}

/* A blank, or a new line where the word would not fit on this one. */
static void add_word(struct text *out, struct slice word)
{
    if (line_length(out) + 1 + word.length > AUTHRES_LINE_BYTES)
        text_add_string(out, "\r\n\t");
    else
        text_add_byte(out, ' ');
    text_add(out, word);
}

/* " name=value"; nothing for a value that is not there or not safe. */
static void add_property(struct text *out, const char *name, struct slice value)
{
    struct text word;

    text_init(&word, 2 * AUTHRES_MAX_VALUE_BYTES + 64);
    text_add_format(&word, "%s=", name);
    if (add_value(&word, value))
        add_word(out, text_slice(&word));
    text_clear(&word);
}

static void add_reason(struct text *out, const char *problem)
{
    struct text word;

    if (!is_printable(slice_from(problem)))
        return;
    text_init(&word, 2 * AUTHRES_MAX_VALUE_BYTES + 64);
    text_add_string(&word, "reason=");
    add_quoted(&word, slice_from(problem));
    add_word(out, text_slice(&word));
    text_clear(&word);
}

/* ---- results ---- */

/* The first line of each begins with a tab: it is that which add_word counts. */
static void begin(struct text *result, const char *method, enum check_result outcome)
{
    text_reset(result);
    text_add_format(result, "\t%s=%s", method, result_word(outcome));
}

/* ";" behind what is there, and the result on lines of its own. */
static void keep(struct text *out, const struct text *result)
{
    struct text whole;

    text_init(&whole, AUTHRES_MAX_BYTES);
    text_add_string(&whole, ";\r\n");
    text_add(&whole, text_slice(result));
    /* The CRLF at the end of the field needs its place too. */
    if (!result->is_cut && !whole.is_cut && out->length + whole.length + 2 <= AUTHRES_MAX_BYTES)
        text_add(out, text_slice(&whole));
    text_clear(&whole);
}

static bool has_run(enum check_result outcome)
{
    return outcome != RESULT_NOT_RUN;
}

static void print_spf(struct text *out, struct text *result, const struct spf_finding *spf,
                      const char *property, struct slice identity)
{
    if (spf == NULL || !has_run(spf->result))
        return;
    begin(result, "spf", spf->result);
    if (spf->problem != NULL)
        add_reason(result, spf->problem);
    add_property(result, property, identity);
    keep(out, result);
}

/* The whole address if it needs no quotes; else the domain says enough. */
static struct slice mail_identity(const struct authres *authres)
{
    struct slice domain = SLICE_EMPTY;

    if (authres->spf_mail != NULL)
        domain = slice_from(authres->spf_mail->domain);
    return is_printable(authres->mail_from) && is_plain_address(authres->mail_from)
               ? authres->mail_from
               : domain;
}

static struct slice helo_identity(const struct authres *authres)
{
    return authres->spf_helo != NULL && authres->spf_helo->domain != NULL
               ? slice_from(authres->spf_helo->domain)
               : authres->helo;
}

static void print_signature(struct text *out, struct text *result,
                            const struct dkim_signature *signature)
{
    begin(result, "dkim", signature->result);
    if (signature->is_testing)
        add_word(result, SLICE("(testing)"));
    if (signature->problem != NULL)
        add_reason(result, signature->problem);
    add_property(result, "header.d", slice_from(signature->domain));
    add_property(result, "header.s", slice_from(signature->selector));
    add_property(result, "header.i", slice_from(signature->identity));
    add_property(result, "header.a", slice_from(signature->algorithm));
    keep(out, result);
}

static void print_dkim(struct text *out, struct text *result, const struct dkim_finding *dkim)
{
    if (dkim == NULL || !has_run(dkim->result))
        return;
    for (size_t i = 0; i < dkim->signature_count; i++)
        print_signature(out, result, &dkim->signatures[i]);
    if (dkim->signature_count > 0)
        return;
    begin(result, "dkim", dkim->result);
    keep(out, result);
}

static void print_dmarc(struct text *out, struct text *result, const struct authres *authres)
{
    if (!has_run(authres->dmarc))
        return;
    begin(result, "dmarc", authres->dmarc);
    if (authres->dmarc_problem != NULL)
        add_reason(result, authres->dmarc_problem);
    add_property(result, "header.from", slice_from(authres->dmarc_domain));
    add_property(result, "policy.dmarc", slice_from(authres->dmarc_policy));
    keep(out, result);
}

/* ARC has none, pass and fail (RFC 8617 10.1); it has all failures be such (5.2.1). */
static void print_arc(struct text *out, struct text *result, const struct arc_finding *arc)
{
    struct text text;

    if (arc == NULL || !has_run(arc->result))
        return;
    begin(result, "arc", arc->result == RESULT_TEMPERROR ? RESULT_FAIL : arc->result);
    text_init(&text, AUTHRES_MAX_VALUE_BYTES);
    if (arc->result == RESULT_PASS) {
        text_add_format(&text, "(i=%zu d=%s)", arc->set_count, arc->sealers[0]);
        add_word(result, text_slice(&text));
    } else if (arc->problem != NULL) {
        arc_finding_print_problem(arc, &text);
        add_reason(result, text_string(&text));
    }
    text_clear(&text);
    keep(out, result);
}

void authres_print(struct text *out, const struct authres *authres)
{
    struct text field;
    struct text result;
    size_t start;

    text_init(&field, AUTHRES_MAX_BYTES + 16);
    text_init(&result, AUTHRES_MAX_BYTES);
    text_add_format(&field, "%s: %s", AUTHRES_FIELD, authres->id);
    start = field.length;
    /* DMARC first: of many signatures it is the last ones that a ceiling takes. */
    print_dmarc(&field, &result, authres);
    print_spf(&field, &result, authres->spf_mail, "smtp.mailfrom", mail_identity(authres));
    print_spf(&field, &result, authres->spf_helo, "smtp.helo", helo_identity(authres));
    print_arc(&field, &result, authres->arc);
    print_dkim(&field, &result, authres->dkim);
    if (field.length == start)
        text_add_string(&field, "; none");
    text_add_string(&field, "\r\n");
    text_add(out, text_slice(&field));
    text_clear(&field);
    text_clear(&result);
}

/* ---- Received-SPF ---- */

/* " name=value;": dot-atom or quoted-string. */
static void add_pair(struct text *out, const char *name, struct slice value)
{
    struct text word;

    if (!is_printable(value))
        return;
    text_init(&word, 2 * AUTHRES_MAX_VALUE_BYTES + 64);
    text_add_format(&word, "%s=", name);
    if (grammar_is_dot_atom(value))
        text_add(&word, value);
    else
        add_quoted(&word, value);
    text_add_byte(&word, ';');
    add_word(out, text_slice(&word));
    text_clear(&word);
}

void authres_print_received_spf(struct text *out, const struct authres *authres,
                                const struct ip_address *client)
{
    const struct spf_finding *spf = authres->spf_mail;
    struct text address;
    struct text field;

    if (spf == NULL || !has_run(spf->result))
        spf = authres->spf_helo;
    if (spf == NULL || !has_run(spf->result))
        return;
    text_init(&address, 64);
    text_init(&field, AUTHRES_MAX_BYTES);
    ip_print(&address, client);
    text_add_format(&field, "Received-SPF: %s", result_word(spf->result));
    add_pair(&field, "receiver", slice_from(authres->id));
    add_pair(&field, "identity",
             spf == authres->spf_mail ? SLICE("mailfrom") : SLICE("helo"));
    add_pair(&field, "client-ip", text_slice(&address));
    add_pair(&field, "envelope-from", authres->mail_from);
    add_pair(&field, "helo", authres->helo);
    add_pair(&field, "mechanism", slice_from(spf->mechanism));
    add_pair(&field, "problem", slice_from(spf->problem));
    text_add_string(&field, "\r\n");
    text_add(out, text_slice(&field));
    text_clear(&address);
    text_clear(&field);
}
