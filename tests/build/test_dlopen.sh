#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The libraries need no static thread-local storage: they can be loaded and unloaded many times,
# together with others that have used all of it. With CHECK_LONG=1 they are also built by other
# compilers and with other flags, and on musl, whose loader refuses libraries that need it. The script
# also tests that the C library's cancellation points do not end a call.
. "$(dirname "$0")/lib.sh"
only_plain_variants
here=$(cd "$(dirname "$0")" && pwd)
command -v readelf >/dev/null || skip "readelf (package binutils) is not installed"

# fillers CC: 26 libraries of 64 bytes, about half of what the loader of glibc sets aside
fillers()
{
	echo '__attribute__((tls_model("initial-exec"))) __thread char x[64]; char *f(void) { return x; }' \
		>"$work/filler.c"
	filler=()
	for n in $(seq 26); do
		"$1" -shared -fPIC -o "$work/filler$n.so" "$work/filler.c"
		filler+=("$work/filler$n.so")
	done
}

# without_tls NAME FOLDER
without_tls()
{
	local l
	for l in "$2/libpmem.so.1" "$2/libpmemblk.so.1"; do
		! readelf -lW "$l" | grep -w TLS || fail "$1: $l has a segment for thread-local storage"
		! readelf -dW "$l" | grep STATIC_TLS || fail "$1: $l wants static thread-local storage"
	done
	case_ok "$1: no thread-local storage"
}

# rounds NAME CC FOLDER LIBRARIES: with the C library that CC stands for
rounds()
{
	local name=$1 cc=$2 folder=$3
	shift 3
	"$cc" -O2 -I"$SOURCE/include" -pthread -o "$work/rounds" "$here/rounds.c" -ldl
	rm -f "$work/pool"
	LD_LIBRARY_PATH=$folder timeout 120 "$work/rounds" "$folder/libpmem.so.1" "$folder/libpmemblk.so.1" \
		"$work/pool" "$@" >"$work/log" || { cat "$work/log"; fail "$name: loading again and again"; }
	case_ok "$name: $(cat "$work/log")"
	"$cc" -O2 -I"$SOURCE/include" -pthread -o "$work/cancelled" "$here/cancelled.c" -L"$folder" \
		-lpmemblk -lpmem
	LD_LIBRARY_PATH=$folder timeout 60 "$work/cancelled" "$work" >"$work/log" ||
		{ cat "$work/log"; fail "$name: a call is a cancellation point"; }
	rm -f "$work/cancelled-pool"
	case_ok "$name: a thread that is being cancelled completes its calls"
}

# variant NAME CC MAKE-ARGUMENTS: the same for a copy that is built with these arguments
variant()
{
	local name=$1 cc=$2 folder=$work/$1
	shift 2
	if ! command -v "$cc" >/dev/null; then
		echo "not done: $cc is not installed"
		return
	fi
	mkdir "$folder"
	tar -C "$SOURCE" --exclude=./build --exclude=./.git -c . | tar -C "$folder" -x
	env -u BUILD make -s -j2 -C "$folder" CC="$cc" "$@" >"$work/make.log" 2>&1 ||
		{ cat "$work/make.log"; fail "make $*"; }
	folder=$(dirname "$(find "$folder/build" -name libpmemblk.so.1)")
	without_tls "$name" "$folder"
	fillers "$cc"
	[ "$cc" = musl-gcc ] && filler=()
	rounds "$name" "$cc" "$folder" "${filler[@]}"
}

fillers cc
without_tls "as built" "$BUILD/lib"
rounds "alone" "$CC" "$BUILD/lib"
rounds "as built" "$CC" "$BUILD/lib" "${filler[@]}"
[ "${CHECK_LONG:-}" = 1 ] || exit 0

unset CFLAGS CPPFLAGS LDFLAGS
variant gcc-lto gcc CFLAGS='-O3 -flto'
variant clang clang
variant clang-O3 clang CFLAGS=-O3
variant musl musl-gcc WERROR=
