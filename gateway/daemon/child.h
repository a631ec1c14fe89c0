/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The master's children: each is this same program, started anew by fork and
 * exec, with standard error, a channel to the master, and nothing else open.
 */
#ifndef POSTERN_DAEMON_CHILD_H
#define POSTERN_DAEMON_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/list.h"
#include "base/slice.h"
#include "base/text.h"
#include "daemon/handover.h"
#include "net/loop.h"

struct child;

struct children {
    struct loop *loop;      /* lent */
    int program_fd;         /* our own executable */
    struct list_link list;
};

struct child_events {
    /* A well-formed message; what it carries and nobody takes is closed. */
    void (*on_message)(void *owner, struct handover *message);
    /* It is gone, and all it said was heard. `wait_status` as of waitpid; the child is freed. */
    void (*on_exit)(void *owner, pid_t pid, int wait_status);
};

/* The program is the one that runs now, even if its file is replaced or hidden from users later. */
bool children_init(struct children *children, struct loop *loop, struct text *problem)
    __attribute__((warn_unused_result));
/* All children must be gone, or abandoned. */
void children_clear(struct children *children);
/* After SIGCHLD: calls on_exit for all that are gone. Of strangers it takes no notice. */
void children_reap(struct children *children);

/*
 * `title` is what ps shows, and tells the new process what it is: "posternd: worker 1".
 * NULL and a sentence when the system refuses.
 */
struct child *child_start(struct children *children, const char *title,
                          const struct child_events *events, void *owner, struct text *problem)
    __attribute__((warn_unused_result));
/* The same for another program, which is opened for reading. */
struct child *child_start_program(struct children *children, int program_fd, const char *title,
                                  const struct child_events *events, void *owner,
                                  struct text *problem) __attribute__((warn_unused_result));
/*
 * One that was started before our process became this program. `take_channel` is -1 when its end
 * was heard already; then on_exit alone is to come.
 */
struct child *child_adopt(struct children *children, pid_t pid, int take_channel,
                          const struct child_events *events, void *owner);
/*
 * Never waits. A child that is so far behind that its channel is full is stuck, and is killed; one
 * that is gone already is told from on_exit.
 */
void child_send(struct child *child, enum handover_type type, const void *body, size_t length,
                const int *fds, size_t fd_count);
/* At once and for sure; on_exit follows. */
void child_kill(struct child *child);
/*
 * The same, for one that nobody may wait for: where it hangs in a call to a dead disk, not even
 * SIGKILL ends it. No event of it comes any more, and the handle is NULL afterwards.
 */
void child_abandon(struct child **child);
/* Closes the channel, so that the child sees its end; on_exit follows when it ends. */
void child_hang_up(struct child *child);
pid_t child_pid(const struct child *child);
/* Lent; -1 after its end was heard. */
int child_channel(const struct child *child);

/* How a process ended, for people: "exit status 2", "signal 9 (Killed)". */
void child_print_end(struct text *out, int wait_status);

#endif
