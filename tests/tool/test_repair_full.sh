#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# check, repair and undo on a file system without room: with each number of free pages the pool is
# repaired, or it is as it was, or the backup takes it back; nothing is killed by SIGBUS.
. "$(dirname "$0")/full.sh"

put32()
{
	local v=$3 bytes
	printf -v bytes '\\x%02x' $((v & 255)) $((v >> 8 & 255)) $((v >> 16 & 255)) $((v >> 24 & 255))
	printf "$bytes" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# Runs the tool; its status must be one of those given.
status()
{
	local want=$1 rc=0
	shift
	tool "$@" >"$work/out" 2>"$work/err" </dev/null || rc=$?
	case " $want " in
	*" $rc "*) ;;
	*) fail "pmemblk $*: exit status $rc, none of $want" ;;
	esac
	rc_was=$rc
}

same()
{
	cmp -s "$full/pool" "$work/damaged"
}

# --- a sparse pool: map pages that were never stored to are holes ------------------------------

tool create -b 512 -s 17825792 "$work/base" >/dev/null
printf x | tool import -f 10 - "$work/base" >/dev/null
map=$((8192 + $(od -An -tu8 -N8 -j$((8192 + 96)) "$work/base")))
cp "$work/base" "$work/damaged"
put32 "$work/damaged" $((map + 4 * 10)) $((0xffffffff))
put32 "$work/damaged" $((map + 4 * 20000)) $((0xfffffff0))
put32 "$work/damaged" $((map + 4 * 30000)) $((0xffff0000))
spread=$work/damaged

lay_out()
{
	rm -f "$full"/*
	cp --sparse=always "$spread" "$full/pool"
}

repaired=0 refused=0
for free in 0 1 2 3 4 6 8 12 16 24 32 40 48 64 100; do
	lay_out
	leave $free
	status 1 check "$full/pool"
	status 1 repair -n "$full/pool"
	same || fail "with $free pages free: reading changed the pool"
	leave $free
	status "0 3" repair "$full/pool"
	case $rc_was in
	0)
		repaired=$((repaired + 1))
		leave $free
		status "0 3" repair -u "$full/pool.undo" "$full/pool"
		if [ $rc_was = 3 ]; then
			rm -f "$full/fill"
			status 0 repair -u "$full/pool.undo" "$full/pool"
		fi
		;;
	3)
		refused=$((refused + 1))
		rm -f "$full/fill"
		[ ! -e "$full/pool.undo" ] || status 0 repair -u "$full/pool.undo" "$full/pool"
		;;
	esac
	same || fail "with $free pages free: the pool is not what it was"
	status 0 repair "$full/pool"
	status 0 check "$full/pool"
done
[ $refused -gt 0 ] || fail "the disk was never full"
[ $repaired -gt 0 ] || fail "the disk was always full"
case_ok "a sparse pool on a full disk: $repaired repairs and $refused refusals, all taken back"

# The backup is elsewhere, and the pool's disk is full: the repair changes only pages that have space.
lay_out
leave 0
status 1 check "$full/pool"
printed 'pmemblk repair can mend it$'
status 0 repair -b "$work/undo" "$full/pool"
status 0 check "$full/pool"
status 0 repair -u "$work/undo" "$full/pool"
same || fail "the undo on a full disk"
rm "$work/undo"
case_ok "a repair needs no room where it has nothing to put"

# --- map entries in holes, where even reading takes a page on tmpfs -----------------------------

room()
{
	stat -f -c %f "$full"
}

# looking STATUS: check and a dry run exit with it; they need no room, and change nothing.
looking()
{
	lay_out
	leave 0
	[ "$(room)" = 0 ] || fail "the disk is not full"
	status "$1" check "$full/pool"
	status "$1" repair -n "$full/pool"
	same || fail "reading changed the pool"
}

# Block 10 claims the data block of block 25000, whose map entry is in a hole and has to be changed.
cp "$work/damaged" "$work/before"
put32 "$work/damaged" $((map + 4 * 10)) $((0xc0000000 + 25000))
looking 1
printed '^block 25000: its map entry 0xc00061a8 names a data block that others name'
printed 'can be repaired, nothing was changed'
status 3 repair -b "$work/undo" "$full/pool"
said 'cannot allocate'
[ ! -e "$work/undo" ] || fail "a backup of nothing was left"
same || fail "the pool was changed"
case_ok "check and a dry run agree about a map entry in a hole, and a repair has no room"

# Block 25000 was written, but its map entry, which is in a hole, was not stored yet.
unfinished()
{
	local slot=$((flog + 64 * 5)) free
	free=$(($(od -An -tu4 -N4 -j$((slot + 4)) "$work/base") & 0x3fffffff))
	put32 "$work/damaged" $slot 25000
	put32 "$work/damaged" $((slot + 4)) $((0xc0000000 + 25000))
	put32 "$work/damaged" $((slot + 8)) $((0xc0000000 + free))
}
flog=$((8192 + $(od -An -tu8 -N8 -j$((8192 + 104)) "$work/base")))
cp "$work/base" "$work/damaged"
unfinished
looking 0
leave 0
status 0 check -b 512 "$full/pool"
leave 0
status 3 check -b 4096 "$full/pool"
leave 0
status 0 repair "$full/pool"
same || fail "a consistent pool was changed"
leave 0
status 0 info -m "$work/map.svg" "$full/pool"
grep -q '>data: 2<' "$work/map.svg" || fail "the picture of a pool on a full disk"
put32 "$work/damaged" $((map + 4 * 10)) $((0xffffffff))
looking 1
printed '^block 25000: an unfinished write is completed'
mv "$work/before" "$work/damaged"
case_ok "check and a dry run agree about an unfinished write whose map entry is in a hole"

# --- a file that has lost its last page ---------------------------------------------------------

for gone in 4096 100; do
	cp "$work/base" "$work/cut"
	truncate -s -$gone "$work/cut"
	spread=$work/cut
	for free in 0 1 2; do
		rm -f "$full"/* "$work/undo"
		cp --sparse=never "$work/cut" "$full/pool"
		leave $free
		status "0 3" repair -b "$work/undo" "$full/pool"
		[ $gone != 4096 ] || [ $free != 0 ] || [ $rc_was = 3 ] || fail "there was no room for a page"
		[ $rc_was = 0 ] || { [ ! -e "$work/undo" ] || fail "a backup of nothing was left"; }
		[ $rc_was = 3 ] || status 0 repair -u "$work/undo" "$full/pool"
		cmp "$full/pool" "$work/cut" || fail "the pool is not what it was"
	done
done
case_ok "a page that cannot be appended leaves the file as it was"

# --- a backup without room -----------------------------------------------------------------------

cp "$work/base" "$work/damaged"
for i in $(seq 0 37 3700); do
	put32 "$work/damaged" $((map + 4 * i)) $((0xffffffff))
done
for free in 0 1 2 3; do
	rm -f "$full"/* "$work/undo"
	cp "$work/damaged" "$work/p"
	leave $free
	status "0 3" repair -b "$full/undo" "$work/p"
	if [ $rc_was = 3 ]; then
		[ ! -e "$full/undo" ] || fail "half a backup was left"
		cmp -s "$work/p" "$work/damaged" || fail "changed without a backup"
	fi
	[ $free != 0 ] || [ $rc_was = 3 ] || fail "there was no room for the backup"
done
case_ok "without a complete backup nothing is changed"
