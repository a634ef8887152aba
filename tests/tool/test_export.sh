#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# pmemblk(1): what export writes to, what it never writes to, and who may read the copy.
. "$(dirname "$0")/lib.sh"
p=$work/pool
umask 022
expect 0 create -b 4K -s 20M "$p"
head -c 3000000 /dev/urandom >"$work/raw"
expect 0 import "$work/raw" "$p"
expect 0 export "$p" "$work/all"
sum=$(sha256sum <"$p")

same()
{
	cmp "$work/all" "$1" || fail "$1 is no copy of the pool"
}

expect 0 export "$p" /dev/null
tool export "$p" /dev/stdout | cmp - "$work/all" || fail "/dev/stdout as a pipe"
tool export "$p" /dev/stdout >"$work/out1" || fail "/dev/stdout as a file"
same "$work/out1"
printf before >"$work/out2"
tool export "$p" /dev/stdout >>"$work/out2" || fail "/dev/stdout at the end of a file"
{ printf before; cat "$work/all"; } | cmp - "$work/out2" || fail "/dev/stdout emptied the file"
printf before >"$work/out2"
tool export "$p" - >>"$work/out2" || fail "- at the end of a file"
{ printf before; cat "$work/all"; } | cmp - "$work/out2" || fail "- emptied the file"
tool export "$p" /dev/fd/7 7>"$work/out3" || fail "/dev/fd/7"
same "$work/out3"
tool export "$p" /dev/fd/12 12>"$work/out3" || fail "/dev/fd/12"
same "$work/out3"
tool export "$p" /proc/self/fd/7 7>"$work/out3" || fail "/proc/self/fd/7"
same "$work/out3"
printf before >"$work/out3"
tool export "$p" /dev/fd/7 7>>"$work/out3" || fail "/dev/fd/7 at the end of a file"
{ printf before; cat "$work/all"; } | cmp - "$work/out3" || fail "/dev/fd/7 emptied the file"
printf before >"$work/out3"
tool export "$p" /dev/stderr 2>>"$work/out3" || fail "/dev/stderr"
{ printf before; cat "$work/all"; } | cmp - "$work/out3" || fail "/dev/stderr emptied the file"
# Only a number names a descriptor.
for name in /dev/fd/ /dev/fd/7x /dev/fd/-1 /dev/fd/4294967303 '/dev/fd/ 7' /dev/fd/+7 '/proc/self/fd/ 7'; do
	tool export "$p" "$name" 7>"$work/out3" >"$work/out" 2>"$work/err" && fail "$name"
	said "^pmemblk: cannot (open|write to) ${name/+/[+]}: "
	[ ! -s "$work/out3" ] || fail "$name is descriptor 7"
done
(cd "$work" && expect 0 export "$p" dev_fd_7) 7>"$work/out3"
same "$work/dev_fd_7"
mkfifo "$work/fifo"
cat "$work/fifo" >"$work/out4" &
expect 0 export "$p" "$work/fifo"
wait $!
same "$work/out4"
[ -p "$work/fifo" ] || fail "the fifo was replaced"
tool export "$p" >(cat >"$work/out5"; echo done >"$work/done") || fail "a process substitution"
until [ -s "$work/done" ]; do sleep 0.01; done
same "$work/out5"
# The number of a closed descriptor is also that of the next file that is opened.
for n in 3 4 5 6 7 8 9; do
	for c in "export $p /dev/fd/$n" "info --map=/dev/fd/$n $p" "import /dev/fd/$n $p"; do
		# shellcheck disable=SC2086
		tool $c >"$work/out" 2>"$work/err" 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- && fail "$c: a closed descriptor"
		said "^pmemblk: cannot open /dev/fd/$n: Bad file descriptor\$"
		[ "$(wc -l <"$work/err")" = 1 ] || fail "more than a message"
	done
done
[ "$(sha256sum <"$p")" = "$sum" ] || fail "the pool was changed"
if [ -w /dev/full ]; then
	expect 3 export "$p" /dev/full
	said 'cannot write to /dev/full: No space left on device'
	tool export "$p" - >/dev/full 2>"$work/err" && fail "a full standard output"
	said 'cannot write to the standard output: No space left on device'
