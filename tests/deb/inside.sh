#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# usage: inside.sh build | replace | alone
# The parts of the test of the packages that run as root in a fresh system, made by run.sh:
#   build    /src is built as its README says; the packages and a helper go to /out
#   replace  the packages in /debs go over the distribution's, and back again
#   alone    they are installed where nothing of the kind is, and removed
set -eu
ours="libpmem1 libpmemblk1 libpmem-dev libpmemblk-dev libpmem1-debug libpmemblk1-debug"

fail()
{
	echo "not ok: $*"
	exit 1
}

case_ok()
{
	echo "ok $*"
}

# Runs a command and shows what it says only if it fails.
quietly()
{
	"$@" >/tmp/log 2>&1 || { tail -n 60 /tmp/log; fail "$*"; }
}

get()
{
	quietly apt-get -y --no-install-recommends "$@"
}

installed()
{
	# shellcheck disable=SC2016
	dpkg-query -W -f '${db:Status-Abbrev} ${Package} ${Version}\n' | sort
}

version_of()
{
	# shellcheck disable=SC2016
	dpkg-query -W -f '${Version}' "$1"
}

# Lists all files of the packages, with links and sums.
files_of()
{
	dpkg -L "$@" | sort -u | while read -r f; do
		if [ -L "$f" ]; then
			echo "$f -> $(readlink "$f")"
		elif [ -f "$f" ]; then
			sha256sum "$f"
		fi
	done
}

# Runs a program and fails unless it succeeds with the library whose sum is given.
on()
{
	local sum=$1 library=$2 path
	shift 2
	rm -f /tmp/loaded.*
	LD_DEBUG=libs LD_DEBUG_OUTPUT=/tmp/loaded quietly "$@"
	path=$(sed -n "s|.*calling init: \(.*/$library\)\$|\1|p" /tmp/loaded.* | sort -u)
	[ -f "$path" ] || fail "$* does not load one $library, but: $path"
	[ "$(sha256sum <"$path")" = "$sum" ] || fail "$* is on another $library"
}

# Prints the sum of that library in our package.
packaged()
{
	dpkg-deb --fsys-tarfile /debs/"$1"_*.deb | tar -xO "./usr/lib/$(multiarch)/$2" | sha256sum
}

multiarch()
{
	case $(dpkg --print-architecture) in
	amd64) echo x86_64-linux-gnu ;;
	arm64) echo aarch64-linux-gnu ;;
	*) echo "$(dpkg --print-architecture)-linux-gnu" ;;
	esac
}

# Runs programs of the distribution, each with the expected libraries.
fio_libpmem()
{
	fio --name=t --thread --ioengine=libpmem --filename=/dev/shm/f --bs=4k --size=8M --rw=randrw \
		--verify=crc32c --direct=1 --verify_state_save=0 --output=/dev/null
}

fio_pmemblk()
{
	fio --name=t --thread --ioengine=pmemblk --filename="/pools/fio,4096,32" --bs=4k --size=8M \
		--rw="$1" --verify=crc32c --direct=1 --verify_state_save=0 --output=/dev/null
}

qemu()
{
	echo quit | qemu-system-x86_64 -M none -nodefaults -display none -monitor stdio \
		-object memory-backend-file,id=m,size=16M,mem-path=/dev/shm/q,share=on,pmem=on
}

