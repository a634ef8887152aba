/* SPDX-License-Identifier: BSD-3-Clause */
/* The logging interface, and that nothing is written before it is used. */
#include <errno.h>
#include <fcntl.h>
#include <libpmem.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "map_sync.h"
#include "support.h"

static struct {
	unsigned n;
	enum pmem_log_level level; /* of the last message, like the other members */
	char file[64];
	unsigned line;
	char function[64];
	char message[2048];
	char last[PMEM_LOG_LEVEL_DEBUG + 1][256]; /* the last message of each level */
} got;

static void collect(enum pmem_log_level level, const char *file, unsigned line,
		    const char *function, const char *message)
{
	got.n++;
	got.level = level;
	got.line = line;
	snprintf(got.file, sizeof(got.file), "%s", file);
	snprintf(got.function, sizeof(got.function), "%s", function);
	snprintf(got.message, sizeof(got.message), "%s", message);
	snprintf(got.last[level], sizeof(got.last[level]), "%.255s", message);
	errno = 99; /* a program may do anything */
}

static void fail_once(void)
{
	errno = 0;
	assert_null(pmem_map_file("/none/file", 0, 0, 0, NULL, NULL));
	assert_int_equal(errno, ENOENT);
}

static void thresholds_have_their_values(void **state)
{
	enum pmem_log_level level;

	(void)state;
	assert_int_equal(pmem_log_get_threshold(PMEM_LOG_THRESHOLD, &level), 0);
	assert_int_equal(level, PMEM_LOG_LEVEL_WARNING);
	assert_int_equal(pmem_log_get_threshold(PMEM_LOG_THRESHOLD_AUX, &level), 0);
	assert_int_equal(level, PMEM_LOG_LEVEL_HARK);
	assert_int_equal(PMEM_LOG_LEVEL_HARK, 0);
	assert_int_equal(PMEM_LOG_LEVEL_FATAL, 1);
	assert_int_equal(PMEM_LOG_LEVEL_ERROR, 2);
	assert_int_equal(PMEM_LOG_LEVEL_WARNING, 3);
	assert_int_equal(PMEM_LOG_LEVEL_NOTICE, 4);
	assert_int_equal(PMEM_LOG_LEVEL_INFO, 5);
	assert_int_equal(PMEM_LOG_LEVEL_DEBUG, 6);
	assert_int_equal(PMEM_LOG_THRESHOLD, 0);
	assert_int_equal(PMEM_LOG_THRESHOLD_AUX, 1);
}

static void each_threshold_takes_each_level(void **state)
{
	static const enum pmem_log_threshold both[] = {PMEM_LOG_THRESHOLD,
						       PMEM_LOG_THRESHOLD_AUX};
	enum pmem_log_level before;
	enum pmem_log_level level;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pmem_log_get_threshold(both[i], &before), 0);
		for (int l = PMEM_LOG_LEVEL_HARK; l <= PMEM_LOG_LEVEL_DEBUG; l++) {
			assert_int_equal(
			    pmem_log_set_threshold(both[i], (enum pmem_log_level)l), 0);
			assert_int_equal(pmem_log_get_threshold(both[i], &level), 0);
			assert_int_equal(level, l);
		}
		assert_int_equal(pmem_log_set_threshold(both[i], before), 0);
	}
}

static void wrong_arguments_are_refused(void **state)
{
	enum pmem_log_level level = PMEM_LOG_LEVEL_INFO;

	(void)state;
	errno = 4711;
	assert_int_equal(
	    pmem_log_set_threshold((enum pmem_log_threshold)2, PMEM_LOG_LEVEL_HARK),
	    EINVAL);
	assert_int_equal(
	    pmem_log_set_threshold(PMEM_LOG_THRESHOLD, (enum pmem_log_level)7), EINVAL);
	assert_int_equal(
	    pmem_log_set_threshold(PMEM_LOG_THRESHOLD, (enum pmem_log_level) - 1),
	    EINVAL);
	assert_int_equal(pmem_log_get_threshold((enum pmem_log_threshold)2, &level),
			 EINVAL);
	assert_int_equal(pmem_log_get_threshold(PMEM_LOG_THRESHOLD, NULL), EINVAL);
	assert_int_equal(level, PMEM_LOG_LEVEL_INFO);
	assert_int_equal(errno, 4711);
}

