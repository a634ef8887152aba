/* SPDX-License-Identifier: BSD-3-Clause */
/* Settings: by call, by environment and by file. */
#include <libpmemblk.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image.h"
#include "support.h"

#define SIZE ((size_t)17 << 20)

static const char *self;

static void assert_einval(int ret)
{
	assert_int_equal(ret, -1);
	assert_int_equal(errno, EINVAL);
	assert_string_not_equal(pmemblk_errormsg(), "");
	errno = 0;
}

static void entries_are_read_and_set_as_integers(void **state)
{
	static const char *const names[] = {"prefault.at_create",
					    "prefault.at_open",
					    "sds.at_create",
					    "fallocate.at_create",
					    "copy_on_write.at_open",
					    "sigbus.catch",
					    "lock.wait"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int before;
		int value = 7;

		assert_int_equal(pmemblk_ctl_get(NULL, names[i], &before), 0);
		assert_int_equal(before, i == 2 || i == 3);
		assert_int_equal(pmemblk_ctl_set(NULL, names[i], &value), 0);
		value = 0;
		assert_int_equal(pmemblk_ctl_get(NULL, names[i], &value), 0);
		assert_int_equal(value, 7);
		assert_int_equal(pmemblk_ctl_set(NULL, names[i], &before), 0);
		assert_einval(pmemblk_ctl_exec(NULL, names[i], &value));
		assert_einval(pmemblk_ctl_exec(NULL, names[i], NULL));
		assert_einval(pmemblk_ctl_get(NULL, names[i], NULL));
		assert_einval(pmemblk_ctl_set(NULL, names[i], NULL));
	}
}

static void wrong_names_are_refused(void **state)
{
	static const char *const names[] = {NULL,
					    "",
					    "prefault",
					    "prefault.",
					    "prefault.at",
					    "PREFAULT.AT_OPEN",
					    " prefault.at_open",
					    "prefault.at_open ",
					    "sds.at_open",
					    "0",
					    "a.b.c"};
	int value = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_einval(pmemblk_ctl_get(NULL, names[i], &value));
		assert_einval(pmemblk_ctl_set(NULL, names[i], &value));
		assert_einval(pmemblk_ctl_exec(NULL, names[i], &value));
	}
	assert_int_equal(pmemblk_ctl_get(NULL, ".prefault..at_open.", &value), 0);
}

static void B3_a_name_that_goes_on_below_an_entry_is_an_error_not_a_crash(void **state)
{
	int value = 0;

	(void)state;
	assert_einval(pmemblk_ctl_get(NULL, "prefault.at_open.x", &value));
	assert_einval(pmemblk_ctl_set(NULL, "prefault.at_open.x", &value));
	assert_einval(pmemblk_ctl_exec(NULL, "prefault.at_open.x.y.z", &value));
}

/* The original followed a pointer from the pool file. */
static void B20_what_the_file_holds_does_not_matter_to_ctl(void **state)
{
	const char *path = support_path(true, "b20");
	int value = 0;
	PMEMblkpool *p;

	(void)state;
	p = pmemblk_create(path, 512, SIZE, 0644);
	assert_non_null(p);
	pmemblk_close(p);
	for (uint64_t off = 0x1008; off < 0x1068; off += 8)
		image_put64(path, off, 0x4141414141414141);
	p = pmemblk_open(path, 0);
	assert_non_null(p);
	assert_einval(pmemblk_ctl_get(p, "no.such.entry", &value));
	assert_int_equal(pmemblk_ctl_get(p, "sds.at_create", &value), 0);
	assert_int_equal(value, 1);
	pmemblk_close(p);
	unlink(path);
}

/* --- the environment ------------------------------------------------------------------------ */

/* Runs in the restarted test: prints prefault.at_open and the result of create. */
static int report(const char *path)
{
	PMEMblkpool *p;
	int value = -1;

	pmemblk_ctl_get(NULL, "prefault.at_open", &value);
	errno = 0;
	p = pmemblk_create(path, 512, SIZE, 0644);
	printf("%d %d %s\n", value, p ? 0 : errno, p ? "" : pmemblk_errormsg());
	if (p) {
		pmemblk_close(p);
		if (pmemblk_check(path, 0) != 1)
			return 1;
		p = pmemblk_open(path, 0);
		if (!p)
			return 1;
		pmemblk_close(p);
	} else {
		errno = 0;
		if (pmemblk_open(path, 0) || errno != EINVAL)
			return 1;
	}
	return 0;
}

