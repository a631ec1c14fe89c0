/* SPDX-License-Identifier: BSD-2-Clause */
/* What the service manager is told, as sd_notify(3) describes it, by a datagram of our own. */
#ifndef POSTERN_DAEMON_NOTIFY_H
#define POSTERN_DAEMON_NOTIFY_H

struct notify {
    int fd; /* -1: nobody wants to know */
};

/*
 * Connects to $NOTIFY_SOCKET and takes it out of the environment. Nothing happens without one, or
 * when it is no socket that can be sent to.
 */
void notify_init(struct notify *notify);
void notify_clear(struct notify *notify);

/* `status` is one line for people. Never waits: what cannot be sent is dropped. */
void notify_send_ready(const struct notify *notify, const char *status);
void notify_send_reloading(const struct notify *notify);
void notify_send_stopping(const struct notify *notify, const char *status);

#endif
