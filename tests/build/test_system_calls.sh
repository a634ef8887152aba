#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What operations on a pool cost in system calls: syncs on an ordinary file, none on persistent
# memory, and few calls to open a pool.
. "$(dirname "$0")/lib.sh"

need_command strace strace
strace true 2>/dev/null || skip "strace may not trace here"

# calls STEP NAMES: how many of the system calls NAMES (an expression; "." for all) the step made
calls()
{
	awk -v step="/step/$1\"" -v names="^($2)\\\\(" '
		{ sub(/^[0-9]+ +/, "") }
		/"\/step\// { inside = index($0, step) > 0; next }
		inside && $0 ~ names { n++ }
		END { print n + 0 }' "$work/trace"
}

trace()
{
	rm -f "$work/pool"
	LD_LIBRARY_PATH=$BUILD/lib strace -f -o "$work/trace" "$BUILD/tests/build/steps" "$work/pool" ||
		fail "the program failed: $(tail -n 3 "$work/trace")"
}

exactly()
{
	local n
	n=$(calls "$1" "$2")
	[ "$n" -eq "$3" ] || fail "$1 makes $n calls of $2, not $3"
	case_ok "$1 makes $3 calls of $2"
}

at_most()
{
	local n
	n=$(calls "$1" "$2")
	[ "$n" -le "$3" ] || fail "$1 makes $n calls of $2, more than $3"
	case_ok "$1 makes $n calls of ${2/./any kind}, at most $3"
}

trace
exactly write msync 2
exactly overwrite msync 2
exactly set-zero msync 1
exactly set-zero-again msync 1
exactly set-error msync 1
exactly read '[a-z0-9_]+' 0
at_most first-write msync 6
at_most open '[a-z0-9_]+' 60
at_most check '[a-z0-9_]+' 60

export PMEM_IS_PMEM_FORCE=1
trace
for step in write overwrite read set-zero; do
	exactly $step '[a-z0-9_]+' 0
done
exactly first-write msync 0
at_most open '[a-z0-9_]+' 60
