/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The listening sockets; see sockets.h.
 *
 * An address is told from others by what the configuration says, not by what it
 * got: the first 127.0.0.1:0 of listener "a" keeps its port over a reload.
 */
#include "daemon/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/number.h"
#include "daemon/estate.h"
#include "daemon/handover.h"
#include "net/listener.h"

#define FIRST_INHERITED_FD 3
#define BACKLOG 1024

struct address {
    uint32_t group;
    char *listener;             /* owned: its name when it was opened */
    char *socket_name;          /* owned: of a socket of the service manager; NULL for others */
    struct ip_endpoint wanted;  /* as configured; unused with socket_name */
    size_t ordinal;             /* among the same endpoints of the same listener */
    struct ip_endpoint bound;   /* as it is */
    bool is_told;
};

/* A descriptor of the service manager's. */
struct inherited {
    char *name; /* owned */
    int fd;
};

/* ---- From the service manager. */

static bool is_for_us(const char *pid_text)
{
    uint64_t pid;

    return pid_text != NULL && number_parse(slice_from(pid_text), INT32_MAX, &pid) &&
           (pid_t)pid == getpid();
}

static bool is_listening(int fd)
{
    int value = 0;
    socklen_t length = sizeof value;

    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &length) == 0 && value != 0;
}

static void keep_inherited(struct sockets *sockets, int fd, struct slice name)
{
    struct inherited *inherited = &sockets->inherited[sockets->inherited_count];

    fcntl(fd, F_SETFD, FD_CLOEXEC);
    if (!is_listening(fd)) {
        log_warning("socket-unusable", "descriptor %d of the service manager is no listening "
                    "socket", fd);
        return;
    }
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    inherited->fd = fd;
    inherited->name = mem_copy(name);
    sockets->inherited_count++;
}

void sockets_init(struct sockets *sockets)
{
    const char *count_text = getenv("LISTEN_FDS");
    struct slice names = slice_from(getenv("LISTEN_FDNAMES"));
    uint64_t count = 0;

    *sockets = (struct sockets){ .addresses = NULL };
    if (count_text != NULL && is_for_us(getenv("LISTEN_PID")) &&
        number_parse(slice_from(count_text), 1000, &count))
        sockets->inherited = mem_new_array((size_t)count, sizeof(*sockets->inherited));
    for (uint64_t i = 0; i < count && sockets->inherited != NULL; i++) {
        struct slice name = SLICE_EMPTY;

        slice_next(&names, ':', &name);
        keep_inherited(sockets, FIRST_INHERITED_FD + (int)i, name);
    }
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
}

/* ---- Slots. */

static bool is_id_taken(const struct sockets *sockets, uint32_t id)
{
    for (size_t i = 0; i < sockets->slot_count; i++)
        if (sockets->slots[i].id == id)
            return true;
    return false;
}

/* Ids stay small, since a message has one bit for each. False when all are in use. */
static bool add_slot(struct sockets *sockets, uint32_t group, bool is_shared, int fd)
{
    uint32_t id = 0;

    while (id < HANDOVER_MAX_SLOTS && is_id_taken(sockets, id))
        id++;
    if (id == HANDOVER_MAX_SLOTS)
        return false;
    sockets->slots = mem_resize(sockets->slots, sockets->slot_count + 1, sizeof(*sockets->slots));
    sockets->fds = mem_resize(sockets->fds, sockets->slot_count + 1, sizeof(*sockets->fds));
    sockets->slots[sockets->slot_count] =
        (struct slot){ .id = id, .group = group, .is_shared = is_shared, .owner = SLOTS_NOBODY };
    sockets->fds[sockets->slot_count] = fd;
    sockets->slot_count++;
    return true;
}

static bool is_inherited(const struct sockets *sockets, int fd)
{
    for (size_t i = 0; i < sockets->inherited_count; i++)
        if (sockets->inherited[i].fd == fd)
            return true;
    return false;
}

/* Those of the service manager stay open: a later configuration may want them again. */
static void remove_slots(struct sockets *sockets, uint32_t group)
{
    size_t kept = 0;

    for (size_t i = 0; i < sockets->slot_count; i++) {
        if (sockets->slots[i].group != group) {
            sockets->slots[kept] = sockets->slots[i];
            sockets->fds[kept++] = sockets->fds[i];
        } else if (!is_inherited(sockets, sockets->fds[i])) {
            close(sockets->fds[i]);
        }
    }
    sockets->slot_count = kept;
}

