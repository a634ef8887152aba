/* SPDX-License-Identifier: BSD-3-Clause */
#include "turns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <math.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define MAX_ROUNDS 1024
#define MAX_POOLS 32

enum order { ORDER_NONE, ORDER_PREPARE, ORDER_RUN, ORDER_FINISH, ORDER_END };

/* One for each party, in memory shared with the process that gives the orders. */
struct seat {
	_Alignas(64) _Atomic(uint32_t) given; /* number of orders so far */
	_Atomic(uint32_t) done;
	enum order order;
	uint32_t ncase;
	struct turns_sample sample;
};

static struct seat *seats;

/* --- a party --------------------------------------------------------------------------- */

static void wait_while(_Atomic(uint32_t) *word, uint32_t value)
{
	while (atomic_load(word) == value)
		syscall(SYS_futex, word, FUTEX_WAIT, value, NULL, NULL, 0);
}

static void wake(_Atomic(uint32_t) *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, 1000, NULL, NULL, 0);
}

bool turns_is_party(void)
{
	return getenv("TURNS_PARTY") != NULL;
}

void turns_party(const struct turns_plan *plan)
{
	int me = atoi(getenv("TURNS_PARTY"));
	int fd = atoi(getenv("TURNS_FD"));
	const struct turns_case *c = NULL;
	struct seat *seat;
	char dir[4096];
	void *state = NULL;
	uint32_t seen = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	seats = mmap(NULL, TURNS_NPARTY * sizeof(*seats), PROT_READ | PROT_WRITE,
		     MAP_SHARED, fd, 0);
	if (seats == MAP_FAILED)
		bench_die("the shared memory", "cannot be mapped");
	close(fd);
	snprintf(dir, sizeof(dir), "%s/party%d", plan->dir, me);
	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		bench_die(dir, strerror(errno));
	seat = &seats[me];
	for (;;) {
		wait_while(&seat->given, seen);
		seen++;
		switch (seat->order) {
		case ORDER_PREPARE:
			c = &plan->cases[seat->ncase];
			state = c->prepare(c, dir, (enum turns_party)me);
			break;
		case ORDER_RUN:
			c->run(state, plan->slice_ns, &seat->sample);
			break;
		case ORDER_FINISH:
			c->finish(state);
			break;
		case ORDER_END:
			rmdir(dir);
			_exit(0);
		case ORDER_NONE:
			break;
		}
		atomic_store(&seat->done, seen);
		wake(&seat->done);
	}
}

/* --- the one who gives the orders ------------------------------------------------------ */

/* The columns of a case, from each pair of pools. */
struct figures {
	double v[TURNS_MAX_COLUMNS][MAX_POOLS];
};

static pid_t child[TURNS_NPARTY];

static void end_children(void)
{
	for (int i = 0; i < TURNS_NPARTY; i++)
		if (child[i] > 0)
			kill(child[i], SIGKILL);
}

static void start_party(const struct turns_plan *plan, int who, int fd, char **argv)
{
	char text[32];

	child[who] = fork();
	if (child[who] < 0)
		bench_die("fork", strerror(errno));
	if (child[who] > 0)
		return;
	snprintf(text, sizeof(text), "%d", who);
	setenv("TURNS_PARTY", text, 1);
	snprintf(text, sizeof(text), "%d", fd);
	setenv("TURNS_FD", text, 1);
	setenv("LD_LIBRARY_PATH", plan->libs[who], 1);
	execv("/proc/self/exe", argv);
	_exit(127);
}

static void give(int who, enum order order, size_t ncase)
{
	struct seat *seat = &seats[who];

	seat->order = order;
	seat->ncase = (uint32_t)ncase;
	atomic_fetch_add(&seat->given, 1);
	wake(&seat->given);
}

