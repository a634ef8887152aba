/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nbdkit ./nbdkit_pmemblk.so POOL
 *
 * A plugin for nbdkit(1) that exports a pool as a network block device, so that other
 * machines, qemu and tools such as nbdcopy can use it. Each block of the pool that a
 * request touches is written atomically and is durable when the request is answered. There
 * is no volatile cache, so a flush has nothing to do. One call writes all blocks of a request, so
 * a request takes two syncs for each 128 blocks. nbdkit-pmemblk-plugin.1 is the manual.
 *
 * Only the process that opened a pool may modify it. nbdkit serves from a child process: it
 * becomes a daemon, or it runs a command (--run) while the child serves. So the child has to open
 * the pool. But nobody sees the messages of the child, and if its open failed, clients would wait
 * at a socket that nobody serves. So the parent first opens the pool and closes it again: most
 * errors then end nbdkit with a message, before there is a socket. If the child still cannot open
 * the pool, for example because it runs as another user (-u), it refuses each connection.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <libpmemblk.h>

#ifndef PMEMBLK_HAVE_BATCHES
#error                                                                                   \
    "this plugin needs libpmemblk 1.14.0 or newer, for pmemblk_readv() and pmemblk_writev()"
#endif

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL

static char *path;
static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER;
static PMEMblkpool *pool; /* NULL until the child has opened it */
static size_t bsize;

static int plugin_config(const char *key, const char *value)
{
	if (strcmp(key, "pool") != 0) {
		nbdkit_error("unknown parameter '%s'", key);
		return -1;
	}
	free(path);
	path = nbdkit_absolute_path(value);
	return path ? 0 : -1;
}

static int plugin_config_complete(void)
{
	if (path)
		return 0;
	nbdkit_error("no pool given");
	return -1;
}

/* Opens the pool, or reports why that is not possible. */
static PMEMblkpool *open_durable(void)
{
	int off = 0;
	PMEMblkpool *opened = NULL;

	/* With copy on write, which PMEMBLK_CONF may set, all that is written would be lost. */
	if (pmemblk_ctl_set(NULL, "copy_on_write.at_open", &off) == 0)
		opened = pmemblk_open(path, 0);
	if (!opened)
		nbdkit_error("%s", pmemblk_errormsg());
	return opened;
}

/* Runs in the parent: checks that the pool can be opened. */
static int plugin_get_ready(void)
{
	PMEMblkpool *checked = open_durable();

	if (!checked)
		return -1;
	pmemblk_close(checked);
	return 0;
}

static int open_pool(void)
{
	int ret;

	pthread_mutex_lock(&opening);
	if (!pool) {
		pool = open_durable();
		if (pool)
			bsize = pmemblk_bsize(pool);
	}
	ret = pool ? 0 : -1;
	pthread_mutex_unlock(&opening);
	return ret;
}

/* Runs in the child. If the pool cannot be opened, plugin_open() tries again for each client. */
static int plugin_after_fork(void)
{
	(void)open_pool();
	return 0;
}

static void plugin_cleanup(void)
{
	if (pool)
		pmemblk_close(pool);
	pool = NULL;
}

static void plugin_unload(void)
{
	free(path);
}

static void *plugin_open(int readonly)
{
	(void)readonly;
	return open_pool() == 0 ? &pool : NULL;
}

static int64_t plugin_get_size(void *handle)
{
	(void)handle;
	return (int64_t)(pmemblk_nblock(pool) * bsize);
}

/*
 * Requests may have any offset and length; this tells clients to prefer whole blocks. The
 * protocol allows only powers of two from 512 bytes to 32 MiB as the preferred size.
 */
static int plugin_block_size(void *handle, uint32_t *minimum, uint32_t *preferred,
			     uint32_t *maximum)
{
	int is_power_of_2 = (bsize & (bsize - 1)) == 0;

	(void)handle;
	*minimum = 1;
	*preferred =
	    is_power_of_2 && bsize >= 512 && bsize <= 1 << 25 ? (uint32_t)bsize : 4096;
	*maximum = UINT32_MAX;
	return 0;
}

static int plugin_multi_conn(void *handle)
{
	(void)handle;
	return 1;
}

static int plugin_can_fua(void *handle)
{
	(void)handle;
	return NBDKIT_FUA_NATIVE;
}

/* Does nothing: every request was durable when it was answered. */
static int plugin_flush(void *handle, uint32_t flags)
{
	(void)handle;
	(void)flags;
	return 0;
}

