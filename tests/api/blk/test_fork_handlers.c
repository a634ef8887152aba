/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fork handlers of the program that use pools. They are registered before those of the library,
 * as in a program that loads the library with dlopen(3). So they run last before the fork, and
 * first after it. Also signal handlers that fork.
 */
#include "fork_fixture.h"

#include <fcntl.h>
#include <libpmem.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/shm.h>
#include <sys/syscall.h>

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

/* Waits until the parent has closed its end. An alarm ends a process that waits in vain. */
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

/* --- handlers that take a lock of the program --------------------------------------------- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool is_locked; /* the thread that calls the library holds the mutex */
static atomic_bool is_forking;
static atomic_bool is_done;
static void (*action)(void);
static const char *other;

/* The thread holds the mutex, and releases it when its calls have returned. */
static void wait_for_mutex(void)
{
	atomic_store(&is_forking, true);
	pthread_mutex_lock(&mutex);
}

static void unlock_mutex(void)
{
	pthread_mutex_unlock(&mutex);
}

static void *act_under_mutex(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&mutex);
	atomic_store(&is_locked, true);
	while (!atomic_load(&is_forking))
		sched_yield();
	action();
	pthread_mutex_unlock(&mutex);
	atomic_store(&is_done, true);
	return NULL;
}

static void open_and_close(void)
{
	PMEMblkpool *p = pmemblk_open(other, 512);

	EXPECT(p != NULL);
	EXPECT(byteblock_put(p, 1, 2) == 0);
	pmemblk_close(p);
}

static void fail_to_open(void)
{
	EXPECT(pmemblk_open(other, 4096) == NULL && errno == EINVAL);
}

static void create_and_check(void)
{
	const char *name = support_path(on_pmem, "fresh");
	PMEMblkpool *p = pmemblk_create(name, 512, SIZE, 0600);

	EXPECT(p != NULL);
	EXPECT(byteblock_put(p, 1, 2) == 0);
	pmemblk_close(p);
	EXPECT(pmemblk_check(name, 512) == 1);
	unlink(name);
}

static void map_and_unmap(void)
{
	const char *name = support_path(on_pmem, "mapped");
	size_t len;
	int is_pmem;
	void *addr = pmem_map_file(name, 8192, PMEM_FILE_CREATE, 0600, &len, &is_pmem);

	EXPECT(addr != NULL);
	EXPECT(is_pmem == 0 || pmem_is_pmem(addr, len));
	EXPECT(pmem_unmap(addr, len) == 0);
	unlink(name);
}

/*
 * Forks while a thread that holds the mutex is in the library. The program's handler waits for
 * the mutex.
 */
static void fork_during(void (*what)(void))
{
	pthread_t thread;
	pid_t pid;

	action = what;
	atomic_store(&is_locked, false);
	atomic_store(&is_forking, false);
	atomic_store(&is_done, false);
	assert_int_equal(pthread_create(&thread, NULL, act_under_mutex, NULL), 0);
	assert_int_equal(pthread_detach(thread), 0); /* the child could not join it */
	while (!atomic_load(&is_locked))
		sched_yield();
	before = wait_for_mutex;
	in_parent = unlock_mutex;
	in_child = unlock_mutex;
	pid = fork_in_time();
	forget_handlers(NULL);
	if (pid == 0) {
		action();
		EXPECT(byteblock_get(pool, 3) == 7);
		EXPECT(byteblock_put(pool, 3, 8) == -1 && errno == EBUSY);
		pmemblk_close(pool);
		_exit(0);
	}
	assert_ends_well(pid);
	while (!atomic_load(&is_done))
		sched_yield();
}

static void a_handler_may_wait_for_a_thread_that_calls_the_library(void **state)
{
	static void (*const actions[])(void) = {open_and_close, fail_to_open,
						create_and_check, map_and_unmap};
	int yes = 1;
	int no = 0;

	(void)state;
	pool = create();
	write_block();
	other = path;
	new_path(NULL);
	pmemblk_close(create());
	other = path;
	assert_int_equal(pmemblk_ctl_set(NULL, "sigbus.catch", &yes), 0);
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		fork_during(actions[i]);
	assert_int_equal(pmemblk_ctl_set(NULL, "sigbus.catch", &no), 0);
	write_block();
	close_pool();
}

/* A child that is forked while another thread opens a pool finds out when the owner has gone. */
static PMEMblkpool *late;

static void open_late(void)
{
	late = pmemblk_open(other, 512);
	EXPECT(late != NULL);
}

