/* SPDX-License-Identifier: BSD-3-Clause */
/* Functions that the files of the benchmark share: clock, random numbers, and exit on error. */
#ifndef BENCH_H
#define BENCH_H 1

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static inline uint64_t bench_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline uint64_t bench_random(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return *state = x;
}

/* Maps the random number r to a number below n, without a division. */
static inline uint64_t bench_below(uint64_t r, uint64_t n)
{
	return (uint64_t)((unsigned __int128)r * n >> 64);
}

static inline void bench_report(const char *name, double ns)
{
	printf("%s,%.2f\n", name, ns);
	fflush(stdout);
}

static inline void bench_die(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s\n", what, why);
	exit(1);
}

#endif
