# SPDX-License-Identifier: BSD-3-Clause
#
# The tests and the benchmarks; included by the Makefile.
#
# tests/<kind>/test_*.c is a program, tests/<kind>/test_*.sh a script; each is one test. Unit,
# crash and concurrency tests are linked with the libraries' internals; API tests see the public
# headers and the shared libraries only. A test exits with 0. If it was skipped, it exits with 77,
# and the last line of its output has the reason.

SUPPORT_OBJ := $(call objs,$(wildcard tests/support/*.c))
INTERNAL_TESTS := $(wildcard tests/unit/*/test_*.c tests/concurrency/test_*.c tests/fuzz/test_*.c)
CRASH_TESTS := $(wildcard tests/crash/test_*.c)
PUBLIC_TESTS := $(wildcard tests/api/*/test_*.c)
TOOL_TESTS := $(wildcard tests/tool/test_*.c)
TEST_HELPERS := $(filter-out tests/compat/failures%,$(wildcard tests/compat/*.c tests/machine/*.c)) \
	tests/build/steps.c
TEST_SCRIPTS := $(wildcard tests/*/test_*.sh)

test_bin = $(patsubst %.c,$(B)/%,$(1))
PUBLIC_TEST_BIN := $(call test_bin,$(PUBLIC_TESTS))
TEST_BIN := $(call test_bin,$(INTERNAL_TESTS) $(CRASH_TESTS) $(TOOL_TESTS)) $(PUBLIC_TEST_BIN)
HELPER_BIN := $(call test_bin,$(TEST_HELPERS))
BENCH_BIN := $(B)/tests/bench/bench
SIZE_BIN := $(B)/tests/bench/size

# Distributions have cmocka for the machine's own CPU only.
ifneq ($(CROSS),)
OWN_CMOCKA := 1
endif
ifneq ($(OWN_CMOCKA),)
SUPPORT_OBJ += $(call objs,tests/support/cross/cmocka.c)
CMOCKA_LIBS :=
$(B)/obj/tests/%.o: INCLUDES += -Itests/support/cross
endif
CMOCKA_LIBS ?= -lcmocka
$(B)/obj/tests/%.o: INCLUDES += -Itests/support
$(B)/obj/tests/unit/%.o: INCLUDES += -Itests/unit -Isrc/pmem -Isrc/blk -Isrc
$(B)/obj/tests/crash/%.o: INCLUDES += -Isrc/blk -Isrc
$(B)/obj/tests/concurrency/%.o: INCLUDES += -Isrc/pmem -Isrc/blk -Isrc
$(B)/obj/tests/fuzz/%.o: INCLUDES += -Isrc/blk -Isrc
$(B)/obj/tests/%.o: private OWN_CFLAGS += -UNDEBUG

# All objects of both libraries, with common/ only once, for tests and the tool.
INTERNALS := -Wl,--whole-archive $(B)/internals.a -Wl,--no-whole-archive
$(B)/internals.a: $(COMMON_OBJ) $(PMEM_OBJ) $(BLK_OBJ)
	$(call pack,$^)

TEST_LDFLAGS_tests/unit/common/test_errormsg = -Wl,--wrap=calloc
TEST_LDFLAGS_tests/unit/common/test_thread_memory = -Wl,--wrap=calloc,--wrap=pthread_setspecific
TEST_LDFLAGS_tests/unit/base/test_fork_memory = -Wl,--wrap=fork_lock_acquire,--wrap=fork_lock_release
TEST_LDFLAGS_tests/unit/base/test_fork_memory_clear = $(TEST_LDFLAGS_tests/unit/base/test_fork_memory)
TEST_LDFLAGS_tests/unit/pool/test_fork_locks = -Wl,--wrap=fork_lock_acquire,--wrap=fork_lock_release
TEST_LDFLAGS_tests/unit/storage/test_sync_group = -Wl,--wrap=pthread_mutex_lock,--wrap=pthread_mutex_unlock \
	-Wl,--wrap=pthread_condattr_init,--wrap=pthread_condattr_destroy
TEST_LDFLAGS_tests/unit/storage/test_sigbus_limits = -Wl,--wrap=pthread_key_create \
	-Wl,--wrap=fork_lock_acquire,--wrap=fork_lock_release
TEST_LDFLAGS_tests/unit/storage/test_pmem_calls = -Wl,--wrap=pmem_memcpy,--wrap=pmem_memset,--wrap=pmem_flush,--wrap=pmem_drain \
	-Wl,--wrap=pmem_deep_flush
TEST_LDFLAGS_tests/unit/pmem/test_auto_flush = -Wl,--wrap=open,--wrap=readdir
TEST_LDFLAGS_tests/unit/pmem/test_store_width = -Wl,--wrap=memset,--wrap=memmove
TEST_LDFLAGS_tests/unit/poolset/test_map = -Wl,--wrap=storage_pool_can_flush
TEST_LDFLAGS_tests/unit/btt/test_lanes = -Wl,--wrap=pthread_key_create,--wrap=pthread_setspecific
TEST_LDFLAGS_tests/tool/test_pieces = -Wl,--wrap=pthread_create
TEST_LDFLAGS_tests/tool/test_repair_backup_errors = -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=reallocarray \
	-Wl,--wrap=strdup,--wrap=fdopen

$(call test_bin,$(INTERNAL_TESTS)): $(B)/%: $(B)/obj/%.o $(SUPPORT_OBJ) $(B)/internals.a
	$(link) $(TEST_LDFLAGS_$*) $(filter %.o,$^) $(INTERNALS) $(CMOCKA_LIBS)

# The tool's own objects, without its main().
TOOL_PARTS := $(filter-out %/main.o,$(TOOL_OBJ))
$(B)/obj/tests/tool/%.o: INCLUDES += -Isrc/blk -Isrc/tool
$(call test_bin,$(TOOL_TESTS)): $(B)/%: $(B)/obj/%.o $(TOOL_PARTS) $(SUPPORT_OBJ) $(B)/internals.a
	$(link) $(TEST_LDFLAGS_$*) $(filter %.o,$^) $(INTERNALS) $(CMOCKA_LIBS)

# The crash tests decide at each access to shared memory which thread runs next. So their copy of
# blk/btt is compiled as for ThreadSanitizer, with tests/crash/hooks.c in place of its run time, and
# each call of the source is one call of the program, which a mutation can leave out. With
# a sanitizer or for coverage they use the ordinary objects, and decide only at calls of the storage.
CRASH_OBJ := $(call objs,$(filter-out $(CRASH_TESTS),$(wildcard tests/crash/*.c)))
CRASH_WRAP = -Wl,--wrap=lane_hint,--wrap=lane_thread,--wrap=lock_wait_slow,--wrap=uuid_generate \
	-Wl,--wrap=btt_redo_entry_locked,--wrap=btt_redo_collect_locked \
	-Wl,--wrap=lanes_borrow,--wrap=lanes_return,--wrap=map_guard_take,--wrap=lanes_look \
	-Wl,--wrap=clock_gettime,--wrap=pthread_mutex_lock,--wrap=pthread_mutex_unlock \
	-Wl,--wrap=pthread_cond_wait,--wrap=pthread_cond_signal,--wrap=pthread_cond_broadcast
ifeq ($(SAN)$(COV),)
HOOKED_SRC := $(wildcard src/blk/btt/*.c)
HOOKED_BLK := $(patsubst src/%.c,$(B)/hooked/%.o,$(HOOKED_SRC)) \
	$(call objs,$(filter-out $(HOOKED_SRC),$(BLK_SRC)))
CRASH_WRAP += -Wl,--wrap=memcpy
# Their arenas are at most 64 KiB larger than the minimum, so that a pool can have two. Their map
# locks are so few that in the smallest pool blocks share one.
CRASH_ARENA := -DBTT_CRASH_TEST_ARENA_SIZE=0x1010000ull -DBTT_CRASH_TEST_MAP_LOCKS=1024u
$(B)/obj/tests/crash/%.o: private OWN_CFLAGS += -DHOOKED=1 $(CRASH_ARENA)
else
HOOKED_BLK := $(BLK_OBJ)
endif

$(B)/hooked/%.o: src/%.c $(B)/flags Makefile
	@mkdir -p $(@D)
	$(call say,  CC    $@)
	$(Q)$(CC) $(INCLUDES) -Isrc/blk -DSRCVERSION='"$(VERSION)"' $(CPPFLAGS) $(OWN_CFLAGS) \
		$(CFLAGS) $(LANGUAGE) $(CRASH_ARENA) -fsanitize=thread $(if $(findstring clang,$(CC)),,-Wno-tsan) \
		-fno-optimize-sibling-calls -fno-unroll-loops -MMD -MP -c -o $@ $<

$(B)/hooked.a: $(COMMON_OBJ) $(PMEM_OBJ) $(HOOKED_BLK)
	$(call pack,$^)

$(call test_bin,$(CRASH_TESTS)): $(B)/%: $(B)/obj/%.o $(CRASH_OBJ) $(SUPPORT_OBJ) $(B)/hooked.a
	$(link) $(CRASH_WRAP) $(filter %.o,$^) $(B)/hooked.a $(CMOCKA_LIBS) -ldl

# A run path is used for a program's own libraries, but not for the libraries of these. So all of
# them are linked with libpmem, too, and libpmemblk gets ours.
$(PUBLIC_TEST_BIN): $(B)/%: $(B)/obj/%.o $(SUPPORT_OBJ) $(PMEM_SO) $(BLK_SO)
	$(link) $(TEST_LDFLAGS_$*) $(filter %.o,$^) \
		-L$(LIB) -Wl,-rpath,$(abspath $(LIB)) -Wl,--no-as-needed -lpmemblk -lpmem \
		$(CMOCKA_LIBS) -ldl

# The one API test of several files.
$(B)/tests/api/blk/test_errno: $(call objs,$(wildcard tests/api/blk/conditions*.c))

# Helper programs of the scripts run on the libraries that LD_LIBRARY_PATH selects.
$(HELPER_BIN): $(B)/%: $(B)/obj/%.o $(PMEM_SO) $(BLK_SO)
	$(link) $(filter %.o,$^) -L$(LIB) -lpmemblk -lpmem -ldl

# The one helper of several files.
$(B)/tests/compat/messages: $(call objs,$(wildcard tests/compat/failures*.c))

# The emulator runs no scripts, and no programs that start themselves again, fork with threads,
# replace functions of libc, filter system calls, ask which of their pages are resident, or need more
# address space than it has. pmem/test_store_width skips itself: only on x86-64 a program can step
# itself, and the emulator has no ptrace. What crash/test_mutants tests are the other crash tests, and
# crash/test_original needs the original for that CPU.
NOT_EMULATED := base/test_fork_memory base/test_fork_memory_clear blk/test_alloc blk/test_batch blk/test_ctl \
	blk/test_damage blk/test_dropped_pages blk/test_exit blk/test_failing_calls blk/test_fork \
	blk/test_fork_anytime blk/test_fork_files blk/test_fork_handlers blk/test_fork_mark \
	blk/test_fork_namespaces blk/test_fork_old_kernel blk/test_fork_owner blk/test_fork_read blk/test_fork_takeover \
	blk/test_full_disk blk/test_memory_bounds blk/test_msync blk/test_read_sizes blk/test_settings blk/test_shared_syncs \
	blk/test_sync_order blk/test_wait blk/test_wait_sets btt/test_arenas btt/test_flog_damage \
	common/test_mapping_space pmem/test_failing_calls pool/test_fork_locks pool/test_takeover \
	storage/test_sigbus_actions storage/test_sigbus_callers storage/test_sigbus_chain storage/test_sigbus_flags \
	storage/test_sigbus_once storage/test_sigbus_signals \
	crash/test_mutants crash/test_original tool/test_failing_calls tool/test_grow_power \
	tool/test_grow_trouble tool/test_repair_undo
ifneq ($(CROSS),)
TESTS ?= $(filter-out $(addprefix %/,$(NOT_EMULATED)),$(TEST_BIN))
endif
TESTS ?= $(TEST_BIN) $(TEST_SCRIPTS)

# The environment of the scripts. They build and install the same variant with `make`.
TEST_ENV = BUILD=$(abspath $(B)) SOURCE=$(CURDIR) VERSION=$(VERSION) CC='$(CC)' CROSS='$(CROSS)' \
	SAN='$(SAN)' COV='$(COV)' DEBUG='$(DEBUG)' RUNNER='$(RUNNER)'
# Programs of another CPU run under qemu's user emulation.
# qemu tells programs that it has DC CVAP, but fails to run it. The Cortex-A72 does not have it.
QEMU_CPU_aarch64 = -cpu cortex-a72
RUNNER ?= $(if $(CROSS),qemu-$(ARCH) $(QEMU_CPU_$(ARCH)) -L /usr/$(patsubst %-,%,$(CROSS)))

# Runs the programs under the address and undefined sanitizers, and those with threads, forks and
# locks under ThreadSanitizer. This leaves out tests that step through code, filter system calls, or
# compare code with that of another build, and the long crash tests, which check-long runs.
NOT_SANITIZED := pmem/test_store_width pmem/test_line_ends pmem/test_encoding pmem/test_failing_calls \
	blk/test_failing_calls tool/test_failing_calls \
	crash/test_batches crash/test_enumerate crash/test_failing_syncs crash/test_judge crash/test_mutants crash/test_rules
THREADED := $(wildcard tests/concurrency/test_*.c tests/unit/btt/test_*.c tests/unit/storage/test_*.c \
	tests/unit/common/test_*.c tests/unit/pool/test_*.c tests/unit/pmem/test_is_pmem*.c \
	tests/api/blk/test_fork*.c tests/api/blk/test_exit.c tests/api/blk/test_cancel*.c \
	tests/api/blk/test_contended.c tests/api/blk/test_msync.c tests/api/blk/test_wait*.c \
	tests/api/pmem/test_process.c)

check: all $(HELPER_BIN) $(BENCH_BIN) $(SIZE_BIN) $(filter-out %.sh,$(TESTS))
	@$(TEST_ENV) tests/support/run.sh $(TESTS)

check-sanitizers:
	+$(MAKE) check SAN=address,undefined TESTS='$$(filter-out $$(addprefix %/,$$(NOT_SANITIZED)),$$(TEST_BIN))'
	+$(MAKE) check SAN=thread TESTS='$$(call test_bin,$$(THREADED))'

# Benchmarks against the original's libraries. They are not part of a test, and run alone.
BENCH := blk disk pmem batches
$(BENCH_BIN): $(call objs,$(addprefix tests/bench/,bench.c turns.c workers.c limits.c \
		cases_batch.c cases_beside.c cases_blk.c cases_pmem.c cases_scale.c)) \
		$(PMEM_SO) $(BLK_SO)
	$(link) $(filter %.o,$^) -L$(LIB) -lpmemblk -lpmem -lm -ldl

$(SIZE_BIN): $(call objs,tests/bench/size.c) $(PMEM_SO) $(BLK_SO)
	$(link) $(filter %.o,$^) -L$(LIB) -lpmemblk -lpmem

bench: all $(BENCH_BIN) $(SIZE_BIN)
	@$(TEST_ENV) tests/bench/run.sh $(BENCH)

# Tests on real DAX, and on disks that fail, in emulated machines. They are not part of check.
DAX_BIN := $(call test_bin,$(wildcard tests/dax/*.c))
DAX_DISK_BIN := $(addprefix $(B)/tests/dax/,confirm cut failing judge mapper replay)
$(B)/obj/tests/dax/%.o: INCLUDES += -Itests/dax
$(DAX_DISK_BIN): $(call objs,$(wildcard tests/dax/disk/*.c))
$(DAX_BIN): $(B)/%: $(B)/obj/%.o $(PMEM_SO) $(BLK_SO)
	$(link) $(filter %.o,$^) -L$(LIB) -lpmemblk -lpmem -ldl

check-dax: all $(DAX_BIN) $(B)/tests/compat/pool
	@$(TEST_ENV) tests/dax/run.sh $(DAX) || [ $$? -eq 77 ]

check-replay: DAX ?= replay failing_disks
check-replay: check-dax
.PHONY: check-replay

# Runs the tests in every variant that this machine can build, some of them longer.
# VARIANTS="release thread" selects.
check-long:
	@MAKE='$(MAKE)' tests/support/check_long.sh $(VARIANTS)

# Changes the code at random places and checks whether a test fails; takes about an hour.
# MUTATE="--mutants 50 --areas btt,repair --seed 7" sets options. Needs Debian's python3-clang.
mutate:
	@/usr/bin/python3 tests/support/mutate.py $(MUTATE)

coverage:
	@rm -rf build/cov
	$(MAKE) COV=1 check
	@tests/support/coverage.sh build/cov
