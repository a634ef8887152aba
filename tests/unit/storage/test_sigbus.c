/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Media errors under an open pool. A page of the pool's mapping is replaced by one that
 * lies behind the end of an empty file: every access raises SIGBUS, as on lost memory.
 */
#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <libpmemblk.h>

#include "image.h"
#include "pool/pool.h"

#define SIZE ((size_t)17 << 20)
#define BSIZE 4096

static const char *path;
static PMEMblkpool *pool;

static void set_catch(int value)
{
	assert_int_equal(pmemblk_ctl_set(NULL, "sigbus.catch", &value), 0);
}

static int put(long long lba, int byte)
{
	char block[BSIZE];

	memset(block, byte, sizeof(block));
	return pmemblk_write(pool, block, lba);
}

/* The byte that fills a block, -1 for EIO. */
static int get(long long lba)
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

/* Called by each case itself: cmocka puts its own handler around each of its steps. */
static void make_pool(void)
{
	path = support_path(true, "pool");
	unlink(path);
	set_catch(1);
	pool = pmemblk_create(path, BSIZE, SIZE, 0644);
	if (!pool)
		fail_msg("%s", pmemblk_errormsg());
	for (int i = 0; i < 100; i++)
		assert_int_equal(put(i, i), 0);
}

static void drop_pool(void)
{
	pmemblk_close(pool);
	pool = NULL;
	set_catch(0);
}

static void lose_page(uint64_t off)
{
	int fd = memfd_create("lost", MFD_CLOEXEC);

	assert_true(fd >= 0);
	off -= off % 4096;
	assert_true(mmap(pool->map.base + off, 4096, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED);
	close(fd);
}

static uint64_t map_off(unsigned i)
{
	return IMAGE_DATA + image_get64(path, IMAGE_DATA + INFO_MAPOFF) + 4 * i;
}

/* Where the data of a block are. */
static uint64_t data_off(unsigned lba)
{
	return IMAGE_DATA + 4096 +
	       (uint64_t)(image_get32(path, map_off(lba)) & 0x3fffffff) * BSIZE;
}

static void a_lost_data_page_fails_the_reads_of_its_block_only(void **state)
{
	(void)state;
	make_pool();
	lose_page(data_off(7));
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < 100; i++)
			assert_int_equal(get(i), i == 7 ? -1 : i);
	assert_non_null(strstr(pmemblk_errormsg(), path));
	assert_non_null(strstr(pmemblk_errormsg(), "media error"));
	/* Nothing was modified nearby, so modifying goes on, and replaces the block. */
	assert_int_equal(put(8, 88), 0);
	assert_int_equal(put(7, 77), 0);
	assert_int_equal(get(7), 77);
	assert_int_equal(get(8), 88);
	drop_pool();
}

static void a_lost_map_page_fails_reads_and_writes(void **state)
{
	(void)state;
	make_pool();
	lose_page(map_off(0));
	assert_int_equal(get(3), -1);
	errno = 0;
	assert_int_equal(put(3, 1), -1);
	assert_int_equal(errno, EIO);
	/* What comes after is refused, where the map is whole, too. */
	assert_int_equal(get(3000), 0);
	errno = 0;
	assert_int_equal(put(3000, 1), -1);
	assert_int_equal(errno, EIO);
	errno = 0;
	assert_int_equal(pmemblk_set_zero(pool, 3000), -1);
	assert_int_equal(errno, EIO);
	errno = 0;
	assert_int_equal(pmemblk_set_error(pool, 3000), -1);
	assert_int_equal(errno, EIO);
	pmemblk_close(pool);
	pool = NULL;
	/* The file has lost nothing. */
	assert_int_equal(image_get32(path, IMAGE_SDS + 16), 1);
	assert_int_equal(pmemblk_check(path, 0), 1);
	pool = pmemblk_open(path, 0);
	assert_non_null(pool);
	for (int i = 0; i < 100; i++)
		assert_int_equal(get(i), i);
	drop_pool();
}

