/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The system calls of each role; see sandbox_calls.h. Lists of what is left, so
 * that what the kernel learns tomorrow is refused.
 *
 * What is not on a list fails with ENOSYS and ends nobody: a newer C library may
 * try a newer call at any time, and what it does on ENOSYS, and on no other
 * error, is to use the older one. A gateway must not die of that at night, and a
 * process that was taken over gets nothing by it either. But the calls that start
 * programs and processes, look into others, or move the walls are never tried by
 * mistake: they end the process (SIGSYS), the master logs that and starts a clean
 * one.
 *
 * A filter sees arguments, never what they point to. So a worker may make files,
 * by flags that open no existing one, but a path cannot be checked here: landlock
 * and the empty root do that. clone3(2) has its flags in memory: it is not there,
 * and the C library takes clone(2).
 *
 * What is allowed whatever its arguments is looked up by the kernel in a bitmap and
 * costs nothing (Linux 5.11): calls that each mail makes should be of that kind.
 */
#include "daemon/sandbox_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>


#define MAX_CHECKS 3
#define INT_BITS 0xffffffffu
/* Of an argument that is an int, which the kernel takes without the upper half of its register. */
#define IS(number, value) { number, SCMP_CMP_MASKED_EQ, INT_BITS, (unsigned int)(value) }
#define BITS_ARE(number, mask, value) { number, SCMP_CMP_MASKED_EQ, mask, value }
#define IS_NULL(number) { number, SCMP_CMP_EQ, 0, 0 }

#ifdef __s390__
#define CLONE_FLAGS 1
#else
#define CLONE_FLAGS 0
#endif
#define NEW_NAMESPACES                                                                             \
    ((unsigned int)CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |   \
     CLONE_NEWPID | CLONE_NEWNET)
/* The kernel sets it for programs of 64 bits, and the C library for those of 32. */
#define LARGE_FILE 0100000u

/* A call with these arguments. */
struct call {
    const char *name;
    struct scmp_arg_cmp checks[MAX_CHECKS]; /* all of them hold; up to the first without operator */
};

/* ---- Everyone. */

/* Lists end with NULL; a name that libseccomp does not know, or this machine, is passed over. */
static const char *const everyone_names[] = {
    /* Descriptors that are there. */
    "read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "lseek",
    "_llseek", "close", "fstat", "fstat64", "poll", "ppoll", "ppoll_time64", "recvfrom",
    "recvmsg", "recv", "sendto", "sendmsg", "send",
    /* The loop. */
    "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "eventfd2", "pipe2",
    "timerfd_create", "timerfd_settime", "timerfd_settime64",
    /* Memory, threads, randomness. */
    "brk", "munmap", "mremap", "madvise", "futex", "futex_time64", "set_robust_list", "rseq",
    "membarrier", "sched_yield", "sched_getaffinity", "sysinfo", "getrandom",
    /* Time. */
    "clock_gettime", "clock_gettime64", "clock_nanosleep", "clock_nanosleep_time64", "nanosleep",
    "gettimeofday", "time",
    /* Itself. */
    "getpid", "gettid", "getppid", "getuid", "getuid32", "geteuid", "geteuid32", "getgid",
    "getgid32", "getegid", "getegid32", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn",
    "sigreturn", "sigaltstack", "restart_syscall", "exit", "exit_group", NULL,
};

static const struct call everyone_calls[] = {
    /* Not F_SETOWN and its kind: they send signals to any process of the same user. */
    { "fcntl", { IS(1, F_GETFL) } },
    { "fcntl", { IS(1, F_SETFL) } },
    { "fcntl", { IS(1, F_GETFD) } },
    { "fcntl", { IS(1, F_SETFD) } },
    { "fcntl", { IS(1, F_GET_SEALS) } },
    { "fcntl", { IS(1, F_DUPFD_CLOEXEC) } },
    { "fcntl64", { IS(1, F_GETFL) } },
    { "fcntl64", { IS(1, F_SETFL) } },
    { "fcntl64", { IS(1, F_GETFD) } },
    { "fcntl64", { IS(1, F_SETFD) } },
    { "fcntl64", { IS(1, F_GET_SEALS) } },
    { "fcntl64", { IS(1, F_DUPFD_CLOEXEC) } },
    /* fstat(3): of a descriptor; with a path it gives away a size and an owner, and no more. */
    { "newfstatat", { IS(3, AT_EMPTY_PATH) } },
    { "fstatat64", { IS(3, AT_EMPTY_PATH) } },
    { "prlimit64", { IS(0, 0), IS_NULL(2) } },
    { .name = NULL },
};

