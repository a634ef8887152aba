/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Executes copies one instruction at a time. Each line with an ordinary store must be written
 * back by one CLWB, which the driver has inline, and no other line.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "compiler.h"
#include "engine.h"
#include "engine_select.h"
#include "libpmem.h"
#include "support.h"

#if !defined(__x86_64__) || defined(__SANITIZE_THREAD__)
int main(void)
{
	puts("skipped: needs the trap flag of x86-64, and code that may be stopped "
	     "anywhere");
	return 77;
}
#else

#include "trap_flag.h"
#include "usable_kernel.h"

#define NLINES 8u
#define AREA (NLINES * ENGINE_LINE)

static _Alignas(64) unsigned char area[AREA];
static _Alignas(64) unsigned char before[AREA];
static unsigned char source[AREA];

static struct {
	const unsigned char *code; /* the next instruction */
	gregset_t regs;		   /* before it */
	unsigned ordinary;	   /* a bit for each line that got an ordinary store */
	unsigned dirty;		   /* and was not written back since */
	unsigned nclwb;
} seen;

enum instruction { OTHER, CLWB, STREAM };

/* movntps, movntpd, movnti, movntdq */
static bool is_stream(unsigned char opcode)
{
	return opcode == 0x2b || opcode == 0xc3 || opcode == 0xe7;
}

static enum instruction decode(const unsigned char *code)
{
	bool wide = false;

	/* a short or a long VEX prefix, or EVEX, of the same map */
	if (code[0] == 0xc5)
		return code[2] != 0xc3 && is_stream(code[2]) ? STREAM : OTHER;
	if (code[0] == 0xc4)
		return (code[1] & 0x1f) == 1 && is_stream(code[3]) ? STREAM : OTHER;
	if (code[0] == 0x62)
		return (code[1] & 7) == 1 && is_stream(code[4]) ? STREAM : OTHER;
	for (; *code == 0x66 || (*code & 0xf0) == 0x40; code++)
		wide |= *code == 0x66;
	if (code[0] != 0x0f)
		return OTHER;
	if (is_stream(code[1]))
		return STREAM;
	return wide && code[1] == 0xae && code[2] >> 6 != 3 && (code[2] >> 3 & 7) == 6
		   ? CLWB
		   : OTHER;
}

/* The address that a CLWB names; 0 if it is relative to the instruction, as none is. */
static uintptr_t clwb_address(const unsigned char *code)
{
	static const int regs[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
				   REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
				   REG_R12, REG_R13, REG_R14, REG_R15};
	unsigned rex = 0;
	unsigned mod, base, index = 4, scale = 0;
	int32_t wide = 0;
	greg_t at = 0;

	for (; *code != 0x0f; code++)
		rex = *code == 0x66 ? 0 : *code;
	mod = code[2] >> 6;
	base = code[2] & 7;
	code += 3;
	if (base == 4) {
		scale = *code >> 6;
		index = (*code >> 3 & 7) | (rex & 2) << 2;
		base = *code++ & 7;
	}
	if (mod == 0 && base == 5)
		return 0;
	at = seen.regs[regs[base | (rex & 1) << 3]];
	if (index != 4)
		at += seen.regs[regs[index]] * (1 << scale);
	if (mod == 2)
		memcpy(&wide, code, sizeof(wide));
	return (uintptr_t)(at + (mod == 1 ? (int8_t)*code : wide));
}

static void note_clwb(uintptr_t at)
{
	uintptr_t begin = (uintptr_t)area;

	seen.nclwb++;
	if (at >= begin && at - begin < AREA)
		seen.dirty &= ~(1u << (at - begin) / ENGINE_LINE);
}

static void on_trap(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	enum instruction executed = seen.code ? decode(seen.code) : OTHER;

	(void)sig;
	(void)info;
	if (executed == CLWB)
		note_clwb(clwb_address(seen.code));
	seen.code = (const unsigned char *)uc->uc_mcontext.gregs[REG_RIP];
	memcpy(seen.regs, uc->uc_mcontext.gregs, sizeof(seen.regs));
	for (size_t i = 0; i < AREA; i++) {
		if (area[i] == before[i])
			continue;
		if (executed != STREAM) {
			seen.ordinary |= 1u << i / ENGINE_LINE;
			seen.dirty |= 1u << i / ENGINE_LINE;
		}
		before[i] = area[i];
	}
}

enum op { COPY, MOVE_FORWARD, MOVE_BACKWARD, SET };

static void check(enum op op, size_t offset, size_t len, unsigned flags)
{
	static const char *const names[] = {"copy", "forward move", "backward move",
					    "set"};
	unsigned char *dest = area + offset;

	for (size_t i = 0; i < AREA; i++)
		area[i] = (unsigned char)i;
	memcpy(before, area, AREA);
	memset(&seen, 0, sizeof(seen));
	trap_flag(true);
	switch (op) {
	case COPY:
		pmem_memcpy(dest, source, len, flags);
		break;
	case MOVE_FORWARD:
		pmem_memmove(dest, dest + 17, len, flags);
		break;
	case MOVE_BACKWARD:
		pmem_memmove(dest + 17, dest, len, flags);
		break;
	case SET:
		pmem_memset(dest, 0xff, len, flags);
		break;
	}
	trap_flag(false);
	if (seen.dirty || seen.nclwb != (unsigned)__builtin_popcount(seen.ordinary))
		fail_msg(
		    "%s: %s of %zu bytes at +%zu: ordinary stores to lines %#x, %u lines "
		    "written back, but not %#x",
		    engine.kernel->name, names[op], len, offset, seen.ordinary,
		    seen.nclwb, seen.dirty);
}

/* Returns how many lines were written back after non-temporal copies. */
static unsigned check_all(size_t offset)
{
	static const size_t lens[] = {1,  8,   40,  64,	 65,  68,  72,
				      96, 100, 127, 128, 200, 256, 300};
	unsigned ends = 0;

	for (int op = COPY; op <= SET; op++)
		for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
			check((enum op)op, offset, lens[i], PMEM_F_MEM_NONTEMPORAL);
			ends += seen.nclwb;
			check((enum op)op, offset, lens[i], PMEM_F_MEM_TEMPORAL);
		}
	return ends;
}

static void lines_with_ordinary_stores_are_written_back(void **state)
{
	unsigned ends = 0;

	(void)state;
	for (size_t offset = 0; offset < ENGINE_LINE; offset++)
		ends += check_all(offset);
	assert_true(ends > 1000);
}

/* The same for the other kernels of this CPU, at some offsets: one instruction at a time is slow. */
static void every_kernel_writes_its_lines_back(void **state)
{
	const struct engine chosen = engine;
	const struct engine_kernel *kernel;

	(void)state;
	for (size_t i = 0; (kernel = usable_kernel(&i)) != NULL;) {
		if (!kernel->set_nt || kernel == chosen.kernel)
			continue;
		engine.kernel = kernel;
		for (size_t offset = 0; offset < ENGINE_LINE; offset += 8) {
			check_all(offset);
			check_all(offset + 1);
		}
	}
	engine = chosen;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines_with_ordinary_stores_are_written_back),
	    cmocka_unit_test(every_kernel_writes_its_lines_back),
	};
	struct sigaction trap = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};

	if (!engine.clwb || !engine.nt) {
		puts("skipped: the engine in use has no clwb or no non-temporal stores");
		return 77;
	}
	memset(source, 0xa5, sizeof(source));
	sigaction(SIGTRAP, &trap, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif
