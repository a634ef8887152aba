/* SPDX-License-Identifier: BSD-3-Clause */
/*
 *	messages FOLDER
 *
 * Brings failures about, each in a process and an empty folder of its own, and prints a line
 * for each: its name, errno's name, and the library's message. The folder reads DIR.
 */
#include <errno.h>
#include <fcntl.h>
#include <libpmem.h>
#include <libpmemblk.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define POOL_SIZE ((size_t)20 << 20)
#define MIB ((size_t)1 << 20)

static char folder[4096]; /* of the case */

static const char *in_folder(const char *name)
{
	static char paths[8][4200];
	static unsigned n;
	char *path = paths[n++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

static const char *the_pool(void)
{
	return in_folder("pool");
}

static void make_file(const char *name, size_t size)
{
	int fd = open(in_folder(name), O_RDWR | O_CREAT, 0644);

	if (fd < 0 || ftruncate(fd, (off_t)size) != 0)
		abort();
	close(fd);
}

static void put(const char *name, off_t off, const void *data, size_t len)
{
	int fd = open(in_folder(name), O_RDWR);

	if (fd < 0 || pwrite(fd, data, len, off) != (ssize_t)len)
		abort();
	close(fd);
}

static PMEMblkpool *make_pool(void)
{
	PMEMblkpool *p = pmemblk_create(the_pool(), 512, POOL_SIZE, 0644);

	if (!p)
		abort();
	return p;
}

static void make_closed_pool(void)
{
	pmemblk_close(make_pool());
}

/* Each '@' of the text becomes the folder. */
static void make_set(const char *text)
{
	FILE *f = fopen(in_folder("set"), "w");

	if (!f)
		abort();
	fputs("PMEMPOOLSET\n", f);
	for (; *text; text++)
		if (*text == '@')
			fputs(folder, f);
		else
			fputc(*text, f);
	fclose(f);
}

/* The soft limits only: the line about it is to be printed. */
static void limit_files(rlim_t size)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_FSIZE, &l) != 0)
		abort();
	l.rlim_cur = size;
	if (setrlimit(RLIMIT_FSIZE, &l) != 0)
		abort();
}

static void limit_memory(rlim_t size)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_AS, &l) != 0)
		abort();
	l.rlim_cur = size;
	if (setrlimit(RLIMIT_AS, &l) != 0)
		abort();
}

static void unlimit(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_FSIZE, &l) == 0)
		limit_files(l.rlim_max);
	if (getrlimit(RLIMIT_AS, &l) == 0)
		limit_memory(l.rlim_max);
}

/* --- pmemblk_create ---------------------------------------------------------------------- */

static void create(const char *name, size_t bsize, size_t size)
{
	pmemblk_create(in_folder(name), bsize, size, 0644);
}

static void create_bsize_0(void)
{
	create("pool", 0, POOL_SIZE);
}
static void create_bsize_2_32(void)
{
	create("pool", (size_t)1 << 32, POOL_SIZE);
}
static void create_bsize_large(void)
{
	create("pool", 1 << 20, POOL_SIZE);
}
static void create_small(void)
{
	create("pool", 512, PMEMBLK_MIN_POOL - 4096);
}
static void create_2_63(void)
{
	create("pool", 512, (size_t)1 << 63);
}
static void create_beyond_limit(void)
{
	limit_files(MIB);
	create("pool", 512, POOL_SIZE);
}
static void create_no_memory(void)
{
	limit_memory(32 * MIB);
	create("pool", 512, 64 * MIB);
}
static void create_exists(void)
{
	make_file("pool", POOL_SIZE);
	create("pool", 512, POOL_SIZE);
}
static void create_no_folder(void)
{
	create("missing/pool", 512, POOL_SIZE);
}
static void create_missing(void)
{
	create("pool", 512, 0);
}
static void create_folder(void)
{
	pmemblk_create(folder, 512, 0, 0644);
}
static void create_device(void)
{
	pmemblk_create("/dev/null", 512, 0, 0644);
}
static void create_existing_small(void)
{
	make_file("pool", 4 * MIB);
	create("pool", 512, 0);
}
static void create_existing_used(void)
{
	make_file("pool", POOL_SIZE);
	put("pool", 100, "x", 1);
	create("pool", 512, 0);
}
static void create_locked(void)
{
	make_pool();
	create("pool", 512, 0);
}
static void create_set_empty(void)
{
	make_set("");
	create("set", 512, 0);
}
static void create_set_word(void)
{
	make_set("20M @/a junk\n");
	create("set", 512, 0);
}
static void create_set_option(void)
{
	make_set("OPTION JUNK\n20M @/a\n");
	create("set", 512, 0);
}
static void create_set_relative(void)
{
	make_set("20M a\n");
	create("set", 512, 0);
}
static void create_set_size(void)
{
	make_set("20X @/a\n");
	create("set", 512, 0);
}
static void create_set_small(void)
{
	make_set("1M @/a\n20M @/b\n");
	create("set", 512, 0);
}
static void create_set_differs(void)
{
	make_file("a", 21 * MIB);
	make_set("20M @/a\n");
	create("set", 512, 0);
}
static void create_set_twice(void)
{
	make_set("20M @/a\n20M @/a\n");
	create("set", 512, 0);
}
static void create_set_replica(void)
{
	make_set("20M @/a\nREPLICA\n20M @/b\n");
	create("set", 512, 0);
}

