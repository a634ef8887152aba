/* SPDX-License-Identifier: BSD-3-Clause */
/* Version, messages, load and unload, and the variable that is read late. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <libpmem.h>
#include <libpmemblk.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "map_sync.h"
#include "support.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void the_message_is_empty_before_the_first_error(void **state)
{
	(void)state;
	assert_string_equal(pmem_errormsg(), "");
}

static void versions_1_0_and_1_1_are_offered(void **state)
{
	static const struct {
		unsigned major;
		unsigned minor;
		const char *part; /* NULL: accepted */
		const char *need;
	} rows[] = {{1, 0, NULL, NULL},
		    {1, 1, NULL, NULL},
		    {1, 2, "minor", "2"},
		    {0, 0, "major", "0"},
		    {2, 0, "major", "2"},
		    {0, 1, "major", "0"},
		    {-1u, -1u, "major", "4294967295"}};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *text;

		errno = 4711;
		text = pmem_check_version(rows[i].major, rows[i].minor);
		assert_int_equal(errno, 4711);
		if (!rows[i].part) {
			assert_null(text);
			continue;
		}
		assert_non_null(strstr(text, "libpmem"));
		assert_non_null(strstr(text, rows[i].part));
		assert_non_null(strstr(text, rows[i].need));
		assert_non_null(strstr(text, "1"));
		assert_ptr_equal(text, pmem_errormsg());
	}
	assert_int_equal(PMEM_MAJOR_VERSION, 1);
	assert_int_equal(PMEM_MINOR_VERSION, 1);
}

static void *look_at_message(void *arg)
{
	bool *empty = arg;

	*empty = strcmp(pmem_errormsg(), "") == 0;
	pmem_map_file("/none/b", 0, 0, 0, NULL, NULL);
	return NULL;
}

static void each_thread_has_its_own_message(void **state)
{
	pthread_t thread;
	bool empty = false;

	(void)state;
	assert_null(pmem_map_file("/none/a", 0, 0, 0, NULL, NULL));
	assert_int_equal(pthread_create(&thread, NULL, look_at_message, &empty), 0);
	pthread_join(thread, NULL);
	assert_true(empty);
	assert_non_null(strstr(pmem_errormsg(), "/none/a"));
}

