/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the processes say to each other: typed messages with descriptors, over
 * one socket pair (SOCK_SEQPACKET) between the master and each of the others.
 * Both ends are the same program, or are known to agree, so bodies are plain
 * structs (without padding, where bytes of our memory would travel along). A
 * message whose size or number of descriptors is not that of its type is refused
 * whole, since a worker that was taken over may send anything.
 */
#ifndef POSTERN_DAEMON_HANDOVER_H
#define POSTERN_DAEMON_HANDOVER_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/slice.h"
#include "net/packet.h"
#include "net/tls.h"

/* The descriptor of its channel in every process but the master. */
#define HANDOVER_CHANNEL_FD 3

#define HANDOVER_MAX_BYTES 8192
#define HANDOVER_MAX_FDS PACKET_MAX_FDS
#define HANDOVER_MAX_GROUPS 31
#define HANDOVER_MAX_SLOTS 8192
#define HANDOVER_LABEL_BYTES 28

enum handover_type {
    /* To an heir, which may be of another version, and back: these never change. */
    HANDOVER_ESTATE,      /* nothing; a description of what it would inherit (estate.h) */
    HANDOVER_DIAGNOSTIC,  /* struct handover_diagnostic and one line of text; also of a loader */
    HANDOVER_AGREED,      /* nothing: it can take over */
    /* To and from those that live on beside a master of another version; see estate.c. */
    HANDOVER_SOCKETS,     /* to a worker: struct handover_socket for each descriptor */
    HANDOVER_POLL,        /* struct handover_poll: from now on poll these, and no others */
    HANDOVER_DRAIN,       /* struct handover_drain: let the sessions end, and end */
    HANDOVER_TICKET_KEYS, /* struct tls_ticket_keys */
    HANDOVER_READY,       /* from a worker or the keeper, nothing: it can serve */
    HANDOVER_KEEPER,      /* to a worker, nothing; a channel to the keeper, instead of the last */
    HANDOVER_KEEP_SETTINGS, /* to the keeper: struct handover_keep_settings */
    HANDOVER_KEEP_WORKER, /* to it, nothing; its end of a worker's channel */
    HANDOVER_LEAVE,       /* to the logger, nothing: write no more, and end; another goes on */
    HANDOVER_RING_DONE,   /* from it, struct handover_ring_done: all of its lines are written */
    /* Within one version. To the loader, and back. */
    HANDOVER_LOAD,        /* the path of the configuration */
    HANDOVER_LOADED,      /* struct handover_identity; sources, secrets, spool folder, and the
                             quarantine folder where there is one */
    /* To a worker. */
    HANDOVER_WORK,        /* struct handover_work and the configuration's path; see below */
    /* To the logger. */
    HANDOVER_LOG,         /* struct handover_log; the eventfd that wakes it */
    HANDOVER_OUTPUT,      /* struct handover_output; the file, if it is one */
    HANDOVER_RING,        /* struct handover_ring; memory, and what ends when its writer ends */
    /* To the keeper. */
    HANDOVER_KEEP,        /* struct handover_keep; see below */
    /* To the process of the second SPF engine. */
    HANDOVER_SPF,         /* struct handover_identity */
    HANDOVER_SPF_WORKER,  /* nothing; its end of a worker's channel */
    /* To a worker. */
    HANDOVER_SPF_ENGINE,  /* nothing; a channel to that engine, instead of the last */
    HANDOVER_TYPE_COUNT
};

/* Who a process becomes before it does anything else, and what it is kept from. */
struct handover_identity {
    uint32_t is_confined; /* 0: the configuration says "sandbox off" */
    uint32_t is_changed;  /* 0: it stays who it is */
    uid_t user;
    gid_t group;
    uint32_t group_count;
    gid_t groups[HANDOVER_MAX_GROUPS];
};

struct handover_diagnostic {
    uint32_t severity; /* enum severity */
};

