/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rules and actions; see rule_parser.h. Reading goes on after a mistake, and a
 * rule with one is left out: the book is not made anyway.
 */
#include "policy/rule_parser.h"

#include "base/memory.h"
#include "policy/term_parser.h"

#define MAX_REASON_BYTES 400

/* A rule while its block is read. */
struct rule_draft {
    struct rule *rule;
    struct position when_at; /* line 0: not seen yet */
    struct position then_at;
};

/* ---- actions ---- */

enum action_extra { EXTRA_NONE, EXTRA_WORDS, EXTRA_TAG };

static const struct {
    const char *word;
    enum action action;
    enum action_extra extra; /* what may follow */
} actions[] = {
    { "accept", ACTION_ACCEPT, EXTRA_NONE },
    { "reject", ACTION_REJECT, EXTRA_WORDS },
    { "tempfail", ACTION_TEMPFAIL, EXTRA_WORDS },
    { "quarantine", ACTION_QUARANTINE, EXTRA_WORDS },
    { "discard", ACTION_DISCARD, EXTRA_NONE },
    { "tag", ACTION_TAG, EXTRA_TAG },
};
#define ACTION_WORDS (sizeof actions / sizeof actions[0])
#define KNOWN_ACTIONS "accept, reject, tempfail, quarantine, discard or tag"

/* The number of the action in the table, or ACTION_WORDS and an error. */
static size_t find_action(const struct statement *statement, const struct policy_parser *parser)
{
    const char *known[ACTION_WORDS];

    if (statement->word_count < 2) {
        block_report(parser, "policy.unknown-action", statement->end,
                     "an action is missing here: " KNOWN_ACTIONS);
        return ACTION_WORDS;
    }
    for (size_t i = 0; i < ACTION_WORDS; i++) {
        known[i] = actions[i].word;
        if (statement_has_word(statement, 1, actions[i].word))
            return i;
    }
    block_report_unknown(parser->diagnostics, "policy.unknown-action", &statement->words[1],
                         "there is no action", known, ACTION_WORDS,
                         "take " KNOWN_ACTIONS);
    return ACTION_WORDS;
}

static bool is_plain_text(struct slice text, size_t max_bytes)
{
    bool is_plain = text.length > 0 && text.length <= max_bytes;

    for (size_t i = 0; i < text.length && is_plain; i++)
        is_plain = ascii_is_printable(text.data[i]);
    return is_plain;
}

/*
 * What a client is told stands in an SMTP reply: printable ASCII that fits its line. What an owner
 * is told of held mail is kept to the same.
 */
static bool parse_client_words(struct rule *rule, const struct word *word,
                               const struct policy_parser *parser)
{
    if (word->is_quoted && is_plain_text(word->text, POLICY_MAX_WORDS_BYTES)) {
        rule->words = string_pool_keep(parser->pool, word->text);
        return true;
    }
    block_report(parser, "policy.bad-words", word->at,
                 "behind %s may stand what %s is told: 1 to %d printable ASCII characters "
                 "in double quotes",
                 action_name(rule->action),
                 rule->action == ACTION_QUARANTINE ? "the owner" : "the client",
                 POLICY_MAX_WORDS_BYTES);
    return false;
}

/* tag NAME subject "TEXT" */
static bool is_subject_tag(const struct statement *statement)
{
    return statement->word_count == 5 && statement_has_word(statement, 3, "subject");
}

static bool parse_tag(struct tag *tag, const struct statement *statement,
                      const struct policy_parser *parser)
{
    const struct word *text = is_subject_tag(statement) ? &statement->words[4] : NULL;

    tag->name = block_keep_name(&statement->words[2], "tag", parser);
    if (tag->name == NULL || text == NULL)
        return tag->name != NULL;
    if (!text->is_quoted || !is_plain_text(text->text, POLICY_MAX_SUBJECT_BYTES)) {
        block_report(parser, "policy.bad-words", text->at,
                     "behind subject stands what is put in front of it: 1 to %d printable ASCII "
                     "characters in double quotes",
                     POLICY_MAX_SUBJECT_BYTES);
        return false;
    }
    tag->subject = string_pool_keep(parser->pool, text->text);
    return true;
}

