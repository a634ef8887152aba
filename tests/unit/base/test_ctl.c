/* SPDX-License-Identifier: BSD-3-Clause */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/ctl.h"
#include "base/ctl_config.h"
#include "errormsg.h"

static int reset(void **state)
{
	const int one = 1;
	const int zero = 0;

	(void)state;
	assert_int_equal(ctl_set("prefault.at_create", &zero), 0);
	assert_int_equal(ctl_set("prefault.at_open", &zero), 0);
	assert_int_equal(ctl_set("sds.at_create", &one), 0);
	assert_int_equal(ctl_set("fallocate.at_create", &one), 0);
	assert_int_equal(ctl_set("copy_on_write.at_open", &zero), 0);
	assert_int_equal(ctl_set("lock.wait", &zero), 0);
	return 0;
}

static int apply(const char *text)
{
	char copy[256];

	assert_true(strlen(text) < sizeof(copy));
	strcpy(copy, text);
	return ctl_config_apply(copy);
}

static void names_are_matched_component_by_component(void **state)
{
	static const struct {
		const char *name;
		int ret;
	} names[] = {
	    {"prefault.at_open", 0},
	    {"prefault..at_open", 0},
	    {".prefault.at_open.", 0},
	    {"...prefault...at_open...", 0},
	    {"", -ENOENT},
	    {".", -ENOENT},
	    {"prefault", -ENOENT},
	    {"at_open", -ENOENT},
	    {"Prefault.at_open", -ENOENT},
	    {" prefault.at_open", -ENOENT},
	    {"prefault.at_open ", -ENOENT},
	    {"prefault.at_ope", -ENOENT},
	    {"prefault.at_openx", -ENOENT},
	    {"prefault.0", -ENOENT},
	    {"prefault.x.at_open", -ENOENT},
	    {"x.prefault.at_open", -ENOENT},
	    {"sds.at_open", -ENOENT},
	    {"prefault.at_open.x", -ENOTDIR},
	    {"prefault.at_open.x.y", -ENOTDIR},
	    {"prefault.at_open.0", -ENOTDIR},
	    {NULL, -EINVAL},
	};
	int value;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (ctl_get(names[i].name, &value) != names[i].ret)
			fail_msg("'%s': %s", names[i].name, errormsg_get());
}

static void entries_have_their_defaults_and_keep_what_is_set(void **state)
{
	static const struct {
		const char *name;
		int value;
	} defaults[] = {
	    {"prefault.at_create", 0},	  {"prefault.at_open", 0},
	    {"sds.at_create", 1},	  {"fallocate.at_create", 1},
	    {"copy_on_write.at_open", 0}, {"lock.wait", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++) {
		const int odd = 7;
		int value = -1;

		assert_int_equal(ctl_get(defaults[i].name, &value), 0);
		assert_int_equal(value, defaults[i].value);
		assert_int_equal(ctl_set(defaults[i].name, &odd), 0);
		assert_int_equal(ctl_get(defaults[i].name, &value), 0);
		assert_int_equal(value, 7);
		assert_int_equal(ctl_get(defaults[i].name, NULL), -EINVAL);
		assert_int_equal(ctl_set(defaults[i].name, NULL), -EINVAL);
		assert_int_equal(ctl_exec(defaults[i].name), -EINVAL);
	}
	assert_int_equal(ctl_value(CTL_PREFAULT_AT_CREATE), 7);
	assert_int_equal(ctl_value(CTL_COPY_ON_WRITE_AT_OPEN), 7);
}

/* A value that is none is passed over, as those of switches are. */
static void a_time_is_a_number_of_milliseconds_or_minus_1(void **state)
{
	static const struct {
		const char *text;
		int ret;
		int value;
	} texts[] = {
	    {"0", 0, 0},
	    {"5000", 0, 5000},
	    {"0010", 0, 10},
	    {"-1", 0, -1},
	    {"2147483647", 0, INT_MAX},
	    {"2147483648", -EINVAL, 7},
	    {"-2", -EINVAL, 7},
	    {"", -EINVAL, 7},
	    {"y", -EINVAL, 7},
	    {"10s", -EINVAL, 7},
	    {"1.5", -EINVAL, 7},
	    {" 1", -EINVAL, 7},
	    {"+1", -EINVAL, 7},
	    {"99999999999999999999", -EINVAL, 7},
	    {"0x10", -EINVAL, 7},
	    {"-", -EINVAL, 7},
	};
	const int least = -1;
	const int below = -2;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const int before = 7;

		assert_int_equal(ctl_set("lock.wait", &before), 0);
		if (ctl_set_text("lock.wait", texts[i].text) != texts[i].ret ||
		    ctl_value(CTL_LOCK_WAIT) != texts[i].value)
			fail_msg("'%s': %d", texts[i].text, ctl_value(CTL_LOCK_WAIT));
	}
	assert_int_equal(apply("lock.wait=2500;lock.wait=soon"), 0);
	assert_int_equal(ctl_value(CTL_LOCK_WAIT), 2500);
	/* what follows the value is cut off */
	assert_int_equal(apply("lock.wait=2600="), 0);
	assert_int_equal(ctl_value(CTL_LOCK_WAIT), 2600);
	assert_int_equal(apply("lock.wait=,2700,1"), 0);
	assert_int_equal(ctl_value(CTL_LOCK_WAIT), 2700);
	assert_int_equal(ctl_set("lock.wait", &least), 0);
	assert_int_equal(ctl_set("lock.wait", &below), -EINVAL);
	assert_non_null(strstr(errormsg_get(), "lock.wait"));
	assert_int_equal(ctl_value(CTL_LOCK_WAIT), -1);
}

