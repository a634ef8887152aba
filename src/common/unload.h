/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A library's destructors run in two cases. When it is unloaded, nobody is inside and nobody
 * will come again: everything has to be given back. When the process ends by exit(3), other
 * threads still run, and may call the library until the very end: what they use must stay.
 */
#ifndef UNLOAD_H
#define UNLOAD_H 1

#include <stdbool.h>

/* For destructors: whether the process is about to end, so that nothing may be freed. */
bool unload_is_exit(void);

#endif
