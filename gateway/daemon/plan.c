/* SPDX-License-Identifier: BSD-2-Clause */
/* What the master takes from a configuration; see plan.h. */
#include "daemon/plan.h"

#include <sched.h>
#include <sys/resource.h>

#include "base/log.h"
#include "config/diagnostics.h"
#include "config/sources.h"
#include "daemon/memory_file.h"
#include "net/stream.h"

/* Of a machine with more processors only so many are used unasked. */
#define MAX_OWN_WORKERS 64
/* A session has its socket, and its message a file when it goes to the disk. */
#define FILES_PER_SESSION 2
/* Descriptors of a worker for nothing that is counted below: last words, and its own. */
#define SPARE_FILES (100 + STREAM_MAX_FINISHING)
/* And for questions to DNS servers, each from a port of its own; some by TCP. */
#define RESOLVER_FILES 300

struct config *plan_read_config(int sources_fd, const char *path, struct slice *packed)
{
    struct sources *sources = sources_new(NULL, NULL);
    struct diagnostics diagnostics;
    struct config *config = NULL;

    diagnostics_init(&diagnostics);
    if (memory_file_map_sealed(sources_fd, packed) && sources_unpack(sources, *packed))
        config = config_new(sources, path, &diagnostics);
    else
        sources_free(&sources);
    diagnostics_clear(&diagnostics);
    return config;
}

size_t plan_count_workers(const struct config *config)
{
    cpu_set_t set;
    int count;

    if (config->workers > 0)
        return (size_t)config->workers;
    count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return count < MAX_OWN_WORKERS ? (size_t)count : MAX_OWN_WORKERS;
}

static rlim_t count_files(const struct config *config, size_t open_socket_count)
{
    rlim_t count = config->max_sessions * FILES_PER_SESSION + SPARE_FILES + open_socket_count;
    size_t worker_count = plan_count_workers(config);

    count += RESOLVER_FILES; /* whether any rule needs it is not known here */
    for (size_t i = 0; i < config->listener_count; i++)
        count += config->listeners[i].endpoint_count * worker_count;
    for (size_t i = 0; i < config->backend_count; i++)
        count += config->backends[i].max_connections;
    return count;
}

void plan_raise_file_limit(const struct config *config, size_t open_socket_count)
{
    rlim_t wanted = count_files(config, open_socket_count);
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = wanted;
    if (limit.rlim_max < wanted)
        limit.rlim_max = wanted;
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
        return;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    log_warning("few-descriptors",
                "max-sessions and the backends' max-connections may need %llu descriptors in each "
                "worker, and the system allows %llu: lower them, or raise the limit "
                "(LimitNOFILE in the unit)",
                (unsigned long long)wanted, (unsigned long long)limit.rlim_max);
}
