/* SPDX-License-Identifier: BSD-2-Clause */
/* mail/: a message on its way through: what came in, what goes out. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "mail/message.h"
#include "unit.h"

static const struct message_limits limits = { 0, 10000, 100 };

static void append(struct message *message, struct slice content)
{
    ck_assert_int_eq(message_append(message, content), MESSAGE_OK);
}

/* Everything message_next_piece gives, file parts read from the file. */
static void read_out(struct text *out, const struct message *message, uint64_t max_bytes)
{
    struct message_position position = { 0 };
    uint64_t total = 0;

    for (;;) {
        struct message_piece piece = message_next_piece(message, &position, max_bytes);

        if (piece.kind == MESSAGE_PIECE_END)
            break;
        ck_assert_uint_gt(piece.length, 0);
        ck_assert_uint_le(piece.length, max_bytes);
        total += piece.length;
        if (piece.kind == MESSAGE_PIECE_FILE) {
            char *bytes = mem_new_array(piece.length, 1);
            ssize_t got = pread(message->spool.file->fd, bytes, piece.length, (off_t)piece.offset);

            ck_assert_int_eq(got, (ssize_t)piece.length);
            text_add(out, (struct slice){ bytes, piece.length });
            mem_free(bytes);
        } else {
            ck_assert_uint_eq(piece.bytes.length, piece.length);
            text_add(out, piece.bytes);
        }
    }
    ck_assert_uint_eq(total, message_outgoing_bytes(message));
    ck_assert_int_eq(message_next_piece(message, &position, 1).kind, MESSAGE_PIECE_END);
}

static void expect_outgoing(const char *what, const struct message *message, struct slice want)
{
    static const uint64_t steps[] = { UINT64_MAX, 100000, 16384, 4096, 997, 7, 3, 2, 1 };
    struct text out;

    text_init(&out, 1 << 22);
    for (size_t i = 0; i < COUNT(steps); i++) {
        if (steps[i] < want.length / 1000)
            break; /* a long way in very small steps shows nothing new */
        text_reset(&out);
        read_out(&out, message, steps[i]);
        unit_expect_text(what, &out, want);
    }
    text_clear(&out);
}

/* As net/spill does: the first `count` chunks go to a file. */
static void move_to_file(struct message *message, size_t count)
{
    struct spool *spool = &message->spool;

    if (spool->file == NULL) {
        int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

        ck_assert_int_ge(fd, 0);
        spool->file = spool_file_new(fd);
    }
    for (size_t i = 0; i < count; i++) {
        const struct spool_chunk *chunk = spool->chunks[i];
        off_t offset = (off_t)(spool->file_length + i * SPOOL_CHUNK_BYTES);

        ck_assert_int_eq(pwrite(spool->file->fd, chunk->bytes, chunk->length, offset),
                         (ssize_t)chunk->length);
    }
    spool_drop_chunks(spool, count);
}

START_TEST(a_message_goes_out_as_it_came_in)
{
    static const struct slice contents[] = {
        BYTES(""),
        BYTES("\r\n"),
        BYTES("A: b\r\n"),
        BYTES("A: b\r\n\r\nbody\r\n"),
        BYTES("A: b\r\n\r\n.\r\n..\r\n"),
        BYTES("A: \xff\0\r\n\r\n\0\xff\r\n"),
    };
    struct spool_budget budget = { 0, 1 << 20 };
    struct message message;

    message_init(&message, &limits, &budget);
    for (size_t i = 0; i < COUNT(contents); i++)
        for (size_t split = 0; split <= contents[i].length; split++) {
            append(&message, slice_until(contents[i], split));
            append(&message, slice_from_offset(contents[i], split));
            expect_outgoing("before the end", &message, contents[i]);
            ck_assert_int_eq(message_end(&message), MESSAGE_OK);
            ck_assert(message.is_complete && message_is_header_complete(&message));
            expect_outgoing("after the end", &message, contents[i]);
            message_clear(&message);
            ck_assert_uint_eq(budget.used_bytes, 0);
        }
}
END_TEST

