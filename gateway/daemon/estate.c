/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What one program leaves to the next; see estate.h.
 *
 * The bytes are the fields in the order of the functions below, each of which
 * goes both ways: so what is written and what is read cannot drift apart. A
 * number has 8 bytes in the machine's order, a string its length in front, a
 * list its count. In front of all stand a mark and the version, which say
 * whether the rest can be read, and then the speech: what the old workers and
 * their rings understand, and would misunderstand if it had changed.
 */
#include "daemon/estate.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "record/log_ring.h"
#include "record/presence.h"
#include "record/record.h"

#define MAX_STRING_BYTES 4096
#define MAX_FD (1u << 22)
#define MAX_PID (1u << 22)
/* More than a configuration can ask for. */
#define MAX_ADDRESSES HANDOVER_MAX_SLOTS
#define MAX_USES (4u * HANDOVER_MAX_SLOTS)
#define MAX_INHERITED 1000
#define MAX_RINGS 100000
#define MAX_SEATS 256
#define MAX_KEEPERS 64
#define MAX_RING_BYTES (1ull << 30)

static const char mark[16] = "postern-estate\n";

/*
 * What is said between a master and those of the version before it, and where things lie in the
 * rings that they share. Change any of it, and no program before can be upgraded to yours without
 * a stop: so it is better not changed.
 */
static const uint64_t speech[] = {
    HANDOVER_SOCKETS, sizeof(struct handover_socket), HANDOVER_MAX_FDS,
    HANDOVER_POLL, sizeof(struct handover_poll),
    HANDOVER_DRAIN, sizeof(struct handover_drain),
    HANDOVER_TICKET_KEYS, sizeof(struct tls_ticket_keys),
    HANDOVER_READY,
    HANDOVER_KEEPER,
    HANDOVER_KEEP_WORKER,
    HANDOVER_LEAVE,
    HANDOVER_RING_DONE, sizeof(struct handover_ring_done),
    LOG_RING_LAYOUT,
    PRESENCE_LAYOUT,
};

/* One way through all fields: out of the estate into bytes, or back. */
struct walk {
    struct text *out;     /* NULL while reading */
    struct slice in;      /* what is not read yet */
    struct estate *estate;
    const char *trouble;  /* the first thing that is wrong; NULL: nothing */
};

void estate_init(struct estate *estate)
{
    *estate = (struct estate){
        .notify_fd = -1,
        .presence_fd = -1,
        .log = { .logger.channel = -1, .file_fd = -1, .wake_fd = -1 },
    };
    blueprint_init(&estate->generation.blueprint);
}

void estate_clear(struct estate *estate)
{
    struct estate_sockets *sockets = &estate->sockets;

    for (size_t i = 0; i < sockets->address_count; i++) {
        mem_free(sockets->addresses[i].listener);
        mem_free(sockets->addresses[i].socket_name);
    }
    for (size_t i = 0; i < sockets->inherited_count; i++)
        mem_free(sockets->inherited[i].name);
    mem_free(sockets->addresses);
    mem_free(sockets->slots);
    mem_free(sockets->inherited);
    mem_free(estate->log.rings);
    mem_free(estate->log.path);
    mem_free(estate->keepers.children);
    mem_free(estate->generation.uses);
    mem_free(estate->generation.seats);
    mem_free(estate->version);
    mem_free(estate->path);
    mem_free(estate->program);
    mem_free(estate->fds);
    estate_init(estate);
}

/* ---- The kinds of fields. After the first trouble, all that is read is zero. */

static void fail(struct walk *walk, const char *trouble)
{
    if (walk->trouble == NULL)
        walk->trouble = trouble;
    walk->in = SLICE_EMPTY;
}

static void walk_bytes(struct walk *walk, void *bytes, size_t length)
{
    if (walk->out != NULL) {
        text_add(walk->out, (struct slice){ bytes, length });
        return;
    }
    memset(bytes, 0, length);
    if (walk->trouble == NULL && walk->in.length < length)
        fail(walk, "it ends too early");
    if (walk->trouble != NULL)
        return;
    memcpy(bytes, walk->in.data, length);
    walk->in = slice_from_offset(walk->in, length);
}

