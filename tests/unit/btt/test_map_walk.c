/* SPDX-License-Identifier: BSD-3-Clause */
/* The walk over a map: each entry is in one run, and no page of a hole is read. */
#include "ram_storage.h"

#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>

#include "btt/format.h"
#include "btt/map_walk.h"

enum { PAGE = 4096, PER_PAGE = 1024, MAP_OFF = 3 * PAGE, NPAGE = 16 };

static struct ram_storage ram;

static int make(void **state)
{
	(void)state;
	ram_storage_init(&ram, MAP_OFF + NPAGE * PAGE);
	return 0;
}

static int destroy(void **state)
{
	(void)state;
	ram_storage_fini(&ram);
	return 0;
}

static void put(uint32_t i, uint32_t entry)
{
	storage_store32(&ram.s, MAP_OFF + (uint64_t)i * BTT_MAP_ENTRY_SIZE, entry);
}

static uint32_t get(uint32_t i)
{
	return storage_load32(&ram.s, MAP_OFF + (uint64_t)i * BTT_MAP_ENTRY_SIZE,
			      memory_order_relaxed);
}

static void protect(unsigned page, int prot)
{
	assert_int_equal(mprotect(ram.s.base + MAP_OFF + page * PAGE, PAGE, prot), 0);
}

static void expect_run(struct btt_map_walk *walk, uint32_t first, uint32_t end,
		       bool zeros)
{
	struct btt_map_run run;

	assert_true(btt_map_walk_next(walk, &run));
	assert_int_equal(run.first, first);
	assert_int_equal(run.end, end);
	assert_int_equal(run.zeros, zeros);
}

static void expect_end(struct btt_map_walk *walk)
{
	struct btt_map_run run;

	assert_false(btt_map_walk_next(walk, &run));
	assert_false(btt_map_walk_next(walk, &run));
}

static void a_hole_is_one_run_and_none_of_its_pages_is_read(void **state)
{
	struct btt_map_walk walk = btt_map_walk_begin(&ram.s, MAP_OFF, NPAGE * PER_PAGE);

	(void)state;
	put(5 * PER_PAGE, BTT_MAP_NORMAL);
	put(6 * PER_PAGE + 7, BTT_MAP_NORMAL);
	for (unsigned page = 0; page < NPAGE; page++)
		if (page != 5 && page != 6)
			protect(page, PROT_NONE);
	expect_run(&walk, 0, 5 * PER_PAGE, true);
	expect_run(&walk, 5 * PER_PAGE, 6 * PER_PAGE, false);
	expect_run(&walk, 6 * PER_PAGE, 6 * PER_PAGE + 7, true);
	expect_run(&walk, 6 * PER_PAGE + 7, 7 * PER_PAGE, false);
	expect_run(&walk, 7 * PER_PAGE, NPAGE * PER_PAGE, true);
	expect_end(&walk);
}

static void a_map_that_was_never_written_is_one_run(void **state)
{
	struct btt_map_walk walk = btt_map_walk_begin(&ram.s, MAP_OFF, NPAGE * PER_PAGE);

	(void)state;
	expect_run(&walk, 0, NPAGE * PER_PAGE, true);
	expect_end(&walk);
	walk = btt_map_walk_begin(&ram.s, MAP_OFF, 0);
	expect_end(&walk);
}

/* The bytes behind the last entry in its page are not entries, whatever they hold. */
static void the_walk_ends_with_the_last_entry_of_the_last_page(void **state)
{
	const uint32_t n = 2 * PER_PAGE + 5;
	struct btt_map_walk walk = btt_map_walk_begin(&ram.s, MAP_OFF, n);

	(void)state;
	put(n, BTT_MAP_NORMAL);
	expect_run(&walk, 0, n, true);
	expect_end(&walk);
	put(n - 1, BTT_MAP_NORMAL);
	walk = btt_map_walk_begin(&ram.s, MAP_OFF, n);
	expect_run(&walk, 0, n - 1, true);
	expect_run(&walk, n - 1, n, false);
	expect_end(&walk);
}

