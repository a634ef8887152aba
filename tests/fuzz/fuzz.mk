# SPDX-License-Identifier: BSD-3-Clause
#
# Fuzzing; included by the Makefile.
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
