#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# pmemblk(1): a sparse pool on a disk that is full: an import ends with the numbers of the blocks for
# which there is no space, and not by a signal; and info reads such a pool.
. "$(dirname "$0")/lib.sh"
[ -z "${RUNNER:-}" ] || skip "not under emulation: it has no signal for a lost page"
[ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null || skip "a small file system needs root and mount namespaces"

run()
{
	set -eu
	local rc=0
	mount -t tmpfs -o size=21M none "$1"
	head -c 1M /dev/zero >"$1/filler"
	truncate -s 40M "$1/pool"
	PMEMBLK_CONF='fallocate.at_create=0' "$BUILD/bin/pmemblk" create -b 4K -s 0 "$1/pool"
	"$BUILD/bin/pmemblk" import -f 100 "$2" "$1/pool" 2>"$2.err" || rc=$?
	[ "$rc" = 3 ] || exit "$((rc + 1))"
	"$BUILD/bin/pmemblk" info --json --stats "$1/pool" >"$2.json"
	"$BUILD/bin/pmemblk" info --map - "$1/pool" >/dev/null
	# On tmpfs reading a hole takes a page, too.
	rm "$1/filler"
	"$BUILD/bin/pmemblk" export "$1/pool" - >"$2.back"
	"$BUILD/bin/pmemblk" check "$1/pool"
	"$BUILD/bin/pmemblk" info "$1/pool" >/dev/null
}
export -f run
mkdir "$work/small"
head -c 30M /dev/urandom >"$work/raw"
rc=0
unshare -m bash -c 'run "$@"' - "$work/small" "$work/raw" >"$work/out" 2>"$work/err" || rc=$?
cat "$work/raw.err" >>"$work/err" 2>/dev/null || true
[ $rc = 0 ] || fail "exit status $rc"
said '^pmemblk: blocks [0-9]+ to [0-9]+: .*; its file has holes, and the file system is full$'
said '^pmemblk: [0-9]+ bytes were written, to blocks 100 to [0-9]+, and perhaps some behind them$'
read -r bytes last < <(sed -nE 's/.*: ([0-9]+) bytes .* to ([0-9]+), and.*/\1 \2/p' "$work/err")
failed=$(sed -nE 's/.*: blocks ([0-9]+) to .*: .*/\1/p' "$work/err")
[ "$bytes" -gt 8000000 ] && [ "$bytes" -lt 20971520 ] || fail "$bytes bytes were written on a disk of 20 MiB"
[ "$failed" = $((last + 1)) ] || fail "block $failed failed, the last one written is $last"
tail -c +409601 "$work/raw.back" | cmp -n "$bytes" - "$work/raw" || fail "what was written is not there"
printed ': consistent$'
case_ok "an import names the blocks that find no space, and what is before them is there"

cp "$work/raw.json" "$work/out"
count()
{
	sed -nE "s/^ *\"$1\": ([0-9]+),?\$/\1/p" "$work/out"
}
written=$((bytes / 4096))
[ "$(count data)" -ge $written ] || fail "$(count data) blocks of data, $written were written"
[ $(($(count data) + $(count never_written))) = 9965 ] || fail "not all blocks are counted"
printed '^}$'
case_ok "info counts the blocks of a sparse pool when there is no room for its holes"

# A mask is inherited: by the tool, and by the shell that runs it here.
blocked()
{
	set -eu
	local rc=0
	mount -t tmpfs -o size=21M none "$1"
	head -c 1M /dev/zero >"$1/filler"
	truncate -s 40M "$1/pool"
	PMEMBLK_CONF='fallocate.at_create=0' "$BUILD/bin/pmemblk" create -b 4K -s 0 "$1/pool"
	"$BUILD/bin/pmemblk" import "$2" "$1/pool" || rc=$?
	[ "$rc" = 3 ] || exit "$((rc + 1))"
	rc=0
	"$BUILD/bin/pmemblk" check "$1/pool" || rc=$?
	[ "$rc" -le 3 ] || exit "$rc"
}
export -f blocked
if ! env --block-signal=BUS true 2>/dev/null; then
	echo "skipped: a blocked SIGBUS: env knows no --block-signal"
	exit 0
fi
mkdir "$work/blocked"
rc=0
env --block-signal=BUS unshare -m bash -c 'blocked "$@"' - "$work/blocked" "$work/raw" \
	>"$work/out" 2>"$work/err" || rc=$?
[ $rc = 0 ] || fail "exit status $rc where the caller has blocked SIGBUS"
said 'the file system is full$'
case_ok "so it does where the caller has blocked SIGBUS"
