/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Each row of errno.csv, which was recorded from the original, is run against this library.
 * A row has the same result here unless the table below says otherwise and why.
 */
#include <libpmemblk.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image.h"
#include "support.h"
#include "vectors.h"

#define MIB ((size_t)1 << 20)
#define POOL_SIZE ((size_t)20 * MIB)
#define NOBODY 65534

/* What the setup of a condition hands to the call. */
struct env {
	const char *path;
	size_t bsize;
	size_t poolsize;
	long long blockno;
	bool as_nobody;
	bool keep_open; /* the pool is open during the call */
	int fallocate_err;
};

static char *dir; /* a fresh one for each row */
static int fallocate_err;

/* The library's calls come here, too: stands for a full disk. */
SUPPORT_INTERPOSE int posix_fallocate(int fd, off_t off, off_t len)
{
	static int (*real)(int, off_t, off_t);

	if (fallocate_err)
		return fallocate_err;
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "posix_fallocate");
	return real(fd, off, len);
}

static const char *in_dir(const char *name)
{
	static char *paths[64];
	static unsigned n;
	char **path = &paths[n++ % 64];

	free(*path);
	assert_true(asprintf(path, "%s/%s", dir, name) > 0);
	return *path;
}

/* --- making things ---------------------------------------------------------------------- */

static void make_set(struct env *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void make_set(struct env *e, const char *fmt, ...)
{
	char text[2048] = "PMEMPOOLSET\n";
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text + strlen(text), sizeof(text) - strlen(text), fmt, ap);
	va_end(ap);
	e->path = in_dir("set");
	e->poolsize = 0;
	support_write_file(e->path, text, strlen(text));
}

static void make_pool(struct env *e)
{
	PMEMblkpool *p;

	e->path = in_dir("pool");
	p = pmemblk_create(e->path, 512, POOL_SIZE, 0644);
	if (!p)
		fail_msg("%s", pmemblk_errormsg());
	pmemblk_close(p);
}

static void make_laid_out(struct env *e)
{
	char block[512] = "data";
	PMEMblkpool *p;

	make_pool(e);
	p = pmemblk_open(e->path, 512);
	assert_non_null(p);
	for (int i = 0; i < 10; i++)
		assert_int_equal(pmemblk_write(p, block, i), 0);
	pmemblk_close(p);
}

static uint64_t copy_off(const char *path)
{
	return IMAGE_DATA + image_get64(path, IMAGE_DATA + INFO_INFOOFF);
}

static uint64_t map_off(const char *path, unsigned i)
{
	return IMAGE_DATA + image_get64(path, IMAGE_DATA + INFO_MAPOFF) + 4 * i;
}

static uint64_t flog_off(const char *path, unsigned slot)
{
	return IMAGE_DATA + image_get64(path, IMAGE_DATA + INFO_FLOGOFF) + 64 * slot;
}

static void put_header(struct env *e, uint64_t off, uint32_t value)
{
	make_pool(e);
	image_put32(e->path, off, value);
	image_seal_header(e->path, 0);
}

static void put_info(struct env *e, uint64_t field, uint64_t value, bool wide)
{
	make_laid_out(e);
	if (wide)
		image_put64(e->path, IMAGE_DATA + field, value);
	else
		image_put32(e->path, IMAGE_DATA + field, (uint32_t)value);
	image_seal_info(e->path, IMAGE_DATA);
}

/* --- create ----------------------------------------------------------------------------- */

