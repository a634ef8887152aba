#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# pmemblk(1): bench.
. "$(dirname "$0")/lib.sh"

expect 0 bench -b 1K -s 17M -t 3 -n 3K "$work/bench"
[ "$(grep -cE '^(first write|random write|random read) +[0-9]+/s' "$work/out")" = 3 ] || fail "the measurements"
head -n 1 "$work/out" | grep -qE '^[0-9]+ blocks of 1024 bytes, 3 threads$' || fail "what is measured"
# Checks the figures of a line against each other: blocks and MiB, median and 99 %.
sed -E 's/^[a-z ]+ ([0-9]+)\/s +([0-9.]+) MiB\/s +median ([0-9.]+) us, 99 % below ([0-9.]+) us$/\1 \2 \3 \4/' \
	<(tail -n +2 "$work/out") | awk '
	NF != 4 || $1 <= 0 || $3 <= 0 || $4 < $3 { exit 1 }
	$1 * 1024 / 1048576 > $2 + 0.1 || $1 * 1024 / 1048576 < $2 - 0.1 { exit 1 }' ||
	fail "figures that do not go together"
[ ! -e "$work/bench" ] || fail "the pool of the bench was left"
expect 0 bench --keep -n 0 "$work/bench"
printed '^[0-9]+ blocks of 4096 bytes, 1 thread$'
[ "$(stat -c %s "$work/bench")" = 67108864 ] || fail "the length of a pool that was not given one"
expect 0 bench -b 4K -s 17M -q 2 -n 10 "$work/b2"
printed '^[0-9]+ blocks of 4096 bytes, 1 thread, 2 blocks in a call$'
expect 3 bench "$work/bench"
expect 0 check "$work/bench"
expect 0 bench -s 17M -b 4K -n 0 "$work/b2"
grep -qE '^[0-9]+ blocks of 4096 bytes, 1 thread$' "$work/out" || fail "what is measured"
grep -qE '^random read +0/s +0.0 MiB/s' "$work/out" || fail "nothing was to be measured"
expect 0 bench -s 17M -b 4K -t 16 -n 15 "$work/b3"
printed '^random write +[1-9][0-9]*/s'
printed '^random read +[1-9][0-9]*/s'
expect 2 bench -t 0 "$work/b2"
case_ok "bench makes a pool, measures it and removes it"

