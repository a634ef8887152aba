/* SPDX-License-Identifier: BSD-3-Clause */
/* A pool in one file on /dev/shm; each case has a file name of its own. */
#ifndef POOL_FIXTURE_H
#define POOL_FIXTURE_H 1

#include <libpmemblk.h>
#include <unistd.h>

#include "support.h"

#define MIB ((size_t)1 << 20)
#define SIZE ((size_t)17 * MIB)

static const char *fixture_path;

static inline int fixture_new_path(void **state)
{
	static unsigned n;
	char name[32];

	(void)state;
	snprintf(name, sizeof(name), "pool%u", n++);
	fixture_path = support_path(true, name);
	return 0;
}

static inline int fixture_remove(void **state)
{
	(void)state;
	unlink(fixture_path);
	return 0;
}

static inline PMEMblkpool *fixture_create(size_t bsize, size_t size, mode_t mode)
{
	PMEMblkpool *p = pmemblk_create(fixture_path, bsize, size, mode);

	if (!p)
		fail_msg("%s", pmemblk_errormsg());
	return p;
}

static inline PMEMblkpool *fixture_open(void)
{
	PMEMblkpool *p = pmemblk_open(fixture_path, 0);

	if (!p)
		fail_msg("%s", pmemblk_errormsg());
	return p;
}

#define FIXTURE_CASE(f)                                                                  \
	cmocka_unit_test_setup_teardown(f, fixture_new_path, fixture_remove)

#endif
