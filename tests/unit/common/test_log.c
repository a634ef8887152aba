/* SPDX-License-Identifier: BSD-3-Clause */
/* The program's function for log messages may do what it likes. */
#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "log.h"

static char last[256];
static unsigned ncall;

static void fail_somehow(enum log_level level, const char *file, unsigned line,
			 const char *function, const char *message)
{
	(void)level;
	(void)line;
	ncall++;
	snprintf(last, sizeof(last), "%s %s: %s", file, function, message);
	errno = EIO;
}

static void a_message_leaves_errno_and_the_cancel_state(void **state)
{
	int before;

	(void)state;
	log_set_sink(fail_somehow, LOG_LEVEL_ERROR);
	errno = ENOENT;
	log_write(LOG_LEVEL_ERROR, "folder/file.c", 1, "work", "number %d", 7);
	assert_int_equal(errno, ENOENT);
	assert_string_equal(last, "file.c work: number 7");
	assert_int_equal(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &before), 0);
	assert_int_equal(before, PTHREAD_CANCEL_ENABLE);
	log_set_sink(NULL, LOG_LEVEL_HARK);
}

static void nobody_gets_what_is_above_the_limit(void **state)
{
	(void)state;
	log_set_sink(fail_somehow, LOG_LEVEL_ERROR);
	ncall = 0;
	LOG(LOG_LEVEL_WARNING, "%s", "not this");
	assert_int_equal(ncall, 0);
	/* As where a file gets more than the program. */
	log_write(LOG_LEVEL_WARNING, "file.c", 1, "work", "%s", "not this");
	assert_int_equal(ncall, 0);
	LOG(LOG_LEVEL_ERROR, "%s", "this");
	assert_int_equal(ncall, 1);
	log_set_sink(NULL, LOG_LEVEL_HARK);
	LOG(LOG_LEVEL_ERROR, "%s", "nor this");
	assert_int_equal(ncall, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_message_leaves_errno_and_the_cancel_state),
	    cmocka_unit_test(nobody_gets_what_is_above_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