/* Memory that is never run; not for the loader, to which name services come as libraries. */
static const struct call no_new_code_calls[] = {
    { "mmap", { BITS_ARE(2, PROT_EXEC, 0) } },
    { "mmap2", { BITS_ARE(2, PROT_EXEC, 0) } },
    { "mprotect", { BITS_ARE(2, PROT_EXEC, 0) } },
    { .name = NULL },
};

/* ---- What only somebody else's code would try. */

static const char *const deadly_names[] = {
    "execve", "execveat",
    /* Other processes. */
    "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "pidfd_open",
    "pidfd_getfd", "pidfd_send_signal", "kcmp", "perf_event_open", "userfaultfd",
    /* The walls. */
    "unshare", "setns", "chroot", "pivot_root", "mount", "umount", "umount2", "move_mount",
    "open_tree", "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr", "open_by_handle_at",
    "personality",
    /* The kernel. */
    "bpf", "init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load",
    "io_uring_setup", "io_uring_enter", "io_uring_register", "add_key", "request_key", "keyctl",
    "reboot", "swapon", "swapoff", "acct", "iopl", "ioperm", "modify_ldt", NULL,
};

static const char *const deadly_but_for_loader_names[] = { "fork", "vfork", NULL };

static const struct call deadly_but_for_loader_calls[] = {
    { "clone", { BITS_ARE(CLONE_FLAGS, CLONE_THREAD, 0) } },
    { .name = NULL },
};

/* ---- Worker: TCP, and files that are made. */

static const char *const worker_names[] = {
    "accept4", "connect", "shutdown", "getsockname", "getpeername", "ftruncate", "ftruncate64",
    "memfd_create", NULL,
};

static const struct call worker_calls[] = {
    { "socket", { IS(0, AF_INET), IS(1, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC) } },
    { "socket", { IS(0, AF_INET6), IS(1, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC) } },
    { "setsockopt", { IS(1, IPPROTO_TCP), IS(2, TCP_NODELAY) } },
    { "getsockopt", { IS(1, SOL_SOCKET), IS(2, SO_ERROR) } },
    { "clone", { BITS_ARE(CLONE_FLAGS, CLONE_THREAD | NEW_NAMESPACES, CLONE_THREAD) } },
    { .name = NULL },
};

/*
 * ---- Worker that asks the DNS: datagrams, from a port that the library picks, and TCP as it opens
 * it. It may bind, but not listen. To whom datagrams go no filter can see: to forge a sender they
 * would need a socket of another kind, and to reach the servers of this host they need no more than
 * any user of it has.
 */

static const char *const worker_dns_names[] = { "bind", NULL };

static const struct call worker_dns_calls[] = {
    { "socket", { IS(0, AF_INET), IS(1, SOCK_DGRAM) } },
    { "socket", { IS(0, AF_INET6), IS(1, SOCK_DGRAM) } },
    { "socket", { IS(0, AF_INET), IS(1, SOCK_STREAM) } },
    { "socket", { IS(0, AF_INET6), IS(1, SOCK_STREAM) } },
    { "setsockopt", { IS(1, SOL_SOCKET), IS(2, SO_REUSEADDR) } },
    { "setsockopt", { IS(1, IPPROTO_IP), IS(2, IP_MTU_DISCOVER) } },
    { "setsockopt", { IS(1, IPPROTO_IP), IS(2, IP_BIND_ADDRESS_NO_PORT) } },
    { "setsockopt", { IS(1, IPPROTO_IPV6), IS(2, IPV6_V6ONLY) } },
    { "setsockopt", { IS(1, IPPROTO_IPV6), IS(2, IPV6_MTU) } },
    { "setsockopt", { IS(1, IPPROTO_IPV6), IS(2, IPV6_MTU_DISCOVER) } },
    { .name = NULL },
};

