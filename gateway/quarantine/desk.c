/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The desk: where owners ask the keeper, by way of `postern quarantine`. A
 * session is one request and its answer. Whoever does not read on is waited for,
 * and nobody else waits for him: long lists are made a page at a time.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/log.h"
#include "base/memory.h"
#include "quarantine/keeper_internal.h"
#include "quarantine/listing.h"

#define SENTENCE_BYTES 500
/* Sessions at a time; the next waits in the socket's backlog. */
#define MAX_SESSIONS 32
#define BACKLOG 16
/* Mails of one page of a list. */
#define PAGE_COUNT 100
/* Who says nothing, or reads nothing, for so long is hung up on. */
#define SESSION_MS 60000
/* Mails that are deleted in one turn. */
#define DELETE_COUNT 20
/* How much of a message's header is shown. */
#define HEADER_BYTES (64u * 1024)

enum session_state {
    SESSION_ASKED,     /* until the request comes */
    SESSION_LISTING,   /* until the last page was said */
    SESSION_RELEASING, /* until the last of its mails has ended */
    SESSION_DELETING,  /* until the last of its mails is gone: some of them each turn */
    SESSION_EXPIRING,  /* until no mail is too old any more: likewise */
    SESSION_ENDING,    /* until all was said */
};

struct desk_session {
    struct desk *desk;
    struct list_link entry;
    enum session_state state;
    int socket;                /* owned */
    struct loop_watch *readable;
    struct loop_watch *writable; /* NULL unless there is more to say than goes through */
    struct loop_timer timer;
    char by[32];               /* "root", "uid 1000" */
    struct request request;
    size_t next_id;            /* of the request */
    uint64_t last_held_us;     /* of the page before */
    char last_id[COPY_ID_MAX_BYTES + 1];
    size_t said_count;         /* mails of the list so far */
    size_t expired_count;
    struct loop_task task;     /* while DELETING or EXPIRING: the next turn's part */
    struct text output;        /* what is still to be said */
    size_t said_bytes;         /* of it */
    uint32_t exit_status;
};

struct desk {
    struct keeper *keeper;
    int socket;                /* owned; -1 for none */
    struct loop_watch *watch;
    struct list_link sessions;
    size_t session_count;
};

static void step(struct desk_session *session);

/* ---- Sessions. */

static void session_free(struct desk_session *session)
{
    struct desk *desk = session->desk;

    attempts_forget(desk->keeper, session);
    list_remove(&session->entry);
    desk->session_count--;
    loop_timer_cancel(&session->timer);
    loop_task_cancel(&session->task);
    loop_watch_free(&session->readable);
    loop_watch_free(&session->writable);
    close(session->socket);
    request_clear(&session->request);
    text_clear(&session->output);
    mem_free(session);
    if (desk->watch != NULL)
        loop_watch_resume(desk->watch);
}

/* It is we who are waited for. */
static bool is_at_work(const struct desk_session *session)
{
    return session->state == SESSION_RELEASING || session->state == SESSION_DELETING ||
           session->state == SESSION_EXPIRING;
}

static void on_timeout(void *owner)
{
    struct desk_session *session = owner;

    if (is_at_work(session) && session->output.length == session->said_bytes)
        loop_timer_start(&session->timer, SESSION_MS);
    else
        session_free(session);
}

/* ---- Saying. */

static void on_writable(void *owner)
{
    struct desk_session *session = owner;

    loop_watch_free(&session->writable);
    step(session);
}

/* False: not now, or never more (then reading tells). */
static bool send_answer(struct desk_session *session, enum request_answer type, struct slice body,
                        const int *fds, size_t fd_count)
{
    enum packet_result result = packet_send(session->socket, type, body, fds, fd_count);

    if (result == PACKET_NOTHING && session->writable == NULL)
        session->writable = loop_watch_new(session->desk->keeper->loop, session->socket, true,
                                           on_writable, session);
    if (result == PACKET_DONE)
        loop_timer_start(&session->timer, SESSION_MS);
    return result == PACKET_DONE;
}

static bool say_output(struct desk_session *session)
{
    while (session->said_bytes < session->output.length) {
        struct slice rest = slice_from_offset(text_slice(&session->output), session->said_bytes);
        struct slice part = slice_until(rest, REQUEST_ANSWER_BYTES);

        if (!send_answer(session, REQUEST_OUTPUT, part, NULL, 0))
            return false;
        session->said_bytes += part.length;
    }
    text_reset(&session->output);
    session->said_bytes = 0;
    return true;
}

