/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * No memory. Each allocation fails in turn: of create, open, check, the first write, and of reads
 * and writes in a forked process; those through pmemblk_set_funcs() and those of the C library.
 * The failed calls must not leave memory, descriptors or mappings behind.
 */
#include <libpmemblk.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "failing_alloc.h"
#include "image.h"
#include "support.h"

#define SIZE ((size_t)17 << 20)

static const char *path; /* the path of a pool file, which may not exist yet */
static const char *set;	 /* a set of two parts and a set of directories */
static const char *dirs;
static const char *part[2];

enum action {
	CREATE,
	CREATE_OVER, /* an existing file */
	CREATE_SET,
	OPEN,
	CHECK,
	CHECK_SET,
	WRITE,
	WRITE_WATCHED, /* with sigbus.catch */
	OPEN_SET,
	OPEN_DIRS,
	READ_FORKED, /* in a child of the process that opened the pool */
	TAKE_OVER,   /* the same with a write, when that process has gone */
	ACTIONS
};

static bool is_first_write(enum action action)
{
	return action == WRITE || action == WRITE_WATCHED;
}

static void prepare(enum action action)
{
	char block[512] = "x";
	PMEMblkpool *p = NULL;

	unlink(path);
	unlink(part[0]);
	unlink(part[1]);
	if (action == CREATE_SET) {
		image_make_zero(part[1], SIZE / 2);
		return;
	}
	if (action == CREATE_OVER)
		image_make_zero(path, SIZE);
	if (action == CREATE || action == CREATE_OVER)
		return;
	if (action == OPEN_SET || action == CHECK_SET)
		p = pmemblk_create(set, 512, 0, 0644);
	else if (action != OPEN_DIRS)
		p = pmemblk_create(path, 512, SIZE, 0644);
	else if ((p = pmemblk_open(dirs, 0)) == NULL)
		p = pmemblk_create(dirs, 512, 0, 0644);
	if (!p)
		fail_msg("%s", pmemblk_errormsg());
	if (!is_first_write(action))
		assert_int_equal(pmemblk_write(p, block, 3), 0);
	pmemblk_close(p);
}

/* The result of a child. */
static struct answer {
	int err;
	long calls;
	bool ended_well;
} * answer;

/* Runs in the child: the call fails once, then succeeds, and must leave nothing behind. */
static void act_forked(enum action action, bool libc, long at, PMEMblkpool *p,
		       const struct held *before)
{
	char block[512] = "";
	struct held after;
	int ret;

	errno = 0;
	arm(libc, at);
	ret = action == READ_FORKED ? pmemblk_read(p, block, 3)
				    : pmemblk_write(p, block, 3);
	disarm();
	answer->err = ret == 0 ? 0 : errno;
	answer->calls = calls;
	ret = pmemblk_read(p, block, 3);
	if (ret != 0 || block[0] != (answer->err || action == READ_FORKED ? 'x' : 0))
		_exit(1);
	if (action == TAKE_OVER && pmemblk_write(p, block, 3) != 0)
		_exit(1);
	pmemblk_close(p);
	after = held_now();
	answer->ended_well = is_same(&after, before);
	if (!answer->ended_well)
		fprintf(stderr, "live %ld %ld, descriptors %ld, mappings %ld %ld more\n",
			after.live - before->live, after.libc_live - before->libc_live,
			after.descriptors - before->descriptors,
			after.mappings - before->mappings, after.shared - before->shared);
	_exit(0);
}

/* Starts a process that owns the pool; its child does the action. */
static int act_in_child(enum action action, bool libc, long at)
{
	int gone[2], ended[2];
	char c;
	pid_t owner;

	*answer = (struct answer){.err = -1};
	fflush(NULL);
	/* The first pipe is closed when the owner ends, the second when both have ended. */
	assert_int_equal(pipe2(gone, O_CLOEXEC), 0);
	assert_int_equal(pipe2(ended, O_CLOEXEC), 0);
	owner = fork();
	assert_true(owner >= 0);
	if (owner == 0) {
		struct held before = held_now();
		PMEMblkpool *p = pmemblk_open(path, 0);

		if (p && fork() == 0) {
			if (action == TAKE_OVER) {
				/* keeps the number of descriptors the same */
				dup2(gone[0], gone[1]);
				while (read(gone[0], &c, 1) != 0)
					;
			}
			act_forked(action, libc, at, p, &before);
		}
		if (p && action == READ_FORKED) {
			wait(NULL);
			pmemblk_close(p);
		}
		_exit(p ? 0 : 1);
	}
	close(gone[0]);
	close(gone[1]);
	close(ended[1]);
	assert_int_equal(read(ended[0], &c, 1), 0);
	close(ended[0]);
	assert_int_equal(waitpid(owner, NULL, 0), owner);
	calls = answer->calls;
	assert_true(answer->ended_well);
	return answer->err;
}

