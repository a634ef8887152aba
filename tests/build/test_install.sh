#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What `make install` puts where, and that `make uninstall` takes all of it away.
. "$(dirname "$0")/lib.sh"
only_plain_variants

# Lists the files below a folder, and links with their targets.
list()
{
	(cd "$1" && find . ! -type d -printf '%P %l\n' | sed 's/ $//' | sort)
}

expected()
{
	cat <<-END
		include/libpmem.h
		include/libpmemblk.h
		lib/libpmem.a
		lib/libpmem.so libpmem.so.1
		lib/libpmem.so.1 libpmem.so.1.0.0
		lib/libpmem.so.1.0.0
		lib/libpmemblk.a
		lib/libpmemblk.so libpmemblk.so.1
		lib/libpmemblk.so.1 libpmemblk.so.1.0.0
		lib/libpmemblk.so.1.0.0
		lib/pkgconfig/libpmem.pc
		lib/pkgconfig/libpmemblk.pc
	END
	echo bin/pmemblk
	echo share/libpmemblk/valgrind.supp
	(cd "$SOURCE/src/man" && for page in *.[1357]; do
		dir=share/man/man${page##*.}
		echo "$dir/$page"
		sed -n '/^\.Sh NAME/,/^\.Nd/s/^\.Nm \([a-z_0-9]*\).*/\1/p' "$page" | while read -r name; do
			[ "$name.${page##*.}" = "$page" ] || echo "$dir/$name.${page##*.} $page"
		done
	done)
}

install_to "$work/x"
expected | sort >"$work/expected"
list "$work/x" | diff "$work/expected" - || fail "installed files"
case_ok "make install puts exactly the documented files"

for f in include/libpmem.h lib/libpmem.a lib/pkgconfig/libpmemblk.pc; do
	[ "$(stat -c %a "$work/x/$f")" = 644 ] || fail "mode of $f"
done
[ "$(stat -c %a "$work/x/lib/libpmem.so.1.0.0")" = 755 ] || fail "mode of the library"
case_ok "the files have the usual modes"

# A staged installation is the same tree below DESTDIR, and no file contains that path.
run_make install PREFIX=/opt/p DESTDIR="$work/stage" LIBDIR=/opt/p/lib/x86 \
	INCLUDEDIR=/opt/p/inc MANDIR=/opt/p/man BINDIR=/opt/p/bin
[ -f "$work/stage/opt/p/lib/x86/libpmem.so.1.0.0" ] && [ -f "$work/stage/opt/p/inc/libpmem.h" ] ||
	fail "LIBDIR or INCLUDEDIR is not honoured"
! grep -rlF "$work" "$work/stage" --include='*.pc' || fail "a file knows the stage"
grep -qx 'libdir=/opt/p/lib/x86' "$work/stage/opt/p/lib/x86/pkgconfig/libpmem.pc" ||
	fail "libdir in libpmem.pc"
case_ok "DESTDIR, LIBDIR and INCLUDEDIR are honoured"

# The tree can be moved: the tool finds its libraries relative to its own place.
version()
{
	env -u LD_LIBRARY_PATH "$1" --version | sed 's/.* //'
}
if [ -e /proc/self/exe ]; then
	for tree in "$work/x/bin lib" "$work/stage/opt/p/bin lib/x86"; do
		read -r bin lib <<<"$tree"
		mv "${bin%/bin}" "$work/moved"
		printf '%s\n' "$VERSION" "$work/moved/$lib/libpmemblk.so.1.0.0" \
			"$work/moved/$lib/libpmem.so.1.0.0" >"$work/expected"
		version "$work/moved/bin/pmemblk" | diff - "$work/expected" || fail "the tool in $bin runs on other libraries"
		mv "$work/moved" "${bin%/bin}"
	done
else
	echo "not tested: a tree that was moved: without /proc the loader does not find the libraries beside the tool"
fi
system=/usr/lib/$($CC -dumpmachine)
run_make install PREFIX=/usr DESTDIR="$work/system" LIBDIR="$system"
! readelf -d "$work/system/usr/bin/pmemblk" | grep -E 'RPATH|RUNPATH' || fail "a run path to a system folder"
# The loader searches /usr/lib behind $system, where the distribution's libraries are.
if [ -e "$system/libc.so.6" ] && [ -e /proc/self/exe ]; then
	run_make install PREFIX=/usr DESTDIR="$work/usr"
	printf '%s\n' "$VERSION" "$work/usr/usr/lib/libpmemblk.so.1.0.0" \
		"$work/usr/usr/lib/libpmem.so.1.0.0" >"$work/expected"
	version "$work/usr/usr/bin/pmemblk" | diff - "$work/expected" || fail "the tool in /usr/bin does not run on /usr/lib"
fi
case_ok "the tool's run path leads from it to its libraries, unless these are in a system folder"

touch "$work/stage/opt/p/lib/x86/other"
run_make uninstall PREFIX=/opt/p DESTDIR="$work/stage" LIBDIR=/opt/p/lib/x86 \
	INCLUDEDIR=/opt/p/inc MANDIR=/opt/p/man BINDIR=/opt/p/bin
[ "$(list "$work/stage")" = opt/p/lib/x86/other ] || { list "$work/stage"; fail "make uninstall"; }
case_ok "make uninstall leaves nothing of its own and all of others"

# pkg-config's answers.
need_command pkg-config pkg-config
export PKG_CONFIG_LIBDIR=$work/x/lib/pkgconfig
pc()
{
	pkg-config "$@" | sed 's/ *$//'
}
for l in libpmem libpmemblk; do
	[ "$(pc --modversion $l)" = "$VERSION" ] || fail "version of $l"
	[ "$(pc --variable=version $l)" = "$VERSION" ] || fail "variable version of $l"
	[ "$(pc --variable=prefix $l)" = "$work/x" ] || fail "prefix of $l"
	[ "$(pc --variable=libdir $l)" = "$work/x/lib" ] || fail "libdir of $l"
	[ "$(pc --variable=includedir $l)" = "$work/x/include" ] || fail "includedir of $l"
	grep -qx 'rasdeps=' "$PKG_CONFIG_LIBDIR/$l.pc" || fail "rasdeps of $l"
	grep -qx "Name: $l" "$PKG_CONFIG_LIBDIR/$l.pc" || fail "name of $l"
	[ "$(pc --cflags $l)" = "-I$work/x/include" ] || fail "cflags of $l"
	pkg-config --atleast-version=1.12.1 $l || fail "$l is older than the original"
	pkg-config --max-version=1.99 $l || fail "$l does not belong to the 1.x line"
done
[ "$VERSION" = 1.14.0 ] || fail "VERSION is $VERSION"
[ "$(pc --libs libpmem)" = "-L$work/x/lib -lpmem" ] || fail "libs of libpmem"
[ "$(pc --libs libpmemblk)" = "-L$work/x/lib -lpmemblk" ] || fail "libs of libpmemblk"
[ -z "$(pc --print-requires libpmemblk)$(pc --print-requires libpmem)" ] || fail "requires"
[ "$(pc --print-requires-private libpmemblk)" = libpmem ] || fail "requires.private of libpmemblk"
[ -z "$(pc --print-requires-private libpmem)" ] || fail "requires.private of libpmem"
case $(pc --static --libs libpmemblk) in
*-lpmemblk*-lpmem*) ;;
*) fail "static libs of libpmemblk" ;;
esac
case_ok "pkg-config gives the documented fields"

if [ -n "${CHECK_LONG:-}" ]; then
	run_make install DEBUG=1 PREFIX=/d DESTDIR="$work/debug" LIBDIR=/d/lib
	list "$work/debug" >"$work/debug.list"
	diff "$work/debug.list" - <<-END || fail "debug files"
		d/lib/pmdk_debug/libpmem.so.1 libpmem.so.1.0.0
		d/lib/pmdk_debug/libpmem.so.1.0.0
		d/lib/pmdk_debug/libpmemblk.so.1 libpmemblk.so.1.0.0
		d/lib/pmdk_debug/libpmemblk.so.1.0.0
	END
	run_make install DEBUG=1 PREFIX=/d DESTDIR="$work/debug" LIBDIR=/d/lib DEBUGDIR=/d/lib/pmdk_dbg
	run_make uninstall DEBUG=1 PREFIX=/d DESTDIR="$work/debug" LIBDIR=/d/lib
	run_make uninstall DEBUG=1 PREFIX=/d DESTDIR="$work/debug" LIBDIR=/d/lib DEBUGDIR=/d/lib/pmdk_dbg
	[ -z "$(list "$work/debug")" ] || fail "uninstall of the debug variant"
	case_ok "the debug variant goes to a folder of its own"
fi
