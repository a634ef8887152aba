/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "blame.h"
#include "errormsg.h"
#include "log.h"
#include "printable.h"
#include "support.h"

static void assert_shown(const char *raw, const char *shown)
{
	char text[256];

	strcpy(text, raw);
	assert_int_equal(printable_make(text, sizeof(text)), strlen(shown));
	assert_string_equal(text, shown);
	/* A second call changes nothing. */
	assert_int_equal(printable_make(text, sizeof(text)), strlen(shown));
	assert_string_equal(text, shown);
}

static void what_a_terminal_may_show_stays(void **state)
{
	(void)state;
	assert_shown("", "");
	assert_shown("/tmp/a b'c\"d\\e~", "/tmp/a b'c\"d\\e~");
	assert_shown("/tmp/\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
		     "/tmp/\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
	assert_shown(
	    "\xc2\xa0\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf",
	    "\xc2\xa0\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf");
}

static void control_characters_are_escaped(void **state)
{
	(void)state;
	assert_shown("\x1b[31m", "\\x1b[31m");
	assert_shown("a\nb\tc\rd\x7f\x01", "a\\x0ab\\x09c\\x0dd\\x7f\\x01");
	assert_shown("\x1f \x1f", "\\x1f \\x1f");
	/* CSI as one character; NEL; changes of the writing direction */
	assert_shown("\xc2\x9b"
		     "2J",
		     "\\xc2\\x9b"
		     "2J");
	assert_shown("\xc2\x80\xc2\x9f", "\\xc2\\x80\\xc2\\x9f");
	assert_shown("\xe2\x80\xae", "\\xe2\\x80\\xae");
	assert_shown("\xe2\x80\x8e\xe2\x80\x8f", "\\xe2\\x80\\x8e\\xe2\\x80\\x8f");
	assert_shown("\xe2\x80\xa8\xe2\x81\xa6\xe2\x81\xa9\xd8\x9c",
		     "\\xe2\\x80\\xa8\\xe2\\x81\\xa6\\xe2\\x81\\xa9\\xd8\\x9c");
}

static void bytes_that_are_no_utf8_are_escaped(void **state)
{
	(void)state;
	assert_shown("\xff\xfe", "\\xff\\xfe");
	assert_shown("\x80x\xbf", "\\x80x\\xbf");
	assert_shown("\xc0\xaf", "\\xc0\\xaf"); /* an overlong '/' of two bytes */
	assert_shown("\xc1\xbf", "\\xc1\\xbf");
	assert_shown("\xe0\x9f\xbf", "\\xe0\\x9f\\xbf"); /* overlong */
	assert_shown("\xf0\x8f\xbf\xbf", "\\xf0\\x8f\\xbf\\xbf");
	assert_shown("\xed\xa0\x80", "\\xed\\xa0\\x80"); /* a surrogate */
	assert_shown("\xf4\x90\x80\x80",
		     "\\xf4\\x90\\x80\\x80"); /* beyond the last character */
	assert_shown("\xf8\x90\x80\x80", "\\xf8\\x90\\x80\\x80"); /* no first byte */
	assert_shown("\xf8\x88\x80\x80\x80", "\\xf8\\x88\\x80\\x80\\x80");
	assert_shown("\xe2\x82", "\\xe2\\x82"); /* truncated */
	assert_shown("\xe2\x82x", "\\xe2\\x82x");
	/* also where what is left would be the code of another character */
	assert_shown("\xe3\x81", "\\xe3\\x81");
	assert_shown("\xe3\x81x", "\\xe3\\x81x");
	assert_shown("\xf0\x9f\x98", "\\xf0\\x9f\\x98");
	assert_shown("\xf0\x9f\x98x", "\\xf0\\x9f\\x98x");
}

static void what_finds_no_room_is_cut_off_at_a_character(void **state)
{
	char text[16] = "ab\x1b\x1b";

	(void)state;
	assert_int_equal(printable_make(text, 10), 6);
	assert_string_equal(text, "ab\\x1b");
	strcpy(text, "ab\x1b\x1b");
	assert_int_equal(printable_make(text, 11), 10);
	assert_string_equal(text, "ab\\x1b\\x1b");
	strcpy(text, "abcd");
	assert_int_equal(printable_make(text, 5), 4);
	assert_int_equal(printable_make(text, 4), 3);
	assert_string_equal(text, "abc");
	strcpy(text, "a\xe2\x82\xac");
	assert_int_equal(printable_make(text, 4), 1);
	assert_string_equal(text, "a");
}

/*
 * For every size of the buffer and every text of a few bytes, nothing is written behind the
 * buffer.
 */
static void the_room_is_kept(void **state)
{
	static const char bytes[] = "a\x1b\xc2\x9b\xe2\x82\xac";
	char text[64];

	(void)state;
	for (unsigned long n = 0; n < 7ul * 7 * 7 * 7; n++) {
		for (size_t size = 5; size <= 20; size++) {
			unsigned long rest = n;

			memset(text, '#', sizeof(text));
			for (int i = 0; i < 4; i++, rest /= 7)
				text[i] = bytes[rest % 7];
			text[4] = '\0';
			assert_true(printable_make(text, size) < size);
			assert_true(strlen(text) < size);
			for (size_t i = size; i < sizeof(text); i++)
				assert_int_equal(text[i], '#');
		}
	}
}

static void messages_escape_the_names_in_them(void **state)
{
	char name[4000];

	(void)state;
	assert_int_equal(errormsg_fail(EINVAL, "%s is bad", "\x1b[2Jpool"), -EINVAL);
	assert_string_equal(errormsg_get(), "\\x1b[2Jpool is bad");
	assert_int_equal(errormsg_fail_sys(ENOENT, "cannot find %s", "a\nb"), -ENOENT);
	assert_string_equal(errormsg_get(),
			    "cannot find a\\x0ab: No such file or directory");
	assert_int_equal(blame_file("x\x07", -1), -1);
	assert_string_equal(errormsg_get(),
			    "x\\x07: cannot find a\\x0ab: No such file or directory");
	/* A long name does not displace the reason, escaped or not. */
	memset(name, '\n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(errormsg_fail_sys(ENOENT, "%s", name), -ENOENT);
	assert_true(strlen(errormsg_get()) < ERRORMSG_MAX);
	assert_non_null(strstr(errormsg_get(), "\\x0a: No such file or directory"));
}

static char logged[64];

static void note(enum log_level level, const char *file, unsigned line,
		 const char *function, const char *message)
{
	(void)level;
	(void)file;
	(void)line;
	(void)function;
	snprintf(logged, sizeof(logged), "%s", message);
}

static void the_log_escapes_names_too(void **state)
{
	(void)state;
	log_set_sink(note, LOG_LEVEL_INFO);
	LOG(LOG_LEVEL_INFO, "mapped %s", "\x1b[2J");
	log_set_sink(NULL, LOG_LEVEL_INFO);
	assert_string_equal(logged, "mapped \\x1b[2J");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_a_terminal_may_show_stays),
	    cmocka_unit_test(control_characters_are_escaped),
	    cmocka_unit_test(bytes_that_are_no_utf8_are_escaped),
	    cmocka_unit_test(what_finds_no_room_is_cut_off_at_a_character),
	    cmocka_unit_test(the_room_is_kept),
	    cmocka_unit_test(messages_escape_the_names_in_them),
	    cmocka_unit_test(the_log_escapes_names_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