static size_t count_slots(const struct sockets *sockets, uint32_t group)
{
    size_t count = 0;

    for (size_t i = 0; i < sockets->slot_count; i++)
        count += sockets->slots[i].group == group;
    return count;
}

/* ---- Addresses. */

static void address_free(struct address *address)
{
    mem_free(address->listener);
    mem_free(address->socket_name);
    mem_free(address);
}

static void read_bound(struct address *address, int fd)
{
    struct sockaddr_storage storage = { 0 };
    socklen_t length = sizeof storage;

    if (getsockname(fd, (struct sockaddr *)&storage, &length) != 0 ||
        !ip_endpoint_from_sockaddr((const struct sockaddr *)&storage, &address->bound))
        address->bound = (struct ip_endpoint){ .port = 0 };
}

static struct address *add_address(struct sockets *sockets, const char *listener)
{
    struct address *address = mem_new(sizeof *address);

    address->group = ++sockets->last_group;
    address->listener = mem_copy(slice_from(listener));
    sockets->addresses = mem_resize(sockets->addresses, sockets->address_count + 1,
                                    sizeof(*sockets->addresses));
    sockets->addresses[sockets->address_count++] = address;
    return address;
}

static bool is_same(const struct address *address, const struct ip_endpoint *wanted,
                    const char *listener, size_t ordinal)
{
    return address->socket_name == NULL && ip_endpoint_equals(&address->wanted, wanted) &&
           (wanted->port != 0 ||
            (strcmp(address->listener, listener) == 0 && address->ordinal == ordinal));
}

static const struct address *find_address(const struct sockets *sockets,
                                          const struct ip_endpoint *wanted, const char *listener,
                                          size_t ordinal)
{
    for (size_t i = 0; i < sockets->address_count; i++)
        if (is_same(sockets->addresses[i], wanted, listener, ordinal))
            return sockets->addresses[i];
    return NULL;
}

static const struct address *find_named(const struct sockets *sockets, const char *name, int fd)
{
    for (size_t i = 0; i < sockets->slot_count; i++)
        for (size_t j = 0; j < sockets->address_count && sockets->fds[i] == fd; j++)
            if (sockets->addresses[j]->group == sockets->slots[i].group &&
                strcmp(sockets->addresses[j]->socket_name, name) == 0)
                return sockets->addresses[j];
    return NULL;
}

static void add_use(struct socket_uses *uses, const struct address *address, size_t listener_index)
{
    uses->items = mem_resize(uses->items, uses->count + 1, sizeof(*uses->items));
    uses->items[uses->count++] = (struct socket_use){ .group = address->group,
                                                      .listener_index = (uint32_t)listener_index };
}

static const struct address *bind_address(struct sockets *sockets, const char *listener,
                                          const struct ip_endpoint *wanted, size_t ordinal,
                                          struct text *problem)
{
    int fd = listener_bind(wanted, BACKLOG, problem);
    struct address *address;

    if (fd < 0)
        return NULL;
    address = add_address(sockets, listener);
    address->wanted = *wanted;
    address->ordinal = ordinal;
    read_bound(address, fd);
    if (!add_slot(sockets, address->group, false, fd)) {
        text_add_string(problem, "too many listening sockets");
        close(fd);
        return NULL; /* the address is dropped with what else was opened */
    }
    return address;
}

/* How many of the endpoints before `index` are the same. */
static size_t ordinal_of(const struct config_listener *listener, size_t index)
{
    size_t ordinal = 0;

    for (size_t i = 0; i < index; i++)
        ordinal += ip_endpoint_equals(&listener->endpoints[i], &listener->endpoints[index]);
    return ordinal;
}

static bool open_endpoints(struct sockets *sockets, const struct config *config, size_t index,
                           struct socket_uses *uses, struct text *problem)
{
    const struct config_listener *listener = &config->listeners[index];

    for (size_t i = 0; i < listener->endpoint_count; i++) {
        const struct ip_endpoint *wanted = &listener->endpoints[i];
        size_t ordinal = ordinal_of(listener, i);
        const struct address *address = find_address(sockets, wanted, listener->name, ordinal);

        if (address == NULL)
            address = bind_address(sockets, listener->name, wanted, ordinal, problem);
        if (address == NULL)
            return false;
        add_use(uses, address, index);
    }
    return true;
}

/* All sockets of that name; there may be several, such as one for each family. */
static bool open_inherited(struct sockets *sockets, const struct config *config, size_t index,
                           struct socket_uses *uses, struct text *problem)
{
    const struct config_listener *listener = &config->listeners[index];
    size_t count_before = uses->count;

