/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Settings of the process: a table of integers with dotted names. Any thread may read and set
 * values at any time; pool_create and pool_open read each value once.
 */
#ifndef CTL_H
#define CTL_H 1

#include "compiler.h"

enum ctl_setting {
	CTL_PREFAULT_AT_CREATE,
	CTL_PREFAULT_AT_OPEN,
	CTL_SDS_AT_CREATE,
	CTL_FALLOCATE_AT_CREATE,
	CTL_COPY_ON_WRITE_AT_OPEN,
	CTL_SIGBUS_CATCH,
	CTL_LOCK_WAIT, /* milliseconds; -1: for ever */
	CTL_COUNT
};

int ctl_value(enum ctl_setting setting);

/*
 * Entries by name. Empty name components are skipped. 0, or with the message set:
 *
 *	-EINVAL	 name or value is NULL, or a time is below -1
 *	-ENOENT	 there is no such entry
 *	-ENOTDIR the name goes on below an entry
 */
int ctl_get(const char *name, int *value) MUST_CHECK;
int ctl_set(const char *name, const int *value) MUST_CHECK;

/* -EINVAL with the message set: no entry can be executed. */
int ctl_exec(const char *name) MUST_CHECK;

/*
 * Like ctl_set(), with the value as a text. That of a switch begins with y, Y or 1, or with n, N
 * or 0. That of a time is a decimal number. -EINVAL for any other text.
 */
int ctl_set_text(const char *name, const char *text) MUST_CHECK;

#endif
