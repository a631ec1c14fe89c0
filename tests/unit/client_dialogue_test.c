/* SPDX-License-Identifier: BSD-2-Clause */
/* smtp/client_dialogue: what is said in every state, what every class of reply leads to. */
#include <string.h>

#include "client_player.h"

/* ---- Whole dialogues. */

static void set_plain(struct player *player)
{
    (void)player;
}

static void set_two_recipients(struct player *player)
{
    add_recipient(&player->envelope, "<e@f.example>");
}

static void set_replay(struct player *player)
{
    set_two_recipients(player);
    player->mail.goes_on_to_content = true;
    player->mail.size_bytes = 1234;
}

static void set_everything(struct player *player)
{
    player->envelope.body = BODY_8BITMIME;
    player->envelope.is_smtputf8 = true;
    player->envelope.ret = DSN_RETURN_HEADERS;
    player->envelope.envid = mem_copy(SLICE("id+2B1"));
    player->envelope.recipients[0].notify = DSN_NOTIFY_SUCCESS | DSN_NOTIFY_DELAY;
    player->envelope.recipients[0].orcpt = mem_copy(SLICE("rfc822;x@d.example"));
    player->mail.size_bytes = 99;
}

static void set_8bit(struct player *player)
{
    player->envelope.body = BODY_8BITMIME;
}

static void set_8bit_assumed(struct player *player)
{
    player->envelope.body = BODY_8BITMIME;
    player->options.assumed = SERVER_8BITMIME;
}

static void set_smtputf8(struct player *player)
{
    player->envelope.is_smtputf8 = true;
}

static void set_long(struct player *player)
{
    player->is_long = true;
}

static void set_long_halfway(struct player *player)
{
    player->is_long = player->stops_in_content = true;
}

static void set_chunking_off(struct player *player)
{
    player->options.is_chunking_wanted = false;
}

static void set_tls_optional(struct player *player)
{
    player->options.tls = CLIENT_TLS_OPTIONAL;
}

static void set_tls_required(struct player *player)
{
    player->options.tls = CLIENT_TLS_REQUIRED;
}

static void set_xclient_named(struct player *player)
{
    set_xclient(player);
    player->identity.helo = "client.example";
    player->identity.is_extended = false;
    ck_assert(ip_endpoint_parse(SLICE("[2001:db8::2]:4711"), &player->identity.client));
}

static void set_xclient_8bit(struct player *player)
{
    set_xclient_named(player);
    set_8bit(player);
}

