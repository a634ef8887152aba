# SPDX-License-Identifier: BSD-3-Clause
#
# Device DAX: a mapping without any file system, alone and in pool sets; to be sourced.

# A pool is made only where there is none.
wipe()
{
	ours map wipe "$1" 8192
}

device_pool()
{
	wipe "$1"
	ours pool create "$1" 512 0
	EXPECT_MODE=pmem ours pool fill "$1" 512 3 0 2000
	ours pool verify "$1" 512 3 2000
	pmempool_consistent "$1"
}

device_used_twice()
{
	fails ours pool create "$1" 512 0 2>/tmp/message
	cat /tmp/message
	ours pool verify "$1" 512 3 2000
}

# device_set OPTION DEVICE...: the devices as parts of one pool.
device_set()
{
	local option=$1 d
	shift
	echo PMEMPOOLSET >/tmp/pool.set
	[ -z "$option" ] || echo "OPTION $option" >>/tmp/pool.set
	for d in "$@"; do
		echo "AUTO $d" >>/tmp/pool.set
		wipe "$d"
	done
	ours pool create /tmp/pool.set 4096 0
	EXPECT_MODE=pmem ours pool fill /tmp/pool.set 4096 5 0 2000
	ours pool verify /tmp/pool.set 4096 5 2000
	pmempool_consistent /tmp/pool.set
}

wrong_size()
{
	printf 'PMEMPOOLSET\n32M %s\n' "$1" >/tmp/wrong.set
	wipe "$1"
	fails ours pool create /tmp/wrong.set 4096 0 2>/tmp/message
	cat /tmp/message
}

# with_hints MODE COMMAND...: meanwhile the region of the device of 64 MiB says that it needs deep
# flushes, which the emulated one does not, by a file that the library may write to (MODE rw) or
# not (ro), or that takes no writes (broken).
with_hints()
{
	local mode=$1 file=/sys/bus/nd/devices/$(region_of 64)/deep_flush rc
	shift
	if [ "$mode" = broken ]; then
		# reads as 1, too
		ifconfig lo up
		mount -o bind /sys/class/net/lo/carrier "$file"
	else
		echo 2 >/tmp/deep_flush
		mount -o bind /tmp/deep_flush "$file"
		mount -o "remount,bind,$mode" /tmp/deep_flush "$file"
	fi
	"$@" && rc=0 || rc=$?
	umount "$file"
	return $rc
}

deep_flush_of_marks()
{
	wipe "$1"
	with_hints rw ours pool create "$1" 512 0
	[ "$(cat /tmp/deep_flush)" = 1 ]
	with_hints rw ours pool fill "$1" 512 3 0 2000
	[ "$(cat /tmp/deep_flush)" = 1 ]
	ours pool verify "$1" 512 3 2000
	pmempool_consistent "$1"
	# Checking is refused for a device, and stores nothing.
	[ "$(with_hints rw ours pool check "$1" 512)" = -1 ]
	[ "$(cat /tmp/deep_flush)" = 2 ]
}

deep_flush_refused()
{
	with_hints broken fails ours pool verify "$1" 512 3 2000 2>/tmp/message
	cat /tmp/message
	grep -q 'deep_flush.*not supported' /tmp/message
	ours pool verify "$1" 512 3 2000
}

deep_flush_not_allowed()
{
	with_hints ro ours pool verify "$1" 512 3 2000
	[ "$(cat /tmp/deep_flush)" = 2 ]
}

# The device has held a pool with blocks; only the page that a header needs is free.
failed_create()
{
	wipe "$1"
	fails ours map zero "$1" 2097152
	with_hints broken fails ours pool create "$1" 512 0 2>/tmp/message
	cat /tmp/message
	grep -q 'deep_flush.*not supported' /tmp/message
	ours map zero "$1" 2097152
	ours pool create "$1" 512 0
	ours pool fill "$1" 512 4 0 2000
	ours pool verify "$1" 512 4 2000
}

device_dax()
{
	local one two
	one=$(namespace 64 devdax -M mem)
	two=$(namespace 80 devdax -M mem)
	case_of "device DAX is persistent memory" ours map pmem "$one" 0
	case_of "device DAX has its size as only length" ours map pmem "$one" $((62 << 20))
	case_of "a pool on device DAX" device_pool "$one"
	case_of "a pool on device DAX is not overwritten by another" device_used_twice "$one"
	case_of "marks of a pool on device DAX are flushed deeply" deep_flush_of_marks "$one"
	case_of "a pool whose mark cannot be flushed deeply is not opened" deep_flush_refused "$one"
	case_of "a pool is opened where deep flushes are not allowed" deep_flush_not_allowed "$one"
	case_of "a failed create leaves nothing on device DAX" failed_create "$one"
	case_of "device DAX in a set, AUTO" device_set "" "$one"
	case_of "two devices in a set with one header" device_set SINGLEHDR "$one" "$two"
	case_of "a device with another size than the set says is refused" wrong_size "$one"
}
