#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The archives also build with another C library, musl, and work in programs that need nothing
# from the machine they run on. Part of `make check-long`.
. "$(dirname "$0")/lib.sh"
need_command musl-gcc musl-tools

# musl brings no kernel headers; those of the distribution follow its own.
mkdir "$work/headers"
for d in linux asm-generic; do ln -s /usr/include/$d "$work/headers/$d"; done
ln -s "/usr/include/$(gcc -print-multiarch)/asm" "$work/headers/asm"

lib=build/musl-gcc/lib
# Its ioctl takes the request as an int: a warning that says nothing about this code.
run_make CC=musl-gcc WERROR= CPPFLAGS="-idirafter $work/headers" $lib/libpmem.a $lib/libpmemblk.a
for program in tests/build/consumer examples/crash_demo; do
	musl-gcc -std=gnu11 -static -I"$SOURCE/include" -o "$work/${program##*/}" "$SOURCE/$program.c" \
		"$SOURCE/$lib/libpmemblk.a" "$SOURCE/$lib/libpmem.a" || fail "$program does not link"
done
mkdir "$work/run"
[ "$("$work/consumer" "$work/run")" = works ] || fail "the consumer"
case_ok "a static program with musl uses both libraries"
"$work/crash_demo" "$work/run/demo" | tail -n 1 | grep -q 'nothing torn, nothing lost' || fail "crash_demo"
case_ok "its pool survives kills"
