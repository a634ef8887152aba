# SPDX-License-Identifier: BSD-3-Clause
#
# What the tests of pmemblk(1) share; to be sourced. Besides what all scripts share it offers an
# empty folder $work that is removed at exit, and:
#   tool ARGS...            runs the tool of this build, which runs on the libraries of this build
#   expect STATUS ARGS...   runs the tool and fails unless it exits with STATUS; what it printed
#                           is in $work/out and $work/err
#   said PATTERN            fails unless stderr matches (grep -E); printed PATTERN: stdout
#   fail TEXT               also shows what the tool printed last
. "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

fail()
{
	echo "not ok: $*"
	[ ! -f "$work/err" ] || sed 's/^/  stderr: /' "$work/err"
	[ ! -f "$work/out" ] || head -n 20 "$work/out" | sed 's/^/  stdout: /'
	exit 1
}

[ -e /proc/self/exe ] || skip "without /proc the loader does not find the libraries beside the tool"

# Import syncs every block, which takes minutes on a disk.
[ -w "${TEST_SHM:-/dev/shm}" ] && TMPDIR=${TEST_SHM:-/dev/shm}
work=$(mktemp -d "${TMPDIR:-/tmp}/pmemtool.XXXXXX")
# Some tests take the right to write away.
trap 'chmod -R u+w "$work" 2>/dev/null; rm -rf "$work"' EXIT

tool()
{
	${RUNNER:-} "$BUILD/bin/pmemblk" "$@"
}

expect()
{
	local want=$1 rc=0
	shift
	tool "$@" >"$work/out" 2>"$work/err" </dev/null || rc=$?
	[ $rc = "$want" ] || fail "pmemblk $*: exit status $rc instead of $want"
}

said()
{
	grep -qE -- "$1" "$work/err" || fail "the message has no '$1'"
}

printed()
{
	grep -qE -- "$1" "$work/out" || fail "the output has no '$1'"
}