/* Starts the test again with these variables; returns its line of output. */
static const char *run_with(const char *conf, const char *file)
{
	static char line[4096];
	const char *path = support_path(true, "env");
	int fds[2];
	int status;
	pid_t pid;
	ssize_t n;

	unlink(path);
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		dup2(fds[1], STDOUT_FILENO);
		if (conf)
			setenv("PMEMBLK_CONF", conf, 1);
		if (file)
			setenv("PMEMBLK_CONF_FILE", file, 1);
		execl(self, self, path, (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	n = read(fds[0], line, sizeof(line) - 1);
	assert_true(n >= 0);
	line[n] = '\0';
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status != 0)
		fail_msg("PMEMBLK_CONF=%s: status %#x, %s", conf, (unsigned)status, line);
	return line;
}

static void the_environment_sets_entries(void **state)
{
	(void)state;
	assert_string_equal(run_with(NULL, NULL), "0 0 \n");
	assert_string_equal(run_with("", ""), "0 0 \n");
	assert_string_equal(run_with("prefault.at_open=1", NULL), "1 0 \n");
	assert_string_equal(run_with("fallocate.at_create=0;", NULL), "0 0 \n");
	assert_string_equal(run_with(";;prefault.at_open=yes;;", NULL), "1 0 \n");
	assert_string_equal(run_with("no.such=1;prefault.at_open=maybe", NULL), "0 0 \n");
}

static void a_file_is_applied_after_the_environment(void **state)
{
	const char *file = support_path(true, "conf");
	static const char text[] = "# comment\nprefault.at_open = 0 ; # off\n";

	(void)state;
	support_write_file(file, text, sizeof(text) - 1);
	assert_string_equal(run_with("prefault.at_open=1", file), "0 0 \n");
	support_write_file(file, "", 0);
	assert_string_equal(run_with("prefault.at_open=1", file), "1 0 \n");
}

static void B4_a_bad_configuration_fails_create_and_open_not_the_program(void **state)
{
	static const char *const confs[] = {"garbage",
					    "name=",
					    "=1",
					    "a=1=2",
					    "prefault.at_open=1;b",
					    "prefault.at_open.x=1"};
	const char *file = support_path(true, "conf");
	char want[64];

	(void)state;
	snprintf(want, sizeof(want), " %d PMEMBLK_CONF: '", EINVAL);
	for (size_t i = 0; i < sizeof(confs) / sizeof(confs[0]); i++)
		if (!strstr(run_with(confs[i], NULL), want) &&
		    !strstr(run_with(confs[i], NULL), "ctl name 'prefault.at_open.x'"))
			fail_msg("%s: %s", confs[i], run_with(confs[i], NULL));
	snprintf(want, sizeof(want), "0 %d PMEMBLK_CONF_FILE: ", EINVAL);
	assert_non_null(strstr(run_with(NULL, "/no/such/file"), want));
	assert_non_null(strstr(run_with(NULL, "/no/such/file"), "/no/such/file"));
	assert_non_null(strstr(run_with(NULL, "/"), want));
	support_write_file(file, "sds.at_create=1\nprefault.at_open=1\n", 35);
	assert_non_null(strstr(run_with(NULL, file), want));
	support_write_file(file, "prefault.at_open.x=1", 20);
	assert_non_null(strstr(run_with(NULL, file), want));
}

/* --- placement ------------------------------------------------------------------------------ */

/* Prints the address of the pool. */
static int report_place(const char *path)
{
	char line[4096];
	PMEMblkpool *p = pmemblk_create(path, 512, SIZE, 0644);
	FILE *f = fopen("/proc/self/maps", "r");

	if (!p || !f)
		return 1;
	while (fgets(line, sizeof(line), f))
		if (strstr(line, path))
			printf("%lx\n", strtoul(line, NULL, 16));
	fclose(f);
	pmemblk_close(p);
	return 0;
}

static void PMEM_MMAP_HINT_chooses_the_address(void **state)
{
	(void)state;
	if (SUPPORT_SANITIZED) {
		print_message("skip: a sanitizer has the addresses\n");
		return;
	}
	setenv("PMEM_MMAP_HINT", "10000000000", 1);
	assert_string_equal(run_with(NULL, NULL), "10000000000\n");
	setenv("PMEM_MMAP_HINT", "10000000001", 1);
	assert_string_equal(run_with(NULL, NULL), "10000200000\n");
	setenv("PMEM_MMAP_HINT", "none", 1);
	assert_int_equal(strtoul(run_with(NULL, NULL), NULL, 16) % (2 << 20), 0);
	unsetenv("PMEM_MMAP_HINT");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(entries_are_read_and_set_as_integers),
	    cmocka_unit_test(wrong_names_are_refused),
	    cmocka_unit_test(
		B3_a_name_that_goes_on_below_an_entry_is_an_error_not_a_crash),
	    cmocka_unit_test(B20_what_the_file_holds_does_not_matter_to_ctl),
	    cmocka_unit_test(the_environment_sets_entries),
	    cmocka_unit_test(a_file_is_applied_after_the_environment),
	    cmocka_unit_test(
		B4_a_bad_configuration_fails_create_and_open_not_the_program),
	    cmocka_unit_test(PMEM_MMAP_HINT_chooses_the_address),
	};

	if (argc == 2)
		return getenv("PMEM_MMAP_HINT") ? report_place(argv[1]) : report(argv[1]);
	self = argv[0];
	support_assert_ours((void *)pmemblk_create, "pmemblk_create");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