/* reject "TEXT" spf-explanation, or without the text: the last word of the two or three. */
static bool take_explanation(struct rule *rule, const struct statement *statement)
{
    size_t last = statement->word_count - 1;

    if (last < 2 || last > 3 || !statement_has_word(statement, last, "spf-explanation"))
        return false;
    rule->tells_spf_explanation = true;
    rule->checks |= CHECK_BIT(CHECK_SPF) | CHECK_EXPLAINED;
    return true;
}

#define ONE_TEXT \
    "takes at most one text in double quotes; reject may take \"TEXT\" spf-explanation"

/* The action and what follows it, from words[1] on. */
static bool parse_action(struct rule *rule, const struct statement *statement,
                         const struct policy_parser *parser)
{
    static const char *const wanted[] = {
        [EXTRA_NONE] = "takes nothing behind it",
        [EXTRA_WORDS] = ONE_TEXT,
        [EXTRA_TAG] = "takes one name, and perhaps: subject \"TEXT\"",
    };
    size_t found = find_action(statement, parser);
    size_t extra_count = statement->word_count > 2 ? statement->word_count - 2 : 0;
    enum action_extra extra;

    if (found == ACTION_WORDS)
        return false;
    extra = actions[found].extra;
    rule->action = actions[found].action;
    if (extra == EXTRA_TAG && (extra_count == 1 || is_subject_tag(statement)))
        return parse_tag(&rule->tag, statement, parser);
    if (rule->action == ACTION_REJECT && take_explanation(rule, statement))
        extra_count--;
    if (extra == EXTRA_WORDS && extra_count == 1)
        return parse_client_words(rule, &statement->words[2], parser);
    if (extra != EXTRA_TAG && extra_count == 0)
        return true;
    block_report(parser, "config.value", statement->words[1].at, "%s %s", actions[found].word,
                 wanted[extra]);
    return false;
}

/* ---- rules ---- */

/* What a rule's phase and kind follow from. */
static void note_term(struct rule *rule, const struct term *term)
{
    if (term->word->phase > rule->phase)
        rule->phase = term->word->phase;
    rule->checks |= term->word->checks;
    if (term->word->id == TERM_RECIPIENT || term->word->id == TERM_RECIPIENT_DOMAIN)
        rule->has_recipient_term = true;
}

static bool add_term(struct rule *rule, struct term **terms, size_t *count,
                     struct word_reader *reader)
{
    size_t capacity = *count; /* grows by one each time: rules are short */

    if (rule->term_count + rule->exception_count == POLICY_MAX_TERMS) {
        diagnostics_add(reader->diagnostics, SEVERITY_ERROR, "config.too-many",
                        word_reader_position(reader), "a rule has at most %d terms",
                        POLICY_MAX_TERMS);
        return false;
    }
    *terms = mem_grow(*terms, *count, &capacity, sizeof **terms);
    if (!term_parse(&(*terms)[*count], reader))
        return false;
    note_term(rule, &(*terms)[*count]);
    ++*count;
    return true;
}

static struct word_reader start_reader(const struct statement *statement,
                                       const struct policy_parser *parser)
{
    return (struct word_reader){
        .config = parser->config,
        .diagnostics = parser->diagnostics,
        .statement = statement,
        .next = 1,
    };
}

static void parse_when(void *owner, const struct statement *statement,
                       const struct policy_parser *parser)
{
    struct rule_draft *draft = owner;
    struct rule *rule = draft->rule;
    struct word_reader reader = start_reader(statement, parser);

    if (position_is_set(draft->when_at)) {
        block_report(
            parser, "config.duplicate", statement->words[0].at,
            "this rule has a \"when\" on line %u; join terms with \"and\", or write another "
            "rule",
            draft->when_at.line);
        return;
    }
    draft->when_at = statement->words[0].at;
    do {
        if (!add_term(rule, &rule->terms, &rule->term_count, &reader))
            return;
    } while (word_reader_skip(&reader, "and"));
}

