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

            /* Plaintext behind STARTTLS is seen where it comes along; byte by byte it is TLS's. */
            if (by_bytes && strstr(dialogues[i].name, "bytes behind") != NULL)
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
        client_dialogue_start_content(&player.dialogue, &player.out);
        player.dialogue.state = CLIENT_STATE_CONTENT; /* as with 354, and content under way */
        player.dialogue.awaited = 0;
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
    client_dialogue_start_content(&player.dialogue, &player.out);
    text_reset(&player.events);
    feed_packet(&player, SLICE("354 go\r\n250 queued\r\n"));
    unit_expect_text("events", &player.events, SLICE("failed(DATA: a reply that does not fit)"));
    ck_assert_int_eq(player.dialogue.state, CLIENT_STATE_OVER);
    player_clear(&player);
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
    suite_add_tcase(suite, dialogue);
    return unit_run(suite);
}
