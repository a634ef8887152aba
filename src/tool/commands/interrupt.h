/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What SIGINT, SIGTERM and SIGHUP do to a command that is at work. Those that the caller
 * ignores stay ignored. In the end the process dies from the signal, as its parent expects.
 */
#ifndef INTERRUPT_H
#define INTERRUPT_H 1

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

/* A file that the command is about to make or has made. */
struct interrupt_file {
	const char *path;
	mode_t mode;   /* that it gets in the end */
	bool is_known; /* it is the one of dev and ino */
	dev_t dev;
	ino_t ino;
};

/*
 * From now on a signal removes these files, as far as they are there, and ends the process.
 * They do not exist yet, or are known; a file that appears under another owner or mode is
 * somebody else's. The array stays in use until interrupt_keep().
 */
void interrupt_remove(struct interrupt_file *file, size_t n);

/* The files have been made: from now on they are known. */
void interrupt_know(void);

/* From now on a signal removes nothing. */
void interrupt_keep(void);

/* Signals are held back until interrupt_release(). Threads started meanwhile do the same. */
void interrupt_hold(void);

/* A descriptor that becomes readable when a held signal has come; -1 if there is none. */
int interrupt_descriptor(void);

/* Whether a held signal has come. */
bool interrupt_has_come(void);

/* The process dies here if one has. */
void interrupt_release(void);

#endif
