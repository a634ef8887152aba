#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# pmemblk(1): what Ctrl-C, TERM and HUP leave behind. The process sends itself the signal in the
# middle of its work (shim.c), so that nothing depends on time.
. "$(dirname "$0")/lib.sh"
[ -z "${RUNNER:-}${SAN:-}" ] || skip "for plain variants of this CPU only: a library is preloaded"
env --default-signal=INT true 2>/dev/null || skip "env knows no --default-signal"
$CC -std=c11 -D_GNU_SOURCE -shared -fPIC -o "$work/shim.so" "$(dirname "$0")/shim.c" -ldl

# interrupted SIGNAL CALL COUNT ARGS...: the tool dies from the signal.
interrupted()
{
	local signal=$1 call=$2 count=$3 rc=0
	shift 3
	# The shell also reports which signal has killed the process.
	{ (exec env --default-signal=INT,TERM,HUP LD_PRELOAD="$work/shim.so" INTERRUPT_CALL="$call" \
		INTERRUPT_COUNT="$count" INTERRUPT_SIGNAL="$signal" \
		"$BUILD/bin/pmemblk" "$@") >"$work/out" 2>"$work/err" || rc=$?; } 2>"$work/shell"
	[ $rc = $((128 + signal)) ] || fail "pmemblk $*: exit status $rc after signal $signal at $call $count"
}

absent()
{
	[ ! -e "$1" ] || fail "$1 was left: $(stat -c '%a %s' "$1")"
}

p=$work/pool
for signal in 2 15 1; do
	interrupted $signal posix_fallocate 1 create -b 512 "$p"
	absent "$p"
	interrupted $signal fchmod 1 create -b 512 -m 640 "$p"
	absent "$p"
	interrupted $signal msync 1 create -b 512 "$p"
	absent "$p"
done
interrupted 2 msync 5 create -b 512 -w "$p"
absent "$p"
printf 'PMEMPOOLSET\n9M %s\n9M %s\n' "$work/part0" "$work/part1" >"$work/set"
interrupted 15 posix_fallocate 2 create -b 512 -s 0 "$work/set"
absent "$work/part0"
absent "$work/part1"
[ -e "$work/set" ] || fail "the set file was removed"
expect 0 create -b 512 -s 0 "$work/set"
expect 0 create -b 512 "$p"
case_ok "create removes what it made, and can be repeated"

# Somebody puts another file in the place of the new pool, with the same mode and owner.
rm "$p"
printf other >"$work/other"
chmod 644 "$work/other"
INTERRUPT_RENAME=$work/other INTERRUPT_TO=$p interrupted 2 msync 5 create -b 512 -w "$p"
[ "$(cat "$p")" = other ] || fail "the file of somebody else was removed"
rm "$p"
expect 0 create -b 512 "$p"
case_ok "create removes no file that has taken the place of its own"

# Create keeps files that were there before, and finishes its work on them.
rm "$work/part0" "$work/part1"
truncate -s 9M "$work/part0"
interrupted 15 posix_fallocate 1 create -b 512 -s 0 "$work/set"
said 'that was finished first$'
expect 0 check "$work/set"
expect 0 info "$work/set"
rm "$work/part1"
mv "$work/part0" "$work/part1"
truncate -s 0 "$work/part1" # no pool any more
truncate -s 9M "$work/part1"
chmod 644 "$work/part1"
interrupted 15 posix_fallocate 1 create -b 512 -s 0 "$work/set"
said 'that was finished first$'
expect 0 check "$work/set"
case_ok "create removes nothing that was there before"

for signal in 2 15 1; do
	interrupted $signal msync 1 bench -b 4K -s 17M -n 100 "$work/bench"
	absent "$work/bench"
	interrupted $signal msync 100 bench -b 4K -s 17M -n 100 -t 3 "$work/bench"
	absent "$work/bench"
done
# If another file has taken its place, that one stays.
printf other >"$work/other"
chmod 600 "$work/other"
INTERRUPT_RENAME=$work/other INTERRUPT_TO=$work/bench interrupted 2 msync 100 bench -b 4K -s 17M -n 100 "$work/bench"
[ "$(cat "$work/bench")" = other ] || fail "the file of somebody else was removed"
rm "$work/bench"
# Somebody has moved it away.
INTERRUPT_RENAME=$work/bench INTERRUPT_TO=$work/moved INTERRUPT_CALL=msync INTERRUPT_COUNT=100 INTERRUPT_SIGNAL=0 \
	LD_PRELOAD=$work/shim.so expect 3 bench -b 4K -s 17M -n 100 "$work/bench"
said "^pmemblk: cannot remove $work/bench: No such file or directory\$"
printed '^random read '
rm "$work/moved"
interrupted 2 msync 100 bench --keep -b 4K -s 17M -n 100 "$work/bench"
[ -e "$work/bench" ] || fail "bench --keep does not keep"
case_ok "bench removes its pool"

