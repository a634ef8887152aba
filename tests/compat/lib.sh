# SPDX-License-Identifier: BSD-3-Clause
#
# The common part of the compatibility scripts; they source it. It skips the test if a package of the
# original is missing. In addition to the common part of all scripts it has:
#   $work                  an empty folder on tmpfs, removed at exit
#   on LIBS COMMAND...     runs COMMAND with the libraries LIBS: ours, original, ours-on-original
#                          (our libpmemblk on the original's libpmem) or original-on-ours
#   pool LIBS ARGS...      the same for the helper program pool
. "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

# Prints the file of a package whose name ends like this; nothing if the package is not installed.
package_file()
{
	dpkg-query -L "$1" 2>/dev/null | grep -E "$2\$" | head -n 1 || true
}

[ -e /proc/self/maps ] || skip "the original ends its programs where there is no /proc"
command -v dpkg-query >/dev/null || skip "needs Debian's packages"
original_pmem=$(package_file libpmem1 '/libpmem\.so\.1')
original_pmemblk=$(package_file libpmemblk1 '/libpmemblk\.so\.1')
[ -n "$original_pmem" ] || skip "libpmem1 is not installed"
[ -n "$original_pmemblk" ] || skip "libpmemblk1 is not installed"
original_pmem=$(realpath "$original_pmem")
original_pmemblk=$(realpath "$original_pmemblk")
our_pmem=$(realpath "$BUILD/lib/libpmem.so.1")
our_pmemblk=$(realpath "$BUILD/lib/libpmemblk.so.1")

shm=${TEST_SHM:-/dev/shm}
[ -w "$shm" ] || skip "/dev/shm is not there"
work=$(mktemp -d "$shm/pmemcompat.XXXXXX")
cleanup()
{
	local job
	for job in $(jobs -p); do kill -9 "$job" 2>/dev/null || true; done
	rm -rf "$work"
}
trap cleanup EXIT

# Makes a folder of links for each pair of libraries.
link_pair()
{
	mkdir "$work/$1"
	ln -s "$2" "$work/$1/libpmem.so.1"
	ln -s "$3" "$work/$1/libpmemblk.so.1"
}
link_pair ours "$our_pmem" "$our_pmemblk"
link_pair original "$original_pmem" "$original_pmemblk"
link_pair ours-on-original "$original_pmem" "$our_pmemblk"
link_pair original-on-ours "$our_pmem" "$original_pmemblk"

on()
{
	local libs=$1
	shift
	LD_LIBRARY_PATH=$work/$libs EXPECT_LIBPMEM=$(realpath "$work/$libs/libpmem.so.1") \
		EXPECT_LIBPMEMBLK=$(realpath "$work/$libs/libpmemblk.so.1") "$@"
}

pool()
{
	local libs=$1
	shift
	on "$libs" "${POOL:-$BUILD/tests/compat/pool}" "$@"
}

# Runs COMMAND on LIBS as `on` does and fails unless the loader took the libraries named by
# WHICH (libpmem, libpmemblk, or both) from there. For programs that cannot check this themselves.
on_proven()
{
	local libs=$1 which=$2 l rc=0
	shift 2
	rm -f "$work"/loader.*
	LD_DEBUG=libs LD_DEBUG_OUTPUT=$work/loader LD_LIBRARY_PATH=$work/$libs "$@" || rc=$?
	for l in $which; do
		grep -qF "calling init: $work/$libs/$l.so.1" "$work"/loader.* ||
			fail "$1 did not load $l from $libs"
		! grep -F 'calling init:' "$work"/loader.* | grep -F "/$l.so" | grep -qvF "$work/$libs/" ||
			fail "$1 loaded another $l too"
	done
	return $rc
}
