/* SPDX-License-Identifier: BSD-3-Clause */
/* Cases that start with a pool that the original made, with one block written or none. */
#ifndef LOADED_FIXTURE_H
#define LOADED_FIXTURE_H 1

#include "btt_fixture.h"

#define WRITTEN "tests/support/vectors/pool-write0.txt"
#define FRESH "tests/support/vectors/pool-fresh.txt"

static struct fixture f;

static inline void put_record(unsigned slot, unsigned record, uint32_t lba, uint32_t old,
			      uint32_t new, uint32_t seq)
{
	uint64_t off = FLOG_OFF + 64 * slot + 16 * record;

	fixture_put32(&f, off, lba);
	fixture_put32(&f, off + 4, old);
	fixture_put32(&f, off + 8, new);
	fixture_put32(&f, off + 12, seq);
}

static inline int loaded_fixture_written(void **state)
{
	(void)state;
	fixture_load(&f, WRITTEN);
	return 0;
}

static inline int loaded_fixture_fresh(void **state)
{
	(void)state;
	fixture_load(&f, FRESH);
	return 0;
}

static inline int loaded_fixture_fini(void **state)
{
	(void)state;
	fixture_fini(&f);
	return 0;
}

#define ON_WRITTEN(name)                                                                 \
	cmocka_unit_test_setup_teardown(name, loaded_fixture_written, loaded_fixture_fini)
#define ON_FRESH(name)                                                                   \
	cmocka_unit_test_setup_teardown(name, loaded_fixture_fresh, loaded_fixture_fini)

#endif
