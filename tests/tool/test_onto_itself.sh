#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# pmemblk(1): no command prints over the pool that it works on.
. "$(dirname "$0")/lib.sh"

p=$work/pool
expect 0 create -b 4K -s 20M "$p"
head -c 100000 /dev/urandom >"$work/raw"
expect 0 import "$work/raw" "$p"
printf 'PMEMPOOLSET\n9M %s\n9M %s\n' "$work/part0" "$work/part1" >"$work/set"
expect 0 create -b 4K -s 0 "$work/set"
expect 0 import "$work/raw" "$work/set"
ln "$work/part1" "$work/link"
files=("$p" "$work/set" "$work/part0" "$work/part1")
cat "${files[@]}" >"$work/before"
unchanged()
{
	cat "${files[@]}" | cmp - "$work/before" || fail "$1: the pool was changed"
}

# refused OUTPUT ARGS...
refused()
{
	local output=$1 rc=0
	shift
	tool "$@" 1<>"$output" 2>"$work/err" </dev/null || rc=$?
	[ $rc = 3 ] || fail "pmemblk $* onto $output: exit status $rc instead of 3"
	said '^pmemblk: the standard output is the pool itself, or a file of it: what is printed would be written over it$'
	[ "$(wc -l <"$work/err")" = 1 ] || fail "pmemblk $* onto $output: more than a message"
}
all_refused()
{
	refused "$1" info "$2"
	refused "$1" info --json --stats "$2"
	refused "$1" info --map=- "$2"
	refused "$1" info --map="$work/map" "$2"
	refused "$1" check "$2"
	refused "$1" check --quiet "$2"
	refused "$1" dump -r 0 "$2"
	refused "$1" repair "$2"
	refused "$1" repair -n "$2"
	refused "$1" grow -n -s 90M "$2"
	refused "$1" grow -s 90M "$2"
	refused "$1" import "$work/raw" "$2"
	refused "$1" export "$2" -
	refused "$1" export "$2" "$work/copy"
	refused "$1" create -b 4K -s 0 "$2"
	refused "$1" bench "$2"
	refused "$1" check --help "$2"
	unchanged "standard output $1"
}
all_refused "$p" "$p"
for f in set part0 part1 link; do
	all_refused "$work/$f" "$work/set"
done
[ ! -e "$work/map" ] && [ ! -e "$work/copy" ] || fail "a command that was refused has made a file"
# A set whose other part is lost.
mv "$work/part0" "$work/lost"
tool info "$work/set" 1<>"$work/part1" 2>"$work/err" && fail "an incomplete set"
said '^pmemblk: the standard output is the pool itself'
mv "$work/lost" "$work/part0"
# A pool that is locked.
if command -v flock >/dev/null; then
	exec 9<"$p"
	flock 9
	refused "$p" check --wait=-1 "$p"
	flock -u 9
fi
case_ok "no command prints over its own pool"

# silent STREAMS ARGS...: the standard error is a file of the pool; nothing is printed, nothing is done
silent()
{
	local streams=$1 rc=0
	shift
	: >"$work/out"
	eval "tool \"\$@\" >'$work/out' $streams </dev/null" || rc=$?
	[ $rc = 3 ] || fail "pmemblk $* $streams: exit status $rc instead of 3"
	[ ! -s "$work/out" ] || fail "pmemblk $* $streams: it was done"
}
all_silent()
{
	local streams
	for streams in "2<>$1" "2>>$1" "1<>$1 2>&1" ">>$1 2>&1"; do
		silent "$streams" info "$2"
		silent "$streams" info --json "$2"
		silent "$streams" info --map="$work/map" "$2"
		silent "$streams" check "$2"
		silent "$streams" dump -r 99999999 "$2"
		silent "$streams" repair "$2"
		silent "$streams" grow -s 1M "$2"
		silent "$streams" grow -s 90M "$2"
		silent "$streams" import "$work/absent" "$2"
		silent "$streams" import "$work/raw" "$2"
		silent "$streams" export "$2" /dev/stderr
		silent "$streams" export "$2" "$work/copy"
		silent "$streams" create -b 4K "$2"
		silent "$streams" bench "$2"
		# Wrong command lines: any word of them may be the pool.
		silent "$streams" "$2"
		silent "$streams" '' "$2"
		silent "$streams" chekc "$2"
		silent "$streams" --wait=soon check "$2"
		silent "$streams" check --wait=soon "$2"
		silent "$streams" check --quite "$2"
		silent "$streams" check -b "$2"
		silent "$streams" check "$2" "$2"
		silent "$streams" check "$work/absent" "$2"
		silent "$streams" import "$2"
		silent "$streams" create "$2"
		silent "$streams" info -j -m "$work/map" "$2"
		PMEMBLK_CONF='lock.wait=soon' silent "$streams" check "$2"
		unchanged "$streams"
	done
	silent "1<>$1 2>/dev/null" help check "$2"
	silent "1<>$1 2>/dev/null" --version "$2"
	unchanged "standard output $1"
}
all_silent "$p" "$p"
for f in set part0 part1 link; do
	all_silent "$work/$f" "$work/set"
