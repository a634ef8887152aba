/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nbd_requests PLUGIN POOL CASE
 *
 * Calls the functions of the plugin for nbdkit as nbdkit does, with requests that no client sends
 * on demand. POOL has blocks of 4096 bytes. It counts the syncs of the library, too. The cases are
 *
 *	random		requests of any kind, offset and length leave what they leave in an array
 *	threads		requests of several threads that share blocks, but no bytes
 *	whole		some threads write whole blocks, others parts of the same ones
 *	syncs		how many syncs a request takes, on an ordinary file
 *	errors		blocks 20 and 21 cannot be modified: what requests say
 *	read-only	the pool has a feature that forbids to modify it
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include <libpmemblk.h>

#define BSIZE 4096u

static const struct nbdkit_plugin *plugin;
static void *handle;
static unsigned char *model; /* what the device holds */
static uint64_t size;
static char error[8192];
static int error_number;
static _Atomic(unsigned) nsync;

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "%s; the last error of the plugin: %d, '%s'\n", what,
		error_number, error);
	exit(1);
}

/* --- what nbdkit offers --------------------------------------------------------------------- */

void nbdkit_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(error, sizeof(error), fmt, ap);
	va_end(ap);
}

void nbdkit_set_error(int err)
{
	error_number = err;
}

char *nbdkit_absolute_path(const char *path)
{
	return strdup(path);
}

/* In the place of libc's. */
int msync(void *addr, size_t len, int flags)
{
	atomic_fetch_add(&nsync, 1);
	return (int)syscall(SYS_msync, addr, len, flags);
}

/* --- random requests ------------------------------------------------------------------------ */

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Whole blocks read as zeros, the parts stay. */
static void trim_model(uint64_t offset, uint32_t count)
{
	uint64_t first = (offset + BSIZE - 1) / BSIZE * BSIZE;
	uint64_t end = (offset + count) / BSIZE * BSIZE;

	if (first < end)
		memset(model + first, 0, end - first);
}

/* A request of a kind that is chosen at random. buf has room for it. */
static void request(uint64_t *seed, unsigned char *buf, uint64_t offset, uint32_t count)
{
	unsigned kind = next_random(seed) % 8;

	if (kind < 4) {
		memset(buf, (int)next_random(seed) | 1, count);
		memcpy(model + offset, buf, count);
		if (plugin->pwrite(handle, buf, count, offset, NBDKIT_FLAG_FUA) != 0)
			die("a write");
	} else if (kind < 5) {
		memset(model + offset, 0, count);
		if (plugin->zero(handle, count, offset, NBDKIT_FLAG_MAY_TRIM) != 0)
			die("zeros");
	} else if (kind < 6) {
		trim_model(offset, count);
		if (plugin->trim(handle, count, offset, 0) != 0)
			die("a trim");
	} else {
		memset(buf, 0xee, count);
		if (plugin->pread(handle, buf, count, offset, 0) != 0)
			die("a read");
		if (memcmp(buf, model + offset, count) != 0)
			die("a read returns something else");
	}
}

static void compare(void)
{
	unsigned char *all = malloc(size);

	if (!all || plugin->pread(handle, all, (uint32_t)size, 0, 0) != 0)
		die("reading the device");
	for (uint64_t i = 0; i < size; i++)
		if (all[i] != model[i]) {
			fprintf(stderr, "byte %llu\n", (unsigned long long)i);
			die("the device holds something else");
		}
	free(all);
}

static void random_requests(void)
{
	uint64_t seed = 88172645463325252u;
	unsigned char *buf = malloc(64 * BSIZE);

	for (int i = 0; buf && i < 4000; i++) {
		/* one of four is a part of a block, one has whole blocks */
		uint32_t most = i % 4 == 0 ? BSIZE : 40 * BSIZE;
		uint64_t offset = next_random(&seed) % (size - most);
		uint32_t count = 1 + (uint32_t)(next_random(&seed) % most);

		if (i % 4 == 1) {
			offset -= offset % BSIZE;
			count = (count + BSIZE - 1) / BSIZE * BSIZE;
		}
		if (i % 16 == 2) /* the end of the device */
			offset = size - count;
		request(&seed, buf, offset, count);
	}
	free(buf);
	compare();
}

