#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# libpmemblk(7) lists the system calls that reads and writes may make. Threads read and write, also
# for the first time, with a filter that ends the process at any other call, and with a filter that
# refuses all calls except the indispensable ones. The same for those of pools that meet media errors.
. "$(dirname "$0")/lib.sh"
only_plain_variants
here=$(cd "$(dirname "$0")" && pwd)

"$CC" -O2 -I"$SOURCE/include" -pthread -o "$work/locked" "$here/locked.c" -L"$BUILD/lib" -lpmemblk -lpmem
export LD_LIBRARY_PATH=$BUILD/lib
# The first list in that section.
documented=$(sed -n '/^\.Ss System calls/,/^\.Ed/p' "$SOURCE/src/man/libpmemblk.7" |
	sed -n '/^\.Bd/,/^\.Ed/{/^\./d;p}' | tr -d ',')
[ "$(wc -w <<<"$documented")" -gt 5 ] || fail "libpmemblk(7) has no list"
# The sentence behind it.
errors=$(sed -n 's/^also \(.*\)\.$/\1/p' "$SOURCE/src/man/libpmemblk.7" | sed 's/,//g;s/ and / /')
[[ $errors = *memfd_create*rt_sigreturn* ]] || fail "libpmemblk(7) has no list for media errors"
shm=$(mktemp -d "${TEST_SHM:-/dev/shm}/pmembuild.XXXXXX")
trap 'rm -rf "$work" "$shm"' EXIT

# locked FORCE NAME ACTION CALLS
locked()
{
	local rc=0 force=$1 name=$2 action=$3
	shift 3
	rm -f "$shm/pool"
	PMEM_IS_PMEM_FORCE=$force timeout 60 "$work/locked" "$shm/pool" "$action" "$@" >"$work/log" 2>&1 || rc=$?
	[ $rc -ne 77 ] || skip "no seccomp filters here"
	[ $rc -eq 0 ] || { cat "$work/log"; fail "$name, PMEM_IS_PMEM_FORCE=$force: exit status $rc"; }
	case_ok "$name, PMEM_IS_PMEM_FORCE=$force"
}

for force in 0 1; do
	# shellcheck disable=SC2086
	locked $force "with the calls of libpmemblk(7)" kill $documented
	locked $force "with the indispensable ones" refuse futex msync getrandom brk mmap munmap mprotect
done
# shellcheck disable=SC2086
locked 1 "media errors, with the calls of libpmemblk(7)" kill $documented $errors
