/* SPDX-License-Identifier: BSD-2-Clause */
/* base/: where things are kept (memory, list, hoard, map). */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/hoard.h"
#include "base/list.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/sip_hash.h"
#include "base/slice.h"
#include "unit.h"

/* What memory.c says when there is none left, and how the process ends then. */
#define EXIT_OUT_OF_MEMORY 70

/* ---- memory ---- */

START_TEST(memory_is_zeroed_and_grows_by_doubling)
{
    unsigned char *bytes = mem_new_array(100, 3);
    uint32_t *numbers = NULL;
    size_t capacity = 0;

    for (size_t i = 0; i < 300; i++)
        ck_assert_msg(bytes[i] == 0, "byte %zu is %d", i, bytes[i]);
    mem_free(bytes);
    for (uint32_t i = 0; i < 1000; i++) {
        numbers = mem_grow(numbers, i, &capacity, sizeof *numbers);
        ck_assert_uint_gt(capacity, i);
        numbers[i] = i;
    }
    ck_assert_uint_eq(capacity, 1024);
    for (uint32_t i = 0; i < 1000; i++)
        ck_assert_uint_eq(numbers[i], i);
    mem_free(numbers);
    mem_free(NULL);
}
END_TEST

START_TEST(memory_copy_ends_in_nul_and_keeps_every_byte)
{
    char *copy = mem_copy(SLICE("a\0b"));
    char *nothing = mem_copy(SLICE_EMPTY);

    ck_assert_mem_eq(copy, "a\0b", 4);
    ck_assert_str_eq(nothing, "");
    mem_free(copy);
    mem_free(nothing);
}
END_TEST

START_TEST(memory_for_nothing_is_still_a_pointer)
{
    void *none = mem_new_array(0, 8);

    none = mem_resize(none, 0, 8);
    ck_assert_ptr_nonnull(none);
    mem_free(none);
}
END_TEST

START_TEST(memory_that_overflows_ends_the_process)
{
    /* volatile: the compiler must not see through the numbers and warn. */
    volatile size_t huge = SIZE_MAX / 2 + 1;

    mem_free(mem_new_array(huge, 2));
}
END_TEST

START_TEST(memory_past_half_the_address_space_ends_the_process)
{
    volatile size_t huge = (size_t)PTRDIFF_MAX + 1;

    mem_free(mem_resize(NULL, huge, 1));
}
END_TEST

START_TEST(memory_that_cannot_double_ends_the_process)
{
    size_t capacity = SIZE_MAX / 2 + 1;

    mem_free(mem_grow(NULL, capacity, &capacity, 1));
}
END_TEST

/* ---- list ---- */

struct member {
    int number;
    struct list_link link;
};

static void expect_members(struct list_link *list, const char *want)
{
    char got[32] = "";
    size_t length = 0;

    for (struct list_link *link = list->next; link != list; link = link->next) {
        got[length++] = (char)('0' + LIST_OWNER(link, struct member, link)->number);
        ck_assert_ptr_eq(link->next->previous, link);
        ck_assert_ptr_eq(link->previous->next, link);
    }
    ck_assert_str_eq(got, want);
    ck_assert(list_is_empty(list) == (want[0] == '\0'));
}

START_TEST(list_keeps_its_order_through_every_change)
{
    struct list_link list;
    struct member members[5];

    list_init(&list);
    expect_members(&list, "");
    ck_assert_ptr_null(list_take_first(&list));
    for (int i = 0; i < 5; i++) {
        members[i].number = i;
        list_init(&members[i].link);
    }
    list_add_last(&list, &members[1].link);
    list_add_last(&list, &members[2].link);
    list_add_first(&list, &members[0].link);
    list_add_last(&list, &members[3].link);
    expect_members(&list, "0123");
    list_remove(&members[4].link); /* in none: harmless */
    list_remove(&members[2].link);
    expect_members(&list, "013");
    list_remove(&members[2].link); /* a second time: harmless */
    list_remove(&members[3].link);
    list_remove(&members[0].link);
    expect_members(&list, "1");
    list_add_first(&list, &members[2].link);
    ck_assert_ptr_eq(list_take_first(&list), &members[2].link);
    ck_assert(list_is_empty(&members[2].link));
    ck_assert_ptr_eq(list_take_first(&list), &members[1].link);
    expect_members(&list, "");
}
END_TEST

START_TEST(list_add_first_on_an_empty_list_is_add_last)
{
    struct list_link list;
    struct member member = { .number = 7 };

    list_init(&list);
    list_add_first(&list, &member.link);
    expect_members(&list, "7");
}
END_TEST

/* ---- hoard ---- */

