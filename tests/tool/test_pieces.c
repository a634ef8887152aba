/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pieces are taken and put in order, while several threads work on them. The linker puts a function that
 * counts in place of pthread_create.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "commands/pieces.h"
#include "support.h"

#define NPIECE 500u

struct job {
	unsigned npiece;
	unsigned fail_at; /* put() of this piece returns false */
	unsigned ntaken;
	unsigned nput;
	atomic_uint nworked;
	unsigned want_at_once; /* work() waits until so many threads are in it */
	unsigned at_once;
	pthread_mutex_t lock; /* of at_once */
	pthread_cond_t more;
};

static bool take(void *arg, struct piece *piece)
{
	struct job *job = arg;

	if (job->ntaken == job->npiece)
		return false;
	piece->first = job->ntaken++;
	memset(piece->buf, 0, 8);
	return true;
}

static void work(void *arg, struct piece *piece)
{
	struct job *job = arg;

	if (piece->first < job->want_at_once) {
		pthread_mutex_lock(&job->lock);
		job->at_once++;
		pthread_cond_broadcast(&job->more);
		while (job->at_once < job->want_at_once)
			pthread_cond_wait(&job->more, &job->lock);
		pthread_mutex_unlock(&job->lock);
	}
	memcpy(piece->buf, &piece->first, sizeof(piece->first));
	atomic_fetch_add(&job->nworked, 1);
}

static bool put(void *arg, const struct piece *piece)
{
	struct job *job = arg;
	uint64_t in_buf;

	memcpy(&in_buf, piece->buf, sizeof(in_buf));
	assert_int_equal(piece->first, job->nput);
	assert_int_equal(piece->number, job->nput);
	assert_int_equal(in_buf, job->nput);
	job->nput++;
	return piece->first != job->fail_at;
}

static bool run(struct job *job, unsigned nthread, size_t piece_size)
{
	struct pieces_job pieces = {.arg = job,
				    .take = take,
				    .work = work,
				    .put = put,
				    .piece_size = piece_size,
				    .nthread = nthread};

	pthread_mutex_init(&job->lock, NULL);
	pthread_cond_init(&job->more, NULL);
	return pieces_run(&pieces);
}

static void all_pieces_are_put_in_order(void **state)
{
	static const unsigned threads[] = {1, 2, 7, 64, 1000};

	(void)state;
	for (size_t i = 0; i < sizeof(threads) / sizeof(threads[0]); i++) {
		struct job job = {.npiece = NPIECE, .fail_at = NPIECE};

		assert_true(run(&job, threads[i], 64));
		assert_int_equal(job.nput, NPIECE);
		assert_int_equal(atomic_load(&job.nworked), NPIECE);
	}
}

static void as_many_are_worked_on_at_once_as_there_are_threads(void **state)
{
	struct job job = {.npiece = NPIECE, .fail_at = NPIECE, .want_at_once = 16};

	(void)state;
	assert_true(run(&job, 16, 64));
	assert_int_equal(job.nput, NPIECE);
}

static unsigned nstarted;

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
			  void *(*start)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
			  void *(*start)(void *), void *arg);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
			  void *(*start)(void *), void *arg)
{
	nstarted++;
	return __real_pthread_create(thread, attr, start, arg);
}

/* The caller works, too. */
static void no_more_threads_are_started_than_have_room(void **state)
{
	static const struct {
		unsigned nthread;
		size_t piece_size;
		unsigned nstarted;
	} cases[] = {{1, 64, 0},
		     {16, 64, 15},
		     {65, 64, 64},
		     {1000, 64, 64},
		     {1000, (size_t)16 << 20, 15},
		     {1000, (size_t)128 << 20, 1}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct job job = {.npiece = NPIECE, .fail_at = NPIECE};

		nstarted = 0;
		assert_true(run(&job, cases[i].nthread, cases[i].piece_size));
		assert_int_equal(nstarted, cases[i].nstarted);
	}
}

static void a_put_that_fails_is_the_last(void **state)
{
	static const unsigned at[] = {0, 1, 17, NPIECE - 1};

	(void)state;
	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		struct job job = {.npiece = NPIECE, .fail_at = at[i]};

		assert_true(run(&job, 8, 64));
		assert_int_equal(job.nput, at[i] + 1);
		/* What other threads had begun. */
		assert_true(atomic_load(&job.nworked) <= at[i] + 8);
	}
}

static void nothing_to_take_is_no_error(void **state)
{
	struct job job = {.npiece = 0, .fail_at = NPIECE};

	(void)state;
	assert_true(run(&job, 8, 64));
	assert_int_equal(job.nput, 0);
}

static void pieces_of_any_size_find_memory_or_none_is_taken(void **state)
{
	struct job job = {.npiece = 3, .fail_at = NPIECE};

	(void)state;
	if (SUPPORT_SANITIZED)
		skip();
	assert_true(run(&job, 8, (size_t)300 << 20)); /* more than all have together */
	assert_int_equal(job.nput, 3);
	assert_false(run(&job, 8, SIZE_MAX / 2));
	assert_int_equal(job.nput, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_pieces_are_put_in_order),
	    cmocka_unit_test(as_many_are_worked_on_at_once_as_there_are_threads),
	    cmocka_unit_test(no_more_threads_are_started_than_have_room),
	    cmocka_unit_test(a_put_that_fails_is_the_last),
	    cmocka_unit_test(nothing_to_take_is_no_error),
	    cmocka_unit_test(pieces_of_any_size_find_memory_or_none_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
