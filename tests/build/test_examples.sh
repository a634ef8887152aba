#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The examples, built outside of the source tree from an installation through pkg-config, with
# shared and with static libraries, do what they say.
. "$(dirname "$0")/lib.sh"
only_plain_variants
need_command pkg-config pkg-config

install_to "$work/prefix"
export PKG_CONFIG_LIBDIR=$work/prefix/lib/pkgconfig

# says EXPECTED COMMAND...: compares what a command prints, and that it succeeds.
says()
{
	local expected=$1
	shift
	"$@" >"$work/out" 2>&1 || { cat "$work/out"; fail "$* fails"; }
	# shellcheck disable=SC2059
	printf "${expected:+%s\n}" "$expected" | diff - "$work/out" || fail "output of $*"
}

refuses()
{
	! "$@" >"$work/out" 2>&1 || fail "$* succeeds"
	[ -s "$work/out" ] || fail "$* does not say why it fails"
}

# Makes two blocks of a pool share one data block: copies the second map entry over the first.
# The map's place stands at offset 96 of the arena's info block, which is at 8192.
damage()
{
	local map
	map=$((8192 + $(od -An -t u8 -j $((8192 + 96)) -N 8 "$1")))
	dd if="$1" of="$1" bs=1 count=4 skip=$((map + 4)) seek=$map conv=notrunc status=none
}

examples()
{
	local bin=$1 run=$2
	rm -rf "$run"
	mkdir -p "$run"

	says "" "$bin/durable_string" "$run/text" "first text"
	says "first text" "$bin/durable_string" "$run/text"
	says "" "$bin/durable_string" "$run/text" "another"
	says "another" "$bin/durable_string" "$run/text"
	refuses "$bin/durable_string" "$run/none/text" x
	case_ok "$where: durable_string"

	says "$(stat -Lc %s "$bin/copy_file") bytes copied to $medium" \
		"$bin/copy_file" "$bin/copy_file" "$run/copy"
	cmp "$bin/copy_file" "$run/copy" || fail "the copy differs"
	for flag in -t -n; do
		"$bin/copy_file" $flag "$bin/copy_file" "$run/copy$flag" >/dev/null || fail "copy_file $flag"
		cmp "$bin/copy_file" "$run/copy$flag" || fail "the copy with $flag differs"
	done
	refuses "$bin/copy_file" "$bin/copy_file" "$run/copy"
	refuses "$bin/copy_file" "$run/none" "$run/copy2"
	case_ok "$where: copy_file"

	says 'created: 7919 blocks of 4096 bytes
block 0: "this is block 0"
block 1: ""
block 2: error
block 3: "this is block 3"
block 4: "this is block 4"
block 5: ""
the pool is consistent' "$bin/block_array" "$run/array"
	refuses "$bin/block_array" "$run/array"
	case_ok "$where: block_array"

	# One byte, whole blocks, whole batches, and one byte more than these.
	for bytes in 0 1 8192 262144 262145 1000000; do
		head -c $bytes "$work/bytes" >"$run/source"
		rm -f "$run/copy.pool" "$run/back"
		says "$bytes bytes in $(((bytes + 4095) / 4096)) blocks" \
			"$bin/array_copy" in "$run/source" "$run/copy.pool"
		says "$bytes bytes from $(((bytes + 4095) / 4096)) blocks" \
			"$bin/array_copy" out "$run/copy.pool" "$run/back"
		cmp "$run/source" "$run/back" || fail "array_copy of $bytes bytes"
	done
	refuses "$bin/array_copy" in "$run/source" "$run/copy.pool"
	refuses "$bin/array_copy" in "$run/none" "$run/none.pool"
	refuses "$bin/array_copy" out "$run/array" "$run/none"
	[ ! -e "$run/none" ] && [ ! -e "$run/none.pool" ] || fail "array_copy leaves a file"
	case_ok "$where: array_copy"

	"$bin/crash_demo" "$run/demo" >"$work/out" 2>&1 || { cat "$work/out"; fail "crash_demo"; }
	[ "$(grep -cE '^kill +[0-9]+ after write +[0-9]+: all 64 blocks are whole, the last write ' \
		"$work/out")" -eq 20 ] || { cat "$work/out"; fail "crash_demo's lines"; }
	[ "$(tail -n 1 "$work/out")" = "20 kills: nothing torn, nothing lost, the pool is consistent" ] ||
		fail "crash_demo's last line"
	case_ok "$where: crash_demo"

	says "" "$bin/asset_db" "$run/assets" create 1000
	printf 'drill\nladder\nsaw\n' >"$run/list"
	says "3 new" "$bin/asset_db" "$run/assets" load "$run/list"
	printf 'bench\n' >>"$run/list"
	says "1 new" "$bin/asset_db" "$run/assets" load "$run/list"
	says "" "$bin/asset_db" "$run/assets" out saw Ann
	refuses "$bin/asset_db" "$run/assets" out saw Bob
	refuses "$bin/asset_db" "$run/assets" in drill
	refuses "$bin/asset_db" "$run/assets" out hammer Bob
	says "$(printf '%-20s %s\n' drill - ladder - saw Ann bench -)" "$bin/asset_db" "$run/assets" list
	says "" "$bin/asset_db" "$run/assets" in saw
	says "$(printf '%-20s -\n' drill ladder saw bench)" "$bin/asset_db" "$run/assets" list
	case_ok "$where: asset_db"

	says "4 threads stored 2000 records; 100 blocks hold one, every one that was read is whole" \
		"$bin/block_store" "$run/store" 4 500
	case_ok "$where: block_store"

	seq 1 5000 >"$run/text"
	"$bin/pmem_stream" "$run/stream" write <"$run/text" || fail "pmem_stream write"
	"$bin/pmem_stream" "$run/stream" read | cmp - "$run/text" || fail "pmem_stream read"
	tail -c +4001 "$run/text" >"$run/end"
	"$bin/pmem_stream" "$run/stream" read 4000 | cmp - "$run/end" ||
		fail "pmem_stream read from an offset"
	echo short | "$bin/pmem_stream" "$run/stream" write || fail "pmem_stream write again"
	says short "$bin/pmem_stream" "$run/stream" read
	! head -c 2000000 /dev/zero | "$bin/pmem_stream" "$run/stream" write 2>/dev/null ||
		fail "pmem_stream stored more than it can"
	says short "$bin/pmem_stream" "$run/stream" read 0
	refuses "$bin/pmem_stream" "$run/text" read
	case_ok "$where: pmem_stream"

	says "$run/store: consistent, 16036 blocks of 1024 bytes" "$bin/check_pool" "$run/store"
	says "$run/array: consistent, 7919 blocks of 4096 bytes, 1 in the error state" \
		"$bin/check_pool" "$run/array"
	"$bin/check_pool" -p "$run/store" 2>&1 >/dev/null | tr '\r' '\n' | tail -n 1 |
		grep -qF '[########################################] 100 %' || fail "the progress bar"
	# The first map entry names the block of the second: position from the format.
	cp "$run/store" "$run/damaged"
	damage "$run/damaged"
	"$bin/check_pool" "$run/damaged" >"$work/out" && fail "check_pool does not see the damage" || [ $? -eq 1 ] ||
		fail "check_pool's exit status"
	grep -q "^$run/damaged: damaged: ." "$work/out" || fail "check_pool's words on a damaged pool"
	"$bin/check_pool" "$run/list" >"$work/out" && fail "check_pool took a text for a pool" || [ $? -eq 2 ] ||
		fail "check_pool's exit status"
	grep -q 'cannot be examined: .' "$work/out" || fail "check_pool's words on a text"
	case_ok "$where: check_pool"
}

