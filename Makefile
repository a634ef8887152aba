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
DATADIR ?= $(PREFIX)/share
DEBUGDIR ?= $(LIBDIR)/pmdk_debug
DESTDIR ?=

# Variants: CC=clang, CROSS=aarch64-linux-gnu-, SAN=address,undefined or SAN=thread, COV=1,
# DEBUG=1. They can be combined as far as the compiler allows.
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

MACHINE := $(shell $(CC) -dumpmachine 2>/dev/null)
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

# Debian 12's valgrind cannot read clang's DWARF 5.
CFLAGS ?= -O2 $(if $(findstring clang,$(CC)),-gdwarf-4,-g)

# For other machines: prints one error instead of many.
ifneq ($(filter-out clean dist format help,$(or $(MAKECMDGOALS),all)),)
ifeq ($(MACHINE),)
$(error the compiler '$(CC)' does not run here)
endif
BITS := $(shell echo __SIZEOF_POINTER__ | $(CC) $(CPPFLAGS) $(CFLAGS) -E -P -x c - 2>&1)
ifneq ($(wildcard src/pmem/$(ARCH)/detect.c) $(BITS),src/pmem/$(ARCH)/detect.c 8)
$(error libpmem and libpmemblk are for 64-bit x86-64, aarch64 and riscv64; \
	'$(CC)' with CFLAGS '$(CFLAGS)' makes programs for $(ARCH) with pointers of $(BITS) bytes)
endif
endif

# The code decides about its language, not CFLAGS, so this comes last.
LANGUAGE := -std=c11
WARNINGS = -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes \
	-Wmissing-prototypes -Wpointer-arith -Wcast-qual -Wwrite-strings -Wundef -Wvla \
	-Wformat=2 -Wold-style-definition
WERROR ?= -Werror
OWN_CFLAGS := -D_GNU_SOURCE -fPIC -fvisibility=hidden -fno-strict-aliasing \
	-fno-common -pthread $(WARNINGS) $(WERROR)
OWN_LDFLAGS := -pthread
ifneq ($(SAN),)
OWN_CFLAGS += -fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all
OWN_LDFLAGS += -fsanitize=$(SAN)
# gcc warns that the sanitizer does not model fences. Annotations in race.h say what they order.
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
# A shared library must not have undefined symbols. But with clang the sanitizers' run time is in
# the program.
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

all: $(LIBS) $(B)/bin/pmemblk

# V=1 prints the whole commands.
ifeq ($(V),)
Q := @
say = @echo '$(1)'
else
say = @:
endif

# `$(link) OBJECTS AND LIBRARIES` as a recipe links $@.
define link
	@mkdir -p $(@D)
	$(call say,  LD    $@)
	$(Q)$(CC) $(OWN_LDFLAGS) $(LDFLAGS) -o $@
endef

# An archive of objects. Rooms have files of the same name, so members are appended (q): with r
# the second one would replace the first.
define pack
	@mkdir -p $(@D)
	$(call say,  AR    $@)
	$(Q)rm -f $@
	$(Q)$(AR) qcs $@ $(1)
endef

# --- objects -----------------------------------------------------------------------------

# FLAGS_<path without .c> adds flags for a file, as for one that uses an instruction set.
-include src/pmem/$(ARCH)/flags.mk

# If the flags change, everything is built again.
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
	$(Q)$(CC) $(INCLUDES) -DSRCVERSION='"$(VERSION)"' $(CPPFLAGS) $(OWN_CFLAGS) $(FLAGS_$*) $(CFLAGS) $(LANGUAGE) -MMD -MP -c -o $@ $<

# --- libraries ---------------------------------------------------------------------------

# $(call shared,NAME,OBJECTS AND LIBRARIES)
define shared
	$(link) $(SO_LDFLAGS) -Wl,-soname,$(1).so.$(SOMAJOR) -Wl,--version-script=$(MAP_$(1)) $(2)
	$(Q)ln -sf $(1).so.$(SOFULL) $(LIB)/$(1).so.$(SOMAJOR)
	$(Q)ln -sf $(1).so.$(SOMAJOR) $(LIB)/$(1).so
endef

# $(call archive,NAME,OBJECTS): one object, with everything but the public functions made local,
# so that both archives can be linked into one program.
define archive
	@mkdir -p $(@D)
	$(call say,  AR    $@)
	$(Q)$(LD_R) -o $(B)/obj/$(1).o $(2)
	$(Q)sed -n '/global:/,/local:/s/^[[:space:]]*\([a-z_0-9]*\);.*/\1/p' $(MAP_$(1)) > $(B)/obj/$(1).sym
	$(Q)$(OBJCOPY) --keep-global-symbols=$(B)/obj/$(1).sym $(B)/obj/$(1).o
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $(B)/obj/$(1).o
endef

