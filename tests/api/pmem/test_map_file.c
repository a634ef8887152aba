/* SPDX-License-Identifier: BSD-3-Clause */
/* pmem_map_file: which calls succeed, with which errno others fail, and what they leave. */
#include "map_place.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#define TIB ((size_t)1 << 40)

/* --- the table ----------------------------------------------------------------------- */

static char long_name[5001];

struct row {
	const char *path;
	int flags;
	size_t len;
	int err;	   /* 0: the call succeeds */
	size_t mapped;	   /* if so */
	const char *after; /* a file to look at, if not NULL, */
	long long size;	   /* and its size; -1: it does not exist */
	int err_shm;	   /* on tmpfs, if it differs */
};

#define ABSENT (-1)

static const struct row rows[] = {
    /* arguments */
    {NULL, 0, 0, EINVAL, 0, NULL, 0, 0},
    {NULL, -1, 7, EINVAL, 0, NULL, 0, 0},
    {"", 0, 0, ENOENT, 0, NULL, 0, 0},
    {"", CREATE, 4096, ENOENT, 0, NULL, 0, 0},
    {"N", 0, 0, ENOENT, 0, "N", ABSENT, 0},
    {"N", EXCL, 0, ENOENT, 0, "N", ABSENT, 0},
    {"N", SPARSE, 0, ENOENT, 0, "N", ABSENT, 0},
    {"N", CREATE, 0, EINVAL, 0, "N", ABSENT, 0},
    {"N", 0, 4096, EINVAL, 0, "N", ABSENT, 0},
    {"N", TMPFILE, 0, EINVAL, 0, "N", ABSENT, 0},
    {"N", TMPFILE, 4096, EINVAL, 0, "N", ABSENT, 0},
    {"F", TMPFILE, 0, EINVAL, 0, "F", 8192, 0},
    {"F", 0x10, 0, EINVAL, 0, "F", 8192, 0},
    {"F", INT_MIN, 0, EINVAL, 0, "F", 8192, 0},
    {"F", 0, 8192, EINVAL, 0, "F", 8192, 0},
    {"F", CREATE, 0, EINVAL, 0, "F", 8192, 0},
    {"F", CREATE, SIZE_MAX, EINVAL, 0, "F", 8192, 0},
    {"F", CREATE, (size_t)1 << 63, EINVAL, 0, "F", 8192, 0},
    /* paths */
    {"D/none/N", CREATE, 4096, ENOENT, 0, NULL, 0, 0},
    {"F/x", 0, 0, ENOTDIR, 0, NULL, 0, 0},
    {"F/x", CREATE, 4096, ENOTDIR, 0, NULL, 0, 0},
    {"loop", 0, 0, ELOOP, 0, NULL, 0, 0},
    {long_name, 0, 0, ENAMETOOLONG, 0, NULL, 0, 0},
    {long_name, CREATE, 1, ENAMETOOLONG, 0, NULL, 0, 0},
    /* the path and the kind of file are checked before the flags */
    {"F/x", 0x10, 0, ENOTDIR, 0, NULL, 0, 0},
    {"loop", INT_MIN, 4096, ELOOP, 0, NULL, 0, 0},
    {long_name, 0x10, 0, ENAMETOOLONG, 0, NULL, 0, 0},
    {"N", 0x10, 0, EINVAL, 0, "N", ABSENT, 0},
    {"D", 0, 0, EISDIR, 0, NULL, 0, 0},
    {"D", CREATE, 4096, EISDIR, 0, NULL, 0, 0},
    {"D", CREATE | EXCL, 4096, EEXIST, 0, NULL, 0, 0},
    {"fifo", 0, 0, EINVAL, 0, NULL, 0, 0},
    {"fifo", CREATE, 4096, EINVAL, 0, NULL, 0, 0},
    {"/dev/null", 0, 0, EINVAL, 0, NULL, 0, 0},
    {"/dev/zero", CREATE, 4096, EINVAL, 0, NULL, 0, 0},
    {"/proc/cpuinfo", 0, 0, EINVAL, 0, NULL, 0, 0},
    {"link", 0, 0, 0, 8192, NULL, 0, 0},
    {"dangling", 0, 0, ENOENT, 0, "target", ABSENT, 0},
    {"dangling", CREATE, 4096, 0, 4096, "target", 4096, 0},
    {"dangling", CREATE | EXCL, 4096, EEXIST, 0, "target", ABSENT, 0},
    /* existing files */
    {"F", 0, 0, 0, 8192, "F", 8192, 0},
    {"F", EXCL, 0, 0, 8192, "F", 8192, 0},
    {"F", SPARSE, 0, 0, 8192, "F", 8192, 0},
    {"F", EXCL | SPARSE, 0, 0, 8192, "F", 8192, 0},
    {"F", CREATE, 5, 0, 5, "F", 5, 0},
    {"F", CREATE, 8192, 0, 8192, "F", 8192, 0},
    {"F", CREATE, 100000, 0, 100000, "F", 100000, 0},
    {"F", CREATE | SPARSE, 3 << 20, 0, 3 << 20, "F", 3 << 20, 0},
    {"F", CREATE | EXCL, 4096, EEXIST, 0, "F", 8192, 0},
    {"E", 0, 0, EINVAL, 0, "E", 0, 0},
    {"E", CREATE, 4096, 0, 4096, "E", 4096, 0},
    /* new files */
    {"N", CREATE, 1, 0, 1, "N", 1, 0},
    {"N", CREATE, 4096, 0, 4096, "N", 4096, 0},
    {"N", CREATE | EXCL, 4097, 0, 4097, "N", 4097, 0},
    {"N", CREATE | SPARSE, 12 * TIB, 0, 12 * TIB, "N", (long long)(12 * TIB), 0},
    {"N", CREATE | SPARSE | EXCL, 1 << 20, 0, 1 << 20, "N", 1 << 20, 0},
    /* too large: nothing is left, with EXCL or without */
    {"N", CREATE, (size_t)1 << 62, EFBIG, 0, "N", ABSENT, ENOSPC},
    {"N", CREATE | EXCL, (size_t)1 << 62, EFBIG, 0, "N", ABSENT, ENOSPC},
    {"N", CREATE | SPARSE, 200 * TIB, EFBIG, 0, "N", ABSENT, ENOMEM},
    {"dangling", CREATE | SPARSE, 200 * TIB, EFBIG, 0, "target", ABSENT, ENOMEM},
    {"F", CREATE, (size_t)1 << 62, EFBIG, 0, "F", 8192, ENOSPC},
    {"F", CREATE | SPARSE, 200 * TIB, EFBIG, 0, "F", 8192, ENOMEM},
    /* temporary files */
    {"D", CREATE | TMPFILE, 4096, 0, 4096, NULL, 0, 0},
    {"D", CREATE | TMPFILE | EXCL, 4096, 0, 4096, NULL, 0, 0},
    {"D", CREATE | TMPFILE | SPARSE, 4096, 0, 4096, NULL, 0, 0},
    {"D", CREATE | TMPFILE | SPARSE | EXCL, 4096, 0, 4096, NULL, 0, 0},
    {"D", CREATE | TMPFILE, 0, EINVAL, 0, NULL, 0, 0},
    {"D", TMPFILE, 0, EINVAL, 0, NULL, 0, 0},
    {"N", CREATE | TMPFILE, 4096, ENOENT, 0, "N", ABSENT, 0},
    {"/proc", CREATE | TMPFILE, 4096, ENOENT, 0, NULL, 0, 0},
    {"F", CREATE | TMPFILE, 4096, ENOTDIR, 0, "F", 8192, 0},
};

