#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The public headers compile alone in every language that includes them, bring no other header
# than the standard's, and declare exactly the documented types and values.
. "$(dirname "$0")/lib.sh"

strict="-Wall -Wextra -Werror -pedantic-errors -Wshadow -Wundef -Wold-style-definition -Wstrict-prototypes"
strict_cxx="-Wall -Wextra -Werror -pedantic-errors -Wshadow -Wundef -Wold-style-cast"
here=$SOURCE/tests/build

compilers=$CC
for c in gcc clang; do
	case " $compilers " in *" $c "*) ;; *) command -v $c >/dev/null && compilers="$compilers $c" ;; esac
done
[ -z "${CROSS:-}" ] || compilers=$CC

for h in libpmem libpmemblk; do
	echo "#include <$h.h>" >"$work/alone_$h.c"
	cp "$work/alone_$h.c" "$work/alone_$h.cpp"
	[ -f "$SOURCE/include/$h.h" ] || fail "there is no include/$h.h"
	$CC -M -I"$SOURCE/include" "$work/alone_$h.c" | grep -qF "$SOURCE/include/$h.h" ||
		fail "another $h.h is found first"
	others=$(grep -h '^ *# *include' "$SOURCE/include/$h.h" | grep -v '<sys/types.h>' || true)
	[ -z "$others" ] || fail "$h.h includes $others"
done
case_ok "the headers include <sys/types.h> and nothing else"

for cc in $compilers; do
	for std in c89 c99 c11 gnu17; do
		for h in libpmem libpmemblk; do
			$cc -std=$std $strict -I"$SOURCE/include" -fsyntax-only "$work/alone_$h.c" || fail "$h.h in $std"
		done
		[ $std = c89 ] ||
			$cc -std=$std $strict -I"$SOURCE/include" -c -o "$work/interface.o" "$here/interface.c" ||
			fail "the interface in $std"
		case_ok "$cc -std=$std: functions and constants are as documented"
	done
done

for cxx in g++ clang++; do
	command -v $cxx >/dev/null || continue
	[ -z "${CROSS:-}" ] || continue
	for std in c++98 c++11 c++17; do
		for h in libpmem libpmemblk; do
			$cxx -std=$std $strict_cxx -I"$SOURCE/include" -fsyntax-only "$work/alone_$h.cpp" 2>"$work/err" ||
				{ grep -v 'unknown' "$work/err"; fail "$h.h in $std"; }
		done
		[ $std = c++98 ] || $cxx -x c++ -std=$std ${strict_cxx% -Wold*} -I"$SOURCE/include" -c \
			-o "$work/interface.o" "$here/interface.c" || fail "the interface in $std"
		[ $std = c++98 ] || nm "$work/interface.o" | grep -q ' U pmemblk_open$' ||
			fail "C++ names are mangled"
		case_ok "$cxx -std=$std: the headers are clean"
	done
done

# On other machines each header and make print one error that says so; others may follow.
[ -z "${CROSS:-}" ] && [ "$(uname -m)" = x86_64 ] || exit 0
for cc in $compilers; do
	for flag in -m32 -mx32; do
		for h in libpmem libpmemblk; do
			! $cc $flag -I"$SOURCE/include" -fsyntax-only "$work/alone_$h.c" 2>"$work/err" || fail "$h.h with $flag"
			[ "$(grep -c 'error:' "$work/err")" -eq 1 ] || { cat "$work/err"; fail "$h.h with $flag: not one error"; }
			grep -q "error: .*$h is for x86-64, aarch64 and riscv64 with 64 bits" "$work/err" ||
				{ cat "$work/err"; fail "$h.h with $flag: another error"; }
		done
	done
done
case_ok "with -m32 and -mx32 each header gives one error"

refused()
{
	! make --no-print-directory -C "$SOURCE" "$@" >"$work/make.log" 2>&1 || fail "make $* goes on"
	[ "$(wc -l <"$work/make.log")" -eq 1 ] || { cat "$work/make.log"; fail "make $*: not one line"; }
	grep -q "$want" "$work/make.log" || { cat "$work/make.log"; fail "make $*: another error"; }
	case_ok "make $*: one error"
}
want='are for 64-bit x86-64, aarch64 and riscv64;.* makes programs for x86_64 with pointers of 4 bytes'
refused CC='gcc -m32'
refused CFLAGS=-m32
printf '#!/bin/sh\necho s390x-linux-gnu\n' >"$work/other-cc"
chmod +x "$work/other-cc"
want='are for 64-bit x86-64, aarch64 and riscv64;.* makes programs for s390x'
refused CC="$work/other-cc"
want="the compiler 'no-such-cc' does not run here"
refused CC=no-such-cc

# The user may set CFLAGS, but cannot change the language.
for std in -std=c99; do
	run_make B="$work/std" CFLAGS="-O0 $std" "$work/std/lib/libpmem.so.1.0.0"
	case_ok "CFLAGS=$std builds"
done