/* ---- Keeper: its folder. Which folder, its root or landlock says. */

static const char *const keeper_names[] = {
    "openat", "statx", "faccessat", "faccessat2", "unlinkat", "renameat2", "linkat", "getdents64",
    "flock", "fsync", "fdatasync", "sync_file_range", "sync_file_range2", "fallocate", "ftruncate",
    "ftruncate64", "fchmod", "fchmodat", "umask", "accept4", "shutdown", "memfd_create", NULL,
};

static const struct call keeper_calls[] = {
    { "newfstatat", { IS(3, AT_SYMLINK_NOFOLLOW) } },
    { "fstatat64", { IS(3, AT_SYMLINK_NOFOLLOW) } },
    { "getsockopt", { IS(1, SOL_SOCKET), IS(2, SO_PEERCRED) } },
    { "fcntl", { IS(1, F_GETLK) } },
    { "fcntl", { IS(1, F_SETLK) } },
    { "fcntl64", { IS(1, F_GETLK) } },
    { "fcntl64", { IS(1, F_SETLK) } },
    { "fcntl64", { IS(1, F_GETLK64) } },
    { "fcntl64", { IS(1, F_SETLK64) } },
    { .name = NULL },
};

/* ---- Logger: datagrams to syslog, whenever that comes back. */

static const char *const logger_names[] = { "connect", NULL };

static const struct call logger_calls[] = {
    { "socket", { IS(0, AF_UNIX), IS(1, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC) } },
    { "ioctl", { IS(1, TCGETS) } }, /* isatty(3) */
    { .name = NULL },
};

/* ---- The second SPF engine: nothing but a clock that ends it. */

static const char *const spf_names[] = { "setitimer", NULL };

static const struct call spf_calls[] = {
    { .name = NULL },
};

/*
 * ---- Loader: any file, to read it (landlock refuses the rest), and what name services need, with
 * their helpers on Unix sockets. Those that open network connections themselves find none.
 */

static const char *const loader_names[] = {
    "open", "openat", "openat2", "stat", "stat64", "lstat", "lstat64", "newfstatat", "fstatat64",
    "statx", "statfs", "statfs64", "fstatfs", "fstatfs64", "access", "faccessat", "faccessat2",
    "readlink", "readlinkat", "getdents", "getdents64", "getcwd", "uname", "umask", "flock",
    "fadvise64", "fadvise64_64", "ftruncate", "ftruncate64", "memfd_create", "mmap", "mmap2",
    "mprotect", "fcntl", "fcntl64", "dup", "dup2", "dup3", "pipe", "select", "_newselect",
    "pselect6", "pselect6_time64", "connect", "shutdown", "getsockname", "getpeername",
    "getsockopt", "setsockopt", "getrlimit", "ugetrlimit", "setgroups", "setgroups32",
    "getgroups", "getgroups32", "setresuid", "setresuid32", "setresgid",
    "setresgid32", "setuid", "setuid32", "getresuid", "getresuid32", "getresgid", "getresgid32",
    "getpgrp", "getpgid", "getsid", "fork", "vfork", "wait4", "waitid", "waitpid",
    "set_tid_address", NULL,
};

static const struct call loader_calls[] = {
    { "socket", { IS(0, AF_UNIX) } },
    { "prctl", { IS(0, PR_SET_NO_NEW_PRIVS) } },
    { "ioctl", { IS(1, TCGETS) } },
    { "clone", { BITS_ARE(CLONE_FLAGS, NEW_NAMESPACES, 0) } },
    { .name = NULL },
};

static const struct {
    const char *const *names;
    const struct call *calls;
} roles[] = {
    [SANDBOX_LOADER] = { loader_names, loader_calls },
    [SANDBOX_WORKER] = { worker_names, worker_calls },
    [SANDBOX_KEEPER] = { keeper_names, keeper_calls },
    [SANDBOX_LOGGER] = { logger_names, logger_calls },
    [SANDBOX_SPF] = { spf_names, spf_calls },
};

/* ---- Putting a filter together. Errors are libseccomp's: 0, or an errno below 0. */

