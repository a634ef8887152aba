/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Marks, which end with their processes; api/blk/fork_owner shows how. The cases here show what
 * the number of a mark means in a process where that number means something else, or nothing.
 */
#include "support.h"

#include <errno.h>
#include <sched.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pool/liveness.h"

/* The errno with which IPC_STAT fails, as with a filter of system calls; 0: it works. */
static int stat_error;

SUPPORT_INTERPOSE int shmctl(int id, int cmd, struct shmid_ds *buf)
{
	if (cmd == IPC_STAT && stat_error) {
		errno = stat_error;
		return -1;
	}
	return (int)syscall(SYS_shmctl, id, cmd, buf);
}

static struct liveness_witness witness;
static struct liveness_mark mark;
static _Atomic(void *) half;

static int begin(void **state)
{
	(void)state;
	assert_true(liveness_begin(&witness));
	assert_true(liveness_set_mark(&witness, &mark, &half));
	return 0;
}

static int end(void **state)
{
	(void)state;
	liveness_drop_mark(&mark);
	liveness_end(&witness);
	return 0;
}

/* The judgement of a child after it has run prepare(); 99: prepare() failed. */
static int judge_in_child(bool (*prepare)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(prepare() ? (int)liveness_judge(&witness, mark.id) : 99);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static bool do_nothing(void)
{
	return true;
}

static void a_mark_is_there_until_it_is_dropped(void **state)
{
	(void)state;
	assert_int_equal(judge_in_child(do_nothing), LIVENESS_ALIVE);
	liveness_drop_mark(&mark);
	assert_int_equal(judge_in_child(do_nothing), LIVENESS_GONE);
}

static void without_a_witness_nothing_is_known(void **state)
{
	const struct liveness_witness none = {0};

	(void)state;
	assert_int_equal(liveness_judge(&none, mark.id), LIVENESS_UNKNOWN);
	liveness_drop_mark(&mark);
	assert_int_equal(liveness_judge(&none, mark.id), LIVENESS_UNKNOWN);
	assert_false(liveness_set_mark(&none, &mark, &half));
}

static bool enter_namespace(void)
{
	return unshare(CLONE_NEWIPC) == 0 || unshare(CLONE_NEWIPC | CLONE_NEWUSER) == 0;
}

static void in_another_namespace_nothing_is_known(void **state)
{
	int seen = judge_in_child(enter_namespace);

	(void)state;
	if (seen == 99)
		skip(); /* not allowed here */
	assert_int_equal(seen, LIVENESS_UNKNOWN);
}

/* The first segments of a namespace have the numbers 0 and 1. */
static bool begin_with_low_numbers(void)
{
	struct liveness_witness low;

	if (!enter_namespace())
		return false;
	if (!liveness_begin(&low) || low.id != 0 ||
	    !liveness_set_mark(&low, &mark, &half) || mark.id != 1)
		_exit(50);
	witness = low;
	return true;
}

static void zero_is_a_number_like_others(void **state)
{
	int seen = judge_in_child(begin_with_low_numbers);

	(void)state;
	if (seen == 99)
		skip(); /* not allowed here */
	assert_int_equal(seen, LIVENESS_ALIVE);
}

/* There is a segment with the witness's number, but none with the mark's. */
static bool imitate_witness(void)
{
	int id = -1;

	if (!enter_namespace())
		return false;
	for (int i = 0; i < 40000 && id != witness.id; i++) {
		if (id >= 0)
			shmctl(id, IPC_RMID, NULL);
		id = shmget(IPC_PRIVATE, sizeof(struct liveness_nonce), IPC_CREAT | 0600);
	}
	return id == witness.id;
}

static void an_imitation_of_the_witness_does_not_count(void **state)
{
	int seen = judge_in_child(imitate_witness);

	(void)state;
	if (seen == 99)
		skip(); /* not allowed here, or the kernel numbers segments in another way */
	assert_int_equal(seen, LIVENESS_UNKNOWN);
}

static bool mark_in_other_namespace(void)
{
	struct liveness_mark m = {0};

	return enter_namespace() && !liveness_set_mark(&witness, &m, &half) && !m.at;
}

static void no_mark_is_set_where_the_witness_is_not(void **state)
{
	(void)state;
	if (judge_in_child(enter_namespace) == 99)
		skip(); /* not allowed here */
	assert_int_equal(judge_in_child(mark_in_other_namespace), LIVENESS_UNKNOWN);
}

static bool become_nobody(void)
{
	return setuid(65534) == 0;
}

static void who_may_not_ask_does_not_know(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip(); /* only root can become another user */
	assert_int_equal(judge_in_child(become_nobody), LIVENESS_UNKNOWN);
	liveness_drop_mark(&mark);
	assert_int_equal(judge_in_child(become_nobody), LIVENESS_UNKNOWN);
}

static void an_answer_that_is_refused_is_none(void **state)
{
	static const int errors[] = {EACCES, EPERM, ENOSYS};

	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		stat_error = errors[i];
		assert_int_equal(liveness_judge(&witness, mark.id), LIVENESS_UNKNOWN);
	}
	stat_error = 0;
	assert_int_equal(liveness_judge(&witness, mark.id), LIVENESS_ALIVE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_mark_is_there_until_it_is_dropped, begin,
					    end),
	    cmocka_unit_test_setup_teardown(without_a_witness_nothing_is_known, begin,
					    end),
	    cmocka_unit_test_setup_teardown(zero_is_a_number_like_others, begin, end),
	    cmocka_unit_test_setup_teardown(in_another_namespace_nothing_is_known, begin,
					    end),
	    cmocka_unit_test_setup_teardown(an_imitation_of_the_witness_does_not_count,
					    begin, end),
	    cmocka_unit_test_setup_teardown(no_mark_is_set_where_the_witness_is_not,
					    begin, end),
	    cmocka_unit_test_setup_teardown(an_answer_that_is_refused_is_none, begin,
					    end),
	    cmocka_unit_test_setup_teardown(who_may_not_ask_does_not_know, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
