#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A writer is killed in the middle of its work; the other library opens the pool and finds
# every block old or new and no completed write lost. pmemblk_check calls the pool
# consistent straight after the kill, before anybody has opened it.
. "$(dirname "$0")/lib.sh"

# killed WRITER READER BSIZE
killed()
{
	local writer=$1 reader=$2 bsize=$3 p=$work/pool round pid writes
	rm -f "$p"
	pool "$writer" create "$p" "$bsize" 16785408 >/dev/null
	for round in 1 2 3 4 5 6; do
		rm -f "$work/started"
		mkfifo "$work/started"
		pool "$writer" storm "$p" "$bsize" "$round" >"$work/started" 2>"$work/storm.log" &
		read -r pid <"$work/started" || { cat "$work/storm.log"; fail "storm on $writer"; }
		# A few writes more, a different number each time.
		[ "$round" -lt 3 ] || pool ours constants >/dev/null
		[ "$round" -lt 5 ] || pool ours constants >/dev/null
		kill -9 "$pid" || { cat "$work/storm.log"; fail "$writer stopped by itself"; }
		wait $! || true
		[ "$(pool "$reader" check "$p" "$bsize")" = 1 ] || fail "$reader: check after the kill"
		writes=$(pool "$reader" survey "$p" "$bsize" "$round")
		[ "$(pool "$writer" check "$p" "$bsize")" = 1 ] || fail "$writer: check after $reader"
		pool "$writer" survey "$p" "$bsize" "$round" >/dev/null
	done
	case_ok "$PMEM_IS_PMEM_FORCE: $reader recovers what $writer left, block size $bsize ($writes)"
}

for PMEM_IS_PMEM_FORCE in 1 0; do
	export PMEM_IS_PMEM_FORCE
	for bsize in 512 4096; do
		killed ours original $bsize
		killed original ours $bsize
	done
done
