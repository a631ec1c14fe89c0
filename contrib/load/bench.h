/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What load-sink and load-gen share. Both are tools of a bench on loopback: on
 * a mistake in their own use they say so and end with status 2.
 */
#ifndef LOAD_BENCH_H
#define LOAD_BENCH_H

#include <stddef.h>
#include <stdint.h>

/* Prints "PROGRAM: ..." on stderr and ends the process with status 2. */
_Noreturn void bench_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Zeroed memory for `count` members; ends the process when there is none. */
void *bench_alloc(size_t count, size_t size);

/* The decimal number `text`, between `min` and `max`; else ends the process, naming `option`. */
uint64_t bench_parse_number(const char *option, const char *text, uint64_t min, uint64_t max);

/* Prints `length` octets as a string of JSON. */
void bench_print_string(const char *octets, size_t length);

/* Microseconds on the monotonic clock. */
uint64_t bench_now_us(void);

/* Asks for as many descriptors as the hard limit allows. */
void bench_raise_descriptor_limit(void);

/* Lets the kernel end this process when its parent has gone. */
void bench_die_with_parent(void);

/* Switches Nagle's algorithm off: what is measured is the gateway, not a 40 ms stall of ours. */
void bench_set_nodelay(int fd);

#endif