/* --- threads -------------------------------------------------------------------------------- */

#define NTHREAD 4u
#define STRIPE (BSIZE + 777u)
#define NSTRIPE 24u /* few, so that threads meet */

static void *write_stripes(void *arg)
{
	uint64_t number = (uint64_t)(uintptr_t)arg;
	uint64_t seed = 88172645463325252u * (number + 1);
	unsigned char buf[STRIPE];

	for (int i = 0; i < 3000; i++) {
		uint64_t stripe =
		    next_random(&seed) % (NSTRIPE / NTHREAD) * NTHREAD + number;
		uint32_t from = (uint32_t)(next_random(&seed) % STRIPE);
		uint32_t count = 1 + (uint32_t)(next_random(&seed) % (STRIPE - from));

		if (i % 2) { /* the whole blocks of a stripe, or most of it */
			from = 0;
			count = STRIPE;
		}
		request(&seed, buf, stripe * STRIPE + from, count);
	}
	return NULL;
}

static void threads(void)
{
	pthread_t thread[NTHREAD];

	for (uintptr_t i = 0; i < NTHREAD; i++)
		if (pthread_create(&thread[i], NULL, write_stripes, (void *)i) != 0)
			die("a thread");
	for (unsigned i = 0; i < NTHREAD; i++)
		pthread_join(thread[i], NULL);
	compare();
}

/*
 * One thread writes two whole blocks again and again, and finds in them what it wrote, but for the
 * bytes in their middle, which the others write.
 */
#define MIDDLE (BSIZE / 2)
#define NMIDDLE 16u

static _Atomic(int) ends;
static _Atomic(unsigned) nmiddle;
static int (*real_readv)(PMEMblkpool *, const struct pmemblk_iovec *, size_t,
			 long long *);

/*
 * In the place of the library's. Other threads get a chance between the read of a block and its
 * write.
 */
int pmemblk_readv(PMEMblkpool *pool, const struct pmemblk_iovec *iov, size_t n,
		  long long *failed)
{
	int ret = real_readv(pool, iov, n, failed);

	sched_yield();
	return ret;
}

static void *write_middles(void *arg)
{
	uint64_t seed = 88172645463325252u * ((uint64_t)(uintptr_t)arg + 1);
	unsigned char buf[NMIDDLE] = {0};

	while (!atomic_load(&ends))
		if (plugin->pwrite(handle, buf, NMIDDLE,
				   next_random(&seed) % 2 * BSIZE + MIDDLE, 0) != 0)
			die("a write of a part");
		else
			atomic_fetch_add(&nmiddle, 1);
	return NULL;
}

static void write_whole(void)
{
	static unsigned char buf[2 * BSIZE];
	static unsigned char back[2 * BSIZE];

	for (int i = 0; i < 3000 || atomic_load(&nmiddle) < 3000; i++) {
		memset(buf, i, sizeof(buf));
		if (plugin->pwrite(handle, buf, sizeof(buf), 0, 0) != 0 ||
		    plugin->pread(handle, back, sizeof(back), 0, 0) != 0)
			die("a write of whole blocks");
		memset(back + MIDDLE, i, NMIDDLE);
		memset(back + BSIZE + MIDDLE, i, NMIDDLE);
		if (memcmp(buf, back, sizeof(buf)) != 0)
			die("a write of a part has undone a write of whole blocks");
	}
}

static void whole_and_parts(void)
{
	pthread_t thread[NTHREAD];

	for (uintptr_t i = 0; i < NTHREAD; i++)
		if (pthread_create(&thread[i], NULL, write_middles, (void *)i) != 0)
			die("a thread");
	write_whole();
	atomic_store(&ends, 1);
	for (unsigned i = 0; i < NTHREAD; i++)
		pthread_join(thread[i], NULL);
}

/* --- syncs ---------------------------------------------------------------------------------- */

static void want_syncs(const char *what, int ret, unsigned least, unsigned most)
{
	unsigned n = atomic_exchange(&nsync, 0);

	if (ret != 0)
		die(what);
	if (n < least || n > most) {
		fprintf(stderr, "%u syncs instead of %u to %u: ", n, least, most);
		die(what);
	}
}

