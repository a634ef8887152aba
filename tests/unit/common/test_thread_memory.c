/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory of threads, also when there is none: the linker replaces calloc and pthread_setspecific. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"
#include "thread_memory.h"

enum { SIZE = 1000, THREADS = 24 };

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

static atomic_bool no_memory;
static struct thread_memory memory = {.size = SIZE};

void *__wrap_calloc(size_t n, size_t size)
{
	return atomic_load(&no_memory) ? NULL : __real_calloc(n, size);
}

int __real_pthread_setspecific(pthread_key_t key, const void *value);
int __wrap_pthread_setspecific(pthread_key_t key, const void *value);

static atomic_bool no_room_for_values;

int __wrap_pthread_setspecific(pthread_key_t key, const void *value)
{
	return atomic_load(&no_room_for_values) ? ENOMEM
						: __real_pthread_setspecific(key, value);
}

struct user {
	pthread_t thread;
	char *bytes;
	size_t size;
	bool is_new; /* the thread had no block before, and its new block is zero */
	bool stays;  /* find returns the same block as get */
};

static pthread_barrier_t together;

static bool is_zero(const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i])
			return false;
	return true;
}

static void *use(void *arg)
{
	struct user *u = arg;
	size_t size = 0;

	u->is_new = thread_memory_find(&memory) == NULL;
	u->bytes = thread_memory_get(&memory, &u->size);
	if (u->bytes) {
		u->is_new &= is_zero(u->bytes, u->size);
		memset(u->bytes, 'x', u->size);
	}
	u->stays = thread_memory_find(&memory) == u->bytes &&
		   (!u->bytes ||
		    (thread_memory_get(&memory, &size) == u->bytes && size == u->size));
	pthread_barrier_wait(&together);
	return NULL;
}

/* Runs so many threads at once. Returns how many of them got a block. */
static int run(struct user *u, int n)
{
	int got = 0;

	assert_int_equal(pthread_barrier_init(&together, NULL, (unsigned)n), 0);
	for (int i = 0; i < n; i++)
		assert_int_equal(pthread_create(&u[i].thread, NULL, use, &u[i]), 0);
	for (int i = 0; i < n; i++)
		assert_int_equal(pthread_join(u[i].thread, NULL), 0);
	pthread_barrier_destroy(&together);
	for (int i = 0; i < n; i++) {
		assert_true(u[i].is_new);
		assert_true(u[i].stays);
		got += u[i].bytes != NULL;
		for (int j = 0; u[i].bytes && j < i; j++)
			assert_ptr_not_equal(u[i].bytes, u[j].bytes);
	}
	return got;
}

static void each_thread_has_zeroed_memory_of_its_own(void **state)
{
	struct user u[THREADS];

	(void)state;
	assert_int_equal(thread_memory_load(&memory), 0);
	assert_int_equal(run(u, THREADS), THREADS);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(u[i].size, SIZE);
	thread_memory_unload(&memory);
}

static void it_is_handed_on_when_the_thread_ends(void **state)
{
	struct user first;
	struct user second;

	(void)state;
	assert_int_equal(thread_memory_load(&memory), 0);
	assert_int_equal(run(&first, 1), 1);
	assert_int_equal(run(&second, 1), 1);
	assert_ptr_equal(first.bytes, second.bytes);
	thread_memory_unload(&memory);
}

static void without_memory_some_threads_get_a_spare(void **state)
{
	struct user u[THREADS];

	(void)state;
	assert_int_equal(thread_memory_load(&memory), 0);
	for (int round = 0; round < 2; round++) {
		atomic_store(&no_memory, true);
		assert_int_equal(run(u, THREADS), 16);
		atomic_store(&no_memory, false);
		for (int i = 0; i < THREADS; i++)
			if (u[i].bytes)
				assert_int_equal(u[i].size, THREAD_MEMORY_SPARE);
	}
	thread_memory_unload(&memory);
}

/* It would never be handed on. */
static void what_a_thread_cannot_remember_is_left_to_others(void **state)
{
	struct user u[THREADS];
	size_t size;

	(void)state;
	assert_int_equal(thread_memory_load(&memory), 0);
	atomic_store(&no_memory, true);
	atomic_store(&no_room_for_values, true);
	for (int i = 0; i < THREADS; i++)
		assert_null(thread_memory_get(&memory, &size));
	atomic_store(&no_room_for_values, false);
	assert_int_equal(run(u, THREADS), 16);
	atomic_store(&no_memory, false);
	thread_memory_unload(&memory);
}

