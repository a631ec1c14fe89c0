/* SPDX-License-Identifier: BSD-2-Clause */
/* smtp/: command lines and their arguments, and the replies with their manual. */
#include <stdio.h>
#include <string.h>

#include "smtp/command.h"
#include "smtp/server_replies.h"
#include "unit.h"

#define ALL_EXTENSIONS 0x1ffu

/* ---- Lines ---- */

START_TEST(a_line_is_a_verb_and_its_argument)
{
    static const struct {
        struct slice line;
        enum command_verb verb;
        const char *argument;
    } cases[] = {
        { BYTES("EHLO mx"), COMMAND_EHLO, "mx" },
        { BYTES("helo  mx \t "), COMMAND_HELO, "mx" },
        { BYTES("MAIL FROM:<a@b> SIZE=1"), COMMAND_MAIL, "FROM:<a@b> SIZE=1" },
        { BYTES("rCpT\tTO:<a@b>"), COMMAND_RCPT, "TO:<a@b>" },
        { BYTES("DATA"), COMMAND_DATA, "" },
        { BYTES("BDAT 1 LAST"), COMMAND_BDAT, "1 LAST" },
        { BYTES("RSET "), COMMAND_RSET, "" },
        { BYTES("NOOP"), COMMAND_NOOP, "" },
        { BYTES("QUIT"), COMMAND_QUIT, "" },
        { BYTES("VRFY a b"), COMMAND_VRFY, "a b" },
        { BYTES("EXPN x"), COMMAND_EXPN, "x" },
        { BYTES("HELP"), COMMAND_HELP, "" },
        { BYTES("STARTTLS"), COMMAND_STARTTLS, "" },
        { BYTES("AUTH PLAIN"), COMMAND_REFUSED, "PLAIN" },
        { BYTES("TURN"), COMMAND_REFUSED, "" },
        { BYTES("DATAS"), COMMAND_UNKNOWN, "" },
        { BYTES("DAT"), COMMAND_UNKNOWN, "" },
        { BYTES("DATA\r"), COMMAND_UNKNOWN, "" },
        { BYTES(" DATA"), COMMAND_UNKNOWN, "DATA" },
        { BYTES(""), COMMAND_UNKNOWN, "" },
        { BYTES("   "), COMMAND_UNKNOWN, "" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct command got = command_parse(cases[i].line);

        ck_assert_msg(got.verb == cases[i].verb, "line %zu: verb %d, want %d", i, got.verb,
                      cases[i].verb);
        ck_assert_msg(slice_equals(got.argument, slice_from(cases[i].argument)),
                      "line %zu: argument \"%.*s\", want \"%s\"", i, SLICE_ARGS(got.argument),
                      cases[i].argument);
    }
}
END_TEST

START_TEST(bad_bytes_are_seen_wherever_they_stand)
{
    static const struct {
        struct slice line;
        bool is_bad, is_bad_with_utf8;
    } cases[] = {
        { BYTES("NOOP ~ \t"), false, false },
        { BYTES("NOOP \x7f"), true, true },
        { BYTES("NOOP\0"), true, true },
        { BYTES("MAIL FROM:<a\r@b>"), true, true },
        { BYTES("MAIL FROM:<a\n@b>"), true, true },
        { BYTES("MAIL FROM:<\xc3\xa9@b>"), true, false },
        { BYTES("RCPT TO:<\xc3\xa9@b>"), true, false },
        { BYTES("VRFY \xc3\xa9"), true, false },
        { BYTES("EHLO \xc3\xa9"), true, true },
        { BYTES("MAIL FROM:<\xc3@b>"), true, true },
        { BYTES("MAIL FROM:<\xc0\xaf@b>"), true, true },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct command command = command_parse(cases[i].line);

        ck_assert_msg(command_has_bad_bytes(&command, cases[i].line, false) == cases[i].is_bad,
                      "line %zu", i);
        ck_assert_msg(command_has_bad_bytes(&command, cases[i].line, true) ==
                          cases[i].is_bad_with_utf8,
                      "line %zu with UTF-8", i);
    }
}
END_TEST

START_TEST(a_hello_name_is_one_printable_word)
{
    char name[COMMAND_MAX_HELLO_BYTES + 1];

    memset(name, 'x', sizeof name);
    ck_assert(command_is_hello_name((struct slice){ name, COMMAND_MAX_HELLO_BYTES }));
    ck_assert(!command_is_hello_name((struct slice){ name, COMMAND_MAX_HELLO_BYTES + 1 }));
    ck_assert(command_is_hello_name(SLICE("[IPv6:2001:db8::1]")));
    ck_assert(command_is_hello_name(SLICE("under_score")));
    ck_assert(!command_is_hello_name(SLICE("")));
    ck_assert(!command_is_hello_name(SLICE("a b")));
    ck_assert(!command_is_hello_name(SLICE("a\tb")));
    ck_assert(!command_is_hello_name(SLICE("\xc3\xa9")));
}
END_TEST

/* ---- MAIL ---- */

static void print_mail(struct text *out, const struct envelope *mail, bool is_prdr)
{
    text_add_format(out, "<%s>", mail->sender.text);
    if (mail->has_size)
        text_add_format(out, " size=%llu", (unsigned long long)mail->size_bytes);
    if (mail->body != BODY_NONE)
        text_add_format(out, " body=%d", mail->body);
    if (mail->is_smtputf8)
        text_add(out, SLICE(" utf8"));
    if (mail->ret != DSN_RETURN_NONE)
        text_add_format(out, " ret=%d", mail->ret);
    if (mail->envid != NULL)
        text_add_format(out, " envid=%s", mail->envid);
    if (is_prdr)
        text_add(out, SLICE(" prdr"));
}

struct argument_case {
    const char *argument;
    const char *want;
    enum command_problem problem;
};

static void expect_mail(const struct argument_case *cases, size_t count, unsigned int extensions)
{
    struct envelope mail;

    envelope_init(&mail);
    for (size_t i = 0; i < count; i++) {
        enum command_problem problem;
        struct text got;
        bool is_prdr;

        problem = command_parse_mail(slice_from(cases[i].argument), extensions, &mail, &is_prdr);
        ck_assert_msg(problem == cases[i].problem, "\"%s\": problem %d, want %d", cases[i].argument,
                      problem, cases[i].problem);
        text_init(&got, 1000);
        if (problem == COMMAND_OK) {
            print_mail(&got, &mail, is_prdr);
            unit_expect_text(cases[i].argument, &got, slice_from(cases[i].want));
        }
        text_clear(&got);
    }
    envelope_clear(&mail);
}

START_TEST(mail_takes_a_path_and_known_parameters)
{
    static const struct argument_case cases[] = {
        { "FROM:<a@b.example>", "<a@b.example>", COMMAND_OK },
        { "from: \t <a@B.Example>", "<a@b.example>", COMMAND_OK },
        { "FROM:<>", "<>", COMMAND_OK },
        { "FROM:<> SIZE=0", "<> size=0", COMMAND_OK },
        { "FROM:<>  SIZE=5\tBODY=8bitmime", "<> size=5 body=2", COMMAND_OK },
        { "FROM:<> BODY=7BIT SMTPUTF8 PRDR RET=hdrs ENVID=a+2Bb",
          "<> body=1 utf8 ret=2 envid=a+2Bb prdr", COMMAND_OK },
        { "FROM:<> RET=FULL", "<> ret=1", COMMAND_OK },
        { "FROM:<> SIZE=18446744073709551615", "<> size=18446744073709551615", COMMAND_OK },
        { "FROM:<> SIZE=99999999999999999999", "<> size=18446744073709551615", COMMAND_OK },
        { "FROM:<\xc3\xa9@b.example> SMTPUTF8", "<\xc3\xa9@b.example> utf8", COMMAND_OK },
        { "FROM:<\xc3\xa9@b.example>", "", COMMAND_ADDRESS_NEEDS_UTF8 },
        { "", "", COMMAND_SYNTAX },
        { "FROM", "", COMMAND_SYNTAX },
        { "FROM :<a@b.example>", "", COMMAND_SYNTAX },
        { "TO:<a@b.example>", "", COMMAND_SYNTAX },
        { "FROM:<a@b.example>SIZE=1", "", COMMAND_SYNTAX },
        { "FROM:<a@b.example>>", "", COMMAND_SYNTAX },
        { "FROM:", "", COMMAND_BAD_ADDRESS },
        { "FROM:a@b.example", "", COMMAND_BAD_ADDRESS },
        { "FROM:<a@b.example", "", COMMAND_BAD_ADDRESS },
        { "FROM:<a>", "", COMMAND_BAD_ADDRESS },
        { "FROM:<a b@c.example>", "", COMMAND_BAD_ADDRESS },
        { "FROM:<> SIZE", "", COMMAND_BAD_PARAMETER },
        { "FROM:<> SIZE=", "", COMMAND_BAD_PARAMETER },
        { "FROM:<> SIZE=-1", "", COMMAND_BAD_PARAMETER },
        { "FROM:<> SIZE=1k", "", COMMAND_BAD_PARAMETER },
        { "FROM:<> SIZE=000000000000000000001", "", COMMAND_BAD_PARAMETER },
        { "FROM:<> SIZE=1 size=1", "", COMMAND_BAD_PARAMETER },
        { "FROM:<> BODY=BINARYMIME", "", COMMAND_BAD_PARAMETER },
        { "FROM:<> BODY=", "", COMMAND_BAD_PARAMETER },
        { "FROM:<> SMTPUTF8=1", "", COMMAND_BAD_PARAMETER },
        { "FROM:<> PRDR PRDR", "", COMMAND_BAD_PARAMETER },
        { "FROM:<> RET=ALL", "", COMMAND_BAD_PARAMETER },
        { "FROM:<> ENVID=", "", COMMAND_BAD_PARAMETER },
        { "FROM:<> ENVID=a=b", "", COMMAND_BAD_PARAMETER },
        { "FROM:<> ENVID=a+2b", "", COMMAND_BAD_PARAMETER },
        { "FROM:<> ENVID=a+2", "", COMMAND_BAD_PARAMETER },
        { "FROM:<> ENVID=a+", "", COMMAND_BAD_PARAMETER },
        { "FROM:<> ENVID=\xc3\xa9", "", COMMAND_BAD_PARAMETER },
        { "FROM:<> AUTH=<>", "", COMMAND_UNKNOWN_PARAMETER },
        { "FROM:<> NOTIFY=NEVER", "", COMMAND_UNKNOWN_PARAMETER },
        { "FROM:<> =1", "", COMMAND_UNKNOWN_PARAMETER },
        { "FROM:<> SIZE=1 X", "", COMMAND_UNKNOWN_PARAMETER },
    };

    expect_mail(cases, COUNT(cases), ALL_EXTENSIONS);
}
END_TEST

START_TEST(parameters_need_their_extension)
{
    static const struct argument_case cases[] = {
        { "FROM:<>", "<>", COMMAND_OK },
        { "FROM:<> SIZE=1", "", COMMAND_UNKNOWN_PARAMETER },
        { "FROM:<> BODY=7BIT", "", COMMAND_UNKNOWN_PARAMETER },
        { "FROM:<> SMTPUTF8", "", COMMAND_UNKNOWN_PARAMETER },
        { "FROM:<> RET=FULL", "", COMMAND_UNKNOWN_PARAMETER },
        { "FROM:<> ENVID=x", "", COMMAND_UNKNOWN_PARAMETER },
        { "FROM:<> PRDR", "", COMMAND_UNKNOWN_PARAMETER },
        { "FROM:<\xc3\xa9@b.example> SMTPUTF8", "", COMMAND_ADDRESS_NEEDS_UTF8 },
    };

    expect_mail(cases, COUNT(cases), SERVER_PIPELINING | SERVER_CHUNKING | SERVER_STARTTLS);
}
END_TEST

/* ---- RCPT ---- */

START_TEST(rcpt_takes_a_path_and_known_parameters)
{
    static const struct {
        const char *argument;
        bool allow_utf8;
        enum command_problem problem;
        const char *address;
        unsigned int notify;
        const char *orcpt;
    } cases[] = {
        { "TO:<a@b.example>", false, COMMAND_OK, "a@b.example", 0, NULL },
        { "to:  <Postmaster>", false, COMMAND_OK, "Postmaster", 0, NULL },
        { "TO:<a@b.example> NOTIFY=never", false, COMMAND_OK, "a@b.example", DSN_NOTIFY_NEVER,
          NULL },
        { "TO:<a@b.example> NOTIFY=SUCCESS,delay,FAILURE ORCPT=rfc822;a+2Bb@b.example", false,
          COMMAND_OK, "a@b.example", DSN_NOTIFY_SUCCESS | DSN_NOTIFY_DELAY | DSN_NOTIFY_FAILURE,
          "rfc822;a+2Bb@b.example" },
        { "TO:<\xc3\xa9@b.example> ORCPT=UTF-8;\xc3\xa9@b.example", true, COMMAND_OK,
          "\xc3\xa9@b.example", 0, "UTF-8;\xc3\xa9@b.example" },
        { "TO:<a@b.example> ORCPT=utf-8;\\x{E9}@b.example", false, COMMAND_OK, "a@b.example", 0,
          "utf-8;\\x{E9}@b.example" },
        { "TO:<\xc3\xa9@b.example>", false, COMMAND_ADDRESS_NEEDS_UTF8, NULL, 0, NULL },
        { "TO:<a@b.example> ORCPT=rfc822;\xc3\xa9@b", true, COMMAND_BAD_PARAMETER, NULL, 0, NULL },
        { "TO:<a@b.example> ORCPT=utf-8;\xc3\xa9@b", false, COMMAND_BAD_PARAMETER, NULL, 0, NULL },
        { "TO:<>", false, COMMAND_BAD_ADDRESS, NULL, 0, NULL },
        { "TO:a@b.example", false, COMMAND_BAD_ADDRESS, NULL, 0, NULL },
        { "TO:<a@b.example><c@d.example>", false, COMMAND_SYNTAX, NULL, 0, NULL },
        { "FROM:<a@b.example>", false, COMMAND_SYNTAX, NULL, 0, NULL },
        { "TO:<a@b.example> NOTIFY", false, COMMAND_BAD_PARAMETER, NULL, 0, NULL },
        { "TO:<a@b.example> NOTIFY=", false, COMMAND_BAD_PARAMETER, NULL, 0, NULL },
        { "TO:<a@b.example> NOTIFY=NEVER,DELAY", false, COMMAND_BAD_PARAMETER, NULL, 0, NULL },
        { "TO:<a@b.example> NOTIFY=DELAY,", false, COMMAND_BAD_PARAMETER, NULL, 0, NULL },
        { "TO:<a@b.example> NOTIFY=DELAY,DELAY", false, COMMAND_BAD_PARAMETER, NULL, 0, NULL },
        { "TO:<a@b.example> ORCPT=rfc822", false, COMMAND_BAD_PARAMETER, NULL, 0, NULL },
        { "TO:<a@b.example> ORCPT=;a", false, COMMAND_BAD_PARAMETER, NULL, 0, NULL },
        { "TO:<a@b.example> ORCPT=rfc822;", false, COMMAND_BAD_PARAMETER, NULL, 0, NULL },
        { "TO:<a@b.example> ORCPT=rfc822;a ORCPT=rfc822;a", false, COMMAND_BAD_PARAMETER, NULL, 0,
          NULL },
        { "TO:<a@b.example> SIZE=1", false, COMMAND_UNKNOWN_PARAMETER, NULL, 0, NULL },
    };
    struct recipient recipient = { .notify = 0 };

    for (size_t i = 0; i < COUNT(cases); i++) {
        enum command_problem problem = command_parse_rcpt(
            slice_from(cases[i].argument), ALL_EXTENSIONS, cases[i].allow_utf8, &recipient);

        ck_assert_msg(problem == cases[i].problem, "\"%s\": problem %d, want %d", cases[i].argument,
                      problem, cases[i].problem);
        if (problem != COMMAND_OK)
            continue;
        ck_assert_str_eq(recipient.address.text, cases[i].address);
        ck_assert_uint_eq(recipient.notify, cases[i].notify);
        ck_assert_pstr_eq(recipient.orcpt, cases[i].orcpt);
    }
    recipient_clear(&recipient);
}
END_TEST

START_TEST(long_values_have_their_limit)
{
    static const struct {
        const char *start;
        size_t max_bytes; /* of the value */
        bool is_mail;
    } cases[] = {
        { "FROM:<> ENVID=", COMMAND_MAX_ENVID_BYTES, true },
        { "TO:<a@b.example> ORCPT=rfc822;", COMMAND_MAX_ORCPT_BYTES, false },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        for (size_t over = 0; over < 2; over++) {
            struct slice start = slice_from(cases[i].start);
            struct envelope mail;
            struct recipient recipient = { .notify = 0 };
            enum command_problem got;
            struct text argument;
            size_t equals;
            bool is_prdr;

            envelope_init(&mail);
            text_init(&argument, 2000);
            text_add(&argument, start);
            ck_assert(slice_find_byte(start, '=', &equals));
            while (argument.length < equals + 1 + cases[i].max_bytes + over)
                text_add_byte(&argument, 'x');
            got =
                cases[i].is_mail
                    ? command_parse_mail(text_slice(&argument), ALL_EXTENSIONS, &mail, &is_prdr)
                    : command_parse_rcpt(text_slice(&argument), ALL_EXTENSIONS, false, &recipient);
            ck_assert_msg(got == (over > 0 ? COMMAND_BAD_PARAMETER : COMMAND_OK), "case %zu + %zu",
                          i, over);
            text_clear(&argument);
            envelope_clear(&mail);
            recipient_clear(&recipient);
        }
    }
}
END_TEST

/* ---- BDAT ---- */

START_TEST(bdat_takes_a_size_and_perhaps_last)
{
    static const struct {
        const char *argument;
        enum command_problem problem;
        uint64_t bytes;
        bool is_last;
    } cases[] = {
        { "0", COMMAND_OK, 0, false },
        { "86 LAST", COMMAND_OK, 86, true },
        { "86  last", COMMAND_OK, 86, true },
        { "9223372036854775807", COMMAND_OK, INT64_MAX, false },
        { "9223372036854775808", COMMAND_SYNTAX, 0, false },
        { "", COMMAND_SYNTAX, 0, false },
        { "LAST", COMMAND_SYNTAX, 0, false },
        { "1LAST", COMMAND_SYNTAX, 0, false },
        { "1 LAST x", COMMAND_SYNTAX, 0, false },
        { "1 MORE", COMMAND_SYNTAX, 0, false },
        { "-1", COMMAND_SYNTAX, 0, false },
        { "0x10", COMMAND_SYNTAX, 0, false },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t bytes;
        bool is_last;
        enum command_problem problem =
            command_parse_bdat(slice_from(cases[i].argument), &bytes, &is_last);

        ck_assert_msg(problem == cases[i].problem, "\"%s\": problem %d", cases[i].argument,
                      problem);
        ck_assert_msg(
            problem != COMMAND_OK || (bytes == cases[i].bytes && is_last == cases[i].is_last),
            "\"%s\": %llu, last %d", cases[i].argument, (unsigned long long)bytes, is_last);
    }
}
END_TEST

/* ---- Replies ---- */

START_TEST(every_reply_is_whole)
{
    for (int id = 0; id < REPLY_COUNT; id++) {
        struct reply reply = server_reply_get(id);
        char class;

        ck_assert_msg(reply.code >= 200 && reply.code <= 599, "reply %d: code %d", id, reply.code);
        ck_assert_msg(reply.text[0] != '\0' && server_reply_meaning(id)[0] != '\0',
                      "reply %d has no words", id);
        class = (char)('0' + reply.code / 100);
        if (reply.code / 100 == 3)
            ck_assert_msg(reply.enhanced[0] == '\0', "reply %d: a 3xx has no enhanced code", id);
        else
            ck_assert_msg(reply.enhanced[0] == class && strlen(reply.enhanced) == 5,
                          "reply %d: %d with %s", id, reply.code, reply.enhanced);
        ck_assert_msg((reply.reason[0] != '\0') == (reply.code >= 400),
                      "reply %d: %d with the reason \"%s\"", id, reply.code, reply.reason);
        for (int other = 0; other < id && reply.reason[0] != '\0'; other++)
            ck_assert_msg(strcmp(server_reply_get(other).reason, reply.reason) != 0,
                          "%s stands for two replies", reply.reason);
    }
}
END_TEST

static void read_manual(struct text *manual)
{
    const char *root = getenv("POSTERN_SRCDIR");
    struct text path;
    char block[4096];
    size_t length;
    FILE *file;

    text_init(&path, 4096);
    text_add_format(&path, "%s/gateway/smtp/postern-reasons.7", root != NULL ? root : ".");
    file = fopen(text_string(&path), "r");
    ck_assert_msg(file != NULL, "%s cannot be read", text_string(&path));
    text_init(manual, 1 << 20);
    while ((length = fread(block, 1, sizeof block, file)) > 0)
        text_add(manual, (struct slice){ block, length });
    fclose(file);
    text_clear(&path);
}

static void expect_in_manual(struct text *manual, const char *reason, const char *code)
{
    struct text line;

    text_init(&line, 200);
    text_add_format(&line, "\n.It Cm %s Pq %s\n", reason, code);
    ck_assert_msg(strstr(text_string(manual), text_string(&line)) != NULL,
                  "the manual lacks \"%s\"", text_string(&line));
    text_clear(&line);
}

START_TEST(the_manual_has_every_reason_with_its_code)
{
    struct text manual, code;
    size_t listed = 0;
    size_t known = 0;

    read_manual(&manual);
    text_init(&code, 100);
    for (int id = 0; id < REPLY_COUNT; id++) {
        struct reply reply = server_reply_get(id);

        if (reply.reason[0] == '\0' || id == REPLY_FOREIGN_PROTOCOL)
            continue;
        text_reset(&code);
        text_add_format(&code, "%d %s", reply.code, reply.enhanced);
        expect_in_manual(&manual, reply.reason, text_string(&code));
        known++;
    }
    for (size_t i = 0; command_foreign_reason(i) != NULL; i++, known++)
        expect_in_manual(&manual, command_foreign_reason(i), "554 5.5.1");
    for (const char *at = text_string(&manual); (at = strstr(at, "\n.It Cm ")) != NULL; at++)
        listed++;
    ck_assert_msg(listed == known, "the manual lists %zu reasons, the tables have %zu", listed,
                  known);
    text_clear(&code);
    text_clear(&manual);
}
END_TEST

static Suite *command_suite(void)
{
    Suite *suite = suite_create("smtp: commands and replies");
    TCase *lines = tcase_create("lines");
    TCase *arguments = tcase_create("arguments");
    TCase *replies = tcase_create("replies");

    tcase_add_test(lines, a_line_is_a_verb_and_its_argument);
    tcase_add_test(lines, bad_bytes_are_seen_wherever_they_stand);
    tcase_add_test(lines, a_hello_name_is_one_printable_word);
    tcase_add_test(arguments, mail_takes_a_path_and_known_parameters);
    tcase_add_test(arguments, parameters_need_their_extension);
    tcase_add_test(arguments, rcpt_takes_a_path_and_known_parameters);
    tcase_add_test(arguments, long_values_have_their_limit);
    tcase_add_test(arguments, bdat_takes_a_size_and_perhaps_last);
    tcase_add_test(replies, every_reply_is_whole);
    tcase_add_test(replies, the_manual_has_every_reason_with_its_code);
    suite_add_tcase(suite, lines);
    suite_add_tcase(suite, arguments);
    suite_add_tcase(suite, replies);
    return suite;
}

int main(void)
{
    return unit_run(command_suite());
}
