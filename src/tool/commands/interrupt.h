/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The effect of SIGINT, SIGTERM and SIGHUP on a running command. A signal that the caller ignores
 * stays ignored. At the end the process dies from the signal, as its parent expects.
 */
#ifndef INTERRUPT_H
#define INTERRUPT_H 1

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

/* A file that the command is about to make or has made. */
struct interrupt_file {
	const char *path;
	mode_t mode;   /* the final mode of the file */
	bool is_known; /* dev and ino are those of the file */
	dev_t dev;
	ino_t ino;
};

/*
 * From now on a signal removes those of these files that exist, and ends the process. A file is
 * removed only if it is known, or if it did not exist before and has the right owner and mode;
 * any other file belongs to somebody else. The array is in use until interrupt_keep().
 */
void interrupt_remove(struct interrupt_file *file, size_t n);

/* The files have been made. Records which ones they are. */
void interrupt_know(void);

/* From now on a signal removes nothing. */
void interrupt_keep(void);

/* Blocks the signals until interrupt_release(), also in threads that are started meanwhile. */
void interrupt_hold(void);

/*
 * From now on a signal does not end the process before interrupt_release(), but it ends the wait
 * for a pool that is in use: the library's call fails with EINTR. No other thread may run.
 */
void interrupt_note(void);

/* A descriptor that becomes readable when a blocked signal has come; -1 if there is none. */
int interrupt_descriptor(void);

/* Whether a signal has come since interrupt_hold() or interrupt_note(). */
bool interrupt_has_come(void);

/* Unblocks the signals. If one has come, the process dies here. */
void interrupt_release(void);

#endif