/* The descriptors of WORK, in this order. */
enum handover_work_fd {
    HANDOVER_WORK_SOURCES,
    HANDOVER_WORK_SECRETS,
    HANDOVER_WORK_SPOOL,
    HANDOVER_WORK_RING,
    HANDOVER_WORK_WAKE,     /* eventfd of the logger */
    HANDOVER_WORK_COUNTERS,
    HANDOVER_WORK_PRESENCE,
    HANDOVER_WORK_LIFE,     /* kept open: its end tells the logger of ours */
    HANDOVER_WORK_FD_COUNT
};

struct handover_work {
    struct handover_identity identity;
    uint64_t generation;
    uint64_t ring_bytes;
    uint32_t index;         /* from 1, for messages */
    uint32_t is_debug;      /* 0 or 1 */
    uint64_t presence_secret[2];
    uint64_t presence_table;
    struct tls_ticket_keys ticket_keys;
    uint8_t hash_key[32];   /* for log-addresses hash */
};

struct handover_socket {
    uint32_t slot;           /* its id, below HANDOVER_MAX_SLOTS */
    uint32_t listener_index; /* in this worker's configuration */
};

struct handover_poll {
    uint8_t slots[HANDOVER_MAX_SLOTS / 8]; /* one bit for each id, the lowest first */
};

struct handover_drain {
    uint64_t max_ms;   /* as of gate_drain */
    uint64_t spare_ms;
};

struct handover_log {
    struct handover_identity identity;
};

struct handover_output {
    uint32_t target;   /* enum log_target */
    uint32_t format;   /* enum record_format, for the logger's own lines */
    char facility[16]; /* of syslog */
};

struct handover_ring {
    uint64_t ring_bytes;
    uint32_t id;
    char label[HANDOVER_LABEL_BYTES]; /* "worker 1" */
};

struct handover_ring_done {
    uint32_t id;
};

/* The descriptors of KEEP, in this order. */
enum handover_keep_fd {
    HANDOVER_KEEP_FOLDER,
    HANDOVER_KEEP_RING,
    HANDOVER_KEEP_WAKE,     /* eventfd of the logger */
    HANDOVER_KEEP_LIFE,     /* kept open: its end tells the logger of ours */
    HANDOVER_KEEP_FD_COUNT
};

struct handover_keep_settings {
    uint64_t max_bytes;     /* of all held mail */
    uint64_t max_age_ms;
    uint64_t max_mail_bytes; /* of one message */
};

struct handover_keep {
    struct handover_identity identity;
    uint32_t format;        /* enum record_format, for its lines */
    uint32_t is_debug;      /* 0 or 1 */
    uint64_t ring_bytes;
    struct handover_keep_settings settings;
};

struct handover {
    struct packet packet;
    union {
        char bytes[HANDOVER_MAX_BYTES];
        struct handover_identity identity;
        struct handover_diagnostic diagnostic;
        struct handover_work work;
        struct handover_socket sockets[HANDOVER_MAX_FDS];
        struct handover_poll poll;
        struct handover_drain drain;
        struct tls_ticket_keys ticket_keys;
        struct handover_log log;
        struct handover_output output;
        struct handover_ring ring;
        struct handover_ring_done ring_done;
        struct handover_keep keep;
        struct handover_keep_settings keep_settings;
    } body;
};

static inline enum handover_type handover_type(const struct handover *message)
{
    return (enum handover_type)message->packet.type;
}

/* As packet_send and packet_receive, for messages that have the shape of their type. */
enum packet_result handover_send(int channel, enum handover_type type, struct slice body,
                                 const int *fds, size_t fd_count)
    __attribute__((warn_unused_result));
enum packet_result handover_receive(int channel, struct handover *message)
    __attribute__((warn_unused_result));

/* The text of a LOAD, or behind the struct of a DIAGNOSTIC or WORK; borrowed from the message. */
struct slice handover_text(const struct handover *message);

#endif
