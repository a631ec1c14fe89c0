/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For tests, by LD_PRELOAD: the master's monotonic clock is ahead by as many seconds as the file
 * $SKIP_TIME_FILE says. Its children, which have titles of their own, keep the system's time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const char *path;

static void find_role(void) __attribute__((constructor));

static void find_role(void)
{
    static const char title[] = "posternd: ";
    char own[sizeof title] = "";
    FILE *file = fopen("/proc/self/cmdline", "r");

    if (file == NULL)
        return;
    if (fgets(own, sizeof own, file) != NULL && strcmp(own, title) != 0)
        path = getenv("SKIP_TIME_FILE");
    fclose(file);
}

static time_t read_seconds(void)
{
    FILE *file = path != NULL ? fopen(path, "r") : NULL;
    long seconds = 0;

    if (file == NULL)
        return 0;
    if (fscanf(file, "%ld", &seconds) != 1)
        seconds = 0;
    fclose(file);
    return seconds;
}

int clock_gettime(clockid_t id, struct timespec *now)
{
    int result = (int)syscall(SYS_clock_gettime, id, now);

    if (result == 0 && (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE))
        now->tv_sec += read_seconds();
    return result;
}