/* Short, and nothing waits in front of it; one that does not go through is lost. */
static void complain(struct desk_session *session, const char *sentence)
{
    session->exit_status = 1;
    (void)send_answer(session, REQUEST_ERROR, slice_from(sentence), NULL, 0);
}

/* ---- LIST. */

static void add_mail(struct desk_session *session, const struct index_mail *mail)
{
    switch (session->request.style) {
    case REQUEST_FOR_PEOPLE:
        if (session->said_count == 0)
            listing_print_head(&session->output);
        listing_print_line(&session->output, mail);
        break;
    case REQUEST_JSON: listing_print_json(&session->output, mail); break;
    case REQUEST_IDS:
        text_add_string(&session->output, mail->id);
        text_add_byte(&session->output, '\n');
        break;
    }
    session->said_count++;
}

static bool on_listed(void *owner, const struct index_mail *mail)
{
    struct desk_session *session = owner;

    add_mail(session, mail);
    session->last_held_us = mail->held_us;
    snprintf(session->last_id, sizeof session->last_id, "%s", mail->id);
    return true;
}

static void list_page(struct desk_session *session)
{
    struct index_filter filter = session->request.filter;
    size_t before = session->said_count;

    if (filter.limit == 0 || filter.limit - before > PAGE_COUNT)
        filter.limit = PAGE_COUNT;
    else
        filter.limit -= before;
    if (before > 0) {
        filter.after_held_us = session->last_held_us;
        filter.after_id = session->last_id;
    }
    index_each(session->desk->keeper->index, &filter, on_listed, session);
    if (session->said_count - before < filter.limit ||
        session->said_count == session->request.filter.limit)
        session->state = SESSION_ENDING;
}

/* ---- SHOW and EXPORT. */

static bool on_shown(void *owner, const struct index_mail *mail)
{
    struct desk_session *session = owner;

    if (session->request.style == REQUEST_JSON)
        listing_print_json(&session->output, mail);
    else
        listing_print_all(&session->output, mail);
    session->said_count++;
    return false;
}

/* The header section, line by line, with what could harm a terminal escaped. */
static void add_header(struct desk_session *session, const struct store_file *file)
{
    char *bytes = mem_resize(NULL, HEADER_BYTES, 1);
    size_t wanted = file->content_bytes < HEADER_BYTES ? (size_t)file->content_bytes : HEADER_BYTES;
    ssize_t count = pread(file->fd, bytes, wanted, 0);
    struct slice rest = { bytes, count > 0 ? (size_t)count : 0 };
    struct slice line;

    text_add_byte(&session->output, '\n');
    while (slice_next(&rest, '\n', &line)) {
        line = line.length > 0 && line.data[line.length - 1] == '\r'
                   ? slice_until(line, line.length - 1)
                   : line;
        if (line.length == 0)
            break;
        if (line.data[0] == '\t') {
            text_add_string(&session->output, "    ");
            line = slice_from_offset(line, 1);
        }
        escape_add_ascii(&session->output, line);
        text_add_byte(&session->output, '\n');
    }
    mem_free(bytes);
}

static void export(struct desk_session *session, const struct store_file *file)
{
    uint64_t length = file->content_bytes;

    if (!send_answer(session, REQUEST_FILE, (struct slice){ (const char *)&length, sizeof length },
                     &file->fd, 1))
        session->exit_status = 1;
}

static void show(struct desk_session *session)
{
    struct keeper *keeper = session->desk->keeper;
    const char *id = session->request.ids[0];
    struct index_filter filter = { .id = id, .states = KEEPER_ALL_STATES };
    bool is_export = session->request.verb == REQUEST_EXPORT;
    struct store_file file;
    struct text problem;

    text_init(&problem, SENTENCE_BYTES);
    session->state = SESSION_ENDING;
    if (!is_export)
        index_each(keeper->index, &filter, on_shown, session);
    if (store_read(keeper->store, id, is_export, &file, &problem) == STORE_DONE) {
        if (is_export)
            export(session, &file);
        else if (session->request.style == REQUEST_FOR_PEOPLE)
            add_header(session, &file);
        store_file_clear(&file);
    } else if (is_export || session->said_count == 0) {
        complain(session, problem.length > 0 ? text_string(&problem) : "there is no such mail");
    }
    text_clear(&problem);
}

/* ---- RELEASE. */