MAP_libpmem := src/pmem/libpmem.map
MAP_libpmemblk := src/blk/libpmemblk.map
PMEM_SO := $(LIB)/libpmem.so.$(SOFULL)
BLK_SO := $(LIB)/libpmemblk.so.$(SOFULL)

$(PMEM_SO): $(PMEM_OBJ) $(COMMON_OBJ) $(MAP_libpmem)
	$(call shared,libpmem,$(PMEM_OBJ) $(COMMON_OBJ))

$(BLK_SO): $(BLK_OBJ) $(COMMON_OBJ) $(MAP_libpmemblk) $(PMEM_SO)
	$(call shared,libpmemblk,$(BLK_OBJ) $(COMMON_OBJ) -L$(LIB) -lpmem)

$(LIB)/libpmem.a: $(PMEM_OBJ) $(COMMON_OBJ) $(MAP_libpmem)
	$(call archive,libpmem,$(PMEM_OBJ) $(COMMON_OBJ))

$(LIB)/libpmemblk.a: $(BLK_OBJ) $(COMMON_OBJ) $(MAP_libpmemblk)
	$(call archive,libpmemblk,$(BLK_OBJ) $(COMMON_OBJ))

PC_SED = sed -e 's|@VERSION@|$(VERSION)|' -e 's|@PREFIX@|$(PREFIX)|' \
	-e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|'

$(LIB)/%.pc: %.pc.in Makefile FORCE
	@mkdir -p $(@D)
	@new=$@.$$$$; $(PC_SED) $< >$$new; cmp -s $$new $@ && rm $$new || mv $$new $@

