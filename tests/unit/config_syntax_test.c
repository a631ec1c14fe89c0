/* SPDX-License-Identifier: BSD-2-Clause */
/* config/: files to statements (sources, lexer, syntax), and what is said about them. */
#include <string.h>

#include "config/diagnostics.h"
#include "config/sources.h"
#include "config/syntax.h"
#include "memory_files.h"
#include "unit.h"

/* ---- diagnostics ---- */

START_TEST(diagnostics_print_their_place_and_escape_what_is_foreign)
{
    static const struct {
        struct position at;
        enum severity severity;
        const char *argument;
        const char *want;
    } cases[] = {
        { { "a.conf", 3, 7 }, SEVERITY_ERROR, "x", "a.conf:3:7: error: bad \"x\" [some.id]\n" },
        { { "a.conf", 0, 0 }, SEVERITY_WARNING, "x", "a.conf: warning: bad \"x\" [some.id]\n" },
        { { "", 0, 0 }, SEVERITY_NOTE, "x", "note: bad \"x\" [some.id]\n" },
        { { NULL, 0, 0 }, SEVERITY_NOTE, "x", "note: bad \"x\" [some.id]\n" },
        { { "a\n.conf", 1, 1 }, SEVERITY_ERROR, "a\x1b[2J\\",
          "a\\x0a.conf:1:1: error: bad \"a\\x1b[2J\\\\\" [some.id]\n" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct diagnostics diagnostics;
        struct text out;

        diagnostics_init(&diagnostics);
        text_init(&out, 1000);
        diagnostics_add(&diagnostics, cases[i].severity, "some.id", cases[i].at, "bad \"%s\"",
                        cases[i].argument);
        diagnostic_print(&out, &diagnostics.items[0]);
        unit_expect_text("printed", &out, slice_from(cases[i].want));
        ck_assert_uint_eq(diagnostics.error_count, cases[i].severity == SEVERITY_ERROR);
        text_clear(&out);
        diagnostics_clear(&diagnostics);
    }
}
END_TEST

START_TEST(diagnostics_have_a_ceiling_but_count_every_error)
{
    struct diagnostics diagnostics;

    diagnostics_init(&diagnostics);
    for (size_t i = 0; i < 5000; i++)
        diagnostics_add(&diagnostics, SEVERITY_ERROR, "some.id", (struct position){ "", 0, 0 },
                        "%01500u", 1u);
    ck_assert_uint_eq(diagnostics.error_count, 5000);
    ck_assert_uint_eq(diagnostics.count, 1000);
    ck_assert_uint_eq(strlen(diagnostics.items[0].sentence), 1000);
    diagnostics_clear(&diagnostics);
}
END_TEST

START_TEST(suggestions_are_close_or_there_are_none)
{
    static const char *const known[] = { "listen", "role", "tls", "max-recipients", "max-errors" };
    static const struct {
        struct slice word;
        const char *want; /* NULL for no suggestion */
    } cases[] = {
        { BYTES("listn"), "listen" },
        { BYTES("Listen"), "listen" },
        { BYTES("max-recipient"), "max-recipients" },
        { BYTES("max-reciepients"), "max-recipients" },
        { BYTES("max-error"), "max-errors" },
        { BYTES("rolle"), "role" },
        { BYTES("ssl"), NULL },
        { BYTES("xyz"), NULL },
        { BYTES("max"), NULL },
        { BYTES(""), NULL },
        { BYTES("listenlistenlistenlistenlistenlistenlistenlistenlistenlisten"), NULL },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *got = diagnostics_suggest(cases[i].word, known, COUNT(known));
        const char *want = cases[i].want;

        ck_assert_msg(want == NULL ? got == NULL : got != NULL && strcmp(got, want) == 0,
                      "\"%.*s\": got %s, want %s", SLICE_ARGS(cases[i].word),
                      got != NULL ? got : "none", want != NULL ? want : "none");
    }
}
END_TEST

/* ---- sources ---- */

static const struct memory_file stored_files[] = {
    { "a.conf", BYTES("one\0two") },
    { "empty", BYTES("") },
    { "p/a.policy", BYTES("first") },
    { "p/b.policy", BYTES("second") },
};

START_TEST(sources_read_each_file_once_and_keep_it)
{
    struct memory_files files = { stored_files, COUNT(stored_files), 0 };
    struct sources *sources = sources_new(memory_files_fetch, &files);
    struct text problem;
    struct slice first;
    struct slice again;

    text_init(&problem, 100);
    ck_assert(sources_get_file(sources, "a.conf", &first, &problem));
    ck_assert(sources_get_file(sources, "a.conf", &again, &problem));
    ck_assert(slice_equals(first, SLICE("one\0two")));
    ck_assert_ptr_eq(first.data, again.data);
    ck_assert(sources_get_paths(sources, "p/*.policy", &first, &problem));
    ck_assert(slice_equals(first, SLICE("p/a.policy\np/b.policy\n")));
    ck_assert_uint_eq(files.fetch_count, 2);
    ck_assert(!sources_get_file(sources, "none", &first, &problem));
    unit_expect_text("problem", &problem, SLICE("No such file or directory"));
    text_clear(&problem);
    sources_free(&sources);
    ck_assert_ptr_null(sources);
    sources_free(&sources);
}
END_TEST

START_TEST(packed_sources_give_the_same_bytes_without_a_file)
{
    struct memory_files files = { stored_files, COUNT(stored_files), 0 };
    struct sources *sources = sources_new(memory_files_fetch, &files);
    struct sources *copy = sources_new(NULL, NULL);
    struct text packed;
    struct text problem;
    struct slice bytes;

    text_init(&packed, 10000);
    text_init(&problem, 100);
    ck_assert(sources_get_file(sources, "a.conf", &bytes, &problem));
    ck_assert(sources_get_file(sources, "empty", &bytes, &problem));
    ck_assert(sources_get_paths(sources, "p/*", &bytes, &problem));
    sources_pack(sources, &packed);
    sources_free(&sources);

    ck_assert(sources_unpack(copy, text_slice(&packed)));
    ck_assert(sources_get_file(copy, "a.conf", &bytes, &problem));
    ck_assert(slice_equals(bytes, SLICE("one\0two")));
    ck_assert(sources_get_file(copy, "empty", &bytes, &problem));
    ck_assert_uint_eq(bytes.length, 0);
    ck_assert(sources_get_paths(copy, "p/*", &bytes, &problem));
    ck_assert(slice_equals(bytes, SLICE("p/a.policy\np/b.policy\n")));
    ck_assert_msg(!sources_get_file(copy, "p/*", &bytes, &problem), "a pattern is no file");
    unit_expect_text("problem", &problem, SLICE("not among the files that were handed over"));
    sources_free(&copy);
    text_clear(&packed);
    text_clear(&problem);
}
END_TEST

START_TEST(damaged_packs_are_refused_wherever_they_are_cut)
{
    struct memory_files files = { stored_files, COUNT(stored_files), 0 };
    struct sources *sources = sources_new(memory_files_fetch, &files);
    struct text packed;
    struct text problem;
    struct slice bytes;

    text_init(&packed, 10000);
    text_init(&problem, 100);
    ck_assert(sources_get_file(sources, "a.conf", &bytes, &problem));
    ck_assert(sources_get_file(sources, "p/a.policy", &bytes, &problem));
    sources_pack(sources, &packed);
    for (size_t length = 0; length < packed.length; length++) {
        struct sources *cut = sources_new(NULL, NULL);

        ck_assert_msg(!sources_unpack(cut, slice_until(text_slice(&packed), length)),
                      "cut after %zu bytes", length);
        sources_free(&cut);
    }
    text_add_byte(&packed, 'x');
    sources_free(&sources);
    sources = sources_new(NULL, NULL);
    ck_assert_msg(!sources_unpack(sources, text_slice(&packed)), "a byte too many");
    sources_free(&sources);
    text_clear(&packed);
    text_clear(&problem);
}
END_TEST

START_TEST(paths_are_relative_to_the_file_that_names_them)
{
    static const struct {
        const char *from;
        struct slice path;
        const char *want;
    } cases[] = {
        { "postern.conf", BYTES("a.list"), "a.list" },
        { "/etc/postern/postern.conf", BYTES("a.list"), "/etc/postern/a.list" },
        { "/etc/postern/postern.conf", BYTES("./lists/a"), "/etc/postern/lists/a" },
        { "/etc/postern/postern.conf", BYTES("/a.list"), "/a.list" },
        { "conf/x", BYTES("../a"), "conf/../a" },
        { "", BYTES("././a"), "a" },
    };
    struct sources *sources = sources_new(NULL, NULL);

    for (size_t i = 0; i < COUNT(cases); i++)
        ck_assert_str_eq(sources_resolve_path(sources, cases[i].from, cases[i].path),
                         cases[i].want);
    ck_assert_ptr_eq(sources_keep_path(sources, "same"), sources_keep_path(sources, "same"));
    sources_free(&sources);
}
END_TEST

/* ---- syntax ---- */

/* Statements as the tests name them: words joined by blanks, "quoted" ones in quotes, {blocks}. */
static void print_statements(struct text *out, const struct statement *statements, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < statements[i].word_count; j++) {
            const struct word *word = &statements[i].words[j];

            text_add_format(out, word->is_quoted ? "%s\"%.*s\"" : "%s%.*s", j > 0 ? " " : "",
                            SLICE_ARGS(word->text));
            ck_assert_msg(word->text.data[word->text.length] == '\0', "no NUL behind a word");
        }
        if (statements[i].has_block) {
            text_add_byte(out, '{');
            print_statements(out, statements[i].children, statements[i].child_count);
            text_add_byte(out, '}');
        } else {
            text_add_byte(out, ';');
        }
    }
}

