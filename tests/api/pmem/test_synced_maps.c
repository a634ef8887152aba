/* SPDX-License-Identifier: BSD-3-Clause */
/* What mapping persistent memory leaves behind, and forks while it is mapped; MAP_SYNC is imitated. */
#include <libpmem.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "map_sync.h"
#include "support.h"

static const char *path;

static void nothing_stays_mapped(void **state)
{
	size_t len = 1u << 20;

	(void)state;
	for (int i = 0; i < 20; i++) {
		char *p = pmem_map_file(path, len, PMEM_FILE_CREATE, 0644, NULL, NULL);

		assert_non_null(p);
		assert_int_equal(support_count_mappings(path), 1);
		assert_int_equal(pmem_unmap(p, len), 0);
		assert_int_equal(support_count_mappings(path), 0);
	}
	assert_true(atomic_load(&map_sync_granted) > 0);
}

static atomic_bool is_over;

static void *map_and_unmap(void *arg)
{
	while (!atomic_load(&is_over)) {
		size_t len;
		char *p = pmem_map_file(path, 0, 0, 0, &len, NULL);

		if (!p || pmem_unmap(p, len) != 0)
			return arg;
	}
	return NULL;
}

static void a_child_forked_while_another_thread_maps_goes_on(void **state)
{
	pthread_t thread;
	void *failed;

	(void)state;
	if (support_is_emulated())
		skip();
	assert_int_equal(
	    pthread_create(&thread, NULL, map_and_unmap, (void *)(uintptr_t)path), 0);
	for (int i = 0; i < 100; i++) {
		int status;
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0) {
			size_t len;
			char *p;

			alarm(20);
			p = pmem_map_file(path, 0, 0, 0, &len, NULL);
			_exit(p && pmem_unmap(p, len) == 0 ? 0 : 1);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
	atomic_store(&is_over, true);
	assert_int_equal(pthread_join(thread, &failed), 0);
	assert_null(failed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_stays_mapped),
	    cmocka_unit_test(a_child_forked_while_another_thread_maps_goes_on),
	};

	unsetenv("PMEM_IS_PMEM_FORCE");
	path = support_path(false, "file");
	support_assert_ours((const void *)(uintptr_t)pmem_is_pmem, "pmem_is_pmem");
#ifdef MAP_SYNC_UNUSABLE
	puts("skipped: MAP_SYNC cannot be emulated under the thread sanitizer");
	return 77;
#endif
	atomic_store(&map_sync_err, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
