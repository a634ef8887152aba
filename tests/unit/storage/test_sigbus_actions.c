/* SPDX-License-Identifier: BSD-3-Clause */
/* While pools survive media errors: the program's own action for SIGBUS, whatever it is. */
#include "sigbus_fixture.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "compiler.h"

static volatile sig_atomic_t own_calls;

/* Sends a signal as the kernel or a process would. */
static void tell(int code, const volatile void *addr)
{
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	info.si_signo = SIGBUS;
	info.si_code = code;
	info.si_addr = (void *)(uintptr_t)addr;
	syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGBUS, &info);
}

/* As the kernel does for a process that wants to know early: no access has been made. */
static void tell_of_lost_memory(void)
{
	tell(BUS_MCEERR_AO, &own_calls);
}

/* With each of these flags. */
static const int leftovers[] = {0, SA_SIGINFO};

static void set_action(void (*action)(int), int flags)
{
	struct sigaction sa = {.sa_handler = action};

	sa.sa_flags = flags;
	sigaction(SIGBUS, &sa, NULL);
}

static void the_default_action_stays_for_others(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	make_pool();
	for (size_t i = 0; i < ARRAY_SIZE(leftovers); i++) {
		CHILD({
			int fd = memfd_create("lost", MFD_CLOEXEC);
			volatile char *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

			set_action(SIG_DFL, leftovers[i]);
			create_pool("own");
			_exit(*p ? 2 : 3);
		});
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
		CHILD({
			set_action(SIG_DFL, leftovers[i]);
			create_pool("own");
			raise(SIGBUS);
		});
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
		CHILD({
			set_action(SIG_DFL, leftovers[i]);
			create_pool("own");
			tell_of_lost_memory();
		});
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	}
	drop_pool();
}

static void a_signal_that_is_ignored_stays_ignored(void **state)
{
	struct sigaction now;
	pid_t pid;
	int status;

	(void)state;
	make_pool();
	for (size_t i = 0; i < ARRAY_SIZE(leftovers); i++) {
		CHILD({
			set_action(SIG_IGN, leftovers[i]);
			create_pool("own");
			kill(getpid(), SIGBUS);
			raise(SIGBUS);
			/* It also does not interrupt a system call. */
			sigaction(SIGBUS, NULL, &now);
			_exit(now.sa_flags & SA_RESTART && get(5) == 0 ? 0 : 2);
		});
		assert_int_equal(status, 0);
		CHILD({
			set_action(SIG_IGN, leftovers[i]);
			create_pool("own");
			tell_of_lost_memory();
			_exit(sigaction(SIGBUS, NULL, &now) == 0 &&
				      now.sa_flags & SA_SIGINFO
				  ? 0
				  : 2);
		});
		assert_int_equal(status, 0);
		/* A signal that cannot be ignored without the library cannot be ignored with it. */
		CHILD({
			int fd = memfd_create("lost", MFD_CLOEXEC);
			volatile char *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

			set_action(SIG_IGN, leftovers[i]);
			create_pool("own");
			alarm(20);
			_exit(*p ? 2 : 3);
		});
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	}
	drop_pool();
}

static char other_stack[1 << 16];

static void note_mask(int sig)
{
	sigset_t now;

	sigprocmask(SIG_BLOCK, NULL, &now);
	own_calls += 1 + 10 * sigismember(&now, SIGUSR1) + 100 * sigismember(&now, sig);
}

static void the_programs_handler_runs_with_its_mask_and_flags(void **state)
{
	const stack_t stack = {.ss_sp = other_stack, .ss_size = sizeof(other_stack)};
	struct sigaction own = {.sa_handler = note_mask};
	pid_t pid;
	int status;

	(void)state;
	make_pool();
	sigaddset(&own.sa_mask, SIGUSR1);
	/* what variables hold that nobody sets */
	memset(other_stack, 0xff, sizeof(other_stack));
	own_calls = 0;
	CHILD({
		sigaction(SIGBUS, &own, NULL);
		create_pool("own");
		raise(SIGBUS);
		raise(SIGBUS);
		_exit(own_calls == 222 ? 0 : own_calls);
	});
	assert_int_equal(status, 0);
	CHILD({
		own.sa_flags = (int)SA_RESETHAND | SA_NODEFER | SA_ONSTACK;
		sigaltstack(&stack, NULL);
		sigaction(SIGBUS, &own, NULL);
		create_pool("own");
		raise(SIGBUS);
		if (own_calls != 11)
			_exit(own_calls);
		raise(SIGBUS);
	});
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	drop_pool();
}

