# SPDX-License-Identifier: BSD-3-Clause
#
# Pools on ordinary files. All writes to the disk are logged while threads modify the blocks of a
# pool; then the log is replayed, and what a power loss would have left at each flush, and between
# each two, is mounted and judged.
. /lib.sh
. /disks.sh
bytes=$((17 << 20))
mkdir -p /mnt/copy

# record FSTYPE KIND BSIZE THREADS COUNT [SKIP]: leaves the disk before and the log.
record()
{
	local node fstype=$1 kind=$2
	shift 2
	make_fs "$fstype" /dev/ram0
	dd if=/dev/ram0 of=/dev/ram1 bs=1M 2>/dev/null
	node=$(ours mapper create log log-writes /dev/ram0 /dev/ram2)
	mount -t "$fstype" "$node" /mnt/disk
	ours confirm "$kind" /mnt/disk/pool "$1" $bytes "$2" "$3" $4
	umount /mnt/disk
	ours mapper remove log
}

# replayed FSTYPE [stop]: sets points, failures, old and new.
replayed()
{
	local counts
	counts=$(ours replay /dev/ram2 /dev/ram1 /dev/ram3 "$1" pool "$seed" $original $2) ||
		return 1
	set -- $counts
	points=$1 failures=$2 old=$3 new=$4
	echo "$points points, $failures failures, in flight: $old not done, $new done"
}

all_survive()
{
	record "$@"
	replayed "$1"
	tell "add points $points"
	tell "add wrong $failures"
	tell "add undone $old"
	tell "add done $new"
	[ "$failures" = 0 ]
}

# The test must fail if the order of writes is wrong.
is_noticed()
{
	record "$@"
	replayed "$1" stop
	[ "$failures" -gt 0 ]
}

survive()
{
	case_of "$1, threads: $4, blocks of $3: nothing confirmed is lost" all_survive "$@"
}

for fs in $(file_systems); do
	survive $fs pool 512 1 "$count"
	survive $fs pool 4096 4 $((count / 2))
done
for skip in first second; do
	case_of "a write without the $skip of its syncs is noticed" \
		is_noticed ext4 pool 512 1 60 $skip
done
case_of "a library without each seventh sync is noticed" is_noticed ext4 pool 512 1 60 7
case_of "blocks overwritten in place are noticed" is_noticed ext4 in-place 4096 1 40
