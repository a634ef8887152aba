/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a power loss leaves of a disk: a copy-on-write snapshot, made with dm-snapshot. Each judge
 * gets a snapshot of its own, and the disk does not change. Nothing may write to the disk
 * meanwhile.
 */
#ifndef COPY_H
#define COPY_H 1

#include <stdbool.h>

#include "disk/mapper.h"
#include "disk/model.h"

struct disk {
	const char *base, *cow; /* block devices; the second takes what differs */
	const char *fstype;
	const char *notes; /* the file of the judge's task */
	const char *file;  /* the pool's name */
	bool original;	   /* Debian's libraries are there, too */
};

/* Mounts a copy and lets the program judge look at the pool, with "ours" or the "original". */
bool copy_judge(const struct disk *disk, const char *copy, const char *library);

void copy_begin(const struct disk *disk, char copy[MAPPER_PATH]);
void copy_end(void);

/* Judges the disk as it is, by both libraries. */
bool disk_judge(const struct disk *disk);

#endif