START_TEST(fields_are_found_by_name_and_index)
{
    struct spool_budget budget = { 0, 1 << 20 };
    struct message message;
    const struct header_field *field;

    message_init(&message, &limits, &budget);
    append(&message, SLICE("Subject: one\r\nFROM : a@example.org,\r\n b@example.org \r\n"));
    append(&message, SLICE("subject:\t two \r\nX-Empty:\r\n\r\nSubject: three\r\n"));
    ck_assert_int_eq(message_end(&message), MESSAGE_OK);

    ck_assert_uint_eq(message_count_fields(&message, SLICE("SUBJECT")), 2);
    ck_assert_uint_eq(message_count_fields(&message, SLICE("From")), 1);
    ck_assert_uint_eq(message_count_fields(&message, SLICE("Fro")), 0);
    ck_assert_uint_eq(message_count_fields(&message, SLICE("")), 0);
    field = message_find_field(&message, SLICE("Subject"), 0);
    ck_assert(slice_equals(message_field_value(&message, field), SLICE("one")));
    field = message_find_field(&message, SLICE("Subject"), 1);
    ck_assert(slice_equals(message_field_name(&message, field), SLICE("subject")));
    ck_assert(slice_equals(message_field_value(&message, field), SLICE("two")));
    ck_assert_ptr_null(message_find_field(&message, SLICE("Subject"), 2));
    ck_assert_ptr_null(message_find_field(&message, SLICE("To"), 0));
    field = message_find_field(&message, SLICE("from"), 0);
    ck_assert(slice_equals(message_field_value(&message, field),
                           SLICE("a@example.org,\r\n b@example.org")));
    field = message_find_field(&message, SLICE("x-empty"), 0);
    ck_assert_uint_eq(message_field_value(&message, field).length, 0);
    message_clear(&message);
}
END_TEST

START_TEST(what_is_added_later_stands_above)
{
    struct spool_budget budget = { 0, 1 << 20 };
    struct message message;

    message_init(&message, &limits, &budget);
    append(&message, SLICE("A: b\r\n\r\nbody\r\n"));
    message_add_on_top(&message, SLICE("X: 1\r\n"));
    message_add_on_top(&message, SLICE("Y: 2\r\n\t3\r\n"));
    expect_outgoing("added", &message, SLICE("Y: 2\r\n\t3\r\nX: 1\r\nA: b\r\n\r\nbody\r\n"));
    ck_assert_uint_eq(message_count_fields(&message, SLICE("X")), 0);
    message_clear(&message);
    expect_outgoing("cleared", &message, SLICE_EMPTY);
}
END_TEST

/* RFC 5322 2.2 says what a field is; what readers do behind a line that is none is their own. */
START_TEST(an_empty_line_stands_before_a_line_that_is_no_field)
{
    static const struct {
        struct slice content, want; /* without the field that is put on top */
    } cases[] = {
        { BYTES(" ; forged\r\nA: b\r\n\r\n"), BYTES("\r\n ; forged\r\nA: b\r\n\r\n") },
        { BYTES("\tforged\r\n"), BYTES("\r\n\tforged\r\n") },
        { BYTES(" \r\nA: b\r\n"), BYTES("\r\n \r\nA: b\r\n") },
        { BYTES("From a@b Mon\r\nA: b\r\n"), BYTES("\r\nFrom a@b Mon\r\nA: b\r\n") },
        { BYTES("A: b\r\nno field\r\nFrom: c\r\n"),
          BYTES("A: b\r\n\r\nno field\r\nFrom: c\r\n") },
        { BYTES("A: b\r\n c\r\n"), BYTES("A: b\r\n c\r\n") },
        { BYTES("A: b\r\n\r\nno field\r\n"), BYTES("A: b\r\n\r\nno field\r\n") },
        { BYTES("\r\n b\r\n"), BYTES("\r\n b\r\n") },
        { BYTES(""), BYTES("") },
    };
    struct spool_budget budget = { 0, 1 << 20 };
    struct message message;
    struct text want;

    text_init(&want, 1000);
    message_init(&message, &limits, &budget);
    for (size_t i = 0; i < COUNT(cases); i++) {
        append(&message, cases[i].content);
        ck_assert_int_eq(message_end(&message), MESSAGE_OK);
        expect_outgoing("nothing added", &message, cases[i].want);
        message_add_on_top(&message, SLICE("X: 1\r\n"));
        text_reset(&want);
        text_add_string(&want, "X: 1\r\n");
        text_add(&want, cases[i].want);
        expect_outgoing("one field added", &message, text_slice(&want));
        message_clear(&message);
    }
    text_clear(&want);
}
END_TEST