static void syncs(void)
{
	unsigned char *buf = malloc(1 << 20);

	if (!buf)
		die("memory");
	memset(buf, 1, 1 << 20);
	if (plugin->pwrite(handle, buf, BSIZE, 0, 0) != 0)
		die("the first write");
	for (uint64_t at = 0; at + (1 << 20) <= size; at += 1 << 20)
		if (plugin->pwrite(handle, buf, 1 << 20, at, 0) != 0)
			die("a write");
	atomic_store(&nsync, 0);
	want_syncs("a block", plugin->pwrite(handle, buf, BSIZE, 0, 0), 2, 2);
	want_syncs("64 KiB", plugin->pwrite(handle, buf, 65536, 81920, 0), 2, 2);
	want_syncs("64 KiB, FUA",
		   plugin->pwrite(handle, buf, 65536, 81920, NBDKIT_FLAG_FUA), 2, 2);
	want_syncs("64 KiB, not aligned", plugin->pwrite(handle, buf, 65536, 81921, 0), 2,
		   2);
	want_syncs("a part of a block", plugin->pwrite(handle, buf, 10, 81, 0), 2, 2);
	want_syncs("parts of two blocks", plugin->pwrite(handle, buf, 10, 4091, 0), 2, 2);
	/* chunks of 128 blocks */
	want_syncs("1 MiB", plugin->pwrite(handle, buf, 1 << 20, 0, 0), 4, 4);
	want_syncs("a flush", plugin->flush(handle, 0), 0, 0);
	want_syncs("a read", plugin->pread(handle, buf, 1 << 20, 1, 0), 0, 0);
	want_syncs("zeros", plugin->zero(handle, 65536, 1 << 20, 0), 1, 1);
	want_syncs("zeros, not aligned", plugin->zero(handle, 65536, (1 << 20) + 1, 0), 3,
		   3);
	want_syncs("a trim", plugin->trim(handle, 65536, (1 << 20) + 1, 0), 1, 1);
	want_syncs("a trim of a part", plugin->trim(handle, 4096, 1, 0), 0, 0);
	want_syncs("a trim of the device", plugin->trim(handle, (uint32_t)size, 0, 0), 1,
		   (unsigned)(size / BSIZE / 4096 + 2));
	free(buf);
}

/* --- damage, see src/blk/FORMAT.md; the machine is little-endian ----------------------------- */

#define RO_COMPAT 20
#define CHECKSUM 4088
#define MAP_OFFSET (8192 + 96)

static void change(const char *path, off_t off, const void *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || pwrite(fd, bytes, len, off) != (ssize_t)len)
		die(path);
	close(fd);
}

static void get(const char *path, off_t off, void *bytes, size_t len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || pread(fd, bytes, len, off) != (ssize_t)len)
		die(path);
	close(fd);
}

/* Makes the map entry of a block name no data block. */
static void damage_block(const char *path, unsigned block)
{
	static const uint32_t none = UINT32_MAX;
	uint64_t map;

	get(path, MAP_OFFSET, &map, sizeof(map));
	change(path, (off_t)(8192 + map + 4 * block), &none, sizeof(none));
}

/* Gives a pool a feature that the library does not know, and may ignore only for reading. */
static void forbid_to_modify(const char *path)
{
	uint32_t word[1024] = {0}; /* the second half counts as zeros */
	uint32_t sum[2] = {0, 0};

	get(path, 0, word, 2048);
	word[RO_COMPAT / 4] = 1;
	for (unsigned i = 0; i < 1024; i++) {
		sum[0] += word[i];
		sum[1] += sum[0];
	}
	change(path, RO_COMPAT, &word[RO_COMPAT / 4], 4);
	change(path, CHECKSUM, sum, sizeof(sum));
}

/* --- errors --------------------------------------------------------------------------------- */

static void want_error(const char *what, int ret, int err, const char *message)
{
	if (ret != -1 || error_number != err || !strstr(error, message))
		die(what);
	error[0] = '\0';
	error_number = 0;
}

