/* SPDX-License-Identifier: BSD-3-Clause */
/* On each medium a store changes the bytes that it names, and no others. */
#include "support.h"

#include <string.h>
#include <sys/mman.h>

#include "compiler.h"
#include "storage/pool.h"

enum { SIZE = 16384 };

static void stores_change_just_what_they_name(void **state)
{
	static const enum storage_medium media[] = {STORAGE_PMEM, STORAGE_FILE,
						    STORAGE_PRIVATE};
	static unsigned char want[SIZE];
	unsigned char bytes[5000];
	struct storage s;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * 7 + 1);
	for (size_t i = 0; i < ARRAY_SIZE(media); i++) {
		struct storage_step step = STORAGE_STEP_INIT;
		unsigned char *image = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
					    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		unsigned char copy[sizeof(bytes)];

		assert_true(image != MAP_FAILED);
		memset(image, 0xaa, SIZE);
		memset(want, 0xaa, SIZE);
		storage_pool_init(&s, image, SIZE, media[i]);
		storage_write(&s, &step, 100, bytes, sizeof(bytes));
		memcpy(want + 100, bytes, sizeof(bytes));
		storage_zero(&s, &step, 6001, 3000);
		memset(want + 6001, 0, 3000);
		storage_store32(&s, 12000, 0x04030201);
		memcpy(want + 12000, "\1\2\3\4", 4);
		storage_store64(&s, 12008, 0x0807060504030201);
		memcpy(want + 12008, "\1\2\3\4\5\6\7\10", 8);
		storage_flush(&s, &step, 12000, 16);
		assert_int_equal(storage_fence(&s, &step), 0);
		assert_memory_equal(image, want, SIZE);
		assert_ptr_equal(s.ops->copy_out(copy, image + 100, sizeof(copy)), copy);
		assert_memory_equal(copy, bytes, sizeof(copy));
		munmap(image, SIZE);
	}
}

/* The block table relies on these; see their declarations. */
static void media_differ_in_what_they_order_and_keep(void **state)
{
#ifdef __x86_64__
	const bool orders_lines = true;
#else
	const bool orders_lines = false;
#endif
	struct storage s;

	(void)state;
	storage_pool_init(&s, NULL, 0, STORAGE_PMEM);
	assert_int_equal(s.line_order, orders_lines);
	assert_true(s.eager_flush);
	assert_false(s.drops_pages);
	storage_pool_init(&s, NULL, 0, STORAGE_FILE);
	assert_false(s.line_order);
	assert_false(s.eager_flush);
	assert_true(s.drops_pages);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(media_differ_in_what_they_order_and_keep),
	    cmocka_unit_test(stores_change_just_what_they_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