fi
(ulimit -f 1024 && tool export "$p" "$work/limited" 2>"$work/err") && fail "a file longer than the limit"
said '/limited: File too large'
[ ! -e "$work/limited" ] || fail "a copy up to the limit was left"
case_ok "pipes, devices and open descriptors need no --force"

cp "$p" "$work/damaged"
expect 0 info --json "$p"
offset()
{
	sed -nE "s/^ *\"$1\": ([0-9]+),?\$/\1/p" "$work/out"
}
map=$(($(offset offset) + $(offset map_offset)))
printf '\0\0\0\x40' | dd of="$work/damaged" bs=1 seek=$((map + 8)) conv=notrunc status=none
expect 1 export -e "$work/damaged" "$work/skipped"
said 'block 2: .*marked as bad$'
n=0
for closed in '2>&-' '>&- 2>&-' '<&- >&- 2>&-'; do
	eval "tool export -e '$work/damaged' '$work/closed$n' $closed" && fail "$closed: a bad block"
	cmp "$work/skipped" "$work/closed$n" || fail "$closed: a message was written into the copy"
	n=$((n + 1))
done
tool export "$p" - >&- 2>"$work/err" && fail "a closed standard output"
said 'cannot write to the standard output: Bad file descriptor'
tool import - "$p" <&- 2>"$work/err" && fail "a closed standard input"
said 'cannot read the standard input: Bad file descriptor'
case_ok "no message gets into the copy where standard streams are closed"

expect 3 export "$p" "$work/all"
said 'all: File exists \(--force overwrites it\)$'
echo long enough to be seen >"$work/old"
expect 0 export -f "$p" "$work/old"
same "$work/old"
expect 3 export "$p" "$work"
said 'Is a directory'
expect 3 export -f "$p" "$work"
case_ok "a regular file needs --force"

is_empty()
{
	[ -e "$work/old" ] && [ ! -s "$work/old" ] || fail "an existing file after an error: $(stat -c %s "$work/old")"
	said "^pmemblk: $work/old, which existed before, is left empty\$"
}
echo old >"$work/old"
expect 1 export -f "$work/damaged" "$work/old"
said 'block 2: .*marked as bad$'
is_empty
echo old >"$work/old"
(ulimit -f 1024 && tool export -f "$p" "$work/old" 2>"$work/err") && fail "a file longer than the limit"
said '/old: File too large'
is_empty
# What is refused is not changed.
echo old >"$work/old"
expect 3 export -f "$work/absent" "$work/old"
(
	flock -x 9
	expect 3 export -f "$p" "$work/old"
) 9<"$work/old" || exit 1
[ "$(cat "$work/old")" = old ] || fail "a file that was not written to was changed"
case_ok "after an error an existing file is empty"

# --- the pool itself ------------------------------------------------------------------------------

printf 'PMEMPOOLSET\n9M %s\n9M %s\n' "$work/part0" "$work/part1" >"$work/set"
expect 0 create -b 512 -s 0 "$work/set"
cat "$work/set" "$work/part0" "$work/part1" >"$work/before"
ln -s set "$work/symlink"
ln "$work/part1" "$work/hardlink"
ln -s pool "$work/poollink"
for force in "" --force; do
	for name in "$p" "$work/poollink"; do
		# shellcheck disable=SC2086
		expect 3 export $force "$p" "$name"
		said "^pmemblk: $name is the pool itself, or a file of it: $p is not copied into itself\$"
	done
	for name in set part0 part1 symlink hardlink; do
		# shellcheck disable=SC2086
		expect 3 export $force "$work/set" "$work/$name"
		said "/$name is the pool itself"
	done
done
tool export "$work/set" - 2>"$work/err" >>"$work/set" && fail "the set file as standard output"
said 'standard output is the pool itself'
tool export "$work/set" /dev/fd/7 2>"$work/err" 7>>"$work/part1" && fail "a part as a descriptor"
said '/dev/fd/7 is the pool itself'
cat "$work/set" "$work/part0" "$work/part1" | cmp - "$work/before" || fail "a file of the set was changed"
# Another pool that is open.
(
	flock -x 9
	expect 3 export -f "$p" "$work/part0"
	said 'part0: it is locked'
) 9<"$work/part0" || exit 1
cat "$work/set" "$work/part0" "$work/part1" | cmp - "$work/before" || fail "another pool was changed"
[ "$(sha256sum <"$p")" = "$sum" ] || fail "the pool was changed"
case_ok "no file of the pool is overwritten, by whatever name"