static void errors(void)
{
	static unsigned char buf[10 * BSIZE];
	static unsigned char back[10 * BSIZE];

	memset(buf, 1, sizeof(buf));
	want_error("a read", plugin->pread(handle, buf, sizeof(buf), 15 * BSIZE, 0), EIO,
		   "block 20: ");
	want_error("a read of parts",
		   plugin->pread(handle, buf, BSIZE, 20 * BSIZE - 9, 0), EIO,
		   "block 20: ");
	want_error("a write", plugin->pwrite(handle, buf, sizeof(buf), 15 * BSIZE, 0),
		   EIO, "block 20: ");
	want_error("a part", plugin->pwrite(handle, buf, 9, 21 * BSIZE + 1, 0), EIO,
		   "block 21: ");
	want_error("the first part",
		   plugin->pwrite(handle, buf, BSIZE + 9, 21 * BSIZE + 1, 0), EIO,
		   "block 21: ");
	want_error("zeros", plugin->zero(handle, 3 * BSIZE, 19 * BSIZE, 0), EIO,
		   "block 20: ");
	want_error("a trim", plugin->trim(handle, 3 * BSIZE, 19 * BSIZE + 9, 0), EIO,
		   "block 20: ");
	if (plugin->pwrite(handle, buf, 4 * BSIZE + 5, 16 * BSIZE - 5, 0) != 0 ||
	    plugin->pread(handle, back, 4 * BSIZE + 5, 16 * BSIZE - 5, 0) != 0 ||
	    memcmp(buf, back, 4 * BSIZE + 5) != 0)
		die("the blocks before");
	if (plugin->pwrite(handle, buf, 2 * BSIZE, 22 * BSIZE, 0) != 0)
		die("the blocks behind");
}

static void read_only(void)
{
	static unsigned char buf[3 * BSIZE];

	if (plugin->can_write(handle) != 0)
		die("the plugin offers to write");
	if (plugin->pread(handle, buf, sizeof(buf), 1, 0) != 0)
		die("a read");
	want_error("a write", plugin->pwrite(handle, buf, BSIZE, 0, 0), EROFS,
		   "read-only");
	want_error("zeros", plugin->zero(handle, BSIZE, 0, 0), EROFS, "read-only");
	want_error("a trim", plugin->trim(handle, BSIZE, 0, 0), EROFS, "read-only");
}

/* --- the whole ------------------------------------------------------------------------------ */

static void start(const char *file, const char *pool)
{
	void *object = dlopen(file, RTLD_NOW);
	const struct nbdkit_plugin *(*init)(void);

	if (!object)
		die(dlerror());
	*(void **)&init = dlsym(object, "plugin_init");
	*(void **)&real_readv = dlsym(object, "pmemblk_readv");
	plugin = init();
	if (plugin->config("pool", pool) != 0 || plugin->config_complete() != 0 ||
	    plugin->get_ready() != 0 || plugin->after_fork() != 0)
		die("the plugin does not start");
	handle = plugin->open(0);
	if (!handle)
		die("the pool is not opened");
	size = (uint64_t)plugin->get_size(handle);
	model = calloc(1, size);
	if (!model)
		die("memory");
}

int main(int argc, char **argv)
{
	const char *name = argc == 4 ? argv[3] : "";
	void (*run)(void) = !strcmp(name, "random")	 ? random_requests
			    : !strcmp(name, "threads")	 ? threads
			    : !strcmp(name, "whole")	 ? whole_and_parts
			    : !strcmp(name, "syncs")	 ? syncs
			    : !strcmp(name, "errors")	 ? errors
			    : !strcmp(name, "read-only") ? read_only
							 : NULL;

	if (!run)
		return 2;
	if (run == errors) {
		damage_block(argv[2], 20);
		damage_block(argv[2], 21);
	} else if (run == read_only) {
		forbid_to_modify(argv[2]);
	}
	start(argv[1], argv[2]);
	if (run != read_only && plugin->can_write(handle) != 1)
		die("the plugin does not offer to write");
	run();
	plugin->cleanup();
	plugin->unload();
	free(model);
	return 0;
}