/* Every set of five fields taken out, in rising, falling and repeated order. */
START_TEST(any_fields_can_be_cut_in_any_order)
{
    static const char *const fields[] = { "A: 1\r\n", "Bb: 2\r\n 2\r\n", "C:\r\n", "A: 4\r\n",
                                          "E : 5\r\n" };
    static const char *const tails[] = { "", "\r\n", "\r\nbody\r\n", "no field\r\n" };
    struct spool_budget budget = { 0, 1 << 20 };
    struct message message;
    struct text content;
    struct text want;

    text_init(&content, 1000);
    text_init(&want, 1000);
    message_init(&message, &limits, &budget);
    for (unsigned int set = 0; set < 32; set++)
        for (unsigned int order = 0; order < 3; order++)
            for (size_t tail = 0; tail < COUNT(tails); tail++) {
                text_reset(&content);
                text_reset(&want);
                text_add_string(&want, "X: 0\r\n");
                for (size_t i = 0; i < 5; i++) {
                    text_add_string(&content, fields[i]);
                    if ((set >> i & 1) == 0)
                        text_add_string(&want, fields[i]);
                }
                text_add_string(&content, tails[tail]);
                if (tails[tail][0] == 'n')
                    text_add_string(&want, "\r\n");
                text_add_string(&want, tails[tail]);
                append(&message, text_slice(&content));
                ck_assert_int_eq(message_end(&message), MESSAGE_OK);
                ck_assert_uint_eq(message.header.field_count, 5);
                for (size_t k = 0; k < (order == 2 ? 10 : 5); k++) {
                    size_t i = order == 0 ? k : order == 1 ? 4 - k : k * 3 % 5;

                    if ((set >> i & 1) != 0)
                        message_cut_field(&message, &message.header.fields[i]);
                }
                message_add_on_top(&message, SLICE("X: 0\r\n"));
                expect_outgoing("cut", &message, text_slice(&want));
                ck_assert_uint_eq(message_count_fields(&message, SLICE("A")), 2);
                message_clear(&message);
            }
    text_clear(&content);
    text_clear(&want);
}
END_TEST

START_TEST(a_message_on_disk_goes_out_the_same)
{
    struct spool_budget budget = { 0, 1 << 22 };
    struct message message;
    struct text content;
    struct text want;
    const struct message_limits wide = { 0, 1 << 20, 1000 };

    text_init(&content, 1 << 20);
    text_init(&want, 1 << 20);
    text_add_string(&want, "Received: us\r\n");
    for (int i = 0; i < 60; i++) { /* the header alone is some chunks long */
        size_t start = content.length;

        text_add_format(&content, "Field-%d: ", i);
        for (int k = 0; k < 900; k++)
            text_add_byte(&content, (char)('a' + (i + k) % 26));
        text_add_string(&content, "\r\n");
        if (i % 7 != 0 && i != 59 && i != 1)
            text_add(&want, slice_from_offset(text_slice(&content), start));
    }
    text_add_string(&content, "\r\n");
    text_add_string(&want, "\r\n");
    for (int i = 0; i < 3000; i++) {
        text_add_format(&content, "line %d of the body\r\n", i);
        text_add_format(&want, "line %d of the body\r\n", i);
    }
    for (size_t moved = 0; moved <= content.length / SPOOL_CHUNK_BYTES; moved++) {
        message_init(&message, &wide, &budget);
        append(&message, text_slice(&content));
        ck_assert_int_eq(message_end(&message), MESSAGE_OK);
        move_to_file(&message, moved / 2);
        move_to_file(&message, moved - moved / 2);
        ck_assert_uint_eq(message.spool.file_length, moved * SPOOL_CHUNK_BYTES);
        for (int i = 59; i >= 0; i--)
            if (i % 7 == 0 || i == 59 || i == 1)
                message_cut_field(&message, &message.header.fields[i]);
        message_add_on_top(&message, SLICE("Received: us\r\n"));
        expect_outgoing("with a file", &message, text_slice(&want));
        message_clear(&message);
    }
    text_clear(&content);
    text_clear(&want);
}
END_TEST

START_TEST(a_reader_may_follow_a_message_that_still_comes)
{
    static const struct slice lines[] = { BYTES("A: b\r\n\r\n"), BYTES("bo"), BYTES("dy"),
                                          BYTES("\r\n") };
    struct spool_budget budget = { 0, 1 << 20 };
    struct message_position position = { 0 };
    struct message message;

    message_init(&message, &limits, &budget);
    for (size_t i = 0; i < COUNT(lines); i++) {
        struct message_piece piece;

        append(&message, lines[i]);
        piece = message_next_piece(&message, &position, UINT64_MAX);
        ck_assert_int_eq(piece.kind, MESSAGE_PIECE_MEMORY);
        ck_assert(slice_equals(piece.bytes, lines[i]));
        piece = message_next_piece(&message, &position, UINT64_MAX);
        ck_assert_int_eq(piece.kind, MESSAGE_PIECE_END);
    }
    message_clear(&message);
}
END_TEST