done
[ ! -e "$work/map" ] && [ ! -e "$work/copy" ] || fail "a command that was refused has made a file"
case_ok "no message gets into the command's own pool"

# Sets that are refused, and the files that they name all the same.
printf 'PMEMPOOLSET\r\n9M %s\r\ngarbage\n9M %s' "$work/part0" "$work/part1" >"$work/garbage"
printf 'PMEMPOOLSET\n9M %s\nREPLICA\n9M %s # a copy\n' "$work/part0" "$work/part1" >"$work/replica"
mkdir "$work/folder" "$work/folder2"
ln "$work/part0" "$work/folder/0.pmem"
ln "$work/part1" "$work/folder2/1.pmem"
printf 'PMEMPOOLSET\nOPTION SINGLEHDR\n90M %s\n90M %s\n90M %s\n' "$work/folder" "$work/folder2" "$work/absent" >"$work/folders"
for f in garbage replica folders; do
	for part in part0 part1; do
		refused "$work/$part" info --json "$work/$f"
		silent "2<>$work/$part" info --json "$work/$f"
	done
	expect 3 info --json "$work/$f"
	printed '"error"'
	unchanged "$f"
done
# Comments, what is no absolute name, names that are too long, other files in a folder.
long=$(printf '/%05000d' 1)
printf 'PMEMPOOLSET\n9M %s # %s\n9M part1 ./part1\n9M %s%s\n9M %s\n' "$work/part0" "$work/part1" "$long" \
	"$work/part1" "$work/folder" >"$work/others"
touch "$work/folder/notes" "$work/folder/pmem"
for f in part1 others.json folder/notes folder/pmem; do
	(cd "$work" && tool info --json others 1<>$f 2>"$work/err") && fail "a set with wrong lines"
	grep -q 'standard output' "$work/err" && fail "$f counts as a file of the pool"
	[ $f = part1 ] || grep -q '"error"' "$work/$f" || fail "nothing was printed to $f"
done
dd if="$work/before" of="$work/part1" bs=1M iflag=skip_bytes skip=$(($(cat "$p" "$work/set" "$work/part0" | wc -c))) \
	conv=notrunc status=none
unchanged "what has to be restored"
case_ok "of a set that is refused, the files that it names count"

tool info "$p" 1<>"$work/raw" || fail "another file as standard output"
grep -aq "^path: $p" "$work/raw" || fail "nothing was printed"
tool info "$p" >/dev/null || fail "a device as standard output"
tool check "$work/absent" 2>"$work/messages" && fail "no pool"
grep -q '/absent' "$work/messages" || fail "no message"
tool export "$p" "$work/messages" 2>"$work/messages" && fail "a file that exists"
grep -q 'File exists' "$work/messages" || fail "another file than the pool gets no message"
expect 2 check --quite "$p"
said "wrong option '--quite'"
case_ok "other files can be printed to"

# The streams were opened by somebody with more rights than the command has.
tree=$work/tree
mkdir -p "$tree/bin" "$tree/secret"
cp "$BUILD/bin/pmemblk" "$tree/bin"
cp -rP "$BUILD/lib" "$tree"
ln "$work/part0" "$work/part1" "$tree/secret"
printf 'PMEMPOOLSET\n9M %s\n9M %s\n' "$tree/secret/part0" "$tree/secret/part1" >"$tree/set"
chmod -R go+rX "$tree"
chmod go+x "$work"
tool()
{
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid=65534 --regid=65534 --clear-groups "$tree/bin/pmemblk" "$@"
	else
		"$tree/bin/pmemblk" "$@"
	fi
}
tool --version >/dev/null 2>&1 || skip "setpriv is not there or not allowed"
exec 7<>"$tree/secret/part1"
chmod 0 "$tree/secret"
for path in "$tree/set" "$tree/secret/part1"; do
	rc=0
	tool check "$path" 2>&7 || rc=$?
	[ $rc = 3 ] || fail "exit status $rc instead of 3"
	tool info --json "$path" >&7 2>"$work/err" && fail "a pool that cannot be opened"
	said 'the standard output is the pool itself'
	tool check "$path" 2>"$work/err" && fail "a pool that cannot be opened"
	said 'Permission denied'
done
exec 7>&-
chmod 700 "$tree/secret"
unchanged "a pool whose folder may not be searched"
case_ok "a file that cannot be looked up is known by its name"