/* Whether the message holds path as a word; most of the paths here are one letter. */
static bool is_named(const char *path)
{
	static const char before[] = " ";
	static const char after[] = " :,;)";
	const char *message = pmem_errormsg();
	const char *at = message;

	for (; (at = strstr(at, path)); at++)
		if ((at == message || strchr(before, at[-1])) &&
		    strchr(after, at[strlen(path)]))
			return true;
	return false;
}

static void check_row(const struct row *row, size_t i, bool shm)
{
	int expected = shm && row->err_shm ? row->err_shm : row->err;
	unsigned descriptors = support_count_descriptors();
	size_t len = 12345;
	int is_pmem = 12345;
	char *p;

	/* Only root may open these files of /proc for writing. */
	if (strncmp(row->path ? row->path : "", "/proc", 5) == 0 &&
	    faccessat(AT_FDCWD, row->path, W_OK, AT_EACCESS) != 0)
		expected = errno;
	/* Replaces the message of the row before. */
	assert_null(pmem_map_file(NULL, 0, 0, 0, NULL, NULL));
	errno = 4711;
	p = pmem_map_file(row->path, row->len, row->flags, 0644, &len, &is_pmem);
	if (expected) {
		if (p || errno != expected)
			fail_msg("row %zu (%s, %#x, %zu): %p, errno %d", i, row->path,
				 (unsigned)row->flags, row->len, (void *)p, errno);
		assert_int_equal(len, 12345);
		assert_int_equal(is_pmem, 12345);
		if (row->path && row->path[0] && !is_named(row->path))
			fail_msg("row %zu: %s is not named: %s", i, row->path,
				 pmem_errormsg());
	} else {
		if (!p)
			fail_msg("row %zu (%s, %#x, %zu): %s", i, row->path,
				 (unsigned)row->flags, row->len, pmem_errormsg());
		if (errno != EOPNOTSUPP) /* no MAP_SYNC there */
			fail_msg("row %zu: errno %d", i, errno);
		assert_int_equal(len, row->mapped);
		assert_int_equal(is_pmem, 0);
		assert_int_equal(
		    (uintptr_t)p % (len < (size_t)2 << 30 ? 2u << 20 : 1u << 30), 0);
		p[0] = 'x';
		p[len - 1] = 'y';
		assert_int_equal(pmem_unmap(p, len), 0);
	}
	if (expected == EINVAL || expected == EEXIST) {
		assert_string_equal(map_place_libc.calls, ""); /* nothing was tried */
		assert_true(map_place_is_intact());
	}
	if (row->after && map_place_size(row->after) != row->size)
		fail_msg("row %zu (%s, %#x, %zu): afterwards %s has %lld bytes", i,
			 row->path, (unsigned)row->flags, row->len, row->after,
			 map_place_size(row->after));
	assert_int_equal(support_count_descriptors(), descriptors);
	assert_int_equal(rmdir("D"), 0); /* nothing was left in it */
}