static void c_bsize_0(struct env *e)
{
	e->bsize = 0;
}
static void c_bsize_4g(struct env *e)
{
	e->bsize = (size_t)1 << 32;
}
static void c_bsize_wraps(struct env *e)
{
	e->bsize = 0xffffff01;
}
static void c_bsize_too_big(struct env *e)
{
	e->bsize = 32513;
	e->poolsize = PMEMBLK_MIN_POOL;
}
static void c_small(struct env *e)
{
	e->poolsize = PMEMBLK_MIN_POOL - 1;
}
static void c_exists(struct env *e)
{
	image_make_zero(e->path, POOL_SIZE);
}
static void c_missing(struct env *e)
{
	e->poolsize = 0;
}
static void c_no_parent(struct env *e)
{
	e->path = in_dir("missing/pool");
}
static void c_not_a_dir(struct env *e)
{
	image_make_zero(in_dir("file"), 1);
	e->path = in_dir("file/pool");
}
static void c_dangling(struct env *e)
{
	assert_int_equal(symlink("nowhere", e->path), 0);
}
static void c_directory(struct env *e)
{
	e->path = dir;
	e->poolsize = 0;
}
static void c_existing_small(struct env *e)
{
	image_make_zero(e->path, PMEMBLK_MIN_POOL - 4096);
	e->poolsize = 0;
}
static void c_existing_used(struct env *e)
{
	image_make_zero(e->path, POOL_SIZE);
	image_flip(e->path, 4095);
	e->poolsize = 0;
}
static void c_locked(struct env *e)
{
	make_pool(e);
	e->poolsize = 0;
	e->keep_open = true;
}
static void c_fifo(struct env *e)
{
	assert_int_equal(mkfifo(e->path, 0644), 0);
	e->poolsize = 0;
}
static void c_null(struct env *e)
{
	e->path = "/dev/null";
	e->poolsize = 0;
}
static void c_full(struct env *e)
{
	e->fallocate_err = ENOSPC;
}
static void c_2_63(struct env *e)
{
	e->poolsize = (size_t)1 << 63;
}
static void c_beyond_fs(struct env *e)
{
	e->fallocate_err = EFBIG; /* what ext4 says beyond 16 TiB */
	e->poolsize = (size_t)1 << 50;
}
static void c_no_permission(struct env *e)
{
	e->as_nobody = true;
}
static void c_replica(struct env *e)
{
	make_set(e, "20M %s\nREPLICA\n20M %s\n", in_dir("a"), in_dir("b"));
}
static void c_remote_replica(struct env *e)
{
	make_set(e, "20M %s\nREPLICA host file.set\n", in_dir("a"));
}
static void c_nohdrs(struct env *e)
{
	make_set(e, "OPTION NOHDRS\n20M %s\n", in_dir("a"));
}
static void c_part_small(struct env *e)
{
	make_set(e, "20M %s\n2097151 %s\n", in_dir("a"), in_dir("b"));
}
static void c_set_small(struct env *e)
{
	make_set(e, "8M %s\n8M %s\n", in_dir("a"), in_dir("b"));
}
static void c_set_syntax(struct env *e)
{
	make_set(e, "20M %s junk\n", in_dir("a"));
}
static void c_part_differs(struct env *e)
{
	make_set(e, "20M %s\n", in_dir("a"));
	image_make_zero(in_dir("a"), 21 * MIB);
}
static void c_part_twice(struct env *e)
{
	make_set(e, "20M %s\n20M %s\n", in_dir("a"), in_dir("a"));
}
static void c_dir_no_singlehdr(struct env *e)
{
	assert_int_equal(mkdir(in_dir("d"), 0755), 0);
	make_set(e, "20M %s\n", in_dir("d"));
}
static void c_dir_twice(struct env *e)
{
	assert_int_equal(mkdir(in_dir("d"), 0755), 0);
	make_set(e, "OPTION SINGLEHDR\n20M %s\n20M %s\n", in_dir("d"), in_dir("d"));
}
static void c_dir_mixed(struct env *e)
{
	assert_int_equal(mkdir(in_dir("d"), 0755), 0);
	make_set(e, "OPTION SINGLEHDR\n20M %s\n20M %s\n", in_dir("d"), in_dir("a"));
}
static void c_auto(struct env *e)
{
	make_set(e, "AUTO %s\n", in_dir("a"));
	image_make_zero(in_dir("a"), 20 * MIB);
}

/* --- open and check --------------------------------------------------------------------- */

