/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The part of cmocka's interface that these tests use, for machines that have no cmocka: builds
 * with CROSS= use this folder instead of the library. Output and exit status are the same as
 * cmocka's.
 */
#ifndef CMOCKA_H
#define CMOCKA_H 1

#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

typedef void CMUnitTestFunction(void **state);
typedef int CMFixtureFunction(void **state);

struct CMUnitTest {
	const char *name;
	CMUnitTestFunction *test_func;
	CMFixtureFunction *setup_func;
	CMFixtureFunction *teardown_func;
};

#define cmocka_unit_test_setup_teardown(f, setup, teardown)                              \
	{                                                                                \
#f, f, setup, teardown                                                   \
	}
#define cmocka_unit_test(f) cmocka_unit_test_setup_teardown(f, NULL, NULL)
#define cmocka_unit_test_setup(f, setup) cmocka_unit_test_setup_teardown(f, setup, NULL)
#define cmocka_unit_test_teardown(f, teardown)                                           \
	cmocka_unit_test_setup_teardown(f, NULL, teardown)

/* Returns the number of tests that failed. */
#define cmocka_run_group_tests(tests, setup, teardown)                                   \
	_cmocka_run_group_tests(#tests, tests, sizeof(tests) / sizeof((tests)[0]),       \
				setup, teardown)
int _cmocka_run_group_tests(const char *group, const struct CMUnitTest *tests, size_t n,
			    CMFixtureFunction *setup, CMFixtureFunction *teardown);

/* Only the tests whose names match the pattern are to run. */
void cmocka_set_test_filter(const char *pattern);

/* End the running test. */
void cmocka_fail(const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4), noreturn));
void cmocka_skip(void) __attribute__((noreturn));
#define fail_msg(...) cmocka_fail(__FILE__, __LINE__, __VA_ARGS__)
#define fail() cmocka_fail(__FILE__, __LINE__, "failed")
#define skip() cmocka_skip()

void print_message(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

void cmocka_assert(int ok, const char *text, const char *file, int line);
#define assert_true(c) cmocka_assert(!!(c), #c, __FILE__, __LINE__)
#define assert_false(c) cmocka_assert(!(c), "!(" #c ")", __FILE__, __LINE__)
#define assert_non_null(p) cmocka_assert((p) != NULL, #p " != NULL", __FILE__, __LINE__)
#define assert_null(p) cmocka_assert((p) == NULL, #p " == NULL", __FILE__, __LINE__)
#define assert_ptr_equal(a, b)                                                           \
	cmocka_assert((const void *)(a) == (const void *)(b), #a " == " #b, __FILE__,    \
		      __LINE__)
#define assert_ptr_not_equal(a, b)                                                       \
	cmocka_assert((const void *)(a) != (const void *)(b), #a " != " #b, __FILE__,    \
		      __LINE__)

void cmocka_assert_int(uintmax_t a, uintmax_t b, int equal, const char *file, int line);
#define assert_int_equal(a, b)                                                           \
	cmocka_assert_int((uintmax_t)(a), (uintmax_t)(b), 1, __FILE__, __LINE__)
#define assert_int_not_equal(a, b)                                                       \
	cmocka_assert_int((uintmax_t)(a), (uintmax_t)(b), 0, __FILE__, __LINE__)
#define assert_in_range(v, from, to)                                                     \
	cmocka_assert((uintmax_t)(v) >= (uintmax_t)(from) &&                             \
			  (uintmax_t)(v) <= (uintmax_t)(to),                             \
		      #v " lies in " #from " to " #to, __FILE__, __LINE__)

void cmocka_assert_string(const char *a, const char *b, int equal, const char *file,
			  int line);
#define assert_string_equal(a, b) cmocka_assert_string(a, b, 1, __FILE__, __LINE__)
#define assert_string_not_equal(a, b) cmocka_assert_string(a, b, 0, __FILE__, __LINE__)

void cmocka_assert_memory(const void *a, const void *b, size_t n, int equal,
			  const char *file, int line);
#define assert_memory_equal(a, b, n) cmocka_assert_memory(a, b, n, 1, __FILE__, __LINE__)
#define assert_memory_not_equal(a, b, n)                                                 \
	cmocka_assert_memory(a, b, n, 0, __FILE__, __LINE__)

#endif
