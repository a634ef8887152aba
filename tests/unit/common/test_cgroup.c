/* SPDX-License-Identifier: BSD-3-Clause */
/* The limits of memory of groups of processes, of both versions of the kernel's interface. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cgroup.h"
#include "compiler.h"
#include "errormsg.h"
#include "fake_sysfs.h"
#include "ram_file.h"
#include "support.h"

#define RAMFS 0x858458f6u
#define TMPFS 0x01021994u
#define EXT4 0x0000ef53u

/* --- an interposed fstatfs ------------------------------------------------------------ */

static unsigned file_system;  /* of all files */
static bool is_unknown;	      /* the call fails */
static unsigned blocks = 100; /* its size, but for ramfs, which has none */

int fstatfs(int fd, struct statfs *fs)
{
	if (is_unknown) {
		errno = EIO;
		return -1;
	}
	if (syscall(SYS_fstatfs, fd, fs) != 0)
		return -1;
	fs->f_type = (__typeof__(fs->f_type))file_system;
	fs->f_blocks = file_system == RAMFS ? 0 : blocks;
	return 0;
}

/* --- an interposed open --------------------------------------------------------------- */

static const char *meminfo; /* NULL: the machine's own */
static const char *groups;  /* of this process; NULL: its own */

int open(const char *path, int flags, ...)
{
	const char *text = NULL;
	int fd;

	if (strcmp(path, "/proc/meminfo") == 0)
		text = meminfo;
	else if (strcmp(path, "/proc/self/cgroup") == 0)
		text = groups;
	if (!text)
		return (int)syscall(SYS_openat, AT_FDCWD, path, flags, 0);
	fd = memfd_create("text", MFD_CLOEXEC);
	if (fd < 0 || pwrite(fd, text, strlen(text), 0) != (ssize_t)strlen(text))
		abort();
	return fd;
}

/* --- an interposed sysinfo ------------------------------------------------------------ */

static const struct sysinfo *machine; /* NULL: this one */

int sysinfo(struct sysinfo *info)
{
	if (!machine)
		return (int)syscall(SYS_sysinfo, info);
	*info = *machine;
	return 0;
}

/* -------------------------------------------------------------------------------------- */

static void the_lowest_limit_of_the_groups_above_counts(void **state)
{
	(void)state;
	fake_sysfs_begin();
	fake_sysfs_file("fs/cgroup/a/memory.max", "70000\n");
	fake_sysfs_file("fs/cgroup/a/b/memory.max", "max\n");
	fake_sysfs_file("fs/cgroup/a/b/c/memory.max", "90000\n");
	fake_sysfs_file("fs/cgroup/d/memory.max", "10\n");
	assert_int_equal(cgroup_spare_memory("0::/a/b/c\n"), 70000);
	assert_int_equal(cgroup_spare_memory("0::/a"), 70000);
	assert_int_equal(cgroup_spare_memory("0::/dddd\n"), UINT64_MAX);
	assert_int_equal(cgroup_spare_memory("0::/d\n"), 10);
	assert_int_equal(cgroup_spare_memory("0::/e\n"), UINT64_MAX);
}

static void version_1_counts_where_it_limits_memory(void **state)
{
	static const char *const lines[] = {
	    "4:memory:/a/b\n",
	    "5:cpuset:/d\n4:memory:/a/b\n1:name=memory:/d\n0::/d\n",
	    "0::/d\n4:cpu,memory:/a/b\n5:memory_more,cpu:/d\n",
	    "4:memory,cpu:/a/b\n",
	};

	(void)state;
	fake_sysfs_begin();
	/* What the kernel says where there is no limit. */
	fake_sysfs_file("fs/cgroup/memory/memory.limit_in_bytes",
			"9223372036854771712\n");
	fake_sysfs_file("fs/cgroup/memory/a/memory.limit_in_bytes", "60000\n");
	fake_sysfs_file("fs/cgroup/memory/a/b/memory.limit_in_bytes", "80000\n");
	fake_sysfs_file("fs/cgroup/d/memory.max", "10\n");
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		assert_int_equal(cgroup_spare_memory(lines[i]), 60000);
	assert_true(cgroup_spare_memory("4:memory:/\n") > 1ull << 60);
}