static void o_bsize(struct env *e)
{
	make_pool(e);
	e->bsize = 1024;
}
static void o_missing(struct env *e)
{
	(void)e;
}
static void o_directory(struct env *e)
{
	e->path = dir;
}
static void o_empty(struct env *e)
{
	image_make_zero(e->path, 0);
}
static void o_tiny(struct env *e)
{
	image_make_zero(e->path, 2097151);
}
static void o_zeros(struct env *e)
{
	image_make_zero(e->path, 2097152);
}
static void o_signature(struct env *e)
{
	make_pool(e);
	image_write(e->path, 0, "PMEMOBJ", 8);
	image_seal_header(e->path, 0);
}
static void o_major(struct env *e)
{
	put_header(e, IMAGE_MAJOR, 2);
}
static void o_incompat(struct env *e)
{
	put_header(e, IMAGE_INCOMPAT, 0xe);
}
static void o_ro_compat(struct env *e)
{
	put_header(e, IMAGE_RO_COMPAT, 1);
}
static void o_compat(struct env *e)
{
	put_header(e, IMAGE_COMPAT, 0x80000001);
}
static void o_singlehdr(struct env *e)
{
	put_header(e, IMAGE_INCOMPAT, 0x7);
}
static void o_checksum(struct env *e)
{
	make_pool(e);
	image_flip(e->path, 4088);
}
static void o_arch(struct env *e)
{
	put_header(e, IMAGE_ARCH, 1);
}
static void o_part_uuid(struct env *e)
{
	put_header(e, IMAGE_PREV_PART, 1);
}
static void o_replica_uuid(struct env *e)
{
	put_header(e, IMAGE_PREV_REPL, 1);
}
static void o_truncated(struct env *e)
{
	make_pool(e);
	assert_int_equal(truncate(e->path, 16781312), 0);
}
static void o_sds(struct env *e)
{
	make_pool(e);
	image_put64(e->path, IMAGE_SDS, 7);
	image_put32(e->path, IMAGE_SDS + 16, 1);
	image_seal_sds(e->path, 0);
}
static void o_info_bsize(struct env *e)
{
	put_info(e, INFO_EXTERNAL_LBASIZE, 513, false);
}
static void o_info_nfree(struct env *e)
{
	put_info(e, INFO_NFREE, 0, false);
}
static void o_info_nlba(struct env *e)
{
	put_info(e, INFO_EXTERNAL_NLBA, 0, false);
}
static void o_info_nextoff(struct env *e)
{
	put_info(e, INFO_NEXTOFF, 4096, true);
}
static void o_info_bad(struct env *e)
{
	make_laid_out(e);
	image_flip(e->path, IMAGE_DATA + INFO_SIG);
}
static void o_flog_lba(struct env *e)
{
	make_laid_out(e);
	image_put32(e->path, flog_off(e->path, 3), 0x7fffffff);
}
static void o_flog_seq(struct env *e)
{
	make_laid_out(e);
	image_put32(e->path, flog_off(e->path, 200) + 16 + 12, 1);
}
static void o_map_range(struct env *e)
{
	make_laid_out(e);
	image_put32(e->path, map_off(e->path, 5), 0xffffffff);
}
static void o_map_twice(struct env *e)
{
	make_laid_out(e);
	image_put32(e->path, map_off(e->path, 5),
		    image_get32(e->path, map_off(e->path, 6)));
}
static void o_map_free(struct env *e)
{
	make_laid_out(e);
	image_put32(e->path, map_off(e->path, 5),
		    0xc0000000 | image_get32(e->path, flog_off(e->path, 200) + 4));
}
static void o_info_flag(struct env *e)
{
	uint64_t copy;

	put_info(e, INFO_FLAGS, 1, false);
	copy = copy_off(e->path);
	image_put32(e->path, copy + INFO_FLAGS, 1);
	image_seal_info(e->path, copy);
}
static void o_recovery_file(struct env *e)
{
	make_pool(e);
	image_make_zero(in_dir("pool_r0_p0_badblocks.txt"), 0);
}
static void o_twice(struct env *e)
{
	make_pool(e);
	e->keep_open = true;
}
static void o_no_permission(struct env *e)
{
	make_pool(e);
	assert_int_equal(chmod(e->path, 0444), 0);
	e->as_nobody = true;
}

/* --- blocks ------------------------------------------------------------------------------ */

static void b_negative(struct env *e)
{
	make_laid_out(e);
	e->blockno = -1;
}
static void b_beyond(struct env *e)
{
	make_laid_out(e);
	e->blockno = 40315;
}
static void b_read_only(struct env *e)
{
	make_laid_out(e);
	image_put32(e->path, IMAGE_RO_COMPAT, 4);
	image_seal_header(e->path, 0);
}
static void b_read_only_negative(struct env *e)
{
	b_read_only(e);
	e->blockno = -1;
}
static void b_error_state(struct env *e)
{
	PMEMblkpool *p;

	make_laid_out(e);
	p = pmemblk_open(e->path, 0);
	assert_non_null(p);
	e->blockno = 7;
	assert_int_equal(pmemblk_set_error(p, e->blockno), 0);
	pmemblk_close(p);
}
static void b_map_range(struct env *e)
{
	o_map_range(e);
	e->blockno = 5;
}

