# SPDX-License-Identifier: BSD-3-Clause
#
# The kernel has a driver of its own for the format of the pools' block translation tables. Blocks
# written by one are read by the other, both ways, again and again; to be sourced.

# bind NAMESPACE RAW: the device of the kernel's table (RAW 0) or the memory as it is (RAW 1).
bind()
{
	local device=/dev/pmem${1#namespace}
	device=${device%.0}
	ndctl disable-namespace "$1"
	echo "$2" >"/sys/bus/nd/devices/$1/force_raw"
	ndctl enable-namespace "$1"
	[ "$2" = 1 ] || device=${device}s
	for try in 1 2 3 4 5 6 7 8 9 10; do
		[ ! -b "$device" ] || break
		sleep 0.1
	done
	[ -b "$device" ]
	bound=$device
}


# The pool's blocks, through the kernel's driver.
to_kernel()
{
	ours array dump $pool "$bsize" >/tmp/before
	bind "$ns" 1
	ours transplant to "$bound" $pool
	bind "$ns" 0
	ours array dump "$bound" "$bsize" >/tmp/after
	head -n 1 /tmp/after
	grep -c error /tmp/after || true
	diff /tmp/before /tmp/after
}

# The blocks of the kernel's device, as a pool.
to_pool()
{
	bind "$ns" 0
	ours array dump "$bound" "$bsize" >/tmp/before
	bind "$ns" 1
	ours transplant from "$bound" $pool
	[ "$(ours pool check $pool "$bsize")" = 1 ]
	pmempool_consistent $pool
	ours array dump $pool "$bsize" >/tmp/after
	head -n 1 /tmp/after
	diff /tmp/before /tmp/after
}

kernel_writes()
{
	bind "$ns" 0
	ours array fill "$bound" "$bsize" "$1" 1000
}

new_pool()
{
	rm -f $pool
	ours pool create $pool "$bsize" $((($1 << 20) + 4096))
}

ours_to_kernel()
{
	new_pool "$1"
	ours array fill $pool "$bsize" 1 1000
	ours array mark $pool "$bsize" 1000
	ours array mark $pool "$bsize" 0
	to_kernel
	[ "$(grep -c error /tmp/after)" = 2 ]
}

ours_rewritten_by_kernel()
{
	kernel_writes 2
	to_pool
	ours array fill $pool "$bsize" 3 1000
	to_kernel
}

kernel_to_ours()
{
	local dev
	# Forget what was there.
	bind "$ns" 1
	dd if=/dev/zero of="$bound" bs=1M 2>/dev/null || true
	dev=$(namespace "$1" sector -l "$bsize")
	new_pool "$1"
	ours array fill "$dev" "$bsize" 4 1000
	to_pool
	ours array fill $pool "$bsize" 5 1000
	ours array mark $pool "$bsize" 77
	to_kernel
}

kernel_btt()
{
	local size region ns bsize
	pool=/mnt/ext4/pool
	for size in 32 48; do
		[ $size = 32 ] && bsize=512 || bsize=4096
		region=$(region_of $size)
		ns=namespace${region#region}.0
		case_of "the kernel reads our blocks of $bsize" ours_to_kernel $size
		case_of "we read what the kernel rewrote, blocks of $bsize" ours_rewritten_by_kernel
		case_of "we read a table that the kernel made, blocks of $bsize" kernel_to_ours $size
	done
}