static const struct {
    const char *name;
    void (*set)(struct player *player);
    const char *server;
    const char *said;
    const char *events;
} dialogues[] = {
    { "one by one", set_plain,
      GREETING ALONE "250 ok\r\n|250 ok\r\n|354 go\r\n|250 queued\r\n",
      EHLO MAIL "|" RCPT "|DATA\r\n|" CONTENT "|", "ready rcpt:250 go outcome:250" },
    { "in one packet", set_plain,
      GREETING PIPELINED "250 ok\r\n250 ok\r\n|354 go\r\n|250 queued\r\n",
      EHLO MAIL RCPT "|DATA\r\n|" CONTENT "|", "ready rcpt:250 go outcome:250" },
    { "two recipients, one by one", set_two_recipients,
      GREETING ALONE "250 ok\r\n|550 no\r\n|250 ok\r\n|354 go\r\n|250 queued\r\n",
      EHLO MAIL "|" RCPT "|RCPT TO:<e@f.example>\r\n|DATA\r\n|" CONTENT "|",
      "ready rcpt:550 rcpt:250 go outcome:250" },
    { "replay in one packet", set_replay,
      GREETING "250-mx\r\n250-SIZE 5000\r\n250 PIPELINING\r\n|"
      "250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n|250 queued\r\n",
      EHLO "MAIL FROM:<a@b.example> SIZE=1234\r\n" RCPT "RCPT TO:<e@f.example>\r\nDATA\r\n|" CONTENT
      "|", "ready rcpt:250 rcpt:250 go outcome:250" },
    { "replay one by one", set_replay,
      GREETING ALONE "250 ok\r\n|250 ok\r\n|250 ok\r\n|354 go\r\n|250 queued\r\n",
      EHLO MAIL "|" RCPT "|RCPT TO:<e@f.example>\r\n|DATA\r\n|" CONTENT "|",
      "ready rcpt:250 rcpt:250 go outcome:250" },
    { "BDAT in one go", set_plain,
      GREETING CHUNKED "250 ok\r\n250 ok\r\n|250 queued\r\n",
      EHLO MAIL RCPT "|BDAT 13 LAST\r\n" CHUNK "|", "ready rcpt:250 go outcome:250" },
    { "BDAT in one go, one by one", set_plain,
      GREETING "250-mx\r\n250 CHUNKING\r\n|250 ok\r\n|250 ok\r\n|250 queued\r\n",
      EHLO MAIL "|" RCPT "|BDAT 13 LAST\r\n" CHUNK "|", "ready rcpt:250 go outcome:250" },
    { "BDAT of a long content", set_long,
      GREETING CHUNKED "250 ok\r\n250 ok\r\n|250 got it\r\n|250 queued\r\n",
      EHLO MAIL RCPT "|BDAT 13\r\n" CHUNK "BDAT 0 LAST\r\n||",
      "ready rcpt:250 go outcome:250" },
    { "both answers to BDAT in one packet", set_long,
      GREETING CHUNKED "250 ok\r\n250 ok\r\n|250 got it\r\n450 later\r\n",
      EHLO MAIL RCPT "|BDAT 13\r\n" CHUNK "BDAT 0 LAST\r\n|",
      "ready rcpt:250 go outcome:450" },
    { "chunk refused behind LAST", set_long,
      GREETING CHUNKED "250 ok\r\n250 ok\r\n|552 too much\r\n503 no\r\n",
      EHLO MAIL RCPT "|BDAT 13\r\n" CHUNK "BDAT 0 LAST\r\n|",
      "ready rcpt:250 go outcome:552" },
    { "long content, CHUNKING without PIPELINING", set_long,
      GREETING "250-mx\r\n250 CHUNKING\r\n|250 ok\r\n|250 ok\r\n|354 go\r\n|250 queued\r\n",
      EHLO MAIL "|" RCPT "|DATA\r\n|" CONTENT "|", "ready rcpt:250 go outcome:250" },
    { "CHUNKING switched off", set_chunking_off,
      GREETING CHUNKED "250 ok\r\n250 ok\r\n|354 go\r\n|250 queued\r\n",
      EHLO MAIL RCPT "|DATA\r\n|" CONTENT "|", "ready rcpt:250 go outcome:250" },
    { "replay by BDAT waits for the last recipient", set_replay,
      GREETING CHUNKED "250 ok\r\n250 ok\r\n|250 ok\r\n|250 queued\r\n",
      EHLO MAIL RCPT "RCPT TO:<e@f.example>\r\n||BDAT 13 LAST\r\n" CHUNK "|",
      "ready rcpt:250 rcpt:250 go outcome:250" },
    { "a reply too many behind a replay", set_replay,
      GREETING CHUNKED "250 ok\r\n250 ok\r\n250 ok\r\n250 queued?\r\n",
      EHLO MAIL RCPT "RCPT TO:<e@f.example>\r\n|",
      "ready rcpt:250 failed(RCPT: a reply that does not fit)" },
    { "a reply too many behind BDAT", set_plain,
      GREETING CHUNKED "250 ok\r\n250 ok\r\n|250 queued\r\n250 again\r\n",
      EHLO MAIL RCPT "|BDAT 13 LAST\r\n" CHUNK "|",
      "ready rcpt:250 go outcome:250 failed(idle: a reply that does not fit)" },
    { "old server", set_everything,
      GREETING "502 what?\r\n|250 mx\r\n|",
      EHLO "HELO gw.example.org\r\n||", "ready lacks-smtputf8" },
    { "old server, plain mail", set_plain,
      GREETING "502 what?\r\n|250 mx\r\n|250 ok\r\n|250 ok\r\n|354 go\r\n|250 queued\r\n",
      EHLO "HELO gw.example.org\r\n|" MAIL "|" RCPT "|DATA\r\n|" CONTENT "|",
      "ready rcpt:250 go outcome:250" },
    { "all parameters", set_everything,
      GREETING "250-mx\r\n250-size 100\r\n250-8bitmime\r\n250-Smtputf8\r\n250 DSN\r\n|250 ok\r\n|",
      EHLO "MAIL FROM:<a@b.example> SIZE=99 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=id+2B1\r\n|"
      "RCPT TO:<c@d.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;x@d.example\r\n", "ready" },
    { "8bit lacking", set_8bit, GREETING ALONE, EHLO "|", "ready lacks-8bitmime" },
    { "8bit assumed", set_8bit_assumed, GREETING ALONE, EHLO MAIL, "ready" },
    { "utf8 lacking", set_smtputf8, GREETING "250-mx\r\n250 8BITMIME\r\n|", EHLO "|",
      "ready lacks-smtputf8" },
    { "STARTTLS", set_tls_required,
      GREETING "250-mx\r\n250-PIPELINING\r\n250 STARTTLS\r\n|220 go\r\n|250 mx\r\n|",
      EHLO "STARTTLS\r\n|" EHLO MAIL, "start-tls ready" },
    { "STARTTLS refused", set_tls_optional,
      GREETING "250-mx\r\n250 STARTTLS\r\n|454 not now\r\n|", EHLO "STARTTLS\r\n|" MAIL, "ready" },
    { "STARTTLS not offered", set_tls_optional, GREETING ALONE, EHLO MAIL, "ready" },
    { "STARTTLS required and not offered", set_tls_required, GREETING ALONE, EHLO,
      "failed(EHLO: STARTTLS is required and not offered)" },
    { "STARTTLS required and refused", set_tls_required,
      GREETING "250-mx\r\n250 STARTTLS\r\n|454 not now\r\n", EHLO "STARTTLS\r\n|",
      "failed(STARTTLS: refused)" },
    { "STARTTLS with bytes behind it", set_tls_optional,
      GREETING "250-mx\r\n250 STARTTLS\r\n|220 go\r\n250 mx\r\n", EHLO "STARTTLS\r\n|",
      "failed(STARTTLS: bytes behind the reply to STARTTLS)" },
    { "XCLIENT", set_xclient,
      GREETING XCLIENT_ALL "220 mx\r\n|" PIPELINED "250 ok\r\n250 ok\r\n|354 go\r\n|"
      "250 queued\r\n",
      EHLO "XCLIENT NAME=[UNAVAILABLE] ADDR=192.0.2.7 PORT=4711 PROTO=ESMTP HELO=cli+2Bent+20+3D1 "
      "LOGIN=[UNAVAILABLE] DESTADDR=IPV6:2001:db8::1 DESTPORT=25\r\n|" EHLO MAIL RCPT "|DATA\r\n|"
      CONTENT "|", "ready rcpt:250 go outcome:250" },
    { "XCLIENT, only what is listed", set_xclient_named,
      GREETING "250-mx\r\n250 XCLIENT proto addr NONSENSE\r\n|220 mx\r\n|250 mx\r\n|",
      EHLO "XCLIENT ADDR=IPV6:2001:db8::2 PROTO=SMTP\r\n|EHLO client.example\r\n|" MAIL, "ready" },
    { "XCLIENT refused", set_xclient, GREETING "250-mx\r\n250 XCLIENT ADDR\r\n|550 5.7.1 no\r\n",
      EHLO "XCLIENT ADDR=192.0.2.7\r\n|", "ready refused:550(XCLIENT)" },
    { "EHLO after XCLIENT refused", set_xclient,
      GREETING "250-mx\r\n250 XCLIENT ADDR\r\n|220 mx\r\n|450 later\r\n",
      EHLO "XCLIENT ADDR=192.0.2.7\r\n|" EHLO, "ready refused:450(EHLO after XCLIENT)" },
    { "XCLIENT not offered", set_xclient, GREETING ALONE, EHLO,
      "failed(EHLO: XCLIENT is needed and not offered)" },
    { "XCLIENT without ADDR", set_xclient, GREETING "250-mx\r\n250 XCLIENT NAME\r\n", EHLO,
      "failed(EHLO: XCLIENT is needed and not offered)" },
    { "lacking after XCLIENT", set_xclient_8bit,
      GREETING "250-mx\r\n250-8BITMIME\r\n250 XCLIENT ADDR\r\n|220 mx\r\n|250 mx\r\n",
      EHLO "XCLIENT ADDR=IPV6:2001:db8::2\r\n|EHLO client.example\r\n|", "ready lacks-8bitmime" },
    { "MAIL refused, its RCPT too", set_plain,
      GREETING PIPELINED "550 no\r\n503 no\r\n", EHLO MAIL RCPT "|", "ready refused:550(MAIL)" },
    { "content opened behind a refused MAIL", set_replay,
      GREETING PIPELINED "550 no\r\n503 no\r\n503 no\r\n354 go\r\n",
      EHLO MAIL RCPT "RCPT TO:<e@f.example>\r\nDATA\r\n|",
      "ready refused:550(MAIL) failed(refused transaction: a reply that does not fit)" },
    { "a reply too many", set_plain,
      GREETING PIPELINED "250 ok\r\n250 ok\r\n|354 go\r\n|250 queued\r\n250 again\r\n",
      EHLO MAIL RCPT "|DATA\r\n|" CONTENT "|",
      "ready rcpt:250 go outcome:250 failed(idle: a reply that does not fit)" },
};