static void note_stack(int sig)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);

	(void)sig;
	own_calls += here - (uintptr_t)other_stack < sizeof(other_stack) ? 10 : 1;
}

static void the_programs_handler_runs_on_the_stack_that_it_asked_for(void **state)
{
	const stack_t stack = {.ss_sp = other_stack, .ss_size = sizeof(other_stack)};
	struct sigaction own = {.sa_handler = note_stack};
	pid_t pid;
	int status;

	(void)state;
	make_pool();
	for (int on_other = 0; on_other < 2; on_other++) {
		CHILD({
			own.sa_flags = on_other ? SA_ONSTACK : 0;
			sigaltstack(&stack, NULL);
			sigaction(SIGBUS, &own, NULL);
			create_pool("own");
			raise(SIGBUS);
			_exit(own_calls);
		});
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), on_other ? 10 : 1);
	}
	drop_pool();
}

/* An access cannot be ignored, whatever the error is. */
static void an_unaligned_access_ends_a_program_that_ignores_the_signal(void **state)
{
	struct sigaction now;
	pid_t pid;
	int status;

	(void)state;
	make_pool();
	CHILD({
		signal(SIGBUS, SIG_IGN);
		create_pool("own");
		tell(BUS_ADRALN, &now);
		sigaction(SIGBUS, NULL, &now);
		_exit(now.sa_handler == SIG_DFL ? 0 : 2);
	});
	assert_int_equal(status, 0);
	drop_pool();
}

/* What kill() fills in may look like an address of the pool. */
static void a_signal_of_a_process_is_no_media_error(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	if (SUPPORT_SANITIZED)
		skip(); /* sanitizers call handlers later, with another mask */
	make_pool();
	own_calls = 0;
	CHILD({
		unsigned char *block;
		uint64_t epoch;

		set_action(note_mask, 0);
		create_pool("own");
		put(7, 7);
		block = pool->map.base + data_off(7);
		sigbus_enter(&pool->watch);
		epoch = atomic_load(&pool->watch.epoch);
		tell(SI_USER, block);
		tell(SI_QUEUE, block);
		if (own_calls != 202 || atomic_load(&pool->watch.epoch) != epoch)
			_exit(2);
		_exit(!sigbus_leave(&pool->watch) && get(7) == 7 ? 0 : 4);
	});
	assert_int_equal(status, 0);
	drop_pool();
}

static struct sigaction ours;
static volatile sig_atomic_t left_blocked;

static void call_ours(int sig, siginfo_t *info, void *context)
{
	sigset_t now;

	ours.sa_sigaction(sig, info, context);
	sigprocmask(SIG_BLOCK, NULL, &now);
	left_blocked += sigismember(&now, SIGUSR1) + sigismember(&now, sig);
}

static void a_handler_that_was_installed_later_may_call_ours(void **state)
{
	struct sigaction own = {.sa_handler = note_mask};
	struct sigaction chain = {.sa_flags = SA_SIGINFO | SA_NODEFER};
	struct sigaction now;
	pid_t pid;
	int status;

	(void)state;
	if (SUPPORT_SANITIZED)
		skip(); /* sanitizers call handlers later, with another mask */
	make_pool();
	sigaddset(&own.sa_mask, SIGUSR1);
	chain.sa_sigaction = call_ours;
	own_calls = 0;
	CHILD({
		sigaction(SIGBUS, &own, NULL);
		create_pool("own");
		put(7, 7);
		sigaction(SIGBUS, &chain, &ours);
		/* without the library, it would call the first one like this */
		raise(SIGBUS);
		if (own_calls != 1 || left_blocked != 0)
			_exit(2);
		lose_page(data_off(7));
		if (get(7) != -1)
			_exit(4);
		/* it stays when the last pool is closed */
		pmemblk_close(pool);
		sigaction(SIGBUS, NULL, &now);
		_exit(now.sa_sigaction == call_ours ? 0 : 5);
	});
	assert_int_equal(status, 0);
	drop_pool();
}

