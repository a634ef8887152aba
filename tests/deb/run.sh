#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The Debian packages in fresh systems: they are built in one system, and go into another one over
# the distribution's packages, back, and away; see inside.sh. Arguments: the releases
# [bookworm trixie]. Exits with 77 where what it takes is not there. What was downloaded stays in
# build/deb/cache; MIRROR and SECURITY name other sources.
. "$(dirname "$0")/../support/lib.sh"
SOURCE=$(realpath "$(dirname "$0")/../..")
: "${VERSION:?}" "${MIRROR:=http://deb.debian.org/debian}"
cache=$SOURCE/build/deb/cache

[ "$(id -u)" -eq 0 ] || skip "needs root"
for tool in debootstrap unshare; do
	command -v $tool >/dev/null || skip "$tool is not installed"
done
unshare --mount --pid --fork true 2>/dev/null || skip "may not mount anything here"

work=$(mktemp -d "${TMPDIR:-/tmp}/pmemdeb.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$cache"

# Makes a fresh, minimal system in the folder $2.
fresh_system()
{
	if [ ! -e "$cache/$1.tar" ]; then
		debootstrap --variant=minbase "$1" "$work/base" "$MIRROR" >"$cache/$1.log" 2>&1 || {
			rm -rf "$work/base"
			skip "debootstrap of $1 fails, see $cache/$1.log"
		}
		tar -C "$work/base" -cf "$cache/$1.tar.new" .
		rm -rf "$work/base"
		mv "$cache/$1.tar.new" "$cache/$1.tar"
	fi
	mkdir "$2"
	tar -C "$2" -xpf "$cache/$1.tar"
	cp "$SOURCE/tests/deb/inside.sh" "$2/inside.sh"
	# No service starts in it.
	printf '#!/bin/sh\nexit 101\n' >"$2/usr/sbin/policy-rc.d"
	chmod 755 "$2/usr/sbin/policy-rc.d"
	cp /etc/resolv.conf "$2/etc/resolv.conf" 2>/dev/null || true
}

# Runs a part of inside.sh in the system $1, with mounts of its own; all of its processes end with
# it. What apt downloads is kept for the next run.
inside()
{
	local root=$1
	shift
	mkdir -p "$cache/$suite"
	# shellcheck disable=SC2016
	unshare --mount --pid --fork --kill-child bash -euc '
		mount --make-rprivate /
		mount -t proc proc "$1/proc"
		mount -t tmpfs tmpfs "$1/dev/shm"
		mount -t devpts -o newinstance,ptmxmode=666 devpts "$1/dev/pts"
		mount --bind "$2" "$1/var/cache/apt/archives"
		shift 2
		exec chroot "$@"' - "$root" "$cache/$suite" "$root" \
		/usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C DEBIAN_FRONTEND=noninteractive \
		VERSION="$VERSION" SOURCE_DATE_EPOCH="$epoch" bash /inside.sh "$@"
}

epoch=$(git -C "$SOURCE" log -1 --format=%ct 2>/dev/null || stat -c %Y "$SOURCE/Makefile")
[ $# -gt 0 ] || set -- bookworm trixie
for suite; do
	echo "$suite:"
	fresh_system "$suite" "$work/build"
	mkdir "$work/build/src"
	tar -C "$SOURCE" -c --exclude=./build --exclude=./.git . | tar -C "$work/build/src" -x
	inside "$work/build" build
	for part in replace alone; do
		fresh_system "$suite" "$work/$part"
		cp -r "$work/build/out" "$work/$part/debs"
		inside "$work/$part" $part
		rm -rf "${work:?}/$part"
	done
	rm -rf "$work/build"
done
