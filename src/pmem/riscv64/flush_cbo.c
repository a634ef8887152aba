/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cache block management (Zicbom). The instructions are written as encodings (MISC-MEM,
 * function 2, the operation as the immediate), because some assemblers do not know their
 * names.
 */
#include "riscv64/tables.h"

size_t flush_cbo_block = 64;

#define CLEAN ".insn i 0x0f, 2, x0, %0, 1"
#define FLUSH ".insn i 0x0f, 2, x0, %0, 2"

#define BLOCKS(instruction, addr, len)                                                   \
	do {                                                                             \
		uintptr_t block_ = (uintptr_t)(addr) & ~(flush_cbo_block - 1);           \
		uintptr_t end_ = (uintptr_t)(addr) + (len);                              \
                                                                                         \
		if ((len) == 0)                                                          \
			break;                                                           \
		for (; block_ < end_; block_ += flush_cbo_block)                         \
			__asm__ volatile(instruction : : "r"(block_) : "memory");        \
	} while (0)

static void clean(const void *addr, size_t len)
{
	BLOCKS(CLEAN, addr, len);
}

static void flush(const void *addr, size_t len)
{
	BLOCKS(FLUSH, addr, len);
}

static void fence(void)
{
	__asm__ volatile("fence rw, rw" : : : "memory");
}

const struct engine_flush flush_cbo = {
    .name = "cbo.clean, deep cbo.flush",
    .needs = ENGINE_ZICBOM,
    .durable = true,
    .flush = clean,
    .deep_flush = flush,
    .fence = fence,
};
