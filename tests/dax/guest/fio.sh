# SPDX-License-Identifier: BSD-3-Clause
#
# Debian's unmodified fio on this library, every block verified by checksum; to be sourced.

# run_fio LIBRARY ARGUMENT...: fails, too, when fio took that library from elsewhere.
run_fio()
{
	local library=$1
	shift
	cd /tmp
	rm -f /tmp/loader.*
	LD_DEBUG=libs LD_DEBUG_OUTPUT=/tmp/loader LD_LIBRARY_PATH=/ours:/mnt/fio /mnt/fio/fio \
		--name=t --thread --direct=1 --verify=crc32c --verify_state_save=0 "$@" >/tmp/fio.log 2>&1 ||
		{ cat /tmp/fio.log; return 1; }
	grep 'err=' /tmp/fio.log
	grep -q 'err= 0' /tmp/fio.log
	fails grep -qE 'verify:|bad magic' /tmp/fio.log
	grep -q "calling init: /ours/$library.so.1" /tmp/loader.*
}

fio_blocks()
{
	run_fio libpmemblk --ioengine=pmemblk --filename="/mnt/ext4/fio,$1,32" --bs="$1" --size=2M \
		--rw=randwrite
	[ "$(ours pool check /mnt/ext4/fio "$1")" = 1 ]
	pmempool_consistent /mnt/ext4/fio
	rm /mnt/ext4/fio
}

fio_mapped()
{
	run_fio libpmem --ioengine=libpmem --filename=/mnt/ext4/fio --bs=4k --size=4M --rw=randrw
	rm /mnt/ext4/fio
}

with_fio()
{
	mkdir -p /mnt/fio
	if ! mount -t ext4 -o ro /dev/vda /mnt/fio; then
		tell "skip fio on persistent memory: fio is not installed"
		return
	fi
	for bsize in 512 4096; do
		case_of "fio with blocks of $bsize on ext4 with DAX" fio_blocks $bsize
	done
	case_of "fio on files that are mapped by libpmem" fio_mapped
}