    for (size_t i = 0; i < sockets->inherited_count; i++) {
        const struct inherited *inherited = &sockets->inherited[i];
        const struct address *found;
        struct address *address;

        if (strcmp(inherited->name, listener->socket_name) != 0)
            continue;
        found = find_named(sockets, inherited->name, inherited->fd);
        if (found == NULL) {
            address = add_address(sockets, listener->name);
            address->socket_name = mem_copy(slice_from(inherited->name));
            read_bound(address, inherited->fd);
            if (!add_slot(sockets, address->group, true, inherited->fd))
                break;
            found = address;
        }
        add_use(uses, found, index);
    }
    if (uses->count == count_before)
        text_add_format(problem,
                        "listener %s wants the socket \"%s\", and the service manager has given "
                        "none of that name",
                        listener->name, listener->socket_name);
    return uses->count > count_before;
}

static bool open_all(struct sockets *sockets, const struct config *config,
                     struct socket_uses *uses, struct text *problem)
{
    for (size_t i = 0; i < config->listener_count; i++) {
        if (!open_endpoints(sockets, config, i, uses, problem))
            return false;
        if (config->listeners[i].socket_name != NULL &&
            !open_inherited(sockets, config, i, uses, problem))
            return false;
    }
    return true;
}

/* Everything from this group on: what the failed attempt has opened. */
static void drop_newer(struct sockets *sockets, uint32_t last_group)
{
    size_t kept = 0;

    for (size_t i = 0; i < sockets->address_count; i++) {
        if (sockets->addresses[i]->group <= last_group) {
            sockets->addresses[kept++] = sockets->addresses[i];
            continue;
        }
        remove_slots(sockets, sockets->addresses[i]->group);
        address_free(sockets->addresses[i]);
    }
    sockets->address_count = kept;
}

bool sockets_open(struct sockets *sockets, const struct config *config, struct socket_uses *uses,
                  struct text *problem)
{
    uint32_t last_group = sockets->last_group;

    *uses = (struct socket_uses){ .items = NULL };
    if (open_all(sockets, config, uses, problem))
        return true;
    drop_newer(sockets, last_group);
    socket_uses_clear(uses);
    return false;
}

static void grow_address(struct sockets *sockets, const struct address *address, size_t count)
{
    struct text problem;

    text_init(&problem, 300);
    while (count_slots(sockets, address->group) < count) {
        int fd = listener_bind(&address->bound, BACKLOG, &problem);

        if (fd >= 0 && add_slot(sockets, address->group, false, fd))
            continue;
        log_warning("socket-missing", "some workers share a socket: %s",
                    fd < 0 ? text_string(&problem) : "there are too many");
        if (fd >= 0)
            close(fd);
        break;
    }
    text_clear(&problem);
}

void sockets_grow(struct sockets *sockets, const struct socket_uses *uses, size_t count)
{
    uint32_t listener_index;

    for (size_t i = 0; i < sockets->address_count; i++)
        if (sockets->addresses[i]->socket_name == NULL &&
            socket_uses_find(uses, sockets->addresses[i]->group, &listener_index))
            grow_address(sockets, sockets->addresses[i], count);
}

void sockets_keep_only(struct sockets *sockets, const struct socket_uses *uses)
{
    size_t kept = 0;
    uint32_t listener_index;

    for (size_t i = 0; i < sockets->address_count; i++) {
        struct address *address = sockets->addresses[i];

        if (uses != NULL && socket_uses_find(uses, address->group, &listener_index)) {
            sockets->addresses[kept++] = address;
            continue;
        }
        remove_slots(sockets, address->group);
        address_free(address);
    }
    sockets->address_count = kept;
}

/* ---- From one program to the next. */

static char *copy_or_null(const char *string)
{
    return string != NULL ? mem_copy(slice_from(string)) : NULL;
}

static struct address *inherit_address(const struct estate_address *from)
{
    struct address *address = mem_new(sizeof *address);

    *address = (struct address){ .group = from->group, .wanted = from->wanted,
                                 .ordinal = from->ordinal, .bound = from->bound,
                                 .is_told = from->is_told };
    address->listener = mem_copy(slice_from(from->listener));
    address->socket_name = copy_or_null(from->socket_name);
    return address;
}

