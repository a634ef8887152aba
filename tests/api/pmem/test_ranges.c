/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pmem_is_pmem, pmem_unmap, pmem_msync and the deep functions. The test imitates MAP_SYNC and
 * records the calls of msync(2).
 */
#include <libpmem.h>
#include <libpmemblk.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "map_sync.h"
#include "support.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define MIB ((size_t)1 << 20)

static size_t page;
static const char *path;

/* The calls since syncs was last set to 0, and the pages of all of them. */
static atomic_uint syncs;
static unsigned interrupted; /* so many calls fail with EINTR */
static atomic_uintptr_t synced_from;
static atomic_uintptr_t synced_to;

SUPPORT_INTERPOSE int msync(void *addr, size_t len, int flags)
{
	uintptr_t from = (uintptr_t)addr;
	uintptr_t to = (from + len + page - 1) & ~(uintptr_t)(page - 1);

	if (interrupted) {
		interrupted--;
		errno = EINTR;
		return -1;
	}
	if (!(flags & MS_SYNC)) {
		errno = EINVAL;
		return -1;
	}
	if (atomic_fetch_add(&syncs, 1) == 0) {
		atomic_store(&synced_from, from);
		atomic_store(&synced_to, to);
	} else {
		if (from < atomic_load(&synced_from))
			atomic_store(&synced_from, from);
		if (to > atomic_load(&synced_to))
			atomic_store(&synced_to, to);
	}
	return (int)syscall(SYS_msync, addr, len, flags);
}

static bool is_full; /* the process has as many mappings as it may have */

SUPPORT_INTERPOSE int munmap(void *addr, size_t len)
{
	if (is_full) {
		errno = ENOMEM;
		return -1;
	}
	return (int)syscall(SYS_munmap, addr, len);
}

/* There was one call since the last check, for the pages [from, to). */
static void assert_synced(const char *from, const char *to)
{
	assert_int_equal(atomic_exchange(&syncs, 0), 1);
	assert_int_equal(atomic_load(&synced_from), (uintptr_t)from);
	assert_int_equal(atomic_load(&synced_to), (uintptr_t)to);
}

static void assert_nothing_synced(void)
{
	assert_int_equal(atomic_exchange(&syncs, 0), 0);
}

/* Maps a file of len bytes; sync_err as map_sync.h. */
static char *map(size_t len, int sync_err, int expect_pmem)
{
	size_t mapped;
	int is_pmem;
	char *p;

	atomic_store(&map_sync_err, sync_err);
	errno = 4711;
	p = pmem_map_file(path, len, PMEM_FILE_CREATE, 0644, &mapped, &is_pmem);
	assert_non_null(p);
	assert_int_equal(errno, sync_err ? EOPNOTSUPP : 4711);
	assert_int_equal(mapped, len);
	assert_int_equal(is_pmem, expect_pmem);
	return p;
}

static void only_a_granted_map_sync_makes_persistent_memory(void **state)
{
	static const int refused[] = {EINVAL, EOPNOTSUPP};
	static const int failing[] = {ENOMEM, EPERM, EAGAIN};
	char *p = map(6 * MIB, 0, 1);

	(void)state;
	assert_true(atomic_load(&map_sync_granted) > 0);
	assert_int_equal((uintptr_t)p % (2 * MIB), 0);
	assert_int_equal(pmem_unmap(p, 6 * MIB), 0);
	for (size_t i = 0; i < COUNT(refused); i++) {
		p = map(6 * MIB, refused[i], 0);
		assert_int_equal(pmem_is_pmem(p, 1), 0);
		assert_non_null(strstr(pmem_errormsg(), "MAP_SYNC"));
		assert_int_equal(pmem_unmap(p, 6 * MIB), 0);
	}
	for (size_t i = 0; i < COUNT(failing); i++) {
		atomic_store(&map_sync_err, failing[i]);
		errno = 0;
		assert_null(pmem_map_file(path, 0, 0, 0, NULL, NULL));
		assert_int_equal(errno, failing[i]);
	}
}

