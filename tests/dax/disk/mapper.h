/* SPDX-License-Identifier: BSD-3-Clause */
/* The kernel's device mapper, by its ioctls. Every failure ends the program. */
#ifndef MAPPER_H
#define MAPPER_H 1

#include <stdint.h>

#define MAPPER_PATH 32

/*
 * A table has one line for each target: "START LENGTH TARGET ARGUMENTS", in sectors of 512
 * bytes. The device's node is written to path.
 */
void mapper_create(const char *name, const char *table, char path[MAPPER_PATH]);

/* Replaces the table. What is in flight ends first; no file system is told to sync. */
void mapper_reload(const char *name, const char *table);

/* From then on, and until resumed, requests wait. */
void mapper_suspend(const char *name);
void mapper_resume(const char *name);

void mapper_message(const char *name, const char *text);
void mapper_remove(const char *name);

/* The size of a block device, in sectors. */
uint64_t mapper_sectors(const char *path);

#endif