static void strip_marks_at_end(struct text *text)
{
    while (text->length > 0 && text->data[text->length - 1] == '|')
        text->data[--text->length] = '\0';
}

static void expect_dialogue(const char *name, struct player *player, const char *said,
                            const char *events)
{
    struct text want;

    text_init(&want, TEXT_MAX_LENGTH);
    text_add_string(&want, "|"); /* the greeting comes unasked */
    text_add_string(&want, said);
    strip_marks_at_end(&want);
    strip_marks_at_end(&player->out);
    /* What is said after the greeting stands in front of the first mark. */
    unit_expect_text(name, &player->events, slice_from(events));
    ck_assert_msg(slice_equals(text_slice(&player->out), slice_from_offset(text_slice(&want), 1)),
                  "%s: said \"%s\", want \"%s\"", name, text_string(&player->out),
                  text_string(&want) + 1);
    text_clear(&want);
}

START_TEST(a_dialogue_says_what_the_server_can_take)
{
    for (size_t i = 0; i < COUNT(dialogues); i++)
        for (int by_bytes = 0; by_bytes < 2; by_bytes++) {
            struct player player;

            /* What stands behind a reply is seen where it comes along with it. */
            if (by_bytes && (strstr(dialogues[i].name, "bytes behind") != NULL
                             || strstr(dialogues[i].name, "behind a replay") != NULL))
                continue;
            player_init(&player);
            dialogues[i].set(&player);
            play(&player, dialogues[i].server, by_bytes);
            expect_dialogue(dialogues[i].name, &player, dialogues[i].said, dialogues[i].events);
            player_clear(&player);
        }
}
END_TEST

