/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How a pool's stores become durable. mmap() below grants or refuses MAP_SYNC.
 * __wrap_storage_pool_can_flush() tells what libpmem can do on this CPU.
 */
#include "support.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "errormsg.h"
#include "kernel.h"
#include "poolset/files.h"
#include "poolset/map.h"

static bool grants_sync;
static bool can_flush;

SUPPORT_INTERPOSE void *mmap(void *addr, size_t len, int prot, int flags, int fd,
			     off_t off)
{
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

bool __wrap_storage_pool_can_flush(const char *path);

bool __wrap_storage_pool_can_flush(const char *path)
{
	assert_non_null(strstr(path, "part"));
	return can_flush;
}

static enum storage_medium medium_of(enum mapping_kind kind)
{
	const char *path = support_path(true, "part");
	struct poolset_mapping map;
	struct poolset *set;
	bool all_new;

	unlink(path);
	assert_int_equal(poolset_single(path, 17 << 20, &set), 0);
	assert_int_equal(poolset_files_open_existing(set, &all_new), 0);
	assert_int_equal(poolset_files_make(set), 0);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_file_on_dax_is_persistent_memory),
	    cmocka_unit_test(other_files_are_synchronised),
	    cmocka_unit_test(a_file_on_dax_is_synchronised_where_the_cpu_cannot_flush),
	};

	unsetenv("PMEM_IS_PMEM_FORCE");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
