/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What mails are tried on: a configuration with all that its checks need, and
 * without listeners, backends, disk and log. With a zone nothing goes to the
 * network: names in the zone answer, then those of the configuration's local data,
 * and no other exists. Without one the configuration's resolver asks.
 */
#ifndef POSTERN_TOOLS_BENCH_H
#define POSTERN_TOOLS_BENCH_H

#include <stdbool.h>

#include "base/text.h"
#include "dns/zone.h"
#include "daemon/check_setup.h"
#include "flow/shared.h"
#include "net/loop.h"
#include "tools/configuration.h"

struct bench {
    const struct configuration *configuration; /* lent */
    struct loop *loop;                 /* owned, as is all that follows */
    struct check_tools tools;          /* nothing in it when nothing asks the DNS */
    struct tls_server **tls_servers;   /* by index of config->listeners, all NULL */
    struct shared *shared;
};

/*
 * `configuration` and `zone` (NULL: ask the network) are kept until bench_close. Every backend is
 * taken to be able to do all that can be passed on. False and a sentence when the resolver cannot
 * be had; close it in any case.
 */
bool bench_open(struct bench *bench, const struct configuration *configuration,
                const struct zone *zone, struct text *problem) __attribute__((warn_unused_result));
void bench_close(struct bench *bench);

/* Reads a zone's text; `name` is what a complaint calls it. NULL and a sentence. */
struct zone *bench_read_zone(const char *name, struct slice bytes, struct text *problem)
    __attribute__((warn_unused_result));

#endif