head -c 8000000 /dev/urandom >"$work/raw"
expect 0 import "$work/raw" "$p"
for signal in 2 15 1; do
	interrupted $signal write 1 export "$p" "$work/copy"
	absent "$work/copy"
	interrupted $signal write 50 export "$p" "$work/copy"
	absent "$work/copy"
done
# Somebody has renamed it: then it is empty, whoever is writing at the moment.
for signal in 2 15 1; do
	for call in 'write 1' 'write 50' 'fsync 1'; do
		# shellcheck disable=SC2086
		INTERRUPT_RENAME=$work/copy INTERRUPT_TO=$work/moved interrupted $signal $call export "$p" "$work/copy"
		[ -e "$work/moved" ] && [ ! -s "$work/moved" ] || fail "a part of a copy was left: $(stat -c %s "$work/moved")"
		said "^pmemblk: interrupted: cannot remove $work/copy: No such file or directory; it is left empty\$"
		rm "$work/moved"
	done
done
# The first lock is taken on the pool, the second one on the new file.
interrupted 2 flock 2 export "$p" "$work/copy"
absent "$work/copy"
cp "$p" "$work/damaged"
offset()
{
	sed -nE "s/^ *\"$1\": ([0-9]+),?\$/\1/p" "$work/out"
}
expect 0 info --json "$p"
map=$(($(offset offset) + $(offset map_offset) + 8)) # the entry of block 2
printf '\0\0\0\x40' | dd of="$work/damaged" bs=1 seek=$map conv=notrunc status=none
expect 1 export "$work/damaged" "$work/copy"
said 'block 2: .*marked as bad$'
interrupted 2 unlink 1 export "$work/damaged" "$work/copy"
absent "$work/copy"
printf old >"$work/copy"
interrupted 2 write 50 export --force "$p" "$work/copy"
emptied()
{
	[ -e "$1" ] || fail "a file that was there before was removed"
	[ ! -s "$1" ] || fail "a part of the copy was left in a file that was there before: $(stat -c %s "$1")"
	said "^pmemblk: interrupted: $2, which existed before, is left empty\$"
	[ "$(wc -l <"$work/err")" = 1 ] || fail "more than a message"
}
emptied "$work/copy" "$work/copy"
for signal in 2 15 1; do
	# The signal comes during the copy, or when all was written.
	for call in 'write 1' 'write 50' 'fsync 1'; do
		printf old >"$work/copy"
		# shellcheck disable=SC2086
		interrupted $signal $call export --force "$p" "$work/copy"
		emptied "$work/copy" "$work/copy"
	done
	printf old >"$work/copy"
	interrupted $signal fsync 1 info --force --map="$work/copy" "$p"
	emptied "$work/copy" "$work/copy"
done
# A file that got the name meanwhile belongs to somebody else. This tests only that a link stays.
ln -s "$work/real" "$work/link"
: >"$work/real"
interrupted 2 write 50 export --force "$p" "$work/link"
[ -L "$work/link" ] && [ -e "$work/real" ] || fail "a link, or what it leads to, was removed"
emptied "$work/real" "$work/link"
expect 0 check "$p"
case_ok "export removes its partial file, and no other"

# A grow that has changed nothing yet leaves the pool, and its length, as it was; otherwise it finishes.
cp "$p" "$work/before"
for signal in 2 15 1; do
	for call in 'posix_fallocate 1' 'msync 1'; do
		# shellcheck disable=SC2086
		interrupted $signal $call grow -s 64M "$p"
		said '^pmemblk: .*: interrupted$'
		[ "$(wc -l <"$work/err")" = 1 ] || fail "interrupted at $call: more than that is said"
		cmp "$p" "$work/before" || fail "interrupted at $call: the pool is not what it was"
		absent "$p.undo"
	done
	interrupted $signal msync 5 grow -s 64M "$p"
	printed ': 67108864 bytes, [0-9]+ blocks instead of [0-9]+$'
	said 'that was finished first$'
	expect 0 check "$p"
	interrupted $signal msync 1 grow -u "$p.undo" "$p"
	printed ': as it was before it grew, [0-9]+ bytes$'
	said 'that was finished first$'
	cmp "$p" "$work/before" || fail "interrupted: the undo is not complete"
	rm "$p.undo"
	rm -f "$work/empty"
	expect 0 create -b 512 "$work/empty"
	interrupted $signal fsync 1 grow -s 64M "$work/empty"
	printed '; nothing was ever written to it$'
	said 'that was finished first$'
	expect 0 check "$work/empty"
done
case_ok "grow leaves the pool as it was, or grown"

# The process is killed right after it has locked the pool, after it has cleared the old copy of the info
# block, or when all but the unlocking is done.
for count in 4 5 6; do
	interrupted 9 msync $count grow -s 64M "$p"
	for command in check 'grow -s 64M' 'repair -n' "import $work/raw" dump; do
		status=3
		case $count$command in 6[cgr]*) status=1 ;; esac
		# shellcheck disable=SC2086
		expect $status $command "$p"
		[ "$count$command" = '6repair -n' ] ||
			said 'was interrupted when it grew; pmemblk grow --undo=BACKUP takes that back$'
	done
	cp "$p" "$work/locked"
	expect 0 grow -u "$p.undo" "$p"
	cmp "$p" "$work/before" || fail "a locked pool that was taken back"
	rm "$p.undo"