/* ---- Every state, every class of reply. */

static const char *const reply_classes[] = {
    "250 ok\r\n", "220 go\r\n", "354 go\r\n", "450 later\r\n", "550 no\r\n", "421 bye\r\n",
    "what?\r\n",
};

#define UNFIT "failed:a reply that does not fit"
#define GARBAGE "failed:a line without a reply code"
#define CLOSING "failed:the server closes"
#define NO "failed:refused"

static const struct {
    const char *name;
    void (*set)(struct player *player);
    const char *prefix;
    enum client_state state;
    const char *outcomes[COUNT(reply_classes)]; /* "state:NAME" or "failed:WHY" */
} states[] = {
    { "greeting", set_plain, "", CLIENT_STATE_GREETING,
      { UNFIT, "state:EHLO", UNFIT, NO, NO, CLOSING, GARBAGE } },
    { "EHLO", set_plain, GREETING, CLIENT_STATE_EHLO,
      { "state:MAIL", "state:MAIL", UNFIT, NO, "state:HELO", CLOSING, GARBAGE } },
    { "HELO", set_plain, GREETING "500 what\r\n|", CLIENT_STATE_HELO,
      { "state:MAIL", "state:MAIL", UNFIT, NO, NO, CLOSING, GARBAGE } },
    { "STARTTLS", set_tls_optional, GREETING "250-mx\r\n250 STARTTLS\r\n|", CLIENT_STATE_STARTTLS,
      { UNFIT, "state:EHLO", UNFIT, "state:MAIL", "state:MAIL", CLOSING, GARBAGE } },
    { "XCLIENT", set_xclient, GREETING XCLIENT_ALL, CLIENT_STATE_XCLIENT,
      { "state:EHLO after XCLIENT", "state:EHLO after XCLIENT", UNFIT, "state:refused transaction",
        "state:refused transaction", "state:over", GARBAGE } },
    { "EHLO after XCLIENT", set_xclient, GREETING XCLIENT_ALL "220 mx\r\n|",
      CLIENT_STATE_XCLIENT_EHLO,
      { "state:MAIL", "state:MAIL", UNFIT, "state:refused transaction", "state:refused transaction",
        "state:over", GARBAGE } },
    { "MAIL", set_plain, GREETING ALONE, CLIENT_STATE_MAIL,
      { "state:RCPT", "state:RCPT", UNFIT, "state:refused transaction", "state:refused transaction",
        CLOSING, GARBAGE } },
    { "RCPT", set_plain, GREETING ALONE "250 ok\r\n|", CLIENT_STATE_RCPT,
      { "state:DATA", "state:DATA", UNFIT, "state:DATA", "state:DATA", "state:over", GARBAGE } },
    { "DATA", set_plain, GREETING ALONE "250 ok\r\n|250 ok\r\n|", CLIENT_STATE_DATA,
      { UNFIT, UNFIT, "state:end of data", "state:refused transaction", "state:refused transaction",
        "state:over", GARBAGE } },
    { "end of data", set_plain, GREETING ALONE "250 ok\r\n|250 ok\r\n|354 go\r\n|",
      CLIENT_STATE_DOT,
      { "state:idle", "state:idle", UNFIT, "state:refused transaction", "state:refused transaction",
        "state:over", GARBAGE } },
    { "BDAT under way", set_long_halfway, GREETING CHUNKED "250 ok\r\n250 ok\r\n|",
      CLIENT_STATE_CONTENT,
      { UNFIT, UNFIT, UNFIT, "state:over", "state:over", "state:over", GARBAGE } },
    { "the chunk in front of LAST", set_long, GREETING CHUNKED "250 ok\r\n250 ok\r\n|",
      CLIENT_STATE_DOT,
      { "state:end of data", "state:end of data", UNFIT, "state:over", "state:over", "state:over",
        GARBAGE } },
    { "LAST behind a chunk", set_long, GREETING CHUNKED "250 ok\r\n250 ok\r\n|250 ok\r\n|",
      CLIENT_STATE_DOT,
      { "state:idle", "state:idle", UNFIT, "state:refused transaction", "state:refused transaction",
        "state:over", GARBAGE } },
    { "BDAT with LAST", set_plain, GREETING CHUNKED "250 ok\r\n250 ok\r\n|", CLIENT_STATE_DOT,
      { "state:idle", "state:idle", UNFIT, "state:refused transaction", "state:refused transaction",
        "state:over", GARBAGE } },
    { "idle", set_plain, GREETING ALONE "250 ok\r\n|250 ok\r\n|354 go\r\n|250 ok\r\n|",
      CLIENT_STATE_READY, { UNFIT, UNFIT, UNFIT, UNFIT, UNFIT, CLOSING, GARBAGE } },
    { "refused transaction", set_plain, GREETING PIPELINED "550 no\r\n|", CLIENT_STATE_SPENT,
      { "state:refused transaction", "state:refused transaction", UNFIT,
        "state:refused transaction", "state:refused transaction", CLOSING, GARBAGE } },
    { "nothing awaited in a refused transaction", set_plain, GREETING ALONE "550 no\r\n|",
      CLIENT_STATE_SPENT, { UNFIT, UNFIT, UNFIT, UNFIT, UNFIT, CLOSING, GARBAGE } },
};