/* --- the table ---------------------------------------------------------------------------- */

static const struct condition {
	const char *text;
	void (*setup)(struct env *);
} create_conditions[] = {
    {"bsize=0", c_bsize_0},
    {"bsize=2^32", c_bsize_4g},
    {"bsize=0xffffff01 (rounding overflows 32 bit)", c_bsize_wraps},
    {"bsize too big for pool (fewer than 512 internal blocks)", c_bsize_too_big},
    {"0 < poolsize < 16785408 (after page rounding)", c_small},
    {"poolsize>0 and path exists (file, dir, device...)", c_exists},
    {"poolsize=0, path missing", c_missing},
    {"parent dir missing", c_no_parent},
    {"path component not a dir", c_not_a_dir},
    {"path is dangling symlink, poolsize>0", c_dangling},
    {"poolsize=0, directory", c_directory},
    {"poolsize=0, existing file < 16785408", c_existing_small},
    {"poolsize=0, existing file, any nonzero byte in first 4096", c_existing_used},
    {"poolsize=0, file locked by other opener", c_locked},
    {"poolsize=0, fifo", c_fifo},
    {"poolsize=0, /dev/null", c_null},
    {"no space", c_full},
    {"poolsize >= 2^63", c_2_63},
    {"poolsize > fs max file size", c_beyond_fs},
    {"uid without write permission on dir", c_no_permission},
    {"set with REPLICA section (local)", c_replica},
    {"set with remote REPLICA", c_remote_replica},
    {"set OPTION NOHDRS", c_nohdrs},
    {"set part < 2 MiB", c_part_small},
    {"set net size < 16785408", c_set_small},
    {"set syntax error", c_set_syntax},
    {"existing part size != set size", c_part_differs},
    {"same part listed twice", c_part_twice},
    {"directory part without SINGLEHDR", c_dir_no_singlehdr},
    {"same directory twice", c_dir_twice},
    {"mix file and directory", c_dir_mixed},
    {"AUTO size on existing regular file (errno not set)", c_auto},
    {NULL, NULL},
};

static const struct condition open_conditions[] = {
    {"valid pool", make_pool},
    {"bsize != stored", o_bsize},
    {"missing", o_missing},
    {"directory", o_directory},
    {"empty path component ENOTDIR", c_not_a_dir},
    {"0-byte file (library crashes)", o_empty},
    {"file 1..2097151 bytes", o_tiny},
    {">=2 MiB of zeros", o_zeros},
    {"fifo", c_fifo},
    {"/dev/null", c_null},
    {"signature differs", o_signature},
    {"major=2", o_major},
    {"unknown incompat bit", o_incompat},
    {"unknown ro_compat bit (pool read-only)", o_ro_compat},
    {"unknown compat bit", o_compat},
    {"SINGLEHDR bit without set option", o_singlehdr},
    {"bad header checksum", o_checksum},
    {"arch flags differ", o_arch},
    {"part uuid mismatch", o_part_uuid},
    {"replica uuid mismatch", o_replica_uuid},
    {"file truncated below 16785408 but >= 2 MiB", o_truncated},
    {"SDS dirty and usc/uuid differ", o_sds},
    {"BTT ext_lbasize != descriptor bsize", o_info_bsize},
    {"BTT nfree=0", o_info_nfree},
    {"BTT ext_nlba=0", o_info_nlba},
    {"BTT nextoff not 0 / not 2^39", o_info_nextoff},
    {"BTT info signature/checksum/parent bad (treated as unformatted)", o_info_bad},
    {"flog lba >= nblock (either slot)", o_flog_lba},
    {"flog pair with equal seq (arena read-only)", o_flog_seq},
    {"map entry >= int_nlba", o_map_range},
    {"map duplicate", o_map_twice},
    {"map entry equals a free block", o_map_free},
    {"info error flag set", o_info_flag},
    {"<path>_r0_p0_badblocks.txt exists and CHECK_BAD_BLOCKS set", o_recovery_file},
    {"already open (same or other process)", o_twice},
    {"no write permission", o_no_permission},
    {NULL, NULL},
};

