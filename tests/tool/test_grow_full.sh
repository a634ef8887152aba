#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# pmemblk grow on a full file system, with any number of free pages: the pool grows, or it keeps its
# bytes and its length, and no backup is left. SIGBUS never kills the tool.
. "$(dirname "$0")/full.sh"

tool create -b 512 -s 17825792 "$work/made" >/dev/null
head -c 1000000 /dev/urandom | tool import - "$work/made" >/dev/null
cp --sparse=always "$work/made" "$work/base"

# New metadata apart from the old ones, and new metadata that overlap them.
for size in 64M 17846272; do
	grown=0 refused=0
	for free in 0 1 2 3 4 5 6 7 8 10 12 14 16 20 24 28 32 36 40 44 48 56 64 128 200 300 400; do
		rm -f "$full"/*
		cp --sparse=always "$work/base" "$full/pool"
		leave $free
		rc=0
		tool grow -s $size "$full/pool" >"$work/out" 2>"$work/err" </dev/null || rc=$?
		case $rc in
		0)
			grown=$((grown + 1))
			expect 0 grow -u "$full/pool.undo" "$full/pool"
			;;
		3)
			refused=$((refused + 1))
			[ ! -e "$full/pool.undo" ] || fail "with $free pages free: a backup was left"
			;;
		*) fail "with $free pages free: exit status $rc" ;;
		esac
		cmp "$full/pool" "$work/base" || fail "with $free pages free: the pool is not what it was"
		rm -f "$full/fill" "$full/pool.undo"
		expect 0 check "$full/pool"
	done
	[ $refused -gt 3 ] || fail "the disk was never full"
	[ $grown -gt 1 ] || fail "the disk was always full"
	case_ok "a full disk: to $size $grown times, refused $refused times"
done