expect 2 bench -q 0 "$work/b3"
expect 2 bench -q 5000 "$work/b3"
expect 0 bench -b 4K -s 17M -t 2 -q 1000 -n 100 "$work/b3"
if [ -z "${RUNNER:-}${SAN:-}" ]; then
	$CC -std=c11 -D_GNU_SOURCE -shared -fPIC -o "$work/shim.so" "$(dirname "$0")/shim.c" -ldl
	# counted DEPTH OPERATIONS: leaves the number of syncs in $work/count
	counted()
	{
		PMEM_IS_PMEM_FORCE=0 COUNT_MSYNC=$work/count LD_PRELOAD=$work/shim.so \
			tool bench -b 64K -s 40M -q "$1" -n "$2" "$work/b4" >"$work/out" 2>"$work/err" || fail "bench -q $1"
	}
	for depth in 1 16; do
		counted $depth 0
		made=$(cat "$work/count")
		counted $depth 160
		more=$(($(cat "$work/count") - made))
		[ $more = $((2 * 160 / depth)) ] || fail "160 blocks took $more syncs, $depth in a call"
		if [ $depth = 16 ]; then printed '^[0-9]+ blocks of 65536 bytes, 1 thread, 16 blocks in a call$'; fi
		printed '^random write +[1-9][0-9]*/s'
		printed '^random read +[1-9][0-9]*/s'
	done
	case_ok "bench writes as many blocks with one call as it is told"

	# MSYNC: each takes a millisecond, so a write takes two. At least half of the calls take the
	# median, and one in a hundred what 99 % stay below: that bounds both by the mean.
	counted 1 200
	sed -nE 's|^random write +([0-9]+)/s .* median ([0-9.]+) us, 99 % below ([0-9.]+) us$|\1 \2 \3|p' "$work/out" |
		awk '{ mean = 1e6 / $1; ok = $2 > 1850 && $2 < 2 * mean * 1.07 && $3 < 100 * mean * 1.07 }
			END { exit !ok }' || fail "a median that cannot be"
	case_ok "bench shows what a call takes"

	# clock NS N: with a clock that goes on by NS at each look, N calls of each kind.
	clock()
	{
		PMEM_IS_PMEM_FORCE=1 FAKE_CLOCK=$1 LD_PRELOAD=$work/shim.so \
			expect 0 bench -b 64K -s 40M -n "$2" "$work/b6"
	}
	# A call takes what passes between two looks; so does the time before, between and behind the calls.
	for ns in 1 7 8 9 100 1000 1300 1490 1500 123456 1048575 1048576 987654321 4000000000; do
		clock $ns 1
		sed -nE 's|^random (write\|read) +([0-9]+)/s .* median ([0-9.]+) us, 99 % below ([0-9.]+) us$|\2 \3 \4|p' "$work/out" |
			awk -v ns=$ns '
				{ us = ns / 1000 }
				$2 != $3 || $2 < us * 0.93 - 0.006 || $2 > us * 1.07 + 0.006 { exit 1 }
				$1 < 1e9 / ns / 3 - 1 || $1 > 1e9 / ns / 3 + 1 { exit 1 }
				END { exit NR != 2 }' || fail "one call of $ns ns"
	done
	clock 20000000000 1
	printed '^random read .* median 16642998.27 us, 99 % below 16642998.27 us$'
	case_ok "bench measures to a sixteenth, and up to 16 s"

	blocks=$(sed -n 's/ blocks of .*//p' "$work/out")
	# failing N NAME: what N syncs leave time for is measured, and then comes the error.
	failing()
	{
		PMEM_IS_PMEM_FORCE=0 FAIL_MSYNC=$1 LD_PRELOAD=$work/shim.so \
			expect 3 bench -b 64K -s 40M -n 100 "$work/b5"
		said "^pmemblk: $2: .*(Input/output error|cannot|sync)"
		[ ! -e "$work/b5" ] || fail "the pool of the bench was left after an error"
	}
	failing $((made - 2)) "first write"
	if grep -q . "$work/out" && grep -q '^first write' "$work/out"; then fail "a fill that failed has figures"; fi
	failing $((2 * blocks + 100)) "random write"
	printed '^first write +[1-9]'
	if grep -q '^random write' "$work/out"; then fail "writes that failed have figures"; fi
	case_ok "bench says what failed"
fi

# never_written DEPTH THREADS: the first write reaches each block.
for args in '-q 1 -t 1' '-q 1 -t 3' '-q 7 -t 1' '-q 7 -t 4' '-q 64 -t 2'; do
	# shellcheck disable=SC2086 # several words
	expect 0 bench --keep $args -b 4K -s 17M -n 0 "$work/full"
	blocks=$(sed -n 's/ blocks of .*//p' "$work/out")
	expect 0 info --stats "$work/full"
	printed "^    data: $blocks\$"
	rm "$work/full"
done
case_ok "the first write writes every block"

# changed FROM TO DEPTH: how many blocks 1,000 random writes of two threads have changed.
expect 0 bench --keep -t 2 -b 4K -s 17M -n 0 "$work/before"
expect 0 export "$work/before" "$work/before.raw"
for depth in 1 10; do
	expect 0 bench --keep -t 2 -q $depth -b 4K -s 17M -n 1000 "$work/after"
	expect 0 export "$work/after" "$work/after.raw"
	changed=$(cmp -l "$work/before.raw" "$work/after.raw" | awk '{ seen[int(($1 - 1) / 4096)] = 1 } END { print length(seen) }')
	[ "$changed" -gt 800 ] && [ "$changed" -lt 1000 ] || fail "1000 random writes have changed $changed blocks"
	rm "$work/after" "$work/after.raw"
done
case_ok "random writes go everywhere"

if [ -z "${RUNNER:-}${SAN:-}" ]; then
	# Each thread wants 256 MiB.
	(ulimit -v 1000000 && expect 3 bench -b 64K -s 40M -t 16 -q 4096 -n 0 "$work/memory" &&
		said '^pmemblk: first write: (out of memory|cannot start a thread)$') || exit 1
	(ulimit -v 1000000 && expect 3 bench -b 4K -s 17M -t 1000 -n 0 "$work/memory" &&
		said '^pmemblk: first write: (out of memory|cannot start a thread)$') || exit 1
	[ ! -e "$work/memory" ] || fail "the pool of the bench was left after an error"
	case_ok "too many threads, or too large calls, are an error"
fi
