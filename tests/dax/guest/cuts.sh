# SPDX-License-Identifier: BSD-3-Clause
#
# Is booted again and again: verifies what the last power cut left, then writes until the next one.
. /lib.sh
mkdir -p /mnt/ext4 /mnt/xfs
targets='ext4 xfs device'

# prepare: pools on two file systems and a device, and blocks overwritten in place.
prepare()
{
	local device
	mkfs.ext4 -q -F -b 4096 "$(namespace 128 fsdax -M mem)"
	mount_ext4
	device=$(namespace 64 devdax -M mem)
	ours cut prepare pool /mnt/ext4/pool 512 16785408 /mnt/ext4/ext4 2
	ours cut prepare pool "$device" 512 0 /mnt/ext4/device 2
	if have mkfs.xfs; then
		mkfs.xfs -q -f "$(namespace 384 fsdax -M mem)"
		mount_xfs
		ours cut prepare pool /mnt/xfs/pool 4096 16785408 /mnt/ext4/xfs 2
	fi
	prepare_in_place
	echo 0 >/mnt/ext4/cuts
	sync
}

prepare_in_place()
{
	ours cut prepare in-place /mnt/ext4/in-place.blocks 4096 0 /mnt/ext4/in-place 2
}

mount_ext4()
{
	mount -t ext4 -o dax "$(device_of 128)" /mnt/ext4
}

mount_xfs()
{
	mount -t xfs -o dax=always "$(device_of 384)" /mnt/xfs
}

# The pool must be consistent before it is opened, and each block must be the old or the new one.
verify()
{
	local counts
	case $1 in
	ext4) [ "$(ours pool check /mnt/ext4/pool 512)" = 1 ] && pmempool_consistent /mnt/ext4/pool ;;
	xfs) [ "$(ours pool check /mnt/xfs/pool 4096)" = 1 ] && pmempool_consistent /mnt/xfs/pool ;;
	device) pmempool_consistent "$(device_of 64)" ;;
	esac || { echo "the check of $1 fails"; return 1; }
	counts=$(ours cut verify "/mnt/ext4/$1") || return 1
	tell "add old ${counts% *}"
	tell "add new ${counts#* }"
}

verify_all()
{
	local t
	for t in $targets; do
		verify "$t" || return 1
	done
	ours birth verify /mnt/ext4/born /mnt/ext4/birth
}

verify_cut()
{
	local cuts
	mount_ext4
	! have mkfs.xfs || mount_xfs
	cuts=$(($(cat /mnt/ext4/cuts) + 1))
	tell "at recovering"
	case_of "power cut $cuts: blocks are old or new, pools whole" verify_all
	tell "add cuts 1"
	ours cut verify /mnt/ext4/in-place
	case $? in
	0) ;;
	3)
		tell "add torn 1"
		prepare_in_place
		;;
	*) prepare_in_place ;; # the power was cut while that was done
	esac
	echo $cuts >/mnt/ext4/cuts
	sync
}

have mkfs.xfs || targets='ext4 device'
if mount_ext4 2>/dev/null && [ -f /mnt/ext4/cuts ]; then
	umount /mnt/ext4
	verify_cut
else
	prepare || exit 1
fi

mkfifo /tmp/ready
for t in $targets in-place; do
	ours cut write "/mnt/ext4/$t" 0 >/tmp/ready &
done
ours birth run /mnt/ext4/born /mnt/ext4/birth >/tmp/ready &
# Starts two threads of each kind, and the one that makes pools.
expected=9
[ "$targets" != 'ext4 device' ] || expected=7
n=0
while [ $n -lt $expected ] && read -r line; do
	n=$((n + 1))
done </tmp/ready
tell "at writing"
wait
echo "the writers stopped by themselves"
exit 1
