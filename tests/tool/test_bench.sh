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
expect 3 bench "$work/bench"
expect 0 check "$work/bench"
expect 0 bench -s 17M -b 4K -n 0 "$work/b2"
grep -qE '^[0-9]+ blocks of 4096 bytes, 1 thread$' "$work/out" || fail "what is measured"
grep -qE '^random read +0/s +0.0 MiB/s' "$work/out" || fail "nothing was to be measured"
expect 2 bench -t 0 "$work/b2"
case_ok "bench makes a pool, measures it and removes it"

