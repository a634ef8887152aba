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

device_dax()
{
	local one two
	one=$(namespace 64 devdax -M mem)
	two=$(namespace 80 devdax -M mem)
	case_of "device DAX is persistent memory" ours map pmem "$one" 0
	case_of "device DAX has its size as only length" ours map pmem "$one" $((62 << 20))
	case_of "a pool on device DAX" device_pool "$one"
	case_of "a pool on device DAX is not overwritten by another" device_used_twice "$one"
	case_of "device DAX in a set, AUTO" device_set "" "$one"
	case_of "two devices in a set with one header" device_set SINGLEHDR "$one" "$two"
	case_of "a device with another size than the set says is refused" wrong_size "$one"
}
