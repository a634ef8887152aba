/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Creating a pool while a system call fails: each kind of call, and each call of the kind in
 * turn. After each failure the files must be as they were, and no descriptor and no mapping may
 * be left.
 */
#include "set_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "image.h"

#define MIB ((size_t)1 << 20)
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* --- interposed functions ------------------------------------------------------------------ */

enum call {
	OPEN,
	FLOCK,
	GETRANDOM,
	FALLOCATE,
	MMAP,
	PWRITE,
	FCHMOD,
	FSYNC,
	FDATASYNC,
	MSYNC,
	CALLS
};

static const struct {
	const char *name;
	int err;
} calls[CALLS] = {
    [OPEN] = {"open", ENOSPC},		 [FLOCK] = {"flock", ENOLCK},
    [GETRANDOM] = {"getrandom", ENOSYS}, [FALLOCATE] = {"fallocate", ENOSPC},
    [MMAP] = {"mmap", ENOMEM},		 [PWRITE] = {"pwrite", ENOSPC},
    [FCHMOD] = {"fchmod", EPERM},	 [FSYNC] = {"fsync", EIO},
    [FDATASYNC] = {"fdatasync", EIO},	 [MSYNC] = {"msync", EIO},
};

static enum call failing_call = CALLS;
static unsigned failing; /* which of these calls fails, from 1; 0: none */
static unsigned seen;	 /* the number of these calls since arm() */
static bool lasting;	 /* all later ones fail, too */

static void arm(enum call call, unsigned at)
{
	failing_call = call;
	failing = at;
	seen = 0;
}

static bool must_fail(enum call call)
{
	if (call != failing_call || ++seen < failing)
		return false;
	if (seen > failing && !lasting)
		return false;
	errno = calls[call].err;
	return true;
}