static void add_result(struct desk_session *session, const char *id, const char *address,
                       enum copy_state state, const char *words)
{
    if (session->request.style == REQUEST_JSON)
        listing_print_result_json(&session->output, id, address, state, words);
    else
        listing_print_result(&session->output, id, address, state, words);
}

static void on_release_recipient(void *owner, const char *id, const char *address,
                                 enum copy_state state, const char *words)
{
    struct desk_session *session = owner;

    if (state != COPY_RELEASED)
        session->exit_status = 1;
    add_result(session, id, address, state, words);
}

static void release_next(struct desk_session *session);

static void on_release_end(void *owner)
{
    struct desk_session *session = owner;

    release_next(session);
    step(session);
}

static const struct attempt_events attempt_events = {
    .on_recipient = on_release_recipient,
    .on_end = on_release_end,
};

static void release_next(struct desk_session *session)
{
    struct attempt_wish wish = {
        .recipient = session->request.filter.recipient,
        .is_again = session->request.is_again,
        .by = session->by,
    };

    if (session->next_id == session->request.id_count) {
        session->state = SESSION_ENDING;
        return;
    }
    wish.id = session->request.ids[session->next_id++];
    attempts_start(session->desk->keeper, &wish, &attempt_events, session);
}

/* ---- DELETE. */

static void on_deleted(void *owner, const char *id, const char *address, enum copy_state state)
{
    struct desk_session *session = owner;

    if (state != COPY_DELETED)
        session->exit_status = 1;
    add_result(session, id, address, state, "");
}

static void delete_one(struct desk_session *session, const char *id)
{
    struct keeper_drop drop = {
        .id = id,
        .recipient = session->request.filter.recipient,
        .event = AUDIT_DELETE,
        .by = session->by,
        .on_recipient = on_deleted,
        .owner = session,
    };

    if (!keeper_drop(session->desk->keeper, &drop))
        on_deleted(session, id, drop.recipient, COPY_ERASED);
}

/* Each one waits for the disk, and so would every worker. */
static void delete_some(struct desk_session *session)
{
    const struct request *request = &session->request;

    for (int i = 0; i < DELETE_COUNT && session->next_id < request->id_count; i++)
        delete_one(session, request->ids[session->next_id++]);
    if (session->next_id == request->id_count)
        session->state = SESSION_ENDING;
}

/* ---- EXPIRE. */

static void expire_some(struct desk_session *session)
{
    size_t count = keeper_expire(session->desk->keeper);

    session->expired_count += count;
    if (count > 0)
        return;
    if (session->request.style == REQUEST_JSON)
        text_add_format(&session->output, "{\"expired\":%zu}\n", session->expired_count);
    else
        text_add_format(&session->output, "%zu mails that were held longer than max-age deleted\n",
                        session->expired_count);
    session->state = SESSION_ENDING;
}

/* ---- A request. */

/* A turn's part of what takes long. */
static void work(void *owner)
{
    struct desk_session *session = owner;

    if (session->state == SESSION_DELETING)
        delete_some(session);
    else
        expire_some(session);
    if (session->state != SESSION_ENDING)
        loop_defer_again(session->desk->keeper->loop, &session->task);
    step(session);
}

static void start_work(struct desk_session *session, enum session_state state)
{
    session->state = state;
    loop_defer_again(session->desk->keeper->loop, &session->task);
}

static void carry_out(struct desk_session *session)
{
    const struct request *request = &session->request;
    bool wants_one = request->verb == REQUEST_SHOW || request->verb == REQUEST_EXPORT;
    bool wants_some = request->verb == REQUEST_RELEASE || request->verb == REQUEST_DELETE;

    keeper_sweep(session->desk->keeper);
    if ((wants_one && request->id_count != 1) || (wants_some && request->id_count == 0)) {
        complain(session, "an id is missing, or one too many");
        session->state = SESSION_ENDING;
        return;
    }
    switch (request->verb) {
    case REQUEST_LIST: session->state = SESSION_LISTING; break;
    case REQUEST_SHOW:
    case REQUEST_EXPORT: show(session); break;
    case REQUEST_RELEASE:
        session->state = SESSION_RELEASING;
        release_next(session);
        break;
    case REQUEST_DELETE: start_work(session, SESSION_DELETING); break;
    case REQUEST_EXPIRE: start_work(session, SESSION_EXPIRING); break;
    }
}

