#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The examples, built outside of the source tree from an installation through pkg-config, with
# shared and with static libraries, do what they say.
. "$(dirname "$0")/lib.sh"
only_plain_variants
command -v pkg-config >/dev/null || skip "pkg-config is not installed"

install_to "$work/prefix"
export PKG_CONFIG_LIBDIR=$work/prefix/lib/pkgconfig

# says EXPECTED COMMAND...: compares what a command prints, and that it succeeds.
says()
{
	local expected=$1
	shift
	"$@" >"$work/out" 2>&1 || { cat "$work/out"; fail "$* fails"; }
	diff <(printf "${expected:+%s\n}" "$expected") "$work/out" || fail "output of $*"
}

refuses()
{
	! "$@" >"$work/out" 2>&1 || fail "$* succeeds"
	[ -s "$work/out" ] || fail "$* does not say why it fails"
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

	"$bin/crash_demo" "$run/demo" >"$work/out" 2>&1 || { cat "$work/out"; fail "crash_demo"; }
	[ "$(grep -cE '^kill +[0-9]+ after write +[0-9]+: all 64 blocks are whole, the last write ' \
		"$work/out")" -eq 20 ] || { cat "$work/out"; fail "crash_demo's lines"; }
	[ "$(tail -n 1 "$work/out")" = "20 kills: nothing torn, nothing lost, the pool is consistent" ] ||
		fail "crash_demo's last line"
	case_ok "$where: crash_demo"
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
	[ -w /dev/shm ] || return 0
	shm=$(mktemp -d /dev/shm/pmemexamples.XXXXXX)
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

build shared
export LD_LIBRARY_PATH=$work/prefix/lib
for program in $(make -s -C "$work/shared" -pn | sed -n 's/^PROGRAMS = //p'); do
	ldd "$work/shared/$program" | grep pmem | grep -vF "=> $work/prefix/lib/" &&
		fail "$program runs on other libraries"
	[ -f "$SOURCE/examples/$program.c" ] || fail "$program has no source"
done
on_file shared "$work/shared"
on_shm shared "$work/shared"
unset LD_LIBRARY_PATH
build static STATIC=1
! ldd "$work"/static/block_array | grep pmem || fail "not linked statically"
on_shm static "$work/static"

[ "$(cd "$SOURCE/examples" && echo *.c | tr ' ' '\n' | grep -vc '^nbdkit')" -eq \
	"$(make -s -C "$work/shared" -pn | sed -n 's/^PROGRAMS = //p' | wc -w)" ] ||
	fail "the makefile does not build every example"
case_ok "every example is built"
