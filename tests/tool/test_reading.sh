#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# pmemblk(1): commands that only read open no file of the pool for writing. An overlay file system
# would copy the whole file at that moment.
. "$(dirname "$0")/lib.sh"
dir=$work/pools
mkdir "$dir"
head -c 100000 /dev/urandom >"$work/raw"
expect 0 create -b 512 "$dir/pool"
expect 0 import "$work/raw" "$dir/pool"
cp "$dir/pool" "$dir/damaged"
printf '\377' | dd of="$dir/damaged" bs=1 seek=8192 conv=notrunc status=none
printf 'PMEMPOOLSET\n9M %s\n9M %s\n' "$dir/part0" "$dir/part1" >"$dir/set"
expect 0 create -b 512 -s 0 "$dir/set"

# Runs every command that only reads on the pools in $dir, by the function $1.
read_all()
{
	local pool
	for pool in pool set; do
		"$1" 0 info "$dir/$pool"
		"$1" 0 info --stats "$dir/$pool"
		"$1" 0 info --map=/dev/null "$dir/$pool"
		"$1" 0 check "$dir/$pool"
		"$1" 0 repair -n "$dir/$pool"
		"$1" 0 dump -r 0-3 "$dir/$pool"
		"$1" 0 export "$dir/$pool" /dev/null
	done
	"$1" 1 info "$dir/damaged"
	"$1" 1 check "$dir/damaged"
	"$1" 1 repair -n "$dir/damaged"
	"$1" 0 export "$dir/damaged" /dev/null
}

traced()
{
	local want=$1 rc=0
	shift
	strace -f -o "$work/trace" -e trace=open,openat,openat2,creat,truncate,ftruncate \
		"$BUILD/bin/pmemblk" "$@" >"$work/out" 2>"$work/err" </dev/null || rc=$?
	[ $rc = "$want" ] || fail "pmemblk $*: exit status $rc instead of $want"
	grep -q "\"$dir/.*O_RDONLY" "$work/trace" || fail "pmemblk $*: the trace shows no open"
	if grep -E "\"$dir/" "$work/trace" | grep -E 'O_RDWR|O_WRONLY|creat|truncate'; then
		fail "pmemblk $*: opens a file for writing"
	fi
}
if command -v strace >/dev/null && strace true 2>/dev/null && [ -z "${RUNNER:-}${SAN:-}" ]; then
	read_all traced
	case_ok "reading commands open no file for writing"
else
	echo "not tested: system calls, for plain variants where strace may trace"
fi

# Mounts an overlay of the folder $dir over $dir itself, so that the paths in the set lead to the overlay.
# shellcheck disable=SC2016
overlay='mkdir "$work/layers" && mount -t tmpfs layers "$work/layers" &&
	mkdir "$work/layers/upper" "$work/layers/work" &&
	mount -t overlay -o "lowerdir=$dir,upperdir=$work/layers/upper,workdir=$work/layers/work" layers "$dir"'
export -f read_all expect fail tool
export work dir BUILD RUNNER=${RUNNER:-}
if ! unshare --mount bash -euc "$overlay" 2>/dev/null; then
	rmdir "$work/layers" 2>/dev/null || true
	echo "not tested: an overlay: may not be mounted here"
	exit 0
fi
rmdir "$work/layers"
unshare --mount bash -euc "$overlay"'
	read_all expect
	copied=$(find "$work/layers/upper" -type f)
	[ -z "$copied" ] || fail "was copied: $copied"
	expect 0 import "$work/raw" "$dir/pool"
	[ -s "$work/layers/upper/pool" ] || fail "an import copies nothing: is this an overlay?"' || exit 1
case_ok "nothing is copied up on an overlay file system"