static void walk_number(struct walk *walk, uint64_t *number, uint64_t max)
{
    walk_bytes(walk, number, sizeof *number);
    if (walk->out == NULL && *number > max) {
        fail(walk, "a number is too large");
        *number = 0;
    }
}

static void walk_u32(struct walk *walk, uint32_t *number, uint32_t max)
{
    uint64_t wide = *number;

    walk_number(walk, &wide, max);
    *number = (uint32_t)wide;
}

static void walk_bool(struct walk *walk, bool *value)
{
    uint64_t wide = *value;

    walk_number(walk, &wide, 1);
    *value = wide != 0;
}

/* -1 goes as 0. The standard ones are nobody's to give. */
static void walk_fd(struct walk *walk, int *fd, bool is_needed)
{
    struct estate *estate = walk->estate;
    uint64_t wide = (uint64_t)(*fd + 1);

    walk_number(walk, &wide, MAX_FD);
    *fd = (int)wide - 1;
    if (*fd >= 0 && *fd <= 2)
        fail(walk, "a descriptor is one of the standard ones");
    if (*fd < 0 && is_needed)
        fail(walk, "a descriptor is missing");
    if (*fd < 0)
        return;
    estate->fds = mem_resize(estate->fds, estate->fd_count + 1, sizeof(*estate->fds));
    estate->fds[estate->fd_count++] = *fd;
}

/* NULL and "" are two things: the length is one more than it is, or 0. */
static void walk_string(struct walk *walk, char **string, bool is_needed)
{
    uint64_t length = *string != NULL ? strlen(*string) + 1 : 0;

    walk_number(walk, &length, MAX_STRING_BYTES);
    if (length == 0 && is_needed)
        fail(walk, "a name is missing");
    if (walk->out == NULL && length > 0 && walk->in.length >= length - 1)
        *string = mem_copy(slice_until(walk->in, (size_t)length - 1));
    if (*string == NULL)
        return;
    walk_bytes(walk, *string, (size_t)length - 1);
    if (strlen(*string) != length - 1)
        fail(walk, "a name has a zero byte in it");
}

/* A string in a place of fixed length. */
static void walk_label(struct walk *walk, char *label, size_t length)
{
    walk_bytes(walk, label, length);
    if (label[length - 1] == '\0')
        return;
    label[length - 1] = '\0';
    fail(walk, "a label has no end");
}

/*
 * The count of a list, and room for it where it is read: each of its elements has some bytes at
 * least, so a count beyond what is there is found out before anything is allocated.
 */
static void *walk_list(struct walk *walk, void *list, size_t *count, size_t max, size_t size)
{
    uint64_t wide = *count;

    walk_number(walk, &wide, max);
    if (walk->out != NULL)
        return list;
    if (wide > walk->in.length / sizeof(uint64_t)) {
        fail(walk, "a list is longer than the whole");
        wide = 0;
    }
    *count = (size_t)wide;
    return wide > 0 ? mem_new_array((size_t)wide, size) : NULL;
}

static void walk_endpoint(struct walk *walk, struct ip_endpoint *endpoint)
{
    uint32_t port = endpoint->port;

    walk_bytes(walk, endpoint->address.bytes, sizeof endpoint->address.bytes);
    walk_u32(walk, &port, UINT16_MAX);
    endpoint->port = (uint16_t)port;
}

static void walk_child(struct walk *walk, struct estate_child *child)
{
    walk_u32(walk, &child->pid, MAX_PID);
    walk_fd(walk, &child->channel, false);
    if (child->pid == 1 || (child->pid == 0 && child->channel >= 0))
        fail(walk, "a process is none of ours");
}

static void walk_identity(struct walk *walk, struct handover_identity *identity)
{
    walk_u32(walk, &identity->is_confined, 1);
    walk_u32(walk, &identity->is_changed, 1);
    walk_u32(walk, &identity->user, UINT32_MAX);
    walk_u32(walk, &identity->group, UINT32_MAX);
    walk_u32(walk, &identity->group_count, HANDOVER_MAX_GROUPS);
    for (uint32_t i = 0; i < identity->group_count; i++)
        walk_u32(walk, &identity->groups[i], UINT32_MAX);
}

