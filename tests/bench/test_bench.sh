#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The benchmark measures what it claims: every case prepares its own state, whatever ran before, and
# uses the blocks, the data and the bytes that its name promises. Nothing is timed here.
. "$(dirname "$0")/../build/lib.sh"
only_plain_variants
shm=${TEST_SHM:-/dev/shm}
[ -w "$shm" ] || skip "/dev/shm is not there"
dir=$(mktemp -d "$shm/pmembench.XXXXXX")
trap 'rm -rf "$work" "$dir"' EXIT
program=$BUILD/tests/bench/bench
here=$(cd "$(dirname "$0")" && pwd)
export LD_LIBRARY_PATH=$BUILD/lib PMEM_IS_PMEM_FORCE=1 OURS=$BUILD/lib ORIGINAL=$BUILD/lib

# Flags first, then reads: this order once gave wrong results.
cases=(flag/512/1 zero/512/1 read/512/2 mix/512/2 flag/4096/1 zero/4096/2 read/4096/2 mix/4096/2
	write/512/1 read/520/1 read/65536/1 write/65536/2 write-noload/512/1)
"$program" self-test "$dir" "${cases[@]}" >"$work/touched" || fail "the benchmark"
[ "$(wc -l <"$work/touched")" -eq $((${#cases[@]} - 2)) ] || fail "cases are missing"
awk -F'[/,]' '
	{
		blocks = 300 * 1048576 / ($2 < 4096 ? ($2 == 512 ? 512 : 768) : $2) * 0.98
		expected = blocks * (1 - exp(-$4 / blocks))
	}
	$4 < 20000 { print; print "  too few operations"; bad = 1 }
	$6 != $4 * $2 { print; print "  the bytes are not those of the blocks"; bad = 1 }
	$7 != $4 { print; print "  blocks that hold no data"; bad = 1 }
	$5 < 0.95 * expected { print; print "  the same blocks again and again: " expected " expected"; bad = 1 }
	END { exit bad }' "$work/touched" || fail "a case touches something else"
case_ok "operations go to distinct blocks that hold data"

"$program" self-test "$dir" first/512 open/512 memcpy/persist/64/1/1 memcpy/nodrain/8/0/1 \
	memcpy/nontemporal/65536/8/1 memcpy/persist/1048576/0/1 >"$work/touched" || fail "the benchmark"
[ "$(wc -l <"$work/touched")" -eq 4 ] || fail "cases are missing"
awk -F, '$4 != $2 * gensub_size($1) || $5 != $3 { print; bad = 1 } END { exit bad }
	function gensub_size(name,   part) { split(name, part, "/"); return part[3] }' "$work/touched" ||
	fail "a copy copies something else"
case_ok "copies copy what they say"

# Batches, and for each the single calls that it is compared with: op/size/threads/batch,ops,distinct,
# bytes,normal,calls.
batches=(writev/4096/1/64 readv/4096/2/16 writev/65536/1/3)
"$program" self-test "$dir" "${batches[@]}" >"$work/touched" || fail "the benchmark"
[ "$(wc -l <"$work/touched")" -eq $((2 * ${#batches[@]})) ] || fail "cases are missing"
awk -F'[/,]' '
	{
		blocks = 300 * 1048576 / ($2 < 4096 ? ($2 == 512 ? 512 : 768) : $2) * 0.98
		expected = blocks * (1 - exp(-$5 / blocks))
	}
	$5 < 20000 || $5 % $4 { print; print "  not the number of operations"; bad = 1 }
	$7 != $5 * $2 { print; print "  the bytes are not those of the blocks"; bad = 1 }
	$8 != $5 { print; print "  blocks that hold no data"; bad = 1 }
	$6 < 0.95 * expected { print; print "  the same blocks again and again: " expected " expected"; bad = 1 }
	$9 != (NR % 2 ? $5 / $4 : $5) { print; print "  not the number of calls"; bad = 1 }
	END { exit bad }' "$work/touched" || fail "a batch touches something else"
for bad in writev/512/1 writev/512/1/0 writev/512/1/129 writex/512/1/16; do
	! "$program" self-test "$dir" "$bad" >/dev/null 2>&1 || fail "$bad is a case"
done
case_ok "batches, and the single calls beside them, go to as many distinct blocks that hold data"

# Each party of scale: op/size/threads,ops,distinct,bytes,normal,calls,busy threads,others. The third and
# the fourth one have two threads.
"$program" self-test "$dir" scale:write/512/200 scale:mix/4096/16 scale:read/512/1 >"$work/touched" || fail "the benchmark"
[ "$(wc -l <"$work/touched")" -eq 12 ] || fail "parties are missing"
awk -F'[/,]' '
	{ blocks = 64 * 1048576 / ($2 == 512 ? 512 : 4096) * 0.96; expected = blocks * (1 - exp(-$4 / blocks)) }
	$9 != ((NR - 1) % 4 < 2 ? $3 : 2) { print; print "  not the number of threads"; bad = 1 }
	$4 < 20000 || $6 != $4 * $2 || $7 != $4 || $5 < 0.95 * expected { print; print "  not the blocks"; bad = 1 }
	END { exit bad }' "$work/touched" || fail "a case with many threads does something else"
"$program" self-test "$dir" beside/512/60/40/400 >"$work/touched" || fail "the benchmark"
awk -F'[/,]' '
	$6 < 20000 || $7 != 400 || $8 != $6 * 512 || $9 != $6 { print; print "  not the blocks"; bad = 1 }
	$11 != 100 || $12 == 0 { print; print "  not all threads work"; bad = 1 }
	END { exit bad || NR != 1 }' "$work/touched" || fail "writers beside readers do something else"
for bad in beside/512/60/40 beside/512/0/40/400 beside/512/200/100/400; do
	! "$program" self-test "$dir" "$bad" >/dev/null 2>&1 || fail "$bad is a case"
done
case_ok "all threads of a case work, on as many blocks as it says"

# Sizes: a row for each step and library; both need memory for the map only, and report it.
OURS=$BUILD/lib ORIGINAL=$BUILD/lib GIB="1 4" TIMES=1 "$here/size.sh" "$BUILD/tests/bench/size" "$dir" >"$work/csv" ||
	fail "the sizes"
awk -F, 'NR == 1 { next }
	{ n[$1 "," $2]++ }
	!($4 > 0 && $5 > 0 && $6 > 0 && $5 < 20000) { print; print "  makes no sense"; bad = 1 }
	END { for (gib = 1; gib <= 4; gib += 3) for (i = split("check first open check-written", op, " "); i > 0; i--)
			if (n[gib "," op[i]] != 2) { print gib, op[i], "is missing"; bad = 1 }
		exit bad || NR != 17 }' "$work/csv" || { cat "$work/csv"; fail "a row of the sizes"; }
[ -z "$(ls -A "$dir")" ] || { ls "$dir"; fail "files are left behind"; }
case_ok "pools of many sizes are opened, written to and checked"

if [ ! -e /proc/self/exe ]; then
	echo "not tested: the comparison: without /proc the benchmark cannot start itself again"
	exit 0
fi
# The whole machine, on one pair of libraries: a row for each case, ratios near 1, nothing left behind.
POOLS=1 ROUNDS=3 SLICE_MS=1 "$program" blk "$dir" write/65536/1 open/512 2>"$work/err" >"$work/csv" ||
	{ cat "$work/err"; fail "the comparison"; }
[ "$(cut -d, -f1 "$work/csv" | tr '\n' ' ')" = "case write/65536/1 open/512 " ] || fail "the rows"
awk -F, 'NR > 1 && !($2 > 0 && $3 > 0 && $4 > 0.2 && $4 < 5 && $10 > 0) { print; exit 1 }' "$work/csv" ||
	fail "a figure makes no sense"
[ -z "$(ls -A "$dir")" ] || { ls "$dir"; fail "files are left behind"; }
case_ok "parties take turns and leave nothing behind"

POOLS=1 ROUNDS=3 SLICE_MS=5 "$program" scale "$dir" read/4096/1 write/4096/16 2>"$work/err" >"$work/csv" ||
	{ cat "$work/err"; fail "the comparison of many threads"; }
awk -F, 'NR > 1 && !($2 > 0 && $3 > 0 && $4 > 0 && $7 > 0 && $7 < 50 && $10 > 0 && NF == 12) { print; exit 1 }
	END { exit NR != 3 }' "$work/csv" || fail "a figure makes no sense"
POOLS=1 ROUNDS=2 SLICE_MS=50 "$program" beside "$dir" beside/512/4/4/400 2>"$work/err" >"$work/csv" ||
	{ cat "$work/err"; fail "the comparison of writers beside readers"; }
awk -F, 'NR > 1 && !($2 > 0 && $3 > 0 && $4 > 0 && $10 > 0 && $11 > 0 && $15 > $2 && $16 > $3 && NF == 16) { print; exit 1 }
	END { exit NR != 2 }' "$work/csv" || fail "a figure makes no sense"
[ -z "$(ls -A "$dir")" ] || { ls "$dir"; fail "files are left behind"; }
case_ok "many threads are compared with two, and writers beside readers"

POOLS=1 ROUNDS=3 SLICE_MS=1 "$program" batches "$dir" writev/65536/1/16 readv/65536/1/64 2>"$work/err" >"$work/csv" ||
	{ cat "$work/err"; fail "the comparison of batches"; }
[ "$(head -n 1 "$work/csv" | cut -d, -f2,3,11)" = "single_ns,batch_ns,batch_to_limit" ] || fail "the header"
[ "$(cut -d, -f1 "$work/csv" | tr '\n' ' ')" = "case writev/65536/1/16 readv/65536/1/64 " ] || fail "the rows"
PMEM_IS_PMEM_FORCE=0 POOLS=1 ROUNDS=3 SLICE_MS=1 "$program" batches-disk "$dir" writev/4096/1/64 \
	2>"$work/err" >>"$work/csv" || { cat "$work/err"; fail "the comparison of batches on a disk"; }
awk -F, '$1 ~ "/" && !($2 > 0 && $3 > 0 && $4 > 0.1 && $4 < 100 && $10 > 0) { print; exit 1 }' "$work/csv" ||
	fail "a figure makes no sense"
[ -z "$(ls -A "$dir")" ] || { ls "$dir"; fail "files are left behind"; }
case_ok "batches are compared with single calls and with a bare loop"