/* A pool can have features that forbid the library to modify it. */
static int plugin_can_write(void *handle)
{
	(void)handle;
	/* block -1 does not exist, so this changes nothing */
	return pmemblk_set_zero(pool, -1) == 0 || errno != EROFS;
}

/* Zeros take no data. */
static int plugin_can_fast_zero(void *handle)
{
	(void)handle;
	return 1;
}

/* --- requests ------------------------------------------------------------------------ */

/* A part of a block; there is none if len is 0. */
struct part {
	long long block;
	size_t from;
	size_t len;
	char *copy; /* the whole block */
};

/* The bytes of a request: whole blocks, and parts of blocks at its ends. */
struct range {
	struct part head;
	long long whole; /* the first whole block */
	size_t nwhole;
	struct part tail;
	char *memory; /* holds the copies; NULL if there are no parts */
};

/* Reports an error of the library. failed: the block that caused it, or -1. */
static int fail(long long failed)
{
	int err = errno;

	if (failed < 0)
		nbdkit_error("%s", pmemblk_errormsg());
	else
		nbdkit_error("block %lld: %s", failed, pmemblk_errormsg());
	nbdkit_set_error(err);
	return -1;
}

static int range_init(struct range *r, uint32_t count, uint64_t offset)
{
	size_t from = (size_t)(offset % bsize);
	long long block = (long long)(offset / bsize);

	memset(r, 0, sizeof(*r));
	if (from != 0 || count < bsize) {
		r->head.block = block++;
		r->head.from = from;
		r->head.len = count < bsize - from ? count : bsize - from;
		count -= (uint32_t)r->head.len;
	}
	r->whole = block;
	r->nwhole = count / bsize;
	r->tail.block = block + (long long)r->nwhole;
	r->tail.len = count % bsize;
	if (r->head.len == 0 && r->tail.len == 0)
		return 0;
	r->memory = calloc(2, bsize);
	if (!r->memory) {
		nbdkit_error("out of memory");
		return -1;
	}
	r->head.copy = r->memory;
	r->tail.copy = r->memory + bsize;
	return 0;
}

static void range_fini(struct range *r)
{
	free(r->memory);
}

/*
 * Makes the vector of a range: the copies of the parts, and between them the whole blocks at buf.
 * If buf is NULL, the vector has no whole blocks. Returns the length of the vector.
 */
static size_t vector_of(const struct range *r, char *buf, struct pmemblk_iovec iov[3])
{
	size_t n = 0;

	if (r->head.len)
		iov[n++] = (struct pmemblk_iovec){r->head.copy, r->head.block, 1};
	if (buf && r->nwhole)
		iov[n++] = (struct pmemblk_iovec){buf + r->head.len, r->whole, r->nwhole};
	if (r->tail.len)
		iov[n++] = (struct pmemblk_iovec){r->tail.copy, r->tail.block, 1};
	return n;
}

static int plugin_pread(void *handle, void *buf, uint32_t count, uint64_t offset,
			uint32_t flags)
{
	struct pmemblk_iovec iov[3];
	struct range r;
	long long failed;
	int ret;

	(void)handle;
	(void)flags;
	if (range_init(&r, count, offset) != 0)
		return -1;
	ret = pmemblk_readv(pool, iov, vector_of(&r, buf, iov), &failed);
	if (ret != 0)
		ret = fail(failed);
	else if (r.memory) {
		memcpy(buf, r.head.copy + r.head.from, r.head.len);
		memcpy((char *)buf + count - r.tail.len, r.tail.copy, r.tail.len);
	}
	range_fini(&r);
	return ret;
}

/*
 * A request that changes a part of a block reads the block and writes it back. Another request
 * must not write to the block meanwhile. So all requests that modify blocks stand in a queue, from
 * begin() to end(). A request waits for those before it that touch one of its blocks. It does not
 * wait if both requests have whole blocks only, because the library orders writes of whole blocks.
 */
struct request {
	uint64_t first; /* block */
	uint64_t last;
	int has_parts;
	struct request *next; /* the request that came after it */
};

static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t has_ended = PTHREAD_COND_INITIALIZER;
static struct request *queue; /* the oldest one */

static int has_to_wait(const struct request *r)
{
	const struct request *before;

	for (before = queue; before != r; before = before->next)
		if ((r->has_parts || before->has_parts) && before->first <= r->last &&
		    r->first <= before->last)
			return 1;
	return 0;
}