static void expect_state(const char *name, const char *reply, const struct player *player,
                         const char *want)
{
    const struct client_dialogue *dialogue = &player->dialogue;
    const char *got = dialogue->failure != CLIENT_FAILURE_NONE
                          ? client_dialogue_failure_text(dialogue)
                          : client_state_name(dialogue->state);

    ck_assert_msg(strcmp(got, strchr(want, ':') + 1) == 0
                      && (want[0] == 'f') == (dialogue->failure != CLIENT_FAILURE_NONE),
                  "%s, %.3s: got %s (%s), want %s", name, reply, got,
                  text_string(&player->events), want);
    ck_assert_msg((want[0] == 'f') == (strstr(text_string(&player->events), "failed") != NULL),
                  "%s, %.3s: events are %s", name, reply, text_string(&player->events));
}

START_TEST(every_state_knows_every_class_of_reply)
{
    for (size_t i = 0; i < COUNT(states); i++)
        for (size_t k = 0; k < COUNT(reply_classes); k++) {
            struct player player;

            player_init(&player);
            states[i].set(&player);
            play(&player, states[i].prefix, false);
            ck_assert_msg(player.dialogue.state == states[i].state, "%s: is in %s", states[i].name,
                          client_state_name(player.dialogue.state));
            feed_packet(&player, slice_from(reply_classes[k]));
            expect_state(states[i].name, reply_classes[k], &player, states[i].outcomes[k]);
            player_clear(&player);
        }
}
END_TEST

