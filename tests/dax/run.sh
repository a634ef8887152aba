#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Runs the libraries of $BUILD on persistent memory in emulated machines with virtual NVDIMMs. Exits
# with 77 if something that it needs is missing.
# Arguments: the parts to run [memory_controller cpu_cache dispatch cuts bad_blocks memory_limit]. Two
# more are about ordinary disks that lose their power or fail: replay failing_disks. A machine has
# LIMIT [300] seconds for a scene of the first six.
set -u
here=$(dirname "$(readlink -f "$0")")
cache=$SOURCE/build/dax-cache
logs=$BUILD/logs/dax
limit=${LIMIT:-300}
rounds=${CUTS:-20}
. "$here/host/packages.sh"
. "$here/host/image.sh"
. "$here/host/machine.sh"

skip_all()
{
	echo "skipped: $*"
	exit 77
}

[ "$(uname -m)" = x86_64 ] || skip_all "needs an x86-64 machine"
for tool in qemu-system-x86_64:qemu-system-x86 ndctl:ndctl mkfs.ext4:e2fsprogs \
	apt-get:apt dpkg-deb:dpkg xz:xz-utils; do
	command -v "${tool%:*}" >/dev/null || skip_all "the package ${tool#*:} is not installed"
done
mkdir -p "$cache" "$logs"
fetch_busybox || skip_all "the package busybox-static cannot be had"
fetch_kernel cloud linux-image-cloud-amd64 ||
	skip_all "the package linux-image-cloud-amd64 cannot be had"

alive=false devices=()
work=$(mktemp -d "/dev/shm/pmemdax.XXXXXX" 2>/dev/null || mktemp -d)
cleanup()
{
	machine_kill
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

passed=0 failed=0 skipped=0
declare -A sum=([cuts]=0 [old]=0 [new]=0 [torn]=0 [points]=0 [wrong]=0 [undone]=0 [done]=0
	[losses]=0 [harm]=0 [errors]=0)
result()
{
	case $1 in
	"ok "*) passed=$((passed + 1)) ;;
	"not ok "*) failed=$((failed + 1)) ;;
	"skip "*) skipped=$((skipped + 1)) ;;
	"add "*)
		set -- $1
		sum[$2]=$((${sum[$2]} + $3))
		return
		;;
	esac
	echo "$1"
}

# Fails because the machine has not reached the expected state, and prints its last output.
stuck()
{
	result "not ok $1: the machine did not get that far; $console ends with"
	tail -n 20 "$console"
	machine_kill
}

# Runs a scene to its end.
scene()
{
	machine_start "$@"
	machine_reach exit || stuck "$1"
	machine_kill
}

memory_controller()
{
	nvdimm ext4 128
	nvdimm xfs 384
	nvdimm one 64
	nvdimm two 80
	nvdimm btt512 32
	nvdimm btt4096 48
	nvdimm virtio 96 virtio
	make_fio && disk "$cache/fio.disk"
	scene memory_controller cloud mem-ctrl max memory_controller
}

cpu_cache()
{
	nvdimm cache 128
	scene cpu_cache cloud cpu max cpu_cache
}

dispatch()
{
	local model
	for model in max:clwb:vmovntdq max,-clwb:clflushopt:vmovntdq \
		max,-clwb,-clflushopt,-avx,-avx2:clflush:movntdq; do
		IFS=: read -r cpu flush store <<<"$model"
		nvdimm dispatch 128
		scene "dispatch.$flush" cloud none "$cpu" dispatch flush="$flush" store="$store"
	done
}

# The power is cut in two ways: in odd rounds the machine is reset and boots again at once, in even
# ones its process is killed and a new one started.
cut_power()
{
	if [ $(($1 % 2)) = 1 ]; then
		monitor system_reset
		return
	fi
	machine_kill
	nvdimm cut-ext4 128
	nvdimm cut-xfs 384
	nvdimm cut-device 64
	machine_start "cuts.$1" cloud none max cuts
}

# Lets the machine go on for a moment, a different one each time.
moment()
{
	sleep "0.$((RANDOM % 400 + 100))"
}

cuts()
{
	local round
	for ((round = 0; round <= rounds; round++)); do
		cut_power $round
		# Sometimes cuts the power again while the machine recovers from the first cut.
		if [ $((round % 4)) = 2 ] || [ $((round % 8)) = 3 ]; then
			machine_reach recovering || { stuck "power cuts"; return; }
			moment
			cut_power $round
			sum[cuts]=$((${sum[cuts]} + 1))
		fi
		machine_reach writing || { stuck "power cuts"; return; }
		moment
	done
	machine_kill
	verdict_of_cuts
}

# The checker must have seen both outcomes, and must refuse wrong ones.
verdict_of_cuts()
{
	[ "${sum[old]}" -gt 0 ] && [ "${sum[new]}" -gt 0 ] &&
		result "ok operations in flight were seen old (${sum[old]}) and new (${sum[new]})" ||
		result "not ok operations in flight: ${sum[old]} old, ${sum[new]} new"
	[ "${sum[torn]}" -gt 0 ] &&
		result "ok the oracle finds torn blocks where they are overwritten in place (${sum[torn]})" ||
		result "not ok the oracle found no torn block where they are overwritten in place"
}

bad_blocks()
{
	local strike
	if ! fetch_kernel generic linux-image-amd64; then
		result "skip bad blocks: the package linux-image-amd64 cannot be had"
		return
	fi
	nvdimm bad 128
	machine_start bad_blocks generic mem-ctrl max,vendor=GenuineIntel bad_blocks
	for strike in 1 2; do
		machine_reach "mce " || { stuck bad_blocks; return; }
		# Bank 9: valid, address and misc valid, a memory controller's read error; of a page.
		monitor "mce 0 9 0xbd000000000000c0 0x5 $reached 0x8c"
	done
	machine_reach exit || stuck bad_blocks
	machine_kill
}

# Ordinary memory, in groups of processes with a limit.
memory_limit()
{
	local version
	for version in 1 2; do
		scene memory_limit.$version cloud none max memory_limit version=$version
	done
}

# Ordinary disks: a disk in the kernel's memory below the device mapper.
replay()
{
	local limit=1800
	scene replay cloud none max replay seed="${SEED:-1}" count="${COUNT:-32}"
	verdict_of_points
}

verdict_of_points()
{
	echo "# ${sum[points]} moments of power loss judged, ${sum[wrong]} failures;" \
		"operations in flight: ${sum[undone]} not done, ${sum[done]} done"
	[ "${sum[undone]}" -gt 0 ] && [ "${sum[done]}" -gt 0 ] ||
		result "not ok operations in flight: ${sum[undone]} not done, ${sum[done]} done"
}

failing_disks()
{
	local limit=1800
	scene failing_disks cloud none max failing_disks seed="${SEED:-1}"
	echo "# ${sum[losses]} power losses judged, ${sum[harm]} times harm; ${sum[errors]} calls failed"
}

RANDOM=1
[ $# -gt 0 ] || set -- memory_controller cpu_cache dispatch cuts bad_blocks memory_limit
for part in "$@"; do
	started=$SECONDS
	"$part"
	echo "# $part: $((SECONDS - started)) s"
done
if [ "${sum[cuts]}" -gt 0 ]; then
	echo "An emulated power cut keeps every store that was executed: this tests the order of stores"
	echo "and the atomicity of blocks, never a missing flush. ${sum[cuts]} power cuts."
fi
echo "$passed passed, $failed failed, $skipped skipped in $SECONDS s"
[ $failed -eq 0 ] || exit 1
[ $passed -gt 0 ] || exit 77
