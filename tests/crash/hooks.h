/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef HOOKS_H
#define HOOKS_H 1

#include <stdbool.h>
#include <stdint.h>

/*
 * A mutation of readers: the second load of the version always returns the value of the first
 * load, as if the two were not compared.
 */
extern bool hooks_blind;

/*
 * Mutations of the checks whether the table is poisoned: a writer's first check, or all checks of
 * a reader, return no.
 */
enum hooks_deaf { HOOKS_DEAF_NOBODY, HOOKS_DEAF_WRITER, HOOKS_DEAF_READER };
extern enum hooks_deaf hooks_deaf;

/* A mutation of the search in the flog for a lost map update: it finds none. */
extern bool hooks_no_redo;

/*
 * The mutations of a batch that takes its map locks one by one: it does not take them, or the second
 * thread takes its second lock first.
 */
enum hooks_locks { HOOKS_LOCKS_TAKEN, HOOKS_LOCKS_NOT_TAKEN, HOOKS_LOCKS_SWAPPED };
extern enum hooks_locks hooks_locks;

/* The mutation of who looks at a number's turn: it has gone on by so many. */
extern uint64_t hooks_turns;

/* A mutation of a thread that ends: it does not complete its flushes. */
extern bool hooks_ends_early;

/* The numbers that the program's threads have borrowed; a part of its state. */
extern uint64_t hooks_lent;

/*
 * The running thread begins a write or a read (with the address of the poison mark) or ends it
 * (NULL).
 */
void hooks_writing(const void *poison);
void hooks_reading(const void *poison);

/* The running thread begins to end (true), or has ended (false). */
void hooks_ending(bool begins);

#endif