START_TEST(an_early_answer_to_content_is_a_refusal)
{
    static const struct {
        const char *reply;
        const char *events;
    } early[] = {
        { "552 too much\r\n", "refused:552(content)" },
        { "421 bye\r\n", "refused:421(content)" },
        { "250 ok\r\n", "failed(content: a reply that does not fit)" },
        { "hm\r\n", "failed(content: a line without a reply code)" },
    };

    for (size_t i = 0; i < COUNT(early); i++) {
        struct player player;

        player_init(&player);
        player.stops_in_envelope = true;
        play(&player, GREETING ALONE "250 ok\r\n|250 ok\r\n", false);
        start_content(&player);
        player.stops_in_content = true;
        feed_packet(&player, SLICE("354 go\r\n"));
        ck_assert_int_eq(player.dialogue.state, CLIENT_STATE_CONTENT);
        text_reset(&player.events);
        feed_packet(&player, slice_from(early[i].reply));
        unit_expect_text(early[i].reply, &player.events, slice_from(early[i].events));
        ck_assert_int_eq(player.dialogue.state, CLIENT_STATE_OVER);
        player_clear(&player);
    }
}
END_TEST

/* A desynchronised server, or one that lies: nothing may pass for the answer to a dot to come. */
START_TEST(a_reply_behind_354_is_no_answer_to_the_dot)
{
    struct player player;

    player_init(&player);
    player.stops_in_envelope = true;
    play(&player, GREETING ALONE "250 ok\r\n|250 ok\r\n", false);
    start_content(&player);
    text_reset(&player.events);
    feed_packet(&player, SLICE("354 go\r\n250 queued\r\n"));
    unit_expect_text("events", &player.events, SLICE("failed(DATA: a reply that does not fit)"));
    ck_assert_int_eq(player.dialogue.state, CLIENT_STATE_OVER);
    player_clear(&player);
}
END_TEST

