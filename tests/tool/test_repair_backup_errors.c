/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A backup that cannot be made durable, or for which there is no memory: the pool is not changed, and
 * no backup is left. A check without memory has no result. The linker replaces the functions that
 * allocate memory, and fdopen, which does.
 */
#include "undo_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_reallocarray(void *p, size_t n, size_t size);
char *__real_strdup(const char *s);
FILE *__real_fdopen(int fd, const char *mode);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
char *__wrap_strdup(const char *s);
FILE *__wrap_fdopen(int fd, const char *mode);

/* --- memory ------------------------------------------------------------------------------ */

static unsigned failing_at; /* the n-th call fails, and all after it; 0: none */
static bool fails_once;	    /* those after it do not */
static unsigned ncall;

static bool is_out(void)
{
	if (failing_at == 0 || ++ncall < failing_at || (fails_once && ncall > failing_at))
		return false;
	errno = ENOMEM;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return is_out() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return is_out() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return is_out() ? NULL : __real_realloc(p, size);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return is_out() ? NULL : __real_reallocarray(p, n, size);
}

char *__wrap_strdup(const char *s)
{
	return is_out() ? NULL : __real_strdup(s);
}

FILE *__wrap_fdopen(int fd, const char *mode)
{
	return is_out() ? NULL : __real_fdopen(fd, mode);
}

/* Ends the failure of a command. */
static enum tool_status has_memory_again(unsigned at, enum tool_status status)
{
	failing_at = 0;
	if (ncall < at)
		ncall = 0; /* the failing call was not reached */
	return status;
}

/* No command does without what the memory was for, or says that something else is wrong. */
static void assert_out_of_memory(unsigned n, int status)
{
	if (status != 3 || !strstr(tool_said, "memory"))
		fail_msg("allocation %u%s: status %d\n%s", n,
			 fails_once ? "" : " and all later ones", status, tool_said);
}

static enum tool_status repair_without_memory(const struct tool_command *self, int argc,
					      char **argv)
{
	unsigned at = failing_at;

	ncall = 0;
	return has_memory_again(at, cmd_repair(self, argc, argv));
}

static void repair_each_allocation(const struct pool_file *damaged)
{
	unsigned nundone = 0;
	unsigned n = 1;

	for (;; n++) {
		int status;

		unlink(undo);
		store_file(path, damaged);
		failing_at = n;
		status = tool_run(repair_without_memory, path, NULL);
		if (ncall == 0)
			break;
		assert_out_of_memory(n, status);
		if (access(undo, F_OK) == 0 && !strstr(tool_said, "was taken back")) {
			nundone++;
			assert_non_null(strstr(tool_said, "not complete"));
			assert_int_equal(tool_run(cmd_repair, "-u", undo, path, NULL), 0);
		}
		if (!is_file(path, damaged))
			fail_msg("allocation %u: the pool has changed\n%s", n, tool_said);
	}
	print_message("%u allocations, %u undone\n", n - 1, nundone);
	assert_true(n > 20);
	assert_int_equal(pmemblk_check(path, 0), 1);
}

static void no_memory_leaves_no_backup_and_no_change(void **state)
{
	struct pool_file damaged[2] = {damage_all(), clone_file(&base)};

	(void)state;
	/* both info blocks */
	damaged[1].p[ARENA + 40] ^= 1;
	damaged[1].p[copy_off(&base) + 40] ^= 1;
	for (int once = 0; once < 2; once++)
		for (size_t i = 0; i < ARRAY_SIZE(damaged); i++) {
			fails_once = once;
			repair_each_allocation(&damaged[i]);
		}
	fails_once = false;
	for (size_t i = 0; i < ARRAY_SIZE(damaged); i++)
		free(damaged[i].p);
}

static enum tool_status check_without_memory(const struct tool_command *self, int argc,
					     char **argv)
{
	unsigned at = failing_at;

	ncall = 0;
	return has_memory_again(at, cmd_check(self, argc, argv));
}

static void no_memory_is_no_verdict_about_a_sound_pool(void **state)
{
	(void)state;
	store_file(path, &base);
	for (int once = 0; once < 2; once++) {
		unsigned n = 1;

		fails_once = once;
		for (;; n++) {
			int status;

			failing_at = n;
			status = tool_run(check_without_memory, path, NULL);
			if (ncall == 0)
				break;
			assert_out_of_memory(n, status);
		}
		print_message("%u allocations\n", n - 1);
		assert_true(n > 10);
	}
	fails_once = false;
}

static enum tool_status grow_without_memory(const struct tool_command *self, int argc,
					    char **argv)
{
	unsigned at = failing_at;

	ncall = 0;
	return has_memory_again(at, cmd_grow(self, argc, argv));
}

