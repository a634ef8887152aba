#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Either library makes and fills a pool, and pmemblk grow makes it larger. Then the original and its
# pmempool find it consistent, every block reads as before, new blocks read as zeros, and both
# libraries can write to all blocks.
. "$(dirname "$0")/lib.sh"
need_command pmempool pmdk-tools
[ -x "$BUILD/bin/pmemblk" ] || skip "the tool is not built"
export PMEM_IS_PMEM_FORCE=1
unset EXPECT_MODE
p=$work/p

tool()
{
	on ours "$BUILD/bin/pmemblk" "$@" >"$work/log" 2>&1 || { cat "$work/log"; fail "pmemblk $*"; }
}

consistent()
{
	tool check "$p"
	on original pmempool check "$p" >"$work/log" 2>&1 || { cat "$work/log"; fail "$1: pmempool"; }
	[ "$(pool original check "$p" "$bsize")" = 1 ] || fail "$1: the original's check"
}

# read_all LIBS FILE: reads all blocks, and notes the numbers of the bad ones.
read_all()
{
	pool "$1" read "$p" "$bsize" >"$2" 2>"$2.errors" || true
}

while read -r maker bsize from to; do
	rm -f "$p"*
	pool "$maker" create "$p" "$bsize" "$from" >/dev/null
	pool "$maker" fill "$p" "$bsize" 5 0 400
	read_all original "$work/before"
	[ -s "$work/before.errors" ] || fail "there are no bad blocks"
	tool grow -s "$to" "$p"
	consistent "grown to $to"
	for libs in original ours; do
		read_all $libs "$work/after"
		cmp -n "$(stat -c %s "$work/before")" "$work/before" "$work/after" || fail "$libs: old blocks"
		cmp "$work/before.errors" "$work/after.errors" || fail "$libs: bad blocks"
		tail -c +$(($(stat -c %s "$work/before") + 1)) "$work/after" | cmp - /dev/zero 2>&1 | grep -q EOF ||
			fail "$libs: new blocks are not zeros"
	done
	[ "$(stat -c %s "$work/after")" -gt "$(stat -c %s "$work/before")" ] || fail "no new blocks"
	cp "$p" "$work/grown"
	for libs in original ours; do
		# blocks all over the grown pool
		pool $libs fill "$p" "$bsize" 6 0 400
		consistent "written by $libs"
	done
	cp "$work/grown" "$p"
	tool grow -u "$p.undo" "$p"
	consistent "taken back"
	read_all original "$work/after"
	cmp "$work/before" "$work/after" || fail "taken back: the blocks"
	case_ok "$maker, blocks of $bsize: $from to $to"
done <<'END'
ours 512 20000000 20004096
ours 512 16785408 96M
original 512 17825792 200M
original 520 33554432 96M
ours 4096 17000000 20000001
original 4104 20000001 33M
original 65536 50331648 50M
END