/* ---- The parts. */

static void walk_speech(struct walk *walk)
{
    const uint64_t memory_bytes = log_ring_memory_bytes(LOG_RING_RESERVED_BYTES, 1);
    uint64_t value;

    for (size_t i = 0; i <= sizeof speech / sizeof speech[0]; i++) {
        uint64_t wanted = i > 0 ? speech[i - 1] : memory_bytes;

        value = wanted;
        walk_number(walk, &value, UINT64_MAX);
        if (value != wanted)
            fail(walk, "its workers speak in another way than those of this version");
    }
}

static void walk_head(struct walk *walk)
{
    char own_mark[sizeof mark];
    uint64_t version = ESTATE_VERSION;

    memcpy(own_mark, mark, sizeof mark);
    walk_bytes(walk, own_mark, sizeof own_mark);
    if (memcmp(own_mark, mark, sizeof mark) != 0)
        fail(walk, "it is none at all");
    walk_number(walk, &version, UINT64_MAX);
    if (version != ESTATE_VERSION)
        fail(walk, "it is written in a way that this version does not know");
    walk_speech(walk);
}

static void walk_own(struct walk *walk)
{
    struct estate *estate = walk->estate;

    walk_u32(walk, &estate->pid, MAX_PID);
    walk_string(walk, &estate->version, true);
    walk_string(walk, &estate->path, true);
    walk_string(walk, &estate->program, true);
    walk_bool(walk, &estate->is_debug);
    walk_bool(walk, &estate->is_upgrade_wanted);
    walk_fd(walk, &estate->notify_fd, false);
    walk_bytes(walk, &estate->ticket_keys, sizeof estate->ticket_keys);
    walk_number(walk, &estate->ticket_ms, UINT32_MAX);
    walk_bytes(walk, estate->hash_key, sizeof estate->hash_key);
}

static void walk_ring(struct walk *walk, struct estate_ring *ring)
{
    walk_u32(walk, &ring->head.id, UINT32_MAX);
    walk_number(walk, &ring->head.ring_bytes, MAX_RING_BYTES);
    walk_label(walk, ring->head.label, sizeof ring->head.label);
    walk_fd(walk, &ring->memory_fd, true);
    walk_fd(walk, &ring->life_fd, true);
}

static void walk_log(struct walk *walk, struct estate_log *log)
{
    walk_child(walk, &log->logger);
    walk_identity(walk, &log->identity);
    walk_u32(walk, &log->output.target, UINT32_MAX);
    walk_u32(walk, &log->output.format, UINT32_MAX);
    walk_label(walk, log->output.facility, sizeof log->output.facility);
    walk_string(walk, &log->path, false);
    walk_fd(walk, &log->file_fd, log->path != NULL);
    walk_fd(walk, &log->wake_fd, true);
    walk_u32(walk, &log->last_ring, UINT32_MAX);
    log->rings = walk_list(walk, log->rings, &log->ring_count, MAX_RINGS, sizeof(*log->rings));
    for (size_t i = 0; i < log->ring_count; i++)
        walk_ring(walk, &log->rings[i]);
}

static void walk_keepers(struct walk *walk, struct estate_keepers *keepers)
{
    keepers->children = walk_list(walk, keepers->children, &keepers->count, MAX_KEEPERS,
                                  sizeof(*keepers->children));
    for (size_t i = 0; i < keepers->count; i++) {
        walk_child(walk, &keepers->children[i]);
        if (keepers->children[i].pid == 0)
            fail(walk, "a keeper is no process");
    }
    walk_bool(walk, &keepers->has_current);
    if (keepers->has_current && keepers->count == 0)
        fail(walk, "a keeper is missing");
}

static void walk_address(struct walk *walk, struct estate_address *address)
{
    walk_u32(walk, &address->group, walk->estate->sockets.last_group);
    walk_string(walk, &address->listener, true);
    walk_string(walk, &address->socket_name, false);
    walk_endpoint(walk, &address->wanted);
    walk_endpoint(walk, &address->bound);
    walk_u32(walk, &address->ordinal, UINT32_MAX);
    walk_bool(walk, &address->is_told);
}

