/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is decided when the library is loaded: whether it flushes, by the variable and else by what the
 * platform says. This program runs itself again on imitations of the kernel's nd bus.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/wait.h>

#include "auto_flush.h"
#include "config.h"
#include "engine.h"
#include "fake_sysfs.h"
#include "libpmem.h"

/* Before the constructor of the library, which must leave errno alone. */
__attribute__((constructor(101))) static void before_load(void)
{
	char *root = getenv("TEST_SYSFS");

	if (root)
		sysfs_root = root;
	errno = 4711;
}

static int errno_after_load;

/* --- calls that others interrupt ------------------------------------------------------- */

static void (*at_opendir)(void);
static void (*at_getenv)(void);

static void run_once(void (**hook)(void))
{
	void (*run)(void) = *hook;

	*hook = NULL;
	if (run)
		run();
}

SUPPORT_INTERPOSE DIR *opendir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	run_once(&at_opendir);
	return fd < 0 ? NULL : fdopendir(fd);
}

SUPPORT_INTERPOSE char *secure_getenv(const char *name)
{
	run_once(&at_getenv);
	return getenv(name);
}

/* --- in a process of its own ----------------------------------------------------------- */

static int fail_load(const char *what)
{
	print_message("%s\n", what);
	return 1;
}

/* what: "<whether it flushes> <pmem_has_auto_flush()>" */
static int check_load(const char *what)
{
	int state = -1;
	int flushing;
	int answer;

	if (errno_after_load != 4711)
		return fail_load("loading changes errno");
	if (pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state) != 0 ||
	    state != PTHREAD_CANCEL_ENABLE)
		return fail_load("the program's thread cannot be cancelled");
	if (sscanf(what, "%d %d", &flushing, &answer) != 2)
		return fail_load("arguments");
	if (engine.flushing != (flushing == 1))
		return fail_load("flushing");
	for (int i = 0; i < 2; i++) {
		errno = 4712;
		if (pmem_has_auto_flush() != answer)
			return fail_load("the answer");
		if (errno != (answer < 0 ? EIO : 4712))
			return fail_load("errno");
		if (answer < 0 && !strstr(pmem_errormsg(), "persistence domain"))
			return fail_load("the message");
	}
	return 0;
}

static const char *other_root;
static int inner;

static void ask_elsewhere(void)
{
	const char *root = sysfs_root;

	sysfs_root = other_root;
	inner = auto_flush_get();
	sysfs_root = root;
}

static void ask_with_another_value(void)
{
	setenv("PMEM_IS_PMEM_FORCE", "1", 1);
	inner = config_is_pmem_force();
	setenv("PMEM_IS_PMEM_FORCE", "0", 1);
}

static int check_simultaneous(const char *other)
{
	other_root = other;
	at_opendir = ask_elsewhere;
	inner = -1;
	if (auto_flush_get() != 1 || inner != 1 || auto_flush_get() != 1)
		return fail_load("two answers about the platform");
	at_getenv = ask_with_another_value;
	inner = -1;
	if (config_is_pmem_force() != 1 || inner != 1 || config_is_pmem_force() != 1)
		return fail_load("two answers about PMEM_IS_PMEM_FORCE");
	return 0;
}

/* --- the cases ------------------------------------------------------------------------- */

/* An imitation with one region, or without a bus. */
static void make_bus(const char *domain)
{
	fake_sysfs_begin();
	if (!domain)
		return;
	fake_sysfs_file("devices/region0/persistence_domain", domain);
	fake_sysfs_link("bus/nd/devices/region0", "devices/region0");
}

/* Runs this program again, with sysfs_root and PMEM_NO_FLUSH as given. */
static int run_again(const char *no_flush, const char *what, const char *argument)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		setenv("TEST_SYSFS", sysfs_root, 1);
		unsetenv("PMEM_NO_FLUSH");
		unsetenv("PMEM_IS_PMEM_FORCE");
		if (no_flush)
			setenv("PMEM_NO_FLUSH", no_flush, 1);
		execl("/proc/self/exe", "test_load", what, argument, (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void
it_flushes_unless_the_variable_or_all_regions_say_that_it_need_not(void **state)
{
	static const struct {
		const char *domain;
		const char *no_flush;
		const char *expected;
	} rows[] = {
	    {NULL, NULL, "1 0"},
	    {NULL, "0", "1 0"},
	    {NULL, "1", "0 0"},
	    {NULL, "yes", "1 0"},
	    {"cpu_cache\n", NULL, "0 1"},
	    {"cpu_cache\n", "0", "1 1"},
	    {"cpu_cache\n", "1", "0 1"},
	    {"memory_controller\n", NULL, "1 0"},
	    {"memory_controller\n", "0", "1 0"},
	    {"memory_controller\n", "1", "0 0"},
	    {"nonsense", NULL, "1 -1"},
	    {"nonsense", "0", "1 -1"},
	    {"nonsense", "1", "0 -1"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		make_bus(rows[i].domain);
		if (run_again(rows[i].no_flush, "load", rows[i].expected) != 0)
			fail_msg("row %zu", i);
	}
}

static void calls_at_the_same_time_get_the_same_answer(void **state)
{
	const char *eadr;

	(void)state;
	make_bus("cpu_cache\n");
	eadr = sysfs_root;
	make_bus("memory_controller\n");
	/* with the variable nobody has asked before */
	assert_int_equal(run_again("1", "simultaneous", eadr), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		it_flushes_unless_the_variable_or_all_regions_say_that_it_need_not),
	    cmocka_unit_test(calls_at_the_same_time_get_the_same_answer),
	};

	errno_after_load = errno;
	if (argc > 2 && strcmp(argv[1], "load") == 0)
		return check_load(argv[2]);
	if (argc > 2 && strcmp(argv[1], "simultaneous") == 0)
		return check_simultaneous(argv[2]);
	if (support_is_emulated()) {
		puts("skipped: an emulated program cannot run itself again");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
