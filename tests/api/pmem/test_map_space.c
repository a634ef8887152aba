/* SPDX-License-Identifier: BSD-3-Clause */
/* How pmem_map_file allocates the space of the file, and what it leaves when there is none. */
#include "map_place.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/wait.h>

static void space_is_allocated_unless_it_is_sparse(void **state)
{
	struct stat st;
	char *p;

	(void)state;
	map_place_enter(false);
	p = pmem_map_file("N", 1 << 20, CREATE, 0644, NULL, NULL);
	assert_non_null(p);
	assert_int_equal(stat("N", &st), 0);
	assert_true(st.st_blocks * 512 >= 1 << 20);
	pmem_unmap(p, 1 << 20);
	map_place_make();
	p = pmem_map_file("N", 1 << 20, CREATE | SPARSE, 0644, NULL, NULL);
	assert_non_null(p);
	assert_int_equal(stat("N", &st), 0);
	assert_true(st.st_blocks * 512 < 1 << 20);
	pmem_unmap(p, 1 << 20);
}

/* Fault injectors and wrappers rely on these names and this order. */
static void length_and_space_come_from_ftruncate_and_posix_fallocate(void **state)
{
	static const struct {
		const char *path;
		int flags;
		size_t len;
		const char *calls;
	} cases[] = {
	    {"N", CREATE, 4096, "tf"},		 {"N", CREATE | SPARSE, 4096, "t"},
	    {"F", CREATE, 8192, "tf"},		 {"F", CREATE, 100, "tf"},
	    {"F", CREATE | SPARSE, 100, "t"},	 {"F", 0, 0, ""},
	    {"D", CREATE | TMPFILE, 4096, "tf"},
	};

	(void)state;
	map_place_enter(false);
	for (size_t i = 0; i < COUNT(cases); i++) {
		size_t len;
		char *p;

		map_place_make();
		p = pmem_map_file(cases[i].path, cases[i].len, cases[i].flags, 0644, &len,
				  NULL);
		assert_non_null(p);
		assert_string_equal(map_place_libc.calls, cases[i].calls);
		assert_int_equal(pmem_unmap(p, len), 0);
	}
}

