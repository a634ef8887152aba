#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# pmemblk(1): blocks in and out: import, export, dump.
. "$(dirname "$0")/lib.sh"

expect 0 create -b 520 -s 20M "$work/io"
nblock=$(sed -E 's/.*: ([0-9]+) blocks.*/\1/' "$work/out")
head -c 3000000 /dev/urandom >"$work/raw"
head -c 300000 /dev/zero >>"$work/raw"
printf tail >>"$work/raw"
expect 0 import "$work/raw" "$work/io"
printed "^3300004 bytes in 6347 blocks\$"
sum=$(sha256sum <"$work/io")
expect 0 export "$work/io" "$work/back"
[ "$(stat -c %s "$work/back")" = $((nblock * 520)) ] || fail "the length of the export"
cmp -n 3300004 "$work/raw" "$work/back" || fail "what was imported comes back"
tail -c +3300005 "$work/back" | tr -d '\0' | head -c 1 | grep -q . && fail "the rest is not zero"
tool export "$work/io" - | cmp - "$work/back" || fail "export to a pipe"
[ "$(stat -c %b "$work/back")" -lt 12000 ] || fail "the exported file has no holes"
[ "$(sha256sum <"$work/io")" = "$sum" ] || fail "export changed the pool"
printf x | tool import --first=$((nblock - 1)) - "$work/io" >/dev/null
expect 0 dump --range=$((nblock - 1)) "$work/io"
printed '^block [0-9]+$'
printed '^  00000000  78 00 .*\|x\.\.'
expect 0 dump -r 5770- "$work/io"
printed '^blocks [0-9]+-[0-9]+: zeros$'
[ "$(grep -c '^block ' "$work/out")" -ge 2 ] || fail "dump shows too little"
expect 0 create -b 512 "$work/conf"
head -c 5000 "$work/raw" >"$work/start"
PMEMBLK_CONF='copy_on_write.at_open=1' tool import "$work/start" "$work/conf" >/dev/null || fail "import with settings"
tool export "$work/conf" - | cmp -n 5000 - "$work/start" || fail "the import went into a private copy"
case_ok "import, export and dump agree"

expect 3 export "$work/io" "$work/back"
said 'exists'
expect 0 export --force "$work/io" "$work/back"
expect 3 export --force "$work/io" "$work/io"
expect 0 check "$work/io"
expect 3 import -f "$nblock" "$work/raw" "$work/io"
expect 3 import -f $((nblock - 1)) "$work/raw" "$work/io"
said 'nothing was written'
tool import -f $((nblock - 1)) - "$work/io" <"$work/raw" >/dev/null 2>"$work/err" && fail "too long a file"
tool import - "$work/io" </dev/null >"$work/out" || fail "import of nothing"
printed '^0 bytes'
head -c 8M /dev/zero | cat >"$work/long"
(cat "$work/long" "$work/long" "$work/long") | tool import - "$work/io" >/dev/null 2>"$work/err" &&
	fail "too long a stream"
said 'does not fit'
expect 3 import "$work/absent" "$work/io"
said 'cannot open .*/absent: No such file or directory$'
expect 3 import "$work/raw" "$work/absent"
said 'cannot find .*/absent: No such file or directory$'
for c in "export $work/absent $work/none" "dump $work/absent"; do
	# shellcheck disable=SC2086
	expect 3 $c
	said 'cannot find .*/absent: No such file or directory$'
done
[ ! -e "$work/none" ] || fail "a copy of nothing"
expect 3 import "$work" "$work/io"
said "^pmemblk: cannot read $work: Is a directory\$"
[ "$(wc -l <"$work/err")" = 1 ] || fail "more than a message"
tool import - "$work/io" <"$work" 2>"$work/err" && fail "a folder as standard input"
said '^pmemblk: cannot read the standard input: Is a directory$'
expect 3 dump -r "$nblock" "$work/io"
for bad in x 5-3 -1 1-2-3 ''; do expect 2 dump --range="$bad" "$work/io"; done
expect 2 import -f x "$work/raw" "$work/io"
expect 2 export "$work/io"
expect 2 import "$work/raw"
case_ok "import and export refuse what does not fit"

