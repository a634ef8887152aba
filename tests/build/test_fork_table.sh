#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Every static object of the libraries that can change has a line in src/README.md, which says what
# a forked child finds there.
. "$(dirname "$0")/lib.sh"

# Lists the symbols in writable sections. Static ones inside functions are named "object.number" by
# gcc, and "function.object" by clang, perhaps with a number behind.
changing_objects()
{
	find "$@" -name '*.o' -exec nm -f sysv {} + |
		awk -F'|' '$7 ~ /^\.t?(data|bss)/ && $7 !~ /rel\.ro/ && $4 ~ /OBJECT|TLS/ {
			sub(/ .*/, "", $1)
			sub(/(\.[0-9]+)+$/, "", $1)
			sub(/.*\./, "", $1)
			if ($1 != "") print $1
		}' | sort -u
}

table()
{
	sed -n '/^## What a forked child inherits/,/^## How to add a CPU/p' "$SOURCE/src/README.md"
}

objects_without_a_line()
{
	local name
	while read -r name; do
		table | grep -qF "\`$name\`" || echo "$name"
	done
}

obj=$BUILD/obj/src
[ -d "$obj" ] || fail "nothing is built in $obj"
[ -z "${SAN:-}${COV:-}" ] || skip "the compiler adds objects of its own"
changing_objects "$obj/common" "$obj/pmem" "$obj/blk" >"$work/objects"
n=$(wc -l <"$work/objects")
[ "$n" -gt 30 ] || fail "only $n objects were found"
objects_without_a_line <"$work/objects" >"$work/missing"
[ ! -s "$work/missing" ] || fail "without a line in src/README.md: $(xargs <"$work/missing")"
case_ok "all $n objects that can change are in the table of what a forked child inherits"

echo 'int planted_object; int *planted(void) { return &planted_object; }' >"$work/planted.c"
$CC -c -o "$work/planted.o" "$work/planted.c"
changing_objects "$work" | objects_without_a_line | grep -qx planted_object ||
	fail "an object without a line is not found"
case_ok "an object without a line is found"
