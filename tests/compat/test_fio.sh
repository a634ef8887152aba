#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Debian's unmodified fio does its work on this library: the pmemblk and the libpmem engine,
# every block verified by checksum, with 1 and 4 threads, on persistent memory and on an
# ordinary file.
. "$(dirname "$0")/lib.sh"
need_command fio fio
need_command pmempool pmdk-tools

cd "$work"

# Runs fio on our libraries. Both its exit status and its log have to be good.
run_fio()
{
	local which=$1
	shift
	on_proven ours "$which" fio --name=t --thread --direct=1 --verify_state_save=0 \
		--output="$work/fio.log" "$@" \
		>"$work/fio.out" 2>&1 || { cat "$work/fio.out" "$work/fio.log"; fail "fio $*"; }
	if ! grep -q 'err= 0' "$work/fio.log" || grep -qE 'verify|bad magic|err= *[1-9]' "$work/fio.log"; then
		cat "$work/fio.log"
		fail "fio $*"
	fi
}

# pmemblk BSIZE THREADS: each thread works on a pool of its own, then all on one.
pmemblk()
{
	local bsize=$1 threads=$2 p=$work/pool n
	rm -f "$p"
	# The engine makes the pool (here of 64 MiB) when it is not there.
	run_fio libpmemblk --ioengine=pmemblk --filename="$p,$bsize,64" --bs="$bsize" --io_size=8M \
		--size=8M --rw=randwrite --verify=crc32c --verify_fatal=1
	run_fio libpmemblk --ioengine=pmemblk --filename="$p,$bsize,64" --bs="$bsize" --io_size=8M \
		--size=8M --rw=randread --verify=crc32c --verify_only --verify_fatal=1
	if [ "$threads" -gt 1 ]; then
		run_fio libpmemblk --ioengine=pmemblk --filename="$p,$bsize,64" --bs="$bsize" --size=8M \
			--offset_increment=8M --numjobs="$threads" --rw=randwrite --verify=crc32c \
			--verify_fatal=1
		run_fio libpmemblk --ioengine=pmemblk --filename="$p,$bsize,64" --bs="$bsize" --size=8M \
			--numjobs="$threads" --rw=randrw --norandommap
	fi
	[ "$(pool original check "$p" "$bsize")" = 1 ] || fail "the original's check"
	on original pmempool check "$p" >"$work/check.log" || { cat "$work/check.log"; fail "pmempool check"; }
	case_ok "$mode: fio's pmemblk engine, block size $bsize, threads $threads"
}

# The libpmem engine works on persistent memory only.
libpmem()
{
	local threads=$1
	rm -f "$work"/file*
	run_fio libpmem --ioengine=libpmem --filename="$work/file" --size=16M --bs=4k --rw=randrw \
		--offset_increment=16M --numjobs="$threads" --verify=crc32c --verify_fatal=1
	run_fio libpmem --ioengine=libpmem --filename="$work/file" --size=16M --bs=777 --rw=write \
		--offset_increment=16M --numjobs="$threads" --verify=crc32c --verify_fatal=1
	case_ok "fio's libpmem engine, threads $threads"
}

# Newer versions of fio do not have this engine.
if ! fio --enghelp | grep -qw pmemblk; then
	echo "not tested: fio's pmemblk engine, $(fio --version) has none"
	pmemblk() { :; }
fi

mode=pmem
export PMEM_IS_PMEM_FORCE=1
for threads in 1 4; do
	pmemblk 512 $threads
	pmemblk 4096 $threads
	libpmem $threads
done
mode=msync
export PMEM_IS_PMEM_FORCE=0
for threads in 1 4; do
	pmemblk 512 $threads
	pmemblk 4096 $threads
done

# Memory that is not persistent is refused, as with the original.
unset PMEM_IS_PMEM_FORCE
for libs in original ours; do
	rc=0
	on_proven $libs libpmem fio --name=t --thread --ioengine=libpmem --filename="$work/plain" --size=32M \
		--bs=4k --rw=write --output="$work/fio.log" >"$work/fio.out" 2>&1 || rc=$?
	[ $rc -eq 1 ] || { cat "$work/fio.log"; fail "$libs: fio exits with $rc on an ordinary file"; }
	grep -q 'err=95' "$work/fio.log" "$work/fio.out" ||
		{ cat "$work/fio.log" "$work/fio.out"; fail "$libs: fio does not say err=95"; }
	rm -f "$work/plain"
	case_ok "$libs: fio's libpmem engine refuses an ordinary file"
done