static void what_a_group_can_give_back_is_spare(void **state)
{
	/* More than the names that count, and names that begin or end like these. */
	static const char stat_2[] = "anon 1000\nfile 9000\nkernel 7777\nshmem 200\n"
				     "inactive_anon 1000\nactive_anon 300\n"
				     "inactive_file 6000\nactive_file 2000\n"
				     "unevictable 20\nactive_anon_more 9999\n"
				     "unevictable_pgs_culled 9999\n";
	static const char stat_1[] = "cache 9999\nrss 9999\ninactive_anon 9999\n"
				     "total_cache 9000\ntotal_inactive_anon 1000\n"
				     "total_active_anon 300\ntotal_inactive_file 6000\n"
				     "total_active_file 2000\ntotal_unevictable 20\n";

	(void)state;
	fake_sysfs_begin();
	fake_sysfs_file("fs/cgroup/a/memory.max", "5000\n");
	fake_sysfs_file("fs/cgroup/a/memory.stat", stat_2);
	fake_sysfs_file("fs/cgroup/memory/a/memory.limit_in_bytes", "5000\n");
	fake_sysfs_file("fs/cgroup/memory/a/memory.stat", stat_1);
	assert_int_equal(cgroup_spare_memory("0::/a\n"), 5000 - 1320);
	assert_int_equal(cgroup_spare_memory("1:memory:/a\n"), 5000 - 1320);
	/* A limit that was lowered afterwards. */
	fake_sysfs_file("fs/cgroup/b/memory.max", "1000\n");
	fake_sysfs_file("fs/cgroup/b/memory.stat", stat_2);
	assert_int_equal(cgroup_spare_memory("0::/b\n"), 0);
	/* One that names nothing of this, after one that did. */
	fake_sysfs_file("fs/cgroup/c/memory.max", "5000\n");
	fake_sysfs_file("fs/cgroup/c/memory.stat", "anon 5\n");
	assert_int_equal(cgroup_spare_memory("0::/a\n"), 5000 - 1320);
	assert_int_equal(cgroup_spare_memory("0::/c\n"), 5000);
}

/* A line again and again until text is full. */
static void fill_with_lines(char *text, size_t size, const char *line)
{
	size_t at = strlen(text);

	while (at + strlen(line) < size) {
		strcpy(text + at, line);
		at += strlen(line);
	}
}

static void long_texts_are_read_as_far_as_they_fit(void **state)
{
	char stat[9000] = "inactive_anon 1000\nactive_anon 300\nunevictable 20\n";
	char info[9000] = "MemAvailable:  1000 kB\nSwapFree:       500 kB\n";
	char lines[12000] = "0::/\n";
	int fd = memfd_create("memory", MFD_CLOEXEC);

	(void)state;
	fill_with_lines(stat, sizeof(stat), "x 1\n");
	fill_with_lines(info, sizeof(info), "Other: 1 kB\n");
	fill_with_lines(lines, sizeof(lines), "1:cpu:/x\n");
	fake_sysfs_begin();
	fake_sysfs_file("fs/cgroup/memory.max", "5000\n");
	fake_sysfs_file("fs/cgroup/memory.stat", stat);
	meminfo = info;
	groups = lines;
	file_system = TMPFS;
	blocks = 0;
	assert_true(ram_file_has_room(fd, 5000 - 1320 + (500 << 10)));
	assert_false(ram_file_has_room(fd, 5000 - 1320 + (500 << 10) + 1));
	blocks = 100;
	meminfo = NULL;
	groups = NULL;
	close(fd);
}