# A program that runs cannot be written to. It is called what it is.
cp "$(command -v cat)" "$work/running"
coproc RUNNING { exec "$work/running"; }
if echo line 2>/dev/null >&"${RUNNING[1]}" && read -r _ <&"${RUNNING[0]}"; then
	for c in "export -f $p $work/running" "info -f -m $work/running $p"; do
		# shellcheck disable=SC2086
		expect 3 $c
		said "^pmemblk: cannot open $work/running: Text file busy\$"
	done
	kill "$RUNNING_PID"
	case_ok "a running program is not called a file of the pool"
else
	echo "not tested: no program runs from $work"
fi

# --- who may read the copy ------------------------------------------------------------------------

# MODE UMASK WANTED
while read -r mode mask wanted; do
	chmod "$mode" "$p"
	rm -f "$work/copy"
	(umask "$mask" && tool export "$p" "$work/copy") || fail "export of a pool of mode $mode"
	[ "$(stat -c %a "$work/copy")" = "$wanted" ] || fail "$mode, umask $mask: $(stat -c %a "$work/copy") instead of $wanted"
done <<-END
	600 022 600
	644 022 644
	640 000 640
	604 000 604
	666 022 644
	666 000 666
	755 000 644
	644 077 600
	400 022 400
END
chmod 600 "$p"
printf old >"$work/open"
chmod 644 "$work/open"
expect 0 export -f "$p" "$work/open"
[ "$(stat -c %a "$work/open")" = 644 ] || fail "the mode of a file that existed"
chmod 640 "$work/part0"
chmod 604 "$work/part1"
(umask 0 && tool export "$work/set" "$work/setcopy") || fail "export of the set"
[ "$(stat -c %a "$work/setcopy")" = 600 ] || fail "a set: $(stat -c %a "$work/setcopy")"
if [ "$(id -u)" = 0 ]; then
	chgrp 1 "$p"
	chmod 640 "$p"
	rm "$work/copy"
	(umask 0 && tool export "$p" "$work/copy") || fail "export of another group's pool"
	[ "$(stat -c %a:%g "$work/copy")" = 600:0 ] || fail "another group: $(stat -c %a:%g "$work/copy")"
	chmod 666 "$work/part0" "$work/part1"
	chgrp 1 "$work/part1"
	rm "$work/setcopy"
	(umask 0 && tool export "$work/set" "$work/setcopy") || fail "export of a set of two groups"
	[ "$(stat -c %a "$work/setcopy")" = 606 ] || fail "two groups: $(stat -c %a "$work/setcopy")"
	# Members of a part's group may not read the part, even if others may.
	chmod 604 "$work/part0"
	rm "$work/setcopy"
	(umask 0 && tool export "$work/set" "$work/setcopy") || fail "export of a set of two groups"
	[ "$(stat -c %a "$work/setcopy")" = 600 ] || fail "a group is shut out: $(stat -c %a "$work/setcopy")"
	chmod 604 "$p"
	rm "$work/copy"
	(umask 0 && tool export "$p" "$work/copy") || fail "export of another group's pool"
	[ "$(stat -c %a "$work/copy")" = 600 ] || fail "the group is shut out: $(stat -c %a "$work/copy")"
fi
case_ok "the copy is no more readable than the pool"

