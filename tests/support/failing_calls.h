/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Makes system calls of this process fail, one at a time: a filter hands every call to a handler of
 * SIGSYS, which counts it and makes it itself. The filter stays until the process ends, so this is
 * for children, see failing_calls_fork(). Include it in one file of a program.
 */
#ifndef FAILING_CALLS_H
#define FAILING_CALLS_H 1

#include "support.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

/*
 * failing_calls_real(number, 6 arguments) makes a system call that the filter lets pass, because it
 * returns to failing_calls_behind.
 */
long failing_calls_real(long number, long a, long b, long c, long d, long e, long f);
extern const char failing_calls_behind[];

#if defined(__x86_64__)
__asm__(".text\n"
	"failing_calls_real:\n"
	"	mov %rdi, %rax\n"
	"	mov %rsi, %rdi\n"
	"	mov %rdx, %rsi\n"
	"	mov %rcx, %rdx\n"
	"	mov %r8, %r10\n"
	"	mov %r9, %r8\n"
	"	mov 8(%rsp), %r9\n"
	"	syscall\n"
	"failing_calls_behind:\n"
	"	ret\n");
#define FAILING_CALLS_ARG(u, i)                                                          \
	((long)(u)->uc_mcontext.gregs[(const int[]){REG_RDI, REG_RSI, REG_RDX, REG_R10,  \
						    REG_R8, REG_R9}[i]])
#define FAILING_CALLS_RESULT(u) ((u)->uc_mcontext.gregs[REG_RAX])
#elif defined(__aarch64__)
__asm__(".text\n"
	"failing_calls_real:\n"
	"	mov x8, x0\n"
	"	mov x0, x1\n"
	"	mov x1, x2\n"
	"	mov x2, x3\n"
	"	mov x3, x4\n"
	"	mov x4, x5\n"
	"	mov x5, x6\n"
	"	svc #0\n"
	"failing_calls_behind:\n"
	"	ret\n");
#define FAILING_CALLS_ARG(u, i) ((long)(u)->uc_mcontext.regs[i])
#define FAILING_CALLS_RESULT(u) ((u)->uc_mcontext.regs[0])
#elif defined(__riscv)
__asm__(".text\n"
	"failing_calls_real:\n"
	"	mv t0, a0\n"
	"	mv a0, a1\n"
	"	mv a1, a2\n"
	"	mv a2, a3\n"
	"	mv a3, a4\n"
	"	mv a4, a5\n"
	"	mv a5, a6\n"
	"	mv a7, t0\n"
	"	ecall\n"
	"failing_calls_behind:\n"
	"	ret\n");
#define FAILING_CALLS_ARG(u, i) ((long)(u)->uc_mcontext.__gregs[REG_A0 + (i)])
#define FAILING_CALLS_RESULT(u) ((u)->uc_mcontext.__gregs[REG_A0])
#endif

/* What failed last. */
static struct {
	long number;
	long arg[6];
	char path[128]; /* of openat, readlinkat and the like; else empty */
} failing_calls_last;

static volatile unsigned failing_calls_at; /* which call fails; 0: none */
static volatile unsigned failing_calls_seen;
static volatile bool failing_calls_lasting; /* later calls of the kind fail, too */

/* What happens to the call. */
static volatile enum {
	FAILING_CALLS_ERROR,	 /* failing_calls_error() */
	FAILING_CALLS_INTERRUPT, /* EINTR, if it is a call that can be interrupted */
	FAILING_CALLS_SHORT,	 /* it reads or writes half of what it is asked for */
} failing_calls_how;

/* The error that users meet first. */
static int failing_calls_error(long number)
{
	switch (number) {
	case SYS_openat:
		return EMFILE;
	case SYS_mmap:
	case SYS_mremap:
	case SYS_madvise:
		return ENOMEM;
	case SYS_flock:
		return ENOLCK;
	case SYS_fallocate:
		return ENOSPC;
	case SYS_getrandom:
	case SYS_membarrier:
		return ENOSYS;
	default:
		return EIO;
	}
}

/* Those that take long, where a signal must not make the difference. */
static bool failing_calls_can_be_interrupted(long number)
{
	static const long can[] = {SYS_fallocate, SYS_ftruncate, SYS_msync,
				   SYS_fsync,	  SYS_fdatasync, SYS_read,
				   SYS_write,	  SYS_pread64,	 SYS_pwrite64};

	for (size_t i = 0; i < sizeof(can) / sizeof(can[0]); i++)
		if (number == can[i])
			return true;
	return false;
}