START_TEST(hoard_finds_whoever_has_held_most_for_longest)
{
    struct hoard hoard;
    struct hoarder hoarders[4];

    hoard_init(&hoard);
    ck_assert_ptr_null(hoard_find(&hoard, 0));
    for (size_t i = 0; i < 4; i++) {
        hoarder_init(&hoarders[i], &hoarders[i]);
        hoard_note(&hoard, &hoarders[i], 0);
    }
    ck_assert_ptr_null(hoard_find(&hoard, 0));
    hoard_note(&hoard, &hoarders[0], 1);
    hoard_note(&hoard, &hoarders[1], 20000);
    hoard_note(&hoard, &hoarders[2], 17000);
    hoard_note(&hoard, &hoarders[3], 10000);
    ck_assert_ptr_eq(hoard_find(&hoard, 0), &hoarders[1]);
    /* More, but of the same class, keeps the place; a higher class does not. */
    hoard_note(&hoard, &hoarders[1], 30000);
    hoard_note(&hoard, &hoarders[2], 32000);
    ck_assert_ptr_eq(hoard_find(&hoard, 0), &hoarders[1]);
    hoard_note(&hoard, &hoarders[3], 33000);
    ck_assert_ptr_eq(hoard_find(&hoard, 0), &hoarders[3]);
    ck_assert_ptr_eq(hoard_find(&hoard, 40000), &hoarders[3]);
    ck_assert_ptr_null(hoard_find(&hoard, 70000));
    /* Who comes back is the last. */
    hoard_note(&hoard, &hoarders[3], 0);
    hoard_note(&hoard, &hoarders[1], 0);
    hoard_note(&hoard, &hoarders[1], 20000);
    ck_assert_ptr_eq(hoard_find(&hoard, 0), &hoarders[2]);
    hoard_note(&hoard, &hoarders[2], 0);
    hoard_note(&hoard, &hoarders[1], 0);
    ck_assert_ptr_eq(hoard_find(&hoard, 4095), &hoarders[0]);
    ck_assert_ptr_null(hoard_find(&hoard, 4096));
}
END_TEST

START_TEST(hoard_takes_any_number)
{
    struct hoard hoard;
    struct hoarder hoarder;

    hoard_init(&hoard);
    hoarder_init(&hoarder, &hoarder);
    hoard_note(&hoard, &hoarder, UINT64_MAX);
    ck_assert_ptr_eq(hoard_find(&hoard, UINT64_MAX), &hoarder);
    hoard_note(&hoard, &hoarder, 0);
    ck_assert_ptr_null(hoard_find(&hoard, 0));
}
END_TEST

/* ---- map ---- */

START_TEST(map_without_entries_finds_nothing)
{
    struct map map;
    size_t position = 0;

    map_init(&map);
    ck_assert_ptr_null(map_find(&map, SLICE("a")));
    ck_assert_ptr_null(map_next(&map, &position));
    map_clear(&map);
}
END_TEST

START_TEST(map_keys_are_copied_and_any_bytes_will_do)
{
    struct map map;
    char key[] = "key";
    int a, b, c;

    map_init(&map);
    ck_assert_ptr_null(map_set(&map, slice_from(key), &a));
    key[0] = 'x';
    ck_assert_ptr_eq(map_find(&map, SLICE("key")), &a);
    ck_assert_ptr_null(map_find(&map, SLICE("xey")));
    ck_assert_ptr_null(map_find(&map, SLICE("KEY")));
    ck_assert_ptr_null(map_set(&map, SLICE_EMPTY, &b));
    ck_assert_ptr_null(map_set(&map, SLICE("key\0"), &c));
    ck_assert_ptr_eq(map_find(&map, SLICE("")), &b);
    ck_assert_ptr_eq(map_find(&map, SLICE("key\0")), &c);
    ck_assert_ptr_eq(map_set(&map, SLICE("key"), &c), &a);
    ck_assert_uint_eq(map.count, 3);
    map_clear(&map);
    ck_assert_uint_eq(map.count, 0);
    ck_assert_ptr_null(map_find(&map, SLICE("")));
}
END_TEST

/* Keys of every length around the hash's 8-byte words: no two of them meet. */
START_TEST(map_keeps_keys_apart_that_differ_in_length_only)
{
    static const char zeros[40];
    static char values[40];
    struct map map;

    map_init(&map);
    for (size_t i = 0; i < sizeof zeros; i++)
        ck_assert_ptr_null(map_set(&map, (struct slice){ zeros, i }, &values[i]));
    for (size_t i = 0; i < sizeof zeros; i++)
        ck_assert_ptr_eq(map_find(&map, (struct slice){ zeros, i }), &values[i]);
    map_clear(&map);
}
END_TEST

#define MODEL_KEYS 3000
#define MODEL_STEPS 20000

/* The model: number i is in the map when value[i] is not 0. */
static int model_value[MODEL_KEYS + 1];
static int stored[MODEL_STEPS + 1]; /* what the map points to: stored[n] == n */

static struct slice model_key(unsigned int number, char text[24])
{
    int length = snprintf(text, 24, "key-%u", number * 2654435761u);

    return (struct slice){ text, (size_t)length };
}