# acl FILE access|default TAG:PERMISSIONS:ID... as the kernel has them in the attribute.
acl()
{
	python3 - "$@" <<-'END' 2>/dev/null
		import os, struct, sys
		entries = [struct.pack("<HHI", *map(int, entry.split(":"))) for entry in sys.argv[3:]]
		os.setxattr(sys.argv[1], "system.posix_acl_" + sys.argv[2], struct.pack("<I", 2) + b"".join(entries))
	END
}
no=4294967295
chmod 600 "$p"
rm -f "$work/copy"
# Only the owner and the user 1000 may read it; the mode shows this as a permission of the group.
if acl "$p" access 1:6:$no 2:4:1000 4:0:$no 16:4:$no 32:0:$no; then
	[ "$(stat -c %a "$p")" = 640 ] || fail "the list does not show"
	(umask 0 && tool export "$p" "$work/copy") || fail "export of a pool with a list"
	[ "$(stat -c %a "$work/copy")" = 600 ] || fail "a pool with a list: $(stat -c %a "$work/copy")"
	expect 0 create -b 4K -m 640 "$work/pool2"
	mkdir "$work/shared"
	acl "$work/shared" default 1:7:$no 2:7:1000 4:5:$no 16:7:$no 32:5:$no
	(umask 0 && tool export "$work/pool2" "$work/shared/copy") || fail "export to a folder with a list"
	[ "$(stat -c %a "$work/shared/copy")" = 600 ] || fail "a folder with a list: $(stat -c %a "$work/shared/copy")"
	case_ok "access control lists open the copy to nobody"
else
	echo "skipped: access control lists need python3 and a file system that has them"
fi

# --- a block device -------------------------------------------------------------------------------

[ "$(id -u)" = 0 ] && command -v losetup >/dev/null || skip "a block device needs root and losetup (package mount)"
head -c 24M /dev/zero | tr '\0' x >"$work/disk"
loop=$(losetup -f --show "$work/disk" 2>/dev/null) || skip "no loop device can be had here"
own=
trap 'losetup -d "$loop" $own 2>/dev/null; rm -rf "$work"' EXIT
expect 0 export "$p" "$loop"
cmp -n "$(stat -c %s "$work/all")" "$work/all" "$loop" || fail "the copy on a block device"
[ "$(tail -c 1 "$work/disk")" = x ] || fail "more than the blocks was written"
case_ok "a block device needs no --force"

own=$(losetup -f --show "$work/part1" 2>/dev/null) || skip "no second loop device can be had here"
sum=$(sha256sum <"$work/part1")
# is_refused DEVICE: also as a descriptor
is_refused()
{
	expect 3 export "$work/set" "$1"
	said "^pmemblk: $1 is the pool itself, or a file of it"
	expect 3 import "$1" "$work/set"
	said "^pmemblk: $1 is the pool itself, or a file of it"
	expect 3 info --map="$1" "$work/set"
	said "^pmemblk: $1 is the pool itself, or a file of it"
	tool export "$work/set" - 1<>"$1" 2>"$work/err" && fail "$1 as standard output"
	said "^pmemblk: the standard output is the pool itself, or a file of it"
	tool info "$work/set" 1<>"$1" 2>"$work/err" && fail "$1 as standard output of info"
	said "^pmemblk: the standard output is the pool itself, or a file of it"
	tool import - "$work/set" <"$1" >"$work/out" 2>"$work/err" && fail "$1 as standard input"
	said "^pmemblk: the standard input is the pool itself, or a file of it"
}
is_refused "$own"
# The name under which the device was set up is gone. Then it is another file's.
ln "$work/part1" "$work/part1.other"
rm "$work/part1"
mv "$work/part1.other" "$work/part1"
is_refused "$own"
mv "$work/part1" "$work/part1.moved"
head -c 9M /dev/zero >"$work/part1"
sed -i "s/part1\$/part1.moved/" "$work/set"
is_refused "$own"
if over=$(losetup -f --show "$own" 2>/dev/null); then
	own="$own $over"
	is_refused "$over"
	losetup -d "$over"
	over=$(losetup -f --show "$loop")
	own="${own%% *} $over"
	expect 0 export "$p" "$over"
	losetup -d "$over"
	own=${own%% *}
fi
[ "$(sha256sum <"$work/part1.moved")" = "$sum" ] || fail "the part under a block device was changed"
losetup -d "$own"
expect 3 export "$work/set" "$own"
said "^pmemblk: $own is a loop device, and the kernel does not tell which file is behind it: "
own=
case_ok "a block device that is a file of the pool is not written to"
