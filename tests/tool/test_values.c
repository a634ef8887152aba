/* SPDX-License-Identifier: BSD-3-Clause */
/* The values of options (commands/values.h). */
#include "support.h"

#include <string.h>

#include "commands/values.h"

#define KIB UINT64_C(1024)

static char wanted[VALUES_WANTED];

#define STORES(kind, text, target)                                                       \
	values_store(&(struct tool_option){'x', "name", "VALUE", "help", kind, target,   \
					   0, UINT64_MAX},                               \
		     text, wanted)

static void sizes_have_units(void **state)
{
	static const struct {
		const char *text;
		uint64_t value;
	} sizes[] = {
	    {"0", 0},
	    {"1", 1},
	    {"9", 9},
	    {"1234567890", 1234567890},
	    {"18446744073709551615", UINT64_MAX},
	    {"7B", 7},
	    {"7b", 7},
	    {"3K", 3 * KIB},
	    {"3k", 3 * KIB},
	    {"3KiB", 3 * KIB},
	    {"3kib", 3 * KIB},
	    {"3KB", 3000},
	    {"3M", 3 * KIB * KIB},
	    {"3mb", 3000000},
	    {"3G", 3 * KIB * KIB * KIB},
	    {"3GB", 3000000000},
	    {"3T", 3 * KIB * KIB * KIB * KIB},
	    {"3TB", 3000000000000},
	    {"3P", 3 * KIB * KIB * KIB * KIB * KIB},
	    {"3PB", 3000000000000000},
	    {"16383P", 16383 * KIB * KIB * KIB * KIB * KIB},
	    {"0x0", 0},
	    {"0x10", 16},
	    {"0X1aF", 0x1af},
	    {"0x9abcdef0", 0x9abcdef0},
	    {"0xffffffffffffffff", UINT64_MAX},
	    {"1.5K", 1536},
	    {"1.5KB", 1500},
	    {"0.9K", 921},
	    {"0.0009765625K", 1},
	    {"1.000000000000001PB", 1000000000000001},
	    {"1.0000000000000019PB", 1000000000000001},
	    {"1.999999999999999999K", 2047},
	    {"16383.75P",
	     16383 * KIB * KIB * KIB * KIB * KIB + 3 * (KIB / 4) * KIB * KIB * KIB * KIB},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint64_t value = 77;

		if (!tool_parse_size(sizes[i].text, &value) || value != sizes[i].value)
			fail_msg("%s: %llu", sizes[i].text, (unsigned long long)value);
		value = 77;
		assert_true(STORES(TOOL_SIZE, sizes[i].text, &value));
		assert_true(value == sizes[i].value);
	}
}

static void what_is_no_size_is_refused(void **state)
{
	static const char *const texts[] = {"",
					    " ",
					    "x",
					    "K",
					    "-1",
					    "+1",
					    "1 ",
					    " 1",
					    "1KK",
					    "1KiBB",
					    "1Ki",
					    "1iB",
					    "1kx",
					    "1Z",
					    "1E",
					    "1.5",
					    "1.5B",
					    ".5K",
					    "1.K",
					    "1..5K",
					    "1.5.5K",
					    "1.aK",
					    "1a",
					    "a",
					    "0x",
					    "0xg",
					    "0x1g",
					    "0x1K",
					    "x10",
					    "1x10",
					    "0x1.8",
					    "18446744073709551616",
					    "0x10000000000000000",
					    "16384P",
					    "18447PB",
					    "99999999999999999999999",
					    "1:",
					    "1/",
					    ":",
					    "/",
					    "1@",
					    "0x`",
					    "0x/",
					    "0x:"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		uint64_t value;

		if (tool_parse_size(texts[i], &value))
			fail_msg("'%s' is a size", texts[i]);
		assert_false(STORES(TOOL_SIZE, texts[i], &value));
	}
}

static void numbers_are_decimal(void **state)
{
	static const char *const bad[] = {
	    "", "x", "1x", "1K", "0x10", "-1", "1.0", " 1", "18446744073709551616"};
	uint64_t value = 77;

	(void)state;
	assert_true(STORES(TOOL_NUMBER, "18446744073709551615", &value));
	assert_true(value == UINT64_MAX);
	assert_true(STORES(TOOL_NUMBER, "0010", &value));
	assert_true(value == 10);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(STORES(TOOL_NUMBER, bad[i], &value));
	assert_true(value == 10);
	assert_string_equal(wanted, "a number");
}

