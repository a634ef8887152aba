/* SPDX-License-Identifier: BSD-3-Clause */
/* Tests the model of the medium: which images a power loss can leave after a few stores. */
#include "support.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "medium.h"

#define SIZE 65536u

struct seen {
	struct medium *from;
	struct medium *to;
	uint64_t off[2];
	uint64_t image[64][2]; /* the words at off, in each image */
	unsigned n;
};

static bool collect(void *arg, const unsigned *pick, uint64_t hash)
{
	struct seen *s = arg;

	(void)hash;
	medium_lose_power(s->to, s->from, pick);
	for (unsigned i = 0; i < 2; i++)
		memcpy(&s->image[s->n][i], s->to->storage.base + s->off[i], 8);
	s->n++;
	return s->n < ARRAY_SIZE(s->image);
}

static bool has(const struct seen *s, uint64_t a, uint64_t b)
{
	for (unsigned i = 0; i < s->n; i++)
		if (s->image[i][0] == a && s->image[i][1] == b)
			return true;
	return false;
}

struct fixture {
	int fd;
	struct medium m, copy;
	struct storage *s;
	struct storage_step step;
	struct seen seen;
};

static void begin(struct fixture *f, enum medium_kind kind)
{
	memset(f, 0, sizeof(*f));
	f->fd = medium_file(SIZE);
	medium_init(&f->m, f->fd, SIZE, kind);
	medium_init(&f->copy, f->fd, SIZE, kind);
	f->s = &f->m.storage;
	f->step = (struct storage_step)STORAGE_STEP_INIT;
}

static void end(struct fixture *f)
{
	medium_free(&f->m);
	medium_free(&f->copy);
	close(f->fd);
}

/* The images of the words at a and b. */
static void look(struct fixture *f, uint64_t a, uint64_t b)
{
	uint64_t rng = 1;

	f->seen = (struct seen){.from = &f->m, .to = &f->copy, .off = {a, b}};
	assert_true(medium_images(&f->m, 64, &rng, collect, &f->seen));
}

static void a_cache_line_is_left_as_a_prefix_of_its_stores(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, MEDIUM_PMEM);
	storage_store64(f.s, 0, 1);
	storage_store64(f.s, 8, 2);
	look(&f, 0, 8);
	assert_int_equal(f.seen.n, 3);
	assert_true(has(&f.seen, 0, 0) && has(&f.seen, 1, 0) && has(&f.seen, 1, 2));
	end(&f);
}

static void two_lines_are_left_independently(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, MEDIUM_PMEM);
	storage_store64(f.s, 0, 1);
	storage_store64(f.s, 64, 2);
	look(&f, 0, 64);
	assert_int_equal(f.seen.n, 4);
	assert_true(has(&f.seen, 0, 2) && has(&f.seen, 1, 0));
	end(&f);
}

static void words_of_a_file_are_left_independently(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, MEDIUM_FILE);
	storage_store64(f.s, 0, 1);
	storage_store64(f.s, 8, 2);
	look(&f, 0, 8);
	assert_int_equal(f.seen.n, 4);
	assert_true(has(&f.seen, 0, 2));
	end(&f);
}

static void words_of_a_bulk_write_are_left_independently(void **state)
{
	static const uint64_t data[2] = {1, 2};
	struct fixture f;

	(void)state;
	begin(&f, MEDIUM_PMEM);
	storage_write(f.s, &f.step, 0, data, sizeof(data));
	look(&f, 0, 8);
	assert_int_equal(f.seen.n, 4);
	assert_int_equal(storage_fence(f.s, &f.step), 0);
	look(&f, 0, 8);
	assert_int_equal(f.seen.n, 1);
	assert_true(has(&f.seen, 1, 2));
	end(&f);
}

static void a_fence_covers_the_stores_before_the_flush_only(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, MEDIUM_PMEM);
	storage_store64(f.s, 0, 1);
	storage_flush(f.s, &f.step, 0, 8);
	storage_store64(f.s, 8, 2);
	assert_int_equal(storage_fence(f.s, &f.step), 0);
	look(&f, 0, 8);
	assert_int_equal(f.seen.n, 2);
	assert_true(has(&f.seen, 1, 0) && has(&f.seen, 1, 2));
	end(&f);
}

static void a_fence_covers_the_flushes_of_its_own_thread_only(void **state)
{
	struct fixture f;
	struct storage_step other = STORAGE_STEP_INIT;

	(void)state;
	begin(&f, MEDIUM_PMEM);
	storage_store64(f.s, 0, 1);
	storage_flush(f.s, &f.step, 0, 8);
	f.m.thread = 1;
	assert_int_equal(storage_fence(f.s, &other), 0);
	assert_int_equal(medium_npending(&f.m), 1);
	f.m.thread = 0;
	assert_int_equal(storage_fence(f.s, &other), 0);
	assert_int_equal(medium_npending(&f.m), 0);
	end(&f);
}

static void a_sync_covers_its_own_step_only(void **state)
{
	struct fixture f;
	struct storage_step other = STORAGE_STEP_INIT;

	(void)state;
	begin(&f, MEDIUM_FILE);
	storage_store64(f.s, 0, 1);
	storage_flush(f.s, &f.step, 0, 8);
	assert_int_equal(storage_fence(f.s, &other), 0);
	assert_int_equal(medium_npending(&f.m), 1);
	assert_int_equal(storage_fence(f.s, &f.step), 0);
	assert_int_equal(medium_npending(&f.m), 0);
	end(&f);
}

