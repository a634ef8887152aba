# SPDX-License-Identifier: BSD-3-Clause
#
# One makefile for everything; `make help` lists the targets. All output goes to
# build/<variant>, so variants can be built side by side.

VERSION = 1.14.0
SOMAJOR = 1
SOFULL = 1.0.0

PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR ?= $(PREFIX)/share/man
BINDIR ?= $(PREFIX)/bin
DEBUGDIR ?= $(LIBDIR)/pmdk_debug
DESTDIR ?=

# Variants: CC=clang, CROSS=aarch64-linux-gnu-, SAN=address,undefined or SAN=thread, COV=1,
# DEBUG=1. They go together as the compiler allows.
SAN ?=
COV ?=
DEBUG ?=
CROSS ?=
ifeq ($(origin CC),default)
CC := $(CROSS)gcc
endif
ifeq ($(origin AR),default)
AR := $(CROSS)ar
endif
LD_R ?= $(CC) $(if $(findstring -flto,$(CFLAGS)),-flinker-output=nolto-rel) -nostdlib -r
OBJCOPY ?= $(CROSS)objcopy
NM ?= $(CROSS)nm
INSTALL ?= install

MACHINE := $(shell $(CC) -dumpmachine)
ARCH := $(firstword $(subst -, ,$(MACHINE)))

comma := ,
empty :=
space := $(empty) $(empty)
VARIANT := $(subst $(space),-,$(strip $(patsubst %-,%,$(CROSS)) \
	$(filter-out gcc cc,$(patsubst $(CROSS)%,%,$(notdir $(firstword $(CC))))) \
	$(subst $(comma),-,$(SAN)) $(if $(COV),cov) $(if $(DEBUG),debug)))
ifeq ($(VARIANT),)
VARIANT := release
endif
B := build/$(VARIANT)

CFLAGS ?= -O2 -g
WARNINGS = -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes \
	-Wmissing-prototypes -Wpointer-arith -Wcast-qual -Wwrite-strings -Wundef -Wvla \
	-Wformat=2 -Wold-style-definition
WERROR ?= -Werror
OWN_CFLAGS := -std=c11 -D_GNU_SOURCE -fPIC -fvisibility=hidden -fno-strict-aliasing \
	-fno-common -pthread $(WARNINGS) $(WERROR)
OWN_LDFLAGS := -pthread
ifneq ($(SAN),)
OWN_CFLAGS += -fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all
OWN_LDFLAGS += -fsanitize=$(SAN)
# gcc says that the sanitizer does not model fences; what they order is annotated (race.h).
OWN_CFLAGS += $(if $(findstring thread,$(SAN)),$(if $(findstring clang,$(CC)),,-Wno-tsan))
endif
ifneq ($(COV),)
OWN_CFLAGS += --coverage -DCOVERAGE=1
OWN_LDFLAGS += --coverage
endif
ifneq ($(DEBUG),)
OWN_CFLAGS += -DDEBUG=1
else
OWN_CFLAGS += -DNDEBUG
endif
# A shared library with undefined symbols is a mistake, but the sanitizers' run-time comes
# with the program when clang links it.
NO_UNDEFINED := $(if $(SAN),,-Wl$(comma)-z$(comma)defs)
SO_LDFLAGS = -shared $(NO_UNDEFINED) -Wl,-z,now -Wl,-z,relro -Wl,-z,noexecstack

INCLUDES := -Iinclude -Isrc/common

COMMON_SRC := $(wildcard src/common/*.c)
PMEM_SRC := $(wildcard src/pmem/*.c src/pmem/generic/*.c src/pmem/$(ARCH)/*.c)
BLK_SRC := $(wildcard src/blk/*.c src/blk/*/*.c)
TOOL_SRC := $(wildcard src/tool/*.c src/tool/*/*.c)

objs = $(patsubst %.c,$(B)/obj/%.o,$(1))
COMMON_OBJ := $(call objs,$(COMMON_SRC))
PMEM_OBJ := $(call objs,$(PMEM_SRC))
BLK_OBJ := $(call objs,$(BLK_SRC))
TOOL_OBJ := $(call objs,$(TOOL_SRC))