# What dump prints, to the byte. Lines that repeat the one before are left out, except the last one.
expect 0 create -b 80 "$work/lines"
{
	head -c 80 /dev/zero | tr '\0' a
	head -c 160 /dev/zero
	printf '%48s' '' | tr ' ' b
	printf '%32s' '' | tr ' ' c
	printf '\37 ~\177\200\377' && head -c 74 /dev/zero
} | tool import - "$work/lines" >/dev/null
expect 0 dump -r 0-6 "$work/lines"
cat >"$work/expected" <<-'END'
	block 0
	  00000000  61 61 61 61 61 61 61 61 61 61 61 61 61 61 61 61  |aaaaaaaaaaaaaaaa|
	  *
	  00000040  61 61 61 61 61 61 61 61 61 61 61 61 61 61 61 61  |aaaaaaaaaaaaaaaa|
	blocks 1-2: zeros
	block 3
	  00000000  62 62 62 62 62 62 62 62 62 62 62 62 62 62 62 62  |bbbbbbbbbbbbbbbb|
	  *
	  00000030  63 63 63 63 63 63 63 63 63 63 63 63 63 63 63 63  |cccccccccccccccc|
	  00000040  63 63 63 63 63 63 63 63 63 63 63 63 63 63 63 63  |cccccccccccccccc|
	block 4
	  00000000  1f 20 7e 7f 80 ff 00 00 00 00 00 00 00 00 00 00  |. ~.............|
	  00000010  00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00  |................|
	  *
	  00000040  00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00  |................|
	blocks 5-6: zeros
END
diff "$work/expected" "$work/out" || fail "dump prints something else (right)"
expect 0 create -b 128 "$work/runs"
{
	printf '%48s' '' | tr ' ' a
	printf '%80s' '' | tr ' ' b
} | tool import - "$work/runs" >/dev/null
expect 0 dump -r 0 "$work/runs"
cat >"$work/expected" <<-'END'
	block 0
	  00000000  61 61 61 61 61 61 61 61 61 61 61 61 61 61 61 61  |aaaaaaaaaaaaaaaa|
	  *
	  00000030  62 62 62 62 62 62 62 62 62 62 62 62 62 62 62 62  |bbbbbbbbbbbbbbbb|
	  *
	  00000070  62 62 62 62 62 62 62 62 62 62 62 62 62 62 62 62  |bbbbbbbbbbbbbbbb|
END
diff "$work/expected" "$work/out" || fail "dump prints something else (right)"
expect 0 dump -r 1 "$work/lines"
[ "$(cat "$work/out")" = "block 1: zeros" ] || fail "a block of zeros"
expect 0 dump -r 4-5 "$work/lines"
[ "$(tail -n 1 "$work/out")" = "block 5: zeros" ] || fail "a block of zeros at the end"
expect 0 create -b 41 "$work/short"
nblock=$(sed -E 's/.*: ([0-9]+) blocks.*/\1/' "$work/out")
printf 'the last of a short block is a short line' | tool import -f $((nblock - 2)) - "$work/short" >"$work/out"
printed '^41 bytes in 1 block$'
expect 0 dump -r $((nblock - 2))- "$work/short"
cat >"$work/expected" <<-END
	block $((nblock - 2))
	  00000000  74 68 65 20 6c 61 73 74 20 6f 66 20 61 20 73 68  |the last of a sh|
	  00000010  6f 72 74 20 62 6c 6f 63 6b 20 69 73 20 61 20 73  |ort block is a s|
	  00000020  68 6f 72 74 20 6c 69 6e 65                       |hort line|
	block $((nblock - 1)): zeros
END
diff "$work/expected" "$work/out" || fail "dump prints something else (right)"
expect 0 dump -r $((nblock - 2))-$((nblock + 5)) "$work/short"
diff "$work/expected" "$work/out" || fail "dump beyond the end"
expect 3 dump -r "$nblock" "$work/short"
said "^pmemblk: there is no block $nblock: those of $work/short are 0 to $((nblock - 1))\$"
case_ok "dump shows bytes and characters, and what it leaves out"

