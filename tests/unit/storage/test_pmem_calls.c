/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is stored on persistent memory is flushed by libpmem, to the byte: a flush that is missing
 * shows only where power is lost.
 */
#include "support.h"

#include <string.h>

#include <libpmem.h>

#include "storage/pool.h"

enum { SIZE = 8192 };

static _Alignas(64) unsigned char image[SIZE];
static struct storage s;
static struct storage_step step;

static struct {
	const unsigned char *addr;
	size_t len;
	unsigned flags;
	int ncopy;
	int nset;
	int nflush;
	int ndrain;
	int ndeep;
} seen;

/* In place of libpmem's functions, by the linker. */
void *__wrap_pmem_memcpy(void *pmemdest, const void *src, size_t len, unsigned flags);
void *__wrap_pmem_memset(void *pmemdest, int c, size_t len, unsigned flags);
void __wrap_pmem_flush(const void *addr, size_t len);
void __wrap_pmem_drain(void);
int __wrap_pmem_deep_flush(const void *addr, size_t len);

static void note(const void *addr, size_t len, unsigned flags)
{
	seen.addr = addr;
	seen.len = len;
	seen.flags = flags;
}

void *__wrap_pmem_memcpy(void *pmemdest, const void *src, size_t len, unsigned flags)
{
	note(pmemdest, len, flags);
	seen.ncopy++;
	return memcpy(pmemdest, src, len);
}

void *__wrap_pmem_memset(void *pmemdest, int c, size_t len, unsigned flags)
{
	note(pmemdest, len, flags);
	seen.nset++;
	return memset(pmemdest, c, len);
}

void __wrap_pmem_flush(const void *addr, size_t len)
{
	note(addr, len, 0);
	seen.nflush++;
}

void __wrap_pmem_drain(void)
{
	seen.ndrain++;
}

int __wrap_pmem_deep_flush(const void *addr, size_t len)
{
	note(addr, len, 0);
	seen.ndeep++;
	return 0;
}

static void begin(enum storage_medium medium)
{
	memset(image, 7, sizeof(image));
	memset(&seen, 0, sizeof(seen));
	storage_pool_init(&s, image, SIZE, medium);
	step = (struct storage_step)STORAGE_STEP_INIT;
}

/* Since the last call. */
static void assert_calls(int ncopy, int nset, int nflush, int ndrain)
{
	assert_int_equal(seen.ncopy, ncopy);
	assert_int_equal(seen.nset, nset);
	assert_int_equal(seen.nflush, nflush);
	assert_int_equal(seen.ndrain, ndrain);
	seen.ncopy = seen.nset = seen.nflush = seen.ndrain = 0;
}

static void assert_range(uint64_t off, size_t len)
{
	assert_ptr_equal(seen.addr, image + off);
	assert_int_equal(seen.len, len);
}

static void each_store_is_flushed(void **state)
{
	static const unsigned char bytes[300] = {1, 2, 3};

	(void)state;
	begin(STORAGE_PMEM);
	storage_write(&s, &step, 500, bytes, sizeof(bytes));
	assert_range(500, sizeof(bytes));
	assert_int_equal(seen.flags, PMEM_F_MEM_NODRAIN); /* flushed, not drained */
	assert_calls(1, 0, 0, 0);
	assert_memory_equal(image + 500, bytes, sizeof(bytes));

	/* a line past the caches, and anything else as libpmem decides */
	for (size_t off = 0; off <= 128; off += 32)
		for (size_t len = 32; len <= 128; len += 32) {
			bool line = off % 64 == 0 && len == 64;

			storage_write(&s, &step, off, bytes, len);
			assert_range(off, len);
			assert_int_equal(seen.flags,
					 line ? PMEM_F_MEM_NODRAIN | PMEM_F_MEM_WC
					      : PMEM_F_MEM_NODRAIN);
			assert_calls(1, 0, 0, 0);
			assert_memory_equal(image + off, bytes, len);
		}

	storage_zero(&s, &step, 4096, 100);
	assert_range(4096, 100);
	assert_int_equal(seen.flags, PMEM_F_MEM_NODRAIN);
	assert_calls(0, 1, 0, 0);
	assert_true(image[4095] == 7 && image[4096] == 0 && image[4195] == 0 &&
		    image[4196] == 7);

	storage_store32(&s, 64, 5);
	storage_store64(&s, 72, 6);
	assert_calls(0, 0, 0, 0); /* the caller flushes these */
	storage_flush(&s, &step, 64, 16);
	assert_range(64, 16);
	assert_calls(0, 0, 1, 0);
	assert_int_equal(storage_fence(&s, &step), 0);
#ifdef __x86_64__
	assert_calls(0, 0, 0, 0); /* it has the instruction itself */
#else
	assert_calls(0, 0, 0, 1);
#endif
}

static void what_is_renewed_is_flushed(void **state)
{
	(void)state;
	begin(STORAGE_PMEM);
	storage_renew32(&s, &step, 132, 9);
	assert_range(132, 4);
	assert_calls(0, 0, 1, 0);
	storage_renew(&s, &step, 4000, image + 4000, 192);
	assert_range(4000, 192);
	assert_calls(0, 0, 1, 0);
}

static void a_deep_flush_covers_what_it_is_given(void **state)
{
	(void)state;
	begin(STORAGE_PMEM);
	storage_pool_deep_flush(&s, 500, 24);
	assert_range(500, 24);
	assert_int_equal(seen.ndeep, 1);
	assert_calls(0, 0, 0, 0);
}

/* A pool opened for copy on write needs neither. */
static void copies_are_not_flushed(void **state)
{
	static const unsigned char bytes[300] = {1};

	(void)state;
	begin(STORAGE_PRIVATE);
	storage_write(&s, &step, 500, bytes, sizeof(bytes));
	storage_zero(&s, &step, 4096, 100);
	storage_flush(&s, &step, 64, 16);
	storage_renew32(&s, &step, 132, 9);
	assert_int_equal(storage_fence(&s, &step), 0);
	assert_memory_equal(image + 500, bytes, sizeof(bytes));
	assert_int_equal(image[4096], 0);
	assert_calls(0, 0, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_store_is_flushed),
	    cmocka_unit_test(what_is_renewed_is_flushed),
	    cmocka_unit_test(a_deep_flush_covers_what_it_is_given),
	    cmocka_unit_test(copies_are_not_flushed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
