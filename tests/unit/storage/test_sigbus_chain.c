/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Our handler, and those that the program installs before, on top of, and instead of it, while pools
 * are open and while none is.
 */
#include "sigbus_fixture.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdlib.h>

#include "compiler.h"

/* Called once, before or after our query of the action, as if by another thread. */
static void (*just_before)(void);
static void (*just_after)(void);

static void call_once(void (**function)(void))
{
	void (*f)(void) = *function;

	*function = NULL;
	if (f)
		f();
}

static int real_sigaction(int sig, const struct sigaction *act, struct sigaction *old)
{
	static int (*real)(int, const struct sigaction *, struct sigaction *);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "sigaction");
	return real(sig, act, old);
}

SUPPORT_INTERPOSE int sigaction(int sig, const struct sigaction *act,
				struct sigaction *old)
{
	bool is_query = sig == SIGBUS && !act;
	int ret;

	if (is_query)
		call_once(&just_before);
	ret = real_sigaction(sig, act, old);
	if (is_query)
		call_once(&just_after);
	return ret;
}

static struct sigaction action(void)
{
	struct sigaction now;

	real_sigaction(SIGBUS, NULL, &now);
	return now;
}

/* Also compares all that the kernel knows of it. */
static bool is_action(const struct sigaction *want)
{
	struct sigaction now = action();

	for (int sig = 1; sig < NSIG; sig++)
		if (sigismember(&now.sa_mask, sig) != sigismember(&want->sa_mask, sig))
			return false;
	return now.sa_handler == want->sa_handler && now.sa_flags == want->sa_flags;
}

static volatile sig_atomic_t calls[4];	 /* of the handlers below */
static struct sigaction older[4];	 /* the action that each of them calls */
static void *volatile own_page;		 /* raises SIGBUS until `last` has mended it */
static volatile sig_atomic_t good_infos; /* calls of `last` that were told of own_page */
static volatile sig_atomic_t is_blocked; /* SIGBUS, in `last` */