LIB := $(B)/lib
LIBS := $(LIB)/libpmem.so.$(SOFULL) $(LIB)/libpmemblk.so.$(SOFULL) \
	$(LIB)/libpmem.a $(LIB)/libpmemblk.a $(LIB)/libpmem.pc $(LIB)/libpmemblk.pc

all: $(LIBS) $(if $(TOOL_SRC),$(B)/bin/pmemblk)

# V=1 shows the whole commands.
ifeq ($(V),)
Q := @
say = @echo '$(1)'
else
say = @:
endif

# --- objects -----------------------------------------------------------------------------

# Files of one instruction set are compiled for it: FLAGS_<path without .c> adds flags.
-include src/pmem/$(ARCH)/flags.mk

# A change of flags rebuilds.
$(B)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(CPPFLAGS) $(CFLAGS) $(OWN_CFLAGS)' | cmp -s - $@ || \
		echo '$(CC) $(CPPFLAGS) $(CFLAGS) $(OWN_CFLAGS)' > $@

$(B)/obj/src/pmem/%.o: INCLUDES += -Isrc/pmem
$(B)/obj/src/blk/%.o: INCLUDES += -Isrc/blk
$(B)/obj/src/tool/%.o: INCLUDES += -Isrc/blk -Isrc/tool

$(B)/obj/%.o: %.c $(B)/flags Makefile
	@mkdir -p $(@D)
	$(call say,  CC    $<)
	$(Q)$(CC) $(INCLUDES) -DSRCVERSION='"$(VERSION)"' $(CPPFLAGS) $(OWN_CFLAGS) $(FLAGS_$*) $(CFLAGS) -MMD -MP -c -o $@ $<

# --- libraries ---------------------------------------------------------------------------

$(LIB)/libpmem.so.$(SOFULL): $(PMEM_OBJ) $(COMMON_OBJ) src/pmem/libpmem.map
	@mkdir -p $(@D)
	$(call say,  LD    $@)
	$(Q)$(CC) $(SO_LDFLAGS) -Wl,-soname,libpmem.so.$(SOMAJOR) \
		-Wl,--version-script=src/pmem/libpmem.map $(OWN_LDFLAGS) $(LDFLAGS) \
		-o $@ $(PMEM_OBJ) $(COMMON_OBJ)
	$(Q)ln -sf libpmem.so.$(SOFULL) $(LIB)/libpmem.so.$(SOMAJOR)
	$(Q)ln -sf libpmem.so.$(SOMAJOR) $(LIB)/libpmem.so

$(LIB)/libpmemblk.so.$(SOFULL): $(BLK_OBJ) $(COMMON_OBJ) src/blk/libpmemblk.map \
		$(LIB)/libpmem.so.$(SOFULL)
	@mkdir -p $(@D)
	$(call say,  LD    $@)
	$(Q)$(CC) $(SO_LDFLAGS) -Wl,-soname,libpmemblk.so.$(SOMAJOR) \
		-Wl,--version-script=src/blk/libpmemblk.map $(OWN_LDFLAGS) $(LDFLAGS) \
		-o $@ $(BLK_OBJ) $(COMMON_OBJ) -L$(LIB) -lpmem
	$(Q)ln -sf libpmemblk.so.$(SOFULL) $(LIB)/libpmemblk.so.$(SOMAJOR)
	$(Q)ln -sf libpmemblk.so.$(SOMAJOR) $(LIB)/libpmemblk.so

# The archives hold one object each, with everything but the public functions made local, so
# that both can be linked into one program.
define archive
	@mkdir -p $(@D)
	$(call say,  AR    $@)
	$(Q)$(LD_R) -o $(B)/obj/$(1).o $(2)
	$(Q)sed -n '/global:/,/local:/s/^[[:space:]]*\([a-z_0-9]*\);.*/\1/p' $(3) > $(B)/obj/$(1).sym
	$(Q)$(OBJCOPY) --keep-global-symbols=$(B)/obj/$(1).sym $(B)/obj/$(1).o
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $(B)/obj/$(1).o
endef

$(LIB)/libpmem.a: $(PMEM_OBJ) $(COMMON_OBJ) src/pmem/libpmem.map
	$(call archive,libpmem,$(PMEM_OBJ) $(COMMON_OBJ),src/pmem/libpmem.map)

