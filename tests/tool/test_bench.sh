#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# pmemblk(1): bench.
. "$(dirname "$0")/lib.sh"

expect 0 bench -b 1K -s 17M -t 3 -n 3K "$work/bench"
[ "$(grep -cE '^(first write|random write|random read) +[0-9]+/s' "$work/out")" = 3 ] || fail "the measurements"
[ ! -e "$work/bench" ] || fail "the pool of the bench was left"
expect 0 bench --keep -n 0 "$work/bench"
expect 3 bench "$work/bench"
expect 0 check "$work/bench"
expect 2 bench -t 0 "$work/b2"
case_ok "bench makes a pool, measures it and removes it"

