/* SPDX-License-Identifier: BSD-3-Clause */
/* What each environment variable of libpmem selects. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compiler.h"
#include "config.h"
#include "engine.h"
#include "support.h"

static const char *env_name;
static const char *env_value;

static char *lookup(const char *name)
{
	static char copy[64];

	if (!env_name || strcmp(name, env_name) != 0)
		return NULL;
	snprintf(copy, sizeof(copy), "%s", env_value);
	return copy;
}

static struct config read_with(const char *name, const char *value)
{
	struct config c;

	env_name = name;
	env_value = value;
	config_read(&c, lookup);
	return c;
}

static void without_variables_nothing_is_forced(void **state)
{
	struct config c = read_with(NULL, NULL);

	(void)state;
	assert_int_equal(c.disabled, ENGINE_MOVDIR64B);
	assert_int_equal(c.no_flush, -1);
	assert_int_equal(c.wc_workaround, -1);
	assert_false(c.has_nt_threshold);
	env_name = NULL;
	assert_int_equal(config_read_is_pmem_force(lookup), -1);
}

static void switches_take_exactly_one_text(void **state)
{
	static const struct {
		const char *name;
		const char *on;
		unsigned feature;
	} rows[] = {
	    {"PMEM_NO_CLWB", "1", ENGINE_CLWB},
	    {"PMEM_NO_CLFLUSHOPT", "1", ENGINE_CLFLUSHOPT},
	    {"PMEM_NO_MOVNT", "1", ENGINE_SIMD},
	    {"PMEM_AVX", "0", ENGINE_AVX},
	    {"PMEM_AVX512F", "0", ENGINE_AVX512F},
	};
	static const char *const texts[] = {"0",  "1",	"",  "2", "01",
					    "1 ", " 1", "y", "-1"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (size_t j = 0; j < ARRAY_SIZE(texts); j++) {
			bool on = strcmp(texts[j], rows[i].on) == 0;
			unsigned got = read_with(rows[i].name, texts[j]).disabled;

			if (got != (ENGINE_MOVDIR64B | (on ? rows[i].feature : 0)))
				fail_msg("%s=%s: %x", rows[i].name, texts[j], got);
		}
}

static void movdir64b_is_on_for_anything_but_0(void **state)
{
	(void)state;
	assert_int_equal(read_with("PMEM_MOVDIR64B", "1").disabled, 0);
	assert_int_equal(read_with("PMEM_MOVDIR64B", "yes").disabled, 0);
	assert_int_equal(read_with("PMEM_MOVDIR64B", "0").disabled, ENGINE_MOVDIR64B);
}

static void generic_memcpy_is_off_for_a_number_but_0(void **state)
{
	(void)state;
	assert_true(read_with("PMEM_NO_GENERIC_MEMCPY", "1").disabled & ENGINE_PORTABLE);
	assert_true(read_with("PMEM_NO_GENERIC_MEMCPY", "-7").disabled & ENGINE_PORTABLE);
	assert_false(read_with("PMEM_NO_GENERIC_MEMCPY", "0").disabled & ENGINE_PORTABLE);
	assert_false(read_with("PMEM_NO_GENERIC_MEMCPY", "y").disabled & ENGINE_PORTABLE);
	assert_false(read_with("PMEM_NO_GENERIC_MEMCPY", "").disabled & ENGINE_PORTABLE);
}

static void three_way_switches_keep_their_default(void **state)
{
	static const struct {
		const char *text;
		int value;
	} rows[] = {{"0", 0}, {"1", 1}, {"", -1}, {"2", -1}, {"00", -1}, {"1x", -1}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(read_with("PMEM_NO_FLUSH", rows[i].text).no_flush,
				 rows[i].value);
		assert_int_equal(
		    read_with("PMEM_WC_WORKAROUND", rows[i].text).wc_workaround,
		    rows[i].value);
	}
}

static void the_threshold_is_a_number_not_below_0(void **state)
{
	static const struct {
		const char *text;
		bool has;
		size_t value;
	} rows[] = {
	    {"0", true, 0},
	    {"1", true, 1},
	    {"4096", true, 4096},
	    {"512k", true, 512},
	    {" 64", true, 64},
	    {"-15", false, 0},
	    {"", false, 0},
	    {"many", false, 0},
	    {"9223372036854775807", true, SIZE_MAX / 2},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct config c = read_with("PMEM_MOVNT_THRESHOLD", rows[i].text);

		assert_int_equal(c.has_nt_threshold, rows[i].has);
		if (c.has_nt_threshold)
			assert_int_equal(c.nt_threshold, rows[i].value);
	}
}

static void is_pmem_force_ignores_what_is_no_number(void **state)
{
	static const struct {
		const char *text;
		int force;
	} rows[] = {{"0", 0},  {"1", 1},   {" 1", 1}, {"01", 1},   {"1x", 1},
		    {"2", -1}, {"-1", -1}, {"", -1},  {"abc", -1}, {"yes", -1}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		env_name = "PMEM_IS_PMEM_FORCE";
		env_value = rows[i].text;
		if (config_read_is_pmem_force(lookup) != rows[i].force)
			fail_msg("PMEM_IS_PMEM_FORCE=%s", rows[i].text);
	}
}

/* It is read at the first call in a process. */
static void reading_a_number_out_of_range_keeps_errno(void **state)
{
	(void)state;
	assert_int_equal(setenv("PMEM_IS_PMEM_FORCE", "99999999999999999999", 1), 0);
	for (int i = 0; i < 2; i++) {
		errno = ENOTTY;
		assert_int_equal(config_is_pmem_force(), -1);
		assert_int_equal(errno, ENOTTY);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(without_variables_nothing_is_forced),
	    cmocka_unit_test(switches_take_exactly_one_text),
	    cmocka_unit_test(movdir64b_is_on_for_anything_but_0),
	    cmocka_unit_test(generic_memcpy_is_off_for_a_number_but_0),
	    cmocka_unit_test(three_way_switches_keep_their_default),
	    cmocka_unit_test(the_threshold_is_a_number_not_below_0),
	    cmocka_unit_test(is_pmem_force_ignores_what_is_no_number),
	    cmocka_unit_test(reading_a_number_out_of_range_keeps_errno),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
