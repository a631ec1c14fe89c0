/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What was found, as fields that others read: Authentication-Results (RFC 8601) and
 * Received-SPF (RFC 7208 9.1); and the question whether such a field that came with
 * a message could be taken for ours.
 *
 * Values that a client or a zone chose are held to the grammar: quoted where they need it, left out
 * where no quotes would make them harmless.
 */
#ifndef POSTERN_VERDICT_AUTHRES_H
#define POSTERN_VERDICT_AUTHRES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/ip.h"
#include "base/slice.h"
#include "base/text.h"
#include "evidence/finding.h"

#define AUTHRES_FIELD "Authentication-Results"
#define AUTHRES_MAX_BYTES 6000    /* of the whole field; further results are left out */
/* Of this field and Received-SPF, whatever a client and the DNS put into them. */
#define AUTHRES_BOTH_MAX_BYTES (2 * AUTHRES_MAX_BYTES + 64)
#define AUTHRES_MAX_VALUE_BYTES 320 /* a longer value is left out */
#define AUTHRES_LINE_BYTES 78     /* RFC 5322 2.1.1; only a long value makes a longer line */

struct authres {
    const char *id;                      /* authserv-id, in the one form of mail/domain.h */
    struct slice mail_from;              /* "local@domain"; empty for the null sender */
    struct slice helo;                   /* as it was sent */
    const struct spf_finding *spf_mail;  /* NULL: not run; this holds for all of them */
    const struct spf_finding *spf_helo;
    const struct dkim_finding *dkim;
    enum check_result dmarc;
    const char *dmarc_problem;           /* of temperror and permerror, a sentence part; or NULL */
    const char *dmarc_domain;            /* of From; or NULL */
    const char *dmarc_policy;            /* "reject"; NULL where there is no record */
    const struct arc_finding *arc;
};

/* Appends the whole field with its CRLF, folded; "none" where nothing was run. */
void authres_print(struct text *out, const struct authres *authres);

/* Appends Received-SPF of MAIL FROM, or of HELO where that was not run; nothing without either. */
void authres_print_received_spf(struct text *out, const struct authres *authres,
                                const struct ip_address *client);

/*
 * An Authentication-Results field that came with a message says, or some reader could think that it
 * says, it was written by `id`. `value` is folded as it came. Clear fields of others are not ours;
 * one that is not clear is ours as soon as our id is anywhere in it; one that names nobody is ours,
 * since readers behind us would take it for that.
 */
bool authres_is_ours(struct slice value, struct slice id);

#endif