on_file()
{
	medium="an ordinary file"
	where="$1, ordinary file"
	unset PMEM_IS_PMEM_FORCE
	examples "$2" "$work/run"
}

on_shm()
{
	[ -w "${TEST_SHM:-/dev/shm}" ] || return 0
	shm=$(mktemp -d "${TEST_SHM:-/dev/shm}/pmemexamples.XXXXXX")
	trap 'rm -rf "$work" "$shm"' EXIT
	medium="persistent memory"
	where="$1, as persistent memory"
	export PMEM_IS_PMEM_FORCE=1
	examples "$2" "$shm/run"
	rm -rf "$shm"
}

build()
{
	cp -r "$SOURCE/examples" "$work/$1"
	make -s -C "$work/$1" CC="$CC" CFLAGS="-O2 -Wall -Wextra -Werror" "${@:2}" >"$work/log" 2>&1 ||
		{ cat "$work/log"; fail "the examples do not build"; }
}

head -c 1000000 /dev/urandom >"$work/bytes"
build shared
export LD_LIBRARY_PATH=$work/prefix/lib
for program in $(make -s -C "$work/shared" -pn | sed -n 's/^PROGRAMS = //p'); do
	ldd "$work/shared/$program" | grep pmem | grep -vF "=> $work/prefix/lib/" &&
		fail "$program runs on other libraries"
	[ -f "$SOURCE/examples/$program.c" ] || fail "$program has no source"
done
on_file shared "$work/shared"
on_shm shared "$work/shared"

# With a header that does not announce the extension, as the original's.
mkdir "$work/older"
grep -v '#define PMEMBLK_HAVE_BATCHES' "$work/prefix/include/libpmemblk.h" >"$work/older/libpmemblk.h"
cp -r "$SOURCE/examples" "$work/without"
make -s -C "$work/without" CC="$CC" CFLAGS="-O2 -Wall -Wextra -Werror" CPPFLAGS="-I$work/older" array_copy \
	>"$work/log" 2>&1 || { cat "$work/log"; fail "array_copy does not build without the extension"; }
nm -D "$work/without/array_copy" | grep -E 'pmemblk_(readv|writev)' && fail "array_copy uses the extension nevertheless"
says "1000000 bytes in 245 blocks" "$work/without/array_copy" in "$work/bytes" "$work/without/pool"
says "1000000 bytes from 245 blocks" "$work/shared/array_copy" out "$work/without/pool" "$work/back"
cmp "$work/bytes" "$work/back" || fail "array_copy without the extension"
case_ok "array_copy, compiled without the extension"
unset LD_LIBRARY_PATH
build static STATIC=1
! ldd "$work"/static/block_array | grep pmem || fail "not linked statically"
on_shm static "$work/static"

[ "$(cd "$SOURCE/examples" && echo *.c | tr ' ' '\n' | grep -vc '^nbdkit')" -eq \
	"$(make -s -C "$work/shared" -pn | sed -n 's/^PROGRAMS = //p' | wc -w)" ] ||
	fail "the makefile does not build every example"
case_ok "every example is built"
