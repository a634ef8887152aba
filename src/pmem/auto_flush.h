/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef AUTO_FLUSH_H
#define AUTO_FLUSH_H 1

/*
 * Whether the platform writes the CPU caches back on power loss: 1 if all NVDIMM regions
 * of the nd bus say so, 0 if one of them does not or there is none, -EIO if the answer of
 * one makes no sense. Sets no message.
 */
int auto_flush_read(void);

/* The same, read once per process. */
int auto_flush_get(void);

#endif
