/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What one command line of a client says: the verb first, its argument by a
 * parser of its own once the verb is in place (RFC 5321 4.1, 1870, 3030, 3461,
 * 6152, 6531, 6533). Whether it may be said now is server_dialogue's matter.
 */
#ifndef POSTERN_SMTP_COMMAND_H
#define POSTERN_SMTP_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "mail/envelope.h"

/* Service extensions, as bits. */
enum server_extension {
    SERVER_PIPELINING = 1 << 0,
    SERVER_SIZE = 1 << 1,
    SERVER_8BITMIME = 1 << 2,
    SERVER_SMTPUTF8 = 1 << 3,
    SERVER_DSN = 1 << 4,
    SERVER_ENHANCEDSTATUSCODES = 1 << 5,
    SERVER_CHUNKING = 1 << 6,
    SERVER_STARTTLS = 1 << 7,
    SERVER_PRDR = 1 << 8,
};

/* The longest argument of HELO and EHLO, and of ENVID and ORCPT (RFC 3461 4.2 and 4.4). */
#define COMMAND_MAX_HELLO_BYTES 255
#define COMMAND_MAX_ENVID_BYTES 100
#define COMMAND_MAX_ORCPT_BYTES 500

enum command_verb {
    COMMAND_HELO,
    COMMAND_EHLO,
    COMMAND_MAIL,
    COMMAND_RCPT,
    COMMAND_DATA,
    COMMAND_BDAT,
    COMMAND_RSET,
    COMMAND_NOOP,
    COMMAND_QUIT,
    COMMAND_VRFY,
    COMMAND_EXPN,
    COMMAND_HELP,
    COMMAND_STARTTLS,
    COMMAND_REFUSED, /* known, and never done here: ETRN, TURN, ATRN, SEND, SOML, SAML, AUTH */
    COMMAND_UNKNOWN,
};

struct command {
    enum command_verb verb;
    struct slice argument; /* behind the verb, without blanks at its ends; borrowed from the line */
};

enum command_problem {
    COMMAND_OK,
    COMMAND_SYNTAX,            /* not of the verb's form */
    COMMAND_BAD_ADDRESS,       /* a path that the grammar refuses */
    COMMAND_ADDRESS_NEEDS_UTF8,/* an address that is not ASCII, and no SMTPUTF8 */
    COMMAND_BAD_PARAMETER,     /* a known parameter with a value it cannot have, or given twice */
    COMMAND_UNKNOWN_PARAMETER, /* not one of an extension that was offered */
};

/* `line` is without its CRLF. Verbs are read in any case. Any byte may be in the argument. */
struct command command_parse(struct slice line);
/*
 * True for bytes that no command holds: control bytes but HTAB, and all above 126 except where
 * `allow_utf8`: then valid UTF-8 may be in the arguments of verbs that take addresses.
 */
bool command_has_bad_bytes(const struct command *command, struct slice line, bool allow_utf8);

/* A name or an address literal of HELO and EHLO: printable, no blanks, at most 255 bytes. */
bool command_is_hello_name(struct slice argument);

/*
 * Arguments of MAIL and RCPT. `extensions` are those that were offered: parameters of others are
 * unknown, and without SERVER_SMTPUTF8 every address is ASCII. `mail` and `recipient` are cleared
 * first, and hold nothing of use after a problem. A SIZE beyond 64 bits reads as UINT64_MAX.
 */
enum command_problem command_parse_mail(struct slice argument, unsigned int extensions,
                                        struct envelope *mail, bool *is_prdr)
    __attribute__((warn_unused_result));
/* `allow_utf8`: the transaction's MAIL said SMTPUTF8. */
enum command_problem command_parse_rcpt(struct slice argument, unsigned int extensions,
                                        bool allow_utf8, struct recipient *recipient)
    __attribute__((warn_unused_result));
/* "86 LAST"; the size is at most 2^63 - 1 (RFC 3030 2). */
enum command_problem command_parse_bdat(struct slice argument, uint64_t *chunk_bytes,
                                        bool *is_last) __attribute__((warn_unused_result));

/*
 * Other protocols that come to an SMTP port, by a mistake or to have us speak to someone else.
 * Both give the reason id for the log, "foreign.http" and the like, or NULL.
 */
const char *command_find_foreign(const struct command *command, struct slice line);
/* By the very first byte, since binary protocols have no lines. Later only TLS is told. */
const char *command_find_foreign_byte(char byte, bool is_first_of_session);
/* All the ids that the two above give, for the manual's check; NULL behind the last. */
const char *command_foreign_reason(size_t index);

#endif
