/* SPDX-License-Identifier: BSD-2-Clause */
/* Starting, hearing and burying the other processes; see child.h. */
#include "daemon/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"

/* Above the places that a child's descriptors are moved to. */
#define FIRST_FREE_FD 10
/* Messages that are heard in one turn. */
#define MAX_MESSAGES_PER_TURN 64

struct child {
    struct list_link link;
    struct children *children; /* lent */
    pid_t pid;
    bool is_dead;              /* its pid may be somebody else's by now */
    int channel;               /* -1 after its end */
    struct loop_watch *watch;  /* NULL likewise */
    const struct child_events *events;
    void *owner;
};

bool children_init(struct children *children, struct loop *loop, struct text *problem)
{
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

    children->loop = loop;
    list_init(&children->list);
    children->program_fd = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD) : -1;
    if (fd >= 0)
        close(fd);
    if (children->program_fd < 0)
        text_add_format(problem, "cannot open our own program, /proc/self/exe: %s",
                        strerror(errno));
    return children->program_fd >= 0;
}

void children_clear(struct children *children)
{
    struct list_link *link;

    if (children->program_fd >= 0)
        close(children->program_fd);
    children->program_fd = -1;
    while ((link = list_take_first(&children->list)) != NULL)
        mem_free(LIST_OWNER(link, struct child, link));
}

/* ---- In the new process, up to the exec. Only what is safe between fork and exec. */

static void put_fd(int from, int to)
{
    if (from == to)
        fcntl(to, F_SETFD, 0);
    else
        dup2(from, to);
}

static void become_program(int program_fd, int channel, const char *title)
{
    char *arguments[] = { (char *)(uintptr_t)title, NULL };
    sigset_t none;
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

    put_fd(nothing, STDIN_FILENO);
    put_fd(nothing, STDOUT_FILENO);
    put_fd(channel, HANDOVER_CHANNEL_FD);
    /* Everything of ours is close-on-exec; this is for what came from outside. */
    close_range(HANDOVER_CHANNEL_FD + 1, ~0u, CLOSE_RANGE_CLOEXEC);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    fexecve(program_fd, arguments, environ);
    _exit(127);
}

/* ---- The master's side. */

static void close_channel(struct child *child)
{
    loop_watch_free(&child->watch);
    if (child->channel >= 0)
        close(child->channel);
    child->channel = -1;
}

/* True while there may be more. */
static bool hear_one(struct child *child)
{
    struct handover message;
    enum packet_result result = handover_receive(child->channel, &message);

    if (result == PACKET_DONE)
        child->events->on_message(child->owner, &message);
    packet_clear(&message.packet);
    if (result == PACKET_BROKEN) {
        log_error("child-broken", "process %ld said what no process of ours says, and is ended",
                  (long)child->pid);
        child_kill(child);
    }
    if (result == PACKET_BROKEN || result == PACKET_GONE)
        close_channel(child);
    return result == PACKET_DONE;
}

static void on_channel(void *owner)
{
    struct child *child = owner;

    for (int i = 0; i < MAX_MESSAGES_PER_TURN && child->channel >= 0; i++)
        if (!hear_one(child))
            break;
}

/* Two ends above the places that the child needs; the first one does not block. */
static bool make_channel(int ends[2])
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return false;
    for (int i = 0; i < 2; i++) {
        ends[i] = fcntl(pair[i], F_DUPFD_CLOEXEC, FIRST_FREE_FD);
        close(pair[i]);
    }
    if (ends[0] >= 0 && ends[1] >= 0 && fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0)
        return true;
    for (int i = 0; i < 2; i++)
        if (ends[i] >= 0)
            close(ends[i]);
    return false;
}

struct child *child_adopt(struct children *children, pid_t pid, int take_channel,
                          const struct child_events *events, void *owner)
{
    struct child *child = mem_new(sizeof *child);

    child->children = children;
    child->pid = pid;
    child->channel = take_channel;
    child->events = events;
    child->owner = owner;
    if (take_channel >= 0)
        child->watch = loop_watch_new(children->loop, take_channel, false, on_channel, child);
    list_add_last(&children->list, &child->link);
    return child;
}

struct child *child_start_program(struct children *children, int program_fd, const char *title,
                                  const struct child_events *events, void *owner,
                                  struct text *problem)
{
    int ends[2];
    pid_t pid;

    if (!make_channel(ends)) {
        text_add_format(problem, "cannot make a channel for %s: %s", title, strerror(errno));
        return NULL;
    }
    pid = fork();
    if (pid == 0)
        become_program(program_fd, ends[1], title);
    close(ends[1]);
    if (pid < 0) {
        text_add_format(problem, "cannot start %s: %s", title, strerror(errno));
        close(ends[0]);
        return NULL;
    }
    return child_adopt(children, pid, ends[0], events, owner);
}

struct child *child_start(struct children *children, const char *title,
                          const struct child_events *events, void *owner, struct text *problem)
{
    return child_start_program(children, children->program_fd, title, events, owner, problem);
}

void child_send(struct child *child, enum handover_type type, const void *body, size_t length,
                const int *fds, size_t fd_count)
{
    enum packet_result result;

    if (child->channel < 0)
        return;
    result = handover_send(child->channel, type, (struct slice){ body, length }, fds, fd_count);
    if (result == PACKET_DONE || result == PACKET_GONE)
        return;
    log_error("child-stuck", "process %ld cannot be told anything any more, and is ended: %s",
              (long)child->pid, strerror(errno));
    child_kill(child);
}

void child_kill(struct child *child)
{
    if (!child->is_dead)
        kill(child->pid, SIGKILL);
}

static void ignore_message(void *owner, struct handover *message)
{
    (void)owner;
    (void)message;
}

static void ignore_exit(void *owner, pid_t pid, int wait_status)
{
    (void)owner;
    (void)pid;
    (void)wait_status;
}

void child_abandon(struct child **handle)
{
    static const struct child_events events = { .on_message = ignore_message,
                                                .on_exit = ignore_exit };
    struct child *child = *handle;

    *handle = NULL;
    if (child == NULL)
        return;
    child->events = &events;
    close_channel(child);
    child_kill(child);
}

void child_hang_up(struct child *child)
{
    close_channel(child);
}

pid_t child_pid(const struct child *child)
{
    return child->pid;
}

int child_channel(const struct child *child)
{
    return child->channel;
}

static void bury(struct child *child, int wait_status)
{
    child->is_dead = true;
    /* What it said last may still lie in the channel. */
    while (child->channel >= 0 && hear_one(child))
        continue;
    close_channel(child);
    list_remove(&child->link);
    child->events->on_exit(child->owner, child->pid, wait_status);
    mem_free(child);
}

static struct child *find_child(struct children *children, pid_t pid)
{
    for (struct list_link *link = children->list.next; link != &children->list; link = link->next)
        if (LIST_OWNER(link, struct child, link)->pid == pid)
            return LIST_OWNER(link, struct child, link);
    return NULL;
}

/* Strangers are those that this process had before it became our program, or its next version. */
void children_reap(struct children *children)
{
    int wait_status;
    pid_t pid;

    while ((pid = waitpid(-1, &wait_status, WNOHANG)) > 0) {
        struct child *child = find_child(children, pid);

        if (child != NULL)
            bury(child, wait_status);
    }
}

void child_print_end(struct text *out, int wait_status)
{
    if (WIFSIGNALED(wait_status))
        text_add_format(out, "signal %d (%s)", WTERMSIG(wait_status),
                        strsignal(WTERMSIG(wait_status)));
    else
        text_add_format(out, "exit status %d", WEXITSTATUS(wait_status));
}