static void check_table(bool shm)
{
	const char *cross = getenv("CROSS");
#ifdef MAP_SYNC_UNUSABLE
	const bool small_space = cross || true;
#else
	const bool small_space = cross && *cross;
#endif

	map_place_enter(shm);
	memset(long_name, 'n', sizeof(long_name) - 1);
	for (size_t i = 0; i < COUNT(rows); i++) {
		/*
		 * The emulator needs a word of memory for each page, the thread sanitizer more.
		 */
		if (small_space && rows[i].mapped >= TIB)
			continue;
		map_place_make();
		check_row(&rows[i], i, shm);
	}
}

static void the_table_holds_on_disk(void **state)
{
	(void)state;
	check_table(false);
}

static void the_table_holds_on_tmpfs(void **state)
{
	(void)state;
	check_table(true);
}

/* --- single properties --------------------------------------------------------------- */

static void both_results_are_optional(void **state)
{
	char *p;

	(void)state;
	map_place_enter(false);
	p = pmem_map_file("F", 0, 0, 0, NULL, NULL);
	assert_non_null(p);
	assert_int_equal(p[8191], 'F');
	assert_int_equal(pmem_unmap(p, 8192), 0);
}

static void the_thread_can_be_cancelled_afterwards(void **state)
{
	int before = -1;
	char *p;

	(void)state;
	map_place_enter(false);
	for (int i = 0; i < 2; i++) {
		p = pmem_map_file(i ? "N" : "F", 0, 0, 0, NULL, NULL);
		assert_int_equal(p == NULL, i);
		assert_int_equal(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &before),
				 0);
		assert_int_equal(before, PTHREAD_CANCEL_ENABLE);
		if (p)
			assert_int_equal(pmem_unmap(p, 8192), 0);
	}
}

static void the_mode_is_that_of_open(void **state)
{
	static const struct {
		mode_t mode;
		mode_t umask;
		mode_t result;
	} modes[] = {{0666, 022, 0644},	    {0, 022, 0},     {07777, 022, 07755},
		     {0177777, 022, 07755}, {0600, 0, 0600}, {0666, 0777, 0}};
	struct stat st;

	(void)state;
	map_place_enter(false);
	for (size_t i = 0; i < COUNT(modes); i++) {
		char *p;

		map_place_make();
		umask(modes[i].umask);
		p = pmem_map_file("N", 1, CREATE, modes[i].mode, NULL, NULL);
		assert_int_equal(umask(022), modes[i].umask);
		assert_non_null(p);
		assert_int_equal(pmem_unmap(p, 1), 0);
		assert_int_equal(stat("N", &st), 0);
		/* The kernel clears these bits when a user other than root changes the length. */
		if (geteuid() != 0)
			st.st_mode |= modes[i].result & (S_ISUID | S_ISGID);
		assert_int_equal(st.st_mode & 07777, modes[i].result);
	}
}

