/* SPDX-License-Identifier: BSD-3-Clause */
#include "poolset/fork.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fork_memory.h"
#include "base/handler_lock.h"
#include "edge.h"
#include "errormsg.h"
#include "mapping.h"
#include "unload.h"

/* How long a child waits for the descriptor of a file that its parent is opening. */
#define NAPS 1000
#define NAP_NS 1000000L

struct opened {
	int fd; /* -1: none */
	dev_t dev;
	ino_t ino;
};

/* The result of the last open of a part, in memory that is shared with children. */
struct outcome {
	_Atomic(uint32_t) attempt; /* release after file */
	struct opened file;
};

/*
 * The fields are stored in this order, with release. So a child has a copy in which the stores up
 * to some moment were made, and the later ones were not.
 */
struct part {
	_Atomic(uint32_t) begun;   /* attempts to open it */
	_Atomic(uint32_t) settled; /* the attempt whose result is in file */
	struct opened file;
};

struct poolset_fork {
	_Atomic(struct poolset_fork *) next;
	bool is_left;		/* the call has ended, but a child may have its files */
	_Atomic(void *) mapped; /* NULL: nothing; release after size and unit */
	size_t mapped_size;
	size_t mapped_unit;
	struct outcome *outcome; /* one for each part; NULL: no memory for them */
	unsigned npart;
	struct part part[];
};

static void mend(void);

/* guards the following three */
static struct handler_lock lock = {.lock.mend = mend};
static _Atomic(struct poolset_fork *) records; /* each change is one store */
static unsigned nforks; /* threads that are between the two handlers */
/*
 * Records to be freed, but not by a handler: the program's functions for memory may need a lock
 * that its handlers hold.
 */
static struct poolset_fork *spent;

static struct poolset_fork *next_of(const struct poolset_fork *r)
{
	return atomic_load_explicit(&r->next, memory_order_relaxed);
}

/* --- in the child ------------------------------------------------------------------------- */

/*
 * Returns the result of an attempt during which the process forked. If there was another attempt
 * since, this one has failed.
 */
static struct opened wait_for_outcome(struct outcome *o, uint32_t attempt)
{
	static const struct timespec nap = {.tv_nsec = NAP_NS};
	struct opened none = {.fd = -1};
	struct opened file;

	for (int i = 0; i < NAPS; i++) {
		uint32_t seen = atomic_load_explicit(&o->attempt, memory_order_acquire);

		if (seen >= attempt) {
			file = o->file;
			atomic_thread_fence(memory_order_acquire);
			return seen == attempt &&
				       atomic_load_explicit(&o->attempt,
							    memory_order_relaxed) == seen
				   ? file
				   : none;
		}
		clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
	}
	return none;
}

/*
 * Closes the file, unless handlers of the program have closed the descriptor, and perhaps opened
 * another file there.
 */
static void drop_file(const struct opened *file)
{
	struct stat st;

	if (file->fd >= 0 && fstat(file->fd, &st) == 0 && st.st_dev == file->dev &&
	    st.st_ino == file->ino)
		close(file->fd);
}

static void drop_part(struct poolset_fork *record, unsigned i)
{
	struct part *p = &record->part[i];
	uint32_t begun = atomic_load_explicit(&p->begun, memory_order_relaxed);
	struct opened file = p->file;

	if (atomic_load_explicit(&p->settled, memory_order_relaxed) != begun) {
		file.fd = -1;
		if (record->outcome)
			file = wait_for_outcome(&record->outcome[i], begun);
	}
	drop_file(&file);
}

/*
 * Closes and unmaps what the records have. They belong to threads that are not in this process,
 * so their memory stays as it is.
 */
static void mend(void)
{
	struct poolset_fork *r = atomic_load_explicit(&records, memory_order_relaxed);
	int before = errno;

	for (; r; r = next_of(r)) {
		void *mapped = atomic_load_explicit(&r->mapped, memory_order_relaxed);

		for (unsigned i = 0; i < r->npart; i++)
			drop_part(r, i);
		if (mapped)
			mapping_release(mapped, r->mapped_size, r->mapped_unit);
	}
	atomic_store_explicit(&records, NULL, memory_order_relaxed);
	spent = NULL;
	nforks = 0;
	errno = before;
}

/* --- the handlers --------------------------------------------------------------------------- */

/*
 * Removes the records of calls that have ended from the list, if no thread is forking. Then no
 * child can have the files of these calls.
 */
