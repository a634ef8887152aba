/* SPDX-License-Identifier: BSD-3-Clause */
/* The file behind a loop device, which is the file under another name. */
#ifndef LOOP_H
#define LOOP_H 1

#include <sys/stat.h>

#include "compiler.h"

/*
 * Finds the file behind the block device dev, which fd has open: a loop device, a partition of one,
 * or a loop device on another one. Returns 1 and sets st_dev and st_ino of *file, or 0 if there is no
 * loop device. -errno if there is one, but the kernel does not tell its file. Sets no message.
 */
int loop_find(int fd, dev_t dev, struct stat *file) MUST_CHECK;

#endif
