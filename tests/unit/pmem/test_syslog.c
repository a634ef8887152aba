/* SPDX-License-Identifier: BSD-3-Clause */
/* What the system's log receives, on a socket of the test's own. */
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "libpmem.h"
#include "log.h"
#include "log_api.h"
#include "support.h"

static int server;

static const char *received(void)
{
	static char text[4096];
	ssize_t n = recv(server, text, sizeof(text) - 1, MSG_DONTWAIT);

	if (n < 0)
		return NULL;
	text[n] = '\0';
	return text;
}

static bool has_date(const char *text, time_t t)
{
	char date[32];
	struct tm tm;
	size_t n;

	assert_non_null(localtime_r(&t, &tm));
	n = strftime(date, sizeof(date), "%b %e %T ", &tm);
	return strncmp(text, date, n) == 0;
}

static void messages_carry_priority_program_and_place(void **state)
{
	static const char *const priorities[] = {"<13>", "<10>", "<11>", "<12>",
						 "<13>", "<14>", "<15>"};

	(void)state;
	assert_int_equal(pmem_log_set_threshold(PMEM_LOG_THRESHOLD, PMEM_LOG_LEVEL_DEBUG),
			 0);
	for (int level = LOG_LEVEL_HARK; level <= LOG_LEVEL_DEBUG; level++) {
		time_t from = time(NULL);
		const char *text;
		bool dated = false;

		LOG((enum log_level)level, "number %d", level);
		text = received();
		assert_non_null(text);
		assert_memory_equal(text, priorities[level], 4);
		for (time_t t = from; t <= time(NULL); t++)
			dated = dated || has_date(text + 4, t);
		assert_true(dated);
		assert_non_null(strstr(text, "test_syslog["));
		assert_non_null(strstr(text, "libpmem: *"));
		assert_non_null(strstr(text, "test_syslog.c:"));
		assert_non_null(strstr(text, "number"));
		assert_null(received());
	}
}

static void nothing_is_sent_above_the_threshold(void **state)
{
	(void)state;
	assert_int_equal(pmem_log_set_threshold(PMEM_LOG_THRESHOLD, PMEM_LOG_LEVEL_ERROR),
			 0);
	LOG(LOG_LEVEL_WARNING, "no");
	assert_null(received());
	assert_null(pmem_map_file("/none/x", 0, 0, 0, NULL, NULL));
	assert_non_null(strstr(received(), "/none/x"));
}

static void without_a_standard_input_messages_are_sent_as_well(void **state)
{
	int input;

	(void)state;
	input = support_close_input();
	LOG(LOG_LEVEL_ERROR, "descriptor 0");
	assert_non_null(strstr(received(), "descriptor 0"));
	assert_int_equal(fcntl(0, F_GETFD), -1);
	support_restore_input(input);
}

static void nobody_listening_does_no_harm(void **state)
{
	(void)state;
	log_api_socket = support_path(false, "nobody");
	LOG(LOG_LEVEL_ERROR, "into the void");
	assert_null(received());
}

int main(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(messages_carry_priority_program_and_place),
	    cmocka_unit_test(nothing_is_sent_above_the_threshold),
	    cmocka_unit_test(without_a_standard_input_messages_are_sent_as_well),
	    cmocka_unit_test(nobody_listening_does_no_harm),
	};

	log_api_socket = support_path(false, "log");
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", log_api_socket);
	server = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (server < 0 || bind(server, (struct sockaddr *)&addr, sizeof(addr)) != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
