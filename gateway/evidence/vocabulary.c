/* SPDX-License-Identifier: BSD-2-Clause */
/* The terms of the policy language; see vocabulary.h. */
#include "evidence/vocabulary.h"

#define NAMES (VALUE_DOMAIN | VALUE_OWN_DOMAIN | VALUE_LIST)

static const struct vocabulary_term terms[] = {
    { "client", TERM_CLIENT, VALUE_NETWORK | VALUE_LIST, NULL, PHASE_CONNECT,
      "NETWORK, in LIST", "the address that the client connects from" },
    { "listener", TERM_LISTENER, VALUE_LISTENER, NULL, PHASE_CONNECT,
      "NAME", "the listener block that it came in by" },
    { "helo", TERM_HELO, VALUE_DOMAIN | VALUE_LITERAL | VALUE_LIST, NULL, PHASE_HELO,
      "DOMAIN, .DOMAIN, [ADDRESS], in LIST", "the name that the client gave in HELO or EHLO" },
    { "tls", TERM_TLS, VALUE_KEYWORD, "none any 1.0 1.1 1.2 1.3", PHASE_MAIL,
      "none, any, 1.0, 1.1, 1.2, 1.3", "whether the client speaks TLS, and which version" },
    { "sender", TERM_SENDER, VALUE_ADDRESS | VALUE_KEYWORD | VALUE_LIST, "null", PHASE_MAIL,
      "ADDRESS, null, in LIST", "the sender of the envelope; null is <>, as in bounces" },
    { "sender-domain", TERM_SENDER_DOMAIN, NAMES, NULL, PHASE_MAIL,
      "DOMAIN, .DOMAIN, own-domain, in LIST", "the domain of the envelope's sender" },
    { "recipient", TERM_RECIPIENT, VALUE_ADDRESS | VALUE_LIST, NULL, PHASE_RCPT,
      "ADDRESS, in LIST", "the recipient at hand" },
    { "recipient-domain", TERM_RECIPIENT_DOMAIN, NAMES, NULL, PHASE_RCPT,
      "DOMAIN, .DOMAIN, own-domain, in LIST", "the domain of the recipient at hand" },
    { "recipients", TERM_RECIPIENTS, VALUE_NUMBER, NULL, PHASE_DATA,
      "> N, >= N, < N, <= N", "how many recipients the mail has in this transaction" },
    { "size", TERM_SIZE, VALUE_SIZE, NULL, PHASE_MESSAGE,
      "> SIZE, >= SIZE, < SIZE, <= SIZE", "bytes of the message, or more that were announced" },
    { "header-from", TERM_HEADER_FROM, NAMES | VALUE_ADDRESS | VALUE_KEYWORD,
      "missing multiple malformed", PHASE_MESSAGE,
      "DOMAIN, .DOMAIN, ADDRESS, own-domain, in LIST, missing, multiple, malformed",
      "who the message says it is from" },
    { "header", TERM_HEADER, VALUE_HEADER, NULL, PHASE_MESSAGE,
      "NAME present, NAME absent, NAME contains \"TEXT\"", "a header field of the message" },

    { "auth", TERM_UNAVAILABLE, 0, NULL, PHASE_MAIL, "", "nobody can log in yet" },
    { "ptr", TERM_UNAVAILABLE, 0, NULL, PHASE_CONNECT, "", "it does not look up clients yet" },
    { "dnsbl", TERM_UNAVAILABLE, 0, NULL, PHASE_CONNECT, "", "it does not ask block lists yet" },
    { "spf", TERM_UNAVAILABLE, 0, NULL, PHASE_MAIL, "", "it does not check SPF yet" },
    { "spf-helo", TERM_UNAVAILABLE, 0, NULL, PHASE_HELO, "", "it does not check SPF yet" },
    { "greylist", TERM_UNAVAILABLE, 0, NULL, PHASE_RCPT, "", "it does not greylist yet" },
    { "rate", TERM_UNAVAILABLE, 0, NULL, PHASE_RCPT, "", "it does not count rates yet" },
    { "dkim", TERM_UNAVAILABLE, 0, NULL, PHASE_MESSAGE, "", "it does not check DKIM yet" },
    { "dkim-domain", TERM_UNAVAILABLE, 0, NULL, PHASE_MESSAGE, "", "it does not check DKIM yet" },
    { "dmarc", TERM_UNAVAILABLE, 0, NULL, PHASE_MESSAGE, "", "it does not check DMARC yet" },
    { "dmarc-policy", TERM_UNAVAILABLE, 0, NULL, PHASE_MESSAGE, "", "it does not check DMARC yet" },
    { "arc", TERM_UNAVAILABLE, 0, NULL, PHASE_MESSAGE, "", "it does not check ARC yet" },
    { "arc-sealer", TERM_UNAVAILABLE, 0, NULL, PHASE_MESSAGE, "", "it does not check ARC yet" },
    { "dns-temperror", TERM_UNAVAILABLE, 0, NULL, PHASE_MESSAGE, "", "no check asks the DNS yet" },
    { "milter", TERM_UNAVAILABLE, 0, NULL, PHASE_MESSAGE, "", "it does not ask milters yet" },
};

size_t vocabulary_count(void)
{
    return sizeof terms / sizeof terms[0];
}

const struct vocabulary_term *vocabulary_at(size_t index)
{
    return &terms[index];
}

const struct vocabulary_term *vocabulary_find(struct slice word)
{
    for (size_t i = 0; i < vocabulary_count(); i++)
        if (slice_equals(word, slice_from(terms[i].word)))
            return &terms[i];
    return NULL;
}

bool vocabulary_find_keyword(const struct vocabulary_term *term, struct slice word, size_t *index)
{
    struct slice rest = slice_from(term->keywords);
    struct slice keyword;

    for (*index = 0; slice_next(&rest, ' ', &keyword); ++*index)
        if (slice_equals(word, keyword))
            return true;
    return false;
}
