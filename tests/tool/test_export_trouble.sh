#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# pmemblk(1): copies and pictures when something fails or changes meanwhile: a sync, a signal, a pool
# that is replaced during the wait for it. A preloaded library (shim.c) brings it about.
. "$(dirname "$0")/lib.sh"
[ -z "${RUNNER:-}${SAN:-}" ] || skip "for plain variants of this CPU only: a library is preloaded"
$CC -std=c11 -D_GNU_SOURCE -shared -fPIC -o "$work/shim.so" "$(dirname "$0")/shim.c" -ldl
export LD_PRELOAD=$work/shim.so
p=$work/pool
umask 022
expect 0 create -b 4K -s 20M "$p"
head -c 3000000 /dev/urandom >"$work/raw"
expect 0 import "$work/raw" "$p"
expect 0 export "$p" "$work/all"

# EROFS is what ext4 says after it has aborted its journal. Pipes and devices cannot be synced.
for error in 30:'Read-only file system' 22:'Invalid argument' 95:'Operation not supported' 5:'Input/output error'; do
	export FAIL_FSYNC=${error%%:*}
	expect 3 export "$p" "$work/copy"
	said "^pmemblk: cannot write to $work/copy: ${error#*:}\$"
	[ ! -e "$work/copy" ] || fail "a copy that is not durable was left"
	expect 3 info --map="$work/copy" "$p"
	said "^pmemblk: cannot write to $work/copy: ${error#*:}\$"
	[ ! -e "$work/copy" ] || fail "a picture that is not durable was left"
	tool export "$p" - >"$work/copy" 2>"$work/err" && fail "a standard output that cannot be synced"
	said "^pmemblk: cannot write to the standard output: ${error#*:}\$"
	rm "$work/copy"
	[ "$FAIL_FSYNC" = 5 ] && continue
	tool export "$p" - | cmp - "$work/all" || fail "a pipe"
	expect 0 export "$p" /dev/null
done
unset FAIL_FSYNC
case_ok "a copy that a failed sync has lost is an error, whatever the error is"

