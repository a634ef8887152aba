#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# pmemblk(1) runs on the libraries that it belongs to, says so, and refuses others.
. "$(dirname "$0")/lib.sh"
[ -z "${RUNNER:-}${SAN:-}" ] || skip "for plain variants of this CPU only"
unset LD_LIBRARY_PATH LD_PRELOAD

# The lines of --version in the order libpmemblk, libpmem.
runs_on()
{
	printf 'pmemblk %s\nlibpmemblk %s %s/libpmemblk.so.1.0.0\nlibpmem %s %s/libpmem.so.1.0.0\n' \
		"$VERSION" "$VERSION" "$1" "$VERSION" "$1" | diff - "$work/out" || fail "other libraries than in $1"
}
expect 0 --version
runs_on "$(realpath "$BUILD/lib")"
LD_DEBUG=libs LD_DEBUG_OUTPUT=$work/loader tool --version >/dev/null
for l in libpmem libpmemblk; do
	grep 'calling init: .*/lib/'$l.so.1\$ "$work"/loader.* | grep -qF "$BUILD" || fail "$l is not the built one"
done
case_ok "the tool of the build tree runs on the libraries beside it"

# Folders that the loader searches before the system's have other files with these names.
mkdir "$work/other"
for l in libpmem libpmemblk; do
	$CC -shared -nostdlib -o "$work/other/$l.so.1" -Wl,-soname,$l.so.1 -x c /dev/null 2>/dev/null ||
		fail "cannot make an empty library"
done
LD_LIBRARY_PATH=$work/other tool --version >"$work/out" || fail "LD_LIBRARY_PATH leads elsewhere"
runs_on "$(realpath "$BUILD/lib")"
case_ok "LD_LIBRARY_PATH changes nothing"

# A library without the version note stands in for the tool's own.
printf 'void *pmemblk_open(const char *p, unsigned long b) { (void)p; (void)b; return (void *)0; }\n' >"$work/foreign.c"
$CC -shared -fPIC -o "$work/foreign.so" "$work/foreign.c"
rc=0
LD_PRELOAD=$work/foreign.so tool check "$work/pool" >"$work/out" 2>"$work/err" || rc=$?
[ $rc = 3 ] || fail "exit status $rc on a foreign library"
said '^pmemblk: .*/foreign.so is not the libpmemblk of this tool, which does not work with another one$'
LD_PRELOAD=$work/foreign.so tool --version >"$work/out" || fail "--version on a foreign library"
printed "^libpmemblk \(foreign\) .*/foreign.so\$"
LD_PRELOAD=$work/foreign.so tool help check >"$work/out" || fail "help on a foreign library"
case_ok "a library of another kind is refused by name"

# Notes of others, of another kind or form, or with a wrong length: OWNER, and what sed changes in the header.
mkdir "$work/noted"
while read -r owner edit; do
	sed "$edit" "$SOURCE/src/common/version_note.h" >"$work/noted/version_note.h"
	printf '#include <stdint.h>\n#define SRCVERSION "%s"\n#include "version_note.h"\nVERSION_NOTE("%s");\n' "$VERSION" "$owner" |
		cat - "$work/foreign.c" >"$work/noted/noted.c"
	$CC -shared -fPIC -o "$work/noted/noted.so" "$work/noted/noted.c"
	LD_PRELOAD=$work/noted/noted.so tool check "$work/pool" >"$work/out" 2>"$work/err" &&
		fail "a note of $owner, $edit"
	said '^pmemblk: .*/noted.so is not the libpmemblk of this tool, which does not work with another one$'
	LD_PRELOAD=$work/noted/noted.so tool --version >"$work/out" || fail "--version on a foreign library"
	printed "^libpmemblk \(foreign\) .*/noted.so\$"
done <<-END
	libother
	libpmem
	libpmemxxx
	libpmemblk2
	libpmemblk s/VERSION_NOTE_TYPE 1u/VERSION_NOTE_TYPE 2u/
	libpmemblk s/aligned(4)/aligned(8)/
	libpmemblk s/{sizeof(library), /{sizeof("libp")-1,/
	libpmemblk s/sizeof(SRCVERSION), VERSION/sizeof(SRCVERSION)+4000,VERSION/
END
case_ok "another note is not taken for that of the library"

printf '#include <stdint.h>\n#define SRCVERSION "1.14.99"\n#include "version_note.h"\nVERSION_NOTE("libpmemblk");\n' |
	cat - "$work/foreign.c" >"$work/later.c"
$CC -shared -fPIC -I"$SOURCE/src/common" -o "$work/later.so" "$work/later.c"
LD_PRELOAD=$work/later.so tool info "$work/absent" >"$work/out" 2>"$work/err" && fail "an absent pool"
said "^pmemblk: warning: .*/later.so has version 1.14.99, this tool $VERSION\$"
said "absent: No such file or directory"
case_ok "another version is named, and used"