static void last(int sig, siginfo_t *info, void *context)
{
	sigset_t now;

	(void)context;
	sigprocmask(SIG_BLOCK, NULL, &now);
	is_blocked = sigismember(&now, sig);
	calls[0]++;
	good_infos += info->si_code > 0 && info->si_addr == own_page;
	mmap(own_page, 4096, PROT_READ | PROT_WRITE,
	     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static void call_older(int i, int sig, siginfo_t *info, void *context)
{
	if (++calls[i] > 100)
		_exit(99); /* without end */
	if (older[i].sa_flags & SA_SIGINFO)
		older[i].sa_sigaction(sig, info, context);
	else
		_exit(98);
}

static void second(int sig, siginfo_t *info, void *context)
{
	call_older(1, sig, info, context);
}

static void third(int sig, siginfo_t *info, void *context)
{
	call_older(2, sig, info, context);
}

static void fourth(int sig, siginfo_t *info, void *context)
{
	call_older(3, sig, info, context);
}

static void (*const handlers[])(int, siginfo_t *, void *) = {last, second, third, fourth};

static void install(int i)
{
	struct sigaction sa = {.sa_flags = SA_SIGINFO};

	sa.sa_sigaction = handlers[i];
	real_sigaction(SIGBUS, &sa, &older[i]);
}

static void forget_calls(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		calls[i] = 0;
}

/* What the kernel does not fill in is nothing that it has filled in before. */
static __attribute__((noinline)) void soil_stack(void)
{
	volatile unsigned char room[1 << 15];

	for (size_t i = 0; i < sizeof(room); i++)
		room[i] = 0xa5;
}

/* A failed access of the program's own. Returns how often the handlers were called. */
static int fault(void)
{
	int fd = memfd_create("lost", MFD_CLOEXEC);

	forget_calls();
	good_infos = 0;
	own_page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	soil_stack();
	*(volatile char *)own_page = 1;
	munmap(own_page, 4096);
	return 1000 * calls[0] + 100 * calls[1] + 10 * calls[2] + calls[3];
}

static void plain(int sig)
{
	(void)sig;
	_exit(97);
}

static bool survives(void)
{
	put(7, 7);
	put(8, 8);
	lose_page(data_off(7));
	return get(7) == -1 && get(8) == 8;
}

/* Whatever the program has installed while no pool was open. */
static void a_pool_that_is_opened_later_is_protected_too(void **state)
{
	struct sigaction actions[] = {
	    {.sa_handler = SIG_DFL, .sa_flags = (int)SA_RESTART},
	    {.sa_handler = SIG_IGN, .sa_flags = SA_SIGINFO},
	    {.sa_handler = plain, .sa_flags = SA_NODEFER},
	    {.sa_flags = SA_SIGINFO | SA_ONSTACK}};
	pid_t pid;
	int status;

	(void)state;
	if (SUPPORT_SANITIZED)
		skip(); /* sanitizers keep actions of their own */
	make_pool();
	actions[3].sa_sigaction = last;
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		sigaddset(&actions[i].sa_mask, SIGUSR1);
		CHILD({
			create_pool("own");
			install(1); /* so ours stays when the pool is closed */
			pmemblk_close(pool);
			sigaction(SIGBUS, &actions[i], NULL);
			actions[i] = action();
			for (int round = 0; round < 10; round++) {
				create_pool("own");
				if (!survives())
					_exit(4);
				pmemblk_close(pool);
				if (!is_action(&actions[i]))
					_exit(5);
			}
			_exit(0);
		});
		assert_int_equal(status, 0);
	}
	drop_pool();
}

/*
 * The handlers, from below: last, ours, second, ours, third, ours, fourth. The library does not
 * know which of them call the older one.
 */
static void handlers_that_call_our_older_ones_are_called_once(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	make_pool();
	CHILD({
		install(0);
		for (int i = 1; i < 4; i++) {
			create_pool("own");
			install(i);
			pmemblk_close(pool);
			if (action().sa_sigaction != handlers[i])
				_exit(2);
		}
		if (fault() != 1111 || good_infos != 1)
			_exit(4);
		/* not too often for the levels */
		for (int round = 0; round < 10; round++) {
			create_pool("own");
			if (fault() != 1111 || good_infos != 1)
				_exit(5);
			forget_calls();
			if (!survives() || calls[3] != 0)
				_exit(6);
			pmemblk_close(pool);
			if (action().sa_sigaction != fourth)
				_exit(7);
		}
		/* the program removes them, as it has installed them, while a pool is open */
		create_pool("own");
		for (int i = 3; i > 0; i--) {
			sigaction(SIGBUS, &older[i], NULL);
			if (fault() != 1000 + (i == 3) * 110 + (i == 2) * 100)
				_exit(8);
		}
		if (!survives())
			_exit(9);
		pmemblk_close(pool);
		_exit(action().sa_sigaction == last ? 0 : 10);
	});
	assert_int_equal(status, 0);
	drop_pool();
}

/* A handler that is never called. */
static void (*handler(int n))(int)
{
	static char code[100];

	return (void (*)(int))(uintptr_t)&code[n];
}

static void a_program_with_many_actions_is_told(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	make_pool();
	CHILD({
		int n = 0;

		alarm(20);
		do {
			signal(SIGBUS, handler(n));
			set_catch(1);
			unlink(path);
			path = support_path(true, "own");
			unlink(path);
			errno = 0;
			pool = pmemblk_create(path, BSIZE, SIZE, 0644);
			pmemblk_close(pool);
			if (action().sa_handler != handler(n))
				_exit(2);
		} while (pool && ++n < 100);
		if (errno != ENOMEM || n < 6 || n > 8)
			_exit(4);
		if (!strstr(pmemblk_errormsg(), path) ||
		    !strstr(pmemblk_errormsg(), "more than 8 different actions"))
			_exit(5);
		/* with a known one it goes on */
		signal(SIGBUS, handler(0));
		create_pool("own");
		_exit(survives() ? 0 : 6);
	});
	assert_int_equal(status, 0);
	drop_pool();
}

/* sysv_signal(3), which not every C library has. */
static void (*set_once(int sig, void (*function)(int)))(int)
{
	struct sigaction sa = {.sa_handler = function};
	struct sigaction old;

	sa.sa_flags = (int)SA_RESETHAND | SA_NODEFER;
	real_sigaction(sig, &sa, &old);
	return old.sa_handler;
}

/* They restore a handler without SA_SIGINFO. */
static void our_handler_recovers_if_signal_installs_it_again(void **state)
{
	void (*(*const set[])(int, void (*)(int)))(int) = {signal, set_once};
	pid_t pid;
	int status;

	(void)state;
	if (SUPPORT_SANITIZED)
		skip(); /* sanitizers install a handler of their own, with SA_SIGINFO */
	make_pool();
	for (size_t i = 0; i < ARRAY_SIZE(set); i++) {
		CHILD({
			struct sigaction before;

			install(0);
			before = action();
			create_pool("own");
			for (int round = 0; round < 5; round++) {
				put(7, 7);
				put(8, 8);
				set[i](SIGBUS, set[i](SIGBUS, plain));
				if (action().sa_flags & SA_SIGINFO)
					_exit(2);
				if (fault() != 1000 || good_infos != 1)
					_exit(4);
				set[i](SIGBUS, set[i](SIGBUS, SIG_IGN));
				lose_page(data_off(7));
				soil_stack();
				if (get(7) != -1 || get(8) != 8)
					_exit(5);
				if (!(action().sa_flags & SA_SIGINFO))
					_exit(6);
				pmemblk_close(pool);
				if (!is_action(&before))
					_exit(7);
				create_pool("own");
			}
			_exit(0);
		});
		assert_int_equal(status, 0);
	}
	drop_pool();
}

static struct sigaction recovered;

static void recover(void)
{
	real_sigaction(SIGBUS, &recovered, NULL);
}

static void replace_it(void)
{
	install(0);
}

static void our_handler_sees_that_another_thread_has_recovered_it(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	if (SUPPORT_SANITIZED)
		skip(); /* see above */
	make_pool();
	CHILD({
		void (*ours)(int);

		install(0);
		create_pool("own");
		ours = action().sa_handler;
		signal(SIGBUS, ours);
		if (fault() != 1000)
			_exit(2);
		recovered = action();
		if (recovered.sa_handler == ours)
			_exit(4);
		/* without information, ours looks when all is well, or installs itself too late */
		for (int too_late = 0; too_late < 2; too_late++) {
			signal(SIGBUS, ours);
			*(too_late ? &just_after : &just_before) = recover;
			if (fault() != 1000 || good_infos != 1 || !is_action(&recovered))
				_exit(5);
		}
		/* the program has installed its own by then */
		signal(SIGBUS, ours);
		just_after = replace_it;
		if (fault() != 1000 || good_infos != 1 || just_after)
			_exit(6);
		_exit(action().sa_sigaction == last ? 0 : 7);
	});
	assert_int_equal(status, 0);
	drop_pool();
}

static void install_second(void)
{
	install(1);
}

static void what_another_thread_installs_during_open_or_close_stays(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	make_pool();
	CHILD({
		install(0);
		just_after = install_second;
		create_pool("own");
		/* ours is on top of it */
		if (just_after || !survives() || fault() != 1100)
			_exit(2);
		pmemblk_close(pool);
		if (action().sa_sigaction != second)
			_exit(4);
		sigaction(SIGBUS, &older[1], NULL);
		create_pool("own");
		just_after = install_second;
		pmemblk_close(pool);
		if (just_after || action().sa_sigaction != second)
			_exit(5);
		_exit(fault() == 1100 ? 0 : 6);
	});
	assert_int_equal(status, 0);
	drop_pool();
}

static void close_pool(void)
{
	pmemblk_close(pool);
}

static void ignore(int sig)
{
	(void)sig;
}

/* SIG_DFL with SA_RESETHAND is what the kernel leaves if the program has called sysv_signal(). */
static void a_handler_that_runs_during_the_last_close_installs_nothing(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	if (SUPPORT_SANITIZED)
		skip(); /* sanitizers keep actions of their own */
	make_pool();
	CHILD({
		set_once(SIGBUS, ignore);
		create_pool("own");
		raise(SIGBUS);
		just_before = close_pool;
		raise(SIGBUS);
	});
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	drop_pool();
}

/* The kernel changes only the handler. */
static void an_action_that_serves_once_keeps_its_flags_and_mask(void **state)
{
	static const int flags[] = {SA_SIGINFO, SA_SIGINFO | SA_NODEFER};
	pid_t pid;
	int status;

	(void)state;
	if (SUPPORT_SANITIZED)
		skip(); /* sanitizers keep actions of their own */
	make_pool();
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		CHILD({
			struct sigaction own = {.sa_flags = flags[i] | (int)SA_RESETHAND};

			own.sa_sigaction = last;
			sigaddset(&own.sa_mask, SIGUSR1);
			/* often, with the same handler */
			for (int round = 0; round < 10; round++) {
				struct sigaction want;

				sigaction(SIGBUS, &own, NULL);
				want = action();
				create_pool("own");
				pmemblk_close(pool);
				if (!is_action(&want))
					_exit(2);
				create_pool("own");
				if (fault() != 1000 || good_infos != 1 || !survives())
					_exit(4);
				pmemblk_close(pool);
				want.sa_handler = SIG_DFL;
				if (!is_action(&want))
					_exit(5);
			}
			create_pool("own");
			fault();
		});
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	}
	drop_pool();
}

