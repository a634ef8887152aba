/* SPDX-License-Identifier: BSD-3-Clause */
/* The message when there is no memory; the linker replaces calloc by __wrap_calloc. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "errormsg.h"
#include "support.h"

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

static bool no_memory;
static unsigned refused;

void *__wrap_calloc(size_t n, size_t size)
{
	if (!no_memory)
		return __real_calloc(n, size);
	refused++;
	return NULL;
}

static void *fail_in_thread(void *arg)
{
	const char **text = arg;
	int ret = errormsg_fail_sys(ENOSPC, "cannot do %s", "it");

	*text = ret == -ENOSPC ? strdup(errormsg_get()) : NULL;
	return NULL;
}

static void a_thread_without_memory_has_a_short_message(void **state)
{
	pthread_t thread;
	char *text = NULL;

	(void)state;
	no_memory = true;
	assert_int_equal(pthread_create(&thread, NULL, fail_in_thread, &text), 0);
	pthread_join(thread, NULL);
	no_memory = false;
	assert_int_equal(refused, 1);
	assert_non_null(text);
	assert_non_null(strstr(text, "cannot do it"));
	assert_non_null(strstr(text, strerror(ENOSPC)));
	free(text);
}

static void with_memory_again_it_is_a_long_one(void **state)
{
	char name[4000];
	int ret;

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	ret = errormsg_fail(EINVAL, "%s!", name);
	assert_int_equal(ret, -EINVAL);
	assert_int_equal(strlen(errormsg_get()), sizeof(name));
}

/* As with a name that is too long for printf. The reason is still told. */
static void a_message_that_cannot_be_formatted_is_the_reason(void **state)
{
	static const wchar_t invalid[] = {0x7fffffff, 0};

	(void)state;
	assert_int_equal(errormsg_fail_sys(ENOENT, "name %ls", invalid), -ENOENT);
	assert_string_equal(errormsg_get(), ": No such file or directory");
	assert_int_equal(errormsg_fail(ENOENT, "name %ls", invalid), -ENOENT);
	assert_string_equal(errormsg_get(), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_thread_without_memory_has_a_short_message),
	    cmocka_unit_test(with_memory_again_it_is_a_long_one),
	    cmocka_unit_test(a_message_that_cannot_be_formatted_is_the_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
