/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A pool that survives media errors, and a way to make media errors: a page of its mapping is
 * replaced by a page behind the end of an empty file. Each access to it raises SIGBUS, as on lost
 * memory.
 */
#ifndef SIGBUS_FIXTURE_H
#define SIGBUS_FIXTURE_H 1

#include "support.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libpmemblk.h>

#include "image.h"
#include "pool/pool.h"

#define SIZE ((size_t)17 << 20)
#define BSIZE 4096

static const char *path;
static PMEMblkpool *pool;

static inline void set_catch(int value)
{
	assert_int_equal(pmemblk_ctl_set(NULL, "sigbus.catch", &value), 0);
}

static inline int put(long long lba, int byte)
{
	char block[BSIZE];

	memset(block, byte, sizeof(block));
	return pmemblk_write(pool, block, lba);
}

/* The byte that fills a block, -1 for EIO. */
static inline int get(long long lba)
{
	unsigned char block[BSIZE];

	errno = 0;
	if (pmemblk_read(pool, block, lba) != 0) {
		assert_int_equal(errno, EIO);
		return -1;
	}
	for (size_t i = 1; i < sizeof(block); i++)
		assert_int_equal(block[i], block[0]);
	return block[0];
}

static inline void create_pool(const char *name)
{
	path = support_path(true, name);
	unlink(path);
	set_catch(1);
	pool = pmemblk_create(path, BSIZE, SIZE, 0644);
	if (!pool)
		fail_msg("%s", pmemblk_errormsg());
}

/*
 * Each case calls this itself, because cmocka installs its own handler around each of its steps.
 */
static inline void make_pool(void)
{
	create_pool("pool");
	for (int i = 0; i < 100; i++)
		assert_int_equal(put(i, i), 0);
}

static inline void drop_pool(void)
{
	pmemblk_close(pool);
	pool = NULL;
	set_catch(0);
}

static inline void lose_at(void *page)
{
	int fd = memfd_create("lost", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_true(mmap(page, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
			 0) != MAP_FAILED);
	close(fd);
}

static inline void lose_page(uint64_t off)
{
	lose_at(pool->map.base + (off - off % 4096));
}

static inline uint64_t map_off(unsigned i)
{
	return IMAGE_DATA + image_get64(path, IMAGE_DATA + INFO_MAPOFF) + 4 * i;
}

/* The offset of a block's data. */
static inline uint64_t data_off(unsigned lba)
{
	return IMAGE_DATA + 4096 +
	       (uint64_t)(image_get32(path, map_off(lba)) & 0x3fffffff) * BSIZE;
}

/* Runs in a child, which opens a pool of its own before the library has installed a handler. */
#define CHILD(body)                                                                      \
	do {                                                                             \
		pid = fork();                                                            \
		if (pid == 0) {                                                          \
			pmemblk_close(pool);                                             \
			signal(SIGSEGV, SIG_DFL); /* not cmocka's */                     \
			alarm(20);                                                       \
			body;                                                            \
			_exit(3);                                                        \
		}                                                                        \
		assert_int_equal(waitpid(pid, &status, 0), pid);                         \
	} while (0)

#endif
