# SPDX-License-Identifier: BSD-3-Clause
#
# A platform that saves the CPU's caches, too: nothing needs to be flushed.
. /lib.sh
dev=$(namespace 128 fsdax -M mem) && mkfs.ext4 -q -F -b 4096 "$dev"
mkdir -p /mnt/ext4
case_of "ext4 with DAX is mounted" mount -t ext4 -o dax "$dev" /mnt/ext4
case_of "pmem_has_auto_flush is 1 when caches are saved" ours map autoflush 1
case_of "ext4 with DAX is persistent memory" ours map pmem /mnt/ext4/f 4194304
case_of "nothing is flushed but by pmem_deep_flush" ours executed /mnt/ext4/e none vmovntdq clwb
export PMEM_NO_FLUSH=0
case_of "PMEM_NO_FLUSH=0 brings the flushes back" ours executed /mnt/ext4/e clwb vmovntdq
