# SPDX-License-Identifier: BSD-3-Clause
#
# Pools on ordinary files of disks that refuse some writes, and then lose their power.
. /lib.sh
. /disks.sh
mkdir -p /mnt/copy

# failing LIBRARY SEQUENCE FSTYPE: sets points, harm, errors and refused.
failing()
{
	local program=ours node counts
	[ "$1" = ours ] || program=debian
	make_fs "$3" /dev/ram0
	node=$(ours mapper create live linear /dev/ram0 0)
	mount -t "$3" "$node" /mnt/disk
	dmesg -c >/dev/null
	counts=$($program failing "$1" "$2" /mnt/disk/pool "$3" "$seed" $original) || counts='0 1 0'
	umount /mnt/disk
	ours mapper remove live
	set -- $counts
	points=$1 harm=$2 errors=$3
	refused=$(dmesg | grep -c 'I/O error\|writeback error')
	echo "the power was lost $points times, harm done $harm times, $errors calls failed"
}

debian()
{
	local program=$1
	shift
	"/ours/$program" "$@"
}

# The kernel's messages show that the disk refused something.
survives()
{
	failing ours "$@"
	tell "add losses $points"
	tell "add harm $harm"
	tell "add errors $errors"
	[ "$harm" = 0 ]
	[ "$refused" -gt 0 ]
}

is_noticed()
{
	failing original "$@"
	[ "$harm" -gt 0 ]
}

for fs in $(file_systems); do
	case_of "$fs: after a failed write nothing confirmed is lost" survives write $fs
	case_of "$fs: a flag that failed is set when it is set again" survives flag $fs
	case_of "$fs: what a killed writer's disk refused is not relied on" survives killed $fs
	case_of "$fs: four threads' failed writes lose nothing confirmed" survives threads $fs
done
# It goes on after an error as if there were none.
[ -z "$original" ] || case_of "what the original loses is noticed" is_noticed write ext4
