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
	for std in c99 c11 gnu17; do
		for h in libpmem libpmemblk; do
			$cc -std=$std $strict -I"$SOURCE/include" -fsyntax-only "$work/alone_$h.c" || fail "$h.h in $std"
		done
		$cc -std=$std $strict -I"$SOURCE/include" -c -o "$work/interface.o" "$here/interface.c" ||
			fail "the interface in $std"
		case_ok "$cc -std=$std: functions and constants are as documented"
	done
done

for cxx in g++ clang++; do
	command -v $cxx >/dev/null || continue
	[ -z "${CROSS:-}" ] || continue
	for std in c++98 c++11 c++17; do
		# Old C++ knows neither long long nor macros with a variable number of arguments.
		[ $std = c++98 ] && extra="-Wno-long-long -Wno-variadic-macros -Wno-c++98-compat-pedantic" ||
			extra=""
		for h in libpmem libpmemblk; do
			$cxx -std=$std $strict_cxx $extra -I"$SOURCE/include" -fsyntax-only "$work/alone_$h.cpp" 2>"$work/err" ||
				{ grep -v 'unknown' "$work/err"; fail "$h.h in $std"; }
		done
		[ $std = c++98 ] || $cxx -x c++ -std=$std ${strict_cxx% -Wold*} -I"$SOURCE/include" -c \
			-o "$work/interface.o" "$here/interface.c" || fail "the interface in $std"
		[ $std = c++98 ] || nm "$work/interface.o" | grep -q ' U pmemblk_open$' ||
			fail "C++ names are mangled"
		case_ok "$cxx -std=$std: the headers are clean"
	done
done
