#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# pmemblk --wait: every command waits for a pool that is in use, without being busy, until the time
# has passed, a signal comes or the pool is free.
. "$(dirname "$0")/lib.sh"
command -v flock >/dev/null || skip "there is no flock(1)"
p=$work/pool
expect 0 create -b 4096 "$p"
head -c 10000 /dev/urandom >"$work/raw"

for bad in x '' -2 -1.5 1s 1. .5 2147484 2147483.648 99999999999999999999 ' 1' 0x1; do
	expect 2 check --wait="$bad" "$p"
	said "^pmemblk: --wait=$bad: wanted is seconds"
	expect 2 --wait="$bad" check "$p"
	said "^pmemblk: --wait=$bad: wanted is seconds"
done
expect 2 --wait=1
expect 2 --wait 1 check "$p"
for good in 0 0.5 0.9 9 9.9 10 90 2147483 2147483.647 -1 0.0001; do
	expect 0 check --wait=$good "$p"
	expect 0 --wait=$good check "$p"
	expect 0 check --wait $good "$p"
done
expect 0 --wait=1 help check
case_ok "--wait takes seconds, before and behind the command"

# All commands that lock a pool, in an order in which they can be run.
: >"$work/empty"
truncate -s 17M "$work/empty"
commands()
{
	"$1" check "$p"
	"$1" info "$p"
	"$1" info --map="$work/picture$2" "$p"
	"$1" dump -r 0 "$p"
	"$1" repair -n "$p"
	"$1" repair "$p"
	"$1" export "$p" "$work/copy$2"
	"$1" import "$work/raw" "$p"
	"$1" grow -n -s 90M "$p"
	"$1" grow -b "$work/undo$2" -s $((20 + 4 * $2))M "$p"
	"$1" create -b 4096 -s 0 "$work/empty"
}
exec 8>>"$work/empty"
in_use()
{
	exec 9<"$p"
	flock 9
	flock 8
	expect 3 "$@"
	said ' is locked: the pool is open'
	expect 3 "$@" --wait=0.05
	said ' is still locked after 50 ms: the pool is open'
	PMEMBLK_CONF=lock.wait=40 expect 3 "$@"
	said ' is still locked after 40 ms: the pool is open'
	PMEMBLK_CONF=lock.wait=-1 expect 3 "$@" --wait=0
	said ' is locked: the pool is open'
	flock -u 9
	flock -u 8
}
commands in_use 1
exec 9<"$p"
flock 9
for wait in 0.003:3 0.0129:12 0.02:20 0000.0170:17; do
	expect 3 check --wait="${wait%:*}" "$p"
	said " is still locked after ${wait#*:} ms: "
done
flock -u 9
case_ok "every command gives up after the time, by the option and by the setting"

freed()
{
	local pid rc=0
	exec 9<"$p"
	flock 9
	flock 8
	tool "$@" --wait=100 >"$work/out" 2>"$work/err" </dev/null 8<&- 9<&- &
	pid=$!
	flock -u 9
	flock -u 8
	wait $pid || rc=$?
	[ $rc = 0 ] || fail "pmemblk $*: exit status $rc when the pool was free"
}
commands freed 2
[ -s "$work/copy2" ] && [ -s "$work/picture2" ] || fail "a command has made no file"
expect 0 check "$work/empty"
case_ok "every command goes on when the pool is free"

# The files of a set are found also if the set file is locked for a moment.
printf 'PMEMPOOLSET\n9M %s\n9M %s\n' "$work/part0" "$work/part1" >"$work/set"
expect 0 create -b 4096 -s 0 "$work/set"
chmod 600 "$work/part0" "$work/part1"
chmod 644 "$work/set"
# meanwhile STATUS ARGS...: runs the tool while the set file is locked at first
meanwhile()
{
	local want=$1 pid rc=0
	shift
	exec 7<"$work/set"
	flock 7
	tool "$@" --wait=100 >"$work/out" 2>"$work/err" </dev/null 7<&- 8<&- 9<&- &
	pid=$!
	sleep 0.3
	flock -u 7
	wait $pid || rc=$?
	[ $rc = "$want" ] || fail "pmemblk $*: exit status $rc instead of $want"
}
(umask 022 && meanwhile 0 export "$work/set" "$work/private")
[ "$(stat -c %a "$work/private")" = 600 ] || fail "the copy has the mode $(stat -c %a "$work/private")"
meanwhile 3 import "$work/part1" "$work/set"
said "/part1 is the pool itself, or a file of it: "
expect 3 export --wait=0.01 "$work/absent" "$work/none"
said '^pmemblk: cannot find .*/absent: No such file or directory$'
case_ok "the copy of a set that had to be waited for is no more readable than its files"

# Ten processes wait at once, and all of them get the pool.
exec 9<"$p"
flock 9
pids=
for i in 1 2 3 4 5 6 7 8 9 10; do
	tool import --wait=100 --first=$((10 * i)) "$work/raw" "$p" >"$work/out.$i" 2>&1 8<&- 9<&- &
	pids="$pids $!"
done
flock -u 9
for pid in $pids; do
	wait "$pid" || fail "one of ten: $(cat "$work"/out.*)"
done
tool export "$p" - >"$work/all"
for i in 1 2 3 4 5 6 7 8 9 10; do
	tail -c +$((10 * i * 4096 + 1)) "$work/all" | cmp -n 10000 - "$work/raw" || fail "the import of $i"
done
case_ok "ten processes that wait all get the pool"

if command -v strace >/dev/null && strace true 2>/dev/null && [ -z "${RUNNER:-}${SAN:-}" ]; then
	flock 9
	strace -f -o "$work/trace" "$BUILD/bin/pmemblk" check --wait=1 "$p" 8<&- 9<&- >/dev/null 2>&1 || true
	flock -u 9
	n=$(grep -c 'flock(' "$work/trace")
	total=$(wc -l <"$work/trace")
	# Pauses of 5 to 20 ms, and some calls for each attempt.
	[ "$n" -ge 5 ] && [ "$n" -le 210 ] || fail "$n calls of flock in a second"
	[ "$total" -le 2500 ] || fail "$total system calls in a second"
	case_ok "a second's wait takes $n calls of flock, and $total in all"
else
	echo "not tested: the number of system calls, for plain variants where strace may trace"
fi
