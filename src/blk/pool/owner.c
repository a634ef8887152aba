/* SPDX-License-Identifier: BSD-3-Clause */
#include "pool/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "errormsg.h"

#define SHARED_SIZE sizeof(uint64_t)

/* A parent that is about to exit after its fork gets this long before EBUSY. */
#define PATIENCE_MS 100

_Atomic(unsigned) pool_owner_generation = 1;

static pthread_mutex_t takeover = PTHREAD_MUTEX_INITIALIZER;

void pool_owner_lock(void)
{
	pthread_mutex_lock(&takeover);
}

void pool_owner_unlock(void)
{
	pthread_mutex_unlock(&takeover);
}

static void forked(void)
{
	atomic_fetch_add_explicit(&pool_owner_generation, 1, memory_order_relaxed);
	pool_owner_unlock();
}

void pool_owner_setup(void)
{
	pthread_atfork(pool_owner_lock, pool_owner_unlock, forked);
}

/*
 * Reads state, number of threads and start time of a process. The command's name, field 2,
 * may hold anything, but is the last one in parentheses.
 */
static int read_stat(pid_t pid, char *state, unsigned long *threads,
		     unsigned long long *start)
{
	char path[64];
	char text[1024];
	const char *p;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return -ESRCH;
	text[n] = '\0';
	p = strrchr(text, ')');
	if (!p ||
	    sscanf(p + 1,
		   " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
		   "%*s %lu %*s %llu",
		   state, threads, start) != 3)
		return -EIO;
	return 0;
}

/* Process id and the low half of the start time; without /proc the id alone. Never 0. */
static uint64_t name_of_self(void)
{
	pid_t pid = getpid();
	unsigned long long start = 0;
	unsigned long threads;
	char state;

	if (read_stat(pid, &state, &threads, &start) != 0)
		start = 0;
	return (uint64_t)(uint32_t)pid << 32 | (uint32_t)start;
}

/*
 * Whether the process with this name is still there. A process whose first thread has
 * ended looks like a zombie, but has more threads.
 */
static bool is_alive(uint64_t name)
{
	pid_t pid = (pid_t)(name >> 32);
	unsigned long long start;
	unsigned long threads;
	char state;

	if (kill(pid, 0) != 0 && errno == ESRCH)
		return false;
	if ((uint32_t)name == 0 || read_stat(pid, &state, &threads, &start) != 0)
		return kill(pid, 0) == 0 || errno != ESRCH;
	if ((uint32_t)start != (uint32_t)name)
		return false;
	return !((state == 'Z' || state == 'X') && threads <= 1);
}

static uint64_t pid_namespace(void)
{
	struct stat st;

	if (stat("/proc/self/ns/pid", &st) != 0)
		return 0;
	return (uint64_t)st.st_ino;
}

int pool_owner_init(struct pool_owner *o)
{
	void *page = mmap(NULL, SHARED_SIZE, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return errormsg_fail_sys(errno,
					 "cannot map a page to share with children");
	o->page = page;
	o->word = page;
	o->self = name_of_self();
	o->namespace_id = pid_namespace();
	atomic_store_explicit(o->word, o->self, memory_order_release);
	pool_owner_confirm(o);
	return 0;
}

void pool_owner_fini(struct pool_owner *o)
{
	if (!o->page)
		return;
	if (pool_owner_is_self(o))
		atomic_store_explicit(o->word, 0, memory_order_release);
	munmap(o->page, SHARED_SIZE);
	o->page = NULL;
}

static int busy(uint64_t owner)
{
	return errormsg_fail(EBUSY,
			     "the pool belongs to process %ld, which is still running",
			     (long)(pid_t)(owner >> 32));
}

/*
 * A program that opens its pool and then becomes a daemon writes from the child while the
 * parent may still be exiting; it gets a moment for that, once in each process.
 */
static bool has_ended(struct pool_owner *o, uint64_t owner)
{
	const struct timespec moment = {0, 1000000};
	unsigned now = atomic_load_explicit(&pool_owner_generation, memory_order_relaxed);

	if (o->waited_in != now) {
		o->waited_in = now;
		for (int i = 0; i < PATIENCE_MS && getppid() == (pid_t)(owner >> 32);
		     i++) {
			if (!is_alive(owner))
				return true;
			nanosleep(&moment, NULL);
		}
	}
	return !is_alive(owner);
}

int pool_owner_claim(struct pool_owner *o)
{
	uint64_t owner = atomic_load_explicit(o->word, memory_order_acquire);
	uint64_t self = name_of_self();

	for (;;) {
		if (owner == self)
			return 0;
		if (owner != 0 &&
		    (pid_namespace() != o->namespace_id || !has_ended(o, owner)))
			return busy(owner);
		if (atomic_compare_exchange_strong_explicit(o->word, &owner, self,
							    memory_order_acq_rel,
							    memory_order_acquire))
			break;
	}
	o->self = self;
	return 0;
}

void pool_owner_confirm(struct pool_owner *o)
{
	unsigned now = atomic_load_explicit(&pool_owner_generation, memory_order_relaxed);

	/* Pairs with pool_owner_is_self(): what was reloaded is seen with it. */
	atomic_store_explicit(&o->generation, now, memory_order_release);
}