/* --- pmemblk_open and pmemblk_check ------------------------------------------------------------ */

static void open_missing(void)
{
	pmemblk_open(the_pool(), 512);
}
static void open_folder(void)
{
	pmemblk_open(folder, 512);
}
static void open_device(void)
{
	pmemblk_open("/dev/null", 512);
}
static void open_bsize(void)
{
	make_closed_pool();
	pmemblk_open(the_pool(), 1024);
}
static void open_twice(void)
{
	make_pool();
	pmemblk_open(the_pool(), 512);
}
static void open_tiny(void)
{
	make_file("pool", MIB);
	pmemblk_open(the_pool(), 512);
}
static void open_zeros(void)
{
	make_file("pool", POOL_SIZE);
	pmemblk_open(the_pool(), 512);
}
static void open_other_pool(void)
{
	make_closed_pool();
	put("pool", 0, "PMEMOBJ", 8);
	pmemblk_open(the_pool(), 512);
}
static void open_checksum(void)
{
	make_closed_pool();
	put("pool", 1000, "x", 1);
	pmemblk_open(the_pool(), 512);
}
static void open_cut(void)
{
	make_closed_pool();
	make_file("pool", 4 * MIB);
	pmemblk_open(the_pool(), 512);
}
static void open_no_part(void)
{
	make_set("20M @/a\n");
	pmemblk_open(in_folder("set"), 512);
}
static void open_no_memory(void)
{
	make_closed_pool();
	limit_memory(16 * MIB);
	pmemblk_open(the_pool(), 512);
}
static void check_missing(void)
{
	pmemblk_check(the_pool(), 512);
}
static void check_bsize(void)
{
	make_closed_pool();
	pmemblk_check(the_pool(), 1024);
}
static void check_twice(void)
{
	make_pool();
	pmemblk_check(the_pool(), 512);
}
static void check_zeros(void)
{
	make_file("pool", POOL_SIZE);
	pmemblk_check(the_pool(), 512);
}

/* --- blocks and the rest of libpmemblk -------------------------------------------------------- */

static void read_negative(void)
{
	char block[512];

	pmemblk_read(make_pool(), block, -1);
}
static void read_beyond(void)
{
	char block[512];
	PMEMblkpool *p = make_pool();

	pmemblk_read(p, block, (long long)pmemblk_nblock(p));
}
static void read_error(void)
{
	char block[512];
	PMEMblkpool *p = make_pool();

	if (pmemblk_set_error(p, 3) != 0)
		abort();
	pmemblk_read(p, block, 3);
}
static void write_beyond(void)
{
	char block[512] = "";
	PMEMblkpool *p = make_pool();

	pmemblk_write(p, block, (long long)pmemblk_nblock(p));
}
static void set_zero_beyond(void)
{
	PMEMblkpool *p = make_pool();

	pmemblk_set_zero(p, (long long)pmemblk_nblock(p));
}
static void set_error_beyond(void)
{
	PMEMblkpool *p = make_pool();

	pmemblk_set_error(p, (long long)pmemblk_nblock(p));
}
static void ctl_unknown(void)
{
	int value;

	pmemblk_ctl_get(NULL, "prefault.at_noon", &value);
}
static void ctl_null(void)
{
	pmemblk_ctl_get(NULL, "prefault.at_open", NULL);
}
static void blk_major(void)
{
	pmemblk_check_version(2, 0);
}
static void blk_minor(void)
{
	pmemblk_check_version(1, 99);
}

/* --- libpmem ----------------------------------------------------------------------------------- */

static void map(const char *name, size_t len, int flags)
{
	pmem_map_file(in_folder(name), len, flags, 0644, NULL, NULL);
}

static void map_missing(void)
{
	map("file", 0, 0);
}
static void map_no_folder(void)
{
	map("missing/file", 4096, PMEM_FILE_CREATE);
}
static void map_length_0(void)
{
	map("file", 0, PMEM_FILE_CREATE);
}
static void map_length_without_create(void)
{
	make_file("file", 4096);
	map("file", 4096, 0);
}
static void map_flags(void)
{
	map("file", 4096, 1 << 30);
}
static void map_exists(void)
{
	make_file("file", 4096);
	map("file", 4096, PMEM_FILE_CREATE | PMEM_FILE_EXCL);
}
static void map_tmpfile_without_create(void)
{
	pmem_map_file(folder, 0, PMEM_FILE_TMPFILE, 0644, NULL, NULL);
}
static void map_tmpfile_no_folder(void)
{
	map("missing", 4096, PMEM_FILE_CREATE | PMEM_FILE_TMPFILE);
}
static void map_folder(void)
{
	pmem_map_file(folder, 0, 0, 0, NULL, NULL);
}
static void map_device(void)
{
	pmem_map_file("/dev/null", 0, 0, 0, NULL, NULL);
}
static void map_empty(void)
{
	make_file("file", 0);
	map("file", 0, 0);
}
static void map_2_63(void)
{
	map("file", (size_t)1 << 63, PMEM_FILE_CREATE);
}
static void map_beyond_limit(void)
{
	limit_files(4096);
	map("file", MIB, PMEM_FILE_CREATE);
}
static void map_no_memory(void)
{
	limit_memory(32 * MIB);
	map("file", 64 * MIB, PMEM_FILE_CREATE | PMEM_FILE_SPARSE);
}
static void unmap_unaligned(void)
{
	pmem_unmap((void *)0x1001, 4096);
}
static void unmap_0(void)
{
	pmem_unmap((void *)0x1000, 0);
}
static void msync_unmapped(void)
{
	char *p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	munmap(p, 4096);
	pmem_msync(p, 4096);
}
static void pmem_major(void)
{
	pmem_check_version(2, 0);
}
static void pmem_minor(void)
{
	pmem_check_version(1, 99);
}

