#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# errno after each public call that succeeds, also under contention: as it was, but for
# pmem_map_file, which leaves EOPNOTSUPP where MAP_SYNC was refused. Beside it the original's
# table; the lines in which they differ are known.
. "$(dirname "$0")/lib.sh"

disk=$(mktemp -d "${TMPDIR:-/tmp}/pmemcompat.XXXXXX")
trap 'rm -rf "$disk"; cleanup' EXIT

# The original sets errno to 0 in these functions, and accepts any number.
cat >"$work/known" <<-'END'
	pmem_has_auto_flush 0
	pmem_is_pmem 34
	pmemblk_check 0
	pmemblk_create 0
	pmemblk_open 0
END

# table LIBS DIR WRITES: status 124 if it did not finish in time. Its files stay then, so each run has a
# folder of its own.
table()
{
	local rc=0 dir
	dir=$(mktemp -d "$2/$1.XXXXXX")
	on "$1" timeout 60 "$BUILD/tests/compat/errno_table" "$dir" "$1" "$3" >"$work/table" 2>"$work/messages" || rc=$?
	[ $rc = 0 ] || [ $rc = 124 ] || { cat "$work/table" "$work/messages"; fail "$1: a call failed in $2"; } >&2
	sort "$work/table"
	rm -r "$dir"
	return $rc
}

# compare DIR WRITES FORCE
compare()
{
	local what="PMEM_IS_PMEM_FORCE=$3, $1"
	export PMEM_IS_PMEM_FORCE=$3
	table ours "$1" "$2" >"$work/ours.table" || fail "$what: a call does not return"
	! grep -v '^pmem_map_file ' "$work/ours.table" | grep -v ' -$' || fail "$what: errno was changed"
	grep -q '^pmem_is_pmem -$' "$work/ours.table" && grep -q '^pmemblk_write -$' "$work/ours.table" ||
		fail "$what: the table is not complete"
	[ "$(grep '^pmem_map_file ' "$work/ours.table")" = 'pmem_map_file 95' ] ||
		fail "$what: $(grep '^pmem_map_file ' "$work/ours.table")"
	case_ok "$what: $(wc -l <"$work/ours.table") lines"
	# The original's writers can deadlock when they contend.
	if ! table original "$1" "$2" >"$work/original.table"; then
		echo "not tested: $what, as with the original: its threads hang"
		return
	fi
	! comm -13 "$work/ours.table" "$work/original.table" | grep -vxFf "$work/known" ||
		fail "$what: the original does otherwise"
	case_ok "$what: as with the original, but for $(comm -13 "$work/ours.table" "$work/original.table" | wc -l) known lines"
}

compare "$work" 2000 0
compare "$work" 2000 1
compare "$work" 100 99999999999999999999 # no number that fits: as if it were not set
compare "$disk" 10 0