# $1: "ours" or "theirs". Fails unless everything works, on the libraries named.
run_programs()
{
	local pmem=$ours_pmem blk=$ours_blk
	export PMEM_IS_PMEM_FORCE=1
	if [ "$1" = theirs ]; then
		pmem=$theirs_pmem
		blk=$theirs_blk
	fi
	on "$pmem" libpmem.so.1 fio_libpmem
	if fio --enghelp | grep -qw pmemblk; then
		[ -e /pools/fio ] || quietly fio_pmemblk write
		on "$blk" libpmemblk.so.1 fio_pmemblk read
		quietly fio_pmemblk randwrite
		quietly fio_pmemblk write
		engines="both engines of fio"
	else
		engines="fio (this one has no pmemblk engine)"
	fi
	for pool in /pools/*; do
		on "$pmem" libpmem.so.1 pmempool check "$pool"
		on "$blk" libpmemblk.so.1 pmempool info "$pool"
	done
	on "$pmem" libpmem.so.1 qemu
	unset PMEM_IS_PMEM_FORCE
}

# Pools hold what a sequence of operations made of them, by $1 so far; $1 + 500 afterwards.
use_pools()
{
	EXPECT_LIBPMEM=$(readlink -f "/usr/lib/$(multiarch)/libpmem.so.1")
	EXPECT_LIBPMEMBLK=$(readlink -f "/usr/lib/$(multiarch)/libpmemblk.so.1")
	export EXPECT_LIBPMEM EXPECT_LIBPMEMBLK
	for bsize in 512 4096; do
		pool=/pools/$bsize
		[ -e "$pool" ] || quietly /debs/pool create $pool $bsize $((32 << 20))
		quietly /debs/pool verify $pool $bsize 7 "$1"
		quietly /debs/pool fill $pool $bsize 7 "$1" $(($1 + 500))
		quietly /debs/pool verify $pool $bsize 7 $(($1 + 500))
	done
}

part_build()
{
	quietly apt-get update
	get install make gcc libc6-dev
	cd /src
	make deb >/tmp/said 2>&1 && fail "make deb works without its tools"
	line=$(grep '^apt-get install ' /tmp/said) || { cat /tmp/said; fail "make deb names no apt-get line"; }
	# shellcheck disable=SC2086
	quietly $line
	quietly make deb
	cp -r build/deb /out
	[ "$(ls /out/*_"$VERSION"-1_*.deb | wc -l)" -eq 8 ] || { ls /out; fail "other than 8 packages"; }
	case_ok "make deb names what it needs, and builds 8 packages with it"

	get install lintian
	quietly lintian --allow-root --fail-on warning --suppress-tags initial-upload-closes-no-bugs /out/*.deb
	case_ok "lintian has no complaint"

	# Makes a program for the other systems. It runs with the libraries that it finds there.
	quietly make build/release/tests/compat/pool
	cp build/release/tests/compat/pool /out/
}

part_replace()
{
	quietly apt-get update
	# Packages that depend on the two, and packages that require exactly their version.
	get install fio pmdk-tools libpmemobj1 libpmempool1 libpmemlog1 qemu-system-x86 nbdkit \
		libpmemobj-dev libpmempool1-debug $ours
	theirs=$(version_of libpmem1)
	theirs_pmem=$(sha256sum <"/usr/lib/$(multiarch)/libpmem.so.1")
	theirs_blk=$(sha256sum <"/usr/lib/$(multiarch)/libpmemblk.so.1")
	ours_pmem=$(packaged libpmem1 libpmem.so.1.0.0)
	ours_blk=$(packaged libpmemblk1 libpmemblk.so.1.0.0)
	installed >/tmp/before
	# shellcheck disable=SC2086
	files_of $ours >/tmp/files
	mkdir /pools
	use_pools 0
	run_programs theirs
	case_ok "the distribution's $theirs: $engines, pmempool, qemu, pools are made"

	get install /debs/libpmem1_*.deb /debs/libpmemblk1_*.deb
	quietly apt-get check
	installed | diff /tmp/before - | sed -n 's/^> ii *//p' | diff - <(printf "%s $VERSION-1\n" libpmem1 libpmemblk1) ||
		fail "other packages than the two libraries have changed"
	get --allow-downgrades install "libpmem1=$theirs" "libpmemblk1=$theirs"
	installed | diff /tmp/before - || fail "other packages than before"
	case_ok "the two libraries alone are replaced and come back"

	get install /debs/*.deb
	quietly apt-get check
	[ -z "$(dpkg --audit)" ] || fail "dpkg --audit: $(dpkg --audit)"
	for p in $ours pmemblk nbdkit-plugin-pmemblk; do
		[ "$(version_of "$p")" = "$VERSION-1" ] || fail "$p is not ours"
		[ -z "$(dpkg --verify "$p")" ] || fail "files of $p: $(dpkg --verify "$p")"
	done
	# shellcheck disable=SC2086
	grep -vE " ($(tr ' ' '|' <<<$ours)) " /tmp/before | while read -r line; do
		installed | grep -qxF "$line" || fail "no longer there: $line"
	done
	apt-get -s dist-upgrade | grep -E '^(Inst|Remv)' && fail "apt would change something"
	case_ok "apt-get install ./*.deb replaces it, nothing else goes, nothing is left to upgrade"

	run_programs ours
	use_pools 500
	quietly pmemblk check /pools/512
	quietly nbdkit --dump-plugin pmemblk
	man=$(gzip -dc /usr/share/man/man1/nbdkit-pmemblk-plugin.1.gz | wc -l)
	[ "$man" -gt 50 ] || fail "the plugin's page"
	debug=/usr/lib/$(multiarch)/pmdk_dbg
	LD_LIBRARY_PATH=$debug PMEM_LOG_LEVEL=3 EXPECT_LIBPMEM=$debug/libpmem.so.1.0.0 \
		EXPECT_LIBPMEMBLK=$debug/libpmemblk.so.1.0.0 quietly /debs/pool check /pools/512 512
	grep -q "version: $VERSION" /tmp/log || fail "the debug variant does not log"
	case_ok "$engines, pmempool, qemu and the pools of before work on $VERSION, by the files loaded"

	# shellcheck disable=SC2086
	get --allow-downgrades install $(printf "%s=$theirs " $ours)
	# The tool and the plugin are removed with the library, because they need this one.
	installed | diff /tmp/before - || fail "other packages than before"
	# shellcheck disable=SC2086
	files_of $ours | diff /tmp/files - || fail "other files than before"
	[ -z "$(dpkg --audit)" ] || fail "dpkg --audit: $(dpkg --audit)"
	run_programs theirs
	use_pools 1000
	case_ok "apt-get install libpmem1=$theirs ... goes back: same packages, same files, pools open"
}

# Lists all files, except those that the package management itself writes.
everything()
{
	find / -xdev \( -path /proc -o -path /var/cache -o -path /var/lib/dpkg -o -path /var/lib/apt \
		-o -path /var/log -o -path /tmp -o -path /dev -o -path /debs \) -prune -o -print |
		grep -v '^/etc/ld.so.cache$' | sort
}

part_alone()
{
	quietly apt-get update
	# The other packages that ours need stay.
	get install nbdkit
	installed >/tmp/before
	everything >/tmp/files
	get install /debs/*.deb
	mkdir /tmp/pools
	quietly pmemblk create -b 4096 -s 32M /tmp/pools/p
	quietly pmemblk check /tmp/pools/p
	# shellcheck disable=SC2086
	get purge $ours pmemblk nbdkit-plugin-pmemblk
	installed | diff /tmp/before - || fail "other packages than before"
	everything | diff /tmp/files - || fail "other files than before"
	case_ok "installed alone and removed: every package and every file as before"
}

"part_$1"