static void temporary_files_are_private_and_nameless(void **state)
{
	static const int errs[] = {0, EOPNOTSUPP, EISDIR};

	(void)state;
	map_place_enter(false);
	for (size_t i = 0; i < COUNT(errs); i++) {
		char *p;

		map_place_make();
		map_place_libc.open_tmpfile_err = errs[i];
		umask(027);
		p = pmem_map_file("D", 4096, CREATE | TMPFILE, 0777, NULL, NULL);
		assert_int_equal(umask(022), 027);
		assert_non_null(p);
		p[0] = 1;
		assert_int_equal(rmdir("D"), 0); /* empty while the mapping exists */
		assert_int_equal(pmem_unmap(p, 4096), 0);
	}
	map_place_make();
	map_place_libc.open_tmpfile_err = ENOSPC;
	assert_null(pmem_map_file("D", 4096, CREATE | TMPFILE, 0, NULL, NULL));
	assert_int_equal(errno, ENOSPC);
}

/* Then the file gets the descriptor 0. */
static void without_a_standard_input_everything_is_as_with_it(void **state)
{
	int input;

	input = support_close_input();
	the_table_holds_on_disk(state);
	assert_int_equal(fcntl(0, F_GETFD), -1);
	temporary_files_are_private_and_nameless(state);
	assert_int_equal(fcntl(0, F_GETFD), -1);
	map_place_make();
	for (int i = 0; i < 4; i++) {
		static const char *const names[] = {"F", "dangling", "D", "D"};
		static const int errors[] = {ENOENT, ENOENT, EISDIR, EOPNOTSUPP};
		void *p;

		errno = errors[i]; /* an error of the past */
		p = pmem_map_file(names[i], 8192, i < 2 ? CREATE : CREATE | TMPFILE, 0600,
				  NULL, NULL);
		assert_non_null(p);
		assert_int_equal(pmem_unmap(p, 8192), 0);
		assert_int_equal(fcntl(0, F_GETFD), -1);
	}
	support_restore_input(input);
}

/* Without O_EXCL in open(2) a name could be given to the file later. */
static void excl_and_the_mode_of_temporary_files_reach_open(void **state)
{
	(void)state;
	map_place_enter(false);
	for (int excl = 0; excl <= EXCL; excl += EXCL) {
		char *p;

		map_place_make();
		p = pmem_map_file("D", 4096, CREATE | TMPFILE | excl, 0777, NULL, NULL);
		assert_non_null(p);
		assert_int_equal(map_place_libc.tmpfile_mode, 0600);
		assert_int_equal(map_place_libc.tmpfile_flags & O_EXCL,
				 excl ? O_EXCL : 0);
		assert_int_equal(pmem_unmap(p, 4096), 0);
	}
}

/* If the test cannot make one, it uses one of the system's, which is not even opened. */
static const char *block_device(void)
{
	static const char *const names[] = {"block", "/dev/loop0", "/dev/vda", "/dev/sda",
					    "/dev/nvme0n1"};
	struct stat st;

	(void)!mknod("block", S_IFBLK | 0600, makedev(4095, 0));
	for (size_t i = 0; i < COUNT(names); i++)
		if (stat(names[i], &st) == 0 && S_ISBLK(st.st_mode))
			return names[i];
	return NULL;
}

static void block_devices_are_refused(void **state)
{
	static const int flags[] = {0, CREATE, CREATE | EXCL, CREATE | SPARSE};
	const char *path;

	(void)state;
	map_place_enter(false);
	path = block_device();
	if (!path) {
		print_message("skipped: there is no block device, nor may one be made\n");
		skip();
	}
	for (size_t i = 0; i < COUNT(flags); i++) {
		errno = 0;
		assert_null(
		    pmem_map_file(path, flags[i] ? 4096 : 0, flags[i], 0600, NULL, NULL));
		assert_int_equal(errno, EINVAL);
		assert_non_null(strstr(pmem_errormsg(), path));
	}
	unlink("block");
}