done
expect 0 repair "$work/locked"
printed 'the pool is locked, .* it is unlocked$'
expect 0 check "$work/locked"
rm "$work/locked"
case_ok "a locked pool is refused by every command, and taken back"

# All blocks that import has counted are in the pool. The first few syncs belong to the open.
for count in 30 60 300; do
	rm -f "$p"
	expect 0 create -b 512 "$p"
	interrupted 2 msync $count import -f 3 "$work/raw" "$p"
	said '^pmemblk: interrupted: [0-9]+ bytes were written, to blocks 3 to [0-9]+$'
	read -r bytes last < <(sed -E 's/.*: ([0-9]+) bytes .* to ([0-9]+)$/\1 \2/' "$work/err")
	[ $((bytes % 512)) = 0 ] && [ "$last" = $((3 + bytes / 512 - 1)) ] || fail "$bytes bytes up to block $last"
	[ "$bytes" -lt 8000000 ] || fail "all was written"
	expect 0 check "$p"
	tool export "$p" - | tail -c +$((3 * 512 + 1)) | cmp -n "$bytes" - "$work/raw" || fail "what was written"
done
interrupted 15 poll 1 import "$work/raw" "$p"
said '^pmemblk: interrupted: nothing was written$'
mkfifo "$work/fifo"
exec 8<>"$work/fifo"
head -c 40000 "$work/raw" >&8
interrupted 1 poll 3 import - "$p" <"$work/fifo"
said '^pmemblk: interrupted: 39936 bytes were written, to blocks 0 to 77$'
exec 8>&-
expect 0 check "$p"
expect 0 info "$p"
printed '^open_or_interrupted: no$'
case_ok "import says how far it came, also when it waits for input"

# A repair that has begun is finished, with its backup, and so is an undo.
for signal in 2 15 1; do
	for call in "posix_fallocate 1" "msync 1" "msync 2"; do
		rm -f "$work/damaged"*
		cp "$p" "$work/damaged"
		printf '\377\377\377\377' | dd of="$work/damaged" bs=1 seek=$map conv=notrunc status=none
		cp "$work/damaged" "$work/before"
		interrupted $signal $call repair "$work/damaged"
		said '^pmemblk: the signal came when the pool was being changed: that was finished first$'
		printed '^block 2: its map entry 0xffffffff'
		printed ': repaired; '
		expect 0 check "$work/damaged"
		interrupted $signal $call repair -u "$work/damaged.undo" "$work/damaged"
		said '^pmemblk: the signal came when the pool was being changed: that was finished first$'
		cmp "$work/damaged" "$work/before" || fail "the undo"
	done
done
case_ok "repair finishes what it has begun"

# The reader of the output is gone: the repair is made all the same, and the lost output is an error.
rm "$work/damaged.undo"
mkfifo "$work/pipe"
exec 7<>"$work/pipe" 8>"$work/pipe" 7>&-
rc=0
(trap - PIPE; tool repair "$work/damaged" >&8 2>"$work/err") || rc=$?
exec 8>&-
[ "$rc" = 3 ] || fail "exit status $rc after a repair without a reader"
said 'cannot write to the standard output'
expect 0 check "$work/damaged"
case_ok "repair does not depend on who reads what it says"

(exec env --ignore-signal=HUP LD_PRELOAD="$work/shim.so" INTERRUPT_CALL=msync INTERRUPT_COUNT=5 INTERRUPT_SIGNAL=1 \
	"$BUILD/bin/pmemblk" import "$work/raw" "$p") >"$work/out" 2>"$work/err" || fail "an ignored signal"
printed '^8000000 bytes'
(exec env --ignore-signal=HUP LD_PRELOAD="$work/shim.so" INTERRUPT_CALL=write INTERRUPT_COUNT=5 INTERRUPT_SIGNAL=1 \
	"$BUILD/bin/pmemblk" export "$p" "$work/nohup") >"$work/out" 2>"$work/err" || fail "an ignored signal"
case_ok "what the caller ignores stays ignored"

# A signal ends the wait for a pool in use, also where signals are held back because files exist already.
exec 9<"$p"
flock 9
for signal in 2 15 1; do
	for count in 2 3; do
		interrupted $signal flock $count check --wait=-1 "$p"
		interrupted $signal flock $count info --wait=-1 "$p"
		interrupted $signal flock $count import --wait=-1 "$work/raw" "$p"
		interrupted $signal flock $count create -b 512 -s 0 --wait=-1 "$p"
		said 'the wait for .*/pool, which is locked, has ended: Interrupted system call$'
	done
done
flock -u 9
expect 0 check "$p"
case_ok "a wait ends by the signal"
