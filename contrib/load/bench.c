/* SPDX-License-Identifier: BSD-2-Clause */
/* The helpers that load-sink and load-gen share; see bench.h. */
#include "bench.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

_Noreturn void bench_fail(const char *format, ...)
{
    va_list arguments;

    fprintf(stderr, "%s: ", program_invocation_short_name);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(2);
}

void *bench_alloc(size_t count, size_t size)
{
    void *memory = calloc(count, size);

    if (memory == NULL)
        bench_fail("no memory for %zu times %zu bytes", count, size);
    return memory;
}

uint64_t bench_parse_number(const char *option, const char *text, uint64_t min, uint64_t max)
{
    char *end;
    unsigned long long value;

    errno = 0;
    value = strtoull(text, &end, 10);
    if (errno != 0 || *text < '0' || *text > '9' || *end != '\0' || value < min || value > max)
        bench_fail("%s wants a number from %ju to %ju, not \"%s\"", option, (uintmax_t)min,
                   (uintmax_t)max, text);
    return value;
}

void bench_print_string(const char *octets, size_t length)
{
    putchar('"');
    for (size_t i = 0; i < length; i++) {
        unsigned octet = (unsigned char)octets[i];

        if (octet == '"' || octet == '\\' || octet < 32 || octet > 126)
            printf("\\u%04x", octet);
        else
            putchar((int)octet);
    }
    putchar('"');
}

uint64_t bench_now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void bench_raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

void bench_die_with_parent(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

void bench_set_nodelay(int fd)
{
    int on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}