/* The flags are in the last byte of an entry, the lowest bits of the number in its first. */
static void an_entry_with_any_byte_set_is_no_zero(void **state)
{
	(void)state;
	for (unsigned byte = 0; byte < BTT_MAP_ENTRY_SIZE; byte++) {
		struct btt_map_walk walk = btt_map_walk_begin(&ram.s, MAP_OFF, 9);

		put(3, UINT32_C(1) << 8 * byte);
		expect_run(&walk, 0, 3, true);
		expect_run(&walk, 3, 9, false);
		expect_end(&walk);
	}
}

static sigjmp_buf back;

static void jump_back(int sig)
{
	(void)sig;
	siglongjmp(back, 1);
}

static void a_page_that_cannot_be_read_stops_the_walk_in_front_of_it(void **state)
{
	struct sigaction action = {.sa_handler = jump_back};
	struct sigaction before;
	struct btt_map_walk walk = btt_map_walk_begin(&ram.s, MAP_OFF, NPAGE * PER_PAGE);
	struct btt_map_run run;

	(void)state;
	for (unsigned page = 0; page < 3; page++)
		put(page * PER_PAGE, BTT_MAP_NORMAL);
	protect(1, PROT_NONE);
	assert_int_equal(sigaction(SIGSEGV, &action, &before), 0);
	expect_run(&walk, 0, PER_PAGE, false);
	if (sigsetjmp(back, 1) == 0) {
		(void)btt_map_walk_next(&walk, &run);
		fail_msg("the page was not read");
	}
	assert_int_equal(sigaction(SIGSEGV, &before, NULL), 0);
	assert_int_equal(walk.next, PER_PAGE);
	protect(1, PROT_READ | PROT_WRITE);
	expect_run(&walk, PER_PAGE, 2 * PER_PAGE, false);
	expect_run(&walk, 2 * PER_PAGE, 3 * PER_PAGE, false);
	expect_run(&walk, 3 * PER_PAGE, NPAGE * PER_PAGE, true);
	expect_end(&walk);
}

static void random_maps_come_back_whole(void **state)
{
	uint64_t seed = 11;

	(void)state;
	for (int round = 0; round < 200; round++) {
		uint32_t n = (uint32_t)(support_random(&seed) % (NPAGE * PER_PAGE)) + 1;
		struct btt_map_walk walk = btt_map_walk_begin(&ram.s, MAP_OFF, n);
		struct btt_map_run run = {0};
		uint32_t expected = 0;

		/* few entries, so that there are holes and zeros between entries */
		put((uint32_t)(support_random(&seed) % (NPAGE * PER_PAGE)),
		    round % 3 ? BTT_MAP_NORMAL | 1 : 0);
		while (btt_map_walk_next(&walk, &run)) {
			assert_int_equal(run.first, expected);
			assert_true(run.end > run.first && run.end <= n);
			if (!run.zeros)
				assert_int_equal(run.first / PER_PAGE,
						 (run.end - 1) / PER_PAGE);
			for (uint32_t i = run.first; run.zeros && i < run.end; i++)
				assert_int_equal(get(i), 0);
			expected = run.end;
		}
		assert_int_equal(expected, n);
	}
}

#define ON_A_MAP(name) cmocka_unit_test_setup_teardown(name, make, destroy)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    ON_A_MAP(a_hole_is_one_run_and_none_of_its_pages_is_read),
	    ON_A_MAP(a_map_that_was_never_written_is_one_run),
	    ON_A_MAP(the_walk_ends_with_the_last_entry_of_the_last_page),
	    ON_A_MAP(an_entry_with_any_byte_set_is_no_zero),
	    ON_A_MAP(a_page_that_cannot_be_read_stops_the_walk_in_front_of_it),
	    ON_A_MAP(random_maps_come_back_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