# The end of the pool, by a file whose length is known, and by a stream.
printf '%82s' '' | tr ' ' x >"$work/two"
expect 0 import -f $((nblock - 2)) "$work/two" "$work/short"
printed '^82 bytes in 2 blocks$'
printf '%82s' '' | tr ' ' y | tool import -f $((nblock - 2)) - "$work/short" >"$work/out" 2>&1 || fail "as much as there is room for"
printed '^82 bytes in 2 blocks$'
expect 0 dump -r $((nblock - 2))- "$work/short"
[ "$(grep -c '|y*|$' "$work/out")" = 4 ] || fail "what was imported"
printf x >>"$work/two"
expect 3 import -f $((nblock - 2)) "$work/two" "$work/short"
said "^pmemblk: $work/two has 83 bytes, but there is room for 82; nothing was written\$"
tool import -f $((nblock - 2)) - "$work/short" <"$work/two" >"$work/out" 2>"$work/err" && fail "too long a file"
said '^pmemblk: the standard input has 83 bytes, but there is room for 82; nothing was written$'
expect 0 dump -r $((nblock - 2))- "$work/short"
[ "$(grep -c '|y*|$' "$work/out")" = 4 ] || fail "something was imported"
rc=0
cat "$work/two" | tool import -f $((nblock - 2)) - "$work/short" >"$work/out" 2>"$work/err" || rc=$?
[ $rc = 3 ] || fail "too long a stream: $rc"
said '^pmemblk: the standard input does not fit the pool: the blocks up to its end were written$'
[ ! -s "$work/out" ] || fail "too long a stream is a success"
expect 0 dump -r $((nblock - 2))- "$work/short"
[ "$(grep -c '|x*|$' "$work/out")" = 4 ] || fail "the blocks up to the end"
# What was read before does not count.
{ dd bs=42 count=1 of=/dev/null 2>/dev/null && tool import -f $((nblock - 1)) - "$work/short"; } <"$work/two" >"$work/out" 2>"$work/err" ||
	fail "the end of a file"
printed '^41 bytes in 1 block$'
{ dd bs=1 count=1 of=/dev/null 2>/dev/null && tool import -f $((nblock - 2)) /dev/fd/7 "$work/short" 7<&0; } <"$work/two" >"$work/out" ||
	fail "the end of a file, as a descriptor"
printed '^82 bytes in 2 blocks$'
{ dd bs=200 count=1 of=/dev/null 2>/dev/null && tool import -f $((nblock - 2)) - "$work/short"; } <"$work/two" >"$work/out" ||
	fail "a file that was read to its end"
printed '^0 bytes in 0 blocks$'
rc=0
{ dd bs=1 count=41 of=/dev/null 2>/dev/null && tool import -f $((nblock - 1)) - "$work/short"; } <"$work/two" >"$work/out" 2>"$work/err" || rc=$?
[ $rc = 3 ] || fail "too long an end of a file: $rc"
said '^pmemblk: the standard input has 42 bytes, but there is room for 41; nothing was written$'
expect 3 import -f "$nblock" "$work/two" "$work/short"
said "^pmemblk: there is no block $nblock: "
if [ -r /proc/self/mem ]; then
	expect 3 import /proc/self/mem "$work/short"
	said '^pmemblk: cannot read /proc/self/mem: Input/output error$'
	said '^pmemblk: nothing was written$'
fi
case_ok "the end of the pool is the end of an import"

printf 'PMEMPOOLSET\n9M %s\n9M %s\n' "$work/part0" "$work/part1" >"$work/set"
expect 0 create -b 512 -s 0 "$work/set"
cat "$work/set" "$work/part0" "$work/part1" >"$work/before"
ln -s part1 "$work/link"
for f in set part0 part1 link; do
	expect 3 import "$work/$f" "$work/set"
	said "/$f is the pool itself, or a file of it: .*/set is not copied into itself\$"
done
tool import - "$work/set" <"$work/part1" >"$work/out" 2>"$work/err" && fail "a part as standard input"
said 'the standard input is the pool itself'
cat "$work/set" "$work/part0" "$work/part1" | cmp - "$work/before" || fail "the pool was changed"
case_ok "a pool is not imported into itself"