static void the_mask_counts_more_than_nodefer(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	if (SUPPORT_SANITIZED)
		skip(); /* sanitizers call handlers later, with another mask */
	make_pool();
	for (int masked = 0; masked < 2; masked++) {
		CHILD({
			struct sigaction own = {.sa_flags = SA_SIGINFO | SA_NODEFER};

			own.sa_sigaction = last;
			if (masked)
				sigaddset(&own.sa_mask, SIGBUS);
			sigaction(SIGBUS, &own, NULL);
			create_pool("own");
			if (fault() != 1000)
				_exit(2);
			_exit(is_blocked == masked ? 0 : 4);
		});
		assert_int_equal(status, 0);
	}
	drop_pool();
}

/* Another thread may have installed ours when the parent forked; see test_sigbus_signals.c. */
static void read_with_action_of_before(void)
{
	struct sigaction own = {.sa_handler = SIG_DFL, .sa_flags = SA_ONSTACK};

	sigaddset(&own.sa_mask, SIGUSR2);
	sigaction(SIGBUS, &own, NULL);
	own = action();
	lose_page(data_off(7));
	if (get(8) != 8 || get(7) != -1)
		_exit(2);
	pmemblk_close(pool);
	_exit(is_action(&own) ? 0 : 4);
}

static void a_child_keeps_the_flags_of_its_action(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	if (SUPPORT_SANITIZED)
		skip(); /* sanitizers keep actions of their own */
	signal(SIGBUS, SIG_DFL);
	make_pool();
	pid = fork();
	if (pid == 0)
		read_with_action_of_before();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	drop_pool();
}

