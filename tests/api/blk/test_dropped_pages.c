/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A disk refuses to write pages, and the kernel then evicts them. They are read again with the
 * contents of the disk, before or after a sync has reported the error.
 *
 * The "disk" is a copy of the file that is made at each successful sync.
 */
#include <libpmemblk.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "byteblock.h"
#include "image.h"
#include "support.h"

#define SIZE ((size_t)17 << 20)
#define PAGE 4096

static const char *path;
static unsigned char *disk;
static bool refused; /* the next sync has to report that pages could not be written */
static int passed;   /* so many syncs come before it */
static void (*at_refusal)(void); /* called before it reports this; NULL: nothing */

SUPPORT_INTERPOSE int msync(void *addr, size_t len, int flags)
{
	int ret;

	if (refused && passed-- <= 0) {
		refused = false;
		if (at_refusal)
			at_refusal();
		errno = EIO;
		return -1;
	}
	ret = (int)syscall(SYS_msync, addr, len, flags);
	if (ret == 0)
		image_read(path, 0, disk, SIZE);
	return ret;
}

static uint64_t map_off(void)
{
	return IMAGE_DATA + image_get64(path, IMAGE_DATA + INFO_MAPOFF);
}

static void drop_first_page_of_map(void)
{
	uint64_t off = map_off();

	image_write(path, off, disk + off, PAGE);
}

/* Blocks 0 to 9 hold ones. */
static PMEMblkpool *begin(void)
{
	PMEMblkpool *p;

	alarm(60);
	refused = false;
	passed = 0;
	unlink(path);
	p = pmemblk_create(path, 512, SIZE, 0644);
	if (!p)
		fail_msg("%s", pmemblk_errormsg());
	for (int i = 0; i < 10; i++)
		assert_int_equal(byteblock_put(p, i, 1), 0);
	return p;
}

static void a_flag_never_brings_a_freed_block_back(void **state)
{
	static int (*const set_flag[])(PMEMblkpool *, long long) = {pmemblk_set_zero,
								    pmemblk_set_error};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		PMEMblkpool *p = begin();
		int byte;

		assert_int_equal(byteblock_put(p, 3, 2), 0);
		/* now the entry of block 3 is as it was before that write */
		drop_first_page_of_map();
		refused = true;
		errno = 0;
		assert_int_equal(set_flag[i](p, 3), -1);
		assert_int_equal(errno, EIO);
		pmemblk_close(p);
		assert_int_equal(pmemblk_check(path, 0), 1);
		p = pmemblk_open(path, 0);
		assert_non_null(p);
		byte = byteblock_get(p, 3);
		assert_true(byte == 2 || byte == (i ? -1 : 0));
		pmemblk_close(p);
	}
}

static void who_reads_after_a_failed_sync_reads_what_was_written(void **state)
{
	PMEMblkpool *p = begin();

	(void)state;
	assert_int_equal(byteblock_put(p, 3, 2), 0);
	refused = true;
	assert_int_equal(byteblock_put(p, 4, 2), -1);
	drop_first_page_of_map();
	assert_int_equal(byteblock_get(p, 3), 2);
	pmemblk_close(p);
	p = pmemblk_open(path, 0);
	assert_non_null(p);
	assert_int_equal(byteblock_get(p, 3), 2);
	pmemblk_close(p);
	assert_int_equal(pmemblk_check(path, 0), 1);
}

/*
 * The sync of the data passes, that of the records fails. Pages of the records may leave the memory
 * later; then nobody must have read the new contents.
 */
static void a_write_whose_second_sync_failed_reads_as_before(void **state)
{
	unsigned char block[2][512];
	struct pmemblk_iovec iov[] = {{block[0], 4, 1}, {block[1], 7, 1}};

	(void)state;
	memset(block, 3, sizeof(block));
	for (int is_batch = 0; is_batch < 2; is_batch++) {
		PMEMblkpool *p = begin();

		for (int i = 0; i < 10; i++)
			assert_int_equal(byteblock_put(p, i, 2), 0);
		refused = true;
		passed = 1;
		errno = 0;
		if (is_batch)
			assert_int_equal(pmemblk_writev(p, iov, 2, NULL), -1);
		else
			assert_int_equal(byteblock_put(p, 4, 3), -1);
		assert_int_equal(errno, EIO);
		for (int dropped = 0; dropped < 2; dropped++) {
			for (int i = 0; i < 10; i++)
				assert_int_equal(byteblock_get(p, i), 2);
			if (!dropped)
				drop_first_page_of_map();
		}
		pmemblk_close(p);
		assert_int_equal(pmemblk_check(path, 0), 1);
		p = pmemblk_open(path, 0);
		assert_non_null(p);
		for (int i = 0; i < 10; i++)
			assert_int_equal(byteblock_get(p, i), 2);
		pmemblk_close(p);
	}
}

/* The child reads commands, one letter each. Its exit status is the sum of the failures. */
static int child_main(PMEMblkpool *p, int fd)
{
	int wrong = 0;
	char c;

	while (read(fd, &c, 1) == 1)
		switch (c) {
		case 'r':
			wrong += byteblock_get(p, 3) != 2;
			break;
		case 'f':
			refused = true;
			wrong += byteblock_put(p, 4, 3) != -1 || errno != EIO;
			break;
		default:
			wrong += byteblock_put(p, 4, 3) != 0;
			break;
		}
	return wrong;
}

