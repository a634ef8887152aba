/* SPDX-License-Identifier: BSD-3-Clause */
/*
 *	confirm pool|in-place PATH BSIZE SIZE THREADS COUNT [SKIP]
 *
 * Creates a pool, and modifies its blocks COUNT times in each thread. The file system is on the
 * mapper's device "log", of dm-log-writes. When a call has returned, the program writes a mark to
 * that log:
 *
 *	begin:BSIZE:IN-PLACE:THREADS:COUNT
 *	extent:START:LENGTH	where the file is, in sectors
 *	created
 *	done:THREAD:OPERATION
 *
 * SKIP sabotages the library from the second operation of each thread on: the first or the second
 * sync of each operation does nothing ("first", "second"), or every n-th sync (a number).
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "disk/extents.h"
#include "disk/mapper.h"
#include "disk/model.h"
#include "guest.h"

static struct target target;
static unsigned nthread;
static uint64_t count;
static const char *skip = "";
static atomic_ulong nsync;
static _Thread_local uint64_t op_here;
static _Thread_local unsigned nsync_here; /* of this operation */

static bool is_skipped(void)
{
	unsigned long n = atomic_fetch_add(&nsync, 1) + 1;

	nsync_here++;
	if (op_here < 2)
		return false;
	if (strcmp(skip, "first") == 0)
		return nsync_here == 1;
	if (strcmp(skip, "second") == 0)
		return nsync_here == 2;
	return *skip && n % number(skip) == 0;
}

__attribute__((visibility("default"))) int msync(void *addr, size_t len, int flags)
{
	if (is_skipped())
		return 0;
	return (int)syscall(SYS_msync, addr, len, flags);
}

__attribute__((format(printf, 1, 2))) static void mark(const char *format, ...)
{
	char text[128] = "mark ";
	va_list ap;

	va_start(ap, format);
	vsnprintf(text + 5, sizeof(text) - 5, format, ap);
	va_end(ap);
	mapper_message("log", text);
}

static void mark_extents(const char *path)
{
	struct extent extent[MAX_EXTENTS];
	unsigned n = extents_find(path, 0, INT64_MAX, extent);

	for (unsigned i = 0; i < n; i++)
		mark("extent:%" PRIu64 ":%" PRIu64, extent[i].disk_off / 512,
		     extent[i].length / 512);
}

static void *run(void *arg)
{
	unsigned me = (unsigned)(uintptr_t)arg;

	for (uint64_t op = 1; op <= count; op++) {
		int error;

		op_here = op;
		nsync_here = 0;
		error = target_modify(&target, model_block(me, nthread, op), op);
		if (error)
			die("%s: %s", target.path, strerror(error));
		mark("done:%u:%" PRIu64, me, op);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread[NTRACKED];
	bool in_place;
	size_t bsize;

	if (argc < 7 || argc > 8)
		die("usage: see the top of tests/dax/confirm.c");
	assert_ours((const void *)(uintptr_t)pmemblk_open);
	if (argc == 8)
		skip = argv[7];
	in_place = strcmp(argv[1], "in-place") == 0;
	bsize = number(argv[3]);
	nthread = (unsigned)number(argv[5]);
	count = number(argv[6]);
	mark("begin:%zu:%d:%u:%" PRIu64, bsize, in_place, nthread, count);
	if (target_create(&target, argv[2], bsize, number(argv[4]), in_place) != 0)
		die("%s: %s", argv[2], pmemblk_errormsg());
	mark_extents(argv[2]);
	mark("created");
	for (uintptr_t i = 0; i < nthread; i++)
		if (pthread_create(&thread[i], NULL, run, (void *)i) != 0)
			die("cannot make a thread");
	for (unsigned i = 0; i < nthread; i++)
		pthread_join(thread[i], NULL);
	target_close(&target);
	printf("%lu syncs\n", nsync);
	return 0;
}
