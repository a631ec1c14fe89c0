/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For tests, by LD_PRELOAD: a process whose title begins with $DIE_EARLY_TITLE ends before its
 * main, as long as the file $DIE_EARLY_FILE exists.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void die_early(void) __attribute__((constructor));

static void die_early(void)
{
    const char *title = getenv("DIE_EARLY_TITLE");
    const char *path = getenv("DIE_EARLY_FILE");
    char own[100] = "";
    FILE *file = fopen("/proc/self/cmdline", "r");

    if (file == NULL || title == NULL || path == NULL)
        return;
    if (fgets(own, sizeof own, file) != NULL && strncmp(own, title, strlen(title)) == 0 &&
        access(path, F_OK) == 0)
        _exit(3);
    fclose(file);
}
