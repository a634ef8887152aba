#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# pmemblk(1): what only reads works where files may only be read: for a user without the right to
# write, and on a file system that is mounted read-only, as one does with a disk that is failing.
. "$(dirname "$0")/lib.sh"
dir=$work/pools
mkdir "$dir"
chmod 711 "$work"

head -c 100000 /dev/urandom >"$work/raw"
expect 0 create -b 512 "$dir/sound"
expect 0 import "$work/raw" "$dir/sound"
cp "$dir/sound" "$dir/damaged"
printf '\377' | dd of="$dir/damaged" bs=1 seek=8192 conv=notrunc status=none
cp "$dir/sound" "$dir/dirty"
printf '\1' | dd of="$dir/dirty" bs=1 seek=4040 conv=notrunc status=none
printf 'PMEMPOOLSET\n9M %s\n9M %s\n' "$dir/part0" "$dir/part1" >"$dir/set"
expect 0 create -b 512 -s 0 "$dir/set"
expect 0 import "$work/raw" "$dir/set"
expect 0 export "$dir/sound" "$work/all"
expect 0 info "$dir/sound"
cp "$work/out" "$work/info"
cp "$dir/damaged" "$work/mended"
expect 0 repair --backup="$work/undo" "$work/mended"
cp -r "$dir" "$work/before"

# Runs every command on the pools in $dir through `tool`. $1: the error of writing.
read_all()
{
	local pool
	expect 0 info "$dir/sound"
	diff "$work/info" "$work/out" || fail "info"
	expect 0 info --json --stats "$dir/set"
	for pool in sound dirty set; do
		expect 0 check "$dir/$pool"
		expect 0 repair -n "$dir/$pool"
		expect 0 repair "$dir/$pool"
		expect 0 dump -r 0-3 "$dir/$pool"
		tool export "$dir/$pool" - 2>"$work/err" | cmp -n 100000 - "$work/raw" || fail "export of $pool"
	done
	tool export "$dir/sound" - | cmp - "$work/all" || fail "export"
	expect 1 check "$dir/damaged"
	printed 'pmemblk repair can mend it$'
	expect 1 info "$dir/damaged"
	expect 1 repair -n "$dir/damaged"
	printed 'can be repaired, nothing was changed$'
	tool export "$dir/damaged" - | cmp - "$work/all" || fail "export of a damaged pool"

	expect 3 repair "$dir/damaged"
	said "cannot open .*/damaged for writing: $1\$"
	[ ! -e "$dir/damaged.undo" ] || fail "a backup of a repair that cannot be"
	expect 3 repair --undo="$work/undo" "$dir/damaged"
	said "cannot open .*/damaged for writing: $1\$"
	expect 3 import "$work/raw" "$dir/sound"
	said "cannot open .*/sound: $1\$"
	diff -r "$work/before" "$dir" || fail "a file was changed"
}

# Runs a copy of the tool as the user nobody, who can reach the copy. It finds its libraries beside itself.
tree=$work/tree
mkdir -p "$tree/bin"
cp "$BUILD/bin/pmemblk" "$tree/bin"
cp -rP "$BUILD/lib" "$tree"
chmod -R go+rX "$tree" "$work/raw" "$work/undo" "$dir"
chmod a-w "$dir" "$dir"/*
as_user()
{
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
	else
		"$@"
	fi
}
tool()
{
	as_user ${RUNNER:-} "$tree/bin/pmemblk" "$@"
}
if as_user true 2>/dev/null; then
	chmod go+w "$work"
	read_all 'Permission denied'
	case_ok "files that may only be read"

	# A folder in which the user may make files, but which he may not list.
	mkdir "$work/box"
	cp "$work/before/damaged" "$work/box/pool"
	chmod a=rw "$work/box/pool"
	chmod a=wx "$work/box"
	expect 0 repair "$work/box/pool"
	expect 0 check "$work/box/pool"
	chmod a=rwx "$work/box"
	[ "$(stat -c %a "$work/box/pool.undo")" = 600 ] || fail "the backup's permissions"
	expect 0 repair -u "$work/box/pool.undo" "$work/box/pool"
	cmp "$work/before/damaged" "$work/box/pool" || fail "the undo"
	case_ok "a folder that may only be written to"
else
	echo "(not as another user: setpriv is not there or not allowed)"
fi

[ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null || skip "a read-only mount needs root and mount namespaces"
chmod u+w "$dir" "$dir"/*
mount_read_only()
{
	mount --bind "$dir" "$dir" && mount -o remount,bind,ro "$dir"
}
export -f mount_read_only
export dir
unshare -m bash -c mount_read_only 2>/dev/null || skip "a read-only mount is not allowed here"
tool()
{
	unshare -m bash -c 'mount_read_only && "$@"' - ${RUNNER:-} "$BUILD/bin/pmemblk" "$@"
}
read_all 'Read-only file system'
case_ok "a file system that is mounted read-only"
