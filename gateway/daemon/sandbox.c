/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sandboxes, in layers that do not depend on each other; see sandbox.h.
 *
 * - An empty root (only when started as root): no path leads anywhere.
 * - Landlock (where the kernel has it): of files only the one folder, of TCP only
 *   the backends' ports, and no signals to others.
 * - A filter of system calls (everywhere; sandbox_calls.c says which).
 * - Limits, and memory that no other process can look at: the workers' holds keys.
 *
 * Not used: namespaces, which need privileges that the units of ours take away,
 * or a kernel that gives them to everyone.
 */
#include "daemon/sandbox.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/landlock.h"
#include "daemon/sandbox_calls.h"

bool sandbox_is_built_in(void)
{
#ifdef POSTERN_WATCHES_ITSELF
    return false;
#else
    return true;
#endif
}

/* ---- The root. */

/* Asked for first: where a filter of system calls ends who tries, as units may say, we live on. */
static bool can_change_root(void)
{
    enum { SYS_CHROOT_CAPABILITY = 18 };

    return sandbox_is_built_in() && geteuid() == 0 &&
           prctl(PR_CAPBSET_READ, SYS_CHROOT_CAPABILITY, 0, 0, 0) == 1;
}

static int enter_own_proc_folder(void *unused)
{
    (void)unused;
    return chroot("/proc/self/fdinfo") == 0 && chdir("/") == 0 ? 0 : 1;
}

/*
 * A folder of our own would have to exist, be empty and stay so. That of a dead process in /proc
 * is all this by nature: a child that shares our root goes there, and ends.
 */
static void change_to_nowhere(void)
{
    _Alignas(16) static char stack[16 * 1024];
    pid_t child = clone(enter_own_proc_folder, stack + sizeof stack, CLONE_FS | SIGCHLD, NULL);

    while (child > 0 && waitpid(child, NULL, 0) < 0)
        if (errno != EINTR)
            break;
}

void sandbox_change_root(int folder_fd)
{
    if (!can_change_root())
        return;
    if (folder_fd < 0)
        change_to_nowhere();
    else if (fchdir(folder_fd) == 0 && chroot(".") == 0)
        (void)!chdir("/");
}

/* ---- Limits. */

/* What libspf2 may take, with the rest of its process: many times what good records need. */
#define SPF_BYTES ((rlim_t)64 << 20)

static bool set_limit(__rlimit_resource_t resource, rlim_t most)
{
    struct rlimit limit;

    if (getrlimit(resource, &limit) != 0)
        return false;
    if (limit.rlim_max > most)
        limit.rlim_max = most;
    if (limit.rlim_cur > limit.rlim_max)
        limit.rlim_cur = limit.rlim_max;
    return setrlimit(resource, &limit) == 0;
}

/* A worker's thread counts as a process, so it is the filter that keeps a worker from others. */
static bool set_limits(enum sandbox_role role, const struct sandbox_needs *needs)
{
    if (!set_limit(RLIMIT_CORE, 0))
        return false;
    if (role == SANDBOX_WORKER)
        return set_limit(RLIMIT_FSIZE, (rlim_t)needs->max_file_bytes);
    if (role == SANDBOX_SPF && !set_limit(RLIMIT_DATA, SPF_BYTES))
        return false;
    return role == SANDBOX_LOADER || set_limit(RLIMIT_NPROC, 0);
}

/* ---- Files, ports, other processes. */

static struct landlock_wish make_wish(enum sandbox_role role, const struct sandbox_needs *needs)
{
    struct landlock_wish wish = { .folder_fd = needs->folder_fd };

    switch (role) {
    case SANDBOX_LOADER:
        wish.may_read_all = true;
        break;
    case SANDBOX_WORKER:
        wish.in_folder = LANDLOCK_READ | LANDLOCK_WRITE;
        if (!needs->has_unnamed_files)
            wish.in_folder |= LANDLOCK_MAKE | LANDLOCK_REMOVE;
        wish.ports = needs->ports;
        wish.port_count = needs->port_count;
        break;
    case SANDBOX_KEEPER:
        wish.in_folder = LANDLOCK_READ | LANDLOCK_WRITE | LANDLOCK_MAKE | LANDLOCK_REMOVE;
        break;
    case SANDBOX_LOGGER:
    case SANDBOX_SPF:
        break;
    }
    return wish;
}

/* ---- All of it. */

static bool refuse(struct text *problem, const char *what)
{
    text_add_format(problem, "cannot enter the sandbox: %s: %s", what, strerror(errno));
    return false;
}

bool sandbox_enter(enum sandbox_role role, const struct sandbox_needs *needs, struct text *problem)
{
    struct landlock_wish wish = make_wish(role, needs);

    if (!sandbox_is_built_in())
        return true;
    if (role == SANDBOX_LOGGER)
        tzset(); /* reads the file of the time zone, in which syslog gets its lines */
    if (!set_limits(role, needs))
        return refuse(problem, "limits");
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return refuse(problem, "no memory dumps");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return refuse(problem, "no new privileges");
    return landlock_restrict(&wish, problem) && sandbox_calls_limit(role, needs, problem);
}

void sandbox_shield_master(void)
{
    if (sandbox_is_built_in())
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

void sandbox_report(bool is_wanted)
{
    if (!sandbox_is_built_in())
        log_notice("sandbox-off", "this program was built to watch itself, with sanitizers or for "
                                  "coverage: its processes are not confined");
    else if (!is_wanted)
        log_notice("sandbox-off", "the configuration says so: the processes are not confined");
    else if (landlock_find_version() == 0)
        log_notice("sandbox-partial", "this kernel has no landlock (%s): files and ports are "
                                      "guarded by the filter of system calls alone, and by an "
                                      "empty root where the system allows it", strerror(errno));
}