static void grow_each_allocation(const char *size)
{
	unsigned nundone = 0;
	unsigned n = 1;

	for (;; n++) {
		int status;

		unlink(undo);
		store_file(path, &base);
		failing_at = n;
		status = tool_run(grow_without_memory, "-s", size, path, NULL);
		if (ncall == 0)
			break;
		assert_out_of_memory(n, status);
		if (strstr(tool_said, "not grown completely")) {
			nundone++;
			assert_int_equal(tool_run(cmd_grow, "-u", undo, path, NULL), 0);
		} else if (!strstr(tool_said, "a backup is left")) {
			assert_int_equal(access(undo, F_OK), -1);
		}
		if (!is_file(path, &base))
			fail_msg("allocation %u: the pool has changed\n%s", n, tool_said);
	}
	print_message("%u allocations, %u undone\n", n - 1, nundone);
	assert_true(n > 20);
	assert_int_equal(pmemblk_check(path, 0), 1);
}

/* The new metadata are behind the old end of the file, or overlap the old ones. */
static void no_memory_leaves_a_pool_that_grows_as_it_was(void **state)
{
	static const char *const sizes[] = {"40M", "16814080"};

	(void)state;
	for (int once = 0; once < 2; once++)
		for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
			fails_once = once;
			grow_each_allocation(sizes[i]);
		}
	fails_once = false;
}

static void undo_each_allocation(const struct pool_file *damaged,
				 const struct pool_file *repaired)
{
	unsigned n = 1;

	for (;; n++) {
		int status;

		store_file(path, repaired);
		failing_at = n;
		status = tool_run(repair_without_memory, "-u", undo, path, NULL);
		if (ncall == 0)
			break;
		assert_out_of_memory(n, status);
		assert_int_equal(tool_run(cmd_repair, "-u", undo, path, NULL), 0);
		assert_true(is_file(path, damaged));
	}
	print_message("%u allocations\n", n - 1);
	assert_true(n > 15);
}

/* What an undo has stored already does no harm to the next one. */
static void no_memory_for_an_undo_leaves_the_backup_usable(void **state)
{
	struct pool_file damaged = damage_all();
	struct pool_file repaired;

	(void)state;
	assert_int_equal(tool_run(cmd_repair, path, NULL), 0);
	repaired = load_file(path, &base);
	for (int once = 0; once < 2; once++) {
		fails_once = once;
		undo_each_allocation(&damaged, &repaired);
	}
	fails_once = false;
	free(repaired.p);
	free(damaged.p);
}

/* --- syncs of the folder ----------------------------------------------------------------- */

static int folder_error; /* of fsync on a folder; 0: none */
static int file_system_error;
static unsigned nfolder;
static unsigned nfile_system;
static dev_t synced; /* the file system */

SUPPORT_INTERPOSE int fsync(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		nfolder++;
		if (folder_error) {
			errno = folder_error;
			return -1;
		}
	}
	return (int)syscall(SYS_fsync, fd);
}

SUPPORT_INTERPOSE int syncfs(int fd)
{
	struct stat st;

	nfile_system++;
	synced = fstat(fd, &st) == 0 ? st.st_dev : 0;
	errno = file_system_error;
	return file_system_error ? -1 : 0;
}

static int repair_with(int of_folder, int of_file_system)
{
	int status;

	folder_error = of_folder;
	file_system_error = of_file_system;
	nfolder = nfile_system = 0;
	unlink(undo);
	status = tool_run(cmd_repair, path, NULL);
	folder_error = 0;
	return status;
}

static void a_folder_that_cannot_be_synced_takes_a_sync_of_the_file_system(void **state)
{
	static const int refusals[] = {EINVAL, ENOTSUP};
	struct pool_file damaged = damage_all();
	struct stat st;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		assert_int_equal(repair_with(refusals[i], 0), 0);
		assert_int_equal(nfolder, 1);
		assert_int_equal(nfile_system, 1);
		assert_int_equal(stat(undo, &st), 0);
		assert_true(synced == st.st_dev);
		assert_int_equal(tool_run(cmd_repair, "-u", undo, path, NULL), 0);
		assert_true(is_file(path, &damaged));
	}
	assert_int_equal(repair_with(0, 0), 0);
	assert_int_equal(nfolder, 1);
	assert_int_equal(nfile_system, 0);
	free(damaged.p);
}

static void a_folder_whose_sync_fails_leaves_no_backup_and_no_change(void **state)
{
	static const int errors[][2] = {
	    {EIO, 0}, {ENOSPC, 0}, {EROFS, 0}, {EINVAL, EIO}, {ENOTSUP, EIO}};
	struct pool_file damaged = damage_all();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		assert_int_equal(repair_with(errors[i][0], errors[i][1]), 3);
		assert_non_null(strstr(tool_said, "cannot write the backup"));
		assert_int_equal(access(undo, F_OK), -1);
		assert_true(is_file(path, &damaged));
	}
	free(damaged.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_memory_leaves_no_backup_and_no_change),
	    cmocka_unit_test(no_memory_is_no_verdict_about_a_sound_pool),
	    cmocka_unit_test(no_memory_leaves_a_pool_that_grows_as_it_was),
	    cmocka_unit_test(no_memory_for_an_undo_leaves_the_backup_usable),
	    cmocka_unit_test(
		a_folder_that_cannot_be_synced_takes_a_sync_of_the_file_system),
	    cmocka_unit_test(a_folder_whose_sync_fails_leaves_no_backup_and_no_change),
	};

	return cmocka_run_group_tests(tests, make_base, free_base);
}
