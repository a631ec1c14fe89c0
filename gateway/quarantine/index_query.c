/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Questions to the index; see index.h. SQL finds by id, time and state; the rest
 * is compared here, where a network is a network and case is folded as everywhere
 * else in the program.
 */
#include "quarantine/index.h"

#include <string.h>

#include "base/ip.h"
#include "base/memory.h"
#include "quarantine/index_internal.h"

/* A question under way. */
struct query {
    struct index *index;
    const struct index_filter *filter;
    unsigned int states;               /* of the filter, or those that it stands for */
    struct ip_prefix network;          /* of filter->client */
    struct index_recipient *recipients; /* owned, and so are their strings */
    size_t count;
    size_t capacity;
};

/* ---- Comparing ---- */

static bool is_given(const char *string)
{
    return string != NULL && string[0] != '\0';
}

/* "@domain" fits whatever ends so: no domain holds an @. */
static bool fits_address(const char *address, const char *wanted)
{
    struct slice text = slice_from(address);
    struct slice want = slice_from(wanted);

    if (!is_given(wanted))
        return true;
    if (want.data[0] == '@' && text.length > want.length)
        text = slice_from_offset(text, text.length - want.length);
    return slice_equals_nocase(text, want);
}

static bool fits_reason(const char *reason, const char *wanted)
{
    struct slice want = slice_from(wanted);

    if (!is_given(wanted))
        return true;
    if (want.data[want.length - 1] == '*')
        return slice_has_prefix_nocase(slice_from(reason), slice_until(want, want.length - 1));
    return slice_equals_nocase(slice_from(reason), want);
}

static bool holds(const char *text, const char *wanted)
{
    struct slice rest = slice_from(text);
    struct slice want = slice_from(wanted);

    for (; rest.length >= want.length; rest = slice_from_offset(rest, 1))
        if (slice_has_prefix_nocase(rest, want))
            return true;
    return false;
}

static bool fits_client(const struct query *query, const char *client)
{
    struct ip_endpoint endpoint;

    return ip_endpoint_parse(slice_from(client), &endpoint) &&
           ip_prefix_contains(&query->network, &endpoint.address);
}

static bool fits_mail(const struct query *query, const struct index_mail *mail)
{
    const struct index_filter *filter = query->filter;

    return fits_address(mail->sender, filter->sender) &&
           (!is_given(filter->client) || fits_client(query, mail->client)) &&
           (!is_given(filter->text) || holds(mail->subject, filter->text) ||
            holds(mail->header_from, filter->text));
}

static bool fits_some_recipient(const struct query *query)
{
    const struct index_filter *filter = query->filter;

    for (size_t i = 0; i < query->count; i++) {
        const struct index_recipient *recipient = &query->recipients[i];

        if ((query->states >> recipient->state & 1) != 0 &&
            fits_address(recipient->address, filter->recipient) &&
            fits_reason(recipient->reason, filter->reason))
            return true;
    }
    return false;
}

/* ---- Reading ---- */

static char *copy_text(sqlite3_stmt *statement, int column)
{
    return mem_copy(slice_from(database_get_text(statement, column)));
}

static void free_text(const char *text)
{
    mem_free((void *)(uintptr_t)text);
}

static void forget_recipients(struct query *query)
{
    for (size_t i = 0; i < query->count; i++) {
        free_text(query->recipients[i].address);
        free_text(query->recipients[i].reason);
        free_text(query->recipients[i].by);
        free_text(query->recipients[i].text);
    }
    query->count = 0;
}

static void read_recipients(struct query *query, const char *id, bool has_file)
{
    sqlite3_stmt *statement = index_get(query->index, INDEX_GET_RECIPIENTS);

    forget_recipients(query);
    database_bind_text(statement, 1, slice_from(id));
    database_bind_number(statement, 2, has_file ? INDEX_FILE : INDEX_PAST);
    database_bind_number(statement, 3, has_file ? UINT32_MAX : COPY_STATES_PAST);
    while (index_step(query->index, statement)) {
        query->recipients = mem_grow(query->recipients, query->count, &query->capacity,
                                     sizeof *query->recipients);
        query->recipients[query->count++] = (struct index_recipient){
            .number = (uint32_t)database_get_number(statement, 0),
            .address = copy_text(statement, 1),
            .reason = copy_text(statement, 2),
            .state = (enum copy_state)(database_get_number(statement, 3) % COPY_STATE_COUNT),
            .changed_us = database_get_number(statement, 4),
            .attempt = database_get_number(statement, 5),
            .by = copy_text(statement, 6),
            .text = copy_text(statement, 7),
        };
    }
}

