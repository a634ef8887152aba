/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A library's destructors run in two cases. When it is unloaded, nobody is inside and nobody
 * will come again: everything has to be given back. When the process ends by exit(3), other
 * threads still run, and may call the library until the very end: what they use must stay.
 */
#ifndef UNLOAD_H
#define UNLOAD_H 1

#include <stdbool.h>

/*
 * To be called whenever there is something new that only an unloading library may free. Not in a
 * constructor alone: exit(3) asks who registers before main() too late, after the destructors.
 */
void unload_watch_exit(void);

/* For destructors: whether the process is about to end, so that nothing may be freed. */
bool unload_is_exit(void);

#endif