/* What `files` gives when parsed from "main": the statements, then each diagnostic on a line. */
static void parse_and_print(const struct memory_file *stored, size_t count, struct text *out)
{
    struct memory_files files = { stored, count, 0 };
    struct sources *sources = sources_new(memory_files_fetch, &files);
    struct diagnostics diagnostics;
    struct syntax_tree tree;

    diagnostics_init(&diagnostics);
    syntax_parse(&tree, sources, "main", &diagnostics);
    print_statements(out, tree.statements, tree.statement_count);
    text_add_byte(out, '\n');
    for (size_t i = 0; i < diagnostics.count; i++)
        diagnostic_print(out, &diagnostics.items[i]);
    syntax_clear(&tree);
    diagnostics_clear(&diagnostics);
    sources_free(&sources);
}

struct syntax_case {
    struct slice bytes;
    const char *want;
};

static void expect_parsed(const struct syntax_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct memory_file file = { "main", cases[i].bytes };
        struct text out;

        text_init(&out, 10000);
        parse_and_print(&file, 1, &out);
        unit_expect_text("parsed", &out, slice_from(cases[i].want));
        text_clear(&out);
    }
}

START_TEST(statements_and_blocks_are_read_as_the_grammar_says)
{
    static const struct syntax_case cases[] = {
        { BYTES(""), "\n" },
        { BYTES("# nothing\n\n  # else"), "\n" },
        { BYTES("a;"), "a;\n" },
        { BYTES("\xef\xbb\xbf" "a;\r\nb;\r\n"), "a;b;\n" },
        { BYTES("a b/c [::]:25 x=y @ it's;"), "a b/c [::]:25 x=y @ it's;\n" },
        { BYTES("a,b , c;"), "a , b , c;\n" },
        { BYTES("a \"b c;{}#,\" \"\" \"\\\"\\\\\";"), "a \"b c;{}#,\" \"\" \"\"\\\";\n" },
        { BYTES("a{}b {c;d{e;}}"), "a{}b{c;d{e;}}\n" },
        { BYTES("a # comment ; }\n b;"), "a b;\n" },
        { BYTES("a b\xc3\xbc" "cher;"), "a b\xc3\xbc" "cher;\n" },
    };

    expect_parsed(cases, COUNT(cases));
}
END_TEST