$(LIB)/libpmemblk.a: $(BLK_OBJ) $(COMMON_OBJ) src/blk/libpmemblk.map
	$(call archive,libpmemblk,$(BLK_OBJ) $(COMMON_OBJ),src/blk/libpmemblk.map)

PC_SED = sed -e 's|@VERSION@|$(VERSION)|' -e 's|@PREFIX@|$(PREFIX)|' \
	-e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|'

$(LIB)/%.pc: %.pc.in Makefile FORCE
	@mkdir -p $(@D)
	@$(PC_SED) $< > $@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

# The tool calls the shared libraries. Info and repair need some of libpmemblk's internals
# besides: what the library does not export comes from the archive behind it.
$(B)/blk-internals.a: $(COMMON_OBJ) $(BLK_OBJ)
	$(call say,  AR    $@)
	$(Q)rm -f $@
	$(Q)$(AR) qcs $@ $^

$(B)/bin/pmemblk: $(TOOL_OBJ) $(B)/blk-internals.a $(LIB)/libpmemblk.so.$(SOFULL)
	@mkdir -p $(@D)
	$(call say,  LD    $@)
	$(Q)$(CC) $(OWN_LDFLAGS) $(LDFLAGS) -o $@ $(TOOL_OBJ) -L$(LIB) -lpmemblk \
		$(B)/blk-internals.a -lpmem

# --- installation ------------------------------------------------------------------------

D_LIB = $(DESTDIR)$(if $(DEBUG),$(DEBUGDIR),$(LIBDIR))
D_INC = $(DESTDIR)$(INCLUDEDIR)
D_MAN = $(DESTDIR)$(MANDIR)
MAN_PAGES := $(wildcard src/man/*.[1357])

install: all
	$(INSTALL) -d $(D_LIB)
	for l in libpmem libpmemblk; do \
		$(INSTALL) -m 755 $(LIB)/$$l.so.$(SOFULL) $(D_LIB)/ && \
		ln -sf $$l.so.$(SOFULL) $(D_LIB)/$$l.so.$(SOMAJOR) || exit 1; done
ifeq ($(DEBUG),)
	$(INSTALL) -d $(D_LIB)/pkgconfig $(D_INC)
	for l in libpmem libpmemblk; do \
		ln -sf $$l.so.$(SOMAJOR) $(D_LIB)/$$l.so && \
		$(INSTALL) -m 644 $(LIB)/$$l.a $(D_LIB)/ && \
		$(INSTALL) -m 644 $(LIB)/$$l.pc $(D_LIB)/pkgconfig/ && \
		$(INSTALL) -m 644 include/$$l.h $(D_INC)/ || exit 1; done
	for m in $(MAN_PAGES); do \
		$(INSTALL) -d $(D_MAN)/man$${m##*.} && \
		$(INSTALL) -m 644 $$m $(D_MAN)/man$${m##*.}/ || exit 1; done
ifneq ($(TOOL_SRC),)
	$(INSTALL) -d $(DESTDIR)$(BINDIR)
	$(INSTALL) -m 755 $(B)/bin/pmemblk $(DESTDIR)$(BINDIR)/
endif
endif

uninstall:
	for l in libpmem libpmemblk; do \
		rm -f $(D_LIB)/$$l.so.$(SOFULL) $(D_LIB)/$$l.so.$(SOMAJOR); done
ifeq ($(DEBUG),)
	for l in libpmem libpmemblk; do \
		rm -f $(D_LIB)/$$l.so $(D_LIB)/$$l.a $(D_LIB)/pkgconfig/$$l.pc $(D_INC)/$$l.h; done
	for m in $(notdir $(MAN_PAGES)); do rm -f $(D_MAN)/man$${m##*.}/$$m; done
	rm -f $(DESTDIR)$(BINDIR)/pmemblk
endif

# --- tests -------------------------------------------------------------------------------
#
# tests/<kind>/test_*.c is a program, tests/<kind>/test_*.sh a script; each is one test. Unit,
# crash and concurrency tests are linked with the libraries' internals; API tests see the public
# headers and the shared libraries only. A test exits with 0, or 77 when it was skipped, the
# reason on its last line of output.

SUPPORT_OBJ := $(call objs,$(wildcard tests/support/*.c))
INTERNAL_TESTS := $(wildcard tests/unit/*/test_*.c tests/concurrency/test_*.c tests/fuzz/test_*.c)
CRASH_TESTS := $(wildcard tests/crash/test_*.c)
PUBLIC_TESTS := $(wildcard tests/api/*/test_*.c)
TOOL_TESTS := $(wildcard tests/tool/test_*.c)
TEST_HELPERS := $(wildcard tests/compat/*.c) tests/build/steps.c
TEST_SCRIPTS := $(wildcard tests/*/test_*.sh)

