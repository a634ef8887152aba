/* SPDX-License-Identifier: BSD-3-Clause */
#include "commands/progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define INTERVAL 100000000u
#define WIDTH 30

uint64_t progress_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void progress_begin(struct progress *p, const char *what, uint64_t total)
{
	*p = (struct progress){.what = what,
			       .total = total,
			       .begin = progress_now(),
			       .visible = isatty(STDERR_FILENO) == 1};
}

static void draw(const struct progress *p, uint64_t done, uint64_t now)
{
	double seconds = (double)(now - p->begin) / 1e9;
	double rate = seconds > 0 ? (double)done / seconds : 0;
	char bar[WIDTH + 1];

	if (p->total == 0) {
		fprintf(stderr, "\r%s  %.1f MiB  %.1f MiB/s ", p->what,
			(double)done / 1048576, rate / 1048576);
		return;
	}
	for (unsigned i = 0; i < WIDTH; i++)
		bar[i] = i < WIDTH * ((double)done / (double)p->total) ? '#' : '.';
	bar[WIDTH] = '\0';
	fprintf(stderr, "\r%s %3.0f%% [%s]  %.1f MiB/s  %.0f s left ", p->what,
		100.0 * (double)done / (double)p->total, bar, rate / 1048576,
		rate > 0 ? (double)(p->total - done) / rate : 0.0);
}

void progress_update(struct progress *p, uint64_t done)
{
	uint64_t now;

	if (!p->visible)
		return;
	now = progress_now();
	if (p->shown && now - p->shown < INTERVAL)
		return;
	p->shown = now;
	draw(p, done, now);
}

void progress_clear(struct progress *p)
{
	if (p->visible && p->shown)
		fputs("\r\033[K", stderr);
	p->shown = 0;
}

void progress_end(struct progress *p)
{
	progress_clear(p);
	p->visible = false;
}