static void is_pmem_answers_to_the_byte(void **state)
{
	const size_t len = 6 * MIB;
	char *a = map(len, 0, 1);
	char *own = mmap(NULL, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const struct {
		const char *addr;
		size_t len;
		int is;
	} rows[] = {
	    {a, len, 1},      {a + 1, 1, 1},	    {a + len - 1, 1, 1}, {a, 0, 0},
	    {a + 5, 0, 0},    {NULL, 0, 0},	    {a, len + 1, 0},	 {a - 1, 2, 0},
	    {a - 1, 1, 0},    {a + len, 1, 0},	    {NULL, 1, 0},	 {own, page, 0},
	    {a, SIZE_MAX, 0}, {a + 1, SIZE_MAX, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		errno = 4711;
		if (pmem_is_pmem(rows[i].addr, rows[i].len) != rows[i].is)
			fail_msg("row %zu", i);
		assert_int_equal(errno, 4711);
	}
	assert_int_equal(pmem_unmap(a, len), 0);
	assert_int_equal(pmem_is_pmem(a, 1), 0);
	a = map(5, 0, 1);
	assert_int_equal(pmem_is_pmem(a, 5), 1);
	assert_int_equal(pmem_is_pmem(a, 6), 0);
	assert_int_equal(pmem_is_pmem(a, page), 0);
	assert_int_equal(pmem_unmap(a, 5), 0);
	assert_int_equal(pmem_is_pmem(a, 5), 0);
	munmap(own, page);
}

static void adjacent_mappings_count_as_one_range(void **state)
{
	/* Two mappings of 2 MiB are neighbours; the kernel decides which one is lower. */
	char *a = map(2 * MIB, 0, 1);
	char *b = map(2 * MIB, 0, 1);
	char *low = a < b ? a : b;

	(void)state;
	if ((a < b ? b - a : a - b) == 2 * (ssize_t)MIB) {
		assert_int_equal(pmem_is_pmem(low, 4 * MIB), 1);
		assert_int_equal(pmem_is_pmem(low + 2 * MIB - 1, 2), 1);
		assert_int_equal(pmem_unmap(low, 4 * MIB), 0);
	} else {
		assert_int_equal(pmem_is_pmem(low, 4 * MIB), 0);
		assert_int_equal(pmem_unmap(a, 2 * MIB), 0);
		assert_int_equal(pmem_unmap(b, 2 * MIB), 0);
	}
	assert_int_equal(pmem_is_pmem(a, 1), 0);
	assert_int_equal(pmem_is_pmem(b, 1), 0);
}

static bool is_mapped(const void *addr)
{
	unsigned char vec;

	return mincore((void *)(uintptr_t)addr, page, &vec) == 0;
}

static void unmapping_parts_splits_a_mapping(void **state)
{
	char *a = map(8 * page, 0, 1);

	(void)state;
	assert_int_equal(pmem_unmap(a + 2 * page, page), 0);
	assert_int_equal(pmem_is_pmem(a, 2 * page), 1);
	assert_int_equal(pmem_is_pmem(a + 2 * page, 1), 0);
	assert_int_equal(pmem_is_pmem(a + 3 * page, 5 * page), 1);
	assert_false(is_mapped(a + 2 * page));
	assert_true(is_mapped(a + 3 * page));
	assert_int_equal(pmem_unmap(a + 4 * page, 1), 0); /* the whole page */
	assert_int_equal(pmem_is_pmem(a + 5 * page - 1, 1), 0);
	assert_int_equal(pmem_is_pmem(a + 5 * page, 3 * page), 1);
	assert_false(is_mapped(a + 4 * page));
	assert_int_equal(pmem_unmap(a, 8 * page), 0);
	assert_int_equal(pmem_is_pmem(a, 1), 0);
	assert_int_equal(pmem_is_pmem(a + 7 * page, 1), 0);
}

static void wrong_unmaps_fail_and_change_nothing(void **state)
{
	char *a = map(8 * page, 0, 1);
	const struct {
		char *addr;
		size_t len;
	} rows[] = {
	    {a + 1, page},	{a, 0},
	    {a, SIZE_MAX},	{a, SIZE_MAX - 4095},
	    {a, -(uintptr_t)a}, {a, -(uintptr_t)a - 1},
	    {(char *)1, page},	{NULL, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		errno = 0;
		if (pmem_unmap(rows[i].addr, rows[i].len) != -1 || errno != EINVAL)
			fail_msg("row %zu: errno %d", i, errno);
		assert_int_equal(pmem_is_pmem(a, 8 * page), 1);
		assert_true(is_mapped(a));
	}
	assert_int_equal(pmem_unmap(a, 8 * page), 0);
	assert_int_equal(pmem_unmap(a, 8 * page), 0); /* as munmap(2) */
	assert_int_equal(pmem_unmap(NULL, page), 0);
	assert_int_equal(pmem_unmap((char *)page, 2 * page),
			 0); /* longer than its address */
}

static void a_mapping_that_cannot_be_unmapped_stays_known(void **state)
{
	char *a = map(8 * page, 0, 1);

	(void)state;
	is_full = true;
	errno = 0;
	assert_int_equal(pmem_unmap(a + 2 * page, page), -1);
	assert_int_equal(errno, ENOMEM);
	assert_non_null(strstr(pmem_errormsg(), "cannot unmap"));
	assert_int_equal(pmem_unmap(a, 8 * page), -1);
	is_full = false;
	assert_int_equal(pmem_is_pmem(a, 8 * page), 1);
	assert_int_equal(pmem_unmap(a, 8 * page), 0);
	assert_int_equal(pmem_is_pmem(a, 1), 0);
}

static void a_mapping_lost_to_munmap_does_not_hinder_the_next(void **state)
{
	char *a = map(4 * page, 0, 1);
	char *b;

	(void)state;
	for (int i = 0; i < 10; i++) {
		assert_int_equal(munmap(a, 4 * page), 0);
		b = map((size_t)(1 + i % 3) * page, 0, 1);
		assert_int_equal(pmem_is_pmem(b, (size_t)(1 + i % 3) * page), 1);
		assert_int_equal(pmem_unmap(b, (size_t)(1 + i % 3) * page), 0);
		a = map(4 * page, 0, 1);
	}
	/* At the address of a stale entry there may be a file that is not persistent memory. */
	assert_int_equal(munmap(a, 4 * page), 0);
	b = map(4 * page, EOPNOTSUPP, 0);
	assert_int_equal(pmem_is_pmem(b, 1), 0);
	assert_int_equal(pmem_unmap(b, 4 * page), 0);
}

static void msync_takes_any_part_of_a_mapping(void **state)
{
	char *a = map(8 * page, EOPNOTSUPP, 0);
	const struct {
		char *addr;
		size_t len;
		int err;
	} rows[] = {
	    {a, 8 * page, 0},
	    {a + 5, 1, 0},
	    {a + page - 1, 2, 0},
	    {a + 8 * page - 1, 1, 0},
	    {a, 0, 0},
	    {NULL, 0, 0},
	    {(char *)5, 0, 0},
	    {a, 8 * page + 1, ENOMEM},
	    {NULL, 1, ENOMEM},
	    {(char *)page, 8 * page, ENOMEM},
	    {a, SIZE_MAX, EINVAL},
	    {a + 5, SIZE_MAX - 2, EINVAL},
	    {a, -(uintptr_t)a, EINVAL},
	    {a + 1, SIZE_MAX, EINVAL},
	    /* up to the highest end, and further */
	    {(char *)(UINTPTR_MAX - 2 * page + 1), page, ENOMEM},
	    {(char *)(UINTPTR_MAX - 2 * page + 1), page + 1, EINVAL},
	    /* in the last page of the address space, whose end has no address */
	    {(char *)UINTPTR_MAX, 0, 0},
	    {(char *)UINTPTR_MAX, 1, EINVAL},
	    {(char *)UINTPTR_MAX, SIZE_MAX / 2, EINVAL},
	    {(char *)UINTPTR_MAX, SIZE_MAX - page - 1000, EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		atomic_store(&syncs, 0);
		errno = 4711;
		int ret = pmem_msync(rows[i].addr, rows[i].len);

		if (ret != (rows[i].err ? -1 : 0) ||
		    errno != (rows[i].err ? rows[i].err : 4711))
			fail_msg("row %zu: %d, errno %d", i, ret, errno);
		if (atomic_load(&syncs) != (rows[i].len && rows[i].err != EINVAL))
			fail_msg("row %zu: %u calls of msync(2)", i, atomic_load(&syncs));
		if (rows[i].err) {
			errno = 0;
			assert_int_equal(pmem_deep_drain(rows[i].addr, rows[i].len), -1);
			assert_int_equal(errno, rows[i].err);
		} else {
			assert_int_equal(pmem_deep_drain(rows[i].addr, rows[i].len), 0);
			assert_int_equal(pmem_deep_persist(rows[i].addr, rows[i].len), 0);
		}
	}
	assert_int_equal(pmem_unmap(a, 8 * page), 0);
	errno = 0;
	assert_int_equal(pmem_msync(a, page), -1);
	assert_int_equal(errno, ENOMEM);
}

static void a_sync_that_a_signal_interrupts_is_repeated(void **state)
{
	char *a = map(page, EOPNOTSUPP, 0);

	(void)state;
	for (int i = 0; i < 3; i++) {
		int ret;

		atomic_store(&syncs, 0);
		interrupted = 2;
		errno = 4711;
		ret = i == 0   ? pmem_msync(a, page)
		      : i == 1 ? pmem_deep_drain(a, page)
			       : pmem_deep_persist(a, page);
		assert_int_equal(ret, 0);
		assert_int_equal(errno, 4711);
		assert_int_equal(interrupted, 0);
		assert_synced(a, a + page);
	}
	assert_int_equal(pmem_unmap(a, page), 0);
}

static void deep_functions_work_on_parts_of_persistent_memory(void **state)
{
	char *a = map(8 * page, 0, 1);

	(void)state;
	atomic_store(&syncs, 0);
	pmem_deep_flush(a + 3, 100);
	assert_nothing_synced();
	/* After the cache flush the data of a file are not safe yet: only msync(2) flushes its
	 * device. */
	assert_int_equal(pmem_deep_drain(a + 3, 100), 0);
	assert_synced(a, a + page);
	assert_int_equal(pmem_deep_drain(a + 3 * page - 1, 2), 0);
	assert_synced(a + 2 * page, a + 4 * page);
	assert_int_equal(pmem_deep_persist(a, 8 * page), 0);
	assert_synced(a, a + 8 * page);
	assert_int_equal(pmem_deep_drain(a, 0), 0);
	assert_nothing_synced();
	/* A part in the middle is not tracked; msync of unmapped pages fails. */
	assert_int_equal(pmem_unmap(a + 2 * page, page), 0);
	assert_int_equal(pmem_deep_drain(a, 2 * page), 0);
	assert_synced(a, a + 2 * page);
	errno = 0;
	assert_int_equal(pmem_deep_drain(a, 8 * page), -1);
	assert_int_equal(errno, ENOMEM);
	errno = 0;
	assert_int_equal(pmem_deep_drain(a - page, 2 * page), -1);
	assert_int_equal(errno, ENOMEM);
	assert_int_equal(pmem_unmap(a, 8 * page), 0);
}

/* libpmemblk does not register its mappings. */
static void is_pmem_does_not_know_the_memory_of_pools(void **state)
{
	const char *pool_path = support_path(false, "pool");
	char *own = map(MIB, 0, 1);
	PMEMblkpool *pool = pmemblk_create(pool_path, 512, 17 * MIB, 0600);
	FILE *maps = fopen("/proc/self/maps", "re");
	char block[512] = "x";
	char line[4096];
	unsigned found = 0;

	(void)state;
	assert_non_null(pool);
	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		char *at = (char *)strtoul(line, NULL, 16);

		if (!strstr(line, pool_path))
			continue;
		found++;
		assert_int_equal(pmem_is_pmem(at, 17 * MIB), 0);
		assert_int_equal(pmem_is_pmem(at, 1), 0);
	}
	fclose(maps);
	assert_int_equal(found, 1);
	assert_int_equal(pmem_is_pmem(own, MIB), 1);
	/* The pool is on persistent memory all the same. */
	assert_int_equal(pmemblk_write(pool, block, 1), 0);
	atomic_store(&syncs, 0);
	assert_int_equal(pmemblk_write(pool, block, 1), 0);
	assert_nothing_synced();
	pmemblk_close(pool);
	assert_int_equal(unlink(pool_path), 0);
	assert_int_equal(pmem_unmap(own, MIB), 0);
}

static void *map_and_unmap(void *arg)
{
	size_t len = *(const size_t *)arg;

	for (int i = 0; i < 500; i++) {
		int is_pmem;
		char *p = pmem_map_file(path, 0, 0, 0, NULL, &is_pmem);

		if (!p || (uintptr_t)p % (2 * MIB) != 0 || !is_pmem ||
		    !pmem_is_pmem(p, len) || pmem_unmap(p, len) != 0)
			return NULL;
	}
	return arg;
}

static void eight_threads_map_aligned_and_tracked(void **state)
{
	const size_t len = MIB;
	pthread_t threads[8];

	(void)state;
	assert_int_equal(pmem_unmap(map(len, 0, 1), len), 0);
	for (size_t i = 0; i < COUNT(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, map_and_unmap,
						(void *)(uintptr_t)&len),
				 0);
	for (size_t i = 0; i < COUNT(threads); i++) {
		void *ok;

		pthread_join(threads[i], &ok);
		assert_non_null(ok);
	}
}

static void a_child_inherits_the_mappings(void **state)
{
	char *a = map(4 * page, 0, 1);
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		if (!pmem_is_pmem(a, 4 * page))
			_exit(1);
		pmem_memset_persist(a, 7, page);
		if (pmem_deep_persist(a, page) != 0 || pmem_unmap(a, 4 * page) != 0)
			_exit(2);
		_exit(pmem_is_pmem(a, 1) ? 3 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(pmem_is_pmem(a, 4 * page), 1);
	assert_int_equal(a[page - 1], 7);
	assert_int_equal(pmem_unmap(a, 4 * page), 0);
}

static bool can_be_durable(void)
{
	int is_pmem = 0;
	char *p;

	atomic_store(&map_sync_err, 0);
	p = pmem_map_file(path, page, PMEM_FILE_CREATE, 0644, NULL, &is_pmem);
	return p && pmem_unmap(p, page) == 0 &&
	       (is_pmem || !strstr(pmem_errormsg(), "this CPU"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_a_granted_map_sync_makes_persistent_memory),
	    cmocka_unit_test(is_pmem_answers_to_the_byte),
	    cmocka_unit_test(is_pmem_does_not_know_the_memory_of_pools),
	    cmocka_unit_test(adjacent_mappings_count_as_one_range),
	    cmocka_unit_test(unmapping_parts_splits_a_mapping),
	    cmocka_unit_test(wrong_unmaps_fail_and_change_nothing),
	    cmocka_unit_test(a_mapping_that_cannot_be_unmapped_stays_known),
	    cmocka_unit_test(a_mapping_lost_to_munmap_does_not_hinder_the_next),
	    cmocka_unit_test(msync_takes_any_part_of_a_mapping),
	    cmocka_unit_test(a_sync_that_a_signal_interrupts_is_repeated),
	    cmocka_unit_test(deep_functions_work_on_parts_of_persistent_memory),
	    cmocka_unit_test(eight_threads_map_aligned_and_tracked),
	    cmocka_unit_test(a_child_inherits_the_mappings),
	};

	unsetenv("PMEM_IS_PMEM_FORCE");
	page = (size_t)sysconf(_SC_PAGESIZE);
	path = support_path(false, "file");
	support_assert_ours((const void *)(uintptr_t)pmem_is_pmem, "pmem_is_pmem");
#ifdef MAP_SYNC_UNUSABLE
	puts("skipped: MAP_SYNC cannot be emulated under the thread sanitizer");
	return 77;
#endif
	if (!can_be_durable()) {
		puts("skipped: this CPU cannot write its caches back");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