static void a_lost_flog_fails_writes_only(void **state)
{
	uint64_t flog = IMAGE_DATA + image_get64(path, IMAGE_DATA + INFO_FLOGOFF);

	(void)state;
	make_pool();
	for (int i = 0; i < 4; i++)
		lose_page(flog + 4096 * (uint64_t)i);
	errno = 0;
	assert_int_equal(put(3, 1), -1);
	assert_int_equal(errno, EIO);
	for (int i = 0; i < 100; i++)
		assert_int_equal(get(i), i);
	drop_pool();
}

/* The data go nowhere, so nothing may name the place where they should be. */
static void a_lost_free_block_leaves_the_block_as_it_was(void **state)
{
	uint64_t off;
	int value = 9;

	(void)state;
	make_pool();
	off = data_off(7);
	assert_int_equal(put(7, 77), 0);
	lose_page(off);
	/* One of the next writes goes to the block that the last one freed. */
	for (int next = 200; next < 210 && put(9, next) == 0; next++)
		value = next;
	errno = 0;
	assert_int_equal(put(9, 1), -1);
	assert_int_equal(errno, EIO);
	assert_non_null(strstr(pmemblk_errormsg(), "media error"));
	for (int i = 0; i < 100; i++)
		assert_int_equal(get(i), i == 7 ? 77 : i == 9 ? value : i);
	pmemblk_close(pool);
	assert_int_equal(pmemblk_check(path, 0), 1);
	pool = pmemblk_open(path, 0);
	assert_non_null(pool);
	assert_int_equal(get(9), value);
	drop_pool();
}

static void a_file_that_was_cut_off_fails_to_open_by_errno(void **state)
{
	(void)state;
	make_pool();
	assert_int_equal(truncate(path, 3 * 4096), 0);
	assert_int_equal(get(5), -1);
	errno = 0;
	assert_int_equal(put(5, 5), -1);
	assert_int_equal(errno, EIO);
	drop_pool();
}

static atomic_bool stop;
static atomic_long reads;

static void *keep_reading(void *arg)
{
	unsigned char block[BSIZE];

	(void)arg;
	while (!atomic_load(&stop)) {
		for (int i = 0; i < 100; i++) {
			int ret = pmemblk_read(pool, block, i);

			if (i == 7 ? ret != -1 || errno != EIO
				   : ret != 0 || block[0] != i || block[BSIZE - 1] != i)
				return (void *)1;
		}
		atomic_fetch_add(&reads, 1);
	}
	return NULL;
}

/* No thread ever takes the replacement for data. */
static void all_threads_see_the_error_and_nothing_else(void **state)
{
	pthread_t thread[3];

	(void)state;
	make_pool();
	atomic_store(&stop, false);
	atomic_store(&reads, 0);
	lose_page(data_off(7));
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, keep_reading, NULL), 0);
	while (atomic_load(&reads) < 300)
		sched_yield();
	atomic_store(&stop, true);
	for (int i = 0; i < 3; i++) {
		void *failed;

		assert_int_equal(pthread_join(thread[i], &failed), 0);
		assert_null(failed);
	}
	drop_pool();
}

/* --- waiting for another thread's replacement --------------------------------------------- */

/* While this is set, its replacement goes after the third sleep, or after far too many yields. */
static struct sigbus_watch *waited_for;
static unsigned nyield;
static unsigned nnap;
static long longest_nap; /* nanoseconds */

SUPPORT_INTERPOSE int sched_yield(void)
{
	if (waited_for && ++nyield == 10000)
		waited_for->open = 0;
	return (int)syscall(SYS_sched_yield);
}

SUPPORT_INTERPOSE int clock_nanosleep(clockid_t id, int flags, const struct timespec *t,
				      struct timespec *left)
{
	if (waited_for) {
		long ns = t->tv_sec * 1000000000L + t->tv_nsec;

		longest_nap = ns > longest_nap ? ns : longest_nap;
		if (++nnap == 3)
			waited_for->open = 0;
	}
	return syscall(SYS_clock_nanosleep, id, flags, t, left) ? errno : 0;
}

