/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nbdkit ./nbdkit_pmemblk.so POOL
 *
 * A plugin for nbdkit(1) that exports a pool as a network block device, so that other
 * machines, qemu and tools such as nbdcopy can use it. Each block of the pool that a
 * request touches is written atomically and is durable when the request is answered. There
 * is no volatile cache, so a flush has nothing to do. nbdkit-pmemblk-plugin.1 is its manual.
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

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL

/*
 * A request for a part of a block reads and writes the block while it holds one of these locks.
 */
#define NLOCK 64
static pthread_mutex_t partial[NLOCK];

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

/* Runs in the parent: checks that the pool can be opened. */
static int plugin_get_ready(void)
{
	PMEMblkpool *checked = pmemblk_open(path, 0);

	if (!checked) {
		nbdkit_error("%s", pmemblk_errormsg());
		return -1;
	}
	pmemblk_close(checked);
	return 0;
}

static int open_pool(void)
{
	int ret;

	pthread_mutex_lock(&opening);
	if (!pool) {
		pool = pmemblk_open(path, 0);
		if (pool)
			bsize = pmemblk_bsize(pool);
		else
			nbdkit_error("%s", pmemblk_errormsg());
	}
	ret = pool ? 0 : -1;
	pthread_mutex_unlock(&opening);
	return ret;
}

/* Runs in the child. If the pool cannot be opened, plugin_open() tries again for each client. */
static int plugin_after_fork(void)
{
	for (int i = 0; i < NLOCK; i++)
		pthread_mutex_init(&partial[i], NULL);
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

static int fail(void)
{
	nbdkit_error("%s", pmemblk_errormsg());
	nbdkit_set_error(errno);
	return -1;
}

/* What to do with one block or a part of it; buf is NULL for zeroing. */
typedef int block_action(long long block, size_t from, size_t len, char *buf,
			 char *whole);

static int read_block(long long block, size_t from, size_t len, char *buf, char *whole)
{
	if (len == bsize)
		return pmemblk_read(pool, buf, block);
	if (pmemblk_read(pool, whole, block) != 0)
		return -1;
	memcpy(buf, whole + from, len);
	return 0;
}

static int write_block(long long block, size_t from, size_t len, char *buf, char *whole)
{
	pthread_mutex_t *lock = &partial[block % NLOCK];
	int ret;

	pthread_mutex_lock(lock);
	if (len == bsize) {
		ret =
		    buf ? pmemblk_write(pool, buf, block) : pmemblk_set_zero(pool, block);
	} else {
		ret = pmemblk_read(pool, whole, block);
		if (ret == 0) {
			if (buf)
				memcpy(whole + from, buf, len);
			else
				memset(whole + from, 0, len);
			ret = pmemblk_write(pool, whole, block);
		}
	}
	pthread_mutex_unlock(lock);
	return ret;
}

static int for_each_block(block_action *action, char *buf, uint64_t count,
			  uint64_t offset)
{
	char *whole = malloc(bsize);
	int ret = 0;

	if (!whole) {
		nbdkit_error("out of memory");
		return -1;
	}
	while (count > 0 && ret == 0) {
		size_t from = (size_t)(offset % bsize);
		size_t len = count < bsize - from ? (size_t)count : bsize - from;

		ret = action((long long)(offset / bsize), from, len, buf, whole);
		if (ret != 0)
			ret = fail();
		buf = buf ? buf + len : NULL;
		offset += len;
		count -= len;
	}
	free(whole);
	return ret;
}

static int plugin_pread(void *handle, void *buf, uint32_t count, uint64_t offset,
			uint32_t flags)
{
	(void)handle;
	(void)flags;
	return for_each_block(read_block, buf, count, offset);
}

static int plugin_pwrite(void *handle, const void *buf, uint32_t count, uint64_t offset,
			 uint32_t flags)
{
	(void)handle;
	(void)flags;
	return for_each_block(write_block, (char *)buf, count, offset);
}

static int plugin_zero(void *handle, uint32_t count, uint64_t offset, uint32_t flags)
{
	(void)handle;
	(void)flags;
	return for_each_block(write_block, NULL, count, offset);
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
    .can_multi_conn = plugin_multi_conn,
    .can_fua = plugin_can_fua,
    .flush = plugin_flush,
    .pread = plugin_pread,
    .pwrite = plugin_pwrite,
    .zero = plugin_zero,
    .errno_is_preserved = 1,
};

NBDKIT_REGISTER_PLUGIN(plugin)
