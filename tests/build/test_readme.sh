#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# README.md is correct: CI runs its commands, and they install everything that the tests ask for; its
# example compiles and works; the targets of its links exist.
. "$(dirname "$0")/lib.sh"
cd "$SOURCE"

apt='^apt-get update && apt-get install -y --no-install-recommends [a-z0-9 +.-]+$'
for block in "Try it:make demo" "Test it:make check"; do
	.ci/readme-block "${block%%:*}" >"$work/block" || fail "no commands below ${block%%:*}"
	[ "$(wc -l <"$work/block")" -eq 2 ] || fail "${block%%:*} has other than two commands"
	head -n 1 "$work/block" | grep -qE "$apt" || fail "the first line below ${block%%:*}"
	[ "$(tail -n 1 "$work/block")" = "${block#*:}" ] || fail "the second line below ${block%%:*}"
done
grep -q "readme-block 'Test it'" .ci/run || fail ".ci/run runs something else than the README"
case_ok "the two commands are there, and CI runs the second one as it stands"

# Scripts ask for these by name: need_command COMMAND PACKAGE, package_file PACKAGE.
packages=$(.ci/readme-block 'Test it' | head -n 1)
wanted=$(grep -rhoE '^[^#]*\b(need_command [a-z0-9-]+ |package_file )[a-z0-9.-]+' tests |
	sed 's/.* //' | sort -u)
[ "$(wc -w <<<"$wanted")" -ge 3 ] || fail "too few packages are asked for"
for p in $wanted; do
	grep -qE " $p( |\$)" <<<"$packages" || fail "the tests use $p, which the README does not install"
done
case_ok "the test command installs every package that the scripts name ($(wc -w <<<"$wanted"))"

.ci/readme-block 'Use it' >"$work/example.c"
lines=$(wc -l <"$work/example.c")
[ "$lines" -ge 15 ] && [ "$lines" -le 25 ] || fail "the example has $lines lines"
$CC -std=c11 -Wall -Wextra -Werror -Iinclude -o "$work/example" "$work/example.c" \
	${SAN:+-fsanitize=$SAN} ${COV:+--coverage} "$BUILD/lib/libpmemblk.a" "$BUILD/lib/libpmem.a" -pthread
for round in created opened; do
	(cd "$work" && ${RUNNER:-} ./example) >"$work/out" || fail "the example, with the pool $round"
	grep -qE '^block 7 of [0-9]+: hello$' "$work/out" || { cat "$work/out"; fail "the example says"; }
done
case_ok "the example compiles without warnings and works"

for f in README.md src/README.md; do
	for link in $(grep -oE '\]\([^)#]+' "$f" | sed 's/](//' | grep -v '^https\?:'); do
		[ -e "$(dirname "$f")/$link" ] || fail "$f: $link is not there"
	done
done
case_ok "links lead somewhere"

for target in $(grep -ohE '(^ *|`|&& )make [a-z-]+' README.md | awk '{ print $NF }' | sort -u); do
	grep -qE "^$target:" Makefile .packaging/*.mk tests/*.mk tests/*/*.mk || fail "make $target is not in the makefile"
done
for target in $(make -s help | awk '/^[a-z]/ { print $1 }'); do
	grep -qE "^$target:" Makefile .packaging/*.mk tests/*.mk tests/*/*.mk || fail "make $target is in the help only"
done
case_ok "the makefile has every target that is named"
