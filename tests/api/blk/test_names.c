/* SPDX-License-Identifier: BSD-3-Clause */
/* Names of files with special bytes, in the messages of both libraries. */
#include <stdio.h>
#include <string.h>

#include <libpmem.h>
#include <libpmemblk.h>

#include "support.h"

/* The message must hold the text `shown`, and no control byte. */
static void assert_message(const char *message, const char *shown)
{
	assert_non_null(strstr(message, shown));
	for (const char *c = message; *c; c++)
		assert_true((unsigned char)*c >= 0x20 && *c != 0x7f);
}

static void messages_escape_control_characters_of_paths(void **state)
{
	(void)state;
	assert_null(pmemblk_open("/absent\x1b[2J\n", 0));
	assert_message(pmemblk_errormsg(), "/absent\\x1b[2J\\x0a: No such file");
	assert_null(pmemblk_create("/absent\x1b/x", 512, PMEMBLK_MIN_POOL, 0600));
	assert_message(pmemblk_errormsg(), "/absent\\x1b/x: No such file");
	assert_int_equal(pmemblk_check("/absent\x07", 0), -1);
	assert_message(pmemblk_errormsg(), "/absent\\x07: No such file");
	assert_null(pmem_map_file("/absent\x1b[2J", 0, 0, 0, NULL, NULL));
	assert_message(pmem_errormsg(), "/absent\\x1b[2J: No such file");
}

static void utf8_and_ordinary_names_stay(void **state)
{
	(void)state;
	assert_null(pmemblk_open("/absent \\ \xc3\xa4\xe2\x82\xac", 0));
	assert_non_null(
	    strstr(pmemblk_errormsg(), "/absent \\ \xc3\xa4\xe2\x82\xac: No such file"));
}

static void messages_escape_the_words_of_set_files(void **state)
{
	static const struct {
		const char *line;
		const char *shown;
	} sets[] = {
	    {"\x1b[1m", "\\x1b[1m"},
	    {"20M relative\x1b[1m", "'relative\\x1b[1m'"},
	    {"20\x1b /x", "'20\\x1b'"},
	    {"20M /x \x07", "'\\x07'"},
	    {"OPTION \x1bOPT", "'\\x1bOPT'"},
	    {"REPLICA\x1b", "REPLICA\\x1b"},
	    {"20M /absent\x1b[1m", "/absent\\x1b[1m: No such file"},
	};
	const char *path = support_path(true, "set\x1b");

	(void)state;
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		char text[128];

		snprintf(text, sizeof(text), "PMEMPOOLSET\n%s\n", sets[i].line);
		support_write_file(path, text, strlen(text));
		assert_null(pmemblk_open(path, 0));
		assert_message(pmemblk_errormsg(), sets[i].shown);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(messages_escape_control_characters_of_paths),
	    cmocka_unit_test(utf8_and_ordinary_names_stay),
	    cmocka_unit_test(messages_escape_the_words_of_set_files),
	};

	support_assert_ours((void *)pmemblk_create, "pmemblk_create");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
