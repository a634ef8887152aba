# SPDX-License-Identifier: BSD-3-Clause
#
# What the library executes on this model of CPU: $flush and $store, of the kernel's command line.
. /lib.sh
dev=$(namespace 128 fsdax -M mem) && mkfs.ext4 -q -F -b 4096 "$dev"
mkdir -p /mnt/ext4
mount -t ext4 -o dax "$dev" /mnt/ext4
case_of "this CPU flushes with $flush, stores with $store" ours executed /mnt/ext4/e "$flush" "$store"
