/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Landlock by its system calls, for which this C library has no functions; see
 * landlock.h. The kernel's interface is written down here instead of taken from
 * <linux/landlock.h>: the kernel that runs us may know more than the headers that
 * we were built with. Source: the kernel's Documentation/userspace-api/landlock.rst.
 */
#include "daemon/landlock.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CREATE_RULESET_VERSION 1u
#define RULE_PATH_BENEATH 1
#define RULE_NET_PORT 2

/* What is handled is refused unless a rule allows it. */
struct ruleset {
    uint64_t files;
    uint64_t net;    /* since version 4 */
    uint64_t scoped; /* since version 6 */
};

struct path_beneath {
    uint64_t allowed;
    int32_t folder_fd;
} __attribute__((packed));

struct net_port {
    uint64_t allowed;
    uint64_t port;
};

enum {
    FILE_WRITE = 1 << 1,
    FILE_READ = 1 << 2,
    FILE_READ_DIR = 1 << 3,
    FILE_REMOVE_FILE = 1 << 5,
    FILE_MAKE_REG = 1 << 8,
    FILE_TRUNCATE = 1 << 14,
};
#define NET_CONNECT 2u

/* What the versions can handle; the last line is for all that follow. */
static const struct ruleset versions[] = {
    { .files = 0 },
    { .files = (1u << 13) - 1 },
    { .files = (1u << 14) - 1 },                          /* other folders: REFER */
    { .files = (1u << 15) - 1 },                          /* TRUNCATE */
    { .files = (1u << 15) - 1, .net = 3 },                /* TCP: BIND, CONNECT */
    { .files = (1u << 16) - 1, .net = 3 },                /* IOCTL_DEV */
    { .files = (1u << 16) - 1, .net = 3, .scoped = 3 },   /* abstract sockets, signals */
};
#define LAST_VERSION ((int)(sizeof versions / sizeof versions[0]) - 1)

int landlock_find_version(void)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, CREATE_RULESET_VERSION);

    return version > 0 ? (int)version : 0;
}

static uint64_t rights_of(unsigned int files)
{
    uint64_t rights = 0;

    if ((files & LANDLOCK_READ) != 0)
        rights |= FILE_READ | FILE_READ_DIR;
    if ((files & LANDLOCK_WRITE) != 0)
        rights |= FILE_WRITE | FILE_TRUNCATE;
    if ((files & LANDLOCK_MAKE) != 0)
        rights |= FILE_MAKE_REG;
    if ((files & LANDLOCK_REMOVE) != 0)
        rights |= FILE_REMOVE_FILE;
    return rights;
}

static bool add_folder(int ruleset_fd, const struct ruleset *handled,
                       const struct landlock_wish *wish)
{
    struct path_beneath rule = { .allowed = rights_of(wish->in_folder) & handled->files,
                                 .folder_fd = wish->folder_fd };

    return wish->folder_fd < 0 || rule.allowed == 0 ||
           syscall(SYS_landlock_add_rule, ruleset_fd, RULE_PATH_BENEATH, &rule, 0) == 0;
}

static bool add_ports(int ruleset_fd, const struct ruleset *handled,
                      const struct landlock_wish *wish)
{
    for (size_t i = 0; i < wish->port_count && handled->net != 0; i++) {
        struct net_port rule = { .allowed = NET_CONNECT, .port = wish->ports[i] };

        if (syscall(SYS_landlock_add_rule, ruleset_fd, RULE_NET_PORT, &rule, 0) != 0)
            return false;
    }
    return true;
}

bool landlock_restrict(const struct landlock_wish *wish, struct text *problem)
{
    int version = landlock_find_version();
    struct ruleset handled;
    bool is_done;
    long fd;

    if (version == 0)
        return true;
    handled = versions[version < LAST_VERSION ? version : LAST_VERSION];
    if (wish->may_read_all)
        handled.files &= ~(uint64_t)(FILE_READ | FILE_READ_DIR);
    fd = syscall(SYS_landlock_create_ruleset, &handled, sizeof handled, 0u);
    is_done = fd >= 0 && add_folder((int)fd, &handled, wish) &&
              add_ports((int)fd, &handled, wish) &&
              syscall(SYS_landlock_restrict_self, (int)fd, 0u) == 0;
    if (!is_done)
        text_add_format(problem, "cannot enter the sandbox: landlock: %s", strerror(errno));
    if (fd >= 0)
        close((int)fd);
    return is_done;
}
