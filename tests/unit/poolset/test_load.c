/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Paths that become something else between the look at them and their opening, and sets of many
 * directories.
 */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "errormsg.h"
#include "pool/open.h"
#include "poolset/files.h"
#include "poolset/load.h"

#define NDIR 6000
#define PATIENCE 30 /* seconds before a call counts as hanging */

static const char *victim; /* becomes a fifo when it is opened next but `spared` times */
static unsigned spared;
static unsigned nstat;

static void become_fifo(const char *path)
{
	if (!victim || strcmp(path, victim) != 0 || spared-- > 0)
		return;
	if (unlink(path) != 0 || mkfifo(path, 0600) != 0)
		abort();
	victim = NULL;
}

SUPPORT_INTERPOSE int open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	va_start(ap, flags);
	if (flags & O_CREAT)
		mode = va_arg(ap, mode_t);
	va_end(ap);
	become_fifo(path);
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

SUPPORT_INTERPOSE int stat(const char *path, struct stat *st)
{
	nstat++;
	return fstatat(AT_FDCWD, path, st, 0);
}

static const char *make_file(const char *name)
{
	const char *path = support_path(true, name);

	unlink(path);
	support_write_file(path, "", 0);
	assert_int_equal(truncate(path, 17 << 20), 0);
	return path;
}

/* The first open reads the signature of a set file, the second one is that of the part. */
static void a_path_that_becomes_a_fifo_keeps_nobody_waiting(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		const char *path = make_file("victim");

		victim = path;
		spared = i;
		alarm(PATIENCE);
		assert_int_equal(pool_check(path, 0), -EINVAL);
		alarm(0);
		assert_null(victim);
		assert_non_null(strstr(errormsg_get(), "not a regular file any more"));
		unlink(path);
	}
}

static const char *write_set(unsigned ndir, const char *last)
{
	const char *path = support_path(true, "set");
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs("PMEMPOOLSET\nOPTION SINGLEHDR\n", f);
	for (unsigned i = 0; i < ndir; i++)
		fprintf(f, "16M %s/d%u\n", support_tmpdir(true), i);
	fprintf(f, "16M %s\n", last);
	fclose(f);
	return path;
}

/* Each directory is looked at a few times, not once for each of the others. */
static void directories_are_looked_at_a_few_times_each(void **state)
{
	const char *part = support_path(true, "d5/000.pmem");
	char dir[300];
	struct poolset *set;

	(void)state;
	for (unsigned i = 0; i < NDIR; i++) {
		snprintf(dir, sizeof(dir), "%s/d%u", support_tmpdir(true), i);
		assert_int_equal(mkdir(dir, 0700), 0);
	}
	support_write_file(part, "", 0);
	assert_int_equal(truncate(part, 17 << 20), 0);
	nstat = 0;
	snprintf(dir, sizeof(dir), "%s/d%u", support_tmpdir(true), NDIR - 1);
	assert_int_equal(poolset_load(write_set(NDIR - 1, dir), false, NULL, &set), 0);
	assert_int_equal(set->npart, 1);
	poolset_free(set);
	assert_true(nstat < 8 * NDIR);

	snprintf(dir, sizeof(dir), "%s/../%s/d7", support_tmpdir(true),
		 strrchr(support_tmpdir(true), '/') + 1);
	assert_int_equal(poolset_load(write_set(NDIR - 1, dir), false, NULL, &set),
			 -EEXIST);
	assert_non_null(strstr(errormsg_get(), ":6002: directory"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_path_that_becomes_a_fifo_keeps_nobody_waiting),
	    cmocka_unit_test(directories_are_looked_at_a_few_times_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
