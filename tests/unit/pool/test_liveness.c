/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Marks, which end with their processes; api/blk/fork_owner shows how. The cases here show what
 * the number of a mark means in a process where that number means something else, or nothing.
 */
#include "support.h"

#include <errno.h>
#include <sched.h>
#include <sys/ipc.h>
#include <sys/mman.h>
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

/* Counts down; the call at which it becomes 0 fails, as without address space. 0: none does. */
static int failing_attach;

SUPPORT_INTERPOSE void *shmat(int id, const void *addr, int flags)
{
	if (failing_attach > 0 && --failing_attach == 0) {
		errno = ENOMEM;
		return (void *)-1;
	}
	return (void *)syscall(SYS_shmat, id, addr, flags); /* NOLINT: an address */
}

static int get_error; /* as stat_error, for new segments */
static int last_id;   /* the number of the last new one */

SUPPORT_INTERPOSE int shmget(key_t key, size_t size, int flags)
{
	if (get_error) {
		errno = get_error;
		return -1;
	}
	last_id = (int)syscall(SYS_shmget, key, size, flags);
	return last_id;
}

static bool all_is_inherited; /* the kernel refuses MADV_DONTFORK */

SUPPORT_INTERPOSE int madvise(void *addr, size_t len, int advice)
{
	if (all_is_inherited && advice == MADV_DONTFORK) {
		errno = EINVAL;
		return -1;
	}
	return (int)syscall(SYS_madvise, addr, len, advice);
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

static void segments_are_private_and_end_with_their_last_process(void **state)
{
	const int ids[] = {witness.id, mark.id};
	struct liveness_witness other;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct shmid_ds segment;

		assert_int_equal(shmctl(ids[i], IPC_STAT, &segment), 0);
		assert_int_equal(segment.shm_perm.mode & 0777, 0600);
		assert_true(segment.shm_perm.mode & SHM_DEST);
	}
	assert_true(liveness_begin(&other));
	assert_memory_not_equal(other.content, witness.content, sizeof(*other.content));
	liveness_end(&other);
}

static bool mark_as_nobody(void)
{
	struct liveness_witness w;
	struct liveness_mark m = {0};

	if (!become_nobody() || !liveness_begin(&w))
		return false;
	if (!liveness_set_mark(&w, &m, &half))
		return false;
	witness = w;
	mark = m;
	return true;
}

static void a_user_other_than_root_sets_marks_too(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip(); /* all other cases show it */
	assert_int_equal(judge_in_child(mark_as_nobody), LIVENESS_ALIVE);
}

static void assert_no_mark(unsigned reserved)
{
	struct liveness_mark m = {0};

	assert_false(liveness_set_mark(&witness, &m, &half));
	assert_null(m.at);
	assert_null(atomic_load(&half));
	assert_int_equal(support_count_mappings("---p"), reserved);
}

static void what_cannot_be_attached_is_no_mark(void **state)
{
	struct liveness_witness other;
	unsigned reserved = support_count_mappings("---p");

	(void)state;
	failing_attach = 1;
	assert_false(liveness_begin(&other));
	assert_null(other.content);
	for (int i = 1; i <= 2; i++) {
		failing_attach = i; /* the witness, then the mark */
		assert_no_mark(reserved);
		assert_int_equal(failing_attach, 0);
	}
	failing_attach = 1;
	assert_int_equal(liveness_judge(&witness, mark.id), LIVENESS_UNKNOWN);
	assert_int_equal(liveness_judge(&witness, mark.id), LIVENESS_ALIVE);
	get_error = ENOSPC;
	assert_false(liveness_begin(&other));
	assert_no_mark(reserved);
	get_error = 0;
}

static void a_mark_that_children_would_inherit_is_none(void **state)
{
	struct shmid_ds segment;

	(void)state;
	all_is_inherited = true;
	assert_no_mark(support_count_mappings("---p"));
	all_is_inherited = false;
	assert_int_not_equal(last_id, mark.id);
	errno = 0;
	assert_int_equal(shmctl(last_id, IPC_STAT, &segment), -1);
	assert_true(errno == EINVAL || errno == EIDRM);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(a_mark_is_there_until_it_is_dropped),
	    CASE(without_a_witness_nothing_is_known),
	    CASE(zero_is_a_number_like_others),
	    CASE(in_another_namespace_nothing_is_known),
	    CASE(an_imitation_of_the_witness_does_not_count),
	    CASE(no_mark_is_set_where_the_witness_is_not),
	    CASE(an_answer_that_is_refused_is_none),
	    CASE(who_may_not_ask_does_not_know),
	    CASE(segments_are_private_and_end_with_their_last_process),
	    CASE(a_user_other_than_root_sets_marks_too),
	    CASE(what_cannot_be_attached_is_no_mark),
	    CASE(a_mark_that_children_would_inherit_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
