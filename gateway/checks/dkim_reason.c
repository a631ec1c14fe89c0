/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What each reason is called, and which result it makes. RFC 8601 2.7.1 draws the
 * lines: neutral for a field that cannot be read, permerror for what cannot get
 * better, policy for a signature that may well verify and is not good enough here.
 */
#include "checks/dkim_reason.h"

static const struct {
    enum check_result result;
    const char *word;
    const char *text;
} reasons[DKIM_REASON_COUNT] = {
    [DKIM_REASON_NONE] = { RESULT_PASS, NULL, NULL },

    [DKIM_REASON_SYNTAX] = { RESULT_NEUTRAL, "syntax", "the signature field cannot be read" },
    [DKIM_REASON_TOO_LONG] = { RESULT_NEUTRAL, "too-long", "the signature field is too long" },
    [DKIM_REASON_VERSION] = { RESULT_NEUTRAL, "version", "the signature is of another version" },
    [DKIM_REASON_MISSING_TAG] = { RESULT_NEUTRAL, "missing-tag",
                                  "the signature lacks a tag that it must have" },
    [DKIM_REASON_DOMAIN] = { RESULT_NEUTRAL, "domain", "d= is no domain name" },
    [DKIM_REASON_SELECTOR] = { RESULT_NEUTRAL, "selector", "s= is no selector" },
    [DKIM_REASON_IDENTITY] = { RESULT_NEUTRAL, "identity", "i= is not within d=" },
    [DKIM_REASON_ALGORITHM] = { RESULT_NEUTRAL, "algorithm", "a= is an unknown algorithm" },
    [DKIM_REASON_CANON] = { RESULT_NEUTRAL, "canonicalization",
                            "c= is an unknown canonicalization" },
    [DKIM_REASON_QUERY] = { RESULT_NEUTRAL, "query", "q= leaves no way to the key that we know" },
    [DKIM_REASON_HEADER_LIST] = { RESULT_NEUTRAL, "header-list",
                                  "h= cannot be read or is too long" },
    [DKIM_REASON_LENGTH] = { RESULT_NEUTRAL, "length", "l= is no number of bytes" },
    [DKIM_REASON_TIMES] = { RESULT_NEUTRAL, "times", "t= and x= make no sense" },
    [DKIM_REASON_BASE64] = { RESULT_NEUTRAL, "base64", "b= or bh= cannot be read" },
    [DKIM_REASON_HEADER] = { RESULT_NEUTRAL, "header",
                             "the header of the message cannot be read" },
    [DKIM_REASON_COVERS_SIGNATURES] = { RESULT_NEUTRAL, "covers-signatures",
                                        "it signs signature fields of which one was not read" },
    [DKIM_REASON_UNREADABLE] = { RESULT_NEUTRAL, "unreadable",
                                 "the signature could not be processed" },

    [DKIM_REASON_SHA1] = { RESULT_PERMERROR, "sha1", "SHA-1 proves nothing any more" },
    [DKIM_REASON_FROM_NOT_SIGNED] = { RESULT_PERMERROR, "from-not-signed", "From is not signed" },
    [DKIM_REASON_KEY_MISSING] = { RESULT_PERMERROR, "key-missing", "no key is published" },
    [DKIM_REASON_KEY_SEVERAL] = { RESULT_PERMERROR, "key-several",
                                  "more than one key is published" },
    [DKIM_REASON_KEY_SYNTAX] = { RESULT_PERMERROR, "key-syntax", "the key record cannot be read" },
    [DKIM_REASON_KEY_VERSION] = { RESULT_PERMERROR, "key-version",
                                  "the key record is of another version" },
    [DKIM_REASON_KEY_TYPE] = { RESULT_PERMERROR, "key-type",
                               "the key is not for this algorithm" },
    [DKIM_REASON_KEY_HASH] = { RESULT_PERMERROR, "key-hash", "the key is not for this hash" },
    [DKIM_REASON_KEY_SERVICE] = { RESULT_PERMERROR, "key-service", "the key is not for mail" },
    [DKIM_REASON_KEY_REVOKED] = { RESULT_PERMERROR, "key-revoked", "the key is revoked" },
    [DKIM_REASON_KEY_UNREADABLE] = { RESULT_PERMERROR, "key-unreadable",
                                     "what is published is no key" },
    [DKIM_REASON_KEY_STRICT] = { RESULT_PERMERROR, "key-strict",
                                 "the key allows no subdomain in i=" },

    [DKIM_REASON_KEY_DNS] = { RESULT_TEMPERROR, "key-dns", "the key could not be looked up" },
    [DKIM_REASON_INTERNAL] = { RESULT_TEMPERROR, "internal", "the check itself failed" },

    [DKIM_REASON_MISMATCH] = { RESULT_FAIL, "mismatch", "the signature does not fit the header" },
    [DKIM_REASON_BODY] = { RESULT_FAIL, "body", "the body was changed" },
    [DKIM_REASON_BODY_SHORT] = { RESULT_FAIL, "body-short", "the body is shorter than l=" },

    [DKIM_REASON_KEY_SHORT] = { RESULT_POLICY, "key-short", "the key is too short" },
    [DKIM_REASON_KEY_LARGE] = { RESULT_POLICY, "key-large", "the key is too large to be tried" },
    [DKIM_REASON_COSTLY] = { RESULT_POLICY, "costly", "it would take too much work to verify" },
    [DKIM_REASON_EXPIRED] = { RESULT_POLICY, "expired", "the signature has expired" },
    [DKIM_REASON_FUTURE] = { RESULT_POLICY, "future", "the signature is from the future" },
    [DKIM_REASON_LENGTH_REFUSED] = { RESULT_POLICY, "length-refused",
                                     "it signs a part of the body only" },
    [DKIM_REASON_BODY_UNSIGNED] = { RESULT_POLICY, "body-unsigned",
                                    "there is more of the body than it signs" },
};

const char *dkim_reason_word(enum dkim_reason reason)
{
    return reasons[reason].word;
}

const char *dkim_reason_text(enum dkim_reason reason)
{
    return reasons[reason].text;
}

enum check_result dkim_reason_result(enum dkim_reason reason)
{
    return reasons[reason].result;
}