test_bin = $(patsubst %.c,$(B)/%,$(1))
PUBLIC_TEST_BIN := $(call test_bin,$(PUBLIC_TESTS))
TEST_BIN := $(call test_bin,$(INTERNAL_TESTS) $(CRASH_TESTS) $(TOOL_TESTS)) $(PUBLIC_TEST_BIN)
HELPER_BIN := $(call test_bin,$(TEST_HELPERS))

# Distributions bring cmocka for the machine's own CPU only.
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
$(B)/obj/tests/%.o: OWN_CFLAGS += -UNDEBUG

# Everything inside the libraries, for tests and the tool's repair; common/ only once.
$(B)/internals.a: $(COMMON_OBJ) $(PMEM_OBJ) $(BLK_OBJ)
	$(call say,  AR    $@)
	$(Q)rm -f $@
	$(Q)$(AR) qcs $@ $^

TEST_LDFLAGS_tests/unit/common/test_errormsg = -Wl,--wrap=calloc

$(call test_bin,$(INTERNAL_TESTS)): $(B)/%: $(B)/obj/%.o $(SUPPORT_OBJ) $(B)/internals.a
	@mkdir -p $(@D)
	$(call say,  LD    $@)
	$(Q)$(CC) $(OWN_LDFLAGS) $(LDFLAGS) $(TEST_LDFLAGS_$*) -o $@ $(filter %.o,$^) \
		-Wl,--whole-archive $(B)/internals.a -Wl,--no-whole-archive $(CMOCKA_LIBS)

# The tool's own parts: all but its main().
TOOL_PARTS := $(filter-out %/main.o,$(TOOL_OBJ))
$(B)/obj/tests/tool/%.o: INCLUDES += -Isrc/blk -Isrc/tool
$(call test_bin,$(TOOL_TESTS)): $(B)/%: $(B)/obj/%.o $(TOOL_PARTS) $(SUPPORT_OBJ) $(B)/internals.a
	@mkdir -p $(@D)
	$(call say,  LD    $@)
	$(Q)$(CC) $(OWN_LDFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) \
		-Wl,--whole-archive $(B)/internals.a -Wl,--no-whole-archive $(CMOCKA_LIBS)

