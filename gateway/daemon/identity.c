/* SPDX-License-Identifier: BSD-2-Clause */
/* Who our processes become; see identity.h. */
#include "daemon/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

bool identity_find(const char *user, struct handover_identity *identity, struct text *problem)
{
    int group_count = HANDOVER_MAX_GROUPS;
    const struct passwd *entry;

    *identity = (struct handover_identity){ .is_changed = 0 };
    if (user == NULL)
        return true;
    errno = 0;
    entry = getpwnam(user);
    if (entry == NULL) {
        text_add_format(problem, "there is no user \"%s\" on this system%s%s", user,
                        errno != 0 ? ": " : "", errno != 0 ? strerror(errno) : "");
        return false;
    }
    if (geteuid() != 0 && entry->pw_uid == geteuid())
        return true;
    if (entry->pw_uid == 0) {
        text_add_format(problem, "user %s is root itself: name one that owns nothing else", user);
        return false;
    }
    identity->is_changed = 1;
    identity->user = entry->pw_uid;
    identity->group = entry->pw_gid;
    if (getgrouplist(user, entry->pw_gid, identity->groups, &group_count) < 0)
        group_count = HANDOVER_MAX_GROUPS; /* it is in more: it makes do with these */
    identity->group_count = (uint32_t)group_count;
    return true;
}

static bool refuse(struct text *problem, const char *what)
{
    text_add_format(problem, "%s: %s", what, strerror(errno));
    return false;
}

bool identity_become(const struct handover_identity *identity, struct text *problem)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return refuse(problem, "cannot give up privileges");
    if (!identity->is_changed)
        return true;
    if (identity->group_count > HANDOVER_MAX_GROUPS) {
        errno = EINVAL;
        return refuse(problem, "cannot set the groups");
    }
    if (setgroups(identity->group_count, identity->groups) != 0)
        return refuse(problem, "cannot set the groups");
    if (setresgid(identity->group, identity->group, identity->group) != 0)
        return refuse(problem, "cannot set the group");
    if (setresuid(identity->user, identity->user, identity->user) != 0)
        return refuse(problem, "cannot set the user");
    /* Some systems have let this fail half-way and said nothing. */
    if (setuid(0) == 0 || getuid() != identity->user || geteuid() != identity->user) {
        errno = EPERM;
        return refuse(problem, "could still become root again");
    }
    return true;
}

/* In a child, since there is no way back. Its exit status is the answer. */
int identity_try_folder(const struct handover_identity *identity, int folder_fd)
{
    pid_t child = fork();
    struct text problem;
    int status;

    if (child < 0)
        return errno;
    if (child == 0) {
        text_init(&problem, 200);
        if (!identity_become(identity, &problem))
            _exit(EPERM);
        _exit(faccessat(folder_fd, ".", W_OK | X_OK, AT_EACCESS) == 0 ? 0 : errno);
    }
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
}