static void a_switch_takes_one_of_six_letters(void **state)
{
	static const char *const bad[] = {"maybe", "", "2"};
	int value;

	(void)state;
	for (int on = 0; on < 2; on++)
		for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
			char quoted[16];

			assert_int_equal(ctl_set_text("prefault.at_open", on ? "y" : "n"),
					 0);
			snprintf(quoted, sizeof(quoted), "'%s'", bad[i]);
			assert_int_equal(ctl_set_text("prefault.at_open", bad[i]),
					 -EINVAL);
			assert_non_null(
			    strstr(errormsg_get(), "takes y, Y, 1, n, N or 0"));
			assert_non_null(strstr(errormsg_get(), quoted));
			assert_int_equal(ctl_get("prefault.at_open", &value), 0);
			assert_int_equal(value, on);
		}
	assert_int_equal(ctl_set_text("lock.wait", "soon"), -EINVAL);
	assert_non_null(strstr(errormsg_get(), "takes milliseconds, or -1, not 'soon'"));
}

static void wide_reads_are_switched_off_by_exactly_0_or_1(void **state)
{
	static const char *const texts[] = {"0", "1", "00", "11", "", "y", NULL};

	(void)state;
	unsetenv("PMEMBLK_CONF");
	unsetenv("PMEMBLK_CONF_FILE");
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		for (size_t k = 0; k < ARRAY_SIZE(texts); k++) {
			unsetenv("PMEM_AVX512F");
			unsetenv("PMEM_NO_MOVNT");
			if (texts[i])
				setenv("PMEM_AVX512F", texts[i], 1);
			if (texts[k])
				setenv("PMEM_NO_MOVNT", texts[k], 1);
			ctl_config_load();
			assert_int_equal(ctl_config_permits_avx512(), i != 0 && k != 1);
		}
}

