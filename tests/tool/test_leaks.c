/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the commands take, they give back: memory, descriptors and mappings do not become more when a
 * command is repeated, whether it does its work or refuses it.
 */
#include "undo_fixture.h"

#include <malloc.h>

#define WARM_UP 4
#define REPEATED 10

static struct pool_file damaged; /* can be repaired */
static struct pool_file hopeless;
static const char *file;
static const char *wrong; /* a backup of nothing */

#define RUN(status, ...)                                                                 \
	do {                                                                             \
		if (tool_run(__VA_ARGS__, NULL) != (status))                             \
			fail_msg("%s: %s", #__VA_ARGS__, tool_said);                     \
	} while (0)

static void read_pools(void)
{
	store_file(path, &base);
	RUN(0, cmd_check, path);
	RUN(0, cmd_info, path);
	RUN(0, cmd_info, "-j", "-s", path);
	RUN(0, cmd_info, "-m", "-", path);
	RUN(0, cmd_dump, "-r", "0-3", path);
	RUN(3, cmd_check, "-b", "512", path);
	RUN(3, cmd_dump, "-r", "99999999", path);
	RUN(3, cmd_info, file);
	RUN(3, cmd_info, "-m", "-", file);
	RUN(3, cmd_check, file);
	store_file(path, &damaged);
	RUN(1, cmd_check, path);
	RUN(1, cmd_info, "-s", path);
	RUN(0, cmd_info, "-m", "-", path);
	store_file(path, &hopeless);
	RUN(1, cmd_check, path);
	RUN(1, cmd_info, "-s", path);
}

static void repair_pools(void)
{
	store_file(path, &damaged);
	RUN(1, cmd_repair, "-n", path);
	RUN(3, cmd_repair, "-b", wrong, path);
	RUN(0, cmd_repair, path);
	RUN(0, cmd_repair, path);
	RUN(3, cmd_repair, "-u", wrong, path);
	RUN(3, cmd_repair, "-u", path, path);
	RUN(3, cmd_repair, "-u", file, path);
	RUN(3, cmd_repair, "-u", undo, file);
	RUN(0, cmd_repair, "-u", undo, path);
	store_file(path, &base);
	RUN(3, cmd_repair, "-u", undo, path);
	unlink(undo);
	store_file(path, &hopeless);
	RUN(1, cmd_repair, path);
}

static void grow_pools(void)
{
	store_file(path, &base);
	RUN(0, cmd_grow, "-n", "-s", "40M", path);
	RUN(3, cmd_grow, "-s", "16M", path);
	RUN(3, cmd_grow, "-s", "1P", path);
	RUN(3, cmd_grow, "-b", wrong, "-s", "40M", path);
	RUN(0, cmd_grow, "-s", "40M", path);
	RUN(3, cmd_grow, "-u", wrong, path);
	RUN(0, cmd_grow, "-u", undo, path);
	unlink(undo);
	/* over the old metadata */
	RUN(0, cmd_grow, "-s", "16814080", path);
	RUN(0, cmd_grow, "-u", undo, path);
	unlink(undo);
	store_file(path, &damaged);
	RUN(1, cmd_grow, "-s", "40M", path);
}

static void copy_blocks(void)
{
	store_file(path, &base);
	RUN(0, cmd_export, path, file);
	RUN(3, cmd_export, path, file);
	RUN(0, cmd_import, file, path);
	RUN(3, cmd_import, "-f", "1", file, path);
	RUN(3, cmd_import, path, path);
	unlink(file);
	RUN(3, cmd_import, file, path);
	RUN(3, cmd_export, file, wrong);
	RUN(0, cmd_create, "-b", "4K", file);
	RUN(3, cmd_create, "-b", "4K", file);
	unlink(file);
	RUN(0, cmd_bench, "-b64K", "-s40M", "-t3", "-q4", "-n20", file);
}

static size_t used_memory(void)
{
#if defined(__GLIBC__) && (__GLIBC__ > 2 || (__GLIBC__ == 2 && __GLIBC_MINOR__ >= 33))
	return mallinfo2().uordblks;
#else
	return 0; /* not known */
#endif
}

/*
 * What is lost makes every repetition take more. Threads may keep something for the next one now and
 * then, so a single repetition that takes more proves nothing.
 */
static void repeat(void (*commands)(void))
{
	size_t memory = 0;
	unsigned ndescriptor = 0;
	unsigned nmapping = 0;
	unsigned nlarger = 0;

	for (unsigned i = 0; i < WARM_UP + REPEATED; i++) {
		commands();
		if (i >= WARM_UP)
			nlarger += used_memory() > memory;
		memory = used_memory();
		if (i + 1 == WARM_UP) {
			ndescriptor = support_count_descriptors();
			nmapping = support_count_mappings(path);
		}
	}
	assert_true(nlarger < REPEATED);
	assert_int_equal(support_count_descriptors(), ndescriptor);
	assert_int_equal(support_count_mappings(path), nmapping);
}

static void looking_at_pools_keeps_nothing(void **state)
{
	(void)state;
	repeat(read_pools);
}

static void repairs_keep_nothing(void **state)
{
	(void)state;
	repeat(repair_pools);
}

static void grows_keep_nothing(void **state)
{
	(void)state;
	repeat(grow_pools);
}

static void copies_and_measurements_keep_nothing(void **state)
{
	(void)state;
	repeat(copy_blocks);
}

static int make_pools(void **state)
{
	if (make_base(state) != 0)
		return -1;
	file = support_path(true, "file");
	wrong = support_path(true, "wrong");
	support_write_file(wrong, "pmemblk backup 2\n", 17);
	damaged = damage_all();
	hopeless = clone_file(&base);
	memset(hopeless.p + ARENA, 0xff, 4096);
	memset(hopeless.p + copy_off(&hopeless), 0xff, 4096);
	memset(hopeless.p + slot_off(&hopeless, 0), 0xff, 16384);
	return 0;
}

static int free_pools(void **state)
{
	free(damaged.p);
	free(hopeless.p);
	return free_base(state);
}

/* Memory in a thread's cache counts as used. So the test runs without. */
static void run_without_cache(char **argv)
{
	const char *tunables = "glibc.malloc.tcache_count=0:glibc.malloc.arena_max=1";
	const char *now = getenv("GLIBC_TUNABLES");

	if (now && strcmp(now, tunables) == 0)
		return;
	setenv("GLIBC_TUNABLES", tunables, 1);
	execv("/proc/self/exe", argv);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(looking_at_pools_keeps_nothing),
	    cmocka_unit_test(repairs_keep_nothing),
	    cmocka_unit_test(grows_keep_nothing),
	    cmocka_unit_test(copies_and_measurements_keep_nothing),
	};

	(void)argc;
	run_without_cache(argv);
	return cmocka_run_group_tests(tests, make_pools, free_pools);
}
