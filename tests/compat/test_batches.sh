#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Pools that were written and zeroed by calls of many blocks are the original's pools: it reads them,
# changes them and calls them consistent. The calls themselves it does not have.
. "$(dirname "$0")/lib.sh"

consistent()
{
	local libs
	for libs in ours original; do
		[ "$(pool $libs check "$1" "$2")" = 1 ] || fail "$libs: check of $1"
	done
}

# exchange BSIZE SIZE OPERATIONS
exchange()
{
	local bsize=$1 size=$2 n=$3 p=$work/pool
	rm -f "$p"
	pool ours create "$p" "$bsize" "$size" >/dev/null
	pool ours batches "$p" "$bsize" 5 0 "$n"
	consistent "$p" "$bsize"
	pool original verify "$p" "$bsize" 5 "$n" >"$work/read"
	! grep -q ' 0 zero\| 0 error' "$work/read" || fail "nothing to see: $(cat "$work/read")"
	pool original fill "$p" "$bsize" 5 "$n" $((2 * n))
	pool ours batches "$p" "$bsize" 5 $((2 * n)) $((3 * n))
	consistent "$p" "$bsize"
	pool original verify "$p" "$bsize" 5 $((3 * n)) >/dev/null
	case_ok "the original reads what batches wrote, block size $bsize, PMEM_IS_PMEM_FORCE=$PMEM_IS_PMEM_FORCE"
}

for PMEM_IS_PMEM_FORCE in 0 1; do
	export PMEM_IS_PMEM_FORCE
	exchange 512 16785408 1500
	exchange 520 20000000 1500
	exchange 4096 50000001 600
done

# A program that is linked with the batch functions does not reach main().
[ -z "${SAN:-}" ] || exit 0
rc=0
on original "$BUILD/tests/build/steps" "$work/other" >"$work/log" 2>&1 || rc=$?
[ $rc -ne 0 ] && grep -q 'LIBPMEMBLK_1.14' "$work/log" || fail "the original's loader: $rc, $(cat "$work/log")"
[ ! -e "$work/other" ] || fail "the program has begun"
case_ok "with the original the loader says what is missing"
