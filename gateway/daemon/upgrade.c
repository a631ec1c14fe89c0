/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An upgrade, as the master sees it; see upgrade.h.
 *
 * The file is opened once, so that the program that has agreed is the one that
 * is run, whatever happens to its path in between. When our process becomes the
 * program, the description that the heir has seen is old; the program gets one of
 * its own.
 */
#include "daemon/upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/number.h"
#include "daemon/memory_file.h"

#define SENTENCE_BYTES 1000
/* It reads what a loader reads, and some more. */
#define ASK_MS 60000
/* See hold_signals. */
#define YIELD_MS 20
#define FIRST_FREE_FD 10
/* What a child ends with whose program the system would not run; see child.c. */
#define EXIT_NOT_RUN 127
/* Names the descriptor of the estate. */
#define ENVIRONMENT_NAME "POSTERN_ESTATE"

enum upgrade_state {
    UPGRADE_ASKING,   /* until the heir has answered, or ASK_MS are over */
    UPGRADE_YIELDING, /* until YIELD_MS are over; signals are held */
};

struct upgrade {
    enum upgrade_state state;
    /* Lent. */
    struct children *children;
    const char *program;     /* its path */
    char *const *arguments;
    const struct upgrade_events *events;
    void *owner;
    /* In flight. */
    int program_fd;          /* owned */
    struct child *heir;      /* NULL once it has ended */
    struct loop_timer timer; /* the end of either state */
    bool has_agreed;
    bool has_said_why;       /* why not */
};

static void on_message(void *owner, struct handover *message);
static void on_heir_exit(void *owner, pid_t pid, int wait_status);
static void on_time(void *owner);

static const struct child_events heir_events = { .on_message = on_message,
                                                 .on_exit = on_heir_exit };

/* ---- The path of our program. */

static bool is_our_program(const char *path)
{
    struct stat ours;
    struct stat other;

    return stat("/proc/self/exe", &ours) == 0 && stat(path, &other) == 0 &&
           ours.st_dev == other.st_dev && ours.st_ino == other.st_ino;
}

/* Where the file lies itself; the system marks one that was removed or replaced since. */
static char *find_file(void)
{
    static const struct slice deleted = { " (deleted)", 10 };
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path);
    struct slice file = { path, length > 0 ? (size_t)length : 0 };

    if (file.length > deleted.length &&
        slice_equals(slice_from_offset(file, file.length - deleted.length), deleted))
        file = slice_until(file, file.length - deleted.length);
    return mem_copy(file);
}

/* As it was called, through links: one may lead elsewhere by the next upgrade, and is meant to. */
char *upgrade_find_program(void)
{
    const char *called = (const char *)(uintptr_t)getauxval(AT_EXECFN);
    char folder[PATH_MAX];
    struct text path;
    char *found = NULL;

    text_init(&path, PATH_MAX);
    if (called != NULL && called[0] != '/' && getcwd(folder, sizeof folder) != NULL)
        text_add_format(&path, "%s/", folder);
    if (called != NULL)
        text_add_string(&path, called);
    if (is_our_program(text_string(&path)))
        found = mem_copy(text_slice(&path));
    text_clear(&path);
    return found != NULL ? found : find_file();
}

/* ---- Asking. */

/* -1 and a sentence when there is nothing that could be run. */
static int open_program(const char *path, struct text *problem)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int high = -1;
    struct stat status;

    if (fd < 0 || fstat(fd, &status) != 0) {
        text_add_format(problem, "cannot open %s: %s", path, strerror(errno));
    } else if (!S_ISREG(status.st_mode) ||
               faccessat(fd, "", X_OK, AT_EACCESS | AT_EMPTY_PATH) != 0) {
        text_add_format(problem, "%s is no program that may be run", path);
    } else {
        high = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
        if (high < 0)
            text_add_format(problem, "cannot keep %s open: %s", path, strerror(errno));
    }
    if (fd >= 0)
        close(fd);
    return high;
}

/* As it is now, in a sealed file; -1 and a sentence when there is no memory for that. */
static int describe(const struct upgrade *upgrade, struct estate *estate, struct text *problem)
{
    struct text bytes;
    int fd;

    upgrade->events->describe(upgrade->owner, estate);
    text_init(&bytes, TEXT_MAX_LENGTH);
    estate_print(estate, &bytes);
    fd = memory_file_seal("postern-estate", text_slice(&bytes));
    if (fd < 0)
        text_add_format(problem, "cannot write down what is handed over: %s", strerror(errno));
    text_clear(&bytes);
    return fd;
}

static bool start_heir(struct upgrade *upgrade, struct text *problem)
{
    struct estate estate;
    int estate_fd;

    estate_init(&estate);
    estate_fd = describe(upgrade, &estate, problem);
    estate_clear(&estate);
    if (estate_fd < 0)
        return false;
    upgrade->heir = child_start_program(upgrade->children, upgrade->program_fd, "posternd: heir",
                                        &heir_events, upgrade, problem);
    if (upgrade->heir != NULL)
        child_send(upgrade->heir, HANDOVER_ESTATE, NULL, 0, &estate_fd, 1);
    close(estate_fd);
    return upgrade->heir != NULL;
}

struct upgrade *upgrade_start(struct children *children, const char *program,
                              char *const *arguments, const struct upgrade_events *events,
                              void *owner, struct text *problem)
{
    struct upgrade *upgrade = mem_new(sizeof *upgrade);

    *upgrade = (struct upgrade){ .children = children, .program = program,
                                 .arguments = arguments, .events = events, .owner = owner };
    loop_timer_init(&upgrade->timer, children->loop, on_time, upgrade);
    upgrade->program_fd = open_program(program, problem);
    if (upgrade->program_fd >= 0 && start_heir(upgrade, problem))
        loop_timer_start(&upgrade->timer, ASK_MS);
    else
        upgrade_cancel(&upgrade);
    return upgrade;
}