static void the_message_names_the_file_and_the_reason(void **state)
{
	(void)state;
	map_place_enter(false);
	assert_null(pmem_map_file("D/none/N", 4096, CREATE, 0644, NULL, NULL));
	assert_non_null(strstr(pmem_errormsg(), "D/none/N"));
	assert_non_null(strstr(pmem_errormsg(), strerror(ENOENT)));
	assert_null(pmem_map_file("/dev/null", 0, 0, 0, NULL, NULL));
	assert_non_null(strstr(pmem_errormsg(), "/dev/null"));
	assert_null(pmem_map_file(NULL, 0, 0, 0, NULL, NULL));
	assert_non_null(strstr(pmem_errormsg(), "NULL"));
	assert_null(pmem_map_file("F", 0, 0x10, 0, NULL, NULL));
	assert_non_null(strstr(pmem_errormsg(), "0x10"));
	assert_non_null(strstr(pmem_errormsg(), "0xf"));
	assert_null(pmem_map_file("E", 0, 0, 0, NULL, NULL));
	assert_non_null(strstr(pmem_errormsg(), "E is empty"));
	assert_null(pmem_map_file("F", 0, CREATE, 0, NULL, NULL));
	assert_non_null(strstr(pmem_errormsg(), "needs a length for F"));
	assert_null(pmem_map_file("F", SIZE_MAX, CREATE, 0, NULL, NULL));
	assert_non_null(strstr(pmem_errormsg(), "invalid file length"));
}

static void the_message_says_why_it_is_no_persistent_memory(void **state)
{
	size_t len;
	int is_pmem;
	void *p;

	(void)state;
	map_place_enter(false);
	assert_null(pmem_map_file(NULL, 0, 0, 0, NULL, NULL));
	p = pmem_map_file("F", 0, 0, 0, &len, &is_pmem);
	assert_non_null(p);
	assert_int_equal(is_pmem, 0);
	assert_non_null(strstr(pmem_errormsg(), "F is not persistent memory"));
	assert_non_null(strstr(pmem_errormsg(), "MAP_SYNC"));
	assert_int_equal(pmem_unmap(p, len), 0);
	assert_non_null(
	    strstr(pmem_errormsg(), "MAP_SYNC")); /* success does not touch it */
}

static void as_nobody(void (*check)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
			_exit(77);
		check();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void check_permissions(void)
{
	static const struct {
		const char *path;
		int flags;
		size_t len;
	} denied[] = {{"read-only", 0, 0}, {"D/N", CREATE, 4096}, {"closed/x", 0, 0}};

	for (size_t i = 0; i < COUNT(denied); i++) {
		errno = 0;
		if (pmem_map_file(denied[i].path, denied[i].len, denied[i].flags, 0644,
				  NULL, NULL) ||
		    errno != EACCES)
			_exit((int)i + 1);
	}
}

static void without_permission_it_is_eacces(void **state)
{
	(void)state;
	map_place_enter(false);
	map_place_write("read-only", 10);
	assert_int_equal(chmod("read-only", 0444), 0);
	assert_int_equal(chmod("D", 0555), 0);
	mkdir("closed", 0700);
	assert_int_equal(chmod("closed", 0), 0);
	as_nobody(check_permissions);
	assert_int_equal(chmod("D", 0755), 0);
	assert_int_equal(chmod("closed", 0700), 0);
}

/* All descriptors that the earlier cases have opened. */
static void no_descriptor_leaks_into_a_program_started_meanwhile(void **state)
{
	(void)state;
	assert_int_equal(map_place_leaks, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_table_holds_on_disk),
	    cmocka_unit_test(the_table_holds_on_tmpfs),
	    cmocka_unit_test(both_results_are_optional),
	    cmocka_unit_test(the_thread_can_be_cancelled_afterwards),
	    cmocka_unit_test(the_mode_is_that_of_open),
	    cmocka_unit_test(temporary_files_are_private_and_nameless),
	    cmocka_unit_test(without_a_standard_input_everything_is_as_with_it),
	    cmocka_unit_test(excl_and_the_mode_of_temporary_files_reach_open),
	    cmocka_unit_test(block_devices_are_refused),
	    cmocka_unit_test(the_message_names_the_file_and_the_reason),
	    cmocka_unit_test(the_message_says_why_it_is_no_persistent_memory),
	    cmocka_unit_test(without_permission_it_is_eacces),
	    cmocka_unit_test(no_descriptor_leaks_into_a_program_started_meanwhile),
	};

	unsetenv("PMEM_IS_PMEM_FORCE");
	umask(022);
	support_assert_ours((const void *)(uintptr_t)pmem_map_file, "pmem_map_file");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