static void the_longest_paths_are_those_that_fit(void **state)
{
	static const char limit[] = "fs/cgroup/a/memory.max";
	char root[PATH_MAX + 1];
	char text[PATH_MAX + 100] = "0::/";
	size_t len;

	(void)state;
	fake_sysfs_begin();
	fake_sysfs_file(limit, "5000\n");
	fake_sysfs_file("fs/cgroup/a/memory.stat", "unevictable 20\n");
	fake_sysfs_file("fs/cgroup/memory.max", "6000\n");
	assert_int_equal(cgroup_spare_memory("0::/a\n"), 5000 - 20);
	/* No more than the limit's name fits. */
	len = PATH_MAX - 1 - strlen(limit) - 1;
	memset(root, '/', len);
	root[len] = '\0';
	memcpy(root, sysfs_root, strlen(sysfs_root));
	sysfs_root = root;
	assert_int_equal(cgroup_spare_memory("0::/a\n"), 5000);
	/* The same of the group's name. */
	fake_sysfs_begin();
	fake_sysfs_file("fs/cgroup/memory.max", "3000\n");
	memset(text + 4, 'a', PATH_MAX - 2);
	assert_int_equal(cgroup_spare_memory(text), 3000);
	text[strlen(text)] = 'a';
	assert_int_equal(cgroup_spare_memory(text), UINT64_MAX);
}

static void a_container_has_its_own_group_on_top(void **state)
{
	(void)state;
	fake_sysfs_begin();
	fake_sysfs_file("fs/cgroup/memory.max", "3000\n");
	fake_sysfs_file("fs/cgroup/memory/memory.limit_in_bytes", "4000\n");
	fake_sysfs_file("fs/other/memory.max", "5\n");
	assert_int_equal(cgroup_spare_memory("0::/\n"), 3000);
	assert_int_equal(cgroup_spare_memory("0::/docker/1234\n"), 3000);
	assert_int_equal(cgroup_spare_memory("0::/../other\n"), 3000);
	assert_int_equal(cgroup_spare_memory("4:memory:/docker/1234\n"), 4000);
}

static void what_cannot_be_understood_limits_nothing(void **state)
{
	static const char *const texts[] = {
	    "",	      "\n",	  "0::",    "memory",	 "::\n",
	    ":\n:\n", "4:memory", "0:/a\n", "1:cpu:/a\n"};
	char text[PATH_MAX + 100] = "0::/";

	(void)state;
	fake_sysfs_begin();
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_int_equal(cgroup_spare_memory(texts[i]), UINT64_MAX);
	fake_sysfs_file("fs/cgroup/a/memory.max", "1\n");
	memset(text + 4, 'a', sizeof(text) - 5);
	assert_int_equal(cgroup_spare_memory(text), UINT64_MAX);
	assert_int_equal(cgroup_spare_memory(strcat(strcpy(text, "x\n\n"), "0::/a")), 1);
	fake_sysfs_file("fs/cgroup/b/memory.max", "some\n");
	assert_int_equal(cgroup_spare_memory("0::/b"), UINT64_MAX);
}

/* Of both versions, because the groups of this process are in one of them. */
static void limit_this_process(const char *limit)
{
	fake_sysfs_begin();
	fake_sysfs_file("fs/cgroup/memory.max", limit);
	fake_sysfs_file("fs/cgroup/memory/memory.limit_in_bytes", limit);
}

static void files_in_memory_keep_to_the_limit(void **state)
{
	const uint64_t huge = 1ull << 50;
	int fd = memfd_create("memory", MFD_CLOEXEC);

	(void)state;
	if (access("/proc/self/cgroup", R_OK) != 0)
		skip();
	file_system = RAMFS;
	limit_this_process("65536\n");
	assert_true(ram_file_has_room(fd, 65536));
	assert_false(ram_file_has_room(fd, 65537));
	/* What the file has already costs nothing. */
	assert_int_equal(pwrite(fd, "x", 1, 0), 1);
	assert_true(ram_file_has_room(fd, 65536 + 4096));
	assert_false(ram_file_has_room(fd, 65536 + 4096 + 1));
	/* It may be swapped, so this depends on the machine. */
	file_system = TMPFS;
	assert_false(ram_file_has_room(fd, huge));
	limit_this_process("max\n");
	assert_true(ram_file_has_room(fd, huge));
	limit_this_process("0\n");
	file_system = EXT4;
	assert_true(ram_file_has_room(fd, huge));
	is_unknown = true;
	assert_true(ram_file_has_room(fd, huge));
	is_unknown = false;
	close(fd);
}

