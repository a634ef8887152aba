/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BTT_LAYOUT_H
#define BTT_LAYOUT_H 1

#include "btt/arena.h"
#include "compiler.h"

/*
 * Writes the first layout of a table, durably, and publishes its arenas. The caller holds
 * btt->layout_lock and has seen that there is no layout. -ENOMEM: nothing was stored. -EIO: a
 * sync failed, and the table must not be used for writing any more.
 */
int btt_layout_format_locked(struct btt *btt) MUST_CHECK;

#endif
