/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * usage: locked FILE kill|refuse CALL... Opens a pool, starts threads, and installs a filter that
 * allows only the named system calls and those that a program needs to end. Other calls end the
 * process, or fail with EPERM. Then the threads read and write. If memfd_create is named, the pool
 * survives media errors, and its file is cut off instead: then all reads have to fail.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <libpmemblk.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { THREADS = 3, WRITES = 2000, BSIZE = 512, MAX = 64 };

static const struct {
	const char *name;
	int number;
} calls[] = {
    {"futex", SYS_futex},
    {"msync", SYS_msync},
    {"membarrier", SYS_membarrier},
    {"clock_nanosleep", SYS_clock_nanosleep},
    {"clock_gettime", SYS_clock_gettime},
    {"getrandom", SYS_getrandom},
    {"brk", SYS_brk},
    {"mmap", SYS_mmap},
    {"munmap", SYS_munmap},
    {"mprotect", SYS_mprotect},
    {"madvise", SYS_madvise},
    {"sysinfo", SYS_sysinfo},
    {"sched_yield", SYS_sched_yield},
    {"memfd_create", SYS_memfd_create},
    {"mremap", SYS_mremap},
    {"close", SYS_close},
    {"rt_sigaction", SYS_rt_sigaction},
    {"rt_sigreturn", SYS_rt_sigreturn},
    /* for the program itself: to end, and for what the C library does at a thread's end */
    {"write", SYS_write},
    {"exit", SYS_exit},
    {"exit_group", SYS_exit_group},
    {"rt_sigprocmask", SYS_rt_sigprocmask},
};

static PMEMblkpool *pool;
static pthread_barrier_t barrier;
static int is_cut; /* the file */

static int number_of(const char *name)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (strcmp(calls[i].name, name) == 0)
			return calls[i].number;
	return -1;
}

static int lock_up(int is_kill, char **names, int n)
{
	static const char *const own[] = {"write", "exit", "exit_group",
					  "rt_sigprocmask"};
	const unsigned action =
	    is_kill ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_ERRNO | EPERM;
	struct sock_filter filter[2 * MAX + 3];
	unsigned short k = 0;

	filter[k++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						   offsetof(struct seccomp_data, nr));
	for (int i = 0; i < n + 4; i++) {
		int number = number_of(i < n ? names[i] : own[i - n]);

		if (number < 0 || k >= 2 * MAX) {
			fprintf(stderr, "unknown call %s\n", names[i]);
			return -1;
		}
		filter[k++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
							   (unsigned)number, 0, 1);
		filter[k++] =
		    (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	}
	filter[k++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return 77;
	/* For all threads. */
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC,
		    &(struct sock_fprog){k, filter}))
		return 77;
	return 0;
}

static void *use(void *arg)
{
	char buf[BSIZE] = "text";
	struct pmemblk_iovec iov[2] = {{buf, 7, 1}, {buf, 1, 1}};
	long failed = 0;

	(void)arg;
	pthread_barrier_wait(&barrier); /* all threads have started */
	pthread_barrier_wait(&barrier); /* the filter is installed */
	for (int i = 0; is_cut && i < WRITES; i++)
		failed += pmemblk_read(pool, buf, i) == 0 || errno != EIO;
	for (int i = 0; !is_cut && i < WRITES; i++) {
		failed += pmemblk_write(pool, buf, i % 3) != 0;
		failed += pmemblk_read(pool, buf, i % 3) != 0;
		failed += pmemblk_set_zero(pool, 5) != 0;
		failed += pmemblk_writev(pool, iov, 2, NULL) != 0;
		failed += pmemblk_readv(pool, iov, 2, NULL) != 0;
		failed += pmemblk_set_zero_range(pool, 5, 40, NULL) != 0;
		/* sets a message, which needs memory */
		failed += pmemblk_read(pool, buf, -1) == 0;
	}
	pthread_barrier_wait(&barrier);
	return (void *)failed;
}

int main(int argc, char **argv)
{
	pthread_t thread[THREADS];
	char text[BSIZE] = "text";
	long failed = 0;
	int ret;

	if (argc < 4)
		return 2;
	for (int i = 3; i < argc; i++)
		is_cut |= strcmp(argv[i], "memfd_create") == 0;
	if (pmemblk_ctl_set(NULL, "sigbus.catch", &is_cut))
		return 1;
	pool = pmemblk_create(argv[1], BSIZE, PMEMBLK_MIN_POOL, 0600);
	if (!pool || pthread_barrier_init(&barrier, NULL, THREADS + 1))
		return 1;
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&thread[i], NULL, use, NULL))
			return 1;
	pthread_barrier_wait(&barrier);
	/* reads of a pool that nobody has written to access no page */
	if (is_cut &&
	    (pmemblk_write(pool, text, 0) || truncate(argv[1], PMEMBLK_MIN_POOL / 2)))
		return 1;
	ret = lock_up(strcmp(argv[2], "kill") == 0, argv + 3, argc - 3);
	if (ret)
		_exit(ret == 77 ? 77 : 2);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < THREADS; i++) {
		void *n;

		pthread_join(thread[i], &n);
		failed += (long)n;
	}
	ret = snprintf(text, sizeof(text), "%ld calls failed\n", failed);
	if (write(STDOUT_FILENO, text, (size_t)ret) != ret)
		_exit(1);
	_exit(failed != 0);
}
