/* SPDX-License-Identifier: BSD-3-Clause */
/*
 *	failing ours|original SEQUENCE PATH FSTYPE SEED [original]
 *
 * The disk refuses some writes for a while, see disk/refuse.h. Linux then marks the page as
 * clean, keeps its contents in memory for a while, and reports the error once. All the same, a
 * call that succeeded must survive a power loss, and after a call that failed the block is old or
 * new. The library is used in the usual way: after an error the pool is closed, opened again, and
 * written to. The power is lost after each of these steps, and both libraries judge what is on
 * the disk.
 *
 *	write	one write fails; of the map, the record, the block, or all of them
 *	flag	set_zero or set_error fails, and is called again
 *	killed	the writer is killed, and its dirty pages cannot be written, or not while the pool
 *		is opened again
 *	threads	writes of four threads fail, many times
 *
 * Each sequence runs with the pages kept and evicted, and if possible in the same process and in
 * a new one. Prints the number of power losses, of those that did harm, and of failed calls.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "disk/copy.h"
#include "disk/refuse.h"
#include "guest.h"

#define BSIZE 512
#define SIZE (17 << 20)
#define ARENA UINT64_C(0x2000)
#define PAGE UINT64_C(4096)
#define NTHREAD 4
#define NROUND 8

/* The part of a pool that cannot be written. */
enum place { MAP, FLOG, DATA, ALL, NPLACE };
static const char *const place_name[] = {"the map", "the flog", "the data", "the pool"};

struct plan {
	enum place place;
	enum kind kind;
	bool new_process, dropped, while_opening;
};

static struct tally {
	atomic_ulong npoint, nharm, nerror;
	_Atomic uint64_t gen; /* the last one that was given */
} * tally;

static const char *path;
static struct disk disk;
static struct notes *notes;
static struct target target;
static uint64_t seed;

/* The offsets of the map and of the flog are in the arena's info block. */
static void locate(enum place place, uint64_t *off, uint64_t *end)
{
	uint64_t map = 0, flog = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || pread(fd, &map, 8, ARENA + 96) != 8 ||
	    pread(fd, &flog, 8, ARENA + 104) != 8 || !map || !flog)
		die("%s has no arena", path);
	close(fd);
	*off = ARENA + (place == MAP ? map : place == FLOG ? flog : PAGE);
	*end = place == MAP    ? *off + PAGE
	       : place == FLOG ? *off + 4 * PAGE
	       : place == DATA ? ARENA + map
			       : SIZE;
}

static void fail(enum place place)
{
	uint64_t off, end;

	locate(place, &off, &end);
	refuse(path, off, end);
}

static void harm(const char *what)
{
	fprintf(stderr, "%s\n", what);
	tally->nharm++;
}

/* A generation that this kind of operation makes. */
static uint64_t next_gen(enum kind kind)
{
	uint64_t gen;

	do
		gen = ++tally->gen;
	while (content_kind(gen) != kind);
	return gen;
}

/* Modifies a block, and records what it may hold then. */
static int modify(unsigned block, uint64_t gen)
{
	int error;

	notes_possible(notes, block, gen);
	error = target_modify(&target, block, gen);
	if (!error)
		notes_confirmed(notes, block, gen);
	else
		tally->nerror++;
	return error;
}

/* Modifies a block; the call must not fail. */
static void must_modify(unsigned block, uint64_t gen)
{
	if (modify(block, gen) != 0)
		harm("a modification fails on a disk that works");
}

static void create_pool(void)
{
	unlink(path);
	notes_reset(notes, BSIZE, false);
	notes->created = 1;
	if (target_create(&target, path, BSIZE, SIZE, false) != 0)
		die("%s: %s", path, pmemblk_errormsg());
	for (unsigned block = 0; block < 8; block++)
		must_modify(block, next_gen(WRITE));
}

/* An error that was not reported yet may be reported now, once. */
static void reopen_pool(bool dropped)
{
	int error = EIO;

	if (dropped) {
		int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

		if (fd < 0 || write(fd, "1", 1) != 1)
			die("drop_caches: %s", strerror(errno));
		close(fd);
	}
	for (int tries = 0; tries < 3 && error == EIO; tries++)
		error = target_open(&target, path, BSIZE, false);
	if (error) {
		harm(pmemblk_errormsg());
		_exit(0);
	}
}

