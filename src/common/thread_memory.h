/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory for each thread, without thread-local storage.
 *
 * A library that is loaded by dlopen(3) may find no room for static thread-local storage, on musl
 * never; and dynamic storage ends the process where no memory is to be had. So each thread gets
 * a zeroed block at its first use, which a pthread key remembers.
 */
#ifndef THREAD_MEMORY_H
#define THREAD_MEMORY_H 1

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* A few threads get this much where no memory is to be had. */
#define THREAD_MEMORY_SPARE ((size_t)320)

struct thread_block;

struct thread_memory {
	size_t size;	     /* of a block, at least THREAD_MEMORY_SPARE */
	pthread_key_t key;   /* of the threads' blocks */
	atomic_bool has_key; /* false before load and after unload; release and acquire */
	atomic_bool is_exit; /* the process ends, threads go on; release and acquire */
	_Atomic(struct thread_block *) blocks; /* all of them; release and acquire */
};

/*
 * Before its first use, and in a destructor. 0 or -errno: then nobody gets a block.
 */
int thread_memory_load(struct thread_memory *m);
void thread_memory_unload(struct thread_memory *m);

/* The calling thread's block, NULL if it has none. Safe in signal handlers. */
void *thread_memory_find(struct thread_memory *m);

/*
 * Likewise, but a thread that has none gets one, which is its own until it ends. *size receives
 * m->size, or THREAD_MEMORY_SPARE where there is no memory. NULL where not even that is left.
 */
void *thread_memory_get(struct thread_memory *m, size_t *size);

#endif
