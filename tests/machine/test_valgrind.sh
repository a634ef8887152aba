#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Programs under valgrind. memcheck does not report what msync does to a page; with the installed
# suppressions helgrind and drd do not report libpmemblk's threads; all of them still find the
# program's own errors.
. "$(dirname "$0")/lib.sh"
need_command valgrind valgrind
[ -z "${SAN:-}${CROSS:-}${COV:-}" ] || skip "valgrind and sanitizers do not go together"
watched=$BUILD/tests/machine/watched
supp=$SOURCE/src/valgrind.supp
ours valgrind -q true || skip "valgrind does not run here"

# reports MODE ARGUMENTS...: runs the mode in valgrind and sets n to the number of its reports
reports()
{
	local mode=$1 rc=0
	shift
	rm -f "$work/log" "$work/file"
	ours valgrind --log-file="$work/log" "$@" "$watched" "$mode" "$work/file" || rc=$?
	[ $rc -ne 77 ] || return 77
	[ $rc -eq 0 ] || { cat "$work/log"; fail "$mode ends with $rc"; }
	n=$(sed -n 's/.*ERROR SUMMARY: \([0-9]*\) errors.*/\1/p' "$work/log")
}

none()
{
	[ "$n" -eq 0 ] || { head -n 60 "$work/log"; fail "$n reports: $1"; }
	case_ok "no report: $1"
}

some()
{
	[ "$n" -gt 0 ] || fail "no report: $1"
	case_ok "reported: $1"
}

if [ -e /usr/include/valgrind/memcheck.h ]; then
	reports sync
	none "memcheck, a sync of a page with bytes that are not addressable"
	reports bad
	some "memcheck, a sync of bytes that are not addressable"
	grep -q pmem_msync "$work/log" || fail "pmem_msync is not in the report"
	reports objects && none "memcheck, a pool of libpmemobj" ||
		echo "not tested: a pool of libpmemobj, libpmemobj1 is not installed"
else
	echo "not tested: memcheck, valgrind/memcheck.h is not there"
fi

for tool in helgrind drd; do
	for force in 0 1; do
		export PMEM_IS_PMEM_FORCE=$force
		reports threads --tool=$tool --suppressions="$supp"
		none "$tool, three threads on a pool, PMEM_IS_PMEM_FORCE=$force"
	done
	reports race --tool=$tool --suppressions="$supp"
	some "$tool, a race of the program's own"
done