/* The child has a view already or not. Then the owner ends, and the child takes the pool over. */
static void a_child_reads_after_a_failed_sync_what_was_written(void **state)
{
	static const char *const programs[] = {"r", "rr", "rr fr wr"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		PMEMblkpool *p = begin();
		const char *at = programs[i];
		int to_child[2];
		int status;
		pid_t pid;

		assert_int_equal(pipe(to_child), 0);
		assert_int_equal(byteblock_put(p, 3, 2), 0);
		pid = fork();
		if (pid == 0) {
			close(to_child[1]);
			_exit(child_main(p, to_child[0]));
		}
		close(to_child[0]);
		if (i > 0) /* the map update is not on the disk, but the child sees it */
			assert_int_equal(write(to_child[1], at++, 1), 1);
		refused = true;
		assert_int_equal(byteblock_put(p, 4, 2), -1);
		drop_first_page_of_map();
		if (i == 2)
			pmemblk_close(p);
		for (; *at; at++)
			if (*at != ' ')
				assert_int_equal(write(to_child[1], at, 1), 1);
		close(to_child[1]);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		if (i < 2)
			pmemblk_close(p);
		assert_int_equal(pmemblk_check(path, 0), 1);
	}
}

/*
 * The sync of one thread fails. Another thread waits for the next sync, and is held there by a signal
 * handler: its record may still be taken back, so children do not redo records yet. But the owner
 * ends now, and nobody takes anything back any more.
 */
static struct {
	PMEMblkpool *p;
	bool zeroes;
	_Atomic(pid_t) thread;
	atomic_bool is_held;
} held;

static void hold(int sig)
{
	(void)sig;
	atomic_store(&held.is_held, true);
	for (;;)
		pause();
}

/* Under another map lock. */
static void *write_for_ever(void *arg)
{
	atomic_store(&held.thread, (pid_t)syscall(SYS_gettid));
	if (held.zeroes)
		pmemblk_set_zero(held.p, 100);
	else
		byteblock_put(held.p, 100, 2);
	return arg;
}

static bool is_asleep(pid_t thread)
{
	char name[64];
	char text[256] = "";
	const char *end;
	int fd;

	snprintf(name, sizeof(name), "/proc/self/task/%d/stat", (int)thread);
	fd = open(name, O_RDONLY);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		abort();
	close(fd);
	end = strrchr(text, ')');
	return end && end[1] == ' ' && end[2] == 'S';
}

static void hold_another_write(void)
{
	pthread_t thread;

	signal(SIGUSR1, hold);
	if (pthread_create(&thread, NULL, write_for_ever, NULL) != 0)
		abort();
	while (!atomic_load(&held.thread) || !is_asleep(atomic_load(&held.thread)))
		sched_yield();
	pthread_kill(thread, SIGUSR1);
	while (!atomic_load(&held.is_held))
		sched_yield();
}

/*
 * Its child reads block 3 when this process has ended, and writes the byte to fd. takes_over: before
 * that it tries to take the pool over, and a sync fails.
 */
static void own_and_end(int fd, bool takes_over)
{
	int end_of_owner[2];
	pid_t pid;

	held.p = begin();
	if (pipe(end_of_owner) != 0 || byteblock_put(held.p, 3, 2) != 0)
		_exit(1);
	pid = fork();
	if (pid == 0) {
		char byte;

		alarm(60);
		close(end_of_owner[1]);
		while (read(end_of_owner[0], &byte, 1) > 0)
			;
		refused = takes_over;
		if (takes_over && byteblock_put(held.p, 4, 3) != -1)
			_exit(1);
		byte = (char)byteblock_get(held.p, 3);
		_exit(write(fd, &byte, 1) == 1 ? 0 : 1);
	}
	refused = true;
	at_refusal = hold_another_write;
	if (pid < 0 || byteblock_put(held.p, 4, 2) != -1)
		_exit(1);
	drop_first_page_of_map();
	_exit(0);
}

static void a_child_is_not_forgotten_if_the_owner_ends_in_a_failure(void **state)
{
	(void)state;
	if (SUPPORT_SANITIZED)
		skip(); /* a sanitizer may hold the signal back until the wait is over */
	for (int takes_over = 0; takes_over < 2; takes_over++) {
		int result[2];
		char byte = 0;
		int status;
		pid_t pid;

		assert_int_equal(pipe(result), 0);
		pid = fork();
		if (pid == 0)
			own_and_end(result[1], takes_over);
		close(result[1]);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		assert_int_equal(read(result[0], &byte, 1), 1);
		close(result[0]);
		assert_int_equal(byte, 2);
	}
}

/* The child's waits. */
static unsigned naps;
static bool naps_end;

SUPPORT_INTERPOSE int clock_nanosleep(clockid_t clock, int flags,
				      const struct timespec *t, struct timespec *left)
{
	if (!naps_end)
		return syscall(SYS_clock_nanosleep, clock, flags, t, left) == 0 ? 0
										: errno;
	naps++;
	return 0;
}