/* signal() gives back a handler without its flags. */
static void our_handler_goes_with_the_last_pool_if_signal_installed_it_again(void **state)
{
	struct sigaction now;
	pid_t pid;
	int status;

	(void)state;
	make_pool();
	CHILD({
		signal(SIGBUS, SIG_IGN);
		create_pool("own");
		signal(SIGBUS, signal(SIGBUS, note_mask));
		pmemblk_close(pool);
		sigaction(SIGBUS, NULL, &now);
		_exit(now.sa_handler == SIG_IGN ? 0 : 2);
	});
	assert_int_equal(status, 0);
	drop_pool();
}

static bool cannot_map;
static bool cannot_move;
static size_t unmapped;

SUPPORT_INTERPOSE void *mmap(void *addr, size_t len, int prot, int flags, int fd,
			     off_t off)
{
	if (cannot_map) {
		cannot_map = false;
		errno = ENOMEM;
		return MAP_FAILED;
	}
	return (void *)syscall(SYS_mmap, addr, len, prot, flags, fd, off);
}

SUPPORT_INTERPOSE void *mremap(void *old, size_t old_len, size_t len, int flags, ...)
{
	va_list ap;
	void *to;

	if (cannot_move) {
		cannot_move = false;
		errno = ENOMEM;
		return MAP_FAILED;
	}
	va_start(ap, flags);
	to = flags & MREMAP_FIXED ? va_arg(ap, void *) : NULL;
	va_end(ap);
	return (void *)syscall(SYS_mremap, old, old_len, len, flags, to);
}

SUPPORT_INTERPOSE int munmap(void *addr, size_t len)
{
	unmapped += len;
	return (int)syscall(SYS_munmap, addr, len);
}

static void mend_page(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	own_calls++;
	mmap((void *)((uintptr_t)info->si_addr & ~(uintptr_t)4095), 4096,
	     PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static void a_page_that_cannot_be_replaced_is_left_to_the_program(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	if (SUPPORT_SANITIZED)
		skip(); /* sanitizers call handlers later, with another mask */
	make_pool();
	for (int moves = 0; moves < 2; moves++) {
		own_calls = 0;
		CHILD({
			struct sigaction own = {.sa_flags = SA_SIGINFO};
			volatile unsigned char *block;
			unsigned char byte;

			own.sa_sigaction = mend_page;
			sigaction(SIGBUS, &own, NULL);
			create_pool("own");
			put(7, 7);
			lose_page(data_off(7));
			block = pool->map.base + data_off(7);
			sigbus_enter(&pool->watch);
			cannot_map = !moves;
			cannot_move = moves;
			unmapped = 0;
			errno = 1234;
			atomic_signal_fence(memory_order_seq_cst);
			byte = *block;
			atomic_signal_fence(memory_order_seq_cst);
			if (byte != 0 || errno != 1234 || own_calls != 1)
				_exit(2);
			/* nothing is left behind */
			if (unmapped != (moves ? 4096 : 0))
				_exit(4);
			sigbus_leave(&pool->watch);
			_exit(atomic_load(&pool->watch.open) == 0 ? 0 : 5);
		});
		assert_int_equal(status, 0);
	}
	drop_pool();
}

static void a_process_without_address_space_is_not_protected(void **state)
{
	static const struct rlimit none = {0};
	pid_t pid;
	int status;

	(void)state;
	if (SUPPORT_SANITIZED)
		skip(); /* sanitizers need more address space for their handlers */
	make_pool();
	CHILD({
		signal(SIGBUS, SIG_DFL);
		create_pool("own");
		put(7, 7);
		lose_page(data_off(7));
		if (get(7) != -1)
			_exit(2);
		setrlimit(RLIMIT_AS, &none);
		get(7);
	});
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	drop_pool();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_signal_that_is_ignored_stays_ignored),
	    cmocka_unit_test(an_unaligned_access_ends_a_program_that_ignores_the_signal),
	    cmocka_unit_test(the_programs_handler_runs_with_its_mask_and_flags),
	    cmocka_unit_test(the_programs_handler_runs_on_the_stack_that_it_asked_for),
	    cmocka_unit_test(a_signal_of_a_process_is_no_media_error),
	    cmocka_unit_test(a_handler_that_was_installed_later_may_call_ours),
	    cmocka_unit_test(
		our_handler_goes_with_the_last_pool_if_signal_installed_it_again),
	    cmocka_unit_test(a_page_that_cannot_be_replaced_is_left_to_the_program),
	    cmocka_unit_test(a_process_without_address_space_is_not_protected),
	    cmocka_unit_test(the_default_action_stays_for_others),
	};

	setenv("PMEM_IS_PMEM_FORCE", "1", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
