/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs functions of libpmem on a mapped file one instruction at a time, and checks the
 * instructions that are executed.
 *
 *	executed PATH FLUSH STORE [DEEP]
 *
 * FLUSH: the instruction that must write cache lines back: clwb, clflushopt, clflush, or none
 * STORE: the instruction of non-temporal stores: vmovntdq (of any width) or movntdq DEEP: FLUSH
 * for pmem_deep_flush(), if it differs
 */
#include <signal.h>
#include <stdbool.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libpmem.h>

#include "guest.h"

#define LEN 8192

enum instruction { OTHER, CLWB, CLFLUSHOPT, CLFLUSH, SFENCE, MOVNTDQ, VMOVNTDQ, NKIND };

static const char *const names[NKIND] = {
    "other", "clwb", "clflushopt", "clflush", "sfence", "movntdq", "vmovntdq",
};

/* The few instructions that matter here, told from their first bytes. */
static enum instruction decode(const unsigned char *code)
{
	bool wide = false;

	if (code[0] == 0xc5 && (code[1] & 3) == 1 && code[2] == 0xe7)
		return VMOVNTDQ;
	if (code[0] == 0xc4 && (code[1] & 0x1f) == 1 && (code[2] & 3) == 1 &&
	    code[3] == 0xe7)
		return VMOVNTDQ;
	if (code[0] == 0x62 && (code[1] & 7) == 1 && (code[2] & 3) == 1 &&
	    code[4] == 0xe7)
		return VMOVNTDQ;
	for (; *code == 0x66 || (*code & 0xf0) == 0x40; code++)
		wide |= *code == 0x66;
	if (code[0] != 0x0f)
		return OTHER;
	if (code[1] == 0xe7 && wide)
		return MOVNTDQ;
	if (code[1] != 0xae)
		return OTHER;
	if (code[2] >> 6 == 3)
		return (code[2] >> 3 & 7) == 7 && !wide ? SFENCE : OTHER;
	switch (code[2] >> 3 & 7) {
	case 6:
		return wide ? CLWB : OTHER; /* without the prefix it is xsaveopt */
	case 7:
		return wide ? CLFLUSHOPT : CLFLUSH;
	default:
		return OTHER;
	}
}

static void persist(char *p)
{
	pmem_persist(p, LEN);
}

static void store_past_caches(char *p)
{
	pmem_memset(p, 1, LEN, PMEM_F_MEM_NONTEMPORAL);
}

static void store_in_caches(char *p)
{
	pmem_memset(p, 2, LEN, PMEM_F_MEM_TEMPORAL);
}

static void deep_flush(char *p)
{
	pmem_deep_flush(p, LEN);
	pmem_drain();
}

/* Counts the instructions that the function executes. */
static void step(void (*fn)(char *p), char *p, unsigned long count[NKIND])
{
	int status;
	pid_t pid = fork();

	memset(count, 0, NKIND * sizeof(*count));
	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		fn(p);
		raise(SIGSTOP);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		die("no child to step through");
	do {
		struct user_regs_struct regs;
		long code[2];

		if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) != 0 ||
		    waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
			die("the child ended with status %#x", (unsigned)status);
		ptrace(PTRACE_GETREGS, pid, NULL, &regs);
		code[0] = ptrace(PTRACE_PEEKTEXT, pid, (void *)regs.rip, NULL);
		code[1] = ptrace(PTRACE_PEEKTEXT, pid, (void *)(regs.rip + 8), NULL);
		count[decode((const unsigned char *)code)]++;
	} while (WSTOPSIG(status) == SIGTRAP);
	if (WSTOPSIG(status) != SIGSTOP)
		die("the child got signal %d", WSTOPSIG(status));
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
}

/* Fails unless exactly the lines of the range were flushed, by this instruction. */
static void expect(const char *what, void (*fn)(char *p), char *p, const char *flush,
		   const char *store)
{
	unsigned long count[NKIND];
	bool right = true;

	step(fn, p, count);
	printf("%s:", what);
	for (unsigned i = CLWB; i < NKIND; i++) {
		bool is_flush = i <= CLFLUSH, is_store = i >= MOVNTDQ;
		bool wanted = strcmp(names[i], is_flush ? flush : store) == 0;

		if (count[i])
			printf(" %lu %s", count[i], names[i]);
		if (is_flush)
			right &= count[i] == (wanted ? LEN / 64 : 0);
		if (is_store)
			right &= (count[i] > 0) == wanted;
	}
	printf("\n");
	/* clflush is ordered by itself; the other instructions need a fence. */
	if (count[SFENCE] == 0 && strcmp(flush, "clflush") != 0)
		right = false;
	if (!right)
		die("%s: should have used %s and %s", what, flush, store);
}

int main(int argc, char **argv)
{
	const char *flush = argc > 2 ? argv[2] : "", *store = argc > 3 ? argv[3] : "";
	const char *deep = argc > 4 ? argv[4] : flush;
	int is_pmem;
	char *p;

	assert_ours((const void *)(uintptr_t)pmem_map_file);
	if (argc != 4 && argc != 5)
		die("usage: see the top of tests/dax/executed.c");
	p = pmem_map_file(argv[1], LEN, PMEM_FILE_CREATE, 0600, NULL, &is_pmem);
	if (!p || !is_pmem)
		die("%s: %s", argv[1], pmem_errormsg());
	memset(p, 3, LEN);
	expect("pmem_persist", persist, p, flush, "none");
	expect("pmem_memset, temporal", store_in_caches, p, flush, "none");
	expect("pmem_memset, non-temporal", store_past_caches, p, "none", store);
	expect("pmem_deep_flush", deep_flush, p, deep, "none");
	return 0;
}
