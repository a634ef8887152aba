/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The library keeps to the memory that the program's functions give it. Each piece ends where a page
 * begins that cannot be accessed, holds a pattern at first, and cannot be accessed any more when it
 * was freed.
 */
#include "set_fixture.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "image.h"
#include "require.h"

#define MIB ((uint64_t)1 << 20)

static long live; /* pieces that were not freed */
static unsigned
    fork_after; /* a child is forked at the allocation of this number; 0: none */

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* The first page of a piece's mapping holds the sizes. */
struct piece {
	size_t size;
	size_t mapped;
};

static struct piece *piece_of(void *p)
{
	size_t page = page_size();

	return (struct piece *)(((uintptr_t)p & ~(page - 1)) - page);
}

/* The child runs the library's handlers. */
static void fork_if_due(void)
{
	int status = 0;
	pid_t pid;

	if (fork_after == 0 || --fork_after > 0)
		return;
	pid = fork();
	if (pid == 0)
		_exit(0);
	REQUIRE(pid > 0 && waitpid(pid, &status, 0) == pid, "cannot fork");
	REQUIRE(status == 0, "the child ends with status 0x%x", (unsigned)status);
}

/* The size of an object is a multiple of its alignment, so the piece is aligned. */
static void *guarded_malloc(size_t size)
{
	const size_t page = page_size();
	const size_t room = (size + page - 1) & ~(page - 1);
	char *map = mmap(NULL, page + room + page, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *p = map + page + room - size;

	REQUIRE(map != MAP_FAILED, "no memory");
	REQUIRE(mprotect(map + page + room, page, PROT_NONE) == 0, "no guard");
	*(struct piece *)(void *)map = (struct piece){size, page + room + page};
	memset(p, 0x5a, size);
	live++;
	fork_if_due();
	return p;
}

static void guarded_free(void *p)
{
	struct piece *piece;

	if (!p)
		return;
	piece = piece_of(p);
	live--;
	REQUIRE(mprotect(piece, piece->mapped, PROT_NONE) == 0, "cannot take back");
}

static void *guarded_realloc(void *p, size_t size)
{
	void *q = guarded_malloc(size);
	size_t old = p ? piece_of(p)->size : 0;

	if (p)
		memcpy(q, p, old < size ? old : size);
	guarded_free(p);
	return q;
}

static char *guarded_strdup(const char *s)
{
	size_t size = strlen(s) + 1;

	return memcpy(guarded_malloc(size), s, size);
}

static void use(const char *path)
{
	char block[3 * 512];
	struct pmemblk_iovec v[] = {{block, 7, 1}, {block, 100, 3}};
	PMEMblkpool *p = pmemblk_open(path, 0);

	REQUIRE(p, "%s", pmemblk_errormsg());
	memset(block, 'b', sizeof(block));
	REQUIRE(pmemblk_write(p, block, 1) == 0, "%s", pmemblk_errormsg());
	REQUIRE(pmemblk_writev(p, v, 2, NULL) == 0, "%s", pmemblk_errormsg());
	REQUIRE(pmemblk_readv(p, v, 2, NULL) == 0, "%s", pmemblk_errormsg());
	REQUIRE(pmemblk_set_zero_range(p, 90, 30, NULL) == 0, "%s", pmemblk_errormsg());
	REQUIRE(pmemblk_set_error(p, 5) == 0, "%s", pmemblk_errormsg());
	pmemblk_close(p);
	REQUIRE(pmemblk_check(path, 0) == 1, "%s", pmemblk_errormsg());
	REQUIRE(live == 0, "%ld pieces are left of %s", live, path);
}

/* Arrays with one element for each part have no room for another one. */
static void sets_of_every_number_of_parts(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= 5; n++)
		for (int one_header = 0; one_header < 2; one_header++) {
			char text[256] = "";
			char name[16];

			if (one_header)
				strcpy(text, "OPTION SINGLEHDR\n");
			for (unsigned i = 0; i < n; i++)
				snprintf(text + strlen(text), sizeof(text) - strlen(text),
					 "17M @/part%u\n", i);
			image_make_zero(set_path("part0"), 17 * MIB);
			pmemblk_close(set_create(text, 512));
			assert_int_equal(live, 0);
			use(set_path("set"));
			/* one part is missing, the first one is in use; then blocks are too large */
			snprintf(name, sizeof(name), "part%u", n - 1);
			unlink(set_path(name));
			assert_null(pmemblk_open(set_path("set"), 0));
			if (n > 1)
				assert_null(
				    pmemblk_create(set_path("set"), 512, 0, 0644));
			assert_int_equal(live, 0);
			for (unsigned i = 0; i < n; i++) {
				snprintf(name, sizeof(name), "part%u", i);
				unlink(set_path(name));
			}
			assert_null(pmemblk_create(set_path("set"), 1 << 30, 0, 0644));
			assert_int_equal(live, 0);
		}
}

