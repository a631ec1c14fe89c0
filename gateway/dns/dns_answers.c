/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of answers of one transaction; see dns_answers.h. */
#include "dns/dns_answers.h"

#include <assert.h>

#include "base/map.h"
#include "base/memory.h"

/* "16 example.org" */
#define KEY_MAX_BYTES (DNS_NAME_MAX_BYTES + 8)

struct entry {
    char *key;                 /* owned */
    struct dns_question question; /* its name is in `key` */
    struct dns_answer *answer; /* owned; NULL: not there yet */
};

struct dns_answers {
    size_t max_questions;
    struct entry **entries;    /* owned, in the order in which they were wanted */
    size_t count;
    size_t capacity;
    size_t forgotten_count;    /* that were entries before */
    size_t taken_count;        /* the first so many were handed out */
    size_t missing_count;      /* without an answer */
    struct map by_key;
    /* For questions that are not entered. */
    struct dns_answer *no_name;  /* owned */
    struct dns_answer *too_many; /* owned */
    const char *given_up;        /* why nothing is asked any more; NULL while it is */
};

struct dns_answers *dns_answers_new(size_t max_questions)
{
    struct dns_answers *answers = mem_new(sizeof *answers);

    answers->max_questions = max_questions;
    answers->no_name = dns_answer_new(DNS_NO_NAME, NULL, 0);
    answers->too_many = dns_answer_new_failed("too many questions");
    map_init(&answers->by_key);
    return answers;
}

void dns_answers_forget(struct dns_answers *answers)
{
    for (size_t i = 0; i < answers->count; i++) {
        dns_answer_unref(answers->entries[i]->answer);
        mem_free(answers->entries[i]->key);
        mem_free(answers->entries[i]);
    }
    mem_free(answers->entries);
    map_clear(&answers->by_key);
    answers->entries = NULL;
    answers->given_up = NULL;
    answers->forgotten_count += answers->count;
    answers->count = answers->capacity = answers->taken_count = answers->missing_count = 0;
}

void dns_answers_free(struct dns_answers **handle)
{
    struct dns_answers *answers = *handle;

    if (answers == NULL)
        return;
    dns_answers_forget(answers);
    dns_answer_unref(answers->no_name);
    dns_answer_unref(answers->too_many);
    mem_free(answers);
    *handle = NULL;
}

static struct entry *add_entry(struct dns_answers *answers, struct slice key, size_t name_start,
                               enum dns_type type)
{
    struct entry *entry = mem_new(sizeof *entry);

    entry->key = mem_copy(key);
    entry->question = (struct dns_question){ entry->key + name_start, type };
    answers->entries =
        mem_grow(answers->entries, answers->count, &answers->capacity, sizeof *answers->entries);
    answers->entries[answers->count++] = entry;
    map_set(&answers->by_key, key, entry);
    if (answers->given_up != NULL)
        entry->answer = dns_answer_new_failed(answers->given_up);
    else
        answers->missing_count++;
    return entry;
}

const struct dns_answer *dns_answers_find(struct dns_answers *answers, struct slice name,
                                          enum dns_type type)
{
    const struct dns_answer *answer = answers->no_name;
    struct entry *entry;
    struct text key;
    size_t name_start;

    text_init(&key, KEY_MAX_BYTES);
    text_add_number(&key, type);
    text_add_byte(&key, ' ');
    name_start = key.length;
    if (dns_name_normalise(name, &key)) {
        entry = map_find(&answers->by_key, text_slice(&key));
        if (entry == NULL && dns_answers_count(answers) < answers->max_questions)
            entry = add_entry(answers, text_slice(&key), name_start, type);
        answer = entry != NULL ? entry->answer : answers->too_many;
    }
    text_clear(&key);
    return answer;
}

bool dns_answers_take_wanted(struct dns_answers *answers, struct dns_question *question)
{
    while (answers->taken_count < answers->count) {
        const struct entry *entry = answers->entries[answers->taken_count++];

        if (entry->answer != NULL)
            continue;
        *question = entry->question;
        return true;
    }
    return false;
}

void dns_answers_put(struct dns_answers *answers, const struct dns_question *question,
                     struct dns_answer *take_answer)
{
    for (size_t i = 0; i < answers->count; i++) {
        struct entry *entry = answers->entries[i];

        if (entry->question.name != question->name || entry->answer != NULL)
            continue;
        entry->answer = take_answer;
        answers->missing_count--;
        return;
    }
    dns_answer_unref(take_answer);
}

bool dns_answers_is_waiting(const struct dns_answers *answers)
{
    return answers->missing_count > 0;
}

void dns_answers_give_up(struct dns_answers *answers, const char *problem)
{
    answers->given_up = problem;
    for (size_t i = 0; i < answers->count; i++)
        if (answers->entries[i]->answer == NULL)
            answers->entries[i]->answer = dns_answer_new_failed(problem);
    answers->missing_count = 0;
}

const struct dns_answer *dns_answers_get(const struct dns_answers *answers, size_t place,
                                         struct dns_question *question)
{
    assert(place < answers->count);
    *question = answers->entries[place]->question;
    return answers->entries[place]->answer;
}

void dns_answers_make_room(struct dns_answers *answers, size_t count)
{
    size_t least = dns_answers_count(answers) + count;

    if (answers->max_questions < least)
        answers->max_questions = least;
    answers->given_up = NULL;
}

size_t dns_answers_count(const struct dns_answers *answers)
{
    return answers->forgotten_count + answers->count;
}
