# SPDX-License-Identifier: BSD-3-Clause
#
# Pools in memory, in a control group with a limit (src/common/cgroup.c), which $version selects of
# the kernel's two interfaces.
. /lib.sh
limit=48 # MiB
mkdir -p /mnt/ramfs /mnt/tmpfs /mnt/disk /groups
mount -t ramfs none /mnt/ramfs
mount -t tmpfs -o size=200m none /mnt/tmpfs
case $version in
2)
	place=/sys/fs/cgroup
	mount -t cgroup2 none /groups
	echo +memory >/groups/cgroup.subtree_control
	mkdir -p /groups/service/part
	echo ${limit}M >/groups/service/memory.max
	;;
1)
	place=/sys/fs/cgroup/memory
	mount -t tmpfs none /sys/fs/cgroup
	mkdir $place
	mount -t cgroup -o memory none /groups
	mkdir -p /groups/service/part
	echo ${limit}M >/groups/service/memory.limit_in_bytes
	;;
esac
mount --bind /groups $place

# Runs a command in a group below the one with the limit.
in_group()
{
	sh -c 'echo $$ >/groups/service/part/cgroup.procs && exec "$@"' - "$@"
}

create()
{
	LD_LIBRARY_PATH=/ours in_group /ours/pool create "/mnt/$1" 512 $(($2 << 20)) >/tmp/said 2>&1
}

refused()
{
	rc=0
	create "$@" || rc=$?
	cat /tmp/said
	[ $rc = 1 ]
	grep -q "No space left on device" /tmp/said
	[ ! -e "/mnt/$1" ]
}

too_large()
{
	refused "$1/large" 100
}

beside_another()
{
	create "$1/small" 17
	refused "$1/second" 40
	create "$1/second" 20
	rm "/mnt/$1/small" "/mnt/$1/second"
}

full_of_cache()
{
	insmod /more/brd.ko rd_nr=1 rd_size=$((128 * 1024))
	mkfs.ext4 -q -F -b 4096 /dev/ram0
	mount /dev/ram0 /mnt/disk
	in_group dd if=/dev/zero of=/mnt/disk/file bs=1M count=$((limit + 32))
	create ramfs/pool 40
	rm /mnt/ramfs/pool
}

# Where the groups are not to be seen, the kernel shows what it does.
killed()
{
	umount $place
	rc=0
	create "$1/large" 100 || rc=$?
	mount --bind /groups $place
	rm "/mnt/$1/large"
	[ $rc = 137 ]
}

for fs in ramfs tmpfs; do
	case_of "v$version: $fs refuses a pool that the group cannot hold" too_large $fs
	case_of "v$version: $fs counts what the group holds already" beside_another $fs
	case_of "v$version: the kernel kills who asks $fs for more than the limit" killed $fs
done
case_of "v$version: the page cache of disks takes no room" full_of_cache
