/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Each system call that libpmem makes fails, in all ways of failing_calls.h. Either libpmem's call
 * fails with that error and a message, or the failure makes no difference and stands in the list here.
 * No descriptor and no mapping is left, and no file that the call made.
 */
#include "support.h"

#include <fcntl.h>
#include <libpmem.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failing_calls.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { LENGTH = 1 << 20 };

static const char *path;
static void *mapped;
static size_t length;

/* --- the steps ----------------------------------------------------------------------------- */

static void have_none(void)
{
}

static void have_file(void)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, LENGTH), 0);
	assert_int_equal(close(fd), 0);
}

static void have_mapping(void)
{
	have_file();
	mapped = pmem_map_file(path, 0, 0, 0, &length, NULL);
	assert_non_null(mapped);
}

static int map_with(const char *name, size_t len, int flags)
{
	mapped = pmem_map_file(name, len, flags, 0600, &length, NULL);
	return mapped ? 0 : -1;
}

static int do_map(void)
{
	return map_with(path, 0, 0);
}

static int do_make(void)
{
	return map_with(path, LENGTH, PMEM_FILE_CREATE);
}

static int do_make_sparse(void)
{
	return map_with(path, LENGTH,
			PMEM_FILE_CREATE | PMEM_FILE_EXCL | PMEM_FILE_SPARSE);
}

static int do_make_temporary(void)
{
	return map_with(support_tmpdir(true), LENGTH,
			PMEM_FILE_CREATE | PMEM_FILE_TMPFILE);
}

static int do_extend(void)
{
	return map_with(path, 2 * (size_t)LENGTH, PMEM_FILE_CREATE);
}

static int do_msync(void)
{
	return pmem_msync(mapped, length);
}

static int do_deep_persist(void)
{
	return pmem_deep_persist(mapped, length);
}

static int do_unmap(void)
{
	int ret = pmem_unmap(mapped, length);

	mapped = NULL;
	return ret;
}

static const struct step {
	const char *name;
	void (*prepare)(void);
	int (*run)(void);
	off_t size;	 /* the file's after a failure; -1: there is none */
	unsigned asking; /* how many failures of fstat(2) make no difference */
} steps[] = {
    {"map", have_file, do_map, LENGTH, 0},
    {"make", have_none, do_make, -1, 1},
    {"make sparse", have_none, do_make_sparse, -1, 0},
    {"make a temporary file", have_none, do_make_temporary, -1, 1},
    {"extend", have_file, do_extend, LENGTH, 1},
    {"msync", have_mapping, do_msync, LENGTH, 0},
    {"deep persist", have_mapping, do_deep_persist, LENGTH, 0},
    {"unmap", have_mapping, do_unmap, LENGTH, 0},
};

/* --- the judge ----------------------------------------------------------------------- */

/* Those of the file, and reserved addresses. */
static unsigned count_mappings(void)
{
	return support_count_mappings(support_tmpdir(true)) +
	       support_count_mappings(" ---p 00000000 00:00 0 \n");
}

static off_t file_size(void)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_size : -1;
}

/* Failures that make no difference. */
static bool is_harmless(void)
{
	switch (failing_calls_last.number) {
	case SYS_fstatfs:
	case SYS_prlimit64:
	case SYS_read: /* of the limits of memory, which is the disk here */
		return true;
	case SYS_mmap: /* another place is found */
		return failing_calls_last.arg[3] & MAP_ANONYMOUS;
	default:
		return failing_calls_is_below_proc_or_sys();
	}
}

/* A file is removed if it is seen to be the one that was made. */
static bool is_unknown(void)
{
	return failing_calls_lasting && failing_calls_is_stat();
}

/* Returns whether the call that had to fail occurred. */
static bool fail_one(const struct step *s, unsigned at, unsigned *asking)
{
	unsigned descriptors = support_count_descriptors();
	unsigned mappings = count_mappings();
	bool is_met;
	int err;
	int ret;

	unlink(path);
	s->prepare();
	errno = 0;
	failing_calls_arm(at);
	ret = s->run();
	err = errno;
	is_met = failing_calls_disarm();
	if ((!is_met || failing_calls_how != FAILING_CALLS_ERROR) && ret != 0)
		fail_msg("%s: %s", failing_calls_text(s->name, at), pmem_errormsg());
	if (ret != 0 && err != failing_calls_error(failing_calls_last.number))
		fail_msg("%s: %s", failing_calls_text(s->name, at), strerror(err));
	if (ret != 0 && !strstr(pmem_errormsg(), strerror(err)))
		fail_msg("%s: the message is: %s", failing_calls_text(s->name, at),
			 pmem_errormsg());
	if (ret != 0 && file_size() != s->size && !(s->size == -1 && is_unknown()))
		fail_msg("%s: the file has %lld bytes", failing_calls_text(s->name, at),
			 (long long)file_size());
	if (failing_calls_how != FAILING_CALLS_ERROR)
		; /* the call is repeated, or continued */
	else if (is_met && ret == 0 && failing_calls_is_stat())
		++*asking;
	else if (is_met && ret == 0 && !is_harmless())
		fail_msg("%s: succeeds", failing_calls_text(s->name, at));
	if (mapped)
		assert_int_equal(pmem_unmap(mapped, length), 0);
	mapped = NULL;
	if (support_count_descriptors() != descriptors)
		fail_msg("%s: a descriptor is left", failing_calls_text(s->name, at));
	if (count_mappings() != mappings)
		fail_msg("%s: a mapping is left", failing_calls_text(s->name, at));
	return is_met;
}

static void fail_each_of(const struct step *s)
{
	unsigned asking = 0;
	unsigned at = 1;

	while (fail_one(s, at, &asking))
		at++;
	if (failing_calls_how != FAILING_CALLS_ERROR)
		return;
	/* which questions are asked again is not counted */
	if (!failing_calls_lasting && failing_calls_is_on_tmpfs(support_tmpdir(true)) &&
	    asking != s->asking)
		fail_msg("%s: %u failures of fstat make no difference", s->name, asking);
	if (at == 1 && s->run != do_unmap)
		fail_msg("%s: no call", s->name);
}

static int fail_each(const void *unused)
{
	(void)unused;
	for (size_t i = 0; i < COUNT(steps); i++)
		for (unsigned way = 0; way < FAILING_CALLS_WAYS; way++) {
			failing_calls_choose(way);
			fail_each_of(&steps[i]);
		}
	return 0;
}

static void each_failure_is_reported_or_harmless(void **state)
{
	(void)state;
	path = support_path(true, "file");
	assert_int_equal(failing_calls_fork(fail_each, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_failure_is_reported_or_harmless),
	};

	unsetenv("PMEM_IS_PMEM_FORCE");
	support_assert_ours((void *)pmem_map_file, "pmem_map_file");
	if (SUPPORT_SANITIZED) {
		puts("the sanitizers make system calls of their own");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