static void a_pool_that_is_opened_while_the_process_forks_is_inherited(void **state)
{
	int owner_is_there[2];
	pid_t pid;

	(void)state;
	pmemblk_close(create());
	other = path;
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	assert_int_equal(pipe2(owner_is_there, O_CLOEXEC), 0);
	pid = fork_in_time();
	if (pid == 0) {
		before = open_late;
		if (fork_in_time() == 0) {
			before = NULL;
			close(owner_is_there[1]);
			EXPECT(byteblock_put(late, 3, 8) == -1 && errno == EBUSY);
			/* its child has to ask the kernel, too */
			if (fork_in_time() == 0) {
				EXPECT(!await(owner_is_there[0]));
				EXPECT(byteblock_put(late, 3, 8) == 0);
				pmemblk_close(late);
				_exit(0);
			}
			_exit(0);
		}
		EXPECT(wait(NULL) > 0);
		_exit(0);
	}
	close(owner_is_there[1]);
	assert_ends_well(pid);
	assert_orphan_ends_well();
	close(owner_is_there[0]);
}

/* --- a handler that forks ------------------------------------------------------------------ */

static pid_t from_handler = -1;

/* Both processes then complete the fork in which the handler runs. */
static void fork_again(void)
{
	before = NULL;
	from_handler = fork();
}

static int nlive; /* pieces of memory that the library has */

static void *count_malloc(size_t size)
{
	nlive++;
	return malloc(size);
}

static void count_free(void *p)
{
	nlive -= p != NULL;
	free(p);
}

static void *count_realloc(void *p, size_t size)
{
	nlive += p == NULL;
	return realloc(p, size);
}

static char *count_strdup(const char *text)
{
	nlive++;
	return strdup(text);
}

static void a_child_that_a_handler_forks_frees_what_it_allocates(void **state)
{
	pid_t pid;

	(void)state;
	pmemblk_close(create());
	before = fork_again;
	pid = fork();
	if (pid == 0)
		_exit(0);
	if (from_handler == 0) {
		expect_ends_well(pid);
		pmemblk_set_funcs(count_malloc, count_free, count_realloc, count_strdup);
		for (int i = 0; i < 3; i++) {
			PMEMblkpool *p = pmemblk_open(path, 0);

			EXPECT(p && nlive > 0);
			pmemblk_close(p);
			EXPECT(nlive == 0);
		}
		_exit(0);
	}
	assert_ends_well(pid);
	assert_ends_well(from_handler);
}

/* --- handlers of signals ------------------------------------------------------------------- */

/* While this is set, the library is interrupted there by a signal whose handler forks. */
static bool is_interrupted_in_getpid;
static bool is_interrupted_in_shmget;
static int handler_forks;

static void interrupt(bool *is_due)
{
	if (!*is_due)
		return;
	*is_due = false;
	raise(SIGUSR1);
}

SUPPORT_INTERPOSE pid_t getpid(void)
{
	interrupt(&is_interrupted_in_getpid);
	return (pid_t)syscall(SYS_getpid);
}

SUPPORT_INTERPOSE int shmget(key_t key, size_t size, int flags)
{
	interrupt(&is_interrupted_in_shmget);
	return (int)syscall(SYS_shmget, key, size, flags);
}

static void fork_in_handler(int sig)
{
	pid_t pid = fork();
	int status;

	(void)sig;
	if (pid == 0)
		_exit(0);
	if (waitpid(pid, &status, 0) == pid && status == 0)
		handler_forks++;
}

static void a_handler_of_a_signal_may_fork_whatever_it_interrupts(void **state)
{
	struct sigaction sa = {.sa_handler = fork_in_handler};
	struct sigaction old;

	(void)state;
	assert_int_equal(sigaction(SIGUSR1, &sa, &old), 0);
	for (int in_fork = 0; in_fork < 2; in_fork++) {
		pid_t pid;

		handler_forks = 0;
		is_interrupted_in_getpid = !in_fork; /* when the pool gets its owner */
		pool = create();
		is_interrupted_in_shmget = in_fork; /* in the library's fork handler */
		pid = fork();
		if (pid == 0) {
			EXPECT(is_busy(pool));
			_exit(0);
		}
		assert_ends_well(pid);
		assert_false(is_interrupted_in_getpid || is_interrupted_in_shmget);
		assert_int_equal(handler_forks, 1);
		assert_int_equal(byteblock_put(pool, 1, 1), 0);
		pmemblk_close(pool);
		assert_int_equal(unlink(path), 0);
	}
	assert_int_equal(sigaction(SIGUSR1, &old, NULL), 0);
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
	    cmocka_unit_test_setup_teardown(
		a_handler_may_wait_for_a_thread_that_calls_the_library, new_path,
		forget_handlers),
	    cmocka_unit_test_setup_teardown(
		a_pool_that_is_opened_while_the_process_forks_is_inherited, new_path,
		forget_handlers),
	    cmocka_unit_test_setup_teardown(
		a_child_that_a_handler_forks_frees_what_it_allocates, new_path,
		forget_handlers),
	    cmocka_unit_test_setup(a_handler_of_a_signal_may_fork_whatever_it_interrupts,
				   new_path),
	};

	return run_on_both("fork_handlers", tests, sizeof(tests) / sizeof(tests[0]));
}