static void a_failed_sync_is_final(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, MEDIUM_FILE);
	f.m.fail_in = 1;
	storage_store64(f.s, 0, 1);
	storage_flush(f.s, &f.step, 0, 8);
	assert_int_equal(storage_fence(f.s, &f.step), -EIO);
	storage_flush(f.s, &f.step, 0, 8);
	assert_int_equal(storage_fence(f.s, &f.step), -EIO);
	look(&f, 0, 8);
	assert_true(has(&f.seen, 0, 0) && has(&f.seen, 1, 0));
	end(&f);
}

/* What the next process finds after a failed sync of the words at 0 and 8. */
static void begin_after_failure(struct fixture *f, struct medium *next, uint64_t page)
{
	begin(f, MEDIUM_FILE);
	f->m.fail_in = 1;
	storage_store64(f->s, 0, 1);
	storage_store64(f->s, 8, 2);
	storage_flush(f->s, &f->step, 0, 8);
	assert_int_equal(storage_fence(f->s, &f->step), -EIO);
	medium_init(next, f->fd, SIZE, MEDIUM_FILE);
	next->page = page;
	medium_kill(next, &f->m);
	f->step = (struct storage_step)STORAGE_STEP_INIT;
}

static void a_page_that_was_not_written_is_clean_until_it_is_stored_to(void **state)
{
	static const uint64_t page[] = {8, 64};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(page); i++) {
		struct medium next;
		struct fixture f;

		begin_after_failure(&f, &next, page[i]);
		storage_flush(&next.storage, &f.step, 0, 16);
		assert_int_equal(storage_fence(&next.storage, &f.step), 0);
		assert_int_equal(medium_npending(&next), 2);
		/*
		 * stores the present value again; the other word is in the same page or in
		 * another one
		 */
		storage_renew32(&next.storage, &f.step, 0, 1);
		storage_flush(&next.storage, &f.step, 0, 16);
		assert_int_equal(storage_fence(&next.storage, &f.step), 0);
		assert_int_equal(medium_npending(&next), page[i] == 8 ? 1 : 0);
		medium_free(&next);
		end(&f);
	}
}

static void a_page_that_was_not_written_may_be_dropped(void **state)
{
	struct medium next;
	struct fixture f;
	uint64_t word[2];

	(void)state;
	begin_after_failure(&f, &next, 8);
	memcpy(word, next.storage.base, sizeof(word));
	assert_true(word[0] == 1 && word[1] == 2);
	storage_store64(&next.storage, 0, 3);
	assert_true(medium_drop(&next, MEDIUM_DROP_ALL));
	memcpy(word, next.storage.base, sizeof(word));
	assert_true(word[0] == 3 && word[1] == 0);
	assert_false(medium_drop(&next, MEDIUM_DROP_ALL));
	medium_free(&next);
	end(&f);
}

static void a_write_that_failed_is_told_by_the_next_sync(void **state)
{
	struct fixture f;
	uint64_t word;

	(void)state;
	begin(&f, MEDIUM_FILE);
	medium_lose(&f.m);
	storage_store64(f.s, 0, 1);
	storage_flush(f.s, &f.step, 0, 8);
	assert_int_equal(storage_fence(f.s, &f.step), 0);
	storage_store64(f.s, 0, 2);
	medium_lose(&f.m);
	assert_true(medium_drop(&f.m, MEDIUM_DROP_ALL));
	memcpy(&word, f.s->base, sizeof(word));
	assert_int_equal(word, 1);
	storage_store64(f.s, 64, 3);
	storage_flush(f.s, &f.step, 64, 8);
	assert_int_equal(storage_fence(f.s, &f.step), -EIO);
	end(&f);
}

static void a_killed_process_leaves_what_was_visible_but_not_durable(void **state)
{
	struct fixture f;
	struct medium next;
	uint64_t word;

	(void)state;
	begin(&f, MEDIUM_PMEM);
	medium_init(&next, f.fd, SIZE, MEDIUM_PMEM);
	storage_store64(f.s, 0, 1);
	storage_flush(f.s, &f.step, 0, 8);
	medium_kill(&next, &f.m);
	memcpy(&word, next.storage.base, 8);
	assert_int_equal(word, 1);
	assert_int_equal(medium_npending(&next), 1);
	f.step = (struct storage_step)STORAGE_STEP_INIT;
	storage_flush(&next.storage, &f.step, 0, 8);
	assert_int_equal(storage_fence(&next.storage, &f.step), 0);
	assert_int_equal(medium_npending(&next), 0);
	medium_free(&next);
	end(&f);
}

static void a_reset_brings_back_the_content_at_rest(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, MEDIUM_FILE);
	for (unsigned i = 0; i < 1000; i++)
		storage_store64(f.s, i * 8, i + 1);
	medium_reset(&f.m);
	for (unsigned i = 0; i < SIZE; i++)
		assert_int_equal(f.s->base[i], 0);
	assert_int_equal(medium_npending(&f.m), 0);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_cache_line_is_left_as_a_prefix_of_its_stores),
	    cmocka_unit_test(two_lines_are_left_independently),
	    cmocka_unit_test(words_of_a_file_are_left_independently),
	    cmocka_unit_test(words_of_a_bulk_write_are_left_independently),
	    cmocka_unit_test(a_fence_covers_the_stores_before_the_flush_only),
	    cmocka_unit_test(a_fence_covers_the_flushes_of_its_own_thread_only),
	    cmocka_unit_test(a_sync_covers_its_own_step_only),
	    cmocka_unit_test(a_failed_sync_is_final),
	    cmocka_unit_test(a_page_that_was_not_written_is_clean_until_it_is_stored_to),
	    cmocka_unit_test(a_page_that_was_not_written_may_be_dropped),
	    cmocka_unit_test(a_write_that_failed_is_told_by_the_next_sync),
	    cmocka_unit_test(a_killed_process_leaves_what_was_visible_but_not_durable),
	    cmocka_unit_test(a_reset_brings_back_the_content_at_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