static void lose_power(void)
{
	tally->npoint++;
	mapper_suspend(REFUSE_NAME);
	if (!disk_judge(&disk))
		harm("the power loss did harm");
	mapper_resume(REFUSE_NAME);
}

/* Reads all tracked blocks: each must hold one of its possible contents. */
static void read_all(void)
{
	uint64_t buf[BSIZE / 8];

	for (unsigned block = 0; block < NTRACKED; block++) {
		int error = target_read(&target, model_place(&target, block), buf);

		if (model_outcome(notes, block, buf, error) < 0)
			harm("a block is wrong before the power is lost");
	}
}

/* Writes more, as a program does, so that free blocks are used again. */
static void write_more(void)
{
	read_all();
	lose_power();
	for (unsigned block = 16; block < 22; block++)
		must_modify(block, next_gen(WRITE));
	lose_power();
	target_close(&target);
}

static void fail_write(const struct plan *plan)
{
	create_pool();
	target_close(&target);
	reopen_pool(false);
	must_modify(5, next_gen(WRITE));
	fail(plan->place);
	modify(6, next_gen(WRITE));
	refuse_nothing();
	lose_power();
	modify(7, next_gen(WRITE));
	target_close(&target);
}

static void write_again(const struct plan *plan)
{
	reopen_pool(plan->dropped);
	write_more();
}

static void fail_flag(const struct plan *plan)
{
	create_pool();
	target_close(&target);
	reopen_pool(false);
	fail(MAP);
	modify(5, next_gen(plan->kind));
	refuse_nothing();
	lose_power();
	target_close(&target);
}

static void flag_again(const struct plan *plan)
{
	reopen_pool(plan->dropped);
	must_modify(5, next_gen(plan->kind));
	lose_power();
	target_close(&target);
}

static void in_child(void (*step)(const struct plan *), void (*next)(const struct plan *),
		     const struct plan *plan)
{
	int status;
	pid_t child = fork();

	if (child < 0)
		die("fork: %s", strerror(errno));
	if (child == 0) {
		step(plan);
		if (next)
			next(plan);
		_exit(0);
	}
	if (waitpid(child, &status, 0) != child || status != 0)
		die("a step ended with status %d", status);
}

/* Two steps, in one process or in two. */
static void run(void (*step)(const struct plan *), void (*next)(const struct plan *),
		const struct plan *plan)
{
	unsigned long before = tally->nharm;

	if (plan->new_process) {
		in_child(step, NULL, plan);
		in_child(next, NULL, plan);
	} else {
		in_child(step, next, plan);
	}
	if (tally->nharm != before)
		fprintf(stderr,
			"so it is where %s cannot be written, %s process, pages %s%s\n",
			place_name[plan->place],
			plan->new_process ? "another" : "the same",
			plan->dropped ? "dropped" : "kept",
			plan->while_opening ? ", while the pool is opened" : "");
}

static void run_write(void)
{
	for (unsigned i = 0; i < 4 * NPLACE; i++)
		run(fail_write, write_again,
		    &(struct plan){
			.place = i / 4, .new_process = i & 1, .dropped = i & 2});
}

static void run_flag(void)
{
	for (unsigned i = 0; i < 8; i++)
		run(fail_flag, flag_again,
		    &(struct plan){.place = MAP,
				   .kind = i < 4 ? ZERO : ERROR,
				   .new_process = i & 1,
				   .dropped = i & 2});
}

/* Writes until it is killed; sends a byte after each block. */
static void write_endlessly(int told)
{
	create_pool();
	for (uint64_t op = 1;; op++) {
		must_modify(model_block(0, 1, op), next_gen(WRITE));
		if (write(told, "", 1) != 1)
			_exit(1);
	}
}

