# SPDX-License-Identifier: BSD-3-Clause
#
# What the scenes share; to be sourced. Programs of the tests lie in /ours along with this library
# and make sure that they run on it.
export EXPECT_LIBPMEM=$(readlink -f /ours/libpmem.so.1)
export EXPECT_LIBPMEMBLK=$(readlink -f /ours/libpmemblk.so.1)

tell()
{
	echo "$*"
	echo "$*" >/dev/ttyS1
}

# case_of NAME COMMAND...: the case is passed when the command succeeds, of a function each one.
# (Inside of a condition, or behind a !, the shell would go on after a failure.)
case_of()
{
	local name=$1
	shift
	echo "--- $name"
	(set -e; "$@") </dev/null
	if [ $? = 0 ]; then
		tell "ok $name"
	else
		tell "not ok $name"
	fi
}

ours()
{
	local program=$1
	shift
	LD_LIBRARY_PATH=/ours "/ours/$program" "$@"
}

# The tests' pool program on Debian's libraries, which come along with pmempool.
original_pool()
{
	EXPECT_LIBPMEM=/lib/x86_64-linux-gnu/libpmem.so.1 \
		EXPECT_LIBPMEMBLK=/lib/x86_64-linux-gnu/libpmemblk.so.1 /ours/pool "$@"
}

ours_pool()
{
	ours pool "$@"
}

fails()
{
	if "$@"; then
		return 1
	fi
}

have()
{
	command -v "$1" >/dev/null
}

# The NVDIMM of so many MiB: its region.
region_of()
{
	local r
	for r in /sys/bus/nd/devices/region*; do
		if [ "$(cat "$r/size")" = $(($1 << 20)) ]; then
			basename "$r"
			return
		fi
	done
	echo "no region of $1 MiB" >&2
	return 1
}

# namespace MIB MODE [ARGUMENT...]: makes the NVDIMM's namespace, prints its device.
namespace()
{
	local region mode=$2
	region=$(region_of "$1") || return 1
	shift 2
	ndctl create-namespace -f -e "namespace${region#region}.0" -m "$mode" "$@" >/tmp/namespace ||
		return 1
	sed -n 's/.*"\(blockdev\|chardev\)":"\([^"]*\)".*/\/dev\/\2/p' /tmp/namespace | tail -n 1
}

# The device of a namespace made in an earlier boot.
device_of()
{
	local region
	region=$(region_of "$1") || return 1
	ndctl list -N -n "namespace${region#region}.0" |
		sed -n 's/.*"\(blockdev\|chardev\)":"\([^"]*\)".*/\/dev\/\2/p' | tail -n 1
}

# Debian's checker, on Debian's libraries.
pmempool_consistent()
{
	have pmempool || return 0
	pmempool check -v "$1" >/tmp/pmempool.log 2>&1 || { cat /tmp/pmempool.log; return 1; }
	grep -q ': consistent' /tmp/pmempool.log || { cat /tmp/pmempool.log; return 1; }
}
