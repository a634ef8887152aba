/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pools of test_grow_power: makes them, and checks what this library and the original find in
 * them after a power loss.
 */
#ifndef GROWN_POOL_H
#define GROWN_POOL_H 1

#include "support.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libpmemblk.h>

#include "pool/header.h"

#define MAX_BSIZE 16384u
#define NWRITTEN 150u
#define PAGE 4096u

/* --- pools -------------------------------------------------------------------------------- */

static const char *base; /* the pool that grows */
static uint32_t bsize;	 /* of its blocks */
static uint64_t base_length;
static uint64_t base_nblock;
static uint64_t grown_length;
static uint64_t grown_nblock;

static inline void fill_block(unsigned char *block, uint64_t lba)
{
	uint64_t state = lba;

	for (size_t i = 0; i < bsize; i += 8) {
		uint64_t r = support_random(&state);

		memcpy(block + i, &r, 8);
	}
}

enum content { ZERO, DATA, BAD };

/* Only the first blocks of the base, and its last ones, are written. */
static inline enum content content_of(uint64_t lba)
{
	if (lba >= base_nblock || (lba >= 3 * NWRITTEN && lba < base_nblock - 30))
		return ZERO;
	return lba % 3 ? lba % 50 == 1 ? BAD : ZERO : lba % 60 == 0 ? ZERO : DATA;
}

static inline void write_blocks(PMEMblkpool *pool, uint64_t from, uint64_t to)
{
	unsigned char block[MAX_BSIZE];

	for (uint64_t lba = from; lba < to; lba++) {
		long long n = (long long)lba;

		fill_block(block, lba);
		if (lba % 3 == 0)
			assert_int_equal(pmemblk_write(pool, block, n), 0);
		if (lba % 60 == 0)
			assert_int_equal(pmemblk_set_zero(pool, n), 0);
		if (content_of(lba) == BAD)
			assert_int_equal(pmemblk_set_error(pool, n), 0);
	}
}

/* Copies a file; runs of zeros become holes. */
static inline void copy_sparse(const char *from, const char *to)
{
	static unsigned char page[16 * PAGE];
	static const unsigned char zeros[sizeof(page)];
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct stat st;

	assert_true(in >= 0 && out >= 0);
	assert_int_equal(fstat(in, &st), 0);
	assert_int_equal(ftruncate(out, st.st_size), 0);
	for (off_t at = 0; (at = lseek(in, at, SEEK_DATA)) >= 0;
	     at += (off_t)sizeof(page)) {
		ssize_t n;

		at -= at % (off_t)sizeof(page);
		n = pread(in, page, sizeof(page), at);
		assert_true(n > 0);
		if (memcmp(page, zeros, (size_t)n) != 0)
			assert_int_equal(pwrite(out, page, (size_t)n, at), n);
	}
	close(in);
	close(out);
}

static inline void make_base(uint64_t length, uint32_t block_size)
{
	const char *path = support_path(true, "made");
	PMEMblkpool *pool;
	int off = 0;

	base = support_path(true, "base");
	base_length = length;
	bsize = block_size;
	unlink(path);
	assert_int_equal(pmemblk_ctl_set(NULL, "fallocate.at_create", &off), 0);
	support_write_file(path, "", 0);
	assert_int_equal(truncate(path, (off_t)length), 0);
	pool = pmemblk_create(path, bsize, 0, 0600);
	if (!pool)
		fail_msg("%s", pmemblk_errormsg());
	base_nblock = pmemblk_nblock(pool);
	write_blocks(pool, 0, 3 * NWRITTEN);
	write_blocks(pool, base_nblock - 30, base_nblock);
	pmemblk_close(pool);
	copy_sparse(path, base);
	unlink(path);
}

/*
 * Reads the blocks, except most of those that were never written, and compares them. pool: of
 * either library.
 */
