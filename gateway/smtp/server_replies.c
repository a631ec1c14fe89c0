/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The words that clients hear; see server_replies.h. Codes follow RFC 5321 4.2
 * and RFC 3463. Rows of one class have the same words, whatever lies behind
 * them: the reason id tells the owner's log more than it tells a stranger, so
 * it never says which of two causes a recipient was refused for.
 */
#include "smtp/server_replies.h"

#include <assert.h>

struct row {
    struct reply reply;
    const char *meaning;
};

static const struct row rows[REPLY_COUNT] = {
    /* ---- Successes ---- */
    [REPLY_OK] = { { 250, "2.0.0", "ok", "" }, "the command was done" },
    [REPLY_SENDER_OK] = { { 250, "2.1.0", "sender ok", "" }, "the sender was taken" },
    [REPLY_RECIPIENT_OK] = { { 250, "2.1.5", "recipient ok", "" }, "the recipient was taken" },
    [REPLY_START_CONTENT] = { { 354, "", "go on, and end with a dot on a line by itself", "" },
                              "the message may come" },
    [REPLY_MESSAGE_ACCEPTED] = { { 250, "2.0.0", "accepted", "" },
                                 "the backend took the message for every recipient" },
    [REPLY_MESSAGE_HELD] = { { 250, "2.0.0", "accepted, and held for review", "" },
                             "the message is in the quarantine, and the client is told so" },
    [REPLY_CHUNK_OK] = { { 250, "2.0.0", "chunk ok", "" }, "a chunk was read, more may come" },
    [REPLY_EACH_FOLLOWS] = { { 353, "", "a reply for each recipient follows", "" },
                             "the client asked for one reply per recipient" },
    [REPLY_BYE] = { { 221, "2.0.0", "goodbye", "" }, "the client said QUIT" },
    [REPLY_START_TLS] = { { 220, "2.0.0", "start TLS now", "" }, "the handshake may begin" },
    [REPLY_HELP] = { { 214, "2.0.0", "see RFC 5321", "" }, "HELP helps nobody further" },
    [REPLY_PROBE_HIDDEN] = { { 252, "2.0.0", "cannot say, mail will be tried", "" },
                             "VRFY or EXPN got the answer that everyone gets" },

    /* ---- The dialogue itself ---- */
    [REPLY_UNKNOWN_COMMAND] = { { 500, "5.5.2", "unknown command", "command.unknown" },
                                "the line starts with no word of SMTP" },
    [REPLY_SYNTAX] = { { 501, "5.5.4", "malformed argument", "syntax.argument" },
                       "the command's argument is not of its form, or should not be there" },
    [REPLY_BAD_CHUNK_SIZE] = { { 501, "5.5.4", "malformed chunk size", "syntax.chunk-size" },
                               "BDAT has no readable size, so the next command cannot be found" },
    [REPLY_BAD_PARAMETER] = { { 501, "5.5.4", "malformed parameter", "syntax.parameter" },
                              "a parameter of MAIL or RCPT has a bad value, or came twice" },
    [REPLY_UNKNOWN_PARAMETER] = { { 555, "5.5.4", "parameter not known here", "parameter.unknown" },
                                  "a parameter belongs to an extension that was not offered" },
    [REPLY_BAD_SEQUENCE_HELLO] = { { 503, "5.5.1", "HELO or EHLO comes first", "sequence.hello" },
                                   "the client did not introduce itself" },
    [REPLY_BAD_SEQUENCE_MAIL] = { { 503, "5.5.1", "MAIL comes first", "sequence.mail" },
                                  "RCPT, DATA or BDAT came without an accepted MAIL" },
    [REPLY_BAD_SEQUENCE_RCPT] = { { 503, "5.5.1", "RCPT comes first", "sequence.rcpt" },
                                  "DATA or BDAT came before any RCPT" },
    [REPLY_BAD_SEQUENCE_NESTED] = { { 503, "5.5.1", "a transaction is open", "sequence.nested" },
                                    "MAIL or STARTTLS came inside a transaction" },
    [REPLY_BAD_SEQUENCE_CHUNKS] = { { 503, "5.5.1", "chunks are open, RSET starts over",
                                      "sequence.chunks" },
                                    "a chunk behind a refused one, or a command between chunks" },
    [REPLY_NO_VALID_RECIPIENTS] = { { 554, "5.5.1", "no valid recipients", "recipients.none" },
                                    "every RCPT of the transaction had been refused" },
    [REPLY_PROBE_REFUSED] = { { 502, "5.5.1", "not available", "probe.refused" },
                              "VRFY or EXPN is switched off on this listener" },
    [REPLY_NOT_IMPLEMENTED] = { { 502, "5.5.1", "not available", "command.refused" },
                                "a command that is not offered on this listener" },
    [REPLY_TLS_NOT_OFFERED] = { { 502, "5.5.1", "TLS is not offered", "tls.not-offered" },
                                "STARTTLS came where it had not been offered" },
    [REPLY_TLS_ALREADY] = { { 503, "5.5.1", "TLS is on already", "tls.already" },
                            "STARTTLS came inside TLS" },
    [REPLY_TLS_REQUIRED] = { { 530, "5.7.0", "STARTTLS comes first", "tls.required" },
                             "this listener takes mail inside TLS only" },
    [REPLY_TLS_INJECTION] = { { 554, "5.5.1", "input behind STARTTLS", "tls.injection" },
                              "plain text waited behind STARTTLS, perhaps put there on the way" },
    [REPLY_LINE_TOO_LONG] = { { 500, "5.5.2", "line too long", "syntax.line-too-long" },
                              "a command line had more than 2048 bytes" },
    [REPLY_LINE_ENDLESS] = { { 421, "4.5.0", "line without an end", "syntax.line-endless" },
                             "a refused command line went on for 64 KiB" },
    [REPLY_BAD_BYTES] = { { 500, "5.5.2", "bad byte, or a line end that is not CRLF",
                            "syntax.bad-bytes" },
                          "a command held a control byte, a bare CR or LF, or stray 8-bit text" },
    [REPLY_EARLY_INPUT] = { { 554, "5.5.1", "input before our reply", "sequence.early-input" },
                            "the client did not wait for a reply that decides what comes next" },
    [REPLY_FOREIGN_PROTOCOL] = { { 554, "5.5.1", "this port speaks SMTP", "foreign.binary" },
                                 "another protocol came to this port" },
    [REPLY_TOO_MANY_ERRORS] = { { 421, "4.7.0", "too many errors", "limit.errors" },
                                "the session had as many refused commands as it may" },
    [REPLY_TOO_MANY_COMMANDS] = { { 421, "4.7.0", "too many commands without mail",
                                    "limit.commands" },
                                  "the session went on without sending any mail" },
    [REPLY_IDLE_TIMEOUT] = { { 421, "4.4.2", "nothing heard for too long", "timeout.idle" },
                             "the client said nothing for the time it has between commands" },
    [REPLY_SESSION_TIMEOUT] = { { 421, "4.4.2", "session took too long", "timeout.session" },
                                "the session reached the time it has in all" },
    [REPLY_SHUTDOWN] = { { 421, "4.3.2", "closing for a moment, come back", "service.shutdown" },
                         "the gateway stops or was told to drain" },
    [REPLY_TOO_MANY_SESSIONS] = { { 421, "4.7.0", "too many connections, come back",
                                    "limit.sessions" },
                                  "the listener, or the worker, has as many sessions as it may" },
    [REPLY_TOO_MANY_FROM_ADDRESS] = { { 421, "4.7.0", "too many connections from your address",
                                        "limit.address" },
                                      "the client's address has as many sessions as it may" },
    [REPLY_TOO_MANY_FROM_NETWORK] = { { 421, "4.7.0", "too many connections from your network",
                                        "limit.network" },
                                      "the network around the client has as many as it may" },
    [REPLY_BAD_SENDER] = { { 501, "5.1.7", "malformed sender address", "syntax.sender" },
                           "the address in MAIL is no address" },
    [REPLY_BAD_RECIPIENT] = { { 501, "5.1.3", "malformed recipient address", "syntax.recipient" },
                              "the address in RCPT is no address" },
    [REPLY_ADDRESS_NEEDS_UTF8] = { { 553, "5.6.7", "this address needs SMTPUTF8",
                                     "address.needs-smtputf8" },
                                   "an address is not ASCII, and MAIL did not say SMTPUTF8" },
    [REPLY_TOO_MANY_RECIPIENTS] = { { 452, "4.5.3", "too many recipients, send the rest again",
                                      "limit.recipients" },
                                    "the transaction has all the recipients it may have" },

    /* ---- Content ---- */
    [REPLY_BARE_CR] = { { 554, "5.6.0", "bare CR in the message", "data.bare-cr" },
                        "the content held a CR without LF, which servers read differently" },
    [REPLY_BARE_LF] = { { 554, "5.6.0", "bare LF in the message", "data.bare-lf" },
                        "the content held an LF without CR, as SMTP smuggling does" },
    [REPLY_NUL] = { { 554, "5.6.0", "NUL in the message", "data.nul" },
                    "the content held a NUL byte" },
    [REPLY_CONTENT_LINE_TOO_LONG] = { { 554, "5.6.0", "line too long in the message",
                                        "data.line-too-long" },
                                      "a line of the content was longer than the listener takes" },
    [REPLY_MESSAGE_TOO_LARGE] = { { 552, "5.3.4", "message too large", "message.too-large" },
                                  "the message, or the size it announced, is over the limit" },
    [REPLY_HEADER_TOO_LARGE] = { { 554, "5.6.0", "header section too large",
                                   "message.header-too-large" },
                                 "the header section has too many bytes or fields" },
    [REPLY_LOOP] = { { 554, "5.4.6", "mail loop", "message.loop" },
                     "the message has been through too many servers, or here before" },

    /* ---- Where mail may go ---- */
    [REPLY_RELAY_DENIED] = { { 550, "5.7.1", "relaying denied", "relay.denied" },
                             "the domain is not ours and nothing lets this client relay" },
    [REPLY_ADDRESS_ROUTED] = { { 550, "5.7.1", "routing inside addresses is not done here",
                                 "relay.routed-address" },
                               "the local part holds %, ! or a quoted @, as old relays read" },
    [REPLY_NEEDS_8BITMIME] = { { 550, "5.6.3", "8-bit content cannot be passed on",
                                 "content.needs-8bitmime" },
                               "BODY=8BITMIME was given and the backend cannot take it" },
    [REPLY_NEEDS_SMTPUTF8] = { { 550, "5.6.7", "SMTPUTF8 cannot be passed on",
                                 "content.needs-smtputf8" },
                               "SMTPUTF8 was given and the backend cannot take it" },
    [REPLY_SPLIT_BACKEND] = { { 452, "4.5.3", "this recipient goes by itself, send again",
                                "split.backend" },
                              "the recipient has another backend than those before it" },
    [REPLY_SPLIT_POLICY] = { { 452, "4.5.3", "this recipient goes by itself, send again",
                               "split.policy" },
                             "the recipient has another policy than those before it" },

    /* ---- The backend's word, by class ---- */
    [REPLY_RECIPIENT_UNKNOWN] = { { 550, "5.1.1", "no such recipient", "recipient.unknown" },
                                  "the backend, or the list of recipients, knows no such address" },
    [REPLY_MAILBOX_FULL] = { { 552, "5.2.2", "mailbox full", "recipient.full" },
                             "the backend says that the mailbox is full" },
    [REPLY_BACKEND_REFUSED] = { { 550, "5.7.1", "not accepted", "backend.refused" },
                                "the backend refused for good; its words are in the log" },
    [REPLY_BACKEND_TOO_LARGE] = { { 552, "5.3.4", "message too large", "backend.too-large" },
                                  "the backend says that the message is too large" },
    [REPLY_BACKEND_DEFERRED] = { { 451, "4.3.0", "try again later", "backend.deferred" },
                                 "the backend refused for now; its words are in the log" },
    [REPLY_BACKEND_UNREACHABLE] = { { 451, "4.3.0", "try again later", "backend.unreachable" },
                                    "no address of the backend answered" },
    [REPLY_BACKEND_BUSY] = { { 451, "4.3.0", "try again later", "backend.busy" },
                             "every connection that the backend may have was in use" },
    [REPLY_BACKEND_LOST] = { { 451, "4.4.2", "outcome unknown, try again later", "backend.lost" },
                             "the backend went away, or fell silent, before it had answered" },

    /* ---- Ourselves ---- */
    [REPLY_NO_SPACE] = { { 452, "4.3.1", "no room, try again later", "system.no-space" },
                         "memory or disk for messages is used up" },
    [REPLY_NO_RECIPIENT_SPACE] = { { 452, "4.3.1", "no room for more recipients, try again later",
                                     "system.no-recipient-space" },
                                   "memory for recipients is used up" },
    [REPLY_DISK_TIMEOUT] = { { 451, "4.3.0", "try again later", "timeout.disk" },
                             "the disk took longer than spool-timeout to store the message" },
    [REPLY_LOG_FULL] = { { 451, "4.3.0", "try again later", "log.full" },
                         "the log has no room for the transaction's line" },
    [REPLY_BUDGET_SPENT] = { { 451, "4.3.0", "try again later", "timeout.decision" },
                             "checks and decision took longer than post-dot-budget" },
    [REPLY_QUARANTINE_FULL] = { { 452, "4.3.1", "no room, try again later", "quarantine.full" },
                                "a mail to be held finds no room: the disk is full, or max-size of "
                                "the quarantine is reached" },
    [REPLY_QUARANTINE_BUSY] = { { 451, "4.3.0", "try again later", "quarantine.busy" },
                                "a mail to be held, and max-waiting others wait for the disk" },
    [REPLY_QUARANTINE_FAILED] = { { 451, "4.3.0", "try again later", "quarantine.failed" },
                                  "a mail to be held could not be stored; the log says why" },
    [REPLY_QUARANTINE_TIMEOUT] = { { 451, "4.3.0", "try again later", "timeout.quarantine" },
                                   "a mail to be held was not stored within post-dot-budget" },
    [REPLY_INTERNAL] = { { 451, "4.3.0", "try again later", "system.internal" },
                         "something failed inside the gateway; the log has the rest" },

    /* ---- Policy ---- */
    [REPLY_POLICY_REJECT] = { { 550, "5.7.1", "refused by policy", "policy.reject" },
                              "a rule refused the mail; the reason names the rule" },
    [REPLY_POLICY_TEMPFAIL] = { { 451, "4.7.1", "not now, try again later", "policy.tempfail" },
                                "a rule deferred the mail; the reason names the rule" },
    [REPLY_DNS_TEMPERROR] = { { 451, "4.4.3",
                                "a DNS lookup on which this depends failed, try again later",
                                "dns.temperror" },
                              "the DNS has left open a rule that could decide" },
    [REPLY_MIXED_TEMPFAIL] = { { 451, "4.7.1", "not now, try again later", "mixed.tempfail" },
                               "one recipient's policy defers the mail, so nobody gets it yet" },
    [REPLY_MIXED_SPLIT] = { { 451, "4.5.3", "send to one recipient at a time", "mixed.split" },
                            "the recipients' policies differ about this mail" },
};

struct reply server_reply_get(enum server_reply id)
{
    assert((unsigned int)id < REPLY_COUNT);
    return rows[id].reply;
}

const char *server_reply_meaning(enum server_reply id)
{
    assert((unsigned int)id < REPLY_COUNT);
    return rows[id].meaning;
}
