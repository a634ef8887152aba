/* SPDX-License-Identifier: BSD-3-Clause */
#include "cmocka.h"

#include <fnmatch.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { PASSED, FAILED, SKIPPED };

static jmp_buf end_of_test;
static const char *filter = "*";

void cmocka_fail(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n%s:%d: error: Failure!\n", file, line);
	longjmp(end_of_test, FAILED);
}

void cmocka_skip(void)
{
	longjmp(end_of_test, SKIPPED);
}

void print_message(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
}

void cmocka_assert(int ok, const char *text, const char *file, int line)
{
	if (!ok)
		cmocka_fail(file, line, "%s", text);
}

void cmocka_assert_int(uintmax_t a, uintmax_t b, int equal, const char *file, int line)
{
	if ((a == b) != equal)
		cmocka_fail(file, line, "%#jx %s %#jx", a, equal ? "!=" : "==", b);
}

void cmocka_assert_string(const char *a, const char *b, int equal, const char *file,
			  int line)
{
	if ((strcmp(a, b) == 0) != equal)
		cmocka_fail(file, line, "\"%s\" %s \"%s\"", a, equal ? "!=" : "==", b);
}

void cmocka_assert_memory(const void *a, const void *b, size_t n, int equal,
			  const char *file, int line)
{
	const unsigned char *x = a, *y = b;
	size_t i = 0;

	while (i < n && x[i] == y[i])
		i++;
	if (!equal && i == n)
		cmocka_fail(file, line, "%zu equal bytes", n);
	if (equal && i < n)
		cmocka_fail(file, line, "difference at offset %zu: %#x != %#x", i, x[i],
			    y[i]);
}

static int run_fixture(CMFixtureFunction *fixture, void **state)
{
	int result = setjmp(end_of_test);

	if (result == PASSED && fixture && fixture(state) != 0)
		return FAILED;
	return result;
}

static int run_test(CMUnitTestFunction *test, void **state)
{
	int result = setjmp(end_of_test);

	if (result == PASSED)
		test(state);
	return result;
}

void cmocka_set_test_filter(const char *pattern)
{
	filter = pattern;
}

int _cmocka_run_group_tests(const char *group, const struct CMUnitTest *tests, size_t n,
			    CMFixtureFunction *setup, CMFixtureFunction *teardown)
{
	static const char *const word[] = {"      OK", "  FAILED", " SKIPPED"};
	void *group_state = NULL;
	size_t nrun = 0;
	int nfailed = 0;

	if (run_fixture(setup, &group_state) != PASSED) {
		fprintf(stderr, "[  FAILED  ] the setup of %s\n", group);
		return (int)n;
	}
	for (size_t i = 0; i < n; i++) {
		void *state = group_state;
		int result;

		if (fnmatch(filter, tests[i].name, 0) != 0)
			continue;
		nrun++;
		printf("[ RUN      ] %s\n", tests[i].name);
		fflush(stdout);
		result = run_fixture(tests[i].setup_func, &state);
		if (result == PASSED)
			result = run_test(tests[i].test_func, &state);
		if (run_fixture(tests[i].teardown_func, &state) == FAILED)
			result = FAILED;
		printf("[ %s ] %s\n", word[result], tests[i].name);
		fflush(stdout);
		nfailed += result == FAILED;
	}
	if (run_fixture(teardown, &group_state) != PASSED) {
		fprintf(stderr, "[  FAILED  ] the teardown of %s\n", group);
		nfailed++;
	}
	printf("[==========] %zu test(s) run, %d failed.\n", nrun, nfailed);
	return nfailed;
}
