/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which operations of the CPU the entry points use: a backend that counts replaces the real one,
 * once with PMEM_NO_FLUSH=0 and once with PMEM_NO_FLUSH=1.
 */
#include <stdlib.h>

#include "compiler.h"
#include "config.h"
#include "engine.h"
#include "engine_select.h"
#include "libpmem.h"
#include "support.h"

static struct {
	int flushes, deep_flushes, fences;
	const void *addr;
	size_t len;
} seen;

static void flush(const void *addr, size_t len)
{
	seen.flushes++;
	seen.addr = addr;
	seen.len = len;
}

static void deep_flush(const void *addr, size_t len)
{
	seen.deep_flushes++;
	seen.addr = addr;
	seen.len = len;
}

static void fence(void)
{
	seen.fences++;
}

static void use(int no_flush)
{
	static const struct engine_flush counting = {
	    .name = "counting",
	    .durable = true,
	    .flush = flush,
	    .deep_flush = deep_flush,
	    .fence = fence,
	};
	struct engine_cpu cpu = {.features = engine_flushes[0]->needs | ENGINE_PORTABLE};
	struct config config = {.no_flush = no_flush, .wc_workaround = -1};
	const struct engine_flush *real;

	engine_select(&engine, &cpu, &config, false);
	real = engine.flush_backend;
	engine.flush_backend = &counting;
	if (engine.flush == real->flush)
		engine.flush = flush;
	if (engine.fence == real->fence)
		engine.fence = fence;
	engine.clwb = false; /* copies would flush without the backend */
}

/* The operations since the last call. */
static void assert_seen(int flushes, int deep_flushes, int fences)
{
	assert_int_equal(seen.flushes, flushes);
	assert_int_equal(seen.deep_flushes, deep_flushes);
	assert_int_equal(seen.fences, fences);
	seen.flushes = seen.deep_flushes = seen.fences = 0;
}

enum { PERSIST, PLAIN, NODRAIN, NODRAIN_FLAG, NOFLUSH };

static void copy(int which, int way, char *to, const char *from, size_t n)
{
	static void *(*const persist[])(void *, const void *, size_t) = {
	    pmem_memmove_persist, pmem_memcpy_persist};
	static void *(*const nodrain[])(void *, const void *, size_t) = {
	    pmem_memmove_nodrain, pmem_memcpy_nodrain};
	static void *(*const by_flags[])(void *, const void *, size_t,
					 unsigned) = {pmem_memmove, pmem_memcpy};
	const unsigned flags = way == PLAIN	     ? 0
			       : way == NODRAIN_FLAG ? PMEM_F_MEM_NODRAIN
						     : PMEM_F_MEM_NOFLUSH;

	if (way == PERSIST && which < 2)
		persist[which](to, from, n);
	else if (way == PERSIST)
		pmem_memset_persist(to, 1, n);
	else if (way == NODRAIN && which < 2)
		nodrain[which](to, from, n);
	else if (way == NODRAIN)
		pmem_memset_nodrain(to, 1, n);
	else if (which < 2)
		by_flags[which](to, from, n, flags);
	else
		pmem_memset(to, 1, n, flags);
}

static void flush_and_persist_follow_the_variable(void **state)
{
	char data[200];

	(void)state;
	for (int no_flush = 0; no_flush < 2; no_flush++) {
		use(no_flush);
		pmem_flush(data, sizeof(data));
		assert_seen(!no_flush, 0, 0);
		pmem_persist(data + 1, 7);
		assert_seen(!no_flush, 0, 1);
		if (!no_flush) {
			assert_ptr_equal(seen.addr, data + 1);
			assert_int_equal(seen.len, 7);
		}
	}
}

static void drains_are_there_without_flushes_and_for_nothing(void **state)
{
	char data[200];

	(void)state;
	for (int no_flush = 0; no_flush < 2; no_flush++) {
		use(no_flush);
		pmem_drain();
		assert_seen(0, 0, 1);
		pmem_persist(data, 0);
		seen.flushes = 0; /* of length 0 */
		assert_seen(0, 0, 1);
	}
}

static void deep_flushes_are_there_whatever_the_variable_says(void **state)
{
	char data[200];

	(void)state;
	for (int no_flush = 0; no_flush < 2; no_flush++) {
		use(no_flush);
		pmem_deep_flush(data + 3, 100);
		assert_seen(0, 1, 0);
		assert_ptr_equal(seen.addr, data + 3);
		assert_int_equal(seen.len, 100);
		assert_int_equal(pmem_deep_persist(data, 0), 0);
		assert_int_equal(seen.deep_flushes, 1);
		assert_int_equal(seen.flushes, 0);
		seen.deep_flushes = seen.fences = 0;
	}
}

/* Those that persist have drained when they return, and the others have flushed. */
static void copies_drain_and_flush_as_they_are_named(void **state)
{
	static const size_t lens[] = {1, 8, 64, 300, 1000, 5000};
	static char to[5000];
	static char from[5000];

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(lens); i++) {
		const bool flushing = i % 2 == 0;
		const size_t n = lens[i / 2];

		use(!flushing);
		for (int which = 0; which < 3; which++)
			for (int way = 0; way < 5; way++) {
				copy(which, way, to, from, n);
				/* how many flushes a copy needs is not promised */
				assert_int_equal(seen.flushes > 0,
						 flushing && way != NOFLUSH);
				seen.flushes = 0;
				assert_seen(0, 0, way == PERSIST || way == PLAIN);
			}
	}
}

static void auto_flush_does_not_depend_on_the_variable(void **state)
{
	int answer[2];

	(void)state;
	for (int no_flush = 0; no_flush < 2; no_flush++) {
		setenv("PMEM_NO_FLUSH", no_flush ? "1" : "0", 1);
		use(no_flush);
		answer[no_flush] = pmem_has_auto_flush();
	}
	assert_int_equal(answer[0], answer[1]);
	unsetenv("PMEM_NO_FLUSH");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(flush_and_persist_follow_the_variable),
	    cmocka_unit_test(drains_are_there_without_flushes_and_for_nothing),
	    cmocka_unit_test(deep_flushes_are_there_whatever_the_variable_says),
	    cmocka_unit_test(copies_drain_and_flush_as_they_are_named),
	    cmocka_unit_test(auto_flush_does_not_depend_on_the_variable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
