#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Everything also builds with another C library, musl, without the kernel's headers. A static program
# needs nothing from the machine it runs on. musl, unlike glibc, does not replace posix_fallocate on
# file systems that lack it (ext2, ramfs).
. "$(dirname "$0")/lib.sh"
[ -z "${SAN:-}${CROSS:-}${COV:-}${DEBUG:-}" ] || skip "for plain variants only"
need_command musl-gcc musl-tools

make -s --no-print-directory -C "$SOURCE" CC=musl-gcc >"$work/make.log" 2>&1 ||
	{ cat "$work/make.log"; fail "make CC=musl-gcc"; }
case_ok "make CC=musl-gcc"

lib=$SOURCE/build/musl-gcc/lib
for program in tests/build/consumer examples/crash_demo tests/machine/place; do
	musl-gcc -std=gnu11 -static -I"$SOURCE/include" -o "$work/${program##*/}" "$SOURCE/$program.c" \
		"$lib/libpmemblk.a" "$lib/libpmem.a" || fail "$program does not link"
done
mkdir "$work/run"
[ "$("$work/consumer" "$work/run")" = works ] || fail "the consumer"
case_ok "a static program with musl uses both libraries"
"$work/crash_demo" "$work/run/demo" | tail -n 1 | grep -q 'nothing torn, nothing lost' || fail "crash_demo"
case_ok "its pool survives kills"

skipped=
for fs in ramfs ext2; do
	case $fs in
	ramfs) mount_here -t ramfs none ;;
	ext2)
		truncate -s 128M "$work/image" &&
			/sbin/mkfs.ext2 -q -F -b 1024 "$work/image" 2>/dev/null && mount_here -t ext2 -o loop "$work/image"
		;;
	esac || { skipped+=" $fs"; continue; }
	"$work/place" use "$work/mnt" $((17 << 20)) || fail "$fs"
	case_ok "$fs, where no space can be allocated, holds a pool and mapped files"
	umount "$work/mnt"
done
[ -z "$skipped" ] || echo "not tested: file systems that cannot be mounted here:$skipped"
