# SPDX-License-Identifier: BSD-3-Clause
#
# Ordinary disks under ordinary file systems, for scenes; to be sourced: /dev/ram0 to ram3, in
# memory, with the device mapper on top.
disk_mib=96
for module in dm-mod dm-bufio dm-log-writes dm-flakey dm-snapshot; do
	insmod /more/$module.ko
done
insmod /more/brd.ko rd_nr=4 rd_size=$((disk_mib * 1024))
mkdir -p /mnt/disk
original=original
have pmempool || original=

file_systems()
{
	echo ext4
	! have mkfs.xfs || echo xfs
}

# Small file systems, without anything that goes on in the background. Since version 5.19 mkfs.xfs
# has to be asked for small ones.
make_fs()
{
	case $1 in
	ext4) mkfs.ext4 -q -F -b 4096 -J size=4 -E lazy_itable_init=0,lazy_journal_init=0 "$2" ;;
	xfs) mkfs.xfs -q -f --unsupported -d agcount=2 -l size=8m "$2" >/dev/null 2>&1 ||
		mkfs.xfs -q -f -d agcount=2 -l size=8m "$2" ;;
	esac
}
