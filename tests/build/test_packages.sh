#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The Debian packages: their files and fields are those of packages.list, each function has a page
# in the right package, and lintian has no complaint. They are built without optimization, which
# saves half of the time. What they do in a system is tested by `make check-deb`.
. "$(dirname "$0")/lib.sh"
only_plain_variants
need_command dh debhelper
need_command pkg-config pkg-config
pkg-config --exists nbdkit || skip "nbdkit-plugin-dev is not installed"

VERSION=${VERSION:-1.14.0} DEB_BUILD_OPTIONS=noopt "$SOURCE/.packaging/build-deb" "$work/deb" >"$work/log" 2>&1 ||
	{ cat "$work/log"; fail "the packages are not built"; }
lib=usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)
case_ok "the packages are built"

# Lists files, without those that every package has and those of folders with a case of their own.
files()
{
	dpkg-deb --fsys-tarfile "$1" | tar -tv | sed -nE 's/^([-l][^ ]*) +(root\/root) .* \.\/(.*)$/\1 \2 \3/p' |
		sed -E "s|^.rw-r--r-- root/root ||; s|^lrwxrwxrwx root/root ||; s|$lib|LIB|g" |
		grep -vE '^usr/share/(man/man3|doc/[^/]*/examples)/' |
		grep -vE '^usr/share/doc/[^/]*/(copyright|changelog.Debian.gz)$' | sort
}
for deb in "$work"/deb/*.deb; do
	echo "$(dpkg-deb -f "$deb" Package):"
	for field in Section Multi-Arch Depends Provides; do
		dpkg-deb -f "$deb" "$field" | sed -E "/./!d; s/^/$field: /; s/${VERSION:-1.14.0}-1/VERSION/g" |
			sed -E 's/libc6 \([^)]*\)/libc6/; s/(, )?[a-z1-]+ \(= 1\.1[0-3][^)]*\)/\1itself as pmdk/' |
			sed -E 's/(itself as pmdk)(, [a-z1-]+ \(= [^)]*\))*$/\1/'
	done
	files "$deb"
done >"$work/list"
diff "$SOURCE/tests/build/packages.list" "$work/list" ||
	fail "files or fields are others (left: tests/build/packages.list, right: the packages)"
for deb in "$work"/deb/*.deb; do
	doc=usr/share/doc/$(dpkg-deb -f "$deb" Package)
	for f in copyright changelog.Debian.gz; do
		dpkg-deb --fsys-tarfile "$deb" | tar -t "./$doc/$f" >/dev/null || fail "$doc/$f is missing"
	done
done
case_ok "files and fields are those of the list"

# Debian's other packages of pmdk ask for exactly their own version.
for p in libpmem1 libpmem-dev libpmem1-debug libpmemblk1 libpmemblk-dev libpmemblk1-debug; do
	provides=$(dpkg-deb -f "$work"/deb/${p}_*.deb Provides)
	for v in 1.12.1-2 1.13.1-1.1+b1; do
		grep -qF "$p (= $v)" <<<"$provides" || fail "$p does not stand for its version $v"
	done
done
case_ok "each of the six stands for the versions of Debian 12 and 13, too"

for l in libpmem libpmemblk; do
	dpkg-deb -x "$work"/deb/${l}1_*.deb "$work/x"
	nm -D --defined-only "$work/x/$lib/$l.so.1" | sed -n 's/.* T //p' | sed 's/@.*//' | sort >"$work/functions"
	dpkg-deb --fsys-tarfile "$work"/deb/${l}-dev_*.deb | tar -t |
		sed -n 's|^./usr/share/man/man3/\(.*\)\.3\.gz$|\1|p' | sort >"$work/pages"
	[ "$(wc -l <"$work/functions")" -ge 16 ] || fail "$l has too few functions"
	diff "$work/functions" "$work/pages" || fail "functions of ${l}1 (left) and pages of ${l}-dev (right)"
	# The symbols file makes a program depend on the first version that has the functions it uses.
	dpkg-deb --control "$work"/deb/${l}1_*.deb "$work/control"
	while read -r function; do
		grep -qE "^ $function@${l^^}_1\.[0-9]+ 1\.(4|5|14\.0)\$" "$work/control/symbols" ||
			fail "$function is not in the symbols file of ${l}1"
	done <"$work/functions"
	rm -r "$work/control"
done
case_ok "each function has a page in the -dev package, and a line in the symbols file"

if command -v lintian >/dev/null; then
	# It leaves files in its temporary folder.
	TMPDIR=$work lintian --allow-root --fail-on warning --suppress-tags initial-upload-closes-no-bugs \
		"$work"/deb/*.deb >"$work/log" 2>&1 || { cat "$work/log"; fail "lintian complains"; }
	case_ok "lintian has no complaint"
fi
