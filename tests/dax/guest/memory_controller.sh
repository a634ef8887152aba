# SPDX-License-Identifier: BSD-3-Clause
#
# The platform that most machines have: on power loss what has reached the memory controller is
# saved, caches are not. Persistent memory of every kind, pools on it, and the kernel's own driver
# for block translation tables.
. /lib.sh

min_pool=16785408

refuses_sync()
{
	ours map file "$1" 4194304 MAP_SYNC
}

# pool_with_threads FOLDER BSIZE: exact contents after modifications by four threads.
pool_with_threads()
{
	local pool=$1/pool
	rm -f "$pool" "$1/journal"
	ours cut prepare pool "$pool" "$2" $min_pool "$1/journal" 4
	for round in 1 2; do
		ours cut write "$1/journal" 2000 >/dev/null
		[ "$(ours cut verify "$1/journal")" = "0 0" ]
		[ "$(ours pool check "$pool" "$2")" = 1 ]
		pmempool_consistent "$pool"
	done
	rm "$pool" "$1/journal"
}

# Runs the same operations as on an ordinary file. No write may fall back to msync.
pool_of_operations()
{
	local pool=$1/pool
	rm -f "$pool"
	ours pool create "$pool" "$2" $min_pool
	EXPECT_MODE=pmem ours pool fill "$pool" "$2" 7 0 2000
	ours pool verify "$pool" "$2" 7 2000
	[ "$(ours pool check "$pool" "$2")" = 1 ]
	pmempool_consistent "$pool"
	rm "$pool"
}

# killed_in_use WRITER READER FOLDER: one library is killed with the pool open, the other one opens it.
# The pool's shutdown state names the NVDIMM, and both must name it in the same way.
killed_in_use()
{
	local writer=$1 reader=$2 pool=$3/pool pid
	rm -f "$pool" /tmp/started
	mkfifo /tmp/started
	${writer}_pool create "$pool" 512 $min_pool
	${writer}_pool storm "$pool" 512 1 >/tmp/started &
	read -r pid </tmp/started
	kill -9 "$pid"
	[ "$(${reader}_pool check "$pool" 512)" = 1 ]
	pmempool_consistent "$pool"
	${reader}_pool survey "$pool" 512 1
	rm "$pool"
}

file_systems()
{
	local dev
	dev=$(namespace 128 fsdax -M mem) && mkfs.ext4 -q -F -b 4096 "$dev"
	mkdir -p /mnt/ext4 /mnt/xfs /mnt/virtio /mnt/plain
	case_of "ext4 on an NVDIMM is mounted with DAX" mount -t ext4 -o dax "$dev" /mnt/ext4
	case_of "ext4 with DAX is persistent memory" ours map pmem /mnt/ext4/f 4194304
	case_of "pmem_has_auto_flush is 0 when caches are lost" ours map autoflush 0
	for bsize in 512 4096; do
		case_of "a pool with blocks of $bsize on ext4 with DAX" pool_of_operations /mnt/ext4 $bsize
		case_of "four threads, blocks of $bsize on ext4 with DAX" pool_with_threads /mnt/ext4 $bsize
	done
	if have pmempool; then
		case_of "the original opens what was killed on an NVDIMM" killed_in_use ours original /mnt/ext4
		case_of "we open what the original had open there" killed_in_use original ours /mnt/ext4
	else
		tell "skip pools of the original on an NVDIMM: pmdk-tools is not installed"
	fi
	if have mkfs.xfs; then
		dev=$(namespace 384 fsdax -M mem) && mkfs.xfs -q -f "$dev"
		case_of "xfs on an NVDIMM is mounted with DAX" mount -t xfs -o dax=always "$dev" /mnt/xfs
		case_of "xfs with DAX is persistent memory" ours map pmem /mnt/xfs/f 4194304
		case_of "a pool with blocks of 4096 on xfs with DAX" pool_of_operations /mnt/xfs 4096
		umount /mnt/xfs
	else
		tell "skip xfs with DAX: xfsprogs is not installed"
	fi
}

no_persistent_memory()
{
	local dev=/dev/$(basename "$(ls -d /sys/bus/virtio/drivers/virtio_pmem/virtio*/ndbus*/region*/namespace*/block/*)")
	case_of "tmpfs is not persistent memory" refuses_sync /tmp/f
	if [ -b "$dev" ]; then
		mkfs.ext4 -q -F -b 4096 "$dev"
		case_of "memory of virtio is mounted with DAX" mount -t ext4 -o dax "$dev" /mnt/virtio
		case_of "DAX on memory of virtio is not persistent memory" refuses_sync /mnt/virtio/f
		case_of "a pool works there through msync" pool_through_msync /mnt/virtio
		umount /mnt/virtio
	fi
	umount /mnt/ext4
	mount -t ext4 "$(device_of 128)" /mnt/plain
	case_of "ext4 without DAX is not persistent memory" refuses_sync /mnt/plain/f
	umount /mnt/plain
	mount -t ext4 -o dax "$(device_of 128)" /mnt/ext4
}

pool_through_msync()
{
	export EXPECT_MODE=msync
	ours pool create "$1/pool" 512 $min_pool
	ours pool fill "$1/pool" 512 7 0 200
	ours pool verify "$1/pool" 512 7 200
}

. /device_dax.sh
. /kernel_btt.sh
. /fio.sh
file_systems
no_persistent_memory
device_dax
kernel_btt
with_fio
