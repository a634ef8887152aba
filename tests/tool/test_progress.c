/* SPDX-License-Identifier: BSD-3-Clause */
/* The progress bar, on a terminal, with a clock of the test. */
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "commands/progress.h"
#include "support.h"

#define MIB ((uint64_t)1 << 20)
#define MS 1000000u

static uint64_t now;
static int is_terminal;

/* Replaces libc's. */
SUPPORT_INTERPOSE int clock_gettime(clockid_t id, struct timespec *ts)
{
	(void)id;
	*ts = (struct timespec){(time_t)(now / 1000000000u), (long)(now % 1000000000u)};
	return 0;
}

SUPPORT_INTERPOSE int isatty(int fd)
{
	(void)fd;
	return is_terminal;
}

static int saved_stderr;
static FILE *shown;

static int begin(void **state)
{
	(void)state;
	now = 5000000000u;
	is_terminal = 1;
	shown = tmpfile();
	saved_stderr = dup(STDERR_FILENO);
	fflush(stderr);
	return shown && dup2(fileno(shown), STDERR_FILENO) >= 0 ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	fflush(stderr);
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	fclose(shown);
	return 0;
}

/* Compares the output since the last call. */
static void assert_shown(const char *expected)
{
	char text[512] = "";
	size_t n;

	fflush(stderr);
	rewind(shown);
	n = fread(text, 1, sizeof(text) - 1, shown);
	text[n] = '\0';
	assert_string_equal(text, expected);
	assert_int_equal(ftruncate(fileno(shown), 0), 0);
	rewind(shown);
	lseek(STDERR_FILENO, 0, SEEK_SET);
}

static void the_bar_has_part_speed_and_time_left(void **state)
{
	struct progress p;

	(void)state;
	progress_begin(&p, "import", 60 * MIB);
	assert_shown("");
	now += 500 * MS;
	progress_update(&p, 1 * MIB);
	assert_shown(
	    "\rimport   2% [#.............................]  2.0 MiB/s  30 s left ");
	now += 1500 * MS;
	progress_update(&p, 20 * MIB);
	assert_shown(
	    "\rimport  33% [##########....................]  10.0 MiB/s  4 s left ");
	now += 1000 * MS;
	progress_update(&p, 60 * MIB);
	assert_shown(
	    "\rimport 100% [##############################]  20.0 MiB/s  0 s left ");
	progress_end(&p);
	assert_shown("\r\033[K");
	progress_update(&p, 60 * MIB);
	progress_end(&p);
	assert_shown("");
}

static void it_is_drawn_ten_times_a_second_at_most(void **state)
{
	struct progress p;

	(void)state;
	progress_begin(&p, "export", 100 * MIB);
	progress_update(&p, 0);
	assert_shown(
	    "\rexport   0% [..............................]  0.0 MiB/s  0 s left ");
	now += 100 * MS - 1;
	progress_update(&p, 50 * MIB);
	assert_shown("");
	now += 1;
	progress_update(&p, 10 * MIB);
	assert_shown(
	    "\rexport  10% [###...........................]  100.0 MiB/s  1 s left ");
	progress_end(&p);
}

static void without_a_length_there_is_no_bar(void **state)
{
	struct progress p;

	(void)state;
	progress_begin(&p, "import", 0);
	now += 2000 * MS;
	progress_update(&p, 5 * MIB);
	assert_shown("\rimport  5.0 MiB  2.5 MiB/s ");
	progress_end(&p);
	assert_shown("\r\033[K");
}

static void a_message_takes_the_place_of_the_bar(void **state)
{
	struct progress p;

	(void)state;
	progress_begin(&p, "export", 10 * MIB);
	progress_clear(&p);
	assert_shown("");
	now += 1000 * MS;
	progress_update(&p, 5 * MIB);
	assert_shown(
	    "\rexport  50% [###############...............]  5.0 MiB/s  1 s left ");
	progress_clear(&p);
	assert_shown("\r\033[K");
	progress_update(&p, 5 * MIB); /* at once */
	assert_shown(
	    "\rexport  50% [###############...............]  5.0 MiB/s  1 s left ");
	progress_end(&p);
	assert_shown("\r\033[K");
}

static void without_a_terminal_nothing_is_shown(void **state)
{
	struct progress p;

	(void)state;
	is_terminal = 0;
	progress_begin(&p, "export", 10 * MIB);
	now += 1000 * MS;
	progress_update(&p, 5 * MIB);
	progress_clear(&p);
	progress_end(&p);
	assert_shown("");
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(the_bar_has_part_speed_and_time_left),
	    CASE(it_is_drawn_ten_times_a_second_at_most),
	    CASE(without_a_length_there_is_no_bar),
	    CASE(a_message_takes_the_place_of_the_bar),
	    CASE(without_a_terminal_nothing_is_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
