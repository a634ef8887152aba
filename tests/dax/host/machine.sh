# SPDX-License-Identifier: BSD-3-Clause
#
# One virtual machine at a time, emulated, so that no rights are needed; to be sourced. Its first
# serial line is the console and goes to a log; over the second the guest sends lines:
#
#	ok NAME | not ok NAME | skip NAME: REASON	the result of a case
#	at WHAT						something for the host to wait for
#	add NAME NUMBER					a figure for the summary
#	exit STATUS					the last one
#
# The contents of the machine's NVDIMMs are in $work/NAME, a file for each.

# nvdimm NAME MIB [virtio]: adds one to the arguments of the next machine; or persistent memory as
# virtio offers it.
nvdimm()
{
	local name=$1 size=$(($2 << 20)) device=nvdimm
	[ "${3:-}" = virtio ] && device=virtio-pmem-pci
	[ -f "$work/$name" ] || truncate -s $size "$work/$name"
	devices+=(-object "memory-backend-file,id=m-$name,share=on,mem-path=$work/$name,size=$size"
		-device "$device,id=$name,memdev=m-$name")
}

# disk FILE: a read-only disk for the next machine.
disk()
{
	devices+=(-drive "if=none,id=disk,file=$1,format=raw,readonly=on"
		-device virtio-blk-pci,drive=disk)
}

# machine_start NAME FLAVOUR DOMAIN CPU SCENE [VARIABLE=VALUE...]: starts one with the devices
# that were added, and forgets those. DOMAIN is cpu, mem-ctrl or none. The scene, a script of guest/, sees
# the variables.
machine_start()
{
	local name=$1 flavour=$2 domain=$3 cpu=$4 scene=$5 persistence=
	shift 5
	[ "$domain" = none ] || persistence=,nvdimm-persistence=$domain
	image=$work/image.$flavour
	[ -f "$image" ] || make_image "$flavour" "$image"
	console=$logs/$name.console
	rm -f "$work"/lines "$work"/monitor.*
	mkfifo "$work/lines" "$work/monitor.in" "$work/monitor.out"
	qemu-system-x86_64 -nodefaults -no-user-config -display none -accel tcg -cpu "$cpu" -smp 1 \
		-machine "q35,nvdimm=on,usb=off,smbus=off,sata=off,vmport=off,hpet=off$persistence" \
		-m 512M,slots=8,maxmem=16G -kernel "$cache/$flavour/vmlinux" -initrd "$image" \
		-append "console=ttyS0,115200 quiet panic=-1 nokaslr mitigations=off audit=0 \
no_timer_check tsc=reliable random.trust_cpu=on nomodeset scene=$scene $*" \
		-serial "file:$console" -chardev stdio,id=lines,signal=off -serial chardev:lines \
		-monitor "pipe:$work/monitor" "${devices[@]}" \
		</dev/null >"$work/lines" 2>"$logs/$name.qemu" &
	machine=$!
	devices=()
	cat "$work/monitor.out" >/dev/null &
	drain=$!
	exec {lines}<"$work/lines"
	alive=true
}

# Waits until the guest says "at WHAT", or with WHAT exit that it has ended; counts the results that
# come before. What follows WHAT is left in $reached. Fails when the machine ends first or $limit
# seconds pass.
machine_reach()
{
	local what=$1 line end=$((SECONDS + limit))
	while [ $SECONDS -lt $end ]; do
		IFS= read -r -t $((end - SECONDS)) -u "$lines" line || break
		line=${line%$'\r'}
		case $line in
		"at $what"*) reached=${line#"at $what"} && return 0 ;;
		exit\ *) [ "$what" = exit ] && [ "$line" = "exit 0" ] && return 0 || return 1 ;;
		at\ *) ;;
		*) result "$line" ;;
		esac
	done
	return 1
}

monitor()
{
	echo "$*" >"$work/monitor.in"
}

# Ends the machine like a power cut: kills its process, so that nothing is written back.
machine_kill()
{
	$alive || return 0
	kill -9 "$machine" 2>/dev/null
	wait "$machine" 2>/dev/null
	kill "$drain" 2>/dev/null
	wait "$drain" 2>/dev/null
	exec {lines}<&-
	alive=false
}
