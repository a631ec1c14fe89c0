/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For tests, by LD_PRELOAD: a process whose title begins with $HANG_EARLY_TITLE does not get to its
 * main, as long as the file $HANG_EARLY_FILE exists.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void hang_early(void) __attribute__((constructor));

static void hang_early(void)
{
    const char *title = getenv("HANG_EARLY_TITLE");
    const char *path = getenv("HANG_EARLY_FILE");
    char own[100] = "";
    FILE *file = fopen("/proc/self/cmdline", "r");

    if (file == NULL)
        return;
    if (title != NULL && path != NULL && fgets(own, sizeof own, file) != NULL &&
        strncmp(own, title, strlen(title)) == 0)
        while (access(path, F_OK) == 0)
            usleep(10000);
    fclose(file);
}
