/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The destructors of a library run in two cases. When the library is unloaded, no thread
 * is in a call and none will call again: everything has to be freed. When the process
 * ends by exit(3), other threads still run and may call the library until the very end:
 * what they use must not be freed.
 */
#ifndef UNLOAD_H
#define UNLOAD_H 1

#include <stdbool.h>

/*
 * Call this whenever there is something new that must be freed at an unload only. A call
 * in a constructor is not enough: what was registered before main(), exit(3) runs too
 * late, after the destructors.
 */
void unload_watch_exit(void);

/* For destructors: whether the process is about to end, so that nothing may be freed. */
bool unload_is_exit(void);

#endif
