#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# File systems that keep files in memory and know no limit: what the memory of the machine, or of
# the control group, cannot hold is refused before anything is filled. A second is enough to refuse, and too short to fill much.
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

# A control group with a limit, as a container sees its own. Only this script sees the imitation.
limited=$((32 << 20))
if [ -r /proc/self/cgroup ] && [ -z "$skipped" ] && [ -d /sys/fs/cgroup ] && mount_here -t ramfs none &&
	mount -t tmpfs none /sys/fs/cgroup 2>/dev/null; then
	mkdir /sys/fs/cgroup/memory
	echo $limited | tee /sys/fs/cgroup/memory.max >/sys/fs/cgroup/memory/memory.limit_in_bytes
	ours "$place" use "$work/mnt" $((17 << 20)) || fail "in a group"
	ours timeout 1 "$place" create "$work/mnt/pool" $((limited + 1)) >"$work/out" && fail "in a group"
	grep -q "^create: cannot allocate $((limited + 1)) bytes for .*/pool: No space left on device " "$work/out" ||
		fail "in a group: $(cat "$work/out")"
	[ ! -e "$work/mnt/pool" ] || fail "in a group: the file was left"
	case_ok "ramfs refuses a pool that the memory of a control group cannot hold"
else
	echo "not tested: control groups: they cannot be imitated here"
fi
[ -z "$skipped" ] || echo "not tested: file systems that cannot be mounted here:$skipped"