static void kill_writer(const struct plan *plan)
{
	unsigned count = 4 + (unsigned)(mix(seed++) % 8);
	int told[2];
	pid_t child;
	char byte;

	if (pipe(told) != 0 || (child = fork()) < 0)
		die("fork: %s", strerror(errno));
	if (child == 0)
		write_endlessly(told[1]);
	for (unsigned i = 0; i < count; i++)
		if (read(told[0], &byte, 1) != 1)
			die("the writer is gone");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(told[0]);
	close(told[1]);
	fail(plan->place);
	if (!plan->while_opening)
		sync();
	else if (target_open(&target, path, BSIZE, false) == 0)
		target_close(&target);
	else
		tally->nerror++;
	refuse_nothing();
}

static void run_killed(void)
{
	for (unsigned i = 0; i < 4 * NPLACE; i++)
		run(kill_writer, write_again,
		    &(struct plan){.place = i / 4,
				   .new_process = true,
				   .dropped = i & 1,
				   .while_opening = i & 2});
}

/* Threads that modify blocks of their own, until one fails or they have done enough. */
static struct {
	atomic_ulong nop;
	unsigned long fail_at, limit;
	enum place place;
	unsigned from; /* the lowest of the tracked blocks */
} race;

static void *run_thread(void *arg)
{
	unsigned me = (unsigned)(uintptr_t)arg;

	for (uint64_t op = seed;; op++) {
		unsigned block = model_block(me, NTHREAD, op);
		unsigned long n;

		if (block < race.from)
			continue;
		n = atomic_fetch_add(&race.nop, 1);
		if (n >= race.limit)
			return NULL;
		if (n == race.fail_at)
			fail(race.place);
		if (modify(block, ++tally->gen) != 0)
			return NULL;
	}
}

static void run_threads(void)
{
	pthread_t thread[NTHREAD];

	race.nop = 0;
	for (uintptr_t i = 0; i < NTHREAD; i++)
		if (pthread_create(&thread[i], NULL, run_thread, (void *)i) != 0)
			die("cannot make a thread");
	for (unsigned i = 0; i < NTHREAD; i++)
		pthread_join(thread[i], NULL);
}

static void fail_threads(const struct plan *plan)
{
	reopen_pool(false);
	race.fail_at = 8 + mix(seed) % 16;
	race.limit = 200;
	race.place = plan->place;
	race.from = 0;
	run_threads();
	refuse_nothing();
	lose_power();
	target_close(&target);
}

static void thread_again(const struct plan *plan)
{
	unsigned long before;

	reopen_pool(plan->dropped);
	read_all();
	lose_power();
	race.fail_at = UINT64_MAX;
	race.limit = 20;
	race.from = NTRACKED / 2;
	before = tally->nerror;
	run_threads();
	if (tally->nerror != before)
		harm("a modification fails on a disk that works");
	lose_power();
	target_close(&target);
}

static void create_and_close(const struct plan *plan)
{
	(void)plan;
	create_pool();
	target_close(&target);
}

/* The pool is always the same. */
static void run_rounds(void)
{
	in_child(create_and_close, NULL, NULL);
	for (unsigned i = 0; i < NROUND; i++, seed += 1000)
		run(fail_threads, thread_again,
		    &(struct plan){.place = i % NPLACE,
				   .new_process = i & 1,
				   .dropped = i / NPLACE & 1});
}

static const struct {
	const char *name;
	void (*run)(void);
} sequence[] = {
    {"write", run_write},
    {"flag", run_flag},
    {"killed", run_killed},
    {"threads", run_rounds},
};

int main(int argc, char **argv)
{
	const char *name;

	if (argc < 6)
		die("usage: see the top of tests/dax/failing.c");
	assert_library((const void *)(uintptr_t)pmemblk_open, argv[1]);
	path = argv[3];
	name = strrchr(path, '/');
	disk = (struct disk){.base = REFUSE_BASE,
			     .cow = "/dev/ram3",
			     .fstype = argv[4],
			     .notes = "/tmp/notes",
			     .file = name ? name + 1 : path,
			     .original = argc == 7};
	seed = number(argv[5]);
	notes = notes_map(disk.notes);
	tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (tally == MAP_FAILED)
		die("out of memory");
	for (unsigned i = 0; i < 4; i++)
		if (strcmp(argv[2], sequence[i].name) == 0)
			sequence[i].run();
	printf("%lu %lu %lu\n", tally->npoint, tally->nharm, tally->nerror);
	return 0;
}