void sockets_inherit(struct sockets *sockets, const struct estate_sockets *estate)
{
    *sockets = (struct sockets){ .last_group = estate->last_group,
                                 .address_count = estate->address_count,
                                 .slot_count = estate->slot_count,
                                 .inherited_count = estate->inherited_count };
    sockets->addresses = mem_new_array(estate->address_count, sizeof(*sockets->addresses));
    for (size_t i = 0; i < estate->address_count; i++)
        sockets->addresses[i] = inherit_address(&estate->addresses[i]);
    sockets->inherited = mem_new_array(estate->inherited_count, sizeof(*sockets->inherited));
    for (size_t i = 0; i < estate->inherited_count; i++)
        sockets->inherited[i] = (struct inherited){
            .name = mem_copy(slice_from(estate->inherited[i].name)),
            .fd = estate->inherited[i].fd,
        };
    sockets->slots = mem_new_array(estate->slot_count, sizeof(*sockets->slots));
    sockets->fds = mem_new_array(estate->slot_count, sizeof(*sockets->fds));
    for (size_t i = 0; i < estate->slot_count; i++) {
        const struct estate_slot *slot = &estate->slots[i];

        sockets->slots[i] = (struct slot){ .id = slot->id, .group = slot->group,
                                           .is_shared = slot->inherited != 0,
                                           .owner = slot->owner };
        sockets->fds[i] = slot->inherited != 0 ? estate->inherited[slot->inherited - 1].fd
                                               : slot->fd;
    }
}

static struct estate_slot bequeath_slot(const struct sockets *sockets, size_t index)
{
    const struct slot *slot = &sockets->slots[index];
    struct estate_slot to = { .id = slot->id, .group = slot->group, .owner = slot->owner,
                              .fd = sockets->fds[index] };

    for (size_t i = 0; i < sockets->inherited_count; i++) {
        if (sockets->inherited[i].fd == to.fd) {
            to.inherited = (uint32_t)i + 1;
            to.fd = -1;
            break;
        }
    }
    return to;
}

void sockets_bequeath(const struct sockets *sockets, struct estate_sockets *estate)
{
    *estate = (struct estate_sockets){ .last_group = sockets->last_group,
                                       .address_count = sockets->address_count,
                                       .slot_count = sockets->slot_count,
                                       .inherited_count = sockets->inherited_count };
    estate->addresses = mem_new_array(sockets->address_count, sizeof(*estate->addresses));
    for (size_t i = 0; i < sockets->address_count; i++) {
        const struct address *address = sockets->addresses[i];

        estate->addresses[i] = (struct estate_address){
            .group = address->group,
            .listener = mem_copy(slice_from(address->listener)),
            .socket_name = copy_or_null(address->socket_name),
            .wanted = address->wanted,
            .bound = address->bound,
            .ordinal = (uint32_t)address->ordinal,
            .is_told = address->is_told,
        };
    }
    estate->inherited = mem_new_array(sockets->inherited_count, sizeof(*estate->inherited));
    for (size_t i = 0; i < sockets->inherited_count; i++)
        estate->inherited[i] = (struct estate_inherited){
            .name = mem_copy(slice_from(sockets->inherited[i].name)),
            .fd = sockets->inherited[i].fd,
        };
    estate->slots = mem_new_array(sockets->slot_count, sizeof(*estate->slots));
    for (size_t i = 0; i < sockets->slot_count; i++)
        estate->slots[i] = bequeath_slot(sockets, i);
}

bool sockets_take_news(struct sockets *sockets, const char **listener, struct text *printed)
{
    for (size_t i = 0; i < sockets->address_count; i++) {
        struct address *address = sockets->addresses[i];

        if (address->is_told)
            continue;
        address->is_told = true;
        *listener = address->listener;
        ip_endpoint_print(printed, &address->bound);
        return true;
    }
    return false;
}

void sockets_clear(struct sockets *sockets)
{
    sockets_keep_only(sockets, NULL);
    for (size_t i = 0; i < sockets->inherited_count; i++) {
        close(sockets->inherited[i].fd);
        mem_free(sockets->inherited[i].name);
    }
    mem_free(sockets->inherited);
    mem_free(sockets->addresses);
    mem_free(sockets->slots);
    mem_free(sockets->fds);
    *sockets = (struct sockets){ .addresses = NULL };
}

void socket_uses_clear(struct socket_uses *uses)
{
    mem_free(uses->items);
    *uses = (struct socket_uses){ .items = NULL };
}

bool socket_uses_find(const struct socket_uses *uses, uint32_t group, uint32_t *listener_index)
{
    for (size_t i = 0; i < uses->count; i++) {
        if (uses->items[i].group == group) {
            *listener_index = uses->items[i].listener_index;
            return true;
        }
    }
    return false;
}
