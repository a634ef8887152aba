#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Builds for other CPUs use tests/support/cross in place of the distribution's cmocka. The tests
# compile with it, so that such a build fails here and not only where there is a cross compiler.
. "$(dirname "$0")/lib.sh"

only_plain_variants
make -C "$SOURCE" --no-print-directory -n -B OWN_CMOCKA=1 check TESTS='$(TEST_BIN)' 2>/dev/null |
	grep -E -- '-Itests/support/cross .* tests/[^ ]+\.c$' |
	sed -E 's/ -MMD -MP -c -o [^ ]+ / -fsyntax-only /' >"$work/commands"
n=$(wc -l <"$work/commands")
[ "$n" -gt 100 ] || fail "only $n test files"
grep -q cross/cmocka.c "$work/commands" || fail "cmocka.c is not compiled"
cd "$SOURCE"
tr '\n' '\0' <"$work/commands" | xargs -0 -P 2 -n 1 sh -c 2>"$work/err" || { cat "$work/err"; fail "a test does not compile"; }
case_ok "the tests compile with our part of cmocka"