START_TEST(broken_files_are_reported_once_and_read_on)
{
    static const struct syntax_case cases[] = {
        { BYTES("a"), "a;\nmain:1:2: error: a ; is missing here [syntax.semicolon]\n" },
        { BYTES("a {b c }\nd;"),
          "a{b c;}d;\nmain:1:7: error: a ; is missing here [syntax.semicolon]\n" },
        { BYTES(";\na;"),
          "a;\nmain:1:1: error: this ; ends nothing; remove it [syntax.empty]\n" },
        { BYTES("a {};"),
          "a{}\nmain:1:5: error: this ; ends nothing; remove it [syntax.empty]\n" },
        { BYTES("a;\n} b;"),
          "a;b;\nmain:2:1: error: this } closes nothing; remove it [syntax.close]\n" },
        { BYTES("a {\n b;\n"),
          "a{b;}\nmain:1:3: error: the block that is opened here is not closed; is a } missing? "
          "[syntax.open-block]\n" },
        { BYTES("{ a; } b;"),
          "b;\nmain:1:1: error: a block needs its kind in front of the {, such as: "
          "listener inbound { [syntax.empty]\n" },
        { BYTES("a \"b\nc;"),
          "a \"b\" c;\nmain:1:3: error: this quote is not closed on its line; is a \" missing? "
          "[syntax.quote]\n" },
        { BYTES("a \"\\n\";"),
          "a \"n\";\nmain:1:4: error: in quotes a backslash stands before a quote or another "
          "backslash only; write it twice for one of its own [syntax.escape]\n" },
        { BYTES("a\x01 b;"),
          "a b;\nmain:1:2: error: the byte 0x01 does not belong in a configuration; remove it "
          "[syntax.byte]\n" },
        { BYTES("a\rb;"),
          "a b;\nmain:1:2: error: the byte 0x0d does not belong in a configuration; remove it "
          "[syntax.byte]\n" },
        { BYTES("a \"\0\";"),
          "a \"\";\nmain:1:4: error: the byte 0x00 does not belong in a configuration; remove it "
          "[syntax.byte]\n" },
        { BYTES("a b\xff;"),
          "a b\xff;\nmain:1:3: error: this word is not valid UTF-8; save the file as UTF-8 or "
          "plain ASCII [syntax.utf8]\n" },
    };

    expect_parsed(cases, COUNT(cases));
}
END_TEST

