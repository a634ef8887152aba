/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The program of the compatibility scripts, which run it on one library to write and on the other
 * one to read. It is linked without a run path: LD_LIBRARY_PATH selects the libraries.
 * EXPECT_LIBPMEM and EXPECT_LIBPMEMBLK name the files that must be mapped; otherwise it exits
 * with 3.
 *
 *	pool create PATH BSIZE SIZE        SIZE 0: on an existing file
 *	pool fill PATH BSIZE SEED FROM TO  operations FROM to TO-1 of the sequence SEED
 *	pool batches PATH BSIZE SEED FROM TO  the same by calls of many blocks, which the original lacks
 *	pool verify PATH BSIZE SEED TO     every block is what operations 0 to TO-1 make it
 *	pool check PATH BSIZE              prints what pmemblk_check returns
 *	pool storm PATH BSIZE SEED         writes until it is killed; its pid on stdout first
 *	pool survey PATH BSIZE SEED        every block is what one write of storm made it
 *	pool read PATH BSIZE               all blocks to stdout, bad ones' numbers to stderr
 *	pool constants                     the macros of the headers it was compiled with
 *
 * EXPECT_MODE=pmem or msync: how fill's writes must become durable. The program interposes
 * msync(2) and sees whether the library calls it.
 */
#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <libpmem.h>
#include <libpmemblk.h>

/* A block's state in the model: the number of the operation that wrote it, or these. */
#define STATE_ZERO UINT64_MAX
#define STATE_ERROR (UINT64_MAX - 1)

#define NHOT 24
#define STORM_BLOCKS 16

static atomic_ulong nmsync;

__attribute__((visibility("default"))) int msync(void *addr, size_t len, int flags)
{
	atomic_fetch_add(&nmsync, 1);
	return (int)syscall(SYS_msync, addr, len, flags);
}

static _Noreturn void die(const char *what, const char *message)
{
	fprintf(stderr, "%s: %s (%s)\n", what, message, strerror(errno));
	exit(1);
}

