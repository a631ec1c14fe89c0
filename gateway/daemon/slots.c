/* SPDX-License-Identifier: BSD-2-Clause */
/* Which worker polls which listening socket; see slots.h. */
#include "daemon/slots.h"

#include "base/memory.h"

/* How many slots a worker has, while they are given out. */
struct share {
    uint32_t worker;
    size_t in_group; /* of the address that is being looked at */
    size_t in_all;   /* of all addresses so far */
};

bool slot_is_polled_by(const struct slot *slot, uint32_t worker)
{
    return slot->is_shared || slot->owner == worker;
}

static struct share *find_share(struct share *shares, size_t count, uint32_t worker)
{
    for (size_t i = 0; i < count; i++)
        if (shares[i].worker == worker)
            return &shares[i];
    return NULL;
}

/* Who has the fewest here; among equals, the fewest in all. */
static struct share *find_poorest(struct share *shares, size_t count)
{
    struct share *poorest = &shares[0];

    for (size_t i = 1; i < count; i++)
        if (shares[i].in_group < poorest->in_group ||
            (shares[i].in_group == poorest->in_group && shares[i].in_all < poorest->in_all))
            poorest = &shares[i];
    return poorest;
}

static bool is_of(const struct slot *slot, uint32_t group)
{
    return slot->group == group && !slot->is_shared;
}

static size_t count_group(const struct slot *slots, size_t slot_count, uint32_t group)
{
    size_t count = 0;

    for (size_t i = 0; i < slot_count; i++)
        count += is_of(&slots[i], group);
    return count;
}

/* Takes slots from the dead, and from those who have more than their share. */
static void take_back(struct slot *slots, size_t slot_count, uint32_t group, struct share *shares,
                      size_t worker_count)
{
    size_t size = count_group(slots, slot_count, group);
    size_t least = size / worker_count;
    size_t larger_count = size % worker_count; /* so many may have one more */

    for (size_t i = 0; i < slot_count; i++) {
        struct share *share;

        if (!is_of(&slots[i], group))
            continue;
        share = find_share(shares, worker_count, slots[i].owner);
        if (share != NULL && share->in_group == least && larger_count > 0)
            larger_count--;
        else if (share == NULL || share->in_group >= least) {
            slots[i].owner = SLOTS_NOBODY;
            continue;
        }
        share->in_group++;
    }
}

static void give_out(struct slot *slots, size_t slot_count, uint32_t group, struct share *shares,
                     size_t worker_count)
{
    for (size_t i = 0; i < slot_count; i++) {
        struct share *share;

        if (!is_of(&slots[i], group) || slots[i].owner != SLOTS_NOBODY)
            continue;
        share = find_poorest(shares, worker_count);
        slots[i].owner = share->worker;
        share->in_group++;
    }
}

static void assign_group(struct slot *slots, size_t slot_count, uint32_t group,
                         struct share *shares, size_t worker_count)
{
    for (size_t i = 0; i < worker_count; i++)
        shares[i].in_group = 0;
    take_back(slots, slot_count, group, shares, worker_count);
    give_out(slots, slot_count, group, shares, worker_count);
    for (size_t i = 0; i < worker_count; i++)
        shares[i].in_all += shares[i].in_group;
}

/* Is this the first slot of its address? */
static bool begins_group(const struct slot *slots, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (slots[i].group == slots[index].group)
            return false;
    return true;
}

void slots_assign(struct slot *slots, size_t slot_count, const uint32_t *workers,
                  size_t worker_count)
{
    struct share *shares;

    if (worker_count == 0) {
        for (size_t i = 0; i < slot_count; i++)
            slots[i].owner = SLOTS_NOBODY;
        return;
    }
    shares = mem_new_array(worker_count, sizeof *shares);
    for (size_t i = 0; i < worker_count; i++)
        shares[i].worker = workers[i];
    for (size_t i = 0; i < slot_count; i++)
        if (!slots[i].is_shared && begins_group(slots, i))
            assign_group(slots, slot_count, slots[i].group, shares, worker_count);
    mem_free(shares);
}
