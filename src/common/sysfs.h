/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads the kernel's description of devices. Nothing here changes the working directory,
 * keeps a descriptor open or sets a message.
 */
#ifndef SYSFS_H
#define SYSFS_H 1

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "compiler.h"

/* "/sys". Only tests change it, to a folder that imitates a machine. */
extern const char *sysfs_root;

/* Writes "<sysfs_root>/<formatted path>" to path; -ENAMETOOLONG. */
int sysfs_path(char path[PATH_MAX], const char *fmt, ...) PRINTF_LIKE(2, 3) MUST_CHECK;

/*
 * Reads at most size bytes of the attribute at an absolute path; returns their number or
 * -errno. Nothing is appended to buf.
 */
ssize_t sysfs_read(const char *path, void *buf, size_t size) MUST_CHECK;

/* Reads an attribute that holds one number; -EINVAL if it holds anything else. */
int sysfs_read_number(const char *path, uint64_t *value) MUST_CHECK;

/* The number behind the name that a line of text begins with. False if there is no such line. */
bool sysfs_find_number(const char *text, const char *name, uint64_t *value) MUST_CHECK;

#endif