static void await(int who)
{
	static const struct timespec while_alive = {.tv_nsec = 200000000};
	struct seat *seat = &seats[who];
	uint32_t done;

	while ((done = atomic_load(&seat->done)) != atomic_load(&seat->given)) {
		int status;

		syscall(SYS_futex, &seat->done, FUTEX_WAIT, done, &while_alive, NULL, 0);
		if (waitpid(child[who], &status, WNOHANG) == child[who]) {
			child[who] = 0;
			if (atomic_load(&seat->done) == atomic_load(&seat->given))
				return;
			bench_die("a party of the comparison", "ended early");
		}
	}
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *v, unsigned n)
{
	qsort(v, n, sizeof(*v), compare);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static double value_of(enum turns_value value, const struct turns_sample *s)
{
	switch (value) {
	case TURNS_OTHER_NS:
		return (double)s->ns / (double)s->others;
	case TURNS_WORST:
		return (double)s->worst;
	default:
		return (double)s->ns / (double)s->ops;
	}
}

/* Whether a column means something for a case. */
static bool has_column(const struct turns_case *c, const struct turns_column *column)
{
	return c->has_limit ||
	       (column->party != TURNS_LIMIT && column->over != TURNS_LIMIT);
}

/* The figure of a column, from the slices of one pool. */
static double reduce(const struct turns_column *column,
		     struct turns_sample (*samples)[MAX_ROUNDS], unsigned rounds)
{
	static double v[MAX_ROUNDS];

	for (unsigned r = 0; r < rounds; r++) {
		v[r] = value_of(column->value, &samples[column->party][r]);
		if (column->over != TURNS_NPARTY)
			v[r] /= value_of(column->value, &samples[column->over][r]);
	}
	qsort(v, rounds, sizeof(*v), compare);
	return column->value == TURNS_WORST ? v[rounds - 1] : median(v, rounds);
}

/* Runs the slices of one case, which give the figures of this pool. */
static void compare_case(const struct turns_plan *plan, size_t ncase, unsigned pool,
			 struct figures *f)
{
	static struct turns_sample samples[TURNS_NPARTY][MAX_ROUNDS];
	int n = plan->cases[ncase].has_limit ? TURNS_NPARTY : TURNS_LIMIT;
	unsigned rounds = plan->rounds;

	for (int i = 0; i < n; i++) {
		give(i, ORDER_PREPARE, ncase);
		await(i);
	}
	for (unsigned r = 0; r <= rounds; r++) { /* the first one warms up */
		for (int k = 0; k < n; k++) {
			int who = (int)((r + (unsigned)k) % (unsigned)n);

			give(who, ORDER_RUN, ncase);
			await(who);
			if (r > 0)
				samples[who][r - 1] = seats[who].sample;
		}
	}
	for (int i = 0; i < n; i++) {
		give(i, ORDER_FINISH, ncase);
		await(i);
	}
	for (size_t k = 0; k < plan->ncolumn; k++)
		if (has_column(&plan->cases[ncase], &plan->columns[k]))
			f->v[k][pool] = reduce(&plan->columns[k], samples, rounds);
}

/*
 * The bounds of the 95 % interval of a median of n sorted values, by order statistics; with few
 * values (5: 94 %) the smallest and the largest one.
 */
static void bounds(const double *v, unsigned n, double *lo, double *hi)
{
	unsigned half = (unsigned)(0.98 * sqrt((double)n) + 0.5);
	unsigned mid = n / 2;

	*lo = v[half > mid || n < 6 ? 0 : mid - half];
	*hi = v[mid + half >= n || n < 6 ? n - 1 : mid + half];
}

static void print_header(const struct turns_plan *plan)
{
	printf("case");
	for (size_t k = 0; k < plan->ncolumn; k++)
		printf(",%s", plan->columns[k].name);
	printf("\n");
}

static void print_row(const struct turns_plan *plan, size_t ncase, struct figures *f)
{
	const struct turns_case *c = &plan->cases[ncase];
	unsigned n = plan->pools;

	printf("%s", c->name);
	for (size_t k = 0; k < plan->ncolumn; k++) {
		const struct turns_column *column = &plan->columns[k];
		bool is_ratio = column->over != TURNS_NPARTY;
		double *v = f->v[k];
		double middle = median(v, n);
		double lo, hi;

		bounds(v, n, &lo, &hi);
		if (!has_column(c, column))
			printf(",");
		else
			printf(is_ratio ? ",%.3f" : ",%.1f",
			       column->value == TURNS_WORST ? v[n - 1] : middle);
		if (column->bounds)
			printf(",%.3f,%.3f", lo, hi);
	}
	printf("\n");
	fflush(stdout);
}

static void run_pool(const struct turns_plan *plan, unsigned pool, int fd, char **argv,
		     struct figures *figures)
{
	char shared[4096];

	snprintf(shared, sizeof(shared), "%s/" TURNS_SHARED, plan->dir);
	memset(seats, 0, TURNS_NPARTY * sizeof(*seats));
	for (int i = 0; i < TURNS_NPARTY; i++)
		start_party(plan, i, fd, argv);
	for (size_t i = 0; i < plan->ncase; i++)
		compare_case(plan, i, pool, &figures[i]);
	for (int i = 0; i < TURNS_NPARTY; i++) {
		give(i, ORDER_END, 0);
		waitpid(child[i], NULL, 0);
		child[i] = 0;
	}
	unlink(shared);
	fprintf(stderr, "pools %u of %u\n", pool + 1, plan->pools);
}

int turns_run(const struct turns_plan *plan, int argc, char **argv)
{
	struct figures *figures = calloc(plan->ncase, sizeof(*figures));
	int fd = memfd_create("turns", 0);

	(void)argc;
	if (!figures || fd < 0 || plan->rounds > MAX_ROUNDS || plan->pools > MAX_POOLS ||
	    plan->ncolumn > TURNS_MAX_COLUMNS ||
	    ftruncate(fd, (off_t)(TURNS_NPARTY * sizeof(*seats))) != 0)
		bench_die("the shared memory", "cannot be made");
	seats = mmap(NULL, TURNS_NPARTY * sizeof(*seats), PROT_READ | PROT_WRITE,
		     MAP_SHARED, fd, 0);
	if (seats == MAP_FAILED)
		bench_die("the shared memory", "cannot be mapped");
	atexit(end_children);
	for (unsigned pool = 0; pool < plan->pools; pool++)
		run_pool(plan, pool, fd, argv, figures);
	print_header(plan);
	for (size_t i = 0; i < plan->ncase; i++)
		print_row(plan, i, &figures[i]);
	free(figures);
	return 0;
}
