#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What operations on a pool cost in system calls: syncs on an ordinary file, none on persistent
# memory, and few calls to open a pool. No descriptor gets into another program.
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

# Every descriptor is made with close-on-exec.
descriptors_are_closed_by_execve()
{
	none_inherited "the program" '/pool"' < <(sed -n '/"\/step\/create"/,$p' "$work/trace")
	case_ok "all $(wc -l <"$work/descriptors") descriptors, $1, are closed by execve"
}

trace
descriptors_are_closed_by_execve "with msync"
exactly write msync 2
exactly overwrite msync 2
exactly set-zero msync 1
exactly set-zero-again msync 1
exactly set-error msync 1
exactly read '[a-z0-9_]+' 0
# Two syncs for each chunk of a batch; 200 blocks are more than one chunk.
for step in batch-of-16 batch-of-64; do
	exactly $step msync 2
	exactly $step '[a-z0-9_]+' 2
done
exactly batch-of-200 msync 4
exactly batch-read '[a-z0-9_]+' 0
exactly zero-range msync 1
exactly zero-range-of-nothing '[a-z0-9_]+' 0
at_most first-write msync 6
at_most open '[a-z0-9_]+' 60
at_most check '[a-z0-9_]+' 60

export PMEM_IS_PMEM_FORCE=1
trace
descriptors_are_closed_by_execve "with flushes"
for step in write overwrite read set-zero batch-of-16 batch-of-64 batch-of-200 batch-read zero-range; do
	exactly $step '[a-z0-9_]+' 0
done
exactly first-write msync 0
at_most open '[a-z0-9_]+' 60