void upgrade_cancel(struct upgrade **handle)
{
    struct upgrade *upgrade = *handle;

    if (upgrade == NULL)
        return;
    if (upgrade->state == UPGRADE_YIELDING)
        loop_hold_signals(false);
    loop_timer_cancel(&upgrade->timer);
    child_abandon(&upgrade->heir);
    if (upgrade->program_fd >= 0)
        close(upgrade->program_fd);
    mem_free(upgrade);
    *handle = NULL;
}

/* Nothing that comes from it is believed but a plain yes, and an exit that says the same. */
static void on_message(void *owner, struct handover *message)
{
    struct upgrade *upgrade = owner;

    if (handover_type(message) == HANDOVER_DIAGNOSTIC) {
        upgrade->has_said_why = true;
        upgrade->events->on_line(upgrade->owner, handover_text(message));
    } else if (handover_type(message) == HANDOVER_AGREED) {
        upgrade->has_agreed = true;
    } else {
        child_kill(upgrade->heir);
    }
}

/* It is freed first: the owner may begin something else. */
static void refuse(struct upgrade *upgrade, const char *why)
{
    const struct upgrade_events *events = upgrade->events;
    void *owner = upgrade->owner;

    upgrade_cancel(&upgrade);
    events->on_refused(owner, why);
}

static void print_no(struct text *out, const struct upgrade *upgrade, int wait_status)
{
    text_add_format(out, "%s does not take over", upgrade->program);
    if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == EXIT_NOT_RUN) {
        text_add_string(out, ": the system cannot run it");
    } else if (!upgrade->has_said_why) {
        text_add_string(out, ": asked whether it could, it ended with ");
        child_print_end(out, wait_status);
    }
}

/*
 * A signal that was caught but not followed yet would be forgotten with our memory. So from here on
 * they wait in the system, for the program that we become, and those before get some turns.
 */
static void hold_signals(struct upgrade *upgrade)
{
    upgrade->state = UPGRADE_YIELDING;
    loop_hold_signals(true);
    loop_timer_start(&upgrade->timer, YIELD_MS);
}

static void on_heir_exit(void *owner, pid_t pid, int wait_status)
{
    struct upgrade *upgrade = owner;
    struct text why;

    (void)pid;
    upgrade->heir = NULL;
    if (upgrade->has_agreed && !upgrade->has_said_why && wait_status == 0) {
        hold_signals(upgrade);
        return;
    }
    text_init(&why, SENTENCE_BYTES);
    print_no(&why, upgrade, wait_status);
    refuse(upgrade, text_string(&why));
    text_clear(&why);
}

/* ---- Becoming it. Comes back only when the system refuses. */

static void run_program(const struct upgrade *upgrade, const struct estate *estate, int estate_fd,
                        struct text *problem)
{
    char digits[24];

    snprintf(digits, sizeof digits, "%d", estate_fd);
    if (setenv(ENVIRONMENT_NAME, digits, 1) == 0 && fcntl(estate_fd, F_SETFD, 0) == 0 &&
        estate_keep_fds(estate, true))
        fexecve(upgrade->program_fd, upgrade->arguments, environ);
    text_add_format(problem, "the system does not run %s: %s", upgrade->program, strerror(errno));
    estate_keep_fds(estate, false);
    unsetenv(ENVIRONMENT_NAME);
}

static void become_program(struct upgrade *upgrade, struct text *problem)
{
    struct estate estate;
    int estate_fd;

    estate_init(&estate);
    estate_fd = describe(upgrade, &estate, problem);
    if (estate_fd >= 0) {
        run_program(upgrade, &estate, estate_fd, problem);
        close(estate_fd);
    }
    estate_clear(&estate);
}

static void on_time(void *owner)
{
    struct upgrade *upgrade = owner;
    struct text why;

    text_init(&why, SENTENCE_BYTES);
    if (upgrade->state == UPGRADE_YIELDING)
        become_program(upgrade, &why);
    else
        text_add_format(&why, "%s does not take over: asked whether it could, it has not answered "
                        "in %d s", upgrade->program, ASK_MS / 1000);
    refuse(upgrade, text_string(&why));
    text_clear(&why);
}

/* ---- On the other side. */

bool upgrade_is_under_way(void)
{
    return getenv(ENVIRONMENT_NAME) != NULL;
}

static bool read_estate(int take_fd, struct estate *estate, struct text *problem)
{
    struct slice bytes;
    bool is_fine = memory_file_map_sealed(take_fd, &bytes);

    close(take_fd);
    if (!is_fine) {
        text_add_string(problem, "what was handed over cannot be read");
        return false;
    }
    is_fine = estate_parse(bytes, estate, problem);
    memory_file_unmap_sealed(&bytes);
    if (is_fine && estate->pid != (uint32_t)getpid()) {
        text_add_string(problem, "what was handed over is for another process");
        is_fine = false;
    }
    if (is_fine && !estate_keep_fds(estate, false)) {
        text_add_string(problem, "a descriptor that was handed over is not open");
        is_fine = false;
    }
    return is_fine;
}

bool upgrade_receive(struct estate *estate, struct text *problem)
{
    bool is_named;
    uint64_t fd;

    is_named = number_parse(slice_from(getenv(ENVIRONMENT_NAME)), INT_MAX, &fd) &&
               fd > STDERR_FILENO;
    unsetenv(ENVIRONMENT_NAME);
    if (!is_named)
        text_add_string(problem, "nothing was handed over");
    return is_named && read_estate((int)fd, estate, problem);
}