static void parse_except(void *owner, const struct statement *statement,
                         const struct policy_parser *parser)
{
    struct rule_draft *draft = owner;
    struct rule *rule = draft->rule;
    struct word_reader reader = start_reader(statement, parser);

    if (add_term(rule, &rule->exceptions, &rule->exception_count, &reader) &&
        word_reader_peek(&reader) != NULL)
        block_report(parser, "policy.bad-except", word_reader_position(&reader),
                     "an except line has one term; write a rule of its own for two that must both "
                     "be true");
}

static void parse_then(void *owner, const struct statement *statement,
                       const struct policy_parser *parser)
{
    struct rule_draft *draft = owner;

    if (block_set_once(&draft->then_at, statement, parser))
        (void)parse_action(draft->rule, statement, parser);
}

static void parse_mode(void *owner, const struct statement *statement,
                       const struct policy_parser *parser)
{
    struct rule_draft *draft = owner;

    (void)block_parse_mode(&draft->rule->mode, &draft->rule->mode_at, statement, parser);
}

static const struct block_key rule_keys[] = {
    { "mode", false, parse_mode },
    { "when", false, parse_when },
    { "except", false, parse_except },
    { "then", false, parse_then },
};

static const char *make_reason(const char *owner, const char *name,
                               const struct policy_parser *parser)
{
    struct text reason;
    const char *kept;

    text_init(&reason, MAX_REASON_BYTES);
    text_add_format(&reason, "rule.%s%s.%s", owner[0] == '.' ? "*" : "", owner, name);
    kept = string_pool_keep(parser->pool, text_slice(&reason));
    text_clear(&reason);
    return kept;
}

const char *rule_parse_name(const struct statement *statement, const struct policy_parser *parser)
{
    if (statement->word_count != 2) {
        block_report(parser, "config.name", statement->words[0].at,
                     "a rule has one name: \"rule NAME { ... }\"");
        return NULL;
    }
    if (slice_equals(statement->words[1].text, SLICE("otherwise"))) {
        block_report(parser, "config.name", statement->words[1].at,
                     "otherwise is no name for a rule; end the policy with \"otherwise ACTION;\"");
        return NULL;
    }
    return block_keep_name(&statement->words[1], "rule", parser);
}

bool rule_parse(struct rule *rule, const struct statement *statement, const char *owner,
                const struct policy_parser *parser)
{
    struct rule_draft draft = { .rule = rule };
    const struct word *word = &statement->words[0];
    size_t errors = parser->diagnostics->error_count;

    *rule = (struct rule){ .at = word->at };
    rule->name = rule_parse_name(statement, parser);
    block_read(statement, rule_keys, sizeof rule_keys / sizeof rule_keys[0], "rule", &draft,
               parser);
    if (!position_is_set(draft.when_at))
        block_report(parser, "policy.no-when", word->at,
                     "this rule has no \"when\"; for all mail that is left there is \"otherwise\"");
    if (!position_is_set(draft.then_at))
        block_report(parser, "policy.no-then", word->at,
                     "this rule has no \"then\", so nothing follows from it");
    if (parser->diagnostics->error_count != errors) {
        rule_clear(rule);
        return false;
    }
    rule->reason = make_reason(owner, rule->name, parser);
    return true;
}

bool rule_parse_otherwise(struct rule *rule, const struct statement *statement, const char *owner,
                          const struct policy_parser *parser)
{
    *rule = (struct rule){ .name = "otherwise", .at = statement->words[0].at };
    if (!parse_action(rule, statement, parser))
        return false;
    if (rule->action == ACTION_TAG) {
        block_report(parser, "policy.unknown-action", statement->words[1].at,
                     "otherwise has to decide, and a tag decides nothing");
        return false;
    }
    rule->reason = make_reason(owner, rule->name, parser);
    return true;
}
