#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Programs outside of the source tree, built from an installation with nothing but pkg-config:
# shared and static, C and C++, through CMake, and loading the libraries at run time.
. "$(dirname "$0")/lib.sh"
only_plain_variants
need_command pkg-config pkg-config

prefix=$work/prefix
install_to "$prefix"
export PKG_CONFIG_LIBDIR=$prefix/lib/pkgconfig
here=$SOURCE/tests/build
strict="-Wall -Wextra -Werror"

# works NAME PROGRAM [LIBRARY-FOLDER]: runs it in an empty folder.
works()
{
	local name=$1
	shift
	rm -rf "$work/run"
	mkdir "$work/run"
	[ "$("$1" "$work/run" ${2:+"$2"})" = works ] || fail "$name"
	case_ok "$name"
}

shared=$(pkg-config --cflags --libs libpmemblk libpmem)
# shellcheck disable=SC2086 # lists of options are split on purpose
$CC $strict -o "$work/shared" "$here/consumer.c" $shared -ldl
LD_LIBRARY_PATH=$prefix/lib works "a C program with the shared libraries" "$work/shared" "$prefix/lib"

# A program names libpmemblk only, and gets libpmem as its dependency.
echo 'int main(void) { return pmemblk_check_version(1, 1) != 0; }' >"$work/one.c"
# shellcheck disable=SC2086
$CC $strict -include libpmemblk.h -o "$work/one" "$work/one.c" $(pkg-config --cflags --libs libpmemblk)
LD_LIBRARY_PATH=$prefix/lib "$work/one" || fail "a program that uses libpmemblk only"
case_ok "a program that names libpmemblk only"

# Both archives in one program, in either order of their names on the command line.
static="$(pkg-config --static --cflags --libs libpmemblk libpmem)"
compilers=$CC
for c in gcc clang; do
	case " $compilers " in *" $c "*) ;; *) command -v $c >/dev/null && compilers="$compilers $c" ;; esac
done
for cc in $compilers; do
	# shellcheck disable=SC2086
	$cc $strict -o "$work/static" "$here/consumer.c" -Wl,-Bstatic $static -Wl,-Bdynamic -ldl
	! readelf -d "$work/static" | grep -q 'NEEDED.*pmem' || fail "not linked statically"
	works "$cc: a C program with both archives" "$work/static"
	# shellcheck disable=SC2086
	$cc $strict -o "$work/whole" "$here/consumer.c" $(pkg-config --cflags libpmemblk) \
		-Wl,--whole-archive "$prefix/lib/libpmemblk.a" "$prefix/lib/libpmem.a" \
		-Wl,--no-whole-archive -pthread -ldl
	works "$cc: both archives taken whole do not clash" "$work/whole"
done
# shellcheck disable=SC2086
$CC $strict -static -o "$work/allstatic" "$here/consumer.c" $static 2>"$work/err" || {
	cat "$work/err"
	fail "a program without any shared library"
}
works "a program without any shared library" "$work/allstatic"

if command -v c++ >/dev/null; then
	# shellcheck disable=SC2086
	c++ $strict -x c++ -o "$work/cxx" "$here/consumer.c" -x none $shared -ldl
	LD_LIBRARY_PATH=$prefix/lib works "a C++ program" "$work/cxx" "$prefix/lib"
fi

if command -v cmake >/dev/null; then
	mkdir "$work/cmake"
	cp "$here/consumer.c" "$work/cmake/"
	cat >"$work/cmake/CMakeLists.txt" <<-'END'
		cmake_minimum_required(VERSION 3.13)
		project(consumer C)
		find_package(PkgConfig REQUIRED)
		pkg_check_modules(PMEM REQUIRED IMPORTED_TARGET libpmemblk>=1.5 libpmem>=1.5)
		add_executable(consumer consumer.c)
		target_link_libraries(consumer PkgConfig::PMEM dl)
	END
	PKG_CONFIG_PATH=$PKG_CONFIG_LIBDIR cmake -S "$work/cmake" -B "$work/cmake/build" \
		-DCMAKE_C_COMPILER="$CC" >"$work/log" 2>&1 &&
		cmake --build "$work/cmake/build" >>"$work/log" 2>&1 || { cat "$work/log"; fail "CMake"; }
	LD_LIBRARY_PATH=$prefix/lib works "a CMake project" "$work/cmake/build/consumer" "$prefix/lib"
fi

# shellcheck disable=SC2086
$CC $strict -o "$work/loader" "$here/loader.c" $(pkg-config --cflags libpmemblk) -pthread -ldl
LD_LIBRARY_PATH=$prefix/lib "$work/loader" "$prefix/lib/libpmem.so.1" "$prefix/lib/libpmemblk.so.1" \
	"$work/file" >"$work/log" || fail "loading at run time"
grep -q '^loaded, used and unloaded$' "$work/log" || { cat "$work/log"; fail "the library stays mapped"; }
case_ok "a program that loads and unloads the libraries, in several threads"
