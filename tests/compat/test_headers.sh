#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A program compiled with the original's headers and linked with its libraries runs on ours,
# and the headers agree on every constant. (The helper of the other scripts is the reverse:
# compiled with ours, run on the original.)
. "$(dirname "$0")/lib.sh"

mkdir "$work/include"
for h in libpmem libpmemblk; do
	file=$(package_file $h-dev "/$h\\.h")
	[ -n "$file" ] || skip "$h-dev is not installed"
	ln -s "$file" "$work/include/$h.h"
done
${CC:-cc} -std=c11 -D_GNU_SOURCE -I"$work/include" -o "$work/theirs" \
	"$SOURCE/tests/compat/pool.c" "$original_pmemblk" "$original_pmem"

for libs in ours original; do
	pool $libs constants >"$work/ours.txt"
	POOL=$work/theirs pool $libs constants >"$work/theirs.txt"
	diff "$work/theirs.txt" "$work/ours.txt" || fail "the headers differ"
done
[ "$(wc -l <"$work/ours.txt")" -eq 19 ] || fail "constants are missing"
case_ok "the headers have the same constants of the same size"

export POOL=$work/theirs PMEM_IS_PMEM_FORCE=1 EXPECT_MODE=pmem
for libs in ours original; do
	rm -f "$work/pool"
	pool $libs create "$work/pool" 520 20000000 >/dev/null
	pool $libs fill "$work/pool" 520 5 0 300
	pool $libs verify "$work/pool" 520 5 300 >/dev/null
	[ "$(pool $libs check "$work/pool" 520)" = 1 ] || fail "check"
	case_ok "a program compiled with the original's headers runs on: $libs"
done