#define CASE(f)                                                                          \
	{                                                                                \
#f, f                                                                    \
	}

static const struct failure {
	const char *name;
	void (*run)(void);
} blk_failures[] = {
    CASE(create_bsize_0),
    CASE(create_bsize_2_32),
    CASE(create_bsize_large),
    CASE(create_small),
    CASE(create_2_63),
    CASE(create_beyond_limit),
    CASE(create_no_memory),
    CASE(create_exists),
    CASE(create_no_folder),
    CASE(create_missing),
    CASE(create_folder),
    CASE(create_device),
    CASE(create_existing_small),
    CASE(create_existing_used),
    CASE(create_locked),
    CASE(create_set_empty),
    CASE(create_set_word),
    CASE(create_set_option),
    CASE(create_set_relative),
    CASE(create_set_size),
    CASE(create_set_small),
    CASE(create_set_differs),
    CASE(create_set_twice),
    CASE(create_set_replica),
    CASE(open_missing),
    CASE(open_folder),
    CASE(open_device),
    CASE(open_bsize),
    CASE(open_twice),
    CASE(open_tiny),
    CASE(open_zeros),
    CASE(open_other_pool),
    CASE(open_checksum),
    CASE(open_cut),
    CASE(open_no_part),
    CASE(open_no_memory),
    CASE(check_missing),
    CASE(check_bsize),
    CASE(check_twice),
    CASE(check_zeros),
    CASE(read_negative),
    CASE(read_beyond),
    CASE(read_error),
    CASE(write_beyond),
    CASE(set_zero_beyond),
    CASE(set_error_beyond),
    CASE(ctl_unknown),
    CASE(ctl_null),
    CASE(blk_major),
    CASE(blk_minor),
};

static const struct failure pmem_failures[] = {
    CASE(map_missing),
    CASE(map_no_folder),
    CASE(map_length_0),
    CASE(map_length_without_create),
    CASE(map_flags),
    CASE(map_exists),
    CASE(map_tmpfile_without_create),
    CASE(map_tmpfile_no_folder),
    CASE(map_folder),
    CASE(map_device),
    CASE(map_empty),
    CASE(map_2_63),
    CASE(map_beyond_limit),
    CASE(map_no_memory),
    CASE(unmap_unaligned),
    CASE(unmap_0),
    CASE(msync_unmapped),
    CASE(pmem_major),
    CASE(pmem_minor),
};

static const char *error_name(int err)
{
	const char *name = err ? strerrorname_np(err) : "0";

	return name ? name : "?";
}

static void print_masked(const char *text)
{
	size_t len = strlen(folder);

	while (*text) {
		if (strncmp(text, folder, len) == 0) {
			fputs("DIR", stdout);
			text += len;
			continue;
		}
		putchar(*text == '\n' || *text == '\t' ? ' ' : *text);
		text++;
	}
}

static void run(const struct failure *f, const char *(*message)(void))
{
	char command[4200];
	int status;
	int err;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		abort();
	if (pid == 0) {
		if (mkdir(folder, 0755) != 0)
			_exit(1);
		signal(SIGXFSZ, SIG_IGN);
		errno = 0;
		f->run();
		err = errno;
		unlimit();
		printf("%s\t%s\t", f->name, error_name(err));
		print_masked(message());
		putchar('\n');
		fflush(stdout);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid)
		abort();
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	if (system(command) != 0)
		abort();
	if (WIFSIGNALED(status))
		printf("%s\tSIG%s\t\n", f->name, sigabbrev_np(WTERMSIG(status)));
	else if (WEXITSTATUS(status) != 0)
		abort();
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	for (size_t i = 0; i < sizeof(blk_failures) / sizeof(blk_failures[0]); i++) {
		snprintf(folder, sizeof(folder), "%s/%zu", argv[1], i);
		run(&blk_failures[i], pmemblk_errormsg);
	}
	for (size_t i = 0; i < sizeof(pmem_failures) / sizeof(pmem_failures[0]); i++) {
		snprintf(folder, sizeof(folder), "%s/p%zu", argv[1], i);
		run(&pmem_failures[i], pmem_errormsg);
	}
	return 0;
}