static bool failing_calls_can_be_short(long number)
{
	return number == SYS_read || number == SYS_write || number == SYS_pread64 ||
	       number == SYS_pwrite64;
}

/*
 * Those that cannot fail, those whose failure tells nothing, and what the C library cannot do without
 * or, as malloc, makes now or later.
 */
static bool failing_calls_is_exempt(long number)
{
	static const long exempt[] = {
	    SYS_rt_sigprocmask,
	    SYS_rt_sigaction,
	    SYS_futex,
	    SYS_close,
	    SYS_munmap,
	    SYS_getpid,
	    SYS_gettid,
	    SYS_getuid,
	    SYS_geteuid,
	    SYS_sched_yield,
	    SYS_rt_sigpending,
	    SYS_umask,
	    SYS_brk,
	    SYS_clock_gettime,
	    SYS_set_robust_list,
#ifdef SYS_rseq
	    SYS_rseq,
#endif
	};

	for (size_t i = 0; i < sizeof(exempt) / sizeof(exempt[0]); i++)
		if (number == exempt[i])
			return true;
	return false;
}

static bool failing_calls_has_path(long number)
{
	return number == SYS_openat || number == SYS_newfstatat ||
	       number == SYS_readlinkat || number == SYS_unlinkat ||
	       number == SYS_faccessat || number == SYS_statx;
}

static void failing_calls_note(long number, const ucontext_t *u)
{
	failing_calls_last.number = number;
	failing_calls_last.path[0] = '\0';
	for (int i = 0; i < 6; i++)
		failing_calls_last.arg[i] = FAILING_CALLS_ARG(u, i);
	if (failing_calls_has_path(number) && failing_calls_last.arg[1])
		strncat(failing_calls_last.path, (const char *)failing_calls_last.arg[1],
			sizeof(failing_calls_last.path) - 1);
}

/* SIGSYS must not be blocked, or the next call would end the process. */
static long failing_calls_mask(const ucontext_t *u)
{
	uint64_t set;

	if (!FAILING_CALLS_ARG(u, 1))
		return failing_calls_real(SYS_rt_sigprocmask, FAILING_CALLS_ARG(u, 0), 0,
					  FAILING_CALLS_ARG(u, 2),
					  FAILING_CALLS_ARG(u, 3), 0, 0);
	memcpy(&set, (const void *)FAILING_CALLS_ARG(u, 1), sizeof(set));
	if (FAILING_CALLS_ARG(u, 0) != SIG_UNBLOCK)
		set &= ~(UINT64_C(1) << (SIGSYS - 1));
	return failing_calls_real(SYS_rt_sigprocmask, FAILING_CALLS_ARG(u, 0), (long)&set,
				  FAILING_CALLS_ARG(u, 2), FAILING_CALLS_ARG(u, 3), 0, 0);
}

static bool failing_calls_must_fail(long number, const ucontext_t *u)
{
	unsigned seen;

	if (!failing_calls_at || failing_calls_is_exempt(number) ||
	    (failing_calls_how == FAILING_CALLS_INTERRUPT &&
	     !failing_calls_can_be_interrupted(number)) ||
	    (failing_calls_how == FAILING_CALLS_SHORT &&
	     (!failing_calls_can_be_short(number) || FAILING_CALLS_ARG(u, 2) < 2)))
		return false;
	seen = __atomic_add_fetch(&failing_calls_seen, 1, __ATOMIC_RELAXED);
	if (seen == failing_calls_at)
		failing_calls_note(number, u);
	return seen == failing_calls_at ||
	       (failing_calls_lasting && seen > failing_calls_at &&
		number == failing_calls_last.number);
}

static long failing_calls_fail(long number, const ucontext_t *u)
{
	if (failing_calls_how == FAILING_CALLS_INTERRUPT)
		return -EINTR;
	if (failing_calls_how == FAILING_CALLS_SHORT)
		return failing_calls_real(
		    number, FAILING_CALLS_ARG(u, 0), FAILING_CALLS_ARG(u, 1),
		    FAILING_CALLS_ARG(u, 2) / 2, FAILING_CALLS_ARG(u, 3), 0, 0);
	return -failing_calls_error(number);
}