static struct index_mail get_mail(sqlite3_stmt *statement)
{
    return (struct index_mail){
        .id = database_get_text(statement, 0),
        .held_us = database_get_number(statement, 1),
        .file_bytes = database_get_number(statement, 2),
        .owner = database_get_number(statement, 3),
        .claim = database_get_text(statement, 4),
        .sender = database_get_text(statement, 5),
        .client = database_get_text(statement, 6),
        .helo = database_get_text(statement, 7),
        .listener = database_get_text(statement, 8),
        .domain = database_get_text(statement, 9),
        .policy = database_get_text(statement, 10),
        .backend = database_get_text(statement, 11),
        .message_id = database_get_text(statement, 12),
        .header_from = database_get_text(statement, 13),
        .subject = database_get_text(statement, 14),
        .is_damaged = database_get_number(statement, 15) != 0,
    };
}

/* Is this mail one of those that are asked for? Then `mail` is whole. */
static bool read_mail(struct query *query, sqlite3_stmt *statement, struct index_mail *mail)
{
    *mail = get_mail(statement);
    if (!fits_mail(query, mail))
        return false;
    read_recipients(query, mail->id, database_get_number(statement, 16) != 0);
    mail->recipients = query->recipients;
    mail->recipient_count = query->count;
    return fits_some_recipient(query);
}

static uint64_t time_or(uint64_t wall_us, uint64_t otherwise)
{
    return wall_us == 0 ? otherwise : wall_us < INT64_MAX ? wall_us : INT64_MAX;
}

static sqlite3_stmt *start(struct query *query)
{
    const struct index_filter *filter = query->filter;
    bool goes_on = is_given(filter->after_id);
    sqlite3_stmt *statement =
        index_get(query->index, is_given(filter->id) ? INDEX_LIST_ONE : INDEX_LIST);

    if (is_given(filter->id))
        database_bind_text(statement, 1, slice_from(filter->id));
    database_bind_number(statement, 2, time_or(filter->since_us, 0));
    database_bind_number(statement, 3, time_or(filter->before_us, INT64_MAX));
    database_bind_number(statement, 4, goes_on ? time_or(filter->after_held_us, 0) : 0);
    database_bind_text(statement, 5, slice_from(goes_on ? filter->after_id : ""));
    database_bind_number(statement, 6, query->states);
    return statement;
}

void index_each(struct index *index, const struct index_filter *filter,
                bool (*each)(void *owner, const struct index_mail *mail), void *owner)
{
    struct query query = { .index = index, .filter = filter };
    struct index_mail mail;
    sqlite3_stmt *statement;
    size_t given = 0;

    query.states = filter->states != 0 ? filter->states : COPY_STATES_OPEN;
    if (is_given(filter->client) && !ip_prefix_parse(slice_from(filter->client), &query.network))
        return;
    if (!index_is_ready(index) && index->database == NULL)
        return;
    index->has_failed = false;
    statement = start(&query);
    while (index_step(index, statement)) {
        if (!read_mail(&query, statement, &mail))
            continue;
        given++;
        if (!each(owner, &mail) || given == filter->limit) {
            index_reset(statement);
            break;
        }
    }
    forget_recipients(&query);
    mem_free(query.recipients);
    if (index->has_failed)
        index_give_up(index);
}

struct index_totals index_get_totals(struct index *index)
{
    struct index_totals totals = { .ignored_count = index->ignored_count };
    sqlite3_stmt *statement;

    if (!index_is_ready(index) && index->database == NULL)
        return totals;
    index->has_failed = false;
    statement = index_get(index, INDEX_GET_TOTALS);
    if (index_step(index, statement)) {
        totals.is_known = true;
        totals.mail_count = database_get_number(statement, 0);
        totals.file_bytes = database_get_number(statement, 1);
        totals.oldest_us = database_get_number(statement, 2);
        index_reset(statement);
    }
    if (index->has_failed)
        index_give_up(index);
    return totals;
}