static const struct condition block_conditions[] = {
    {"blockno<0", b_negative},
    {"blockno>=nblock", b_beyond},
    {"valid", make_laid_out},
    {"read-only pool (ro_compat)", b_read_only},
    {"read-only pool, blockno<0", b_read_only_negative},
    {"block in error state", b_error_state},
    {"arena error flag", o_info_flag},
    {"unformatted pool, valid blockno", make_pool},
    {"map entry points past the data area", b_map_range},
    {NULL, NULL},
};

/* Rows in which this library is meant to differ. */
static const struct difference {
	const char *call;
	const char *condition;
	const char *result;
	const char *err;
	const char *why;
} differences[] = {
    {"create", "AUTO size on existing regular file (errno not set)", "NULL", "EINVAL",
     "an error has an errno"},
    {"open", "0-byte file (library crashes)", "NULL", "EINVAL", "no crash"},
    {"check", "0-byte file (library crashes)", "-1", "EINVAL", "no crash"},
    {"open", "BTT ext_lbasize != descriptor bsize", "handle", "", "the copy is good"},
    {"check", "BTT ext_lbasize != descriptor bsize", "0", "", "damage is found"},
    {"open", "BTT nfree=0", "handle", "", "the copy is good"},
    {"check", "BTT nfree=0", "0", "", "damage is found"},
    {"open", "BTT ext_nlba=0", "handle", "", "the copy is good"},
    {"check", "BTT ext_nlba=0", "0", "", "damage is found"},
    {"open", "BTT nextoff not 0 / not 2^39", "handle", "", "the copy is good"},
    {"check", "BTT nextoff not 0 / not 2^39", "0", "", "damage is found"},
    {"check", "BTT info signature/checksum/parent bad (treated as unformatted)", "0", "",
     "damage is found"},
    {"check", "map entry >= int_nlba", "0", "", "damage is found"},
    {"read", "map entry points past the data area", "-1", "EIO",
     "damage, not an argument"},
    {"write", "map entry points past the data area", "-1", "EIO", "nothing is followed"},
    {"set_zero", "map entry points past the data area", "-1", "EIO",
     "nothing is followed"},
    {"set_error", "map entry points past the data area", "-1", "EIO",
     "nothing is followed"},
};

static const struct {
	const char *name;
	int value;
} errnos[] = {
    {"", 0},
    {"0", 0},
    {"EINVAL", EINVAL},
    {"EEXIST", EEXIST},
    {"ENOENT", ENOENT},
    {"ENOTDIR", ENOTDIR},
    {"EAGAIN", EAGAIN},
    {"ENOSPC", ENOSPC},
    {"EFBIG", EFBIG},
    {"EACCES", EACCES},
    {"EOPNOTSUPP", EOPNOTSUPP},
    {"EROFS", EROFS},
    {"EIO", EIO},
};

static int errno_of(const char *name)
{
	for (size_t i = 0; i < sizeof(errnos) / sizeof(errnos[0]); i++)
		if (strcmp(errnos[i].name, name) == 0)
			return errnos[i].value;
	fail_msg("errno %s is not known to the test", name);
	return 0;
}

/* --- running ------------------------------------------------------------------------------ */

struct outcome {
	char result[16];
	int err;
};

static struct outcome pointer_outcome(PMEMblkpool *p)
{
	struct outcome o = {.err = p ? 0 : errno};

	strcpy(o.result, p ? "handle" : "NULL");
	if (p)
		pmemblk_close(p);
	return o;
}

static struct outcome int_outcome(int ret)
{
	struct outcome o = {.err = ret < 0 ? errno : 0};

	snprintf(o.result, sizeof(o.result), "%d", ret);
	return o;
}

static struct outcome block_call(const char *call, const struct env *e)
{
	PMEMblkpool *p = pmemblk_open(e->path, 0);
	char buf[512] = "new";
	struct outcome o;

	if (!p)
		fail_msg("%s", pmemblk_errormsg());
	errno = 0;
	if (strcmp(call, "read") == 0)
		o = int_outcome(pmemblk_read(p, buf, e->blockno));
	else if (strcmp(call, "write") == 0)
		o = int_outcome(pmemblk_write(p, buf, e->blockno));
	else if (strcmp(call, "set_zero") == 0)
		o = int_outcome(pmemblk_set_zero(p, e->blockno));
	else
		o = int_outcome(pmemblk_set_error(p, e->blockno));
	pmemblk_close(p);
	return o;
}