# The name of a new file is made durable, too.
export COUNT_FOLDER_SYNC=$work/syncs
mkdir "$work/folder"
real=$(realpath "$work") # as the kernel names it
for c in "export $p" "info $p --map"; do
	for name in copy ./copy folder/copy "$work/copy" "$work/folder/copy"; do
		rm -f "$work/syncs"
		# shellcheck disable=SC2086
		(cd "$work" && expect 0 $c "$name") || exit 1
		folder=$real
		[[ "$name" = *folder/* ]] && folder=$real/folder
		[ "$(cat "$work/syncs")" = "fsync $folder" ] || fail "$c $name: $(cat "$work/syncs")"
		rm -f "$work/copy" "$work/folder/copy"
	done
	for error in 22 95; do
		rm -f "$work/syncs"
		# shellcheck disable=SC2086
		FAIL_FOLDER_FSYNC=$error FAIL_SYNCFS=0 expect 0 $c "$work/copy"
		printf 'fsync %s\nsyncfs %s/copy\n' "$real" "$real" | cmp - "$work/syncs" || fail "the file system is not synced"
		rm "$work/copy"
		# shellcheck disable=SC2086
		FAIL_FOLDER_FSYNC=$error FAIL_SYNCFS=5 expect 3 $c "$work/copy"
		said "^pmemblk: cannot write to $work/copy: Input/output error\$"
		[ ! -e "$work/copy" ] || fail "a file whose name is not durable was left"
	done
	for error in 5:'Input/output error' 30:'Read-only file system'; do
		# shellcheck disable=SC2086
		FAIL_FOLDER_FSYNC=${error%%:*} expect 3 $c "$work/copy"
		said "^pmemblk: cannot write to $work/copy: ${error#*:}\$"
		[ ! -e "$work/copy" ] || fail "a file whose name is not durable was left"
	done
	# One that exists has a name already. Pipes have none.
	rm "$work/syncs"
	: >"$work/copy"
	# shellcheck disable=SC2086
	expect 0 $c "$work/copy" --force
	# shellcheck disable=SC2086
	tool $c - | cat >"$work/out"
	[ ! -e "$work/syncs" ] || fail "$c: $(cat "$work/syncs")"
	rm "$work/copy"
done
unset COUNT_FOLDER_SYNC
case_ok "the name of a new file is durable"

# A part of a copy that cannot be removed, or was renamed, is left empty.
left_empty()
{
	[ -e "$1" ] && [ ! -s "$1" ] || fail "a part of a copy was left: $(stat -c %s "$1")"
	said "^pmemblk: cannot remove $work/copy: $2; it is left empty\$"
	[ "$(wc -l <"$work/err")" = 2 ] || fail "other messages"
	rm "$1"
}
for c in "export $p $work/copy" "info --map=$work/copy $p"; do
	# shellcheck disable=SC2086
	FAIL_FSYNC=5 FAIL_UNLINK=1 expect 3 $c
	left_empty "$work/copy" 'Operation not permitted'
	export INTERRUPT_CALL=fsync INTERRUPT_COUNT=1 INTERRUPT_SIGNAL=0 INTERRUPT_RENAME=$work/copy INTERRUPT_TO=$work/moved
	# shellcheck disable=SC2086
	FAIL_FSYNC=5 expect 3 $c
	left_empty "$work/moved" 'No such file or directory'
	# Somebody else's file takes the place, and nothing is left of the copy.
	echo other >"$work/other"
	export INTERRUPT_RENAME=$work/other INTERRUPT_TO=$work/copy
	# shellcheck disable=SC2086
	FAIL_FSYNC=5 expect 3 $c
	[ "$(cat "$work/copy")" = other ] || fail "another file was removed or emptied"
	[ "$(wc -l <"$work/err")" = 1 ] || fail "a message about a file that is removed already"
	rm "$work/copy"
	unset INTERRUPT_CALL INTERRUPT_COUNT INTERRUPT_SIGNAL INTERRUPT_RENAME INTERRUPT_TO
done
case_ok "no part of a copy is left that cannot be removed"

# --- a wait --------------------------------------------------------------------------------------

command -v flock >/dev/null || skip "there is no flock(1)"
# replaced FROM TO STATUS ARGS...: TO is locked, or one of its parts; while the tool waits for it, FROM
# gets its name.
replaced()
{
	local want=$3 rc=0
	export INTERRUPT_RENAME=$1 INTERRUPT_TO=$2
	shift 3
	flock 9
	INTERRUPT_CALL=flock INTERRUPT_COUNT=7 INTERRUPT_SIGNAL=0 tool "$@" --wait=100 >"$work/out" 2>"$work/err" 9<&- || rc=$?
	flock -u 9
	[ $rc = "$want" ] || fail "pmemblk $*: exit status $rc instead of $want"
	[ ! -e "$INTERRUPT_RENAME" ] || fail "pmemblk $*: there was no wait"
}
# A set that everybody may read, and private copies of its second part and of the whole set.
renew()
{
	rm -f "$work"/set* "$work"/part* "$work"/secret*
	printf 'PMEMPOOLSET\n9M %s\n9M %s\n' "$work/part0" "$work/part1" >"$work/set"
	expect 0 create -b 4K -s 0 "$work/set"
	chmod 644 "$work/part0" "$work/part1"
	cp "$work/part0" "$work/secret0"
	cp "$work/part1" "$work/secret1"
	cp "$work/part1" "$work/secret"
	ln "$work/secret" "$work/secret.link"
	chmod 600 "$work/secret0" "$work/secret1" "$work/secret"
	printf 'PMEMPOOLSET\n9M %s\n9M %s\n' "$work/secret0" "$work/secret1" >"$work/set.new"
	exec 9<"$work/part1"
}
# mode_is WANTED
mode_is()
{
	[ "$(stat -c %a "$work/copy")" = "$1" ] || fail "the copy has the mode $(stat -c %a "$work/copy")"
	rm "$work/copy"
}
for c in "export $work/set $work/copy" "info --map=$work/copy $work/set"; do
	renew
	# shellcheck disable=SC2086
	expect 0 $c
	mode_is 644
	# shellcheck disable=SC2086
	replaced "$work/secret" "$work/part1" 0 $c
	mode_is 600
	renew
	# shellcheck disable=SC2086
	replaced "$work/set.new" "$work/set" 0 $c
	mode_is 600
done
case_ok "the copy is no more readable than the files that a wait has brought"

for c in "export -f $work/set $work/secret.link" "info -f --map=$work/secret.link $work/set" \
	"import $work/secret.link $work/set"; do
	renew
	sum=$(tail -c +4097 "$work/secret" | sha256sum)
	# shellcheck disable=SC2086
	replaced "$work/secret" "$work/part1" 3 $c
	said "^pmemblk: $work/secret.link is the pool itself, or a file of it"
	renew
	# shellcheck disable=SC2086
	replaced "$work/set.new" "$work/set" 3 ${c//secret.link/secret1}
	said "^pmemblk: $work/secret1 is the pool itself, or a file of it"
	# An open for writing changes headers.
	[ "$(tail -c +4097 "$work/secret1" | sha256sum)" = "$sum" ] || fail "a part was changed"
done
case_ok "the files that a wait has brought are not overwritten"