static void a_long_wait_sleeps_and_a_short_one_does_not(void **state)
{
	struct sigbus_watch w = {.open = 1, .epoch = 7};

	(void)state;
	waited_for = &w;
	assert_int_equal(sigbus_epoch(&w), 7);
	waited_for = NULL;
	assert_in_range(nyield, 10, 1000);
	assert_int_equal(nnap, 3);
	assert_in_range(longest_nap, 1, 10000000);
}

/* --- manners ------------------------------------------------------------------------------ */

static volatile sig_atomic_t own_calls;
static void *volatile own_page;

static void own_handler(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	own_calls++;
	if (info->si_addr == own_page)
		mmap(own_page, 4096, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static void other_errors_go_to_the_programs_handler(void **state)
{
	struct sigaction own = {.sa_flags = SA_SIGINFO};
	struct sigaction old;
	struct sigaction now;
	int fd = memfd_create("lost", MFD_CLOEXEC);

	(void)state;
	make_pool();
	pmemblk_close(pool);
	own.sa_sigaction = own_handler;
	assert_int_equal(sigaction(SIGBUS, &own, &old), 0);
	pool = pmemblk_open(path, 0);
	assert_non_null(pool);
	own_page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	own_calls = 0;
	assert_int_equal(*(volatile char *)own_page, 0);
	assert_int_equal(own_calls, 1);
	lose_page(data_off(7));
	assert_int_equal(get(7), -1);
	assert_int_equal(own_calls, 1);
	/* An access to the pool from outside of the library is no business of ours, either. */
	own_page = pool->map.base + (data_off(7) & ~(uint64_t)4095);
	assert_int_equal(*(volatile char *)own_page, 0);
	assert_int_equal(own_calls, 2);
	pmemblk_close(pool);
	pool = NULL;
	assert_int_equal(sigaction(SIGBUS, &old, &now), 0);
	assert_true(now.sa_sigaction == own_handler);
	drop_pool();
}

static void without_the_setting_the_signal_stays(void **state)
{
	struct sigaction now;
	pid_t pid;
	int status;

	(void)state;
	make_pool();
	pmemblk_close(pool);
	set_catch(0);
	pool = pmemblk_open(path, 0);
	assert_non_null(pool);
	assert_int_equal(sigaction(SIGBUS, NULL, &now), 0);
	pid = fork();
	if (pid == 0) {
		signal(SIGBUS, SIG_DFL);
		lose_page(data_off(7));
		get(7);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	drop_pool();
}

static void the_default_action_stays_for_others(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	make_pool();
	pid = fork();
	if (pid == 0) {
		int fd = memfd_create("lost", MFD_CLOEXEC);
		volatile char *p;

		pmemblk_close(pool);
		signal(SIGBUS, SIG_DFL);
		pool = pmemblk_open(path, 0);
		p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
		_exit(*p ? 2 : 3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	pid = fork();
	if (pid == 0) {
		pmemblk_close(pool);
		signal(SIGBUS, SIG_DFL);
		pool = pmemblk_open(path, 0);
		raise(SIGBUS);
		_exit(3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	drop_pool();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_lost_data_page_fails_the_reads_of_its_block_only),
	    cmocka_unit_test(a_lost_map_page_fails_reads_and_writes),
	    cmocka_unit_test(a_lost_free_block_leaves_the_block_as_it_was),
	    cmocka_unit_test(a_lost_flog_fails_writes_only),
	    cmocka_unit_test(a_file_that_was_cut_off_fails_to_open_by_errno),
	    cmocka_unit_test(all_threads_see_the_error_and_nothing_else),
	    cmocka_unit_test(a_long_wait_sleeps_and_a_short_one_does_not),
	    cmocka_unit_test(other_errors_go_to_the_programs_handler),
	    cmocka_unit_test(without_the_setting_the_signal_stays),
	    cmocka_unit_test(the_default_action_stays_for_others),
	};

	setenv("PMEM_IS_PMEM_FORCE", "1", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
