/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The estate: what one program leaves to the next at an upgrade (upgrade.h), as
 * plain values and numbers of descriptors, and as bytes in a sealed file. The
 * process stays the same, so its descriptors and children do, too; only its
 * memory is gone, and this is what it must know of it.
 *
 * The writer may be of another version, or broken: each number, count, length
 * and reference is checked, and what is wrong anywhere is refused whole.
 */
#ifndef POSTERN_DAEMON_ESTATE_H
#define POSTERN_DAEMON_ESTATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ip.h"
#include "base/slice.h"
#include "base/text.h"
#include "daemon/blueprint.h"
#include "daemon/handover.h"
#include "daemon/sockets.h"
#include "net/tls.h"

/* One more with each change of what the bytes mean. */
#define ESTATE_VERSION 1

/* A process: ours before, ours after. */
struct estate_child {
    uint32_t pid;  /* 0: there is none now */
    int channel;   /* -1: its end was heard already */
};

/* Lines that some logger has yet to write. */
struct estate_ring {
    struct handover_ring head;
    int memory_fd;
    int life_fd;   /* the end to read from */
};

struct estate_log {
    struct estate_child logger;
    struct handover_identity identity;
    struct handover_output output;
    char *path;    /* owned; NULL without a file */
    int file_fd;   /* -1 likewise */
    int wake_fd;
    uint32_t last_ring;
    struct estate_ring *rings; /* owned */
    size_t ring_count;
};

/* The keeper that serves is the last; those before it have been let go. */
struct estate_keepers {
    struct estate_child *children; /* owned */
    size_t count;
    bool has_current;
};

struct estate_address {
    uint32_t group;
    char *listener;    /* owned */
    char *socket_name; /* owned; NULL for what was bound by ourselves */
    struct ip_endpoint wanted;
    struct ip_endpoint bound;
    uint32_t ordinal;
    bool is_told;
};

struct estate_slot {
    uint32_t id;
    uint32_t group;    /* of one of the addresses */
    uint32_t owner;    /* a worker's id; SLOTS_NOBODY */
    uint32_t inherited; /* from 1: it is this one of the service manager's; 0: it is our own */
    int fd;            /* -1 with `inherited` */
};

/* A socket of the service manager's. */
struct estate_inherited {
    char *name;        /* owned */
    int fd;
};

struct estate_sockets {
    uint32_t last_group;
    struct estate_address *addresses;  /* owned, as are the next */
    size_t address_count;
    struct estate_slot *slots;
    size_t slot_count;
    struct estate_inherited *inherited;
    size_t inherited_count;
};

struct estate_seat {
    uint32_t table;    /* of record/presence, while there is a child */
    struct estate_child child;
    uint32_t worker;   /* its id; 0 without a child */
    int counters_fd;   /* -1 likewise */
    bool is_ready;
};

/* The generation that serves. Another one starts or drains only while there is no upgrade. */
struct estate_generation {
    uint64_t number;
    uint64_t ring_bytes;
    uint64_t drain_ms;
    struct blueprint blueprint;        /* its descriptors are the estate's, until they are taken */
    struct socket_use *uses;           /* owned, as are the next */
    size_t use_count;
    struct estate_seat *seats;
    size_t seat_count;
};

struct estate {
    uint32_t pid;          /* of the process that this is about */
    char *version;         /* owned, as are the next; of the program that wrote it, for the log */
    char *path;            /* of the configuration */
    char *program;         /* of the program, for the next upgrade */
    bool is_debug;
    bool is_upgrade_wanted; /* SIGUSR2 came meanwhile */
    int notify_fd;         /* -1: nobody wants to know */
    struct tls_ticket_keys ticket_keys;
    uint64_t ticket_ms;    /* until they change */
    uint8_t hash_key[32];
    struct estate_log log;
    struct estate_keepers keepers;
    int presence_fd;       /* the memory of record/presence */
    uint64_t presence_secret[2];
    struct estate_sockets sockets;
    struct estate_generation generation;
    /* All of the above that are not -1, each once; filled by print and parse. */
    int *fds;              /* owned */
    size_t fd_count;
};

/* Everything zero, no descriptor anywhere. */
void estate_init(struct estate *estate);
/* Frees its memory; descriptors are not its own. */
void estate_clear(struct estate *estate);

/* All of it as bytes for estate_parse. */
void estate_print(struct estate *estate, struct text *out);
/*
 * Into an estate after estate_init. False and a sentence when it is damaged, or of a version that
 * this one cannot take over from: the estate is to be cleared then, and is of no use.
 */
bool estate_parse(struct slice bytes, struct estate *estate, struct text *problem)
    __attribute__((warn_unused_result));

/* Do its descriptors stay open when the process becomes another program? False if one is none. */
bool estate_keep_fds(const struct estate *estate, bool is_kept);

#endif
