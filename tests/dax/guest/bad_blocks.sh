# SPDX-License-Identifier: BSD-3-Clause
#
# The memory reports an error, by a machine check that the host raises; a pool on it is refused.
. /lib.sh
dev=$(namespace 128 fsdax -M mem) && mkfs.ext4 -q -F -b 4096 "$dev"
mkdir -p /mnt/ext4
mount -t ext4 -o dax "$dev" /mnt/ext4
for p in struck spared; do
	ours pool create /mnt/ext4/$p 4096 16785408
	ours pool fill /mnt/ext4/$p 4096 7 0 500
done
sync
# The first data block: behind the header, the descriptor and an info block.
place=$(ours place /mnt/ext4/struck 12288)
start=$(cat /sys/bus/nd/devices/pfn*/resource | head -n 1)
tell "at mce $(printf '0x%x' $((start + place)))"
list=/sys/block/$(basename "$dev")/badblocks
n=0
while [ -z "$(cat "$list")" ] && [ $n -lt 20000 ]; do
	n=$((n + 1))
done
cat "$list"

listed()
{
	[ -n "$(cat "$list")" ]
}

refused()
{
	! ours pool verify /mnt/ext4/struck 4096 7 500 2>/tmp/message
	cat /tmp/message
	grep -q 'bad block' /tmp/message
	grep -q 'Input/output error' /tmp/message
}

case_of "the kernel lists the bad block" listed
case_of "a load from the bad block raises SIGBUS" ours map bad /mnt/ext4/struck 12288
case_of "a pool on a bad block is not opened" refused
case_of "another pool on the same device is not touched" ours pool verify /mnt/ext4/spared 4096 7 500
