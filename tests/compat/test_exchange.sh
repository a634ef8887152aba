#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Pools go back and forth between this library and the original's: each pool is created and
# filled by one, read and changed by the other, read again by the first, and both libraries
# and pmempool call it consistent at every step.
. "$(dirname "$0")/lib.sh"
need_command pmempool pmdk-tools

consistent()
{
	local libs
	for libs in ours original; do
		[ "$(pool $libs check "$1" "$2")" = 1 ] || fail "$libs: check of $1"
	done
	on original pmempool check -v "$1" >"$work/check.log" 2>&1 ||
		{ cat "$work/check.log"; fail "pmempool check $1"; }
}

# exchange MAKER READER BSIZE SIZE OPERATIONS
exchange()
{
	local maker=$1 reader=$2 bsize=$3 size=$4 n=$5 p=$work/pool
	local seed=$((bsize + size)) made read
	rm -f "$p"
	made=$(pool "$maker" create "$p" "$bsize" "$size")
	consistent "$p" "$bsize"
	pool "$reader" verify "$p" "$bsize" "$seed" 0 >/dev/null
	pool "$maker" fill "$p" "$bsize" "$seed" 0 "$n"
	consistent "$p" "$bsize"
	read=$(pool "$reader" verify "$p" "$bsize" "$seed" "$n")
	[ "${read%% *}" = "$made" ] || fail "$made blocks were made, the reader sees $read"
	case $read in
	*" 0 zero"* | *" 0 error"*) fail "nothing to see: $read" ;;
	esac
	pool "$reader" fill "$p" "$bsize" "$seed" "$n" $((2 * n))
	consistent "$p" "$bsize"
	pool "$maker" verify "$p" "$bsize" "$seed" $((2 * n)) >/dev/null
	[ "$(stat -c %s "$p")" = "$size" ] || fail "the size of $p changed"
	case_ok "$EXPECT_MODE: $maker makes, $reader reads, block size $bsize, $size bytes"
}

min=16785408
for mode in pmem msync; do
	export EXPECT_MODE=$mode
	[ $mode = pmem ] && export PMEM_IS_PMEM_FORCE=1 || unset PMEM_IS_PMEM_FORCE
	for pair in "ours original" "original ours"; do
		exchange $pair 1 $min 300
		exchange $pair 512 $((min + 1)) 300
		exchange $pair 513 $((min + 4095)) 300
		exchange $pair 520 $((min + 12345)) 300
		exchange $pair 4096 $((3 * min + 777)) 300
		exchange $pair 4104 $((2 * min + 1)) 300
		exchange $pair 65536 50000001 100
	done
done

# The libraries may also be mixed in one process.
for mode in pmem msync; do
	export EXPECT_MODE=$mode
	[ $mode = pmem ] && export PMEM_IS_PMEM_FORCE=1 || unset PMEM_IS_PMEM_FORCE
	exchange ours-on-original original-on-ours 512 $min 300
	exchange original-on-ours ours-on-original 4096 $((min + 4097)) 300
done

# A pool on a disk, where msync reaches a real device.
export EXPECT_MODE=msync
unset PMEM_IS_PMEM_FORCE
disk=$(mktemp -d "${TMPDIR:-/tmp}/pmemcompat.XXXXXX")
trap 'rm -rf "$disk"; cleanup' EXIT
pool ours create "$disk/pool" 512 $min >/dev/null
pool ours fill "$disk/pool" 512 1 0 20
pool original verify "$disk/pool" 512 1 20 >/dev/null
pool original fill "$disk/pool" 512 1 20 40
pool ours verify "$disk/pool" 512 1 40 >/dev/null
consistent "$disk/pool" 512
case_ok "a pool on disk is exchanged"
