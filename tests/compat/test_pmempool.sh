#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Debian's unmodified pmempool does and prints the same on this library as on the original: all
# commands with block pools, and object and log pools over our libpmem.
. "$(dirname "$0")/lib.sh"
need_command pmempool pmdk-tools

# Runs one command with both sets of libraries, each in a folder of its own, and compares
# status and output. It masks what differs from pool to pool (identifiers, time, checksums), and
# the texts of errors, which each library words in its own way.
cd "$work"
mkdir run
both()
{
	local libs rc
	for libs in ours original; do
		mkdir -p "run/$libs"
		(cd "run/$libs" && on_proven $libs "libpmem libpmemblk" pmempool "$@") \
			>"run/$libs.out" 2>&1 && rc=0 || rc=$?
		echo "exit status $rc" >>"run/$libs.out"
		sed -E -e 's/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/UUID/g' \
			-e "s!$work/run/$libs!DIR!g" -e '/^Creation Time/s/:.*/: TIME/' -e '/^Checksum/s/0x[0-9a-f]+/SUM/' \
			-e "s/^(error: '[^']*' -- ).*/\\1TEXT/" \
			"run/$libs.out" >"run/$libs.masked"
	done
	if ! diff -u run/original.masked run/ours.masked; then
		fail "pmempool $*"
	fi
	grep -q "exit status ${want:-0}\$" run/ours.out || { cat run/ours.out; fail "pmempool $*"; }
	case_ok "$mode: pmempool $*"
}

block_pools()
{
	rm -rf run/*
	both create blk 512 a
	both info a
	both check -v a
	both info -s a
	both create -w -s 40000001 blk 4104 b
	both info -f blk b
	both check -vayr b
	both dump -r 0-3 b
	both create --mode 0600 --size 32M blk 520 c
	both create -i b d
	both feature -q SHUTDOWN_STATE a
	both feature -d SHUTDOWN_STATE a
	both check -v a
	both feature -e SHUTDOWN_STATE a
	both info a
	want=1 both create blk 512 a
	want=1 both create blk 0 e
	want=1 both create blk 16777216 e
	grep -q 'Invalid block size' <(cd run/ours && on ours pmempool create blk 0 e 2>&1) ||
		fail "the text about a wrong block size"
	# A pool that holds data, zero and error blocks.
	for libs in ours original; do
		pool $libs fill "$work/run/$libs/b" 4104 7 0 200
	done
	both dump -r 0-40 b
	both info -s b
	both info -B b
	both check -v b
	both rm a b
}

other_pools()
{
	both create --layout demo obj o
	both info o
	both check -v o
	both create log l
	both info l
	both check -v l
	both dump l
	for libs in ours original; do
		printf 'PMEMPOOLSET\n%s\n%s\nREPLICA\n%s\n' "9M $PWD/run/$libs/p0" \
			"9M $PWD/run/$libs/p1" "18M $PWD/run/$libs/r0" >"run/$libs/set"
	done
	both create --layout demo obj set
	rm run/ours/p1 run/original/p1
	both sync set
	both check set
	both rm -a set
	both rm o l
}

for mode in pmem msync; do
	[ $mode = pmem ] && export PMEM_IS_PMEM_FORCE=1 || export PMEM_IS_PMEM_FORCE=0
	block_pools
	other_pools
done

# pmempool damages structures on purpose. We find the damage, and repaired pools open again.
export PMEM_IS_PMEM_FORCE=1
on ours pmempool create -w -s 20M blk 512 "$work/damaged"
pool ours fill "$work/damaged" 512 3 0 100
dd if=/dev/urandom of="$work/damaged" bs=1 count=100 seek=$((8192 + 32)) conv=notrunc status=none
! on ours pmempool check "$work/damaged" >/dev/null || fail "the damage was not found"
on ours pmempool check -ayr "$work/damaged" >"$work/repair.log" || { cat "$work/repair.log"; fail "repair"; }
pool ours verify "$work/damaged" 512 3 100 >/dev/null
pool original verify "$work/damaged" 512 3 100 >/dev/null
case_ok "what pmempool repaired opens with every block as it was"