/* A small generator with a fixed start: a failure comes again. */
static unsigned int next_random(void)
{
    static unsigned int state = 20211;

    state = state * 1664525 + 1013904223;
    return state >> 8;
}

static void expect_map_is_model(const struct map *map)
{
    size_t position = 0;
    size_t walked = 0;
    size_t want = 0;
    const struct map_entry *entry;

    for (unsigned int i = 0; i < MODEL_KEYS; i++) {
        char text[24];
        const int *found = map_find(map, model_key(i, text));

        want += model_value[i] != 0;
        ck_assert_msg((found != NULL ? *found : 0) == model_value[i], "key %u: got %d, want %d", i,
                      found != NULL ? *found : 0, model_value[i]);
    }
    while ((entry = map_next(map, &position)) != NULL) {
        ck_assert_ptr_eq(map_find(map, entry->key), entry->value);
        walked++;
    }
    ck_assert_uint_eq(walked, want);
    ck_assert_uint_eq(map->count, want);
}

/*
 * New keys and new values for old ones, while the table grows. The hash's secret is
 * new in each process, so each run tries other neighbours.
 */
START_TEST(map_agrees_with_a_model_through_random_changes)
{
    struct map map;

    map_init(&map);
    for (int step = 1; step <= MODEL_STEPS; step++) {
        unsigned int number = next_random() % MODEL_KEYS;
        char text[24];
        const int *previous;

        stored[step] = step;
        previous = map_set(&map, model_key(number, text), &stored[step]);
        ck_assert_msg((previous != NULL ? *previous : 0) == model_value[number],
                      "step %d, key %u: got %d, want %d", step, number,
                      previous != NULL ? *previous : 0, model_value[number]);
        model_value[number] = step;
        if (step % 1000 == 0)
            expect_map_is_model(&map);
    }
    map_clear(&map);
}
END_TEST

/* ---- SipHash ---- */

START_TEST(sip_hash_of_known_input_is_as_published)
{
    /* SipHash-1-3, key 00 01 .. 0f, input 00 01 .. as long as its index. */
    static const uint64_t expected[] = { 0xabac0158050fc4dc, 0xc9f49bf37d57ca93,
                                         0x82cb9b024dc7d44d, 0x8bf80ab8e7ddf7fb };
    unsigned char bytes[16];
    uint64_t secret[2];

    for (unsigned int i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)i;
    memcpy(secret, bytes, sizeof secret);
    for (size_t i = 0; i < 4; i++)
        ck_assert_uint_eq(sip_hash(secret, (struct slice){ (const char *)bytes, i }), expected[i]);
    /* Past one word and past two; no published value, but none may be like another. */
    ck_assert_uint_ne(sip_hash(secret, (struct slice){ (const char *)bytes, 8 }),
                      sip_hash(secret, (struct slice){ (const char *)bytes, 9 }));
    secret[1]++;
    ck_assert_uint_ne(sip_hash(secret, SLICE_EMPTY), expected[0]);
}
END_TEST

static Suite *store_suite(void)
{
    Suite *suite = suite_create("base: memory, list, map");
    TCase *memory = tcase_create("memory");
    TCase *list = tcase_create("list");
    TCase *hoard = tcase_create("hoard");
    TCase *map = tcase_create("map");

    tcase_add_test(memory, memory_is_zeroed_and_grows_by_doubling);
    tcase_add_test(memory, memory_copy_ends_in_nul_and_keeps_every_byte);
    tcase_add_test(memory, memory_for_nothing_is_still_a_pointer);
    tcase_add_exit_test(memory, memory_that_overflows_ends_the_process, EXIT_OUT_OF_MEMORY);
    tcase_add_exit_test(memory, memory_past_half_the_address_space_ends_the_process,
                        EXIT_OUT_OF_MEMORY);
    tcase_add_exit_test(memory, memory_that_cannot_double_ends_the_process, EXIT_OUT_OF_MEMORY);
    tcase_add_test(list, list_keeps_its_order_through_every_change);
    tcase_add_test(list, list_add_first_on_an_empty_list_is_add_last);
    tcase_add_test(hoard, hoard_finds_whoever_has_held_most_for_longest);
    tcase_add_test(hoard, hoard_takes_any_number);
    tcase_set_timeout(map, 60); /* valgrind is slow */
    tcase_add_test(map, map_without_entries_finds_nothing);
    tcase_add_test(map, map_keys_are_copied_and_any_bytes_will_do);
    tcase_add_test(map, map_keeps_keys_apart_that_differ_in_length_only);
    tcase_add_test(map, map_agrees_with_a_model_through_random_changes);
    suite_add_tcase(suite, memory);
    suite_add_tcase(suite, list);
    suite_add_tcase(suite, hoard);
    tcase_add_test(map, sip_hash_of_known_input_is_as_published);
    suite_add_tcase(suite, map);
    return suite;
}

int main(void)
{
    return unit_run(store_suite());
}
