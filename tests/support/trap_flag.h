/* SPDX-License-Identifier: BSD-3-Clause */
/* For tests that execute a function one instruction at a time: x86-64 only. */
#ifndef TRAP_FLAG_H
#define TRAP_FLAG_H 1

#include <stdbool.h>
#include <x86intrin.h>

#define TRAP_FLAG 0x100u

/* While it is on, SIGTRAP follows each instruction. */
static inline void trap_flag(bool on)
{
	unsigned long long flags = __readeflags() & ~(unsigned long long)TRAP_FLAG;

	__asm__ volatile("" ::: "memory");
	__writeeflags(on ? flags | TRAP_FLAG : flags);
	__asm__ volatile("" ::: "memory");
}

#endif