static uint64_t mix(uint64_t z)
{
	z += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* The bytes that operation op writes. They depend on all arguments, so all blocks differ. */
static void make_block(unsigned char *buf, size_t bsize, uint64_t seed, uint64_t op)
{
	for (size_t i = 0; i < bsize; i += 8) {
		uint64_t v = mix(seed ^ mix(op + 1) ^ i);

		memcpy(buf + i, &v, bsize - i < 8 ? bsize - i : 8);
	}
}

enum kind { WRITE, ZERO, ERROR };

/* Operation number op of a sequence: mostly on few blocks, the first and the last among
 * them, so that each of them sees many changes. */
static enum kind operation(uint64_t seed, uint64_t op, size_t nblock, long long *lba)
{
	uint64_t r = mix(seed + 7919 * op);
	uint64_t pick = r >> 8 & 0xff;

	if (pick < 20)
		*lba = 0;
	else if (pick < 40)
		*lba = (long long)nblock - 1;
	else if (pick < 200)
		*lba = (long long)(mix(seed + r % NHOT) % nblock);
	else
		*lba = (long long)((r >> 16) % nblock);
	switch (r & 0xf) {
	case 0:
		return ZERO;
	case 1:
		return ERROR;
	default:
		return WRITE;
	}
}

static PMEMblkpool *open_pool(const char *path, size_t bsize)
{
	PMEMblkpool *pool = pmemblk_open(path, bsize);

	if (!pool)
		die(path, pmemblk_errormsg());
	if (pmemblk_bsize(pool) != bsize)
		die(path, "another block size than the one asked for");
	return pool;
}

static void *allocate(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (!p)
		die("calloc", "out of memory");
	return p;
}

static void create(const char *path, size_t bsize, size_t size)
{
	PMEMblkpool *pool = pmemblk_create(path, bsize, size, 0640);

	if (!pool)
		die(path, pmemblk_errormsg());
	printf("%zu\n", pmemblk_nblock(pool));
	pmemblk_close(pool);
}

static void fill(const char *path, size_t bsize, uint64_t seed, uint64_t from,
		 uint64_t to)
{
	PMEMblkpool *pool = open_pool(path, bsize);
	size_t nblock = pmemblk_nblock(pool);
	unsigned char *buf = allocate(1, bsize);
	const char *mode = getenv("EXPECT_MODE");

	for (uint64_t op = from; op < to; op++) {
		unsigned long before = atomic_load(&nmsync);
		long long lba;
		int rc;

		switch (operation(seed, op, nblock, &lba)) {
		case ZERO:
			rc = pmemblk_set_zero(pool, lba);
			break;
		case ERROR:
			rc = pmemblk_set_error(pool, lba);
			break;
		default:
			make_block(buf, bsize, seed, op);
			rc = pmemblk_write(pool, buf, lba);
			if (mode &&
			    (atomic_load(&nmsync) > before) != !strcmp(mode, "msync"))
				die(mode, "the write was made durable the other way");
			break;
		}
		if (rc != 0)
			die("modifying a block", pmemblk_errormsg());
	}
	free(buf);
	pmemblk_close(pool);
}

#ifdef PMEMBLK_HAVE_BATCHES
/* By name: linked with them, the program would not start with the original library. */
static struct {
	int (*writev)(PMEMblkpool *, const struct pmemblk_iovec *, size_t, long long *);
	int (*set_zero_range)(PMEMblkpool *, long long, size_t, long long *);
} many;

static void find_many(void)
{
	*(void **)&many.writev = dlsym(RTLD_DEFAULT, "pmemblk_writev");
	*(void **)&many.set_zero_range = dlsym(RTLD_DEFAULT, "pmemblk_set_zero_range");
	if (!many.writev || !many.set_zero_range)
		die("the library", "it has no calls of many blocks");
}

#define BATCH 150

static void fill_by_batches(const char *path, size_t bsize, uint64_t seed, uint64_t from,
			    uint64_t to)
{
	PMEMblkpool *pool = open_pool(path, bsize);
	size_t nblock = pmemblk_nblock(pool);
	unsigned char *buf = allocate(BATCH, bsize);
	struct pmemblk_iovec iov[BATCH];
	size_t n = 0;

	find_many();
	for (uint64_t op = from; op < to; op++) {
		long long lba;
		enum kind kind = operation(seed, op, nblock, &lba);
		int rc = 0;

		if (n == BATCH || (n && kind == ERROR))
			rc = many.writev(pool, iov, n, NULL);
		n = n == BATCH || kind == ERROR ? 0 : n;
		if (kind == WRITE) {
			make_block(buf + n * bsize, bsize, seed, op);
			iov[n] = (struct pmemblk_iovec){buf + n * bsize, lba, 1};
			n++;
		} else if (kind == ERROR) {
			rc |= pmemblk_set_error(pool, lba);
		} else {
			rc |= many.writev(pool, iov, n, NULL);
			rc |= many.set_zero_range(pool, lba, 1, NULL);
			n = 0;
		}
		if (rc != 0)
			die("modifying blocks", pmemblk_errormsg());
	}
	if (many.writev(pool, iov, n, NULL) != 0)
		die("modifying blocks", pmemblk_errormsg());
	free(buf);
	pmemblk_close(pool);
}
#else
static void fill_by_batches(const char *path, size_t bsize, uint64_t seed, uint64_t from,
			    uint64_t to)
{
	(void)bsize;
	(void)seed;
	(void)from;
	(void)to;
	die(path, "compiled with a header that has no calls of many blocks");
}
#endif

static void verify(const char *path, size_t bsize, uint64_t seed, uint64_t to)
{
	PMEMblkpool *pool = open_pool(path, bsize);
	size_t nblock = pmemblk_nblock(pool);
	unsigned char *buf = allocate(1, bsize);
	unsigned char *want = allocate(1, bsize);
	uint64_t *state = allocate(nblock, sizeof(*state));
	size_t nzero = 0, nerror = 0;

	for (size_t i = 0; i < nblock; i++)
		state[i] = STATE_ZERO;
	for (uint64_t op = 0; op < to; op++) {
		long long lba;
		enum kind kind = operation(seed, op, nblock, &lba);

		state[lba] = kind == ZERO ? STATE_ZERO : kind == ERROR ? STATE_ERROR : op;
	}
	for (size_t i = 0; i < nblock; i++) {
		int rc = pmemblk_read(pool, buf, (long long)i);

		if (state[i] == STATE_ERROR) {
			if (rc != -1 || errno != EIO)
				die(path, "a block in the error state was read");
			nerror++;
			continue;
		}
		if (rc != 0)
			die(path, pmemblk_errormsg());
		if (state[i] == STATE_ZERO)
			nzero++;
		if (state[i] == STATE_ZERO)
			memset(want, 0, bsize);
		else
			make_block(want, bsize, seed, state[i]);
		if (memcmp(buf, want, bsize) != 0) {
			fprintf(stderr, "block %zu of %zu\n", i, nblock);
			die(path, "a block has other contents than it should have");
		}
	}
	printf("%zu blocks: %zu zero, %zu error\n", nblock, nzero, nerror);
	free(state);
	free(want);
	free(buf);
	pmemblk_close(pool);
}

/* A storm writes its blocks in turn; write n goes to block n mod STORM_BLOCKS. */
static void storm(const char *path, size_t bsize, uint64_t seed)
{
	PMEMblkpool *pool = open_pool(path, bsize);
	unsigned char *buf = allocate(1, bsize);

	for (uint64_t n = 0;; n++) {
		make_block(buf, bsize, seed, n);
		memcpy(buf, &n, sizeof(n));
		if (pmemblk_write(pool, buf, (long long)(n % STORM_BLOCKS)) != 0)
			die(path, pmemblk_errormsg());
		if (n == STORM_BLOCKS) {
			printf("%ld\n", (long)getpid());
			fflush(stdout);
		}
	}
}

static void survey(const char *path, size_t bsize, uint64_t seed)
{
	PMEMblkpool *pool = open_pool(path, bsize);
	unsigned char *buf = allocate(1, bsize);
	unsigned char *want = allocate(1, bsize);
	uint64_t n[STORM_BLOCKS], newest = 0;

	for (unsigned i = 0; i < STORM_BLOCKS; i++) {
		if (pmemblk_read(pool, buf, i) != 0)
			die(path, pmemblk_errormsg());
		memcpy(&n[i], buf, sizeof(n[i]));
		make_block(want, bsize, seed, n[i]);
		memcpy(want, &n[i], sizeof(n[i]));
		if (n[i] % STORM_BLOCKS != i || memcmp(buf, want, bsize) != 0)
			die(path, "a block is neither old nor new");
		if (n[i] > newest)
			newest = n[i];
	}
	/* Every write except the interrupted one had returned, so none may be missing. */
	for (unsigned i = 0; i < STORM_BLOCKS; i++)
		if (n[i] + STORM_BLOCKS <= newest)
			die(path, "a completed write is lost");
	printf("%" PRIu64 " writes\n", newest + 1);
	free(want);
	free(buf);
	pmemblk_close(pool);
}

/*
 * Writes all blocks to stdout. For a block that cannot be read: zeros, and its number to stderr.
 */
static void read_all(const char *path, size_t bsize)
{
	PMEMblkpool *pool = open_pool(path, bsize);
	unsigned char *buf = allocate(1, bsize);

	for (size_t i = 0; i < pmemblk_nblock(pool); i++) {
		if (pmemblk_read(pool, buf, (long long)i) != 0) {
			memset(buf, 0, bsize);
			fprintf(stderr, "%zu\n", i);
		}
		if (fwrite(buf, bsize, 1, stdout) != 1)
			die(path, "cannot write to stdout");
	}
	free(buf);
	pmemblk_close(pool);
}

#define PRINT(macro) printf("%s %lld %zu\n", #macro, (long long)(macro), sizeof(macro))

static void constants(void)
{
	PRINT(PMEM_MIN_PART);
	PRINT(PMEM_FILE_CREATE);
	PRINT(PMEM_FILE_EXCL);
	PRINT(PMEM_FILE_SPARSE);
	PRINT(PMEM_FILE_TMPFILE);
	PRINT(PMEM_F_MEM_NODRAIN);
	PRINT(PMEM_F_MEM_NONTEMPORAL);
	PRINT(PMEM_F_MEM_TEMPORAL);
	PRINT(PMEM_F_MEM_WC);
	PRINT(PMEM_F_MEM_WB);
	PRINT(PMEM_F_MEM_NOFLUSH);
	PRINT(PMEM_F_MEM_VALID_FLAGS);
	PRINT(PMEM_MAJOR_VERSION);
	PRINT(PMEM_MINOR_VERSION);
	PRINT(PMEMBLK_MIN_POOL);
	PRINT(PMEMBLK_MIN_PART);
	PRINT(PMEMBLK_MIN_BLK);
	PRINT(PMEMBLK_MAJOR_VERSION);
	PRINT(PMEMBLK_MINOR_VERSION);
}

/* Exits with 3 unless the one mapped file with this name is the expected one. */
static void assert_library(const char *name, const char *variable)
{
	const char *expected = getenv(variable);
	char line[PATH_MAX + 256];
	bool found = false;
	FILE *maps = fopen("/proc/self/maps", "re");

	if (!maps || !expected) {
		fprintf(stderr, "%s is not set\n", variable);
		exit(3);
	}
	while (fgets(line, sizeof(line), maps)) {
		const char *path = strchr(line, '/');

		line[strcspn(line, "\n")] = '\0';
		if (!path || strncmp(strrchr(line, '/') + 1, name, strlen(name)) != 0)
			continue;
		if (strcmp(path, expected) != 0) {
			fprintf(stderr, "runs on %s, not on %s\n", path, expected);
			exit(3);
		}
		found = true;
	}
	fclose(maps);
	if (!found) {
		fprintf(stderr, "%s is not mapped\n", expected);
		exit(3);
	}
}

static uint64_t number(const char *text)
{
	char *end;
	uint64_t v = strtoull(text, &end, 0);

	if (end == text || *end)
		die(text, "not a number");
	return v;
}

int main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "";
	const char *path = argc > 2 ? argv[2] : "";
	size_t bsize = argc > 3 ? number(argv[3]) : 0;
	uint64_t arg[3] = {0, 0, 0};

	for (int i = 4; i < argc && i < 7; i++)
		arg[i - 4] = number(argv[i]);

	assert_library("libpmem.so", "EXPECT_LIBPMEM");
	assert_library("libpmemblk.so", "EXPECT_LIBPMEMBLK");
	if (pmem_check_version(PMEM_MAJOR_VERSION, PMEM_MINOR_VERSION) ||
	    pmemblk_check_version(PMEMBLK_MAJOR_VERSION, PMEMBLK_MINOR_VERSION))
		die("versions", "library and header do not fit");

	if (!strcmp(command, "constants"))
		constants();
	else if (!strcmp(command, "create") && argc == 5)
		create(path, bsize, arg[0]);
	else if (!strcmp(command, "fill") && argc == 7)
		fill(path, bsize, arg[0], arg[1], arg[2]);
	else if (!strcmp(command, "batches") && argc == 7)
		fill_by_batches(path, bsize, arg[0], arg[1], arg[2]);
	else if (!strcmp(command, "verify") && argc == 6)
		verify(path, bsize, arg[0], arg[1]);
	else if (!strcmp(command, "check") && argc == 4)
		printf("%d\n", pmemblk_check(path, bsize));
	else if (!strcmp(command, "storm") && argc == 5)
		storm(path, bsize, arg[0]);
	else if (!strcmp(command, "survey") && argc == 5)
		survey(path, bsize, arg[0]);
	else if (!strcmp(command, "read") && argc == 4)
		read_all(path, bsize);
	else {
		fprintf(stderr, "usage: see the top of tests/compat/pool.c\n");
		return 2;
	}
	return 0;
}
