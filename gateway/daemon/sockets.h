/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The listening sockets, which the master alone binds and closes. An address
 * that is configured has at least as many sockets as there are workers, never
 * fewer than before; one that came from the service manager has just itself.
 */
#ifndef POSTERN_DAEMON_SOCKETS_H
#define POSTERN_DAEMON_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "config/config.h"
#include "daemon/slots.h"

struct address;
struct estate_sockets;

struct sockets {
    struct address **addresses; /* owned */
    size_t address_count;
    struct slot *slots;         /* all sockets of all addresses; what slots.h works on */
    int *fds;                   /* by index of `slots` */
    size_t slot_count;
    uint32_t last_group;
    struct inherited *inherited; /* owned: what the service manager gave, used or not */
    size_t inherited_count;
};

/* An address that a configuration uses, and for which of its listeners. */
struct socket_use {
    uint32_t group;          /* as in struct slot */
    uint32_t listener_index; /* in that configuration */
};

struct socket_uses {
    struct socket_use *items; /* owned */
    size_t count;
};

/* Keeps what $LISTEN_FDS (sd_listen_fds(3)) hands over, and clears the environment of it. */
void sockets_init(struct sockets *sockets);
/* Those that another program has left us, as they were; their descriptors are ours now. */
void sockets_inherit(struct sockets *sockets, const struct estate_sockets *estate);
/* The other way round, into an empty one; they stay ours. */
void sockets_bequeath(const struct sockets *sockets, struct estate_sockets *estate);
/* Closes everything. */
void sockets_clear(struct sockets *sockets);

/*
 * Sees to it that every address of the configuration has a socket, new or from before, and says
 * which in `uses`. False and a sentence when the system refuses one: all is as before then.
 */
bool sockets_open(struct sockets *sockets, const struct config *config, struct socket_uses *uses,
                  struct text *problem) __attribute__((warn_unused_result));
/* Adds sockets until each of these addresses has `count`, or the system gives no more. */
void sockets_grow(struct sockets *sockets, const struct socket_uses *uses, size_t count);
/* Closes what none of `uses` names; NULL: everything. */
void sockets_keep_only(struct sockets *sockets, const struct socket_uses *uses);

/* The next address that was opened and not yet told of, or false: what a notice says about it. */
bool sockets_take_news(struct sockets *sockets, const char **listener, struct text *address);

/* Frees what it holds. */
void socket_uses_clear(struct socket_uses *uses);
/* True, and the listener, when the address is used. */
bool socket_uses_find(const struct socket_uses *uses, uint32_t group, uint32_t *listener_index);

#endif
