/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which media store a value again that another process stored, and which only flush it; and what a
 * sync covers.
 */
#include "support.h"

#include <string.h>
#include <sys/mman.h>

#include "compiler.h"
#include "storage/pool.h"

enum { SIZE = 8192 };

static unsigned char *image;
static struct storage s;
static struct storage_step step;

static void begin(enum storage_medium medium)
{
	image =
	    mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(image != MAP_FAILED);
	storage_pool_init(&s, image, SIZE, medium);
	step = (struct storage_step)STORAGE_STEP_INIT;
}

static void end(void)
{
	munmap(image, SIZE);
}

/*
 * Whether a renewal stores the bytes that the caller has seen, also if they have changed since.
 */
static bool renews(enum storage_medium medium)
{
	static const uint64_t seen[2] = {0x1122334455667788, 0x99aabbccddeeff00};
	bool word;
	bool range;

	begin(medium);
	storage_renew32(&s, &step, 64, 0x01020304);
	word = memcmp(image + 64, "\4\3\2\1", 4) == 0;
	storage_renew(&s, &step, 4096, seen, sizeof(seen));
	range = memcmp(image + 4096, seen, sizeof(seen)) == 0;
	assert_true(word == range);
	if (!word)
		for (unsigned i = 0; i < SIZE; i++)
			assert_int_equal(image[i], 0);
	end();
	return word;
}

static void files_store_again(void **state)
{
	(void)state;
	assert_true(renews(STORAGE_FILE));
}

static void persistent_memory_only_flushes(void **state)
{
	(void)state;
	assert_false(renews(STORAGE_PMEM));
}

static void copies_and_views_are_left_alone(void **state)
{
	(void)state;
	assert_false(renews(STORAGE_PRIVATE));
	assert_false(renews(STORAGE_VIEW));
}

static void a_sync_covers_what_was_renewed(void **state)
{
	static const enum storage_medium media[] = {STORAGE_FILE, STORAGE_PRIVATE,
						    STORAGE_VIEW};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(media); i++) {
		begin(media[i]);
		storage_renew32(&s, &step, 64, 1);
		assert_int_equal(step.lo, 64);
		assert_int_equal(step.hi, 68);
		storage_renew(&s, &step, 4096, image, 512);
		assert_int_equal(step.lo, 64);
		assert_int_equal(step.hi, 4096 + 512);
		assert_int_equal(storage_fence(&s, &step), 0);
		end();
	}
}

/* Ranges of one step in any order: apart, adjacent, overlapping, one inside the other, empty. */
static void a_sync_covers_all_that_was_stored_before_it(void **state)
{
	static const unsigned char bytes[64];
	uint64_t random = 1;

	(void)state;
	begin(STORAGE_FILE);
	for (unsigned round = 0; round < 2000; round++) {
		uint64_t lo = SIZE;
		uint64_t hi = 0;

		for (unsigned n = 0; n < 3; n++) {
			size_t len = (size_t)(support_random(&random) % 8 * 8);
			uint64_t off = support_random(&random) % 64 * 8 + 256;

			switch (support_random(&random) % 4) {
			case 0:
				storage_write(&s, &step, off, bytes, len);
				break;
			case 1:
				storage_zero(&s, &step, off, len);
				break;
			case 2:
				storage_flush(&s, &step, off, len);
				break;
			default:
				storage_renew(&s, &step, off, bytes, len);
				break;
			}
			if (len == 0)
				continue;
			lo = off < lo ? off : lo;
			hi = off + len > hi ? off + len : hi;
			assert_int_equal(step.lo, lo);
			assert_int_equal(step.hi, hi);
		}
		assert_int_equal(storage_fence(&s, &step), 0);
		assert_true(step.lo > step.hi);
	}
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(files_store_again),
	    cmocka_unit_test(persistent_memory_only_flushes),
	    cmocka_unit_test(copies_and_views_are_left_alone),
	    cmocka_unit_test(a_sync_covers_what_was_renewed),
	    cmocka_unit_test(a_sync_covers_all_that_was_stored_before_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
