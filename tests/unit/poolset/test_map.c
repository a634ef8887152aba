/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How a pool's stores become durable, and what is left of its mapping. mmap() below grants or
 * refuses MAP_SYNC. __wrap_storage_pool_can_flush() tells what libpmem can do on this CPU.
 */
#include "support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "errormsg.h"
#include "kernel.h"
#include "poolset/files.h"
#include "poolset/map.h"

static bool grants_sync;
static bool can_flush;
static bool fails_to_map; /* files */

SUPPORT_INTERPOSE void *mmap(void *addr, size_t len, int prot, int flags, int fd,
			     off_t off)
{
	if (fd >= 0 && fails_to_map) {
		errno = ENOMEM;
		return MAP_FAILED;
	}
	if (flags & MAP_SYNC) {
		if (!grants_sync) {
			errno = EOPNOTSUPP;
			return MAP_FAILED;
		}
		flags &= ~(MAP_SYNC | MAP_SHARED_VALIDATE);
		flags |= MAP_SHARED;
	}
	return (void *)syscall(SYS_mmap, addr, len, prot, flags, fd, off);
}

static size_t watched;	 /* the length of the mapping; 0: none */
static unsigned nlosses; /* of the page in children */

static void *map_page_at(void *addr)
{
	return (void *)syscall(SYS_mmap, addr, (size_t)4096, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, (off_t)0);
}

static bool is_mapped(void *addr)
{
	return syscall(SYS_msync, addr, (size_t)4096, MS_ASYNC) == 0;
}

/* As if another thread took the place at once, and forked. */
SUPPORT_INTERPOSE int munmap(void *addr, size_t len)
{
	int ret = (int)syscall(SYS_munmap, addr, len);
	int status;
	pid_t pid;

	if (watched == 0 || len != watched)
		return ret;
	watched = 0;
	if (map_page_at(addr) != addr)
		abort();
	pid = fork();
	if (pid == 0)
		_exit(!is_mapped(addr));
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		abort();
	nlosses += WEXITSTATUS(status) != 0;
	syscall(SYS_munmap, addr, (size_t)4096);
	return ret;
}

bool __wrap_storage_pool_can_flush(const char *path);

bool __wrap_storage_pool_can_flush(const char *path)
{
	assert_non_null(strstr(path, "part"));
	return can_flush;
}

#define LENGTH ((size_t)17 << 20)

static struct poolset *make_set(void)
{
	const char *path = support_path(true, "part");
	struct poolset *set;
	bool all_new;

	unlink(path);
	assert_int_equal(poolset_single(path, LENGTH, &set), 0);
	assert_int_equal(poolset_files_open_existing(set, &all_new), 0);
	assert_int_equal(poolset_files_make(set), 0);
	return set;
}

static enum storage_medium medium_of(enum mapping_kind kind)
{
	struct poolset_mapping map = {.base = NULL};
	struct poolset *set = make_set();

	if (poolset_map(set, kind, &map) < 0)
		fail_msg("%s", errormsg_get());
	poolset_unmap(&map);
	poolset_files_close(set);
	poolset_free(set);
	return map.medium;
}

static void a_file_on_dax_is_persistent_memory(void **state)
{
	(void)state;
	grants_sync = can_flush = true;
	assert_int_equal(medium_of(MAPPING_SHARED), STORAGE_PMEM);
	assert_int_equal(medium_of(MAPPING_PRIVATE), STORAGE_PRIVATE);
}

static void other_files_are_synchronised(void **state)
{
	(void)state;
	grants_sync = false;
	can_flush = true;
	assert_int_equal(medium_of(MAPPING_SHARED), STORAGE_FILE);
}

static void a_file_on_dax_is_synchronised_where_the_cpu_cannot_flush(void **state)
{
	(void)state;
	grants_sync = true;
	can_flush = false;
	assert_int_equal(medium_of(MAPPING_SHARED), STORAGE_FILE);
	assert_int_equal(medium_of(MAPPING_PRIVATE), STORAGE_PRIVATE);
}

/* A sanitizer reserves addresses, too. */
static unsigned count_reservations(void)
{
	return SUPPORT_SANITIZED ? 0 : support_count_mappings(" ---p ");
}

static void a_mapping_that_fails_leaves_nothing(void **state)
{
	struct poolset_mapping map = {.base = NULL};
	struct poolset *set = make_set();
	const unsigned before = count_reservations();

	(void)state;
	grants_sync = can_flush = false;
	fails_to_map = true;
	assert_int_equal(poolset_map(set, MAPPING_SHARED, &map), -ENOMEM);
	fails_to_map = false;
	assert_non_null(strstr(errormsg_get(), "cannot map"));
	assert_null(map.base);
	assert_int_equal(count_reservations(), before);
	poolset_files_close(set);
	poolset_free(set);
}

static void what_is_unmapped_is_not_unmapped_again(void **state)
{
	struct poolset_mapping map = {.base = NULL};
	struct poolset *set = make_set();
	void *base;

	(void)state;
	assert_int_equal(poolset_map(set, MAPPING_SHARED, &map), 0);
	base = map.base;
	poolset_unmap(&map);
	assert_false(is_mapped(base));
	assert_ptr_equal(map_page_at(base), base);
	poolset_unmap(&map);
	assert_true(is_mapped(base));
	syscall(SYS_munmap, base, (size_t)4096);
	poolset_files_close(set);
	poolset_free(set);
}

static void a_child_does_not_unmap_what_is_in_its_place(void **state)
{
	(void)state;
	for (int fails = 0; fails < 2; fails++) {
		struct poolset_mapping map = {.base = NULL};
		struct poolset *set = make_set();

		nlosses = 0;
		fails_to_map = fails;
		if (fails)
			watched = LENGTH;
		assert_int_equal(poolset_map(set, MAPPING_SHARED, &map),
				 fails ? -ENOMEM : 0);
		fails_to_map = false;
		if (!fails) {
			poolset_map_forget(set, &map);
			watched = LENGTH;
			poolset_unmap(&map);
		}
		assert_int_equal(watched, 0);
		assert_int_equal(nlosses, 0);
		poolset_files_close(set);
		poolset_free(set);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_file_on_dax_is_persistent_memory),
	    cmocka_unit_test(other_files_are_synchronised),
	    cmocka_unit_test(a_file_on_dax_is_synchronised_where_the_cpu_cannot_flush),
	    cmocka_unit_test(a_mapping_that_fails_leaves_nothing),
	    cmocka_unit_test(what_is_unmapped_is_not_unmapped_again),
	    cmocka_unit_test(a_child_does_not_unmap_what_is_in_its_place),
	};

	unsetenv("PMEM_IS_PMEM_FORCE");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