static void directories(void **state)
{
	(void)state;
	assert_int_equal(mkdir(set_path("d"), 0755), 0);
	assert_int_equal(mkdir(set_path("e"), 0755), 0);
	for (unsigned n = 0; n < 4; n++) {
		char name[32];

		for (unsigned i = 0; i < n; i++) {
			snprintf(name, sizeof(name), "%c/%06u.pmem", i % 2 ? 'd' : 'e',
				 i);
			image_make_zero(set_path(name), 17 * MIB);
		}
		pmemblk_close(set_create("OPTION SINGLEHDR\n99M @/d\n99M @/e\n", 512));
		use(set_path("set"));
		set_write("OPTION SINGLEHDR\n99M @/e\n17M @/e/../e\n");
		assert_null(pmemblk_open(set_path("set"), 0));
		set_write("OPTION SINGLEHDR\n17M @/e\n1M @/d\n");
		pmemblk_close(pmemblk_open(set_path("set"), 0));
		assert_int_equal(live, 0);
		unlink(set_path("d/000000.pmem"));
		unlink(set_path("e/000000.pmem"));
	}
}

static void texts_that_are_refused(void **state)
{
	static const char *const texts[] = {
	    "",
	    "20M",
	    "20M @/a b",
	    "OPTION",
	    "OPTION X",
	    "REPLICA",
	    "20M @/a\nREPLICA h",
	    "20M @/a\nREPLICA h p x",
	    "20M a",
	    "20M @/a#\r\n",
	    "0 @/a\n",
	    "1",
	    "OPTION\r\n",
	    "R",
	    "O",
	    "20M @/a\nREPLICA",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		set_write(texts[i]);
		pmemblk_close(pmemblk_create(set_path("set"), 512, 0, 0644));
		assert_int_equal(live, 0);
		assert_int_equal(pmemblk_check(set_path("set"), 4096), -1);
		assert_int_equal(live, 0);
		unlink(set_path("a"));
	}
}

/* In a child, and in a process that has forked, nothing stays either. */
static void processes_that_fork(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	pmemblk_close(set_create("9M @/a\n9M @/b\n", 512));
	for (int i = 0; i < 2; i++) {
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			use(set_path("set"));
			use(set_path("set"));
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		use(set_path("set"));
		use(set_path("set"));
	}
}

static void calls_during_which_a_process_forks(void **state)
{
	unsigned n = 0;

	(void)state;
	pmemblk_close(set_create("9M @/a\n9M @/b\n", 512));
	do {
		fork_after = ++n;
		assert_int_equal(pmemblk_check(set_path("set"), 0), 1);
		assert_int_equal(live, 0);
	} while (fork_after == 0);
	fork_after = 0;
	assert_true(n > 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SET_CASE(sets_of_every_number_of_parts),
	    SET_CASE(directories),
	    SET_CASE(texts_that_are_refused),
	    SET_CASE(processes_that_fork),
	    SET_CASE(calls_during_which_a_process_forks),
	};

	setenv("PMEM_IS_PMEM_FORCE", "1", 1);
	support_assert_ours((void *)pmemblk_create, "pmemblk_create");
	pmemblk_set_funcs(guarded_malloc, guarded_free, guarded_realloc, guarded_strdup);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