static void failing_calls_handle(int sig, siginfo_t *info, void *context)
{
	ucontext_t *u = context;
	long number = info->si_syscall;
	long ret;

	(void)sig;
	if (failing_calls_must_fail(number, u)) {
		ret = failing_calls_fail(number, u);
	} else if (number == SYS_rt_sigprocmask) {
		/* the mask in force is the one that the return from here restores */
		ret = failing_calls_mask(u);
		failing_calls_real(SYS_rt_sigprocmask, SIG_BLOCK, 0, (long)&u->uc_sigmask,
				   sizeof(uint64_t), 0, 0);
	} else {
		ret = failing_calls_real(number, FAILING_CALLS_ARG(u, 0),
					 FAILING_CALLS_ARG(u, 1), FAILING_CALLS_ARG(u, 2),
					 FAILING_CALLS_ARG(u, 3), FAILING_CALLS_ARG(u, 4),
					 FAILING_CALLS_ARG(u, 5));
	}
	FAILING_CALLS_RESULT(u) = (__typeof__(FAILING_CALLS_RESULT(u)))ret;
}

static inline bool failing_calls_is_stat(void)
{
	return failing_calls_last.number == SYS_fstat ||
	       failing_calls_last.number == SYS_newfstatat;
}

/* Whether what failed is about these file systems: what they tell is not always needed. */
static inline bool failing_calls_is_below_proc_or_sys(void)
{
	return failing_calls_last.number == SYS_openat &&
	       (strncmp(failing_calls_last.path, "/proc/", 6) == 0 ||
		strncmp(failing_calls_last.path, "/sys/", 5) == 0);
}

/* How many questions have answers that the library can do without depends on the file system. */
static inline bool failing_calls_is_on_tmpfs(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == 0x01021994;
}

/* All ways to fail, for tests that go through them. */
enum { FAILING_CALLS_WAYS = 4 };

static unsigned failing_calls_chosen;

static inline void failing_calls_choose(unsigned way)
{
	failing_calls_chosen = way;
	failing_calls_how = way == 2   ? FAILING_CALLS_INTERRUPT
			    : way == 3 ? FAILING_CALLS_SHORT
				       : FAILING_CALLS_ERROR;
	failing_calls_lasting = way == 1;
}

static inline const char *failing_calls_way(void)
{
	return failing_calls_how == FAILING_CALLS_INTERRUPT ? "interrupted"
	       : failing_calls_how == FAILING_CALLS_SHORT   ? "half done"
	       : failing_calls_lasting			    ? "and later ones"
							    : "once";
}

/* From now on until the process ends. False: there are no such filters here. */
static inline bool failing_calls_install(void)
{
	const uint64_t ip = (uintptr_t)failing_calls_behind;
	const unsigned at = offsetof(struct seccomp_data, instruction_pointer);
	/* what returns elsewhere, or makes a process, is called as it is */
	struct sock_filter filter[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)ip, 0, 2),
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at + 4),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(ip >> 32), 7, 0),
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 5, 0),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit, 4, 0),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 3, 0),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 2, 0),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 1, 0),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_sigaction = failing_calls_handle;
	action.sa_flags = SA_SIGINFO | SA_NODEFER; /* so the mask is the program's */
	return sigaction(SIGSYS, &action, NULL) == 0 &&
	       prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/*
 * Runs a function in a child with the filter. Returns the child's exit status, which is the
 * function's result. Where there are no such filters, the test is skipped.
 */
static inline int failing_calls_fork(int (*run)(const void *arg), const void *arg)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(failing_calls_install() ? run(arg) : 77);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status))
		fail_msg("the process ends with status 0x%x", (unsigned)status);
	if (WEXITSTATUS(status) == 77) {
		print_message("skipped: no seccomp filters here\n");
		skip();
	}
	return WEXITSTATUS(status);
}

/* "<step>, call <at>, <way> (<number and arguments>) <path>", of what failed last. */
static inline const char *failing_calls_text(const char *step, unsigned at)
{
	static char text[400];

	snprintf(text, sizeof(text), "%s, call %u, %s (%ld %lx %lx %lx %lx) %s", step, at,
		 failing_calls_way(), failing_calls_last.number,
		 (unsigned long)failing_calls_last.arg[0],
		 (unsigned long)failing_calls_last.arg[1],
		 (unsigned long)failing_calls_last.arg[2],
		 (unsigned long)failing_calls_last.arg[3], failing_calls_last.path);
	return text;
}

/* The at-th call from now on fails. */
static inline void failing_calls_arm(unsigned at)
{
	failing_calls_seen = 0;
	failing_calls_at = at;
}

/* Returns whether a call has failed. */
static inline bool failing_calls_disarm(void)
{
	bool has_failed = failing_calls_seen >= failing_calls_at;

	failing_calls_at = 0;
	return has_failed;
}

#endif