START_TEST(ceilings_stop_a_message_for_good)
{
    static const struct {
        struct message_limits limits;
        uint64_t budget_bytes;
        enum message_problem want; /* for the 20 bytes "A: 1\r\nB: 2\r\n\r\nbody\r\n" */
    } cases[] = {
        { { 20, 12, 2 }, 1 << 20, MESSAGE_OK },
        { { 0, 12, 2 }, 1 << 20, MESSAGE_OK },
        { { 19, 12, 2 }, 1 << 20, MESSAGE_TOO_LARGE },
        { { 1, 12, 2 }, 1 << 20, MESSAGE_TOO_LARGE },
        { { 20, 11, 2 }, 1 << 20, MESSAGE_HEADER_TOO_LARGE },
        { { 20, 12, 1 }, 1 << 20, MESSAGE_HEADER_TOO_LARGE },
        { { 0, 12, 2 }, 100, MESSAGE_NO_MEMORY },
    };
    static const struct slice content = BYTES("A: 1\r\nB: 2\r\n\r\nbody\r\n");

    for (size_t i = 0; i < COUNT(cases); i++)
        for (size_t split = 0; split <= content.length; split++) {
            struct spool_budget budget = { 0, cases[i].budget_bytes };
            struct message message;
            enum message_problem problem;
            uint64_t length;

            message_init(&message, &cases[i].limits, &budget);
            problem = message_append(&message, slice_until(content, split));
            if (problem == MESSAGE_OK)
                problem = message_append(&message, slice_from_offset(content, split));
            ck_assert_msg(problem == cases[i].want, "case %zu, split %zu: %d, want %d", i, split,
                          problem, cases[i].want);
            length = message.spool.length;
            if (problem != MESSAGE_OK) {
                ck_assert_int_eq(message_append(&message, SLICE("x")), problem);
                ck_assert_uint_eq(message.spool.length, length);
            }
            ck_assert_int_eq(message_end(&message), cases[i].want);
            message_clear(&message);
            ck_assert_uint_eq(budget.used_bytes, 0);
            ck_assert_int_eq(message.problem, MESSAGE_OK);
        }
}
END_TEST

START_TEST(the_copy_of_the_header_counts_as_memory)
{
    const struct message_limits wide = { 0, 1 << 20, 1000 };
    struct spool_budget budget = { 0, 1 << 20 };
    struct message first;
    struct message second;
    struct text header;

    text_init(&header, 1 << 20);
    for (int i = 0; i < 500; i++)
        text_add_format(&header, "Field-%03d: %040d\r\n", i, i);
    message_init(&first, &wide, &budget);
    message_init(&second, &wide, &budget);
    append(&first, text_slice(&header));
    ck_assert_uint_ge(budget.used_bytes, (uint64_t)2 * SPOOL_CHUNK_BYTES + header.length
                                             + 500 * sizeof(struct header_field));
    budget.max_bytes = budget.used_bytes + 2 * SPOOL_CHUNK_BYTES + header.length;
    ck_assert_int_eq(message_append(&second, text_slice(&header)), MESSAGE_NO_MEMORY);
    message_clear(&second);
    message_clear(&first);
    ck_assert_uint_eq(budget.used_bytes, 0);
    text_clear(&header);
}
END_TEST

START_TEST(the_end_may_show_one_field_too_many)
{
    const struct message_limits one_field = { 0, 100, 1 };
    struct spool_budget budget = { 0, 1 << 20 };
    struct message message;

    message_init(&message, &one_field, &budget);
    append(&message, SLICE("A: 1\r\nB: 2\r\n"));
    ck_assert_int_eq(message_end(&message), MESSAGE_HEADER_TOO_LARGE);
    message_clear(&message);
    append(&message, SLICE("A: 1\r\n"));
    ck_assert_int_eq(message_end(&message), MESSAGE_OK);
    message_clear(&message);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("message");
    TCase *in = tcase_create("in");
    TCase *out = tcase_create("out");

    tcase_add_test(in, fields_are_found_by_name_and_index);
    tcase_add_test(in, ceilings_stop_a_message_for_good);
    tcase_add_test(in, the_copy_of_the_header_counts_as_memory);
    tcase_add_test(in, the_end_may_show_one_field_too_many);
    suite_add_tcase(suite, in);
    tcase_add_test(out, a_message_goes_out_as_it_came_in);
    tcase_add_test(out, what_is_added_later_stands_above);
    tcase_add_test(out, an_empty_line_stands_before_a_line_that_is_no_field);
    tcase_add_test(out, any_fields_can_be_cut_in_any_order);
    tcase_add_test(out, a_message_on_disk_goes_out_the_same);
    tcase_add_test(out, a_reader_may_follow_a_message_that_still_comes);
    suite_add_tcase(suite, out);
    return unit_run(suite);
}
