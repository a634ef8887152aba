#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Runs the test programs and scripts given as arguments, one after the other, and sums up.
# The last line is "N passed, N failed, N skipped". Parts of a test that were skipped, cases of a
# program or what a script calls "not tested: ...", are named, too. A test's output is kept in $BUILD/logs and
# shown when it fails. TEST_TIMEOUT: seconds one test may take [300]. NO_SKIP: a pattern (grep -E)
# of test names that count as failed when they were skipped. RUNNER: a command that runs programs
# of another CPU. FAIL_FAST=1: the first failure ends it.
#
# The tests get folders of their own for what they make, on disk (TMPDIR) and on tmpfs (TEST_SHM).
# A test that leaves something there has failed.
set -u
timeout=${TEST_TIMEOUT:-300}
logs=$BUILD/logs
mkdir -p "$logs"
TMPDIR=$(mktemp -d "${TMPDIR:-/tmp}/pmemcheck.XXXXXX") || exit 1
TEST_SHM=$(mktemp -d /dev/shm/pmemcheck.XXXXXX 2>/dev/null) || TEST_SHM=$TMPDIR/shm
chmod 711 "$TMPDIR" "$TEST_SHM" # some tests run a part as another user
export TMPDIR TEST_SHM
trap 'rm -rf "$TMPDIR" "$TEST_SHM"' EXIT
trap 'exit 130' INT TERM
# Containers may be without /proc. Programs that look into it are left out then, but for those that
# say what they do "without /proc".
looks_into_proc()
{
	[ ! -e /proc/self/maps ] && grep -qs '"/proc' "${SOURCE:-.}/tests/$1.c" &&
		! grep -q 'without /proc' "${SOURCE:-.}/tests/$1.c"
}

passed=0 failed=0 skipped=0 cases=0
failures=() skips=()
for t in "$@"; do
	name=${t#"$BUILD"/}
	name=${name#build/*/}
	name=${name#tests/}
	log=$logs/${name//\//_}.log
	start=$EPOCHREALTIME
	if looks_into_proc "$name"; then
		skipped=$((skipped + 1))
		skips+=("$name: it looks into /proc, which is not there")
		echo "skip  $name: it looks into /proc, which is not there"
		continue
	fi
	case $t in
	*.sh) timeout -k 5 "$timeout" bash "$t" >"$log" 2>&1 </dev/null ;;
	/*) timeout -k 5 "$timeout" ${RUNNER:-} "$t" >"$log" 2>&1 </dev/null ;;
	*) timeout -k 5 "$timeout" ${RUNNER:-} "./$t" >"$log" 2>&1 </dev/null ;;
	esac
	rc=$?
	left=$(find "$TMPDIR" "$TEST_SHM" -mindepth 1 -maxdepth 1 ! -path "$TEST_SHM" | head -n 5)
	if [ -n "$left" ]; then
		echo "left behind: $left" >>"$log"
		rm -rf "${TMPDIR:?}"/* "${TEST_SHM:?}"/*
		[ $rc -ne 0 ] && [ $rc -ne 77 ] || rc=1
	fi
	took=$(awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }')
	n=$(grep -cE '^\[ +OK \]|^ok ' "$log")
	cases=$((cases + n))
	reason=$(grep -m1 -i 'skip' "$log" | tail -n 1)
	if [ $rc -eq 77 ] && [ -n "${NO_SKIP:-}" ] && grep -qE "$NO_SKIP" <<<"$name"; then
		echo "must not be skipped here" >>"$log"
		rc=1
	fi
	case $rc in
	0)
		passed=$((passed + 1))
		echo "ok    $name (${took}s, $n cases)"
		parts=$(sed -nE 's/^\[ +SKIPPED ] ([a-z0-9A-Z_]+)$/\1/p; s/^not tested(:|,) *//p' "$log" | sort -u)
		while [ -n "$parts" ] && read -r part; do
			echo "      not tested: $part"
			skips+=("a part of $name: $part")
		done <<<"$parts"
		;;
	77)
		skipped=$((skipped + 1))
		skips+=("$name: ${reason:-$(tail -n 1 "$log")}")
		echo "skip  $name: ${reason:-$(tail -n 1 "$log")}"
		;;
	*)
		failed=$((failed + 1))
		failures+=("$name")
		[ $rc -eq 124 ] && echo "ran over $timeout seconds" >>"$log"
		echo "FAIL  $name (exit status $rc, ${took}s); $log ends with:"
		tail -n 40 "$log" | sed 's/^/      /'
		;;
	esac
	[ $failed -eq 0 ] || [ -z "${FAIL_FAST:-}" ] || break
done
[ ${#skips[@]} -gt 0 ] && printf 'skipped: %s\n' "${skips[@]}"
[ ${#failures[@]} -gt 0 ] && printf 'failed: %s\n' "${failures[@]}"
echo "$cases cases"
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
