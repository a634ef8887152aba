/* SPDX-License-Identifier: BSD-3-Clause */
/* What a command does if it cannot find out whether it would print into its pool. */
#include "run_tool.h"

#include <limits.h>
#include <sys/resource.h>

#include "commands/streams.h"

static const char *path;
static const char *part;

static enum tool_status check(const struct tool_command *self, int argc, char **argv)
{
	(void)self;
	return argc == 2 && streams_check(argv[1]) ? TOOL_OK : TOOL_FAILED;
}

static int nfree; /* descriptors that are left */

static enum tool_status check_with_few_descriptors(const struct tool_command *self,
						   int argc, char **argv)
{
	struct rlimit before;
	struct rlimit none;
	enum tool_status status;
	int next = dup(STDIN_FILENO);

	assert_true(next >= 0);
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = (rlim_t)(next + nfree);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	status = check(self, argc, argv);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	return status;
}

static void assert_refused(const char *pool)
{
	assert_int_equal(tool_run(check_with_few_descriptors, pool, NULL), TOOL_FAILED);
	assert_non_null(strstr(tool_said, "cannot find out whether what is printed would "
					  "be written over "));
	assert_non_null(strstr(tool_said, ": Too many open files\n"));
	assert_int_equal(tool_run(check, pool, NULL), TOOL_OK);
	assert_string_equal(tool_said, "");
}

static void a_pool_that_cannot_be_looked_into_is_refused(void **state)
{
	(void)state;
	support_write_file(path, "a pool", 6);
	nfree = 0;
	assert_refused(path);
}

static void a_folder_of_parts_that_cannot_be_looked_into_is_refused(void **state)
{
	static const char begin[] = "PMEMPOOLSET\nOPTION SINGLEHDR\n90M ";
	char text[PATH_MAX];
	const char *slash = strrchr(part, '/');
	int n;

	(void)state;
	support_write_file(part, "", 0);
	n = snprintf(text, sizeof(text), "%s%.*s\n", begin, (int)(slash - part), part);
	support_write_file(path, text, (size_t)n);
	nfree = 1; /* for the set file */
	assert_refused(path);
}

static void what_is_absent_is_not_looked_into(void **state)
{
	(void)state;
	unlink(path);
	nfree = 0;
	assert_int_equal(tool_run(check_with_few_descriptors, path, NULL), TOOL_OK);
	assert_string_equal(tool_said, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_pool_that_cannot_be_looked_into_is_refused),
	    cmocka_unit_test(a_folder_of_parts_that_cannot_be_looked_into_is_refused),
	    cmocka_unit_test(what_is_absent_is_not_looked_into),
	};

	path = support_path(true, "pool");
	part = support_path(true, "0.pmem");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