START_TEST(words_know_where_they_stand)
{
    static const struct memory_file file = { "main", BYTES("a b\n  {\tcd \"e\"\n ;}") };
    struct memory_files files = { &file, 1, 0 };
    struct sources *sources = sources_new(memory_files_fetch, &files);
    struct diagnostics diagnostics;
    struct syntax_tree tree;
    const struct statement *inner;

    diagnostics_init(&diagnostics);
    syntax_parse(&tree, sources, "main", &diagnostics);
    ck_assert_uint_eq(tree.statement_count, 1);
    ck_assert_uint_eq(tree.statements[0].words[1].at.line, 1);
    ck_assert_uint_eq(tree.statements[0].words[1].at.column, 3);
    ck_assert_uint_eq(tree.statements[0].end.line, 3);
    ck_assert_uint_eq(tree.statements[0].end.column, 3);
    inner = &tree.statements[0].children[0];
    ck_assert_uint_eq(inner->words[0].at.column, 5);
    ck_assert_uint_eq(inner->words[1].at.column, 8);
    ck_assert_str_eq(inner->words[1].at.path, "main");
    ck_assert_uint_eq(inner->end.line, 3);
    ck_assert_uint_eq(inner->end.column, 2);
    ck_assert(statement_has_word(inner, 0, "cd"));
    ck_assert_msg(!statement_has_word(inner, 1, "e"), "a quoted word is no keyword");
    ck_assert(!statement_has_word(inner, 2, "e"));
    syntax_clear(&tree);
    sources_free(&sources);
}
END_TEST

/* ---- include ---- */

START_TEST(include_puts_statements_in_its_place)
{
    static const struct memory_file stored[] = {
        { "main", BYTES("a; include sub/one; b { include sub/p*; } c;") },
        { "sub/one", BYTES("one; include two;") },
        { "sub/p1", BYTES("p1;") },
        { "sub/p2", BYTES("p2;") },
        { "sub/two", BYTES("two;") },
    };
    struct text out;

    text_init(&out, 10000);
    parse_and_print(stored, COUNT(stored), &out);
    unit_expect_text("included", &out, SLICE("a;one;two;b{p1;p2;}c;\n"));
    text_clear(&out);
}
END_TEST

START_TEST(includes_that_cannot_be_are_reported)
{
    static const struct memory_file stored[] = {
        { "bad", BYTES("b }") },
        { "main", BYTES("include none;\ninclude x*;\ninclude main;\ninclude;\ninclude a b;\n"
                        "include bad;\ninclude bad;") },
    };
    struct text out;

    text_init(&out, 10000);
    parse_and_print(stored, COUNT(stored), &out);
    unit_expect_text("included", &out, SLICE(
        "b;\n"
        "main:1:9: error: cannot read \"none\": No such file or directory [syntax.file]\n"
        "main:2:9: warning: no file matches \"x*\", so nothing is included here "
        "[lint.include-empty]\n"
        "main:3:9: error: \"main\" is part of this configuration already; each file is read once "
        "[syntax.include]\n"
        "main:4:1: error: include takes one path or pattern, such as: include policies/*.policy; "
        "[syntax.include]\n"
        "main:5:1: error: include takes one path or pattern, such as: include policies/*.policy; "
        "[syntax.include]\n"
        "bad:1:2: error: a ; is missing here [syntax.semicolon]\n"
        "bad:1:3: error: this } closes nothing; remove it [syntax.close]\n"
        "main:7:9: error: \"bad\" is part of this configuration already; each file is read once "
        "[syntax.include]\n"));
    text_clear(&out);
}
END_TEST

/* ---- ceilings ---- */