static void a_full_disk_leaves_no_file_and_restores_a_length(void **state)
{
	unsigned char *data;
	struct stat st;
	size_t n;

	(void)state;
	map_place_enter(false);
	for (int excl = 0; excl <= EXCL; excl += EXCL) {
		map_place_make();
		map_place_libc.fallocate_err = ENOSPC;
		assert_null(pmem_map_file("N", 1 << 20, CREATE | excl, 0644, NULL, NULL));
		assert_int_equal(errno, ENOSPC);
		assert_int_equal(map_place_size("N"), -1);
	}
	assert_null(pmem_map_file("F", 1 << 20, CREATE, 0644, NULL, NULL));
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(stat("F", &st), 0);
	assert_int_equal(st.st_size, 8192);
	assert_true(st.st_blocks * 512 < 1 << 19); /* what was allocated is free again */
	data = support_read_file("F", &n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(data[i], 'F');
	free(data);
	/* The bytes that the call has cut off read as zeros. */
	assert_null(pmem_map_file("F", 100, CREATE, 0644, NULL, NULL));
	assert_int_equal(errno, ENOSPC);
	data = support_read_file("F", &n);
	assert_int_equal(n, 8192);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(data[i], i < 100 ? 'F' : 0);
	free(data);
	/* Through a dangling link: the link stays, its target is removed. */
	map_place_make();
	map_place_libc.fallocate_err = ENOSPC;
	assert_null(pmem_map_file("dangling", 4096, CREATE, 0644, NULL, NULL));
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(map_place_size("target"), -1);
	assert_int_equal(access("dangling", F_OK), -1);
	assert_true(readlink("dangling", (char[16]){0}, 15) > 0);
}

static void a_really_full_file_system_does_so_too(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	map_place_enter(true);
	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWNS) != 0 ||
		    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
		    mount("none", "D", "tmpfs", 0, "size=1m") != 0)
			_exit(77);
		for (int i = 0; i < 3; i++)
			if (pmem_map_file("D/N", 2 << 20, CREATE, 0644, NULL, NULL) ||
			    errno != ENOSPC || map_place_size("D/N") != -1)
				_exit(1);
		_exit(pmem_map_file("D/N", 1 << 19, CREATE, 0644, NULL, NULL) ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		print_message("skipped: needs the right to mount\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void the_file_size_limit_is_an_error_and_no_signal(void **state)
{
	uint64_t before;
	char *p;

	(void)state;
	map_place_enter(false);
	signal(SIGXFSZ, SIG_DFL);
	before = support_limit_file_size(4096);
	for (int excl = 0; excl <= EXCL; excl += EXCL)
		for (int sparse = 0; sparse <= SPARSE; sparse += SPARSE) {
			errno = 0;
			assert_null(pmem_map_file("N", 4097, CREATE | excl | sparse, 0644,
						  NULL, NULL));
			assert_int_equal(errno, EFBIG);
			assert_int_equal(map_place_size("N"), -1);
		}
	errno = 0;
	assert_null(pmem_map_file("F", 8193, CREATE, 0644, NULL, NULL));
	assert_int_equal(errno, EFBIG);
	assert_int_equal(map_place_size("F"), 8192);
	assert_ptr_equal(strstr(pmem_errormsg(), "F: "), pmem_errormsg());
	/* The limit does not concern a file that does not grow. */
	p = pmem_map_file("F", 8192, CREATE, 0644, NULL, NULL);
	/* It also forbids to give a file that was cut off its length back. */
	map_place_libc.fallocate_err = ENOSPC;
	errno = 0;
	assert_null(pmem_map_file("F", 4096, CREATE, 0644, NULL, NULL));
	assert_int_equal(errno, ENOSPC);
	map_place_libc.fallocate_err = 0;
	support_limit_file_size(before);
	assert_non_null(p);
	assert_int_equal(pmem_unmap(p, 8192), 0);
}

/* Then the file gets a name for a moment, which must fit. */
static void a_temporary_file_in_a_folder_whose_path_is_too_long_is_refused(void **state)
{
	const size_t longest = 4096 - 1 - strlen("/pmem.XXXXXX");
	char path[4096];

	(void)state;
	map_place_enter(false);
	map_place_libc.open_tmpfile_err = EOPNOTSUPP;
	for (size_t len = longest - 1; len < longest + 5; len++) {
		size_t n = 0;
		char *p;

		/* "././.././/D" */
		while (n + 3 <= len) {
			path[n++] = '.';
			path[n++] = '/';
		}
		if (n + 1 < len)
			path[n++] = '/';
		path[n++] = 'D';
		path[n] = '\0';
		assert_int_equal(n, len);
		errno = 0;
		p = pmem_map_file(path, 4096, CREATE | TMPFILE, 0600, NULL, NULL);
		assert_int_equal(p != NULL, len <= longest);
		assert_true(fcntl(0, F_GETFD) != -1);
		if (p) {
			assert_int_equal(pmem_unmap(p, 4096), 0);
			continue;
		}
		assert_int_equal(errno, ENAMETOOLONG);
		assert_non_null(strstr(pmem_errormsg(), strerror(ENAMETOOLONG)));
	}
	assert_int_equal(rmdir("D"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(space_is_allocated_unless_it_is_sparse),
	    cmocka_unit_test(length_and_space_come_from_ftruncate_and_posix_fallocate),
	    cmocka_unit_test(a_full_disk_leaves_no_file_and_restores_a_length),
	    cmocka_unit_test(a_really_full_file_system_does_so_too),
	    cmocka_unit_test(the_file_size_limit_is_an_error_and_no_signal),
	    cmocka_unit_test(
		a_temporary_file_in_a_folder_whose_path_is_too_long_is_refused),
	};
	int failed;

	unsetenv("PMEM_IS_PMEM_FORCE");
	umask(022);
	support_assert_ours((const void *)(uintptr_t)pmem_map_file, "pmem_map_file");
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	if (map_place_leaks) {
		fprintf(stderr, "%u files were opened without O_CLOEXEC\n",
			map_place_leaks);
		failed++;
	}
	return failed;
}