static void a_value_lies_in_its_range(void **state)
{
	uint64_t value = 77;
	struct tool_option o = {
	    .name = "name", .kind = TOOL_NUMBER, .target = &value, .min = 3, .max = 5};

	(void)state;
	assert_false(values_store(&o, "2", wanted));
	assert_string_equal(wanted, "a number from 3 to 5");
	assert_false(values_store(&o, "6", wanted));
	assert_true(value == 77);
	assert_true(values_store(&o, "3", wanted) && value == 3);
	assert_true(values_store(&o, "5", wanted) && value == 5);
	o.kind = TOOL_SIZE;
	assert_false(values_store(&o, "2", wanted));
	assert_string_equal(wanted,
			    "a size (such as 4096, 4k, 1.5G or 0x1000) from 3 to 5");
	assert_false(values_store(&o, "0x6", wanted));
	assert_true(values_store(&o, "0x4", wanted) && value == 4);
}

static void modes_are_octal(void **state)
{
	static const char *const bad[] = {"", "8", "648", "10000", "rw", "0x1ff", "644 "};
	mode_t mode = 1;

	(void)state;
	assert_true(STORES(TOOL_MODE, "0", &mode) && mode == 0);
	assert_true(STORES(TOOL_MODE, "0640", &mode) && mode == 0640);
	assert_true(STORES(TOOL_MODE, "7777", &mode) && mode == 07777);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(STORES(TOOL_MODE, bad[i], &mode));
	assert_string_equal(wanted, "permission bits in octal, such as 640");
}

static void blocks_are_one_or_a_range(void **state)
{
	static const char *const bad[] = {"",
					  "-",
					  "-5",
					  "x",
					  "5x",
					  "5-x",
					  "5-4",
					  "5--6",
					  "5-6-7",
					  "5,6",
					  "9223372036854775808",
					  "9223372036854775808-",
					  "5-9223372036854775808",
					  "5-18446744073709551616"};
	struct tool_blocks b;

	(void)state;
	assert_true(STORES(TOOL_BLOCKS, "0", &b) && b.first == 0 && b.last == 0);
	assert_true(STORES(TOOL_BLOCKS, "7", &b) && b.first == 7 && b.last == 7);
	assert_true(STORES(TOOL_BLOCKS, "5-", &b) && b.first == 5 &&
		    b.last == UINT64_MAX);
	assert_true(STORES(TOOL_BLOCKS, "5-5", &b) && b.first == 5 && b.last == 5);
	assert_true(STORES(TOOL_BLOCKS, "5-10", &b) && b.first == 5 && b.last == 10);
	assert_true(STORES(TOOL_BLOCKS, "9223372036854775807-9223372036854775807", &b));
	assert_true(b.first == INT64_MAX && b.last == INT64_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (STORES(TOOL_BLOCKS, bad[i], &b))
			fail_msg("'%s' are blocks", bad[i]);
	assert_string_equal(wanted, "blocks as N, FIRST-LAST or FIRST-");
}

static void a_name_is_any_text_but_the_empty_one(void **state)
{
	const char *text = NULL;
	bool flag = false;

	(void)state;
	assert_true(STORES(TOOL_TEXT, "-x y", &text));
	assert_string_equal(text, "-x y");
	assert_false(STORES(TOOL_TEXT, "", &text));
	assert_string_equal(wanted, "the name of a file");
	assert_true(STORES(TOOL_FLAG, "", &flag));
	assert_true(flag);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sizes_have_units),
	    cmocka_unit_test(what_is_no_size_is_refused),
	    cmocka_unit_test(numbers_are_decimal),
	    cmocka_unit_test(a_value_lies_in_its_range),
	    cmocka_unit_test(modes_are_octal),
	    cmocka_unit_test(blocks_are_one_or_a_range),
	    cmocka_unit_test(a_name_is_any_text_but_the_empty_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