SUPPORT_INTERPOSE int open(const char *path, int flags, ...)
{
	mode_t mode = 0;

	if (flags & O_CREAT) {
		va_list ap;

		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
	}
	return must_fail(OPEN) ? -1
			       : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

SUPPORT_INTERPOSE int flock(int fd, int operation)
{
	return must_fail(FLOCK) ? -1 : (int)syscall(SYS_flock, fd, operation);
}

SUPPORT_INTERPOSE ssize_t getrandom(void *buf, size_t len, unsigned flags)
{
	return must_fail(GETRANDOM) ? -1
				    : (ssize_t)syscall(SYS_getrandom, buf, len, flags);
}

SUPPORT_INTERPOSE int posix_fallocate(int fd, off_t off, off_t len)
{
	if (must_fail(FALLOCATE))
		return calls[FALLOCATE].err;
	return syscall(SYS_fallocate, fd, 0, off, len) == 0 ? 0 : errno;
}

/* The sanitizers have an mmap of their own. */
#if !SUPPORT_SANITIZED
SUPPORT_INTERPOSE void *mmap(void *addr, size_t len, int prot, int flags, int fd,
			     off_t off)
{
	if (must_fail(MMAP))
		return MAP_FAILED;
	return (void *)syscall(SYS_mmap, addr, len, prot, flags, fd, off);
}
#endif

SUPPORT_INTERPOSE ssize_t pwrite(int fd, const void *buf, size_t len, off_t off)
{
	return must_fail(PWRITE) ? -1 : (ssize_t)syscall(SYS_pwrite64, fd, buf, len, off);
}

SUPPORT_INTERPOSE int fchmod(int fd, mode_t mode)
{
	return must_fail(FCHMOD) ? -1 : (int)syscall(SYS_fchmod, fd, mode);
}

SUPPORT_INTERPOSE int fsync(int fd)
{
	return must_fail(FSYNC) ? -1 : (int)syscall(SYS_fsync, fd);
}

SUPPORT_INTERPOSE int fdatasync(int fd)
{
	return must_fail(FDATASYNC) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

SUPPORT_INTERPOSE int msync(void *addr, size_t len, int flags)
{
	return must_fail(MSYNC) ? -1 : (int)syscall(SYS_msync, addr, len, flags);
}

/* --- what is left behind ------------------------------------------------------------------- */

/*
 * Whether the mapping may belong to a pool: its file, memory that it shares with children, or
 * reserved addresses. A sanitizer also reserves addresses.
 */
static bool is_of_interest(const char *line)
{
	return strstr(line, set_dir) || strstr(line, "rw-s ") ||
	       (!SUPPORT_SANITIZED && strstr(line, " ---p 00000000 00:00 0 \n"));
}

static size_t mapped_bytes(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[4400];
	size_t sum = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		unsigned long from;
		unsigned long to;

		if (is_of_interest(line) && sscanf(line, "%lx-%lx", &from, &to) == 2)
			sum += to - from;
	}
	fclose(f);
	return sum;
}

/* One number for the names, modes, lengths and contents of all files in the folder. */
static uint64_t folder_hash(void)
{
	DIR *dir = opendir(set_dir);
	uint64_t sum = 0;
	struct dirent *d;

	assert_non_null(dir);
	while ((d = readdir(dir))) {
		uint64_t h = 0;
		struct stat st;

		if (d->d_name[0] == '.')
			continue;
		assert_int_equal(stat(set_path(d->d_name), &st), 0);
		for (const char *c = d->d_name; *c; c++)
			h = h * 31 + (unsigned char)*c;
		h = h * 31 + st.st_mode;
		h = h * 31 + (uint64_t)st.st_size;
		sum += h * 31 + image_hash(set_path(d->d_name));
	}
	closedir(dir);
	return sum;
}

/* --- the cases ----------------------------------------------------------------------------- */

static const struct scenario {
	const char *what;
	const char *text;    /* of the set file; NULL: the single file "a" */
	const char *mine[2]; /* files that exist, of 17 or, in a set, of 9 MiB */
	bool calls[CALLS];   /* the kinds of calls that must occur */
} scenarios[] = {
    {"a new file",
     NULL,
     {NULL, NULL},
     {[OPEN] = true,
      [FLOCK] = true,
      [GETRANDOM] = true,
      [FALLOCATE] = true,
      [MMAP] = true,
      [FCHMOD] = true,
      [FSYNC] = true,
      [MSYNC] = true}},
    {"a file of the user",
     NULL,
     {"a", NULL},
     {[OPEN] = true,
      [FLOCK] = true,
      [GETRANDOM] = true,
      [FALLOCATE] = true,
      [MMAP] = true,
      [MSYNC] = true}},
    {"new parts",
     "9M @/a\n9M @/b\n9M @/c\n",
     {NULL, NULL},
     {[OPEN] = true,
      [FLOCK] = true,
      [GETRANDOM] = true,
      [FALLOCATE] = true,
      [MMAP] = true,
      [PWRITE] = true,
      [FCHMOD] = true,
      [FSYNC] = true,
      [FDATASYNC] = true,
      [MSYNC] = true}},
    {"parts of the user before and behind a new one",
     "9M @/a\n9M @/b\n9M @/c\n",
     {"a", "c"},
     {[OPEN] = true,
      [FLOCK] = true,
      [GETRANDOM] = true,
      [FALLOCATE] = true,
      [MMAP] = true,
      [PWRITE] = true,
      [FCHMOD] = true,
      [FSYNC] = true,
      [FDATASYNC] = true,
      [MSYNC] = true}},
};

static void prepare(const struct scenario *s)
{
	unlink(set_path("a"));
	unlink(set_path("b"));
	unlink(set_path("c"));
	if (s->text)
		set_write(s->text);
	for (size_t i = 0; i < COUNT(s->mine) && s->mine[i]; i++) {
		image_make_zero(set_path(s->mine[i]), (s->text ? 9 : 17) * MIB);
		image_write(set_path(s->mine[i]), 4096, "my data", 8);
		assert_int_equal(chmod(set_path(s->mine[i]), 0640), 0);
	}
}

static PMEMblkpool *create(const struct scenario *s)
{
	return pmemblk_create(set_path(s->text ? "set" : "a"), 512,
			      s->text || s->mine[0] ? 0 : 17 * MIB, 0644);
}

/*
 * Returns whether the call that had to fail occurred. mapped: what the library keeps. The memory
 * that pools share with children is cut from mappings, and a new one replaces a mapping that is
 * used up. A piece that is left would keep the old one.
 */
static bool create_failing(const struct scenario *s, enum call call, unsigned at,
			   size_t mapped, unsigned *failed)
{
	uint64_t before;
	unsigned descriptors = support_count_descriptors();
	PMEMblkpool *p;
	bool is_met;
	int err;

	prepare(s);
	before = folder_hash();
	arm(call, at);
	errno = 0;
	p = create(s);
	err = errno;
	is_met = seen >= at;
	arm(CALLS, 0);
	if (p) { /* a create can succeed without some calls */
		pmemblk_close(p);
	} else {
		(*failed)++;
		if (err != calls[call].err)
			fail_msg("%s, %s %u: %s: %s", s->what, calls[call].name, at,
				 strerror(err), pmemblk_errormsg());
		if (!strstr(pmemblk_errormsg(), set_dir))
			fail_msg("%s, %s %u: no file is named: %s", s->what,
				 calls[call].name, at, pmemblk_errormsg());
		if (folder_hash() != before)
			fail_msg("%s, %s %u: the files have changed", s->what,
				 calls[call].name, at);
	}
	if (support_count_descriptors() != descriptors)
		fail_msg("%s, %s %u: a descriptor is left", s->what, calls[call].name,
			 at);
	if (mapped_bytes() > mapped)
		fail_msg("%s, %s %u: a mapping is left", s->what, calls[call].name, at);
	return is_met;
}

static void a_failed_create_leaves_everything_as_it_was(void **state)
{
	const struct scenario *first = &scenarios[0];
	size_t mapped;

	(void)state;
	prepare(first);
	pmemblk_close(create(first));
	mapped = mapped_bytes();
	for (size_t i = 0; i < COUNT(scenarios); i++) {
		const struct scenario *s = &scenarios[i];

		for (enum call call = 0; call < CALLS; call++) {
			unsigned failed = 0;
			unsigned at = 1;

			while (create_failing(s, call, at, mapped, &failed))
				at++;
			/* The library tries several ways to get address space. */
			lasting = call == MMAP;
			while (lasting && --at > 0)
				create_failing(s, call, at, mapped, &failed);
			lasting = false;
			if (s->calls[call] && failed == 0 &&
			    !(call == MMAP && SUPPORT_SANITIZED))
				fail_msg("%s: no %s has failed", s->what,
					 calls[call].name);
		}
	}
}

static void a_really_full_file_system_does_so_too(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	set_write("9M @/a\n9M @/full/b\n9M @/full/c\n9M @/full/d\n");
	assert_int_equal(mkdir(set_path("full"), 0755), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		PMEMblkpool *p;

		if (unshare(CLONE_NEWNS) != 0 ||
		    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
		    mount("none", set_path("full"), "tmpfs", 0, "size=20m") != 0)
			_exit(77);
		for (int i = 0; i < 3; i++) {
			errno = 0;
			if (pmemblk_create(set_path("full/b"), 512, 32 * MIB, 0644) ||
			    errno != ENOSPC || set_part_exists("full/b"))
				_exit(1);
			errno = 0;
			if (pmemblk_create(set_path("set"), 512, 0, 0644) ||
			    errno != ENOSPC)
				_exit(2);
			if (set_part_exists("a") || set_part_exists("full/b") ||
			    set_part_exists("full/c") || set_part_exists("full/d"))
				_exit(3);
		}
		p = pmemblk_create(set_path("full/b"), 512, 17 * MIB, 0644);
		if (!p)
			_exit(4);
		pmemblk_close(p);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		print_message("skipped: needs the right to mount\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SET_CASE(a_failed_create_leaves_everything_as_it_was),
	    SET_CASE(a_really_full_file_system_does_so_too),
	};

	unsetenv("PMEM_IS_PMEM_FORCE");
	support_assert_ours((void *)pmemblk_create, "pmemblk_create");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
