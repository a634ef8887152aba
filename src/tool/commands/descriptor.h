/* SPDX-License-Identifier: BSD-3-Clause */
/* Names of files that stand for open descriptors. */
#ifndef DESCRIPTOR_H
#define DESCRIPTOR_H 1

/*
 * The descriptor for which a name such as /dev/stdout or /dev/fd/7 stands, whether it is open or not;
 * -1 for other names. dash: that of "-".
 *
 * Ask before opening other files: one of them would get the number of a closed descriptor.
 */
int descriptor_of(const char *name, int dash);

#endif
