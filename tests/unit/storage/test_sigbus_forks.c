/* SPDX-License-Identifier: BSD-3-Clause */
/* Forks while another thread has replaced a lost page for a moment. */
#include "sigbus_fixture.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { TAKING_FREELY, TAKING_ARMED, TAKING_STOPPED, TAKING_ON };

/* The state of the thread that is about to remove a replacement. */
static atomic_int taking;

SUPPORT_INTERPOSE int memfd_create(const char *name, unsigned flags)
{
	int armed = TAKING_ARMED;

	if (atomic_compare_exchange_strong(&taking, &armed, TAKING_STOPPED))
		while (atomic_load(&taking) == TAKING_STOPPED)
			sched_yield();
	return (int)syscall(SYS_memfd_create, name, flags);
}

static void *read_lost_block(void *arg)
{
	(void)arg;
	return get(7) == -1 ? NULL : (void *)1;
}

static int getv(long long lba)
{
	unsigned char block[BSIZE];
	const struct pmemblk_iovec iov = {block, lba, 1};

	return pmemblk_readv(pool, &iov, 1, NULL) == 0 ? block[0] : -1;
}

/* When the parent has closed the pool. */
static void take_over(const int end_of_owner[2])
{
	char c;

	close(end_of_owner[1]);
	if (read(end_of_owner[0], &c, 1) != 0)
		_exit(110);
	if (put(8, 8) != 0)
		_exit(111);
}

static void call_first(int which, const int end_of_owner[2])
{
	if (which == 1 && getv(8) != 8)
		_exit(109);
	if (which == 2)
		take_over(end_of_owner);
}

static void a_child_inherits_no_replacement_and_waits_for_nobody(void **state)
{
	(void)state;
	if (support_is_emulated())
		skip();
	for (int which = 0; which < 3; which++) {
		int end_of_owner[2];
		pthread_t thread;
		void *failed;
		int status;
		pid_t pid;

		make_pool();
		assert_int_equal(pipe(end_of_owner), 0);
		lose_page(data_off(7));
		atomic_store(&taking, TAKING_ARMED);
		assert_int_equal(pthread_create(&thread, NULL, read_lost_block, NULL), 0);
		while (atomic_load(&taking) != TAKING_STOPPED)
			sched_yield();
		pid = fork();
		if (pid == 0) {
			alarm(20);
			atomic_store(&taking, TAKING_ON);
			call_first(which, end_of_owner);
			for (int round = 0; round < 3; round++)
				for (int i = 0; i < 100; i++)
					if (get(i) != (i == 7 ? -1 : i))
						_exit(1 + i);
			pmemblk_close(pool);
			_exit(0);
		}
		if (which < 2)
			assert_int_equal(waitpid(pid, &status, 0), pid);
		atomic_store(&taking, TAKING_ON);
		assert_int_equal(pthread_join(thread, &failed), 0);
		assert_null(failed);
		atomic_store(&taking, TAKING_FREELY);
		assert_int_equal(get(8), 8);
		drop_pool();
		close(end_of_owner[0]);
		close(end_of_owner[1]);
		if (which == 2)
			assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_child_inherits_no_replacement_and_waits_for_nobody),
	};

	setenv("PMEM_IS_PMEM_FORCE", "1", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
