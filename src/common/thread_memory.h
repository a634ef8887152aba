/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory for each thread, without thread-local storage.
 *
 * A library that is loaded by dlopen(3) may find no room for static thread-local storage;
 * with musl it never does. Dynamic thread-local storage ends the process if there is no
 * memory. So each thread gets a zeroed block at its first use, and a pthread key points
 * to it.
 */
#ifndef THREAD_MEMORY_H
#define THREAD_MEMORY_H 1

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* If there is no memory, a few threads get a block of this size. */
#define THREAD_MEMORY_SPARE ((size_t)320)

struct thread_block;

struct thread_memory {
	size_t size;	     /* of a block, at least THREAD_MEMORY_SPARE */
	pthread_key_t key;   /* of the threads' blocks */
	atomic_bool has_key; /* false before load and after unload; release and acquire */
	/* the process is ending, other threads go on; release and acquire */
	atomic_bool is_exit;
	/* the list of all blocks; release and acquire */
	_Atomic(struct thread_block *) blocks;
};

/*
 * Called before the first use and in a destructor. 0, or -errno: then no thread gets a
 * block.
 */
int thread_memory_load(struct thread_memory *m);
void thread_memory_unload(struct thread_memory *m);

/* The calling thread's block, NULL if it has none. Safe in signal handlers. */
void *thread_memory_find(struct thread_memory *m);

/*
 * The same, but a thread that has no block gets one, which belongs to it until it ends.
 * *size receives m->size, or THREAD_MEMORY_SPARE if there is no memory. NULL if no spare
 * block is left.
 */
void *thread_memory_get(struct thread_memory *m, size_t *size);

#endif