# A block in the error state: the first map entry.
expect 0 create -b 512 -w "$work/bad"
map=$((8192 + $(od -An -tu8 -N8 -j8288 "$work/bad")))
printf '\0\0\0\100' | dd of="$work/bad" bs=1 seek=$((map + 12)) conv=notrunc status=none
printf '\3\0\0\100' | dd of="$work/bad" bs=1 seek=$((map + 12)) conv=notrunc status=none
expect 1 export "$work/bad" "$work/bad.raw"
said '^pmemblk: block 3: '
[ ! -e "$work/bad.raw" ] || fail "an incomplete export was left"
expect 1 export --skip-errors "$work/bad" "$work/bad.raw"
[ "$(stat -c %s "$work/bad.raw")" = $((32202 * 512)) ] || fail "the length of the export"
expect 1 dump -r 2-4 "$work/bad"
printed '^block 3: cannot be read$'
printed '^block 4: zeros$'
tool dump -r 3-4 "$work/bad" >"$work/out" 2>&1 && fail "a bad block is no error"
sed 's/^\(pmemblk: block 3: \).*/\1/' "$work/out" | diff - <(printf 'block 3: cannot be read\npmemblk: block 3: \nblock 4: zeros\n') ||
	fail "messages are not where they belong"
case_ok "blocks that cannot be read are named"

# So many blocks that the memory for them has held others before.
expect 0 create -b 4K -s 20M "$work/bad2"
nblock=$(sed -E 's/.*: ([0-9]+) blocks.*/\1/' "$work/out")
head -c $((nblock * 4096)) /dev/zero | tr '\0' x >"$work/xs"
expect 0 import "$work/xs" "$work/bad2"
map2=$((8192 + $(od -An -tu8 -N8 -j8288 "$work/bad2")))
n=$((nblock - 2))
printf '\0\0\0\100' | dd of="$work/bad2" bs=1 seek=$((map2 + 4 * n)) conv=notrunc status=none
expect 1 export -e "$work/bad2" "$work/bad2.raw"
said "^pmemblk: block $n: "
{ head -c $((n * 4096)) "$work/xs" && head -c 4096 /dev/zero && head -c 4096 "$work/xs"; } | cmp - "$work/bad2.raw" ||
	fail "a bad block holds something else than zeros"
case_ok "blocks that cannot be read are zeros in the copy"

# A single byte makes a block data, wherever it is.
expect 0 create -b 512 "$work/bytes"
{
	printf 'x' && head -c 1023 /dev/zero
	head -c 511 /dev/zero && printf 'x'
	head -c 512 /dev/zero
	for _ in {1..256}; do printf '\0x'; done
	head -c 512 /dev/zero
	for _ in {1..256}; do printf 'x\0'; done
} >"$work/few"
expect 0 import "$work/few" "$work/bytes"
expect 0 info --stats "$work/bytes"
printed '^ +data: 4$'
tool export "$work/bytes" - | cmp -n "$(stat -c %s "$work/few")" - "$work/few" || fail "a byte was lost"
expect 0 export "$work/bytes" "$work/bytes.raw"
cmp -n "$(stat -c %s "$work/few")" "$work/bytes.raw" "$work/few" || fail "a byte was lost in a file"
# The last byte of the smallest hole is data.
{ head -c 65535 /dev/zero && printf x && head -c 65536 /dev/zero; } >"$work/few"
expect 0 import "$work/few" "$work/bytes"
expect 0 export --force "$work/bytes" "$work/bytes.raw"
cmp -n 131072 "$work/bytes.raw" "$work/few" || fail "a byte was lost in a file"
# A copy that begins with a hole goes over other bytes.
{ head -c 65536 /dev/zero && printf x; } >"$work/few"
expect 0 import "$work/few" "$work/bytes"
head -c 200000 /dev/zero | tr '\0' o >"$work/bytes.raw"
expect 0 export --force "$work/bytes" "$work/bytes.raw"
tool export "$work/bytes" - | cmp - "$work/bytes.raw" || fail "old bytes are left in the copy"
expect 0 create -b 1 "$work/single"
printf 'a\0b' >"$work/few"
expect 0 import "$work/few" "$work/single"
printed '^3 bytes in 3 blocks$'
expect 0 info --stats "$work/single"
printed '^ +data: 2$'
tool export "$work/single" - 2>/dev/null | head -c 4 | cmp - <(printf 'a\0b\0') || fail "blocks of a byte"
case_ok "a single byte that is not zero is kept"

# As many runs of data and of zeros as a batch can have.
expect 0 create -b 512 "$work/turns"
for _ in {1..100}; do
	printf '%512s' '' | tr ' ' d
	head -c 512 /dev/zero
done >"$work/alternating"
expect 0 import "$work/alternating" "$work/turns"
tool export "$work/turns" - | cmp -n 102400 - "$work/alternating" || fail "data and zeros by turns"
expect 0 info --stats "$work/turns"
printed '^ +data: 100$'
case_ok "data and zeros by turns"

