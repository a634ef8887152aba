/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * crash_demo POOL
 *
 * A child process overwrites the blocks of a pool and is killed in the middle of a write. This is
 * repeated many times. After each kill the parent opens the pool and checks two things: every
 * block is whole, as it was before or after the interrupted write; and no write is missing whose
 * call had returned.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libpmemblk.h>

#define BLOCK_SIZE 4096
#define NBLOCK 64 /* the number of blocks that are used */
#define NKILL 20

/* The progress of the writer, in memory that it shares with the parent, not in the pool. */
struct progress {
	_Atomic uint64_t started;  /* the number of the last write that began */
	_Atomic uint64_t finished; /* the number of the last write that returned */
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, pmemblk_errormsg());
	exit(1);
}

/* Write number n fills block n % NBLOCK with the number n, 512 times. */
static void fill(uint64_t *block, uint64_t n)
{
	for (size_t i = 0; i < BLOCK_SIZE / sizeof(*block); i++)
		block[i] = n;
}

/* Continues where the last writer was killed. */
static _Noreturn void write_until_killed(const char *path, struct progress *progress)
{
	PMEMblkpool *pool = pmemblk_open(path, BLOCK_SIZE);
	uint64_t block[BLOCK_SIZE / sizeof(uint64_t)];

	if (!pool)
		die("open");
	for (uint64_t n = progress->finished + 1;; n++) {
		fill(block, n);
		progress->started = n;
		if (pmemblk_write(pool, block, (long long)(n % NBLOCK)) != 0)
			die("write");
		progress->finished = n;
	}
}

/* Opens the pool and checks every block. Says whether the interrupted write has happened. */
static const char *inspect(const char *path, const struct progress *progress)
{
	PMEMblkpool *pool = pmemblk_open(path, BLOCK_SIZE);
	uint64_t finished = progress->finished, started = progress->started;
	uint64_t block[BLOCK_SIZE / sizeof(uint64_t)];
	uint64_t whole[BLOCK_SIZE / sizeof(uint64_t)];
	const char *cut_off = started > finished ? "has not happened" : "had returned";

	if (!pool)
		die("open");
	for (uint64_t b = 0; b < NBLOCK; b++) {
		/* The newest write to this block that returned; 0: none. */
		uint64_t back = (finished - b) % NBLOCK;
		uint64_t expected = back <= finished ? finished - back : 0;

		if (pmemblk_read(pool, block, (long long)b) != 0)
			die("read");
		fill(whole, block[0]);
		if (memcmp(block, whole, BLOCK_SIZE) != 0) {
			printf("block %llu is torn\n", (unsigned long long)b);
			exit(1);
		}
		if (block[0] == started && started > finished && started % NBLOCK == b)
			cut_off = "has happened";
		else if (block[0] != expected) {
			printf("block %llu holds write %llu, not %llu\n",
			       (unsigned long long)b, (unsigned long long)block[0],
			       (unsigned long long)expected);
			exit(1);
		}
	}
	pmemblk_close(pool);
	return cut_off;
}

static _Noreturn void lose(const char *what)
{
	perror(what);
	exit(1);
}

int main(int argc, char **argv)
{
	struct progress *progress;
	PMEMblkpool *pool;

	if (argc != 2) {
		fprintf(stderr, "usage: %s POOL\n", argv[0]);
		return 2;
	}
	pool = pmemblk_create(argv[1], BLOCK_SIZE, PMEMBLK_MIN_POOL, 0666);
	if (!pool)
		die("create");
	pmemblk_close(pool);
	progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (progress == MAP_FAILED)
		lose("mmap");

	for (int kills = 1; kills <= NKILL; kills++) {
		uint64_t before = progress->finished;
		pid_t writer = fork();

		if (writer < 0)
			lose("fork");
		if (writer == 0)
			write_until_killed(argv[1], progress);
		while (progress->finished < before + 20 &&
		       waitpid(writer, NULL, WNOHANG) == 0)
			usleep((useconds_t)(100 * kills));
		kill(writer, SIGKILL);
		waitpid(writer, NULL, 0);
		if (progress->finished == before)
			return 1; /* the writer has printed the reason */

		printf("kill %2d after write %6llu: all %d blocks are whole, the last "
		       "write %s\n",
		       kills, (unsigned long long)progress->finished, NBLOCK,
		       inspect(argv[1], progress));
	}
	if (pmemblk_check(argv[1], BLOCK_SIZE) != 1)
		die("check");
	printf("%d kills: nothing torn, nothing lost, the pool is consistent\n", NKILL);
	return 0;
}
