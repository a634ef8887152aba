#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The messages of failures beside the original's: they are the same, or messages.md has both and
# the reason. errno is always the same.
. "$(dirname "$0")/lib.sh"

failures()
{
	mkdir "$work/$1.d"
	on "$1" "$BUILD/tests/compat/messages" "$work/$1.d" |
		sed -E 's/0x[0-9a-f]{9,}/HEX/g' >"$work/$1.out"
	# The original opens a part twice, and the first open makes it with mode 0: only root reaches the lock.
	[ "$(id -u)" -eq 0 ] || sed -i '/^create_set_twice\t/d' "$work/$1.out"
}
failures ours
failures original
need_command pmempool pmdk-tools
[ "$(wc -l <"$work/ours.out")" -ge 60 ] || fail "only $(wc -l <"$work/ours.out") failures"

cut -f 1,2 "$work/original.out" >"$work/original.errno"
cut -f 1,2 "$work/ours.out" >"$work/ours.errno"
diff -u "$work/original.errno" "$work/ours.errno" || fail "errno differs from the original's"
case_ok "errno is the original's in $(wc -l <"$work/ours.out") failures"

# Prints the rows as they have to be in the table, without the reason.
paste "$work/original.out" "$work/ours.out" |
	awk -F '\t' '$3 != $6 { printf "| %s | %s | %s |\n", $1, $3, $6 }' >"$work/rows"
grep '^| [a-z_0-9]* | .* |$' "$SOURCE/tests/compat/messages.md" | grep -v '^| failure |' >"$work/table"
! grep -vE '^(\| [^|]*){3}\| [^|]*[a-z][^|]* \|$' "$work/table" || fail "a row without a reason"
sed -E 's/ [^|]* \|$//' "$work/table" >"$work/table.rows"

# Another version of the original may have other texts.
case $(dpkg-query -W -f '${Version}' libpmemblk1) in
1.12.1*) ;;
*)
	for f in rows table.rows; do
		sed -i -E 's/^(\| [^|]*\|)[^|]*\|/\1 ... |/' "$work/$f"
	done
	;;
esac
[ "$(id -u)" -eq 0 ] || sed -i '/^| create_set_twice /d' "$work/table.rows"
diff -u "$work/table.rows" "$work/rows" || fail "tests/compat/messages.md is not as it is"
case_ok "$(wc -l <"$work/rows") messages differ from the original's, all for a reason"

for size in 0 4294967296; do
	for libs in ours original; do
		out=$(on $libs pmempool create blk $size "$work/$libs.d/e" 2>&1) && fail "size $size is accepted"
		grep -qx "error: '$work/$libs.d/e' -- Invalid block size $size" <<<"$out" ||
			fail "pmempool says on $libs: $out"
	done
	case_ok "pmempool passes on 'Invalid block size $size', to the end of the line"
done