expect 0 create -b 4kB -w -s 32M "$work/laid"
if command -v script >/dev/null && [ -z "${RUNNER:-}" ]; then
	script -qec "$BUILD/bin/pmemblk export $work/laid $work/ttyraw2" /dev/null </dev/null >"$work/out"
	grep -q 'export .*% \[' "$work/out" || fail "no progress bar on a terminal"
	script -qec "$BUILD/bin/pmemblk import $work/ttyraw2 $work/laid" /dev/null </dev/null >"$work/out"
	grep -q 'import .*% \[' "$work/out" || fail "no progress bar of import on a terminal"
	grep -q $'\r\e\\[K31676000 bytes in 7919 blocks' "$work/out" || fail "the bar is not removed before the last line"
	# The first 21 of 31 MB do not count: a batch of 64 blocks is 2% of the rest.
	script -qec "{ dd bs=1M count=20 of=/dev/null 2>/dev/null && $BUILD/bin/pmemblk import - $work/laid; } <$work/ttyraw2" \
		/dev/null </dev/null >"$work/out"
	grep -q 'import   2% \[' "$work/out" || fail "the bar is that of the whole file"
	script -qec "$BUILD/bin/pmemblk export -e $work/bad $work/ttyraw4" /dev/null </dev/null >"$work/out" || [ $? = 1 ]
	grep -q '% \[' "$work/out" || fail "no progress bar beside messages"
	script -qec "$BUILD/bin/pmemblk export -e $work/bad2 $work/ttyraw5" /dev/null </dev/null >"$work/out" || [ $? = 1 ]
	grep -q $'\r\e\\[Kpmemblk: block ' "$work/out" || fail "the bar is not removed before a message"
	expect 0 export "$work/laid" "$work/ttyraw3"
	[ ! -s "$work/err" ] || fail "a progress bar although there is no terminal"
	case_ok "progress is shown on a terminal only"
fi

# Blocks in the middle of a batch that cannot be written: their map entries name no data block.
# The source has zeros at each place where zeros and data can meet.
expect 0 create -b 512 -w "$work/torn"
{
	head -c 5120 "$work/raw"
	head -c 5120 /dev/zero
	head -c 30720 "$work/raw"
	head -c 5120 /dev/zero
	head -c 5120 "$work/raw"
} >"$work/mixed"
for bad in 0 30 15 85; do
	cp "$work/torn" "$work/torn.$bad"
	printf '\377\377\377\377' | dd of="$work/torn.$bad" bs=1 seek=$((map + bad * 4)) conv=notrunc status=none
	printf '\377\377\377\377' | dd of="$work/torn.$bad" bs=1 seek=$((map + (bad + 3) * 4)) conv=notrunc status=none
	expect 3 import "$work/mixed" "$work/torn.$bad"
	said "^pmemblk: block $bad: .*\$"
	grep 'file system is full' "$work/err" && fail "a hint at a full disk"
	if [ $bad = 0 ]; then
		said '^pmemblk: nothing was written before that block$'
	else
		said "^pmemblk: $((bad * 512)) bytes were written, to blocks 0 to $((bad - 1)), and perhaps some behind them\$"
	fi
	expect 1 export --skip-errors "$work/torn.$bad" "$work/torn.raw"
	[ "$(grep -c '^pmemblk: block [0-9]*: ' "$work/err")" = 2 ] || fail "not both blocks are named"
	said "^pmemblk: block $bad: "
	said "^pmemblk: block $((bad + 3)): "
	[ $bad = 0 ] || cmp -n $((bad * 512)) "$work/torn.raw" "$work/mixed" || fail "the blocks before block $bad"
	rm "$work/torn.raw"
done
if command -v script >/dev/null && [ -z "${RUNNER:-}" ]; then
	script -qec "$BUILD/bin/pmemblk import $work/mixed $work/torn.85" /dev/null </dev/null >"$work/out" && fail "a bad block"
	grep -q $'\r\e\\[Kpmemblk: block 85: ' "$work/out" || fail "the bar is not removed before a message of import"
fi
head -c 51200 "$work/raw" | tool import - "$work/torn" >/dev/null || fail "data"
expect 0 import "$work/mixed" "$work/torn"
printed '^51200 bytes in 100 blocks$'
tool export "$work/torn" - | cmp -n 51200 - "$work/mixed" || fail "data and zeros in one batch"
expect 0 info --stats "$work/torn"
printed '^ +zero: 20$'
case_ok "a block in the middle of a batch that cannot be written is named, and the blocks before it are written"