static sigjmp_buf jump;

static void leap(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	(void)context;
	siglongjmp(jump, 1);
}

/* Its mask is the thread's again, and ours is ready for the next one. */
static void a_handler_may_jump_out_of_ours(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	make_pool();
	CHILD({
		struct sigaction own = {.sa_flags = SA_SIGINFO};
		sigset_t now;

		own.sa_sigaction = leap;
		sigaddset(&own.sa_mask, SIGUSR1);
		sigaction(SIGBUS, &own, NULL);
		create_pool("own");
		for (volatile int round = 0; round < 3; round++)
			if (sigsetjmp(jump, 1) == 0) {
				fault();
				_exit(2);
			}
		sigprocmask(SIG_BLOCK, NULL, &now);
		if (sigismember(&now, SIGUSR1) || sigismember(&now, SIGBUS))
			_exit(4);
		_exit(survives() ? 0 : 5);
	});
	assert_int_equal(status, 0);
	drop_pool();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_pool_that_is_opened_later_is_protected_too),
	    cmocka_unit_test(handlers_that_call_our_older_ones_are_called_once),
	    cmocka_unit_test(a_program_with_many_actions_is_told),
	    cmocka_unit_test(our_handler_recovers_if_signal_installs_it_again),
	    cmocka_unit_test(our_handler_sees_that_another_thread_has_recovered_it),
	    cmocka_unit_test(what_another_thread_installs_during_open_or_close_stays),
	    cmocka_unit_test(a_handler_that_runs_during_the_last_close_installs_nothing),
	    cmocka_unit_test(an_action_that_serves_once_keeps_its_flags_and_mask),
	    cmocka_unit_test(the_mask_counts_more_than_nodefer),
	    cmocka_unit_test(a_child_keeps_the_flags_of_its_action),
	    cmocka_unit_test(a_handler_may_jump_out_of_ours),
	};

	setenv("PMEM_IS_PMEM_FORCE", "1", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