static inline bool has_blocks(void *pool, uint64_t nblock,
			      int (*read)(void *pool, void *buf, long long block))
{
	static const unsigned char zeros[MAX_BSIZE];
	unsigned char block[MAX_BSIZE];
	unsigned char want[MAX_BSIZE];

	for (uint64_t lba = 0; lba < nblock; lba++) {
		enum content content = content_of(lba);
		int ret = read(pool, block, (long long)lba);

		fill_block(want, lba);
		if ((ret != 0) != (content == BAD)) {
			print_message("block %llu: read returns %d\n",
				      (unsigned long long)lba, ret);
			return false;
		}
		if (ret == 0 &&
		    memcmp(block, content == DATA ? want : zeros, bsize) != 0) {
			print_message("block %llu holds something else\n",
				      (unsigned long long)lba);
			return false;
		}
		if (lba == 3 * NWRITTEN + 20)
			lba = base_nblock - 60;
		if (lba == base_nblock + 600 && nblock > base_nblock + 700)
			lba = nblock - 20;
	}
	return true;
}

static inline int read_ours(void *pool, void *buf, long long block)
{
	return pmemblk_read(pool, buf, block);
}

/* --- the original -------------------------------------------------------------------------- */

#define FOLDER "/usr/lib/x86_64-linux-gnu/"
#define MAX_CUTS 400

/* The files that power cuts have left, "cut.N", for the original to open later. */
static struct {
	unsigned n;
	bool opens[MAX_CUTS];
} sample;

static inline const char *sample_path(unsigned n)
{
	char name[32];

	snprintf(name, sizeof(name), "cut.%u", n);
	return support_path(true, name);
}

/* Whether a library may open the pool in the file. */
static inline bool has_sound_header(const char *path)
{
	struct pool_header h;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &h, sizeof(h), 0), sizeof(h));
	close(fd);
	return pool_header_check(&h, path) == 0;
}

static inline void keep_for_original(const char *path)
{
	if (access(FOLDER "libpmemblk.so.1", R_OK) != 0 || sample.n == MAX_CUTS)
		return;
	copy_sparse(path, sample_path(sample.n));
	sample.opens[sample.n++] = has_sound_header(path);
}

/* Opens the sample with the original. Runs in a child, and returns its exit status. */
static inline int ask_original(void)
{
	void *(*open_pool)(const char *path, size_t size);
	int (*read_block)(void *pool, void *buf, long long block);
	size_t (*count)(void *pool);
	void (*close_pool)(void *pool);
	unsigned opened = 0;
	void *library = NULL;

	if (dlopen(FOLDER "libpmem.so.1", RTLD_NOW | RTLD_GLOBAL))
		library = dlopen(FOLDER "libpmemblk.so.1", RTLD_NOW);
	if (!library)
		return 2;
	*(void **)&open_pool = dlsym(library, "pmemblk_open");
	*(void **)&read_block = dlsym(library, "pmemblk_read");
	*(void **)&count = dlsym(library, "pmemblk_nblock");
	*(void **)&close_pool = dlsym(library, "pmemblk_close");
	for (unsigned i = 0; i < sample.n; i++) {
		void *pool = open_pool(sample_path(i), bsize);
		uint64_t n = pool ? count(pool) : 0;

		if (!pool && !sample.opens[i])
			continue;
		if (!pool || !sample.opens[i] ||
		    (n != base_nblock && n != grown_nblock) ||
		    !has_blocks(pool, n, read_block)) {
			print_message("cut %u: the original %s (%llu blocks)\n", i,
				      !pool		? "refuses it"
				      : sample.opens[i] ? "finds something else"
							: "opens it",
				      (unsigned long long)n);
			return 1;
		}
		close_pool(pool);
		opened++;
	}
	print_message("the original opens %u of %u\n", opened, sample.n);
	return 0;
}

static inline void judge_by_original(void)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		status = sample.n ? ask_original() : 0;
		fflush(stdout);
		_exit(status);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	while (sample.n > 0)
		unlink(sample_path(--sample.n));
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

#endif
