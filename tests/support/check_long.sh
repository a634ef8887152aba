#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# `make check` in every variant that can be built here, or in those named as arguments, and the sum
# of the results as the last line. A variant whose compiler is missing counts as one skipped test.
# The output of each is kept in build/check-long. Two variants run at a time; about an hour on two
# idle CPUs.
#
# CHECK_LONG=1 makes some tests do more. It is set in the variants where that finds more.
set -u
only=" $* "
export TEST_TIMEOUT=${TEST_TIMEOUT:-1200}
logs=build/check-long
rm -rf $logs
mkdir -p $logs
programs='TESTS=$(TEST_BIN)'
# The crash tests switch stacks themselves, thousands of times, and have only one thread. The long tests
# of damage and repair have one, too.
one_thread='$(B)/tests/crash/% $(B)/tests/tool/test_repair% $(B)/tests/tool/test_grow% $(B)/tests/api/blk/test_damage'
threads="TESTS=\$(filter-out $one_thread,\$(TEST_BIN))"
installed='TESTS=$(TEST_BIN) tests/build/test_symbols.sh $(wildcard tests/compat/test_*.sh)'

# variant NAME TOOLS MAKE-ARGUMENTS: TOOLS are the commands it needs.
variant()
{
	local name=$1 tools=$2 tool sum start=$SECONDS
	shift 2
	[ "$only" = "  " ] || [[ $only == *" $name "* ]] || return
	for tool in $tools; do
		if ! command -v "$tool" >/dev/null; then
			echo "skip  $name: $tool is not installed"
			echo 0 0 1 >"$logs/$name.sum"
			return
		fi
	done
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL "${MAKE:-make}" check "$@" >"$logs/$name.log" 2>&1
	sum=$(grep -E '^[0-9]+ passed, ' "$logs/$name.log" | tail -n 1)
	if [[ $sum =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
		echo "${BASH_REMATCH[@]:1}" >"$logs/$name.sum"
	else
		echo 0 1 0 >"$logs/$name.sum"
		sum="did not build: see $logs/$name.log"
		tail -n 20 "$logs/$name.log"
	fi
	echo "$name: $sum ($((SECONDS - start))s)"
	grep -E '^(failed|skipped): ' "$logs/$name.log" | sed 's/^/    /'
}

# Each row is a process group of its own, so that all of it can be stopped.
set -m
# The scripts that change the machine's settings run in one of the two rows only.
{
	variant aarch64 'aarch64-linux-gnu-gcc qemu-aarch64' CROSS=aarch64-linux-gnu-
	variant clang clang CC=clang
	CHECK_LONG=1 variant release ''
} &
{
	variant riscv64 'riscv64-linux-gnu-gcc qemu-riscv64' CROSS=riscv64-linux-gnu-
	variant clang-address-undefined clang CC=clang SAN=address,undefined "$programs"
	variant lint clang-tidy TESTS=tests/build/long_lint.sh
	variant debug '' DEBUG=1 "$installed"
	CHECK_LONG=1 variant thread '' SAN=thread "$threads"
	CHECK_LONG=1 variant address-undefined '' SAN=address,undefined "$programs"
} &
trap 'for row in $(jobs -p); do kill -- "-$row" 2>/dev/null; done' EXIT
trap 'exit 130' INT TERM
wait
cat $logs/*.sum | awk '
	{ passed += $1; failed += $2; skipped += $3 }
	END { printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped; exit failed > 0 || NR == 0 }'