static void walk_slot(struct walk *walk, struct estate_slot *slot)
{
    walk_u32(walk, &slot->id, HANDOVER_MAX_SLOTS - 1);
    walk_u32(walk, &slot->group, walk->estate->sockets.last_group);
    walk_u32(walk, &slot->owner, UINT32_MAX);
    walk_u32(walk, &slot->inherited, (uint32_t)walk->estate->sockets.inherited_count);
    walk_fd(walk, &slot->fd, slot->inherited == 0);
}

static void walk_sockets(struct walk *walk, struct estate_sockets *sockets)
{
    walk_u32(walk, &sockets->last_group, UINT32_MAX);
    sockets->inherited = walk_list(walk, sockets->inherited, &sockets->inherited_count,
                                   MAX_INHERITED, sizeof(*sockets->inherited));
    for (size_t i = 0; i < sockets->inherited_count; i++) {
        walk_string(walk, &sockets->inherited[i].name, true);
        walk_fd(walk, &sockets->inherited[i].fd, true);
    }
    sockets->addresses = walk_list(walk, sockets->addresses, &sockets->address_count,
                                   MAX_ADDRESSES, sizeof(*sockets->addresses));
    for (size_t i = 0; i < sockets->address_count; i++)
        walk_address(walk, &sockets->addresses[i]);
    sockets->slots = walk_list(walk, sockets->slots, &sockets->slot_count, HANDOVER_MAX_SLOTS,
                               sizeof(*sockets->slots));
    for (size_t i = 0; i < sockets->slot_count; i++)
        walk_slot(walk, &sockets->slots[i]);
}

static void walk_seat(struct walk *walk, struct estate_seat *seat)
{
    walk_u32(walk, &seat->table, PRESENCE_MAX_TABLES - 1);
    walk_child(walk, &seat->child);
    walk_u32(walk, &seat->worker, UINT32_MAX);
    walk_fd(walk, &seat->counters_fd, seat->child.pid != 0);
    walk_bool(walk, &seat->is_ready);
    if ((seat->child.pid == 0) != (seat->worker == 0) || (seat->is_ready && seat->worker == 0))
        fail(walk, "a worker is there by half");
}

static void walk_generation(struct walk *walk, struct estate_generation *generation)
{
    walk_number(walk, &generation->number, UINT64_MAX);
    walk_number(walk, &generation->ring_bytes, MAX_RING_BYTES);
    walk_number(walk, &generation->drain_ms, UINT32_MAX);
    walk_identity(walk, &generation->blueprint.identity);
    walk_fd(walk, &generation->blueprint.sources_fd, true);
    walk_fd(walk, &generation->blueprint.secrets_fd, true);
    walk_fd(walk, &generation->blueprint.spool_fd, true);
    walk_fd(walk, &generation->blueprint.quarantine_fd, false);
    generation->uses = walk_list(walk, generation->uses, &generation->use_count, MAX_USES,
                                 sizeof(*generation->uses));
    for (size_t i = 0; i < generation->use_count; i++) {
        walk_u32(walk, &generation->uses[i].group, walk->estate->sockets.last_group);
        walk_u32(walk, &generation->uses[i].listener_index, UINT32_MAX);
    }
    generation->seats = walk_list(walk, generation->seats, &generation->seat_count, MAX_SEATS,
                                  sizeof(*generation->seats));
    for (size_t i = 0; i < generation->seat_count; i++)
        walk_seat(walk, &generation->seats[i]);
}

static void walk_all(struct walk *walk)
{
    struct estate *estate = walk->estate;

    estate->fd_count = 0;
    walk_head(walk);
    walk_own(walk);
    walk_log(walk, &estate->log);
    walk_keepers(walk, &estate->keepers);
    walk_fd(walk, &estate->presence_fd, true);
    walk_bytes(walk, estate->presence_secret, sizeof estate->presence_secret);
    walk_sockets(walk, &estate->sockets);
    walk_generation(walk, &estate->generation);
    if (walk->out == NULL && walk->trouble == NULL && walk->in.length > 0)
        fail(walk, "something stands behind its end");
}

