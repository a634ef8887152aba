/* SPDX-License-Identifier: BSD-3-Clause */
/* Sets of very many directories: the time to load one must grow in proportion to their number. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "poolset/load.h"
#include "poolset/poolset.h"
#include "errormsg.h"
#include "support.h"

#define NDIR 2000u

static unsigned nstat;

/* In libc's place. */
SUPPORT_INTERPOSE int stat(const char *path, struct stat *st)
{
	nstat++;
	return fstatat(AT_FDCWD, path, st, 0);
}

/*
 * A set with the directories 0 to NDIR - 1. At line `at` it lists directory number a second time,
 * by a link.
 */
static const char *make_set(unsigned at, unsigned again)
{
	const char *path = support_path(true, "set");
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	fputs("PMEMPOOLSET\nOPTION SINGLEHDR\n", f);
	for (unsigned i = 0; i < NDIR; i++) {
		char name[32];

		if (i == at) {
			snprintf(name, sizeof(name), "link%u", again);
			assert_true(access(support_path(true, name), F_OK) == 0);
			fprintf(f, "20M %s\n", support_path(true, name));
		}
		snprintf(name, sizeof(name), "dir%u", i);
		fprintf(f, "20M %s\n", support_path(true, name));
	}
	assert_int_equal(fclose(f), 0);
	return path;
}

static int make_directories(void **state)
{
	(void)state;
	for (unsigned i = 0; i < NDIR; i++) {
		char name[32];

		snprintf(name, sizeof(name), "dir%u", i);
		if (mkdir(support_path(true, name), 0700) != 0)
			return -1;
	}
	return symlink(support_path(true, "dir7"), support_path(true, "link7"));
}

static void loading_looks_at_each_a_few_times(void **state)
{
	struct poolset *set;

	(void)state;
	nstat = 0;
	assert_int_equal(poolset_load(make_set(NDIR, 0), true, NULL, &set), 0);
	assert_int_equal(set->npart, 1);
	poolset_free(set);
	assert_true(nstat >= NDIR);
	assert_true(nstat <= 4 * NDIR);
}

static void a_part_file_is_found_among_them(void **state)
{
	const char *part = support_path(true, "dir5/000000.pmem");
	struct poolset *set;

	(void)state;
	support_write_file(part, "", 0);
	assert_int_equal(truncate(part, 17 << 20), 0);
	nstat = 0;
	assert_int_equal(poolset_load(make_set(NDIR, 0), false, NULL, &set), 0);
	assert_int_equal(set->npart, 1);
	assert_string_equal(set->part[0].path, part);
	poolset_free(set);
	assert_true(nstat <= 4 * NDIR);
	unlink(part);
}

static void the_line_that_repeats_one_is_named(void **state)
{
	/* the link stands behind dir7 in two sets, and before it in the third: then dir7 repeats */
	static const struct {
		unsigned at;
		const char *message;
	} cases[] = {{8, "set:11: directory "},
		     {1999, "set:2002: directory "},
		     {0, "set:11: directory "}};
	struct poolset *set;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(poolset_load(make_set(cases[i].at, 7), true, NULL, &set),
				 -EEXIST);
		if (!strstr(errormsg_get(), cases[i].message) ||
		    !strstr(errormsg_get(), "is listed twice"))
			fail_msg("%s", errormsg_get());
	}
}

static void one_that_is_not_there_is_named(void **state)
{
	struct poolset *set;
	const char *path = make_set(NDIR, 0);
	FILE *f = fopen(path, "ae");

	(void)state;
	assert_non_null(f);
	fprintf(f, "20M %s\n", support_path(true, "absent"));
	fclose(f);
	assert_int_not_equal(poolset_load(path, true, NULL, &set), 0);
	assert_non_null(strstr(errormsg_get(), "mixes files and directories"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(loading_looks_at_each_a_few_times),
	    cmocka_unit_test(a_part_file_is_found_among_them),
	    cmocka_unit_test(the_line_that_repeats_one_is_named),
	    cmocka_unit_test(one_that_is_not_there_is_named),
	};

	return cmocka_run_group_tests(tests, make_directories, NULL);
}
