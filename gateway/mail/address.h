/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Addresses of the SMTP envelope: the Path of RFC 5321 4.1.2, with the UTF-8 of
 * RFC 6531 3.3. The local part keeps its case, which belongs to the backend, and
 * as few quotes as it can be written with: forms that differ in nothing else are
 * one mailbox, and are to be sent on so (RFC 5321 4.1.2). The domain is kept in
 * domain.h's one form.
 */
#ifndef POSTERN_MAIL_ADDRESS_H
#define POSTERN_MAIL_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/*
 * Quotes included. RFC 5321 4.5.3.1.1 promises 64; rewritten senders (SRS, VERP) are longer in
 * real life, and to refuse them loses wanted mail, while the path's own ceiling bounds all cost.
 */
#define ADDRESS_LOCAL_MAX_BYTES 192
#define ADDRESS_PATH_MAX_BYTES 256 /* brackets and route included (RFC 5321 4.5.3.1.3) */

struct address {
    char *text;             /* "local@domain", owned, with a NUL; "" for <>; NULL before parsing */
    uint16_t local_length;  /* bytes before the @; for <postmaster> the whole text */
    uint16_t domain_length; /* bytes behind the @; 0 for <> and for <postmaster> */
    bool is_literal : 1;   /* the domain is an address literal such as [192.0.2.1] */
    bool is_utf8 : 1;      /* the local part, or the domain as written, is not ASCII */
    bool had_route : 1;    /* "@a,@b:" stood in front; it is dropped (RFC 5321 appendix C) */
    bool has_percent : 1;  /* the local part, quoted or not, holds %, which old servers route by */
    bool has_bang : 1;     /* the local part holds !, likewise */
    bool has_inner_at : 1; /* a quoted local part holds @, likewise */
};

enum address_problem {
    ADDRESS_OK,
    ADDRESS_NO_BRACKETS,    /* not of the form <...> */
    ADDRESS_SYNTAX,         /* anything else that the grammar refuses */
    ADDRESS_LOCAL_TOO_LONG, /* over ADDRESS_LOCAL_MAX_BYTES */
    ADDRESS_PATH_TOO_LONG,  /* over ADDRESS_PATH_MAX_BYTES, as written or in our form */
    ADDRESS_DOMAIN_BAD,     /* see domain.h; an address literal that does not parse */
    ADDRESS_NO_DOMAIN,      /* a local part alone, and not postmaster */
    ADDRESS_UTF8,           /* not ASCII, and SMTPUTF8 was not asked for */
};

enum address_form {
    ADDRESS_REVERSE_PATH, /* MAIL FROM: <> is allowed */
    ADDRESS_FORWARD_PATH, /* RCPT TO: <postmaster> is allowed, in any case */
};

/*
 * Parses the path at the start of `s`, brackets included; `*used` says how many
 * bytes it took, so that the ESMTP parameters behind it can follow (what stands
 * there is the caller's to judge). `address` is cleared first; on a problem it
 * stays empty and `*used` is 0.
 *
 * Nothing is forgiven: no missing brackets, no blanks, no comments, no bare
 * "postmaster" in a reverse path, no control byte (C1 of UTF-8 included) in
 * whatever quotes. What one server forgives, another reads as someone else.
 */
enum address_problem address_parse(struct slice s, enum address_form form, bool allow_utf8,
                                   struct address *address, size_t *used)
    __attribute__((warn_unused_result));
/* A sentence part for people: "has a local part that is too long". */
const char *address_problem_text(enum address_problem problem);

/*
 * What was given for an address and is none, cut to ADDRESS_PATH_MAX_BYTES: to be shown in the log,
 * and for nothing else. All of it is local part.
 */
void address_set_raw(struct address *address, struct slice given);

/* `to` is cleared first, so it must have been parsed, copied to or zeroed. */
void address_copy(struct address *to, const struct address *from);
void address_clear(struct address *address);

/* Borrowed from the address. Empty before parsing. */
struct slice address_text(const struct address *address);
struct slice address_local(const struct address *address);
struct slice address_domain(const struct address *address);
/* The null reverse path <>; an address that was never parsed is none. */
bool address_is_null(const struct address *address);
/*
 * "postmaster" in any case, with a domain or without; and the like for abuse, with a domain.
 */
bool address_is_postmaster(const struct address *address);
bool address_is_abuse(const struct address *address);

#endif