/* The owner stays, with a thread that is held when it has set a flag and may take it back. */
static void own_and_hang(void)
{
	int go[2];
	int status;
	pid_t pid;

	held.p = begin();
	held.zeroes = true;
	if (pipe(go) != 0 || byteblock_put(held.p, 100, 2) != 0)
		_exit(1);
	pid = fork();
	if (pid == 0) {
		char c;

		alarm(60);
		if (read(go[0], &c, 1) != 1 || byteblock_get(held.p, 3) != 1)
			_exit(2);
		naps_end = true;
		errno = 0;
		if (byteblock_get(held.p, 100) != -1 || errno != EBUSY || naps < 1000)
			_exit(3);
		_exit(byteblock_get(held.p, 3) == 1 ? 0 : 4);
	}
	refused = true;
	at_refusal = hold_another_write;
	if (pid < 0 || byteblock_put(held.p, 4, 2) != -1 || write(go[1], "x", 1) != 1 ||
	    waitpid(pid, &status, 0) != pid)
		_exit(5);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 6);
}

/* It does not wait for ever, either. */
static void a_child_does_not_believe_a_flag_that_may_be_taken_back(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	if (SUPPORT_SANITIZED)
		skip(); /* as above */
	pid = fork();
	if (pid == 0)
		own_and_hang();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/*
 * A child is held in the middle of a read, where it loads the map entry. Meanwhile a sync of the
 * owner fails, and the kernel evicts the page of the entry.
 */
static struct {
	void *page; /* the first one of the map */
	int to_owner[2];
	int to_child[2];
} held_read;

/* Where the pool's file is mapped. */
static char *find_mapping(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[600];
	char *start = NULL;

	if (!maps)
		abort();
	while (!start && fgets(line, sizeof(line), maps))
		if (strstr(line, path))
			start = (char *)strtoul(line, NULL, 16); /* NOLINT: an address */
	fclose(maps);
	return start;
}

static void hold_read(int sig, siginfo_t *info, void *context)
{
	char c = 0;

	(void)context;
	if (info->si_addr < held_read.page ||
	    (char *)info->si_addr >= (char *)held_read.page + PAGE) {
		signal(sig, SIG_DFL);
		return;
	}
	if (write(held_read.to_owner[1], "x", 1) != 1 ||
	    read(held_read.to_child[0], &c, 1) != 1 ||
	    mprotect(held_read.page, PAGE, PROT_READ | PROT_WRITE) != 0)
		_exit(9);
}

/* Returns the number of failures. */
static int read_twice(PMEMblkpool *p)
{
	const struct sigaction action = {.sa_sigaction = hold_read,
					 .sa_flags = SA_SIGINFO};
	int wrong = byteblock_get(p, 3) != 2; /* opens the view */

	if (sigaction(SIGSEGV, &action, NULL) != 0 ||
	    mprotect(held_read.page, PAGE, PROT_NONE) != 0)
		return 8;
	return wrong + (byteblock_get(p, 3) != 2);
}

static void a_sync_that_fails_during_a_child_s_read_is_noticed(void **state)
{
	PMEMblkpool *p;
	int status;
	pid_t pid;
	char c;

	(void)state;
	if (access("/proc/self/maps", R_OK) != 0)
		skip(); /* the pool cannot be found */
	p = begin();
	assert_int_equal(byteblock_put(p, 3, 2), 0);
	held_read.page = find_mapping() + map_off();
	assert_int_equal(pipe(held_read.to_owner), 0);
	assert_int_equal(pipe(held_read.to_child), 0);
	pid = fork();
	if (pid == 0) {
		alarm(60);
		_exit(read_twice(p));
	}
	close(held_read.to_owner[1]);
	assert_int_equal(read(held_read.to_owner[0], &c, 1), 1);
	refused = true;
	assert_int_equal(byteblock_put(p, 4, 2), -1);
	drop_first_page_of_map();
	assert_int_equal(write(held_read.to_child[1], "x", 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(held_read.to_owner[0]);
	close(held_read.to_child[0]);
	close(held_read.to_child[1]);
	pmemblk_close(p);
	assert_int_equal(pmemblk_check(path, 0), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_flag_never_brings_a_freed_block_back),
	    cmocka_unit_test(who_reads_after_a_failed_sync_reads_what_was_written),
	    cmocka_unit_test(a_write_whose_second_sync_failed_reads_as_before),
	    cmocka_unit_test(a_child_reads_after_a_failed_sync_what_was_written),
	    cmocka_unit_test(a_child_is_not_forgotten_if_the_owner_ends_in_a_failure),
	    cmocka_unit_test(a_child_does_not_believe_a_flag_that_may_be_taken_back),
	    cmocka_unit_test(a_sync_that_fails_during_a_child_s_read_is_noticed),
	};

	unsetenv("PMEM_IS_PMEM_FORCE");
	path = support_path(false, "pool");
	support_assert_ours((void *)pmemblk_create, "pmemblk_create");
	disk = malloc(SIZE);
	assert_non_null(disk);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
