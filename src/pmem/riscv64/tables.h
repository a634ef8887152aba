/* SPDX-License-Identifier: BSD-3-Clause */
/* The flush backend of riscv64, which has no copy kernel of its own. */
#ifndef TABLES_H
#define TABLES_H 1

#include "engine.h"

extern const struct engine_flush flush_cbo; /* Zicbom: cbo.clean, cbo.flush */

/* Bytes of a cache block; the backend needs it before its first call. */
extern size_t flush_cbo_block;

#endif
