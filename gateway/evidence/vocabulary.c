/* SPDX-License-Identifier: BSD-2-Clause */
/* The terms of the policy language; see vocabulary.h. */
#include "evidence/vocabulary.h"

#define SPF_RESULTS "none pass fail softfail neutral temperror permerror"
#define DMARC_CHECKS (CHECK_BIT(CHECK_SPF) | CHECK_BIT(CHECK_DKIM) | CHECK_BIT(CHECK_DMARC))
#define NAMES (VALUE_DOMAIN | VALUE_OWN_DOMAIN | VALUE_LIST)

static const struct vocabulary_term terms[] = {
    { "client", TERM_CLIENT, VALUE_NETWORK | VALUE_LIST, NULL, PHASE_CONNECT, 0,
      "NETWORK, in LIST", "the address that the client connects from" },
    { "listener", TERM_LISTENER, VALUE_LISTENER, NULL, PHASE_CONNECT, 0,
      "NAME", "the listener block that it came in by" },
    { "helo", TERM_HELO, VALUE_DOMAIN | VALUE_LITERAL | VALUE_LIST, NULL, PHASE_HELO, 0,
      "DOMAIN, .DOMAIN, [ADDRESS], in LIST", "the name that the client gave in HELO or EHLO" },
    { "tls", TERM_TLS, VALUE_KEYWORD, "none any 1.0 1.1 1.2 1.3", PHASE_MAIL, 0,
      "none, any, 1.0, 1.1, 1.2, 1.3", "whether the client speaks TLS, and which version" },
    { "sender", TERM_SENDER, VALUE_ADDRESS | VALUE_KEYWORD | VALUE_LIST, "null", PHASE_MAIL, 0,
      "ADDRESS, null, in LIST", "the sender of the envelope; null is <>, as in bounces" },
    { "sender-domain", TERM_SENDER_DOMAIN, NAMES, NULL, PHASE_MAIL, 0,
      "DOMAIN, .DOMAIN, own-domain, in LIST", "the domain of the envelope's sender" },
    { "recipient", TERM_RECIPIENT, VALUE_ADDRESS | VALUE_LIST, NULL, PHASE_RCPT, 0,
      "ADDRESS, in LIST", "the recipient at hand" },
    { "recipient-domain", TERM_RECIPIENT_DOMAIN, NAMES, NULL, PHASE_RCPT, 0,
      "DOMAIN, .DOMAIN, own-domain, in LIST", "the domain of the recipient at hand" },
    { "recipients", TERM_RECIPIENTS, VALUE_NUMBER, NULL, PHASE_DATA, 0,
      "> N, >= N, < N, <= N", "how many recipients the mail has in this transaction" },
    { "size", TERM_SIZE, VALUE_SIZE, NULL, PHASE_MESSAGE, 0,
      "> SIZE, >= SIZE, < SIZE, <= SIZE", "bytes of the message, or more that were announced" },
    { "header-from", TERM_HEADER_FROM, NAMES | VALUE_ADDRESS | VALUE_KEYWORD,
      "missing multiple malformed", PHASE_MESSAGE, 0,
      "DOMAIN, .DOMAIN, ADDRESS, own-domain, in LIST, missing, multiple, malformed",
      "who the message says it is from" },
    { "header", TERM_HEADER, VALUE_HEADER, NULL, PHASE_MESSAGE, 0,
      "NAME present, NAME absent, NAME contains \"TEXT\"", "a header field of the message" },
    { "spf", TERM_SPF, VALUE_KEYWORD, SPF_RESULTS, PHASE_RCPT, CHECK_BIT(CHECK_SPF),
      "none, pass, fail, softfail, neutral, temperror, permerror",
      "what SPF says of the envelope's sender, or of the HELO name when that is null" },
    { "spf-helo", TERM_SPF_HELO, VALUE_KEYWORD, SPF_RESULTS, PHASE_RCPT, CHECK_BIT(CHECK_SPF_HELO),
      "none, pass, fail, softfail, neutral, temperror, permerror",
      "what SPF says of the name in HELO or EHLO" },
    { "dkim", TERM_DKIM, VALUE_KEYWORD, "none pass fail policy neutral temperror permerror",
      PHASE_MESSAGE, CHECK_BIT(CHECK_DKIM),
      "none, pass, fail, policy, neutral, temperror, permerror",
      "what became of the best DKIM signature" },
    { "dkim-domain", TERM_DKIM_DOMAIN, NAMES, NULL, PHASE_MESSAGE, CHECK_BIT(CHECK_DKIM),
      "DOMAIN, .DOMAIN, own-domain, in LIST", "a domain whose DKIM signature passes" },
    { "dmarc", TERM_DMARC, VALUE_KEYWORD, "none pass fail temperror permerror", PHASE_MESSAGE,
      DMARC_CHECKS, "none, pass, fail, temperror, permerror",
      "whether the author's domain stands behind the mail" },
    { "dmarc-policy", TERM_DMARC_POLICY, VALUE_KEYWORD, "none quarantine reject", PHASE_MESSAGE,
      DMARC_CHECKS, "none, quarantine, reject",
      "what that domain wishes for mail that fails DMARC" },
    { "arc", TERM_ARC, VALUE_KEYWORD, "none pass fail temperror", PHASE_MESSAGE,
      CHECK_BIT(CHECK_ARC), "none, pass, fail, temperror",
      "whether the chain of those who handled the mail holds" },
    { "arc-sealer", TERM_ARC_SEALER, NAMES, NULL, PHASE_MESSAGE, CHECK_BIT(CHECK_ARC),
      "DOMAIN, .DOMAIN, own-domain, in LIST", "the last of them, when the chain holds" },
    { "dns-temperror", TERM_DNS_TEMPERROR, VALUE_KEYWORD, "any spf spf-helo dkim dmarc arc",
      PHASE_MESSAGE, CHECK_BIT(CHECK_SPF_HELO) | DMARC_CHECKS | CHECK_BIT(CHECK_ARC),
      "any, spf, spf-helo, dkim, dmarc, arc",
      "a check that could not be finished, since the DNS did not answer" },

    { "auth", TERM_UNAVAILABLE, 0, NULL, PHASE_MAIL, 0, "", "nobody can log in yet" },
    { "ptr", TERM_UNAVAILABLE, 0, NULL, PHASE_CONNECT, 0, "", "it does not look up clients yet" },
    { "dnsbl", TERM_UNAVAILABLE, 0, NULL, PHASE_CONNECT, 0, "", "it does not ask block lists yet" },
    { "greylist", TERM_UNAVAILABLE, 0, NULL, PHASE_RCPT, 0, "", "it does not greylist yet" },
    { "rate", TERM_UNAVAILABLE, 0, NULL, PHASE_RCPT, 0, "", "it does not count rates yet" },
    { "milter", TERM_UNAVAILABLE, 0, NULL, PHASE_MESSAGE, 0, "", "it does not ask milters yet" },
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