/* Borders to the byte, of a machine whose memory the test knows. */
static void files_without_a_limit_keep_to_the_machine(void **state)
{
	int fd = memfd_create("memory", MFD_CLOEXEC);

	(void)state;
	if (access("/proc/self/cgroup", R_OK) != 0)
		skip();
	limit_this_process("max\n");
	meminfo = "MemTotal:      9000 kB\nMemFree:        10 kB\n"
		  "MemAvailable:  1000 kB\nSwapTotal:     8000 kB\n"
		  "SwapFree:       500 kB\n";
	file_system = RAMFS;
	assert_true(ram_file_has_room(fd, 1000 << 10));
	assert_false(ram_file_has_room(fd, (1000 << 10) + 1));
	/* One with a limit of its own does not look at the machine; without, it may be swapped. */
	file_system = TMPFS;
	blocks = 0;
	assert_true(ram_file_has_room(fd, 1500 << 10));
	assert_false(ram_file_has_room(fd, (1500 << 10) + 1));
	blocks = 100;
	assert_true(ram_file_has_room(fd, 1ull << 50));
	/* The group's limit counts where it is lower. */
	limit_this_process("2048\n");
	blocks = 0;
	assert_true(ram_file_has_room(fd, 2048 + (500 << 10)));
	assert_false(ram_file_has_room(fd, 2048 + (500 << 10) + 1));
	/* No swap that is known of. */
	limit_this_process("max\n");
	meminfo = "MemAvailable:  1000 kB\n";
	assert_true(ram_file_has_room(fd, 1000 << 10));
	assert_false(ram_file_has_room(fd, (1000 << 10) + 1));
	meminfo = NULL;
	close(fd);
}

/* Old kernels do not say what is available, and /proc may be missing. */
static void without_that_figure_all_memory_of_the_machine_counts(void **state)
{
	static const struct sysinfo small = {
	    .totalram = 1000, .freeswap = 500, .mem_unit = 1024};
	int fd = memfd_create("memory", MFD_CLOEXEC);
	struct sysinfo info;
	uint64_t memory;

	(void)state;
	if (access("/proc/self/cgroup", R_OK) != 0)
		skip();
	limit_this_process("max\n");
	assert_int_equal(sysinfo(&info), 0);
	memory = (uint64_t)info.totalram * info.mem_unit;
	meminfo = "MemFree:  1 kB\n";
	file_system = RAMFS;
	assert_true(ram_file_has_room(fd, memory));
	assert_false(ram_file_has_room(fd, memory + 1));
	assert_int_equal(ram_file_check_length(fd, memory), 0);
	assert_int_equal(ram_file_check_length(fd, memory + 1), -EFBIG);
	assert_non_null(strstr(errormsg_get(), "ramfs"));
	file_system = TMPFS;
	assert_int_equal(ram_file_check_length(fd, memory + 1), 0);
	/* Its swap counts as well, for files that may be swapped. */
	machine = &small;
	blocks = 0;
	assert_true(ram_file_has_room(fd, 1500 << 10));
	assert_false(ram_file_has_room(fd, (1500 << 10) + 1));
	file_system = RAMFS;
	assert_true(ram_file_has_room(fd, 1000 << 10));
	assert_false(ram_file_has_room(fd, (1000 << 10) + 1));
	blocks = 100;
	machine = NULL;
	meminfo = NULL;
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_lowest_limit_of_the_groups_above_counts),
	    cmocka_unit_test(version_1_counts_where_it_limits_memory),
	    cmocka_unit_test(what_a_group_can_give_back_is_spare),
	    cmocka_unit_test(long_texts_are_read_as_far_as_they_fit),
	    cmocka_unit_test(the_longest_paths_are_those_that_fit),
	    cmocka_unit_test(a_container_has_its_own_group_on_top),
	    cmocka_unit_test(what_cannot_be_understood_limits_nothing),
	    cmocka_unit_test(files_in_memory_keep_to_the_limit),
	    cmocka_unit_test(files_without_a_limit_keep_to_the_machine),
	    cmocka_unit_test(without_that_figure_all_memory_of_the_machine_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