/* Does the action with the failing allocation. Returns 0 or the errno. */
static int act(enum action action, bool libc, long at)
{
	char block[512] = "y";
	PMEMblkpool *p = NULL;
	int err = 0;

	if (action == READ_FORKED || action == TAKE_OVER)
		return act_in_child(action, libc, at);
	if (is_first_write(action)) {
		int catches = action == WRITE_WATCHED;

		assert_int_equal(pmemblk_ctl_set(NULL, "sigbus.catch", &catches), 0);
		p = pmemblk_open(path, 0);
		assert_non_null(p);
		catches = 0;
		assert_int_equal(pmemblk_ctl_set(NULL, "sigbus.catch", &catches), 0);
	}
	errno = 0;
	arm(libc, at);
	switch (action) {
	case CREATE:
		p = pmemblk_create(path, 512, SIZE, 0644);
		break;
	case CREATE_OVER:
		p = pmemblk_create(path, 512, 0, 0644);
		break;
	case CREATE_SET:
		p = pmemblk_create(set, 512, 0, 0644);
		break;
	case OPEN:
		p = pmemblk_open(path, 512);
		break;
	case OPEN_SET:
		p = pmemblk_open(set, 512);
		break;
	case OPEN_DIRS:
		p = pmemblk_open(dirs, 512);
		break;
	case CHECK:
	case CHECK_SET:
		if (pmemblk_check(action == CHECK ? path : set, 512) != 1)
			err = errno;
		disarm();
		return err;
	case WRITE:
	case WRITE_WATCHED:
	case READ_FORKED:
	case TAKE_OVER:
	case ACTIONS:
		if (pmemblk_write(p, block, 3) != 0)
			err = errno;
		break;
	}
	if (!p)
		err = errno;
	disarm();
	if (p)
		pmemblk_close(p);
	return err;
}

static void try_all(enum action action, bool libc)
{
	uint64_t before = 0;
	bool file_before;
	long at;

	for (at = 1; at < 1000; at++) {
		struct held held_before;
		struct held held_after;
		int err;

		prepare(action);
		file_before = access(path, F_OK) == 0;
		if (file_before)
			before = image_hash(path);
		else if (action == CREATE_SET)
			before = image_hash(part[1]);
		held_before = held_now();
		err = act(action, libc, at);
		held_after = held_now();
		assert_same(&held_after, &held_before);
		if (err == 0 && calls < at)
			break; /* the action needs fewer allocations than that */
		if (err == 0 && libc)
			/* an allocation that may fail, like that of the error text */
			continue;
		if (err != ENOMEM)
			fail_msg("action %d, allocation %ld: %s: %s", action, at,
				 strerror(err), pmemblk_errormsg());
		assert_int_equal(access(path, F_OK) == 0, file_before);
		if (action == CREATE_SET) {
			assert_int_equal(access(part[0], F_OK), -1);
			assert_int_equal(image_hash(part[1]), before);
		} else if (file_before && !is_first_write(action) &&
			   action != TAKE_OVER) {
			/* Marking a pool as open and then as closed is not a change. */
			if (image_hash(path) != before)
				fail_msg("action %d, allocation %ld changed the file",
					 action, at);
		}
	}
	assert_true(at > 1 && at < 1000);
}

static void B18_a_failing_allocator_is_ENOMEM_everywhere(void **state)
{
	(void)state;
	pmemblk_set_funcs(own_malloc, own_free, own_realloc, own_strdup);
	for (int action = 0; action < ACTIONS; action++)
		try_all((enum action)action, false);
	assert_int_equal(live, 0);
	pmemblk_set_funcs(NULL, NULL, NULL, NULL);
}

static void memory_goes_back_to_where_it_came_from(void **state)
{
	char block[512] = "z";
	PMEMblkpool *p;

	(void)state;
	prepare(CREATE);
	pmemblk_set_funcs(own_malloc, own_free, own_realloc, own_strdup);
	p = pmemblk_create(path, 512, SIZE, 0644);
	assert_non_null(p);
	assert_true(live > 0);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(pmemblk_write(p, block, i), 0);
	pmemblk_close(p);
	assert_int_equal(live, 0);
	p = pmemblk_open(path, 0);
	assert_non_null(p);
	calls = 0;
	assert_int_equal(pmemblk_write(p, block, 0), 0);
	assert_int_equal(pmemblk_read(p, block, 0), 0);
	assert_int_equal(calls, 0);
	pmemblk_close(p);
	assert_int_equal(pmemblk_check(path, 0), 1);
	assert_int_equal(live, 0);
	pmemblk_set_funcs(NULL, NULL, NULL, NULL);
}

static void malloc_failing_at_any_call_is_survived(void **state)
{
	(void)state;
#if OWN_MALLOC
	for (int action = 0; action < ACTIONS; action++)
		try_all((enum action)action, true);
#else
	print_message("skip: the sanitizer has malloc\n");
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(B18_a_failing_allocator_is_ENOMEM_everywhere),
	    cmocka_unit_test(memory_goes_back_to_where_it_came_from),
	    cmocka_unit_test(malloc_failing_at_any_call_is_survived),
	};
	char text[512];
	const char *dir;

	setenv("PMEM_IS_PMEM_FORCE", "1", 1);
	support_assert_ours((void *)pmemblk_create, "pmemblk_create");
	path = support_path(true, "pool");
	set = support_path(true, "set");
	dirs = support_path(true, "dirs");
	part[0] = support_path(true, "part0");
	part[1] = support_path(true, "part1");
	dir = support_path(true, "dir");
	mkdir(dir, 0755);
	snprintf(text, sizeof(text), "PMEMPOOLSET\n%zu %s\n%zu %s\n", SIZE / 2, part[0],
		 SIZE / 2, part[1]);
	support_write_file(set, text, strlen(text));
	snprintf(text, sizeof(text), "PMEMPOOLSET\nOPTION SINGLEHDR\n1G %s\n", dir);
	support_write_file(dirs, text, strlen(text));
	answer = mmap(NULL, sizeof(*answer), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (answer == MAP_FAILED)
		return 1;
	prepare(OPEN); /* after the first pool the library keeps some mappings */
	/* a thread keeps what it needs to survive media errors */
	if (act(WRITE_WATCHED, false, 0) != 0)
		return 1;
	unlink(path);
	/* After its first error a thread keeps the memory for its message. */
	assert_null(pmemblk_open(path, 0));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