static void a_child_sees_its_parents_message(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	assert_null(pmem_map_file("/none/a", 0, 0, 0, NULL, NULL));
	pid = fork();
	if (pid == 0)
		_exit(strstr(pmem_errormsg(), "/none/a") ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void long_paths_do_not_push_the_reason_out(void **state)
{
	char path[4096];

	(void)state;
	memset(path, '/', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	for (size_t i = 1; i < sizeof(path) - 1; i++)
		if (i % 100)
			path[i] = 'p';
	assert_null(pmem_map_file(path, 0, 0, 0, NULL, NULL));
	assert_true(strlen(pmem_errormsg()) < 8192);
	assert_non_null(strstr(pmem_errormsg(), strerror(errno)));
}

static void auto_flush_is_an_answer_and_stays(void **state)
{
	char before[4096];
	char after[4096];
	int first;

	(void)state;
	assert_non_null(getcwd(before, sizeof(before)));
	assert_null(pmem_map_file("/none/before", 0, 0, 0, NULL, NULL));
	errno = 4711;
	first = pmem_has_auto_flush();
	assert_true(first >= -1 && first <= 1);
	assert_int_equal(errno, first < 0 ? EIO : 4711);
	/* An answer is not a failure, also if it is no. */
	assert_int_equal(strstr(pmem_errormsg(), "/none/before") != NULL, first >= 0);
	assert_int_equal(pmem_has_auto_flush(), first);
	assert_non_null(getcwd(after, sizeof(after)));
	assert_string_equal(before, after);
}

/* --- PMEM_IS_PMEM_FORCE, each case in a process of its own --------------------------- */

static atomic_int answers[2];

static void *ask(void *arg)
{
	int answer;

	pthread_barrier_wait(arg);
	errno = 4711;
	answer = pmem_is_pmem(arg, 1);
	if (errno == 4711)
		atomic_fetch_add(&answers[answer], 1);
	return NULL;
}

static int check_force(const char *value, int expected)
{
	pthread_t threads[8];
	pthread_barrier_t barrier;
	char *p;
	int is_pmem;

	if (value)
		setenv("PMEM_IS_PMEM_FORCE", value, 1); /* in main: not read before */
	pthread_barrier_init(&barrier, NULL, COUNT(threads));
	for (size_t i = 0; i < COUNT(threads); i++)
		pthread_create(&threads[i], NULL, ask, &barrier);
	for (size_t i = 0; i < COUNT(threads); i++)
		pthread_join(threads[i], NULL);
	if (atomic_load(&answers[expected]) != (int)COUNT(threads))
		return 1;
	setenv("PMEM_IS_PMEM_FORCE", expected ? "0" : "1", 1); /* too late */
	if (pmem_is_pmem(&barrier, 1) != expected || pmem_is_pmem(&barrier, 0) != 0 ||
	    pmem_is_pmem(&barrier, SIZE_MAX) != expected ||
	    pmem_is_pmem(NULL, 1) != expected)
		return 2;
	pmem_map_file("/none/q", 0, 0, 0, NULL, NULL);
	p = pmem_map_file(support_path(true, "forced"), 4096, PMEM_FILE_CREATE, 0600,
			  NULL, &is_pmem);
	if (!p || is_pmem != expected)
		return 3;
	/* Only is_pmem 0 has a reason in the message. */
	if ((strstr(pmem_errormsg(), "/none/q") != NULL) != expected)
		return 4;
	return pmem_unmap(p, 4096);
}

static void force_is_read_at_first_use_and_kept(void **state)
{
	static const struct {
		const char *value;
		int expected;
	} rows[] = {{NULL, 0},
		    {"0", 0},
		    {"1", 1},
		    {" 1", 1},
		    {"01", 1},
		    {"1x", 1},
		    {"2", 0},
		    {"abc", 0},
		    {"", 0},
		    {"-1", 0},
		    {"99999999999999999999", 0}};

	(void)state;
	support_tmpdir(true); /* the children leave theirs behind */
	for (size_t i = 0; i < COUNT(rows); i++) {
		int status;
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0)
			_exit(check_force(rows[i].value, rows[i].expected));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (status != 0)
			fail_msg("PMEM_IS_PMEM_FORCE=%s: %#x", rows[i].value, status);
	}
}

/* --- load and unload ----------------------------------------------------------------- */

static void *load_use_unload(void *arg)
{
	void *handle = dlopen(arg, RTLD_NOW | RTLD_LOCAL);
	void *(*map)(const char *, size_t, int, mode_t, size_t *, int *);
	const char *(*message)(void);
	void *sym;

	if (!handle)
		return NULL;
	sym = dlsym(handle, "pmem_map_file");
	memcpy(&map, &sym, sizeof(map));
	sym = dlsym(handle, "pmem_errormsg");
	memcpy(&message, &sym, sizeof(message));
	if (map("/none/x", 0, 0, 0, NULL, NULL) || !strstr(message(), "/none/x"))
		return NULL;
	return dlclose(handle) == 0 ? arg : NULL;
}

#if defined(__GLIBC__) && !defined(MAP_SYNC_UNUSABLE)
/* Ranges that grow into larger tables, and unmap only some of them. */
static void fill_tables_and_unload(const char *copy)
{
	enum { MANY = 200 };
	const char *path = support_path(true, "many");
	void *handle = dlopen(copy, RTLD_NOW | RTLD_LOCAL);
	void *(*map)(const char *, size_t, int, mode_t, size_t *, int *);
	int (*unmap)(void *, size_t);
	void *p[MANY];
	void *sym;

	assert_non_null(handle);
	sym = dlsym(handle, "pmem_map_file");
	memcpy(&map, &sym, sizeof(map));
	sym = dlsym(handle, "pmem_unmap");
	memcpy(&unmap, &sym, sizeof(unmap));
	for (int i = 0; i < MANY; i++) {
		p[i] = map(path, 4096, PMEM_FILE_CREATE, 0600, NULL, NULL);
		assert_non_null(p[i]);
	}
	for (int i = 0; i < MANY; i += 2)
		assert_int_equal(unmap(p[i], 4096), 0);
	assert_int_equal(dlclose(handle), 0);
	for (int i = 1; i < MANY; i += 2)
		assert_int_equal(munmap(p[i], 4096), 0);
}

static void what_it_knows_of_mappings_is_freed_with_it(void **state)
{
	const char *copy = support_path(false, "libmany.so");
	size_t before = 0;
	Dl_info info;
	size_t len;
	unsigned char *image;

	(void)state;
	if (SUPPORT_SANITIZED || support_is_emulated())
		skip();
	assert_true(dladdr((const void *)(uintptr_t)pmem_drain, &info) != 0);
	image = support_read_file(info.dli_fname, &len);
	support_write_file(copy, image, len);
	free(image);
	atomic_store(&map_sync_err, 0);
	for (int i = 0; i < 25; i++) {
		if (i == 5)
			before = mallinfo2().uordblks;
		fill_tables_and_unload(copy);
	}
	atomic_store(&map_sync_err, EOPNOTSUPP);
	assert_true(mallinfo2().uordblks < before + 4096);
	assert_true(atomic_load(&map_sync_granted) > 0);
}
#endif

/* For the loader a copy under another name is another library. */
static void it_can_be_unloaded_by_another_thread(void **state)
{
	const char *copy = support_path(false, "libother.so");
	Dl_info info;
	void *handle;
	size_t len;
	unsigned char *image;

	(void)state;
	assert_true(dladdr((const void *)(uintptr_t)pmem_drain, &info) != 0);
	image = support_read_file(info.dli_fname, &len);
	support_write_file(copy, image, len);
	free(image);
	for (int i = 0; i < 20; i++) {
		pthread_t thread;
		void *ok;

		if (i % 2) {
			assert_non_null(load_use_unload((void *)(uintptr_t)copy));
			continue;
		}
		/* Loaded here once more, so that the thread's dlclose is not the last one. */
		handle = dlopen(copy, RTLD_NOW | RTLD_LOCAL);
		assert_non_null(handle);
		assert_int_equal(pthread_create(&thread, NULL, load_use_unload,
						(void *)(uintptr_t)copy),
				 0);
		pthread_join(thread, &ok);
		assert_non_null(ok);
		assert_int_equal(dlclose(handle), 0);
	}
	for (int i = 0; i < 5; i++) {
		pthread_t thread;
		void *ok;

		assert_int_equal(pthread_create(&thread, NULL, load_use_unload,
						(void *)(uintptr_t)copy),
				 0);
		pthread_join(thread, &ok);
		assert_non_null(ok);
	}
	assert_null(dlopen(copy, RTLD_NOW | RTLD_NOLOAD)); /* really gone */
}

/* --- the environment of programs with more rights ------------------------------------- */

#define HINT ((uintptr_t)0x200000000000)
#define HINT_TEXT "200000000000"

static bool is_mapped_at_the_hint(void)
{
	uintptr_t p = (uintptr_t)pmem_map_file(
	    "/dev/shm", 4096, PMEM_FILE_CREATE | PMEM_FILE_TMPFILE, 0600, NULL, NULL);

	return p >= HINT && p < HINT + (1u << 30);
}

static bool is_set_by_the_configuration(const char *name)
{
	int value = 0;

	return pmemblk_ctl_get(NULL, name, &value) == 0 && value == 1;
}

/* The sanitizers reserve some addresses, perhaps the one of the hint. */
#define OF_PLAIN_USERS (SUPPORT_SANITIZED ? "1011" : "1111")
#define OF_THE_PRIVILEGED "0000"

/* Prints a digit for each of the variables: whether it has an effect. */
static int report_variables(void)
{
	char seen[] = {pmem_is_pmem(&answers, sizeof(answers)) ? '1' : '0',
		       is_mapped_at_the_hint() ? '1' : '0',
		       is_set_by_the_configuration("prefault.at_open") ? '1' : '0',
		       is_set_by_the_configuration("prefault.at_create") ? '1' : '0'};

	return write(STDOUT_FILENO, seen, sizeof(seen)) == sizeof(seen) ? 0 : 1;
}

static void set_variables(const char *file)
{
	setenv("PMEM_IS_PMEM_FORCE", "1", 1);
	setenv("PMEM_MMAP_HINT", HINT_TEXT, 1);
	setenv("PMEMBLK_CONF", "prefault.at_open=1", 1);
	setenv("PMEMBLK_CONF_FILE", file, 1);
}

static void programs_with_more_rights_ignore_the_environment(void **state)
{
	const char *program = support_path(false, "setuid");
	const char *file = support_path(false, "configuration");
	unsigned char *image;
	char seen[8] = "";
	int pipes[2];
	int status;
	size_t len;
	pid_t pid;
	char exe[4096] = "";

	(void)state;
	if (geteuid() != 0) {
		print_message("skipped: needs root for a set-user-id program\n");
		skip();
	}
	assert_true(readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0);
	image = support_read_file(exe, &len);
	support_write_file(program, image, len);
	free(image);
	support_write_file(file, "prefault.at_create=1;", 21);
	assert_int_equal(chmod(file, 0644), 0);
	assert_int_equal(chmod(support_tmpdir(false), 0755), 0);
	assert_int_equal(chown(program, 1, 1), 0);
	for (int privileged = 0; privileged < 2; privileged++) {
		assert_int_equal(chmod(program, privileged ? 06755 : 0755), 0);
		assert_int_equal(pipe(pipes), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			set_variables(file);
			dup2(pipes[1], STDOUT_FILENO);
			if (setgid(65534) != 0 || setuid(65534) != 0)
				_exit(126);
			execl(program, program, "report", (char *)NULL);
			_exit(127);
		}
		close(pipes[1]);
		memset(seen, 0, sizeof(seen));
		(void)!read(pipes[0], seen, sizeof(seen) - 1);
		close(pipes[0]);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (status != 0) {
			print_message(
			    "skipped: the library cannot be read by everybody\n");
			skip();
		}
		if (SUPPORT_SANITIZED && !privileged)
			seen[1] = '0';
		assert_string_equal(seen,
				    privileged ? OF_THE_PRIVILEGED : OF_PLAIN_USERS);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_message_is_empty_before_the_first_error),
		cmocka_unit_test(versions_1_0_and_1_1_are_offered),
		cmocka_unit_test(each_thread_has_its_own_message),
		cmocka_unit_test(a_child_sees_its_parents_message),
		cmocka_unit_test(long_paths_do_not_push_the_reason_out),
		cmocka_unit_test(auto_flush_is_an_answer_and_stays),
		cmocka_unit_test(force_is_read_at_first_use_and_kept),
		cmocka_unit_test(it_can_be_unloaded_by_another_thread),
#if defined(__GLIBC__) && !defined(MAP_SYNC_UNUSABLE)
		cmocka_unit_test(what_it_knows_of_mappings_is_freed_with_it),
#endif
		cmocka_unit_test(programs_with_more_rights_ignore_the_environment),
	};

	if (argc > 1 && strcmp(argv[1], "report") == 0)
		return report_variables();
	unsetenv("PMEM_IS_PMEM_FORCE");
	support_assert_ours((const void *)(uintptr_t)pmem_errormsg, "pmem_errormsg");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
