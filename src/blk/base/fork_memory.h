/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two kinds of memory that a fork does not simply copy.
 *
 * Shared memory: the process that allocates a piece and all its later children see the same bytes,
 * until each of them gives the piece back or ends. Cleared memory: each process has its own, and
 * finds zeros there after a fork, whichever way the child was made. All of it is zero at first.
 *
 * The kernel gives such memory by the page. A mapping of its own for each piece would cost more
 * than most of what else an open does. So pieces are cut from larger mappings:
 *
 *   1. A shared piece is given out once only. When it is given back, children may still use it,
 *      also children that this process does not know of (clone(2)). A mapping is unmapped when all
 *      of it was given out and all pieces have come back.
 *   2. A child cuts no pieces from a mapping that it has inherited, because its parent still does.
 *   3. A cleared piece can be given out again at once, because no other process sees it.
 *
 * Kernels before Linux 4.14 do not clear anything: there a child has a copy of cleared memory.
 */
#ifndef FORK_MEMORY_H
#define FORK_MEMORY_H 1

#include <stddef.h>

/* The size in bytes of a cleared piece. */
#define FORK_MEMORY_CLEARED ((size_t)128)

/* To be called once, when the library is loaded. */
void fork_memory_setup(void);

/*
 * Both return memory that starts at a multiple of 64 bytes, or NULL and errno, and set no message.
 * They and the functions that take the memory back may be called by several threads at once, but
 * not by fork handlers.
 */
void *fork_memory_share(size_t size);
void *fork_memory_clear(void);

/* Give memory back, in any process that has it. size as before. NULL is allowed. */
void fork_memory_unshare(void *at, size_t size);
void fork_memory_unclear(void *at);

#endif
