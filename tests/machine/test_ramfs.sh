#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# File systems that keep files in memory and know no limit: what the machine's memory cannot hold is
# refused before anything is filled. A second is enough to refuse, and too short to fill much.
. "$(dirname "$0")/lib.sh"
[ -z "${SAN:-}${CROSS:-}" ] || skip "for plain variants of this CPU only"
place=$BUILD/tests/machine/place
long=$((1 << 50))

skipped=
for fs in ramfs tmpfs; do
	case $fs in
	ramfs) mount_here -t ramfs none ;;
	tmpfs) mount_here -t tmpfs -o size=0 none ;;
	esac || { skipped+=" $fs"; continue; }
	ours "$place" use "$work/mnt" $((17 << 20)) || fail "$fs"
	ours timeout 1 "$place" create "$work/mnt/pool" $long >"$work/out" && fail "$fs holds $long bytes"
	grep -q "^create: cannot allocate $long bytes for .*/pool: No space left on device " "$work/out" ||
		fail "$fs, create: $(cat "$work/out")"
	[ ! -e "$work/mnt/pool" ] || fail "$fs: the file was left"
	case_ok "$fs refuses a pool that memory cannot hold"
	umount "$work/mnt"
done

# ramfs never frees a page: reading the metadata of a sparse file fills its holes.
if [ ! -e /proc/self/exe ]; then
	echo "not tested: sparse files: without /proc the loader does not find the libraries beside the tool"
elif [ -z "$skipped" ] && mount_here -t ramfs none; then
	truncate -s $long "$work/mnt/sparse"
	for command in check info "repair -n" "dump -r 0" "create -b 512 -s 0"; do
		rc=0
		# shellcheck disable=SC2086
		timeout 1 "$BUILD/bin/pmemblk" $command "$work/mnt/sparse" >"$work/out" 2>&1 || rc=$?
		[ $rc = 3 ] && grep -q "sparse: it has $long bytes on ramfs" "$work/out" ||
			fail "$command: exit status $rc: $(cat "$work/out")"
	done
	[ "$(stat -c %b "$work/mnt/sparse")" -le 1024 ] || fail "more was read than the first bytes"
	case_ok "a file that is longer than the memory is not read"
fi
[ -z "$skipped" ] || echo "not tested: file systems that cannot be mounted here:$skipped"