if [ -z "${RUNNER:-}${SAN:-}" ]; then
	$CC -std=c11 -D_GNU_SOURCE -shared -fPIC -o "$work/shim.so" "$(dirname "$0")/shim.c" -ldl
	expect 0 create -b 4K -w -s 40M "$work/many"
	head -c 16M /dev/urandom >"$work/raw"
	import_many()
	{
		PMEM_IS_PMEM_FORCE=0 LD_PRELOAD=$work/shim.so tool import "$@" "$work/many" >"$work/out" 2>"$work/err"
	}
	COUNT_MSYNC=$work/count import_many "$work/raw"
	printed '^16777216 bytes in 4096 blocks$'
	# 64 batches of 64 blocks, and less than 10 syncs to open and to close the pool.
	count=$(cat "$work/count")
	[ "$count" -ge 40 ] || fail "the syncs were not counted"
	[ "$count" -le 138 ] || fail "4096 blocks took $count syncs"
	tool export "$work/many" - | cmp -n 16777216 - "$work/raw" || fail "what was imported"
	case_ok "16 MiB in blocks of 4 KiB take two syncs a batch, or less: $count for 64 batches"

	head -c 16M /dev/zero >"$work/zeros"
	COUNT_MSYNC=$work/count import_many "$work/zeros"
	zeros=$(cat "$work/count")
	[ "$zeros" -le 74 ] || fail "4096 zero blocks took $zeros syncs"
	tool export "$work/many" - | cmp -n 16777216 - "$work/zeros" || fail "the zeros that were imported"
	COUNT_MSYNC=$work/count import_many -f 5000 "$work/zeros"
	[ "$(cat "$work/count")" -lt 10 ] || fail "blocks that were never written took $(cat "$work/count") syncs"
	case_ok "zeros take one sync a batch: $zeros for 64 batches; where nothing was written they take none"

	import_many "$work/raw"
	head -c 16M /dev/urandom >"$work/new"
	FAIL_MSYNC=40 import_many -f 100 "$work/new" && fail "an import without syncs"
	# The batch that is named first may be that of a thread that only found the pool closed to changes.
	said '^pmemblk: blocks [0-9]+ to [0-9]+: .*(an earlier sync|sync) failed: Input/output error; the pool takes no more changes'
	sed -nE 's/.*: blocks ([0-9]+) to ([0-9]+): .*/\1 \2/p' "$work/err" | awk 'NF != 2 || $2 - $1 != 63 { exit 1 }' ||
		fail "other blocks than those of a batch"
	read -r bytes last < <(sed -nE 's/.*: ([0-9]+) bytes were written, to blocks 100 to ([0-9]+), and perhaps some behind them$/\1 \2/p' \
		"$work/err")
	[ "$(sed -nE 's/.*: blocks ([0-9]+) to .*/\1/p' "$work/err")" = $((last + 1)) ] ||
		fail "$bytes bytes were written, the last block is $last"
	tool export "$work/many" - | tail -c +409601 | cmp -n "$bytes" - "$work/new" || fail "what was written"
	case_ok "a failing sync: import names the batch, and what it counts is there"

	expect 0 create -b 4K "$work/busy"
	head -c 3M "$work/raw" | BUSY_READ=5 LD_PRELOAD=$work/shim.so tool import - "$work/busy" >"$work/out" 2>"$work/err" ||
		fail "a standard input that had nothing for a moment"
	printed '^3145728 bytes in 768 blocks$'
	tool export "$work/busy" - 2>/dev/null | cmp -n 3145728 - "$work/raw" || fail "what was imported"
	case_ok "import waits for a standard input that does not block"

	# The reader is so slow at first that the pipe is full.
	tool export "$work/busy" "$work/wanted"
	NONBLOCKING_OUTPUT=1 LD_PRELOAD=$work/shim.so tool export "$work/busy" - 2>"$work/err" |
		(dd bs=1 count=100000 2>/dev/null && cat) | cmp - "$work/wanted" || fail "a pipe that does not block"
	[ ! -s "$work/err" ] || fail "a message about a pipe that does not block"
	case_ok "export waits for a standard output that does not block"
fi