static void retire_locked(void)
{
	_Atomic(struct poolset_fork *) *link = &records;
	struct poolset_fork *r;

	while (nforks == 0 && (r = atomic_load_explicit(link, memory_order_relaxed))) {
		if (!r->is_left) {
			link = &r->next;
			continue;
		}
		atomic_store_explicit(link, next_of(r), memory_order_release);
		atomic_store_explicit(&r->next, spent, memory_order_release);
		spent = r;
	}
}

static void before_fork(void)
{
	handler_lock_acquire(&lock);
	nforks++;
	handler_lock_release(&lock);
}

static void in_parent(void)
{
	handler_lock_acquire(&lock);
	if (nforks > 0) /* as in pool/owner.c */
		nforks--;
	retire_locked();
	handler_lock_release(&lock);
}

/* As in pool/owner.c, the thread must not be cancelled here. */
static void in_child(void)
{
	struct edge edge = edge_enter(true);

	handler_lock_acquire(&lock);
	handler_lock_release(&lock);
	edge_leave(edge, 0);
}

void poolset_fork_setup(void)
{
	fork_lock_setup(&lock.lock);
	pthread_atfork(before_fork, in_parent, in_child);
}

/* --- records -------------------------------------------------------------------------------- */

static void free_record(struct poolset_fork *r)
{
	fork_memory_unshare(r->outcome, r->npart * sizeof(*r->outcome));
	alloc_free(r);
}

int poolset_fork_enter(struct poolset *set)
{
	struct poolset_fork *r =
	    alloc_zeroed(sizeof(*r) + set->npart * sizeof(r->part[0]));

	if (!r)
		return errormsg_fail(ENOMEM, "out of memory for the files of %s",
				     set->path);
	r->npart = set->npart;
	for (unsigned i = 0; i < r->npart; i++)
		r->part[i].file.fd = -1;
	r->outcome = fork_memory_share(r->npart * sizeof(*r->outcome));
	handler_lock_acquire(&lock);
	atomic_store_explicit(&r->next,
			      atomic_load_explicit(&records, memory_order_relaxed),
			      memory_order_relaxed);
	atomic_store_explicit(&records, r, memory_order_release);
	handler_lock_release(&lock);
	set->fork = r;
	return 0;
}

int poolset_fork_open(const struct poolset *set, unsigned part, int flags)
{
	struct part *p = &set->fork->part[part];
	uint32_t attempt = atomic_load_explicit(&p->begun, memory_order_relaxed) + 1;
	struct opened file = {.fd = -1};
	struct stat st;
	int err;

	atomic_store_explicit(&p->begun, attempt, memory_order_release);
	file.fd = open(set->part[part].path, flags | O_CLOEXEC, 0);
	err = errno;
	if (file.fd >= 0 && fstat(file.fd, &st) == 0) {
		file.dev = st.st_dev;
		file.ino = st.st_ino;
	}
	if (set->fork->outcome) {
		struct outcome *o = &set->fork->outcome[part];

		o->file = file;
		atomic_store_explicit(&o->attempt, attempt, memory_order_release);
	}
	p->file = file;
	atomic_store_explicit(&p->settled, attempt, memory_order_release);
	errno = err;
	return file.fd;
}

void poolset_fork_note_mapping(const struct poolset *set, void *base, size_t size,
			       size_t unit)
{
	struct poolset_fork *r = set->fork;

	if (!r)
		return;
	if (base) {
		r->mapped_size = size;
		r->mapped_unit = unit;
	}
	atomic_store_explicit(&r->mapped, base, memory_order_release);
}

/* left: a call that ends now; NULL: none */
static void free_spent(struct poolset_fork *left)
{
	struct poolset_fork *r;
	struct poolset_fork *next;

	handler_lock_acquire(&lock);
	if (left)
		left->is_left = true;
	retire_locked();
	r = spent;
	spent = NULL;
	handler_lock_release(&lock);
	for (; r; r = next) {
		next = next_of(r);
		free_record(r);
	}
}

void poolset_fork_leave(struct poolset *set)
{
	struct poolset_fork *r = set->fork;

	if (!r)
		return;
	set->fork = NULL;
	atomic_store_explicit(&r->mapped, NULL, memory_order_release);
	free_spent(r);
}

/* A fork may have retired records since the last call. */
__attribute__((destructor)) static void unload(void)
{
	if (!unload_is_exit() && spent)
		free_spent(NULL);
}