# The crash tests decide which thread goes on at each access to shared memory. So their copy of
# the table is compiled as for ThreadSanitizer, and tests/crash/hooks.c stands in for its run time.
# With a sanitizer or for coverage the ordinary objects are used: points at the storage only.
CRASH_OBJ := $(call objs,$(filter-out $(CRASH_TESTS),$(wildcard tests/crash/*.c)))
CRASH_WRAP = -Wl,--wrap=lane_hint,--wrap=lane_thread,--wrap=lock_wait_slow,--wrap=uuid_generate
ifeq ($(SAN)$(COV),)
HOOKED_SRC := $(wildcard src/blk/btt/*.c)
HOOKED_BLK := $(patsubst src/%.c,$(B)/hooked/%.o,$(HOOKED_SRC)) \
	$(call objs,$(filter-out $(HOOKED_SRC),$(BLK_SRC)))
CRASH_WRAP += -Wl,--wrap=memcpy
# Their arenas are smaller, too, so that a pool can have two: 64 KiB more than the least size.
CRASH_ARENA := -DBTT_CRASH_TEST_ARENA_SIZE=0x1010000ull
$(B)/obj/tests/crash/%.o: OWN_CFLAGS += -DHOOKED=1 $(CRASH_ARENA)
else
HOOKED_BLK := $(BLK_OBJ)
endif

$(B)/hooked/%.o: src/%.c $(B)/flags Makefile
	@mkdir -p $(@D)
	$(call say,  CC    $@)
	$(Q)$(CC) $(INCLUDES) -Isrc/blk -DSRCVERSION='"$(VERSION)"' $(CPPFLAGS) $(OWN_CFLAGS) \
		$(CFLAGS) $(CRASH_ARENA) -fsanitize=thread $(if $(findstring clang,$(CC)),,-Wno-tsan) \
		-fno-optimize-sibling-calls -MMD -MP -c -o $@ $<

$(B)/hooked.a: $(COMMON_OBJ) $(PMEM_OBJ) $(HOOKED_BLK)
	$(call say,  AR    $@)
	$(Q)rm -f $@
	$(Q)$(AR) qcs $@ $^

$(call test_bin,$(CRASH_TESTS)): $(B)/%: $(B)/obj/%.o $(CRASH_OBJ) $(SUPPORT_OBJ) $(B)/hooked.a
	@mkdir -p $(@D)
	$(call say,  LD    $@)
	$(Q)$(CC) $(OWN_LDFLAGS) $(LDFLAGS) $(CRASH_WRAP) -o $@ $(filter %.o,$^) $(B)/hooked.a \
		$(CMOCKA_LIBS) -ldl

# A run path serves a program's own libraries, not theirs: libpmem is linked to all of them, so
# that libpmemblk gets ours.
$(PUBLIC_TEST_BIN): $(B)/%: $(B)/obj/%.o $(SUPPORT_OBJ) \
		$(LIB)/libpmem.so.$(SOFULL) $(LIB)/libpmemblk.so.$(SOFULL)
	@mkdir -p $(@D)
	$(call say,  LD    $@)
	$(Q)$(CC) $(OWN_LDFLAGS) $(LDFLAGS) $(TEST_LDFLAGS_$*) -o $@ $(filter %.o,$^) \
		-L$(LIB) -Wl,-rpath,$(abspath $(LIB)) -Wl,--no-as-needed -lpmemblk -lpmem \
		$(CMOCKA_LIBS) -ldl

# The one API test of several files.
$(B)/tests/api/blk/test_errno: $(call objs,$(wildcard tests/api/blk/conditions*.c))

# Helper programs of the scripts run on whatever libraries LD_LIBRARY_PATH selects.
$(HELPER_BIN): $(B)/%: $(B)/obj/%.o $(LIB)/libpmem.so.$(SOFULL) $(LIB)/libpmemblk.so.$(SOFULL)
	@mkdir -p $(@D)
	$(call say,  LD    $@)
	$(Q)$(CC) $(OWN_LDFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) -L$(LIB) -lpmemblk -lpmem -ldl

# Under emulation the scripts are left out, and what starts itself again, forks with threads, takes
# libc's place, asks which of its pages are resident or wants more address space than the emulator
# has. pmem/test_store_width skips itself: only x86-64 lets a program step itself, and the emulator
# has no ptrace.
NOT_EMULATED := btt/test_btt blk/test_ctl blk/test_damage blk/test_fork blk/test_msync blk/test_settings
ifneq ($(CROSS),)
TESTS ?= $(filter-out $(addprefix %/,$(NOT_EMULATED)),$(TEST_BIN))
endif
TESTS ?= $(TEST_BIN) $(TEST_SCRIPTS)

# What the scripts see: they build and install the same variant with `make`.
TEST_ENV = BUILD=$(abspath $(B)) SOURCE=$(CURDIR) VERSION=$(VERSION) CC='$(CC)' CROSS='$(CROSS)' \
	SAN='$(SAN)' COV='$(COV)' DEBUG='$(DEBUG)' RUNNER='$(RUNNER)'
# Programs of another CPU run under qemu's user emulation.
# qemu announces DC CVAP to programs, but stops at it; the Cortex-A72 does not have it.
QEMU_CPU_aarch64 = -cpu cortex-a72
RUNNER ?= $(if $(CROSS),qemu-$(ARCH) $(QEMU_CPU_$(ARCH)) -L /usr/$(patsubst %-,%,$(CROSS)))

check: all $(HELPER_BIN) $(filter-out %.sh,$(TESTS))
	@$(TEST_ENV) tests/support/run.sh $(TESTS)

# Benchmarks beside the original's libraries: never part of a test, and to be run alone.
BENCH_BIN := $(call test_bin,$(wildcard tests/bench/bench_*.c))
$(BENCH_BIN): $(B)/%: $(B)/obj/%.o $(call objs,tests/bench/limits.c) \
		$(LIB)/libpmem.so.$(SOFULL) $(LIB)/libpmemblk.so.$(SOFULL)
	@mkdir -p $(@D)
	$(call say,  LD    $@)
	$(Q)$(CC) $(OWN_LDFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) -L$(LIB) -lpmemblk -lpmem

bench: all $(BENCH_BIN)
	@for run in tests/bench/run_*.sh; do $(TEST_ENV) $$run || exit 1; done

# On real DAX, in emulated machines; not a part of check.
DAX_BIN := $(call test_bin,$(wildcard tests/dax/*.c))
$(DAX_BIN): $(B)/%: $(B)/obj/%.o $(LIB)/libpmem.so.$(SOFULL) $(LIB)/libpmemblk.so.$(SOFULL)
	@mkdir -p $(@D)
	$(call say,  LD    $@)
	$(Q)$(CC) $(OWN_LDFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) -L$(LIB) -lpmemblk -lpmem -ldl

check-dax: all $(DAX_BIN) $(B)/tests/compat/pool
	@$(TEST_ENV) tests/dax/run.sh $(DAX) || [ $$? -eq 77 ]

# The tests again in every variant that this machine can build, some of them longer;
# VARIANTS="release thread" selects.
check-long:
	@MAKE='$(MAKE)' tests/support/check_long.sh $(VARIANTS)

coverage:
	@rm -rf build/cov
	$(MAKE) COV=1 check
	@tests/support/coverage.sh build/cov

# --- fuzzing -----------------------------------------------------------------------------
#
# tests/fuzz/test_*.c with clang's libFuzzer, FUZZ_TIME seconds each. New inputs are kept in
# build/fuzz/corpus; one that fails is left in build/fuzz and belongs into tests/fuzz/corpus.
# `make check` replays tests/fuzz/corpus with any compiler.

FUZZ_TIME ?= 60
FUZZ_CC ?= clang
FUZZ_CFLAGS := -g -O1 -std=c11 -D_GNU_SOURCE -DFUZZING=1 -DSRCVERSION='"$(VERSION)"' -pthread \
	-fno-sanitize-recover=all
FUZZ_SAN := -fsanitize=fuzzer,address,undefined
FUZZ_BIN := $(patsubst tests/fuzz/test_%.c,build/fuzz/%,$(wildcard tests/fuzz/test_*.c))

# The instruction set's own flags go with its files, so each file is compiled by itself.
build/fuzz/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,  FUZZCC $<)
	$(Q)$(FUZZ_CC) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link,address,undefined $(INCLUDES) \
		-Isrc/pmem -Isrc/blk -Itests/support $(FLAGS_$*) -MMD -MP -c -o $@ $<

$(FUZZ_BIN): build/fuzz/%: build/fuzz/obj/tests/fuzz/test_%.o $(patsubst %.c,build/fuzz/obj/%.o, \
		$(COMMON_SRC) $(PMEM_SRC) $(BLK_SRC) $(wildcard tests/support/*.c))
	$(Q)$(FUZZ_CC) $(FUZZ_SAN) -pthread -o $@ $^ $(CMOCKA_LIBS) -ldl

fuzz: $(FUZZ_BIN)
	@for f in $(FUZZ_BIN); do \
		name=$${f##*/}; mkdir -p build/fuzz/corpus/$$name; \
		echo "$$name, $(FUZZ_TIME) s"; \
		$$f -max_total_time=$(FUZZ_TIME) -timeout=20 -print_final_stats=1 \
			-artifact_prefix=build/fuzz/$$name- build/fuzz/corpus/$$name \
			tests/fuzz/corpus/$$name >build/fuzz/$$name.log 2>&1 || \
			{ tail -n 40 build/fuzz/$$name.log; exit 1; }; \
		grep -E 'DONE|executed_units' build/fuzz/$$name.log; \
	done

# --- examples ----------------------------------------------------------------------------

# A block array whose writer is killed in the middle of its work; needs the compiler only.
DEMO := $(B)/examples/crash_demo
$(DEMO): examples/crash_demo.c $(LIB)/libpmemblk.a $(LIB)/libpmem.a $(B)/flags
	@mkdir -p $(@D)
	$(call say,  CC    $<)
	$(Q)$(CC) -Iinclude $(CPPFLAGS) -std=c11 -D_GNU_SOURCE $(CFLAGS) $(OWN_LDFLAGS) $(LDFLAGS) -o $@ $< \
		$(LIB)/libpmemblk.a $(LIB)/libpmem.a

demo: $(DEMO)
	@dir=$$(mktemp -d) && { $(DEMO) "$$dir/pool"; rc=$$?; rm -rf "$$dir"; exit $$rc; }

# --- lint --------------------------------------------------------------------------------

C_FILES = $(wildcard include/*.h src/*/*.[ch] src/*/*/*.[ch] examples/*.c tests/*/*.[ch] \
	tests/*/*/*.[ch])
CLANG_FORMAT ?= clang-format
CLANG_TIDY ?= clang-tidy

format:
	$(CLANG_FORMAT) -i $(C_FILES)

lint: all
	$(CLANG_FORMAT) --dry-run --Werror $(C_FILES)
	@$(TEST_ENV) tests/build/test_layers.sh
	@$(TEST_ENV) tests/build/test_symbols.sh
	@# ipa=none: the analyser takes a callee of another file, which returns 0 or -errno, to be
	@# able to fail with 0, and would call every result of its caller uninitialised.
	@ok=true; for files in '$(COMMON_SRC)' '$(filter-out src/pmem/$(ARCH)/c%,$(PMEM_SRC))' \
		'$(BLK_SRC)' '$(TOOL_SRC)'; do \
		dir=$${files#src/}; dir=src/$${dir%%/*}; \
		echo "$(CLANG_TIDY) $$dir"; \
		$(CLANG_TIDY) --quiet $$files -- -std=c11 -D_GNU_SOURCE $(INCLUDES) -I$$dir \
			-Isrc/blk -DSRCVERSION='"$(VERSION)"' -Xclang -analyzer-config -Xclang ipa=none \
			2>build/tidy.err || ok=false; \
	done; $$ok

# --- the rest ----------------------------------------------------------------------------

dist:
	git archive --prefix=pmem-$(VERSION)/ --output=build/pmem-$(VERSION).tar.gz HEAD

clean:
	rm -rf build

help:
	@echo 'all         both libraries, shared and static, and the pmemblk tool if it is there'
	@echo 'demo        kill a writer, reopen its pool: needs the compiler only'
	@echo 'check       build and run the tests (TESTS="..." for some of them)'
	@echo 'check-long  the tests in every variant, and the long ones'
	@echo 'check-dax   on virtual NVDIMMs, in emulated machines (DAX="..." for some parts)'
	@echo 'fuzz        libFuzzer (clang) over parsers and pools, FUZZ_TIME seconds each [60]'
	@echo 'coverage    run the tests with COV=1 and sum up the lines they reach'
	@echo 'lint        format, layers, exported symbols, clang-tidy'
	@echo 'format      run clang-format over everything'
	@echo 'bench       speed beside the original (BENCH programs; run it on an idle machine)'
	@echo 'install     to PREFIX [$(PREFIX)], LIBDIR, INCLUDEDIR, MANDIR, BINDIR; honours DESTDIR'
	@echo 'uninstall   remove what install put there'
	@echo 'dist        build/pmem-$(VERSION).tar.gz of the last commit'
	@echo 'clean       remove build/'
	@echo 'Variants: CC=clang CROSS=aarch64-linux-gnu- SAN=address,undefined SAN=thread COV=1 DEBUG=1'

FORCE:
.PHONY: all bench check check-dax check-long coverage fuzz demo format lint dist install uninstall clean help FORCE
.SECONDARY:
.DELETE_ON_ERROR:

-include $(shell find $(B)/obj $(B)/hooked build/fuzz/obj -name '*.d' 2>/dev/null)