struct filter {
    scmp_filter_ctx context;
    int error;         /* the first one, and nothing is added any more */
    const char *call;  /* that it came with */
};

static void add(struct filter *filter, uint32_t action, const struct call *call)
{
    int number = seccomp_syscall_resolve_name(call->name);
    unsigned int count = 0;

    while (count < MAX_CHECKS && call->checks[count].op != 0)
        count++;
    if (filter->error != 0 || number == __NR_SCMP_ERROR)
        return;
    filter->error = seccomp_rule_add_array(filter->context, action, number, count, call->checks);
    filter->call = call->name;
}

static void add_names(struct filter *filter, uint32_t action, const char *const *names)
{
    for (; *names != NULL; names++)
        add(filter, action, &(struct call){ .name = *names });
}

static void add_calls(struct filter *filter, uint32_t action, const struct call *calls)
{
    for (; calls->name != NULL; calls++)
        add(filter, action, calls);
}

/* abort(3) signals itself, and nobody else is signalled. */
static void add_own_signals(struct filter *filter)
{
    add(filter, SCMP_ACT_ALLOW, &(struct call){ "tgkill", { IS(0, getpid()) } });
}

/* As net/spill.c makes files; these flags open none that exists. */
static void add_spool(struct filter *filter, const struct sandbox_needs *needs)
{
    unsigned int unnamed = O_TMPFILE | O_RDWR | O_CLOEXEC;
    unsigned int named = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
    struct call open = { "openat", {
        IS(0, needs->folder_fd),
        BITS_ARE(2, INT_BITS & ~LARGE_FILE, needs->has_unnamed_files ? unnamed : named),
    } };

    add(filter, SCMP_ACT_ALLOW, &open);
    if (!needs->has_unnamed_files)
        add(filter, SCMP_ACT_ALLOW,
            &(struct call){ "unlinkat", { IS(0, needs->folder_fd), IS(2, 0) } });
}

static void fill(struct filter *filter, enum sandbox_role role, const struct sandbox_needs *needs)
{
    /* Calls of another kind of program (32 bits, x32) have other numbers: nobody makes them. */
    filter->error = seccomp_attr_set(filter->context, SCMP_FLTATR_ACT_BADARCH,
                                     SCMP_ACT_KILL_PROCESS);
    add_names(filter, SCMP_ACT_KILL_PROCESS, deadly_names);
    if (role != SANDBOX_LOADER) {
        add_names(filter, SCMP_ACT_KILL_PROCESS, deadly_but_for_loader_names);
        add_calls(filter, SCMP_ACT_KILL_PROCESS, deadly_but_for_loader_calls);
        add_calls(filter, SCMP_ACT_ALLOW, no_new_code_calls);
    }
    add_names(filter, SCMP_ACT_ALLOW, everyone_names);
    add_calls(filter, SCMP_ACT_ALLOW, everyone_calls);
    add_own_signals(filter);
    add_names(filter, SCMP_ACT_ALLOW, roles[role].names);
    add_calls(filter, SCMP_ACT_ALLOW, roles[role].calls);
    if (role == SANDBOX_WORKER)
        add_spool(filter, needs);
    if (role == SANDBOX_WORKER && needs->asks_dns) {
        add_names(filter, SCMP_ACT_ALLOW, worker_dns_names);
        add_calls(filter, SCMP_ACT_ALLOW, worker_dns_calls);
    }
}

bool sandbox_calls_limit(enum sandbox_role role, const struct sandbox_needs *needs,
                         struct text *problem)
{
    struct filter filter = { .context = seccomp_init(SCMP_ACT_ERRNO(ENOSYS)), .call = "none" };

    if (filter.context == NULL) {
        text_add_string(problem, "cannot enter the sandbox: no filter of system calls can be made");
        return false;
    }
    fill(&filter, role, needs);
    if (filter.error == 0) {
        filter.call = "all";
        filter.error = seccomp_load(filter.context);
    }
    seccomp_release(filter.context);
    if (filter.error != 0)
        text_add_format(problem, "cannot enter the sandbox: filter of system calls (%s): %s",
                        filter.call, strerror(-filter.error));
    return filter.error == 0;
}
