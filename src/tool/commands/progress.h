/* SPDX-License-Identifier: BSD-3-Clause */
/* A progress bar on stderr. Nothing is shown if stderr is not a terminal. */
#ifndef PROGRESS_H
#define PROGRESS_H 1

#include <stdbool.h>
#include <stdint.h>

struct progress {
	const char *what;
	uint64_t total; /* bytes; 0: not known */
	uint64_t begin; /* ns, of a monotonic clock */
	uint64_t shown; /* when the bar was drawn last */
	bool visible;
};

void progress_begin(struct progress *p, const char *what, uint64_t total);

/* Draws at most ten times a second, so that it is cheap. */
void progress_update(struct progress *p, uint64_t done);

/* Removes the bar, for a message; the next update draws it again. */
void progress_clear(struct progress *p);

/* Removes the bar for good. */
void progress_end(struct progress *p);

/* Nanoseconds of a monotonic clock. */
uint64_t progress_now(void);

#endif