static void end(struct desk_session *session)
{
    uint32_t status = session->exit_status;

    if (send_answer(session, REQUEST_END, (struct slice){ (const char *)&status, sizeof status },
                    NULL, 0))
        session_free(session);
}

/* As far as it goes without waiting. The session may be gone afterwards. */
static void step(struct desk_session *session)
{
    for (;;) {
        if (!say_output(session))
            return;
        if (session->state == SESSION_LISTING) {
            list_page(session);
        } else if (session->state == SESSION_ENDING) {
            end(session);
            return;
        } else {
            return;
        }
    }
}

static void on_request(struct desk_session *session, struct slice text)
{
    struct text problem;

    text_init(&problem, SENTENCE_BYTES);
    if (request_parse(&session->request, text, &problem)) {
        carry_out(session);
    } else {
        complain(session, text_string(&problem));
        session->state = SESSION_ENDING;
    }
    text_clear(&problem);
    step(session);
}

/* The request, or the end of who asked. */
static void on_readable(void *owner)
{
    struct desk_session *session = owner;
    char *body = mem_resize(NULL, REQUEST_MAX_BYTES, 1);
    struct packet packet;
    enum packet_result result =
        packet_receive(session->socket, &packet, body, REQUEST_MAX_BYTES);

    packet_clear(&packet);
    if (result == PACKET_DONE && session->state == SESSION_ASKED)
        on_request(session, (struct slice){ body, packet.length });
    else if (result != PACKET_NOTHING)
        session_free(session);
    mem_free(body);
}

/* ---- The door. */

static void find_asker(struct desk_session *session)
{
    struct ucred who;
    socklen_t length = sizeof who;

    if (getsockopt(session->socket, SOL_SOCKET, SO_PEERCRED, &who, &length) != 0)
        snprintf(session->by, sizeof session->by, "unknown");
    else if (who.uid == 0)
        snprintf(session->by, sizeof session->by, "root");
    else
        snprintf(session->by, sizeof session->by, "uid %u", (unsigned int)who.uid);
}

static void on_connection(void *owner)
{
    struct desk *desk = owner;
    int socket = accept4(desk->socket, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct desk_session *session;

    if (socket < 0)
        return;
    session = mem_new(sizeof *session);
    session->desk = desk;
    session->socket = socket;
    request_init(&session->request, REQUEST_LIST);
    text_init(&session->output, TEXT_MAX_LENGTH);
    loop_timer_init(&session->timer, desk->keeper->loop, on_timeout, session);
    loop_task_init(&session->task, work, session);
    loop_timer_start(&session->timer, SESSION_MS);
    session->readable =
        loop_watch_new(desk->keeper->loop, socket, false, on_readable, session);
    find_asker(session);
    list_add_last(&desk->sessions, &session->entry);
    if (++desk->session_count == MAX_SESSIONS)
        loop_watch_pause(desk->watch);
}

/*
 * A socket has no *at call, and its path must be short: the folder is the working directory of this
 * process, which has no other use for one.
 */
static bool listen_in_folder(struct desk *desk, int folder_fd)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = REQUEST_SOCKET_NAME };

    if (fchdir(folder_fd) != 0)
        return false;
    if (unlink(REQUEST_SOCKET_NAME) != 0 && errno != ENOENT)
        return false;
    desk->socket = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return desk->socket >= 0 &&
           bind(desk->socket, (const struct sockaddr *)&address, sizeof address) == 0 &&
           chmod(REQUEST_SOCKET_NAME, 0600) == 0 && listen(desk->socket, BACKLOG) == 0;
}

struct desk *desk_new(struct keeper *keeper, struct text *problem)
{
    struct desk *desk = mem_new(sizeof *desk);

    desk->keeper = keeper;
    desk->socket = -1;
    list_init(&desk->sessions);
    if (!listen_in_folder(desk, store_folder_fd(keeper->store))) {
        text_add_format(problem, "cannot listen for requests in the quarantine folder: %s",
                        strerror(errno));
        desk_free(&desk);
        return NULL;
    }
    desk->watch = loop_watch_new(keeper->loop, desk->socket, false, on_connection, desk);
    return desk;
}

void desk_free(struct desk **handle)
{
    struct desk *desk = *handle;

    if (desk == NULL)
        return;
    loop_watch_free(&desk->watch);
    while (!list_is_empty(&desk->sessions))
        session_free(LIST_OWNER(desk->sessions.next, struct desk_session, entry));
    if (desk->socket >= 0)
        close(desk->socket);
    mem_free(desk);
    *handle = NULL;
}