static void a_function_gets_what_the_threshold_lets_through(void **state)
{
	int is_pmem;
	char *p;

	(void)state;
	errno = 4711;
	assert_int_equal(pmem_log_set_function(collect), 0);
	assert_int_equal(errno, 4711);
	assert_int_equal(got.n, 1);
	assert_int_equal(got.level, PMEM_LOG_LEVEL_HARK);
	assert_non_null(strstr(got.message, "1.14.0"));

	fail_once();
	assert_int_equal(got.n, 2);
	assert_int_equal(got.level, PMEM_LOG_LEVEL_ERROR);
	assert_string_equal(got.message, pmem_errormsg());
	assert_string_equal(got.file, "map_file.c");
	assert_true(got.line > 0);
	assert_true(strlen(got.function) > 0);

	assert_int_equal(pmem_log_set_threshold(PMEM_LOG_THRESHOLD, PMEM_LOG_LEVEL_FATAL),
			 0);
	fail_once();
	assert_int_equal(got.n, 2);

	/* The reason why a mapping is not persistent memory is logged at INFO. */
	assert_int_equal(pmem_log_set_threshold(PMEM_LOG_THRESHOLD, PMEM_LOG_LEVEL_INFO),
			 0);
	errno = 4711;
	p = pmem_map_file(support_path(false, "log"), 4096, PMEM_FILE_CREATE, 0600, NULL,
			  &is_pmem);
	assert_non_null(p);
	assert_int_equal(errno, EOPNOTSUPP);
	assert_int_equal(got.n, 4);
	assert_non_null(strstr(got.last[PMEM_LOG_LEVEL_INFO], "not persistent memory"));
	assert_non_null(strstr(got.last[PMEM_LOG_LEVEL_NOTICE], "mapped 4096 bytes of"));
	assert_int_equal(is_pmem, 0);
	assert_non_null(strstr(pmem_errormsg(), "not persistent memory"));
	got.n = 0;
	assert_int_equal(pmem_unmap(p, 4096), 0);
	assert_int_equal(got.n, 0);
	assert_int_equal(pmem_log_set_threshold(PMEM_LOG_THRESHOLD, PMEM_LOG_LEVEL_DEBUG),
			 0);
	p = pmem_map_file(support_path(false, "log"), 0, 0, 0, NULL, NULL);
	got.n = 0;
	errno = 4711;
	assert_int_equal(pmem_unmap(p, 4096), 0);
	assert_int_equal(errno, 4711);
	assert_true(got.n > 0);
	assert_int_equal(got.level, PMEM_LOG_LEVEL_DEBUG);
}

static void long_messages_are_cut(void **state)
{
	char path[4000];

	(void)state;
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	got.n = 0;
	assert_null(pmem_map_file(path, 0, 0, 0, NULL, NULL));
	assert_int_equal(got.n, 1);
	assert_true(strlen(got.message) >= 500);
}

/* Runs what in a child with standard output and error in a pipe; returns their text. */
static const char *output_of(void (*what)(void))
{
	static char text[8192];
	size_t len = 0;
	int pipes[2];
	int status;
	ssize_t n;
	pid_t pid;

	fflush(NULL);
	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(pipes[1], STDOUT_FILENO);
		dup2(pipes[1], STDERR_FILENO);
		close(pipes[1]);
		what();
		_exit(0);
	}
	close(pipes[1]);
	while ((n = read(pipes[0], text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	close(pipes[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	return text;
}

static void fail_with_default_function(void)
{
	unsigned before = support_count_descriptors();

	pmem_log_set_threshold(PMEM_LOG_THRESHOLD, PMEM_LOG_LEVEL_ERROR);
	pmem_map_file("/none/quiet", 0, 0, 0, NULL, NULL); /* to syslog only */
	pmem_log_set_threshold(PMEM_LOG_THRESHOLD_AUX, PMEM_LOG_LEVEL_ERROR);
	pmem_map_file("/none/loud", 0, 0, 0, NULL, NULL);
	pmem_log_set_threshold(PMEM_LOG_THRESHOLD, PMEM_LOG_LEVEL_FATAL);
	pmem_map_file("/none/off", 0, 0, 0, NULL, NULL);
	if (support_count_descriptors() != before)
		_exit(1);
}

static void restore_default_function(void)
{
	pmem_log_set_threshold(PMEM_LOG_THRESHOLD_AUX, PMEM_LOG_LEVEL_ERROR);
	pmem_log_set_function(collect);
	pmem_map_file("/none/collected", 0, 0, 0, NULL, NULL);
	pmem_log_set_function(PMEM_LOG_USE_DEFAULT_FUNCTION);
	pmem_map_file("/none/printed", 0, 0, 0, NULL, NULL);
}

#ifndef DEBUG
static void fail_only(void)
{
	pmem_map_file("/none/file", 0, 0, 0, NULL, NULL);
}

static void it_is_silent_until_asked(void **state)
{
	(void)state;
	setenv("PMEM_LOG_LEVEL", "15", 1);
	setenv("PMEM_LOG_FILE", support_path(false, "logfile"), 1);
	assert_string_equal(output_of(fail_only), "");
	assert_int_equal(access(support_path(false, "logfile"), F_OK), -1);
}
#endif

static void the_default_function_prints_up_to_the_auxiliary_threshold(void **state)
{
	const char *text = output_of(fail_with_default_function);

	(void)state;
	assert_null(strstr(text, "/none/quiet"));
	assert_non_null(strstr(text, "/none/loud"));
	assert_null(strstr(text, "/none/off"));
	assert_int_equal(strcspn(text, "\n"), strlen(text) - 1); /* one line */
	text = output_of(restore_default_function);
	assert_null(strstr(text, "/none/collected"));
	assert_non_null(strstr(text, "/none/printed"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#ifndef DEBUG
	    cmocka_unit_test(it_is_silent_until_asked),
#endif
	    cmocka_unit_test(the_default_function_prints_up_to_the_auxiliary_threshold),
	    cmocka_unit_test(thresholds_have_their_values),
	    cmocka_unit_test(each_threshold_takes_each_level),
	    cmocka_unit_test(wrong_arguments_are_refused),
	    cmocka_unit_test(a_function_gets_what_the_threshold_lets_through),
	    cmocka_unit_test(long_messages_are_cut),
	};

	unsetenv("PMEM_IS_PMEM_FORCE");
	support_assert_ours((const void *)(uintptr_t)pmem_log_set_function,
			    "pmem_log_set_function");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