/* Like a thread whose call fails while the process ends, after the library's destructors. */
static void after_unload_nobody_gets_any(void **state)
{
	size_t size;

	(void)state;
	assert_int_equal(thread_memory_load(&memory), 0);
	assert_non_null(thread_memory_get(&memory, &size));
	thread_memory_unload(&memory);
	assert_null(thread_memory_find(&memory));
	assert_null(thread_memory_get(&memory, &size));
}

static struct thread_memory late = {.size = SIZE};

static void end_without_memory(void)
{
	size_t size;
	char *mine;
	bool stays;

	thread_memory_unload(&late);
	atomic_store(&no_memory, true);
	mine = thread_memory_get(&late, &size);
	stays = mine && thread_memory_find(&late) == mine &&
		thread_memory_get(&late, &size) == mine;
	_exit(stays && size == THREAD_MEMORY_SPARE ? 0 : 1);
}

/* Its value is gone with the key, so that the thread is looked for. */
static void a_thread_that_goes_on_during_exit_keeps_its_spare(void **state)
{
	size_t size;
	int status;
	pid_t pid;

	(void)state;
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		alarm(20);
		atexit(end_without_memory);
		if (thread_memory_load(&memory) != 0 || thread_memory_load(&late) != 0 ||
		    !thread_memory_get(&memory, &size)) /* notes the exit */
			_exit(2);
		exit(3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static char *late_bytes; /* of the thread that ends the process */

static void *get_and_stay(void *arg)
{
	size_t size;
	char *bytes = thread_memory_get(&late, &size);

	if (!bytes)
		_exit(4);
	strcpy(bytes, "of another thread");
	pthread_barrier_wait(arg);
	for (;;)
		pause();
	return NULL;
}

static void end_with_memory(void)
{
	thread_memory_unload(&late);
	_exit(thread_memory_find(&late) == late_bytes &&
		      strcmp(late_bytes, "of this thread") == 0
		  ? 0
		  : 1);
}

/* order: of the two threads, this one is the first or the second to get memory */
static void end_beside_another(int order)
{
	pthread_barrier_t ready;
	pthread_t other;
	size_t size;

	alarm(20);
	atexit(end_with_memory);
	if (thread_memory_load(&late) != 0 || pthread_barrier_init(&ready, NULL, 2) != 0)
		_exit(2);
	for (int i = 0; i < 2; i++) {
		if (i == order) {
			late_bytes = thread_memory_get(&late, &size);
			if (!late_bytes)
				_exit(5);
			strcpy(late_bytes, "of this thread");
			continue;
		}
		if (pthread_create(&other, NULL, get_and_stay, &ready) != 0)
			_exit(6);
		pthread_barrier_wait(&ready);
	}
	exit(3);
}

/* Of several threads' memory each one finds its own, in whatever order they got it. */
static void a_thread_that_goes_on_during_exit_keeps_its_memory(void **state)
{
	(void)state;
	fflush(NULL);
	for (int order = 0; order < 2; order++) {
		int status;
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0)
			end_beside_another(order);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
}

/* A key that is not deleted is lost for the program. */
static void loading_again_and_again_leaves_no_key_behind(void **state)
{
	size_t size;

	(void)state;
	for (int i = 0; i < 2000; i++) {
		assert_int_equal(thread_memory_load(&memory), 0);
		assert_non_null(thread_memory_get(&memory, &size));
		thread_memory_unload(&memory);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_thread_has_zeroed_memory_of_its_own),
	    cmocka_unit_test(it_is_handed_on_when_the_thread_ends),
	    cmocka_unit_test(without_memory_some_threads_get_a_spare),
	    cmocka_unit_test(what_a_thread_cannot_remember_is_left_to_others),
	    cmocka_unit_test(after_unload_nobody_gets_any),
	    cmocka_unit_test(a_thread_that_goes_on_during_exit_keeps_its_spare),
	    cmocka_unit_test(a_thread_that_goes_on_during_exit_keeps_its_memory),
	    cmocka_unit_test(loading_again_and_again_leaves_no_key_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
