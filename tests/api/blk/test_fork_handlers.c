/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Handlers of the program around fork(2) that use pools. They were registered before those of
 * the library, as in a program that loads it with dlopen(3): so before the fork they run last,
 * and after it first.
 */
#include "fork_fixture.h"

#include <pthread.h>

static PMEMblkpool *pool;
static void (*before)(void);
static void (*in_parent)(void);
static void (*in_child)(void);

static void call(void (*function)(void))
{
	if (function)
		function();
}

static void call_before(void)
{
	call(before);
}

static void call_in_parent(void)
{
	call(in_parent);
}

static void call_in_child(void)
{
	call(in_child);
}

static void register_handlers(void)
{
	pthread_atfork(call_before, call_in_parent, call_in_child);
}

/* Runs before the constructors of all libraries. */
__attribute__((section(".preinit_array"),
	       used)) static void (*const first)(void) = register_handlers;

static int forget_handlers(void **state)
{
	(void)state;
	before = NULL;
	in_parent = NULL;
	in_child = NULL;
	return 0;
}

static pid_t fork_in_time(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		alarm(15);
	return pid;
}

static void close_pool(void)
{
	pmemblk_close(pool);
	pool = NULL;
}

static void read_and_close(void)
{
	EXPECT(byteblock_get(pool, 3) == 7);
	EXPECT(byteblock_put(pool, 3, 8) == -1 && errno == EBUSY);
	close_pool();
}

static void write_block(void)
{
	EXPECT(byteblock_put(pool, 3, 7) == 0);
}

static void open_pool(void)
{
	pool = pmemblk_open(path, 0);
	EXPECT(pool != NULL);
}

static void a_handler_in_the_child_reads_and_closes(void **state)
{
	pid_t pid;

	(void)state;
	pool = create();
	write_block();
	in_child = read_and_close;
	pid = fork_in_time();
	if (pid == 0)
		_exit(pool != NULL);
	assert_ends_well(pid);
	write_block();
	close_pool();
}

static void a_handler_closes_before_the_fork_and_opens_after_it(void **state)
{
	pid_t pid;

	(void)state;
	pool = create();
	before = close_pool;
	in_parent = open_pool;
	pid = fork_in_time();
	if (pid == 0)
		_exit(pool != NULL);
	assert_ends_well(pid);
	write_block();
	close_pool();
}

/* Returns when the parent has closed it; the alarm ends a process that waits in vain. */
static void take_over(void)
{
	alarm(15);
	while (byteblock_put(pool, 3, 1) != 0)
		EXPECT(errno == EBUSY);
}

static void what_a_handler_in_the_child_has_taken_over_it_keeps(void **state)
{
	pid_t pid;

	(void)state;
	pool = create();
	in_child = take_over;
	pid = fork_in_time();
	if (pid == 0) {
		write_block();
		close_pool();
		_exit(0);
	}
	close_pool();
	assert_ends_well(pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_handler_in_the_child_reads_and_closes,
					    new_path, forget_handlers),
	    cmocka_unit_test_setup_teardown(
		a_handler_closes_before_the_fork_and_opens_after_it, new_path,
		forget_handlers),
	    cmocka_unit_test_setup_teardown(
		what_a_handler_in_the_child_has_taken_over_it_keeps, new_path,
		forget_handlers),
	};

	return run_on_both("fork_handlers", tests, sizeof(tests) / sizeof(tests[0]));
}
