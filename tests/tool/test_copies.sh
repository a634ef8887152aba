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
expect 3 dump -r "$nblock" "$work/io"
for bad in x 5-3 -1 1-2-3 ''; do expect 2 dump --range="$bad" "$work/io"; done
expect 2 import -f x "$work/raw" "$work/io"
expect 2 export "$work/io"
expect 2 import "$work/raw"
case_ok "import and export refuse what does not fit"

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
case_ok "blocks that cannot be read are named"

expect 0 create -b 4kB -w -s 32M "$work/laid"
if command -v script >/dev/null && [ -z "${RUNNER:-}" ]; then
	script -qec "$BUILD/bin/pmemblk export $work/laid $work/ttyraw2" /dev/null </dev/null >"$work/out"
	grep -q 'export .*% \[' "$work/out" || fail "no progress bar on a terminal"
	script -qec "$BUILD/bin/pmemblk import $work/ttyraw2 $work/laid" /dev/null </dev/null >"$work/out"
	grep -q 'import .*% \[' "$work/out" || fail "no progress bar of import on a terminal"
	grep -q $'\r\e\\[K31676000 bytes in 7919 blocks' "$work/out" || fail "the bar is not removed before the last line"
	script -qec "$BUILD/bin/pmemblk export -e $work/bad $work/ttyraw4" /dev/null </dev/null >"$work/out" || [ $? = 1 ]
	grep -q '% \[' "$work/out" || fail "no progress bar beside messages"
	expect 0 export "$work/laid" "$work/ttyraw3"
	[ ! -s "$work/err" ] || fail "a progress bar although there is no terminal"
	case_ok "progress is shown on a terminal only"
fi

if [ -z "${RUNNER:-}${SAN:-}" ]; then
	$CC -std=c11 -D_GNU_SOURCE -shared -fPIC -o "$work/shim.so" "$(dirname "$0")/shim.c" -ldl
	expect 0 create -b 4K -s 20M "$work/many"
	head -c 8M /dev/urandom >"$work/raw"
	PMEM_IS_PMEM_FORCE=0 COUNT_MSYNC=$work/count LD_PRELOAD=$work/shim.so tool import "$work/raw" "$work/many" >"$work/out"
	printed '^8388608 bytes in 2048 blocks$'
	[ "$(cat "$work/count")" -ge 100 ] || fail "the syncs were not counted"
	[ "$(cat "$work/count")" -le 1024 ] || fail "2048 blocks took $(cat "$work/count") syncs"
	tool export "$work/many" - | cmp -n 8388608 - "$work/raw" || fail "what was imported"
	case_ok "import shares syncs: $(cat "$work/count") for 2048 blocks"
fi
