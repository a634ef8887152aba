/* SPDX-License-Identifier: BSD-3-Clause */
#include "programs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "support.h"

void program_random(char *text, uint64_t *rng, const char *kinds, unsigned nthread,
		    unsigned nop, unsigned nblock)
{
	unsigned left = nop;
	char before = 0;

	for (unsigned t = 0; t < nthread; t++) {
		/* each thread has at least one operation */
		unsigned most = left - (nthread - 1 - t);
		unsigned n =
		    t + 1 == nthread ? left : 1 + (unsigned)(support_random(rng) % most);

		if (t)
			*text++ = '|';
		for (unsigned i = 0; i < n; i++) {
			char kind = kinds[support_random(rng) % strlen(kinds)];

			/* a batch goes on only if there is one */
			if (kind == '+' && (i == 0 || before != 'w'))
				kind = 'w';
			before = kind == '+' ? before : kind;
			if (kind != '+')
				*text++ = ' ';
			*text++ = kind;
			*text++ = (char)('0' + support_random(rng) % nblock);
			*text++ = (char)('0' + support_random(rng) % 2);
			/* some threads end early, and others take their numbers */
			if (i + 1 < n && nthread > 1 && support_random(rng) % 4 == 0) {
				*text++ = ';';
				before = 0;
			}
		}
		*text++ = ' ';
		left -= n;
	}
	*text = '\0';
}

void print_stats(const char *what, const struct explore_stats *s)
{
	printf("%s: %" PRIu64 " programs, %" PRIu64 " runs, %" PRIu64 " states, %" PRIu64
	       " kills, %" PRIu64 " restarts; images: %" PRIu64 " met, %" PRIu64
	       " distinct, recovered and checked (%" PRIu64
	       " of them left by a crash of a recovery); sampled: the images of %" PRIu64
	       " states, the interleavings of %" PRIu64
	       " programs; pages dropped %" PRIu64 " times\n",
	       what, s->scenarios, s->runs, s->states, s->kills, s->restarts, s->images,
	       s->distinct, s->nested, s->sampled, s->unfinished, s->drops);
	fflush(stdout);
}

double elapsed(void)
{
	static struct timespec begin;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (!begin.tv_sec)
		begin = now;
	return (double)(now.tv_sec - begin.tv_sec) +
	       (double)(now.tv_nsec - begin.tv_nsec) / 1e9;
}

extern const char __executable_start[];

const char *site_name(const struct site *site, char *buf, size_t size)
{
	static const char *const kinds[] = {"", "flush", "flush of a write", "fence",
					    "R14: store"};
	uintptr_t at = (uintptr_t)site->caller - (uintptr_t)__executable_start - 1;
	char exe[512], command[640], function[128] = "", place[256] = "";
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	FILE *f;

	exe[n > 0 ? n : 0] = '\0';
	snprintf(command, sizeof(command), "addr2line -f -i -s -e '%s' 0x%" PRIxPTR, exe,
		 at);
	f = popen(command, "r");
	if (f) {
		char fn[128], line[256];

		/* the innermost frames are those of storage/storage.h */
		while (fgets(fn, sizeof(fn), f) && fgets(line, sizeof(line), f)) {
			fn[strcspn(fn, "\n")] = '\0';
			line[strcspn(line, " \n")] = '\0';
			snprintf(function, sizeof(function), "%s", fn);
			snprintf(place, sizeof(place), "%s", line);
			if (strncmp(line, "storage.h", 9) != 0)
				break;
		}
		pclose(f);
	}
	snprintf(buf, size, "%s in %s, %s", kinds[site->kind],
		 function[0] ? function : "?", place);
	return buf;
}