static size_t count_errors(const struct memory_file *stored, size_t count, const char *path)
{
    struct memory_files files = { stored, count, 0 };
    struct sources *sources = sources_new(memory_files_fetch, &files);
    struct diagnostics diagnostics;
    struct syntax_tree tree;
    size_t error_count;

    diagnostics_init(&diagnostics);
    syntax_parse(&tree, sources, path, &diagnostics);
    error_count = diagnostics.error_count;
    syntax_clear(&tree);
    diagnostics_clear(&diagnostics);
    sources_free(&sources);
    return error_count;
}

static size_t count_errors_in(struct text *bytes)
{
    struct memory_file file = { "main", text_slice(bytes) };
    size_t error_count = count_errors(&file, 1, "main");

    text_clear(bytes);
    return error_count;
}

static void repeat(struct text *out, size_t count, const char *part)
{
    text_init(out, 4u << 20);
    for (size_t i = 0; i < count; i++)
        text_add_string(out, part);
}

START_TEST(blocks_words_and_bytes_have_ceilings)
{
    static const struct {
        const char *opening;
        size_t count;
        const char *middle;
        const char *closing;
        size_t want_errors;
    } cases[] = {
        { "a {", 32, "b;", "}", 0 },       { "a {", 33, "b;", "}", 1 },
        { "a {", 200, "b;", "}", 1 },      { "w ", 10000, "", ";", 0 },
        { "w ", 10001, "", ";", 1 },       { "a;\n", 349525, "", " ", 0 },
        { "a;\n", 349526, "", " ", 1 },    { "{", 500, "", "", 67 },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct text bytes;
        size_t got;

        repeat(&bytes, cases[i].count, cases[i].opening);
        text_add_string(&bytes, cases[i].middle);
        for (size_t j = 0; j < (cases[i].closing[0] == '}' ? cases[i].count : 1); j++)
            text_add_string(&bytes, cases[i].closing);
        got = count_errors_in(&bytes);
        ck_assert_msg(got == cases[i].want_errors, "case %zu: %zu errors, want %zu", i, got,
                      cases[i].want_errors);
    }
}
END_TEST

START_TEST(includes_go_sixteen_deep)
{
    static const char *const paths[] = { "00", "01", "02", "03", "04", "05", "06", "07", "08",
                                         "09", "10", "11", "12", "13", "14", "15", "16", "17" };
    struct memory_file stored[COUNT(paths)];
    struct text bytes[COUNT(paths)];

    for (size_t i = 0; i < COUNT(paths); i++) {
        text_init(&bytes[i], 100);
        text_add_format(&bytes[i], i + 1 < COUNT(paths) ? "include %02zu;" : "a;", i + 1);
        stored[i] = (struct memory_file){ paths[i], text_slice(&bytes[i]) };
    }
    ck_assert_uint_eq(count_errors(stored, COUNT(stored), "00"), 1);
    ck_assert_uint_eq(count_errors(stored, COUNT(stored), "01"), 0);
    for (size_t i = 0; i < COUNT(paths); i++)
        text_clear(&bytes[i]);
}
END_TEST

static Suite *syntax_suite(void)
{
    Suite *suite = suite_create("config: syntax");
    TCase *diagnostics = tcase_create("diagnostics");
    TCase *sources = tcase_create("sources");
    TCase *syntax = tcase_create("syntax");

    tcase_add_test(diagnostics, diagnostics_print_their_place_and_escape_what_is_foreign);
    tcase_add_test(diagnostics, diagnostics_have_a_ceiling_but_count_every_error);
    tcase_add_test(diagnostics, suggestions_are_close_or_there_are_none);
    tcase_add_test(sources, sources_read_each_file_once_and_keep_it);
    tcase_add_test(sources, packed_sources_give_the_same_bytes_without_a_file);
    tcase_add_test(sources, damaged_packs_are_refused_wherever_they_are_cut);
    tcase_add_test(sources, paths_are_relative_to_the_file_that_names_them);
    tcase_add_test(syntax, statements_and_blocks_are_read_as_the_grammar_says);
    tcase_add_test(syntax, broken_files_are_reported_once_and_read_on);
    tcase_add_test(syntax, words_know_where_they_stand);
    tcase_add_test(syntax, include_puts_statements_in_its_place);
    tcase_add_test(syntax, includes_that_cannot_be_are_reported);
    tcase_add_test(syntax, blocks_words_and_bytes_have_ceilings);
    tcase_add_test(syntax, includes_go_sixteen_deep);
    suite_add_tcase(suite, diagnostics);
    suite_add_tcase(suite, sources);
    suite_add_tcase(suite, syntax);
    return suite;
}

int main(void)
{
    return unit_run(syntax_suite());
}