/* For each text what the original did: 0, or it aborted or crashed. */
static void configurations_are_accepted_where_the_original_lived(void **state)
{
	static const struct {
		const char *text;
		int ret;
		int at_open;
	} texts[] = {
	    {"", 0, 0},
	    {";", 0, 0},
	    {";;;", 0, 0},
	    {"prefault.at_create=y;prefault.at_open=Y", 0, 1},
	    {"prefault.at_open=yes", 0, 1},
	    {"prefault.at_open=1abc", 0, 1},
	    {"prefault.at_open=1;", 0, 1},
	    {"prefault.at_open=1;prefault.at_open=n", 0, 0},
	    {"prefault.at_open=2", 0, 0},
	    {"prefault.at_open=true", 0, 0},
	    {"prefault.at_open=bad;prefault.at_open=1", 0, 1},
	    {"prefault.at_open= 1", 0, 0},
	    {" prefault.at_open=1", 0, 0},
	    {"no.such.thing=1;prefault.at_open=1", 0, 1},
	    {"prefault=1", 0, 0},
	    {"prefault.at_open==1", 0, 1},
	    {"prefault.at_open=1=", 0, 1},
	    {"=prefault.at_open=1", 0, 1},
	    {"prefault.at_open=,,1", 0, 1},
	    {"prefault.at_open=1,0", 0, 1},
	    {"prefault.at_open=,", 0, 0},
	    {"garbage", -EINVAL, 0},
	    {"prefault.at_open", -EINVAL, 0},
	    {"prefault.at_open=", -EINVAL, 0},
	    {"=1", -EINVAL, 0},
	    {"=", -EINVAL, 0},
	    {"a=1=2", -EINVAL, 0},
	    {"prefault.at_open=1;b", -EINVAL, 1},
	    {"prefault.at_open.x=1", -EINVAL, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		reset(NULL);
		if (apply(texts[i].text) != texts[i].ret ||
		    ctl_value(CTL_PREFAULT_AT_OPEN) != texts[i].at_open)
			fail_msg("'%s' gives %d, prefault.at_open %d", texts[i].text,
				 apply(texts[i].text), ctl_value(CTL_PREFAULT_AT_OPEN));
	}
}

static void the_message_quotes_the_broken_query(void **state)
{
	(void)state;
	assert_int_equal(apply("sds.at_create=0;garbage"), -EINVAL);
	assert_non_null(strstr(errormsg_get(), "'garbage'"));
	assert_int_equal(apply("prefault.at_open.x=1"), -EINVAL);
	assert_non_null(strstr(errormsg_get(), "'prefault.at_open.x'"));
}

static void files_lose_comments_and_white_space(void **state)
{
	static const struct {
		const char *text;
		const char *stripped;
	} texts[] = {
	    {"", ""},
	    {"#", ""},
	    {"# all comment", ""},
	    {"a=1;\n b = 2 ; # three\n c=3", "a=1;b=2;c=3"},
	    {"a=1\nb=1", "a=1b=1"},
	    {"\t\r\v\f\n ", ""},
	    {"a#b#c\nd", "ad"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char copy[128];

		memset(copy, 'x', sizeof(copy) - 1); /* behind the end */
		copy[sizeof(copy) - 1] = '\0';
		strcpy(copy, texts[i].text);
		ctl_config_strip(copy);
		assert_string_equal(copy, texts[i].stripped);
	}
}

static void files_are_limited_in_length(void **state)
{
	const char *path = support_path(false, "conf");
	char *text = malloc(CTL_CONFIG_MAX + 1);

	(void)state;
	assert_non_null(text);
	memset(text, '#', CTL_CONFIG_MAX + 1);
	memcpy(text, "prefault.at_open=1;\n", 20);
	support_write_file(path, text, CTL_CONFIG_MAX);
	assert_int_equal(ctl_config_apply_file(path), 0);
	assert_int_equal(ctl_value(CTL_PREFAULT_AT_OPEN), 1);
	support_write_file(path, text, CTL_CONFIG_MAX + 1);
	assert_int_equal(ctl_config_apply_file(path), -EINVAL);
	assert_non_null(strstr(errormsg_get(), path));
	free(text);
}

static void without_a_standard_input_files_are_read_as_well(void **state)
{
	static const char text[] = "prefault.at_create=1";
	const char *path = support_path(false, "conf");
	int input;

	(void)state;
	support_write_file(path, text, strlen(text));
	input = support_close_input();
	assert_int_equal(ctl_config_apply_file(path), 0);
	assert_int_equal(fcntl(0, F_GETFD), -1);
	assert_int_equal(ctl_value(CTL_PREFAULT_AT_CREATE), 1);
	support_restore_input(input);
}

static void files_that_cannot_be_read_are_errors(void **state)
{
	(void)state;
	assert_int_equal(ctl_config_apply_file(support_path(false, "none")), -ENOENT);
	assert_non_null(strstr(errormsg_get(), "none"));
	assert_int_equal(ctl_config_apply_file(support_tmpdir(false)), -EISDIR);
}

/* A pipe without a writer would be waited for, and every program would hang that loads the library. */
static void a_pipe_that_nobody_writes_is_an_empty_file(void **state)
{
	const char *path = support_path(false, "pipe");

	(void)state;
	assert_int_equal(mkfifo(path, 0600), 0);
	errormsg_set("before");
	alarm(20);
	assert_int_equal(ctl_config_apply_file(path), 0);
	alarm(0);
	assert_string_equal(errormsg_get(), "before");
	assert_int_equal(unlink(path), 0);
}

static int open_flags; /* of the last file */

SUPPORT_INTERPOSE int open(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	open_flags = flags;
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

/* Another thread of the program may start a program meanwhile. */
static void no_other_program_inherits_the_file(void **state)
{
	static const char text[] = "prefault.at_create=1";
	const char *path = support_path(false, "conf");

	(void)state;
	support_write_file(path, text, strlen(text));
	open_flags = 0;
	assert_int_equal(ctl_config_apply_file(path), 0);
	assert_int_equal(open_flags & O_CLOEXEC, O_CLOEXEC);
}

/* A read is interrupted, and then as many bytes come as a file system likes. */
static bool reads_badly;
static bool interrupts;
static char *buffer; /* of the first read; NULL: none yet */
static bool is_beyond;

SUPPORT_INTERPOSE ssize_t read(int fd, void *buf, size_t len)
{
	if (!reads_badly)
		return syscall(SYS_read, fd, buf, len);
	buffer = buffer ? buffer : buf;
	is_beyond |= (char *)buf + len > buffer + CTL_CONFIG_MAX + 1;
	interrupts = !interrupts;
	if (interrupts) {
		errno = EINTR;
		return -1;
	}
	return syscall(SYS_read, fd, buf, len < 3 ? len : 3);
}

static void interrupted_and_short_reads_go_on(void **state)
{
	static const char text[] = "prefault.at_create=1;\nprefault.at_open=1";
	const char *path = support_path(false, "conf");

	(void)state;
	support_write_file(path, text, strlen(text));
	reads_badly = true;
	alarm(20);
	assert_int_equal(ctl_config_apply_file(path), 0);
	alarm(0);
	reads_badly = false;
	assert_false(is_beyond);
	assert_int_equal(ctl_value(CTL_PREFAULT_AT_CREATE), 1);
	assert_int_equal(ctl_value(CTL_PREFAULT_AT_OPEN), 1);
}

static int live; /* pieces of memory */
static bool no_memory;

static void *count_malloc(size_t size)
{
	live += !no_memory;
	return no_memory ? NULL : malloc(size);
}

static char *count_strdup(const char *s)
{
	live += !no_memory;
	return no_memory ? NULL : strdup(s);
}

static void count_free(void *p)
{
	live--;
	free(p);
}

static void without_memory_for_a_file_it_is_not_applied(void **state)
{
	static const char text[] = "prefault.at_create=1";
	const char *path = support_path(false, "conf");
	unsigned descriptors = support_count_descriptors();

	(void)state;
	support_write_file(path, text, strlen(text));
	alloc_set_funcs(count_malloc, count_free, NULL, count_strdup);
	no_memory = true;
	assert_int_equal(ctl_config_apply_file(path), -ENOMEM);
	assert_non_null(strstr(errormsg_get(), path));
	assert_int_equal(ctl_value(CTL_PREFAULT_AT_CREATE), 0);
	no_memory = false;
	assert_int_equal(ctl_config_apply_file(path), 0);
	assert_int_equal(ctl_value(CTL_PREFAULT_AT_CREATE), 1);
	assert_int_equal(live, 0);
	assert_int_equal(support_count_descriptors(), descriptors);
	alloc_set_funcs(NULL, NULL, NULL, NULL);
}

/* The last case: from then on the configuration counts as invalid. */
static void without_memory_for_the_environment_nothing_can_be_opened(void **state)
{
	(void)state;
	unsetenv("PMEMBLK_CONF_FILE");
	setenv("PMEMBLK_CONF", "prefault.at_create=1", 1);
	alloc_set_funcs(count_malloc, count_free, NULL, count_strdup);
	live = 0;
	ctl_config_load();
	assert_int_equal(live, 0);
	assert_int_equal(ctl_value(CTL_PREFAULT_AT_CREATE), 1);
	assert_int_equal(ctl_config_check(), 0);
	no_memory = true;
	ctl_config_load();
	no_memory = false;
	assert_int_equal(ctl_config_check(), -EINVAL);
	assert_non_null(strstr(errormsg_get(), "PMEMBLK_CONF: out of memory"));
	alloc_set_funcs(NULL, NULL, NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_are_matched_component_by_component),
	    cmocka_unit_test_teardown(entries_have_their_defaults_and_keep_what_is_set,
				      reset),
	    cmocka_unit_test_teardown(a_time_is_a_number_of_milliseconds_or_minus_1,
				      reset),
	    cmocka_unit_test(a_switch_takes_one_of_six_letters),
	    cmocka_unit_test(wide_reads_are_switched_off_by_exactly_0_or_1),
	    cmocka_unit_test_teardown(
		configurations_are_accepted_where_the_original_lived, reset),
	    cmocka_unit_test_teardown(the_message_quotes_the_broken_query, reset),
	    cmocka_unit_test(files_lose_comments_and_white_space),
	    cmocka_unit_test_teardown(files_are_limited_in_length, reset),
	    cmocka_unit_test(without_a_standard_input_files_are_read_as_well),
	    cmocka_unit_test(files_that_cannot_be_read_are_errors),
	    cmocka_unit_test(a_pipe_that_nobody_writes_is_an_empty_file),
	    cmocka_unit_test_teardown(interrupted_and_short_reads_go_on, reset),
	    cmocka_unit_test_teardown(no_other_program_inherits_the_file, reset),
	    cmocka_unit_test_teardown(without_memory_for_a_file_it_is_not_applied, reset),
	    cmocka_unit_test(without_memory_for_the_environment_nothing_can_be_opened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
