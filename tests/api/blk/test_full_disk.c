/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A pool in a sparse file on a disk that becomes full: a store to a hole raises SIGBUS. With
 * sigbus.catch the call fails with EIO; without it the signal reaches the program.
 */
#include "fork_fixture.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define SPARSE_SIZE ((off_t)64 << 20)
#define MOST_BLOCKS 60000

static const char *folder;

static bool mount_small_disk(void)
{
	if (mkdir(folder, 0700) != 0 && errno != EEXIST)
		return false;
	if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWNS | CLONE_NEWUSER) != 0)
		return false;
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		return false;
	return mount("tmpfs", folder, "tmpfs", 0, "size=8m") == 0;
}

static PMEMblkpool *create_sparse(int catch)
{
	int no = 0;
	PMEMblkpool *p;

	path = support_path(false, "disk/pool");
	EXPECT(close(open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600)) == 0);
	EXPECT(truncate(path, SPARSE_SIZE) == 0);
	EXPECT(pmemblk_ctl_set(NULL, "fallocate.at_create", &no) == 0);
	EXPECT(pmemblk_ctl_set(NULL, "sigbus.catch", &catch) == 0);
	p = pmemblk_create(path, 512, 0, 0600);
	EXPECT(p != NULL);
	return p;
}

/* The number of blocks that could be written. */
static int fill(PMEMblkpool *p)
{
	for (int i = 0; i < MOST_BLOCKS; i++)
		if (byteblock_put(p, i, i & 0x7f) != 0)
			return i;
	return MOST_BLOCKS;
}

static void expect_blocks(PMEMblkpool *p, int n)
{
	for (int i = 0; i < n; i++)
		EXPECT(byteblock_get(p, i) == (i & 0x7f));
}

/* Runs body in a child, whose mounts end with it. Status 77: not allowed here. */
static void run(void (*body)(void), int *status)
{
	pid_t pid;

	folder = support_path(false, "disk");
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		alarm(60);
		if (!mount_small_disk())
			_exit(77);
		body();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, status, 0), pid);
	if (WIFEXITED(*status) && WEXITSTATUS(*status) == 77)
		skip(); /* not allowed here */
}

static void fill_with_catch(void)
{
	PMEMblkpool *p = create_sparse(1);
	int n = fill(p);

	EXPECT(errno == EIO && strstr(pmemblk_errormsg(), "media error"));
	EXPECT(n > 1000 && n < MOST_BLOCKS);
	expect_blocks(p, n);
	/* Nobody knows what the call has stored, so all modifying calls fail now. */
	errno = 0;
	EXPECT(byteblock_put(p, 0, 1) == -1 && errno == EIO);
	pmemblk_close(p);
	/* With space again, the blocks that were written are still there. */
	EXPECT(mount("tmpfs", folder, "tmpfs", MS_REMOUNT, "size=200m") == 0);
	EXPECT(pmemblk_check(path, 512) == 1);
	p = pmemblk_open(path, 512);
	EXPECT(p != NULL);
	expect_blocks(p, n);
	EXPECT(fill(p) == MOST_BLOCKS);
	expect_blocks(p, MOST_BLOCKS);
	pmemblk_close(p);
}

static void a_write_on_a_full_disk_fails_and_what_was_written_stays(void **state)
{
	int status;

	(void)state;
	run(fill_with_catch, &status);
	assert_int_equal(status, 0);
}

/* A create that fails for want of space must not keep the space that it has found. */
static void create_without_room(void)
{
	static const char mine[] = "my data";
	int on = 1;
	int no = 0;

	path = support_path(false, "disk/pool");
	EXPECT(pmemblk_ctl_set(NULL, "fallocate.at_create", &no) == 0);
	EXPECT(pmemblk_ctl_set(NULL, "sigbus.catch", &on) == 0);
	for (int prefault = 0; prefault < 2; prefault++) {
		int fd = open(path, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);
		int rest = open(support_path(false, "disk/rest"),
				O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);
		char found[sizeof(mine)];
		struct stat st;

		EXPECT(fd >= 0 && rest >= 0);
		EXPECT(ftruncate(fd, SPARSE_SIZE) == 0);
		EXPECT(pwrite(fd, mine, sizeof(mine), 4096) == sizeof(mine));
		EXPECT(pmemblk_ctl_set(NULL, "prefault.at_create", &prefault) == 0);
		if (!prefault) /* no room even for the header */
			EXPECT(posix_fallocate(rest, 0, (8 << 20) - 4096) == 0);
		errno = 0;
		EXPECT(pmemblk_create(path, 512, 0, 0600) == NULL && errno == EIO);
		EXPECT(fstat(fd, &st) == 0 && st.st_size == SPARSE_SIZE);
		EXPECT(st.st_blocks * 512 == 4096);
		EXPECT(pread(fd, found, sizeof(found), 4096) == sizeof(found));
		EXPECT(memcmp(found, mine, sizeof(mine)) == 0);
		close(fd);
		close(rest);
	}
}

static void a_create_that_finds_no_room_leaves_the_holes_of_the_file(void **state)
{
	int status;

	(void)state;
	run(create_without_room, &status);
	assert_int_equal(status, 0);
}

static void fill_without_catch(void)
{
	signal(SIGBUS, SIG_DFL); /* cmocka has a handler */
	fill(create_sparse(0));
}

static void without_the_setting_the_signal_ends_the_program(void **state)
{
	int status;

	(void)state;
	run(fill_without_catch, &status);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_write_on_a_full_disk_fails_and_what_was_written_stays),
	    cmocka_unit_test(without_the_setting_the_signal_ends_the_program),
	    cmocka_unit_test(a_create_that_finds_no_room_leaves_the_holes_of_the_file),
	};

	return run_on_both("full_disk", tests, sizeof(tests) / sizeof(tests[0]));
}
