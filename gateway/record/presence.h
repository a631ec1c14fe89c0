/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who is connected, as all workers see it: how many sessions each client
 * address, and the network around it, has at a listener. Memory that all worker
 * processes share holds a table for each of them. Only its owner writes a table,
 * everyone sums over all, and nobody takes a lock. When a worker has ended, the
 * master drops its table, and what it had counted is gone with it.
 *
 * An address is what one client can choose freely: of IPv4 the address itself,
 * of IPv6 the /64 that a host is given (RFC 4291 2.5.1). A network is what one
 * owner usually has: a /24, or a /48 (RFC 6177).
 *
 * Ceilings: PRESENCE_MAX_TABLES workers; in each table PRESENCE_BUCKETS places of
 * PRESENCE_WAYS clients. The place is chosen by a hash with a secret, so that
 * nobody outside can fill one on purpose; a client whose place is full is not
 * counted, and with the usual few thousand sessions in a worker that is one in
 * a hundred thousand.
 */
#ifndef POSTERN_RECORD_PRESENCE_H
#define POSTERN_RECORD_PRESENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ip.h"
#include "base/slice.h"

/* Two generations of as many workers as a configuration may ask for. */
#define PRESENCE_MAX_TABLES 512
/* One more with each change of what lies where: at an upgrade workers of two versions share it. */
#define PRESENCE_LAYOUT 1
#define PRESENCE_BUCKETS 8192
#define PRESENCE_WAYS 8

/* Of the whole memory. Untouched pages of it cost nothing. */
size_t presence_memory_bytes(void);

/* ---- The master's: which tables are in use. Of the memory it needs the first page alone. */

#define PRESENCE_HEAD_BYTES 4096

struct presence_head;

/* Where a table lies in the memory, in whole pages. */
size_t presence_table_offset(unsigned int table);
size_t presence_table_bytes(void);
/* A table that nobody has, taken from now on. False when there is none. */
bool presence_take_table(struct presence_head *head, unsigned int *table)
    __attribute__((warn_unused_result));
/* Its owner has ended: nobody sums it up any more. It must be zero before it is taken again. */
void presence_drop_table(struct presence_head *head, unsigned int table);

/* ---- A worker's. */

struct presence {
    void *memory;         /* lent: presence_memory_bytes(), shared */
    unsigned int table;   /* our own */
    uint64_t secret[2];   /* the same in all workers */
};

/* One session in the table. All zero while it is not counted. */
struct presence_mark {
    uint64_t address;     /* fingerprint; 0 where its place was full */
    uint64_t network;     /* likewise */
};

struct presence_counts {
    uint64_t address;     /* sessions in all workers, this one included */
    uint64_t network;
};

/*
 * Counts a session of this client at the listener of this name in, and says how many there are
 * then. To refuse one that is too many, call presence_leave: since each counts itself in before it
 * looks, no two that come at the same moment can both be the last one; both may be refused.
 */
struct presence_counts presence_enter(struct presence *presence, struct slice listener,
                                      const struct ip_address *client, struct presence_mark *mark);
/* The session has ended. Harmless with a mark that counts nothing, and it counts nothing then. */
void presence_leave(struct presence *presence, struct presence_mark *mark);

#endif