static void begin(struct request *r)
{
	struct request **end = &queue;

	pthread_mutex_lock(&queue_lock);
	while (*end)
		end = &(*end)->next;
	*end = r;
	while (has_to_wait(r))
		pthread_cond_wait(&has_ended, &queue_lock);
	pthread_mutex_unlock(&queue_lock);
}

static void end(struct request *r)
{
	struct request **at = &queue;

	pthread_mutex_lock(&queue_lock);
	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	pthread_cond_broadcast(&has_ended);
	pthread_mutex_unlock(&queue_lock);
}

/* Reads the blocks at the ends of a range and changes them. buf is NULL for zeros. */
static int change_ends(const struct range *r, const char *buf, uint32_t count)
{
	struct pmemblk_iovec iov[3];
	long long failed;

	if (!r->memory)
		return 0;
	if (pmemblk_readv(pool, iov, vector_of(r, NULL, iov), &failed) != 0)
		return fail(failed);
	if (buf) {
		memcpy(r->head.copy + r->head.from, buf, r->head.len);
		memcpy(r->tail.copy, buf + count - r->tail.len, r->tail.len);
	} else {
		memset(r->head.copy + r->head.from, 0, r->head.len);
		memset(r->tail.copy, 0, r->tail.len);
	}
	return 0;
}

static int write_range(const struct range *r, char *buf, uint32_t count)
{
	struct pmemblk_iovec iov[3];
	long long failed;

	if (change_ends(r, buf, count) != 0)
		return -1;
	if (pmemblk_writev(pool, iov, vector_of(r, buf, iov), &failed) != 0 ||
	    (!buf && pmemblk_set_zero_range(pool, r->whole, r->nwhole, &failed) != 0))
		return fail(failed);
	return 0;
}

/* buf is NULL for zeros. */
static int modify(char *buf, uint32_t count, uint64_t offset)
{
	struct request request = {.first = offset / bsize,
				  .last = (offset + count - 1) / bsize};
	struct range r;
	int ret;

	if (range_init(&r, count, offset) != 0)
		return -1;
	request.has_parts = r.memory != NULL;
	begin(&request);
	ret = write_range(&r, buf, count);
	end(&request);
	range_fini(&r);
	return ret;
}

static int plugin_pwrite(void *handle, const void *buf, uint32_t count, uint64_t offset,
			 uint32_t flags)
{
	(void)handle;
	(void)flags;
	return modify((char *)buf, count, offset); /* nothing is stored to buf */
}

static int plugin_zero(void *handle, uint32_t count, uint64_t offset, uint32_t flags)
{
	(void)handle;
	(void)flags;
	return modify(NULL, count, offset);
}

/*
 * Trimmed bytes may read as anything. This sets the whole blocks to zero, and does not change the
 * parts at the ends.
 */
static int plugin_trim(void *handle, uint32_t count, uint64_t offset, uint32_t flags)
{
	uint64_t first = (offset + bsize - 1) / bsize;
	uint64_t behind = (offset + count) / bsize;

	(void)handle;
	(void)flags;
	if (first >= behind)
		return 0;
	return modify(NULL, (uint32_t)((behind - first) * bsize), first * bsize);
}

static struct nbdkit_plugin plugin = {
    .name = "pmemblk",
    .longname = "pool of blocks on persistent memory",
    .description =
	"Exports a pool made by pmemblk_create() or pmemblk(1). Writes are atomic for\n"
	"each block of the pool, and durable when they are answered.",
    .config = plugin_config,
    .config_complete = plugin_config_complete,
    .config_help = "[pool=]POOL   the file or set file of the pool to export",
    .magic_config_key = "pool",
    .get_ready = plugin_get_ready,
    .after_fork = plugin_after_fork,
    .cleanup = plugin_cleanup,
    .unload = plugin_unload,
    .open = plugin_open,
    .get_size = plugin_get_size,
    .block_size = plugin_block_size,
    .can_write = plugin_can_write,
    .can_multi_conn = plugin_multi_conn,
    .can_fua = plugin_can_fua,
    .can_fast_zero = plugin_can_fast_zero,
    .flush = plugin_flush,
    .pread = plugin_pread,
    .pwrite = plugin_pwrite,
    .zero = plugin_zero,
    .trim = plugin_trim,
    .errno_is_preserved = 1,
};

NBDKIT_REGISTER_PLUGIN(plugin)
