/* SPDX-License-Identifier: BSD-3-Clause */
/* While pools survive media errors: a program's handler may leave a call by a jump, and never return. */
#include "support.h"

#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "storage/sigbus.h"

static volatile sig_atomic_t own_calls;
static sigjmp_buf way_out;

static void jump(int sig)
{
	(void)sig;
	own_calls++;
	siglongjmp(way_out, 1);
}

static void *map_page(int flags, int fd)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, flags, fd, 0);

	assert_true(page != MAP_FAILED);
	return page;
}

/* Later faults of the thread are not in that pool, which may be closed by then. */
static void a_thread_may_jump_out_of_a_call_before_the_pool_is_closed(void **state)
{
	struct sigbus_watch *w = map_page(MAP_PRIVATE | MAP_ANONYMOUS, -1);
	char *memory = map_page(MAP_PRIVATE | MAP_ANONYMOUS, -1);
	int fd = memfd_create("lost", MFD_CLOEXEC);
	char *lost = map_page(MAP_SHARED, fd);
	struct sigaction own = {.sa_handler = jump};
	static struct sigbus_watch other;
	struct sigaction old;

	(void)state;
	assert_int_equal(sigaction(SIGBUS, &own, &old), 0);
	assert_int_equal(sigbus_watch(w, memory, 4096, 4096), 0);
	assert_int_equal(w->serial, 1); /* a free place must not look like this watch's */
	assert_int_equal(sigbus_watch(&other, memory, 4096, 4096), 0);
	own_calls = 0;
	sigbus_enter(w);
	if (sigsetjmp(way_out, 1) == 0)
		*(volatile char *)lost = 1;
	assert_int_equal(own_calls, 1);
	sigbus_unwatch(w);
	munmap(w, 4096);
	if (sigsetjmp(way_out, 1) == 0)
		*(volatile char *)lost = 1;
	assert_int_equal(own_calls, 2);
	sigbus_enter(&other);
	assert_false(sigbus_leave(&other));
	sigbus_unwatch(&other);
	munmap(lost, 4096);
	munmap(memory, 4096);
	close(fd);
	assert_int_equal(sigaction(SIGBUS, &old, NULL), 0);
}

/* A watched page that a call has lost, and the call that the program's handler has left. */
struct jumper {
	int fd;
	volatile char *memory; /* watched, and lost */
	volatile char *lost;   /* the program's own */
	struct sigaction old;
};

static struct sigbus_watch w;

static void lose_a_page_and_jump_out(struct jumper *j)
{
	struct sigaction own = {.sa_handler = jump};

	j->fd = memfd_create("lost", MFD_CLOEXEC);
	j->memory = map_page(MAP_SHARED, j->fd);
	j->lost = map_page(MAP_SHARED, j->fd);
	memset(&w, 0, sizeof(w));
	assert_int_equal(sigaction(SIGBUS, &own, &j->old), 0);
	assert_int_equal(sigbus_watch(&w, (void *)(uintptr_t)j->memory, 4096, 4096), 0);
	own_calls = 0;
	sigbus_enter(&w);
	assert_int_equal(*(volatile unsigned char *)j->memory, 0xff);
	if (sigsetjmp(way_out, 1) == 0)
		*j->lost = 1;
	assert_int_equal(own_calls, 1);
}

static void forget(struct jumper *j)
{
	sigbus_unwatch(&w);
	munmap((void *)(uintptr_t)j->memory, 4096);
	munmap((void *)(uintptr_t)j->lost, 4096);
	close(j->fd);
	assert_int_equal(sigaction(SIGBUS, &j->old, NULL), 0);
}

/* Otherwise the thread would wait for itself. */
static void a_thread_that_jumped_out_after_a_lost_page_may_come_again(void **state)
{
	struct jumper j;

	(void)state;
	lose_a_page_and_jump_out(&j);
	alarm(20);
	sigbus_epoch(&w);
	sigbus_enter(&w);
	alarm(0);
	assert_false(sigbus_leave(&w));
	assert_int_equal(own_calls, 1);
	forget(&j);
}

/*
 * The next pool is often where the last one was. The thread must not end its old call there: nobody
 * would wait for a replacement any more, or all would wait for ever.
 */
static void a_thread_that_jumped_out_changes_nothing_in_the_next_pool(void **state)
{
	struct jumper j;

	(void)state;
	lose_a_page_and_jump_out(&j);
	sigbus_unwatch(&w);
	memset(&w, 0, sizeof(w));
	assert_int_equal(sigbus_watch(&w, (void *)(uintptr_t)j.memory, 4096, 4096), 0);
	alarm(20);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(sigbus_epoch(&w), 0);
		assert_int_equal(w.open, 0);
		sigbus_enter(&w);
		assert_false(sigbus_leave(&w));
	}
	alarm(0);
	forget(&j);
}

/* Nobody else would end it. */
static void
a_call_that_was_left_by_a_jump_ends_when_its_thread_enters_another(void **state)
{
	static struct sigbus_watch other;
	char *memory = map_page(MAP_PRIVATE | MAP_ANONYMOUS, -1);
	struct jumper j;

	(void)state;
	alarm(20);
	lose_a_page_and_jump_out(&j);
	sigbus_enter(&w);
	assert_false(sigbus_leave(&w));
	forget(&j);
	lose_a_page_and_jump_out(&j);
	assert_int_equal(sigbus_watch(&other, memory, 4096, 4096), 0);
	sigbus_enter(&other);
	assert_int_equal(w.open, 0);
	assert_int_equal(w.replaced[0], 0);
	assert_false(sigbus_leave(&other));
	alarm(0);
	sigbus_unwatch(&other);
	forget(&j);
	munmap(memory, 4096);
}

static void a_child_does_not_end_the_call_that_its_parent_left_by_a_jump(void **state)
{
	struct jumper j;
	int status;
	pid_t pid;

	(void)state;
	lose_a_page_and_jump_out(&j);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		alarm(20);
		sigbus_forked(&w);
		if (w.open != 0)
			_exit(1);
		for (int i = 0; i < 2; i++) {
			sigbus_enter(&w);
			if (sigbus_leave(&w) || w.open != 0)
				_exit(2);
		}
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	forget(&j);
}

/* Has to run before the thread has entered any call. */
static void a_mapping_is_not_hit_outside_of_its_calls(void **state)
{
	static struct sigbus_watch other;

	(void)state;
	memset(&w, 0, sizeof(w));
	w.epoch = 5;
	assert_false(sigbus_is_hit(&w));
	sigbus_enter(&other);
	assert_false(sigbus_is_hit(&w));
	assert_false(sigbus_is_hit(&other));
	assert_false(sigbus_leave(&other));
	assert_false(sigbus_is_hit(&w));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_mapping_is_not_hit_outside_of_its_calls),
	    cmocka_unit_test(a_thread_may_jump_out_of_a_call_before_the_pool_is_closed),
	    cmocka_unit_test(a_thread_that_jumped_out_after_a_lost_page_may_come_again),
	    cmocka_unit_test(a_thread_that_jumped_out_changes_nothing_in_the_next_pool),
	    cmocka_unit_test(
		a_call_that_was_left_by_a_jump_ends_when_its_thread_enters_another),
	    cmocka_unit_test(
		a_child_does_not_end_the_call_that_its_parent_left_by_a_jump),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