# The tool calls the shared libraries. Info, repair and grow also need internals of libpmemblk that
# the library does not export. They come from the archive behind it. The archive has none of the
# public functions, because with -flto the linker would take these from the archive although the
# library comes first.
$(B)/blk-internals.a: $(COMMON_OBJ) $(filter-out $(call objs,$(wildcard src/blk/*.c)),$(BLK_OBJ))
	$(call pack,$^)

# It runs on the libraries beside it. Unlike DT_RUNPATH, DT_RPATH also makes libpmemblk find our
# libpmem, and has precedence over LD_LIBRARY_PATH.
rpath = -Wl,--disable-new-dtags -Wl,-rpath,'$$ORIGIN/$(1)'
TOOL_LIBS = $(TOOL_OBJ) -L$(LIB) -lpmemblk $(B)/blk-internals.a -lpmem -ldl

$(B)/bin/pmemblk: $(TOOL_OBJ) $(B)/blk-internals.a $(BLK_SO) Makefile
	$(link) $(call rpath,../lib) $(TOOL_LIBS)

# For the installed tool: the loader searches system folders anyway. On Debian it searches those of
# the machine's type first, which may have the distribution's libraries.
SYSTEM_LIBDIRS := /lib/$(MACHINE) /usr/lib/$(MACHINE) \
	$(if $(wildcard /usr/lib/*/libc.so.6),,/lib /lib64 /usr/lib /usr/lib64)
LIBDIR_FROM_BINDIR = $(shell realpath -m --relative-to='$(BINDIR)' '$(LIBDIR)')
$(B)/installed/pmemblk: $(B)/bin/pmemblk FORCE
	$(link) $(if $(filter $(SYSTEM_LIBDIRS),$(LIBDIR)),,$(call rpath,$(LIBDIR_FROM_BINDIR))) $(TOOL_LIBS)

# --- installation ------------------------------------------------------------------------

D_LIB = $(DESTDIR)$(if $(DEBUG),$(DEBUGDIR),$(LIBDIR))
D_INC = $(DESTDIR)$(INCLUDEDIR)
D_MAN = $(DESTDIR)$(MANDIR)
D_DATA = $(DESTDIR)$(DATADIR)/libpmemblk
MAN_PAGES := $(wildcard src/man/*.[1357])
# Prints the functions that a page describes, from the .Nm lines of its NAME section.
page_names = sed -n '/^\.Sh NAME/,/^\.Nd/s/^\.Nm \([a-z_0-9]*\).*/\1/p'

install: all $(if $(DEBUG),,$(B)/installed/pmemblk)
	$(INSTALL) -d $(D_LIB)
	for l in libpmem libpmemblk; do \
		$(INSTALL) -m 755 $(LIB)/$$l.so.$(SOFULL) $(D_LIB)/ && \
		ln -sf $$l.so.$(SOFULL) $(D_LIB)/$$l.so.$(SOMAJOR) || exit 1; done
ifeq ($(DEBUG),)
	$(INSTALL) -d $(D_LIB)/pkgconfig $(D_INC) $(DESTDIR)$(BINDIR) $(D_DATA)
	for l in libpmem libpmemblk; do \
		ln -sf $$l.so.$(SOMAJOR) $(D_LIB)/$$l.so && \
		$(INSTALL) -m 644 $(LIB)/$$l.a $(D_LIB)/ && \
		$(INSTALL) -m 644 $(LIB)/$$l.pc $(D_LIB)/pkgconfig/ && \
		$(INSTALL) -m 644 include/$$l.h $(D_INC)/ || exit 1; done
	for m in $(MAN_PAGES); do \
		s=$${m##*.}; page=$${m##*/}; dir=$(D_MAN)/man$$s; \
		$(INSTALL) -d $$dir && $(INSTALL) -m 644 $$m $$dir/ || exit 1; \
		for n in $$($(page_names) $$m); do \
			[ $$n.$$s = $$page ] || ln -sf $$page $$dir/$$n.$$s || exit 1; done; done
	$(INSTALL) -m 755 $(B)/installed/pmemblk $(DESTDIR)$(BINDIR)/
	$(INSTALL) -m 644 src/valgrind.supp $(D_DATA)/
endif

uninstall:
	for l in libpmem libpmemblk; do \
		rm -f $(D_LIB)/$$l.so.$(SOFULL) $(D_LIB)/$$l.so.$(SOMAJOR); done
ifeq ($(DEBUG),)
	for l in libpmem libpmemblk; do \
		rm -f $(D_LIB)/$$l.so $(D_LIB)/$$l.a $(D_LIB)/pkgconfig/$$l.pc $(D_INC)/$$l.h; done
	for m in $(MAN_PAGES); do \
		for n in $$($(page_names) $$m); do rm -f $(D_MAN)/man$${m##*.}/$$n.$${m##*.}; done; done
	rm -f $(DESTDIR)$(BINDIR)/pmemblk $(D_DATA)/valgrind.supp
	rmdir $(D_DATA) 2>/dev/null || true
endif

# --- tests -------------------------------------------------------------------------------

include tests/tests.mk tests/fuzz/fuzz.mk

# --- examples ----------------------------------------------------------------------------

# A block array whose writer is killed in the middle of its work. It needs only the compiler.
DEMO := $(B)/examples/crash_demo
$(DEMO): examples/crash_demo.c $(LIB)/libpmemblk.a $(LIB)/libpmem.a $(B)/flags
	@mkdir -p $(@D)
	$(call say,  CC    $<)
	$(Q)$(CC) -Iinclude $(CPPFLAGS) -D_GNU_SOURCE $(CFLAGS) $(LANGUAGE) $(OWN_LDFLAGS) $(LDFLAGS) -o $@ $< \
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
	@echo "$(CLANG_FORMAT) of $(words $(C_FILES)) files"
	@$(CLANG_FORMAT) --dry-run --Werror $(C_FILES)
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

# --- packages -----------------------------------------------------------------------------

include .packaging/deb.mk

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
	@echo 'check-sanitizers  the programs under the sanitizers of gcc; a part of CI'
	@echo 'check-dax   on virtual NVDIMMs, in emulated machines (DAX="..." for some parts)'
	@echo 'check-replay on disks that lose power or fail, in emulated machines'
	@echo 'fuzz        libFuzzer (clang) over parsers and pools, FUZZ_TIME seconds each [60]'
	@echo 'mutate      how strong the tests are: random changes of the code, about an hour'
	@echo 'coverage    run the tests with COV=1 and sum up the lines they reach'
	@echo 'lint        format, layers, exported symbols, clang-tidy'
	@echo 'format      run clang-format over everything'
	@echo 'bench       speed beside the original (BENCH programs; run it on an idle machine)'
	@echo 'install     to PREFIX [$(PREFIX)], LIBDIR, INCLUDEDIR, MANDIR, BINDIR, DATADIR; honours DESTDIR'
	@echo 'uninstall   remove what install put there'
	@echo 'dist        build/pmem-$(VERSION).tar.gz of the last commit'
	@echo 'deb         Debian packages of all of it, in build/deb'
	@echo 'check-deb   install them in fresh systems of Debian 12 and 13 (SUITES="...")'
	@echo 'clean       remove build/'
	@echo 'Variants: CC=clang CROSS=aarch64-linux-gnu- SAN=address,undefined SAN=thread COV=1 DEBUG=1'

FORCE:
.PHONY: all bench check check-dax check-long check-sanitizers coverage mutate fuzz demo format lint dist install uninstall clean help FORCE
.SECONDARY:
.DELETE_ON_ERROR:

-include $(shell find $(B)/obj $(B)/hooked build/fuzz/obj -name '*.d' 2>/dev/null)
