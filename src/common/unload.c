/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * exit(3) runs the functions that were registered with __cxa_atexit() after main() began,
 * before any destructor. dlclose(3) runs only the functions of the object that it
 * unloads. The function here is registered under a handle of its own, which is no
 * object's, so dlclose(3) does not run it. __cxa_atexit() and __cxa_finalize() belong to
 * the ABI of C++, which every C library for Linux implements.
 */
#include "unload.h"

#include <stdatomic.h>
#include <stddef.h>

int __cxa_atexit(void (*function)(void *), void *arg, void *handle);
void __cxa_finalize(void *handle);

static char handle;
/* set during exit(3); relaxed: only later calls of the same thread have to see it */
static atomic_bool ending;
static atomic_bool unloading; /* likewise */

static void note_exit(void *unused)
{
	(void)unused;
	if (!atomic_load_explicit(&unloading, memory_order_relaxed))
		atomic_store_explicit(&ending, true, memory_order_relaxed);
}

void unload_watch_exit(void)
{
	if (__cxa_atexit(note_exit, NULL, &handle) != 0)
		atomic_store_explicit(&ending, true, memory_order_relaxed);
}

/* Removes the function from the list, which calls it. */
__attribute__((destructor(101))) static void unload(void)
{
	atomic_store_explicit(&unloading, true, memory_order_relaxed);
	__cxa_finalize(&handle);
}

bool unload_is_exit(void)
{
	return atomic_load_explicit(&ending, memory_order_relaxed);
}
