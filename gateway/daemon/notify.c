/* SPDX-License-Identifier: BSD-2-Clause */
/* Notices to the service manager; see notify.h. */
#include "daemon/notify.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"

#define MAX_BYTES 1000

/* A path, or with "@" in front a name in the abstract namespace. */
static bool make_address(const char *name, struct sockaddr_un *address, socklen_t *length)
{
    size_t name_length = strlen(name);

    if ((name[0] != '/' && name[0] != '@') || name_length < 2 ||
        name_length >= sizeof address->sun_path)
        return false;
    *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    memcpy(address->sun_path, name, name_length);
    if (name[0] == '@')
        address->sun_path[0] = '\0';
    *length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + name_length +
                          (name[0] == '/' ? 1 : 0));
    return true;
}

void notify_init(struct notify *notify)
{
    const char *name = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address;
    socklen_t length;

    notify->fd = -1;
    if (name != NULL && make_address(name, &address, &length)) {
        notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (notify->fd >= 0 &&
            connect(notify->fd, (const struct sockaddr *)&address, length) != 0)
            notify_clear(notify);
    }
    unsetenv("NOTIFY_SOCKET");
}

void notify_clear(struct notify *notify)
{
    if (notify->fd >= 0)
        close(notify->fd);
    notify->fd = -1;
}

static void send_text(const struct notify *notify, struct text *text)
{
    ssize_t ignored;

    if (notify->fd >= 0) {
        ignored = send(notify->fd, text_string(text), text->length, MSG_NOSIGNAL);
        (void)ignored;
    }
    text_clear(text);
}

void notify_send_ready(const struct notify *notify, const char *status)
{
    struct text text;

    text_init(&text, MAX_BYTES);
    text_add_format(&text, "READY=1\nMAINPID=%ld\nSTATUS=%s", (long)getpid(), status);
    send_text(notify, &text);
}

void notify_send_reloading(const struct notify *notify)
{
    struct timespec now;
    struct text text;

    /* It must be the system's monotonic clock, whatever base/clock shows. */
    clock_gettime(CLOCK_MONOTONIC, &now);
    text_init(&text, MAX_BYTES);
    text_add_format(&text,
                    "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=reading the configuration",
                    (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
    send_text(notify, &text);
}

void notify_send_stopping(const struct notify *notify, const char *status)
{
    struct text text;

    text_init(&text, MAX_BYTES);
    text_add_format(&text, "STOPPING=1\nSTATUS=%s", status);
    send_text(notify, &text);
}