/* Codes x0z are about the command (RFC 5321 4.2.1); who says them may read our mail as commands. */
START_TEST(a_server_that_does_not_know_bdat_is_told_apart)
{
    static const char *const at_data = GREETING PIPELINED "250 ok\r\n250 ok\r\n|354 go\r\n|";
    static const char *const at_bdat = GREETING CHUNKED "250 ok\r\n250 ok\r\n|";
    static const char *const at_last = GREETING CHUNKED "250 ok\r\n250 ok\r\n|250 got it\r\n|";
    static const struct {
        void (*set)(struct player *player);
        const char *const *prefix;
        const char *reply;
        bool is_unknown;
        enum client_state state;
    } cases[] = {
        { set_plain, &at_bdat, "500 what?\r\n", true, CLIENT_STATE_OVER },
        { set_plain, &at_bdat, "501 5.5.4 what?\r\n", true, CLIENT_STATE_OVER },
        { set_plain, &at_bdat, "502 no such thing\r\n", true, CLIENT_STATE_OVER },
        { set_plain, &at_bdat, "503 not now\r\n", true, CLIENT_STATE_OVER },
        { set_long_halfway, &at_bdat, "500 what?\r\n", true, CLIENT_STATE_OVER },
        { set_long, &at_bdat, "500 what?\r\n", true, CLIENT_STATE_OVER },
        { set_long, &at_last, "503 no such thing\r\n", true, CLIENT_STATE_OVER },
        { set_plain, &at_bdat, "550 spam\r\n", false, CLIENT_STATE_SPENT },
        { set_plain, &at_bdat, "450 later\r\n", false, CLIENT_STATE_SPENT },
        { set_plain, &at_bdat, "250 queued\r\n", false, CLIENT_STATE_READY },
        { set_plain, &at_data, "500 what?\r\n", false, CLIENT_STATE_SPENT },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct player player;

        player_init(&player);
        cases[i].set(&player);
        play(&player, *cases[i].prefix, false);
        ck_assert(!client_dialogue_is_bdat_unknown(&player.dialogue));
        feed_packet(&player, slice_from(cases[i].reply));
        ck_assert_msg(client_dialogue_is_bdat_unknown(&player.dialogue) == cases[i].is_unknown,
                      "%s", cases[i].reply);
        ck_assert_msg(player.dialogue.state == cases[i].state, "%s: is in %s", cases[i].reply,
                      client_state_name(player.dialogue.state));
        player_clear(&player);
    }
}
END_TEST

/* Or a deadline for an answer would end a content that is on its way. */
START_TEST(nobody_waits_for_the_server_while_content_goes_out)
{
    static const char *const offers[] = {
        GREETING PIPELINED "250 ok\r\n250 ok\r\n|354 go\r\n",
        GREETING CHUNKED "250 ok\r\n250 ok\r\n",
    };

    for (size_t i = 0; i < COUNT(offers) * 2; i++) {
        bool is_over = i % 2 == 1;
        struct player player;

        player_init(&player);
        (is_over ? set_long : set_long_halfway)(&player);
        play(&player, offers[i / 2], false);
        ck_assert_int_eq(client_dialogue_is_waiting(&player.dialogue), is_over);
        player_clear(&player);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("client_dialogue");
    TCase *dialogue = tcase_create("dialogue");

    tcase_add_test(dialogue, a_dialogue_says_what_the_server_can_take);
    tcase_add_test(dialogue, every_state_knows_every_class_of_reply);
    tcase_add_test(dialogue, an_early_answer_to_content_is_a_refusal);
    tcase_add_test(dialogue, a_reply_behind_354_is_no_answer_to_the_dot);
    tcase_add_test(dialogue, a_server_that_does_not_know_bdat_is_told_apart);
    tcase_add_test(dialogue, nobody_waits_for_the_server_while_content_goes_out);
    suite_add_tcase(suite, dialogue);
    return unit_run(suite);
}
