# SPDX-License-Identifier: BSD-3-Clause
#
# The memory reports errors, by machine checks that the host raises.
. /lib.sh
dev=$(namespace 128 fsdax -M mem) && mkfs.ext4 -q -F -b 4096 "$dev"
mkdir -p /mnt/ext4
mount -t ext4 -o dax "$dev" /mnt/ext4
start=$(cat /sys/bus/nd/devices/pfn*/resource | head -n 1)
list=/sys/block/$(basename "$dev")/badblocks

# strike FILE OFFSET: loses that page; returns when the kernel has listed it.
strike()
{
	local place before n=0
	sync
	place=$(ours place "$1" "$2") || return 1
	before=$(cat "$list")
	tell "at mce $(printf '0x%x' $((start + place)))"
	while [ "$(cat "$list")" = "$before" ]; do
		n=$((n + 1))
		[ $n -lt 20000 ] || return 1
	done
	cat "$list"
}

refused()
{
	fails ours pool verify "$1" 4096 7 500 2>/tmp/message
	cat /tmp/message
	grep -q 'bad block' /tmp/message
	grep -q 'Input/output error' /tmp/message
}

# A program has the pool open when a page is lost; it has asked for errors in place of SIGBUS.
struck_in_use()
{
	mkfifo /tmp/out /tmp/go
	ours struck /mnt/ext4/in-use 4096 </tmp/go >/tmp/out &
	exec 3>/tmp/go 4</tmp/out
	read -r off <&4
	strike /mnt/ext4/in-use "$off"
	echo go >&3
	cat <&4
	wait $!
}

for p in struck spared; do
	ours pool create /mnt/ext4/$p 4096 16785408
	ours pool fill /mnt/ext4/$p 4096 7 0 500
done
# The first data block lies behind the header, the descriptor and an info block.
case_of "the kernel lists the bad block" strike /mnt/ext4/struck 12288
case_of "a load from the bad block raises SIGBUS" ours map bad /mnt/ext4/struck 12288
case_of "a pool on a bad block is not opened" refused /mnt/ext4/struck
case_of "another pool on the same device is not touched" ours pool verify /mnt/ext4/spared 4096 7 500
case_of "a pool in use survives with sigbus.catch" struck_in_use
case_of "it is not opened again" refused /mnt/ext4/in-use