/* ---- What must fit together. */

static int compare_ints(const void *a, const void *b)
{
    int x = *(const int *)a;
    int y = *(const int *)b;

    return (x > y) - (x < y);
}

/* Sorts. */
static bool has_double(int *numbers, size_t count)
{
    if (count > 1)
        qsort(numbers, count, sizeof *numbers, compare_ints);
    for (size_t i = 1; i < count; i++)
        if (numbers[i] == numbers[i - 1])
            return true;
    return false;
}

static bool has_double_pid(const struct estate *estate)
{
    const struct estate_generation *generation = &estate->generation;
    int pids[MAX_SEATS + MAX_KEEPERS + 2] = { (int)estate->pid };
    size_t count = 1;

    if (estate->log.logger.pid != 0)
        pids[count++] = (int)estate->log.logger.pid;
    for (size_t i = 0; i < estate->keepers.count; i++)
        pids[count++] = (int)estate->keepers.children[i].pid;
    for (size_t i = 0; i < generation->seat_count; i++)
        if (generation->seats[i].child.pid != 0)
            pids[count++] = (int)generation->seats[i].child.pid;
    return has_double(pids, count);
}

static bool has_double_worker(const struct estate_generation *generation)
{
    int workers[MAX_SEATS];
    size_t count = 0;

    for (size_t i = 0; i < generation->seat_count; i++)
        if (generation->seats[i].worker != 0)
            workers[count++] = (int)generation->seats[i].worker;
    return has_double(workers, count);
}

static bool has_double_slot(const struct estate_sockets *sockets)
{
    bool is_taken[HANDOVER_MAX_SLOTS] = { false };

    for (size_t i = 0; i < sockets->slot_count; i++) {
        if (is_taken[sockets->slots[i].id])
            return true;
        is_taken[sockets->slots[i].id] = true;
    }
    return false;
}

/* A slot without an address, or an address with two names. */
static bool has_stray_slot(const struct estate_sockets *sockets)
{
    for (size_t i = 0; i < sockets->slot_count; i++) {
        size_t count = 0;

        for (size_t j = 0; j < sockets->address_count; j++)
            if (sockets->addresses[j].group == sockets->slots[i].group)
                count += (sockets->addresses[j].socket_name != NULL) ==
                                 (sockets->slots[i].inherited != 0)
                             ? 1
                             : 2;
        if (count != 1)
            return true;
    }
    return false;
}

static void check_whole(struct walk *walk)
{
    struct estate *estate = walk->estate;

    if (has_double(estate->fds, estate->fd_count))
        fail(walk, "a descriptor is there twice");
    if (estate->pid < 1 || has_double_pid(estate))
        fail(walk, "a process is there twice");
    if (estate->generation.seat_count == 0 || has_double_worker(&estate->generation))
        fail(walk, "its workers are not numbered");
    if (has_double_slot(&estate->sockets) || has_stray_slot(&estate->sockets))
        fail(walk, "its sockets do not belong to its addresses");
    if (estate->log.output.target > LOG_TARGET_SYSLOG || estate->log.output.format > RECORD_JSON ||
        (estate->log.output.target == LOG_TARGET_FILE) != (estate->log.path != NULL))
        fail(walk, "its log goes nowhere");
}

/* ---- The ways in and out. */

void estate_print(struct estate *estate, struct text *out)
{
    struct walk walk = { .out = out, .estate = estate };

    walk_all(&walk);
}

bool estate_parse(struct slice bytes, struct estate *estate, struct text *problem)
{
    struct walk walk = { .in = bytes, .estate = estate };

    walk_all(&walk);
    if (walk.trouble == NULL)
        check_whole(&walk);
    if (walk.trouble != NULL)
        text_add_format(problem, "what is handed over cannot be taken over: %s", walk.trouble);
    return walk.trouble == NULL;
}

bool estate_keep_fds(const struct estate *estate, bool is_kept)
{
    bool is_done = true;

    for (size_t i = 0; i < estate->fd_count; i++)
        is_done = fcntl(estate->fds[i], F_SETFD, is_kept ? 0 : FD_CLOEXEC) == 0 && is_done;
    return is_done;
}