static struct outcome do_call(const char *call, const struct env *e)
{
	if (strcmp(call, "create") == 0)
		return pointer_outcome(
		    pmemblk_create(e->path, e->bsize, e->poolsize, 0644));
	if (strcmp(call, "open") == 0)
		return pointer_outcome(pmemblk_open(e->path, e->bsize));
	if (strcmp(call, "check") == 0)
		return int_outcome(pmemblk_check(e->path, e->bsize));
	return block_call(call, e);
}

/* In a child that has lost its privileges; the parent of a test run may be root. */
static struct outcome do_call_as_nobody(const char *call, const struct env *e)
{
	struct outcome o;
	int fds[2];
	pid_t pid;

	assert_int_equal(chmod(dir, 0555), 0);
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (geteuid() == 0 && setresuid(NOBODY, NOBODY, NOBODY) != 0)
			_exit(1);
		o = do_call(call, e);
		_exit(write(fds[1], &o, sizeof(o)) != sizeof(o));
	}
	assert_int_equal(read(fds[0], &o, sizeof(o)), sizeof(o));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(fds[0]);
	close(fds[1]);
	assert_int_equal(chmod(dir, 0755), 0);
	return o;
}

static const struct condition *find(const char *call, const char *text)
{
	const struct condition *c = block_conditions;

	if (strcmp(call, "create") == 0)
		c = create_conditions;
	else if (strcmp(call, "open") == 0 || strcmp(call, "check") == 0)
		c = open_conditions;
	while (c->text && strcmp(c->text, text) != 0)
		c++;
	return c->text ? c : NULL;
}

static void fresh_dir(unsigned row)
{
	char name[32];

	snprintf(name, sizeof(name), "row%u", row);
	free(dir);
	assert_true(asprintf(&dir, "%s/%s", support_tmpdir(false), name) > 0);
	assert_int_equal(mkdir(dir, 0755), 0);
	/* The child without privileges has to get there. */
	assert_int_equal(chmod(support_tmpdir(false), 0755), 0);
}

static void drop_dir(void)
{
	char command[4200];

	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	assert_int_equal(system(command), 0);
}

/* Returns whether the row came out as it should. */
static bool run_row(unsigned number, const char *call, const char *text,
		    const char *result, const char *err)
{
	const struct condition *c = find(call, text);
	struct env e = {.bsize = 512, .poolsize = POOL_SIZE};
	PMEMblkpool *held = NULL;
	const char *message;
	struct outcome o;
	bool good;

	if (!c)
		fail_msg("row %u: no setup for %s, %s", number, call, text);
	for (size_t i = 0; i < sizeof(differences) / sizeof(differences[0]); i++)
		if (strcmp(differences[i].call, call) == 0 &&
		    strcmp(differences[i].condition, text) == 0) {
			result = differences[i].result;
			err = differences[i].err;
		}
	fresh_dir(number);
	e.path = in_dir("pool");
	c->setup(&e);
	if (e.keep_open) {
		held = pmemblk_open(e.path, 0);
		assert_non_null(held);
	}
	fallocate_err = e.fallocate_err;
	errno = 0;
	o = e.as_nobody ? do_call_as_nobody(call, &e) : do_call(call, &e);
	fallocate_err = 0;
	good = strcmp(o.result, result) == 0 && o.err == errno_of(err);
	message = pmemblk_errormsg();
	if (!good)
		print_message("row %u, %s, %s: %s/%s expected, %s/%s found: %s\n", number,
			      call, text, result, err, o.result, strerror(o.err),
			      message);
	/* A failed create leaves no pool behind. */
	if (strcmp(call, "create") == 0 && !e.keep_open &&
	    access(in_dir("a"), F_OK) == 0 && strstr(text, "existing") == NULL) {
		print_message("row %u, %s: a part was left behind\n", number, text);
		good = false;
	}
	if (held)
		pmemblk_close(held);
	drop_dir();
	return good;
}

static void every_row_of_errno_csv_holds(void **state)
{
	struct vectors v;
	unsigned bad = 0;

	(void)state;
	vectors_open(&v, "errno.csv", ',', 4);
	while (vectors_next(&v))
		if (!run_row(v.nrow, v.field[0], v.field[1], v.field[2], v.field[3]))
			bad++;
	vectors_close(&v, 140);
	assert_int_equal(bad, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_row_of_errno_csv_holds),
	};

	support_assert_ours((void *)pmemblk_create, "pmemblk_create");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
