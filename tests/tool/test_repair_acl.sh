#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Backups in a folder whose default access control list lets others read new files.
. "$(dirname "$0")/lib.sh"
command -v setfacl >"$work/out" || skip "setfacl (package acl) is not installed"

dir=$work/dir
mkdir "$dir"
setfacl -d -m u:65534:rwx,g:65534:rwx,o::rwx "$dir" 2>"$work/err" || skip "no access control lists: $(cat "$work/err")"
: >"$dir/control"
getfacl -cnpE "$dir/control" | grep -q '^mask::rw-' || fail "a new file does not inherit the list"

# private FILE: the list grants nothing to anybody but the owner.
private()
{
	getfacl -cnpE "$1" >"$work/out" || fail "no list of $1"
	printed '^user::rw-$'
	printed '^user:65534:rwx$'
	printed '^mask::---$'
	printed '^other::---$'
	[ "$(stat -c %a "$1")" = 600 ] || fail "$1 has mode $(stat -c %a "$1")"
}

damage()
{
	printf '\377\377\377\377' | dd of="$dir/pool" bs=1 seek=$((8192 + $(od -An -tu8 -j8288 -N8 "$dir/pool"))) conv=notrunc status=none
}

# A pool that nobody else may read, and one that all may.
for mode in 600 666; do
	rm -f "$dir"/pool*
	expect 0 create -w -b 4096 -m $mode "$dir/pool"
	setfacl -m m::--- "$dir/pool"
	chmod $mode "$dir/pool"
	getfacl -cnpE "$dir/pool" >"$work/acl"
	damage
	expect 0 repair "$dir/pool"
	private "$dir/pool.undo"
	expect 0 repair -u "$dir/pool.undo" "$dir/pool"
	expect 0 repair -b "$dir/pool.backup" "$dir/pool"
	private "$dir/pool.backup"
	expect 0 grow -b "$dir/pool.grown" -s 20M "$dir/pool"
	private "$dir/pool.grown"
	getfacl -cnpE "$dir/pool" | cmp - "$work/acl" || fail "the list of the pool has changed"
done
case_ok "a backup grants no right that the folder's list offers"
