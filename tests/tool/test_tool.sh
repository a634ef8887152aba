#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# pmemblk(1): command line, exit statuses, and all commands on sound pools.
. "$(dirname "$0")/lib.sh"
p=$work/pool

expect 0 --version
printed "^pmemblk $VERSION\$"
expect 0 --help
commands=$(awk '/^  [a-z]/ { print $1 }' "$work/out")
[ "$(wc -w <<<"$commands")" -ge 3 ] || fail "the help names no commands"
for c in $commands; do
	expect 0 "$c" --help
	printed "^usage: pmemblk $c "
	grep -q "^\.It Cm $c\$" "$SOURCE/src/man/pmemblk.1" || fail "the manual does not describe $c"
	for option in $(grep -oE '^  (-[a-zA-Z], |    )--[a-z-]+' "$work/out" | grep -oE -- '--.*'); do
		awk -v c="$c" '/^\.It Cm / { in_it = $3 == c } in_it' "$SOURCE/src/man/pmemblk.1" |
			grep -qE -- "[ ,]${option#-}( |\$)|^\.It Fl ${option#-}( |\$)" ||
			fail "the manual does not describe $c $option"
	done
done
case_ok "help and manual name every command and option"

if [ -z "${RUNNER:-}${SAN:-}" ]; then
	LD_DEBUG=libs LD_DEBUG_OUTPUT=$work/loader tool --version >/dev/null
	for l in libpmem libpmemblk; do
		grep -qF "calling init: $BUILD/lib/$l.so.1" "$work"/loader.* || fail "$l is not the built one"
	done
	case_ok "the tool runs on the shared libraries of this build"
fi

expect 2
expect 2 frobnicate "$p"
said "no command 'frobnicate'"
expect 2 create "$p"
said 'block size .* missing'
expect 2 create -b
said "'-b' needs a value"
for bad in 0 x -1 '' 12x 1KB 99999999999999999999 1Z; do
	expect 2 create -b "$bad" "$p"
	expect 2 create -b 512 -s "${bad/#0/0x1}" "$p"
done
expect 2 create -b 512 -m 9 "$p"
expect 2 create -b 512 -m 77777 "$p"
expect 2 create -b 512
said 'path is missing'
expect 2 create -b 512 "$p" "$p.2"
said 'one argument too many'
expect 2 check --wrong "$p"
said "wrong option '--wrong'"
expect 2 info -x "$p"
said "unknown option '-x'"
[ ! -e "$p" ] || fail "a wrong command line made a file"
case_ok "a wrong command line is status 2 and does nothing"

for c in info check; do
	expect 3 $c "$work/absent"
	said 'absent.*: No such file or directory'
	head -c 20M /dev/zero >"$work/zeros"
	expect $([ $c = info ] && echo 1 || echo 3) $c "$work/zeros"
	: >"$work/empty"
	expect 3 $c "$work/empty"
	expect 3 $c "$work"
done
expect 3 create -b 512 -s 1M "$p"
expect 3 create -b 4294967296 "$p"
expect 3 create -b 512 "$work/none/pool"
said 'No such file or directory'
case_ok "an error is status 3"

expect 0 create -b 512 -m 0640 "$p"
printed ': 32202 blocks of 512 bytes$'
[ "$(stat -c %a:%s "$p")" = 640:16785408 ] || fail "mode or size"
expect 3 create -b 512 "$p"
said 'exist'
expect 0 info "$p"
printed '^layout: none yet$'
printed '^blocks: 32202$'
expect 0 check -b 512 "$p"
printed ': consistent$'
expect 0 check -q "$p"
[ ! -s "$work/out" ] || fail "--quiet prints"
expect 3 check -b 4096 "$p"
said '512.*4096'
case_ok "a fresh pool is made, shown and found consistent"

for size in 16785408 17M 17MiB 20MB; do
	expect 0 create -b 1K -s $size "$work/s"
	printed ' blocks of 1024 bytes$'
	rm "$work/s"
done
expect 0 create -b 4kB -w -s 32M "$work/laid"
printed ' blocks of 4000 bytes$'
expect 0 info --stats "$work/laid"
printed '^layout: written$'
printed '^  info_copy_valid: yes$'
printed '^    zero: 1$'
expect 0 check "$work/laid"
case_ok "sizes have units, and the layout can be written at once"

truncate -s 20M "$work/given"
expect 0 create -b 512 -s 0 "$work/given"
printf 'PMEMPOOLSET\n9M %s\n9M %s\n' "$work/part0" "$work/part1" >"$work/set"
expect 0 create -b 512 -s 0 -w "$work/set"
expect 0 info "$work/set"
printed '^kind: pool set$'
printed "^  path: $work/part1\$"
expect 0 check "$work/set"
case_ok "existing files and pool sets"

if command -v python3 >/dev/null; then
	for f in "$p" "$work/laid" "$work/set"; do
		expect 0 info --json --stats "$f"
		python3 - "$work/out" "$f" <<-'END' || fail "the JSON of $f"
			import json, sys
			i = json.load(open(sys.argv[1]))
			assert i["path"] == sys.argv[2]
			assert i["blocks"] > 0 and i["features"]["shutdown_state"] is True
			assert len(i["parts"]) == (2 if i["kind"] == "pool set" else 1)
			for a in i["arenas"]:
			    assert sum(a["blocks"].values()) == a["external_nlba"] == i["blocks"]
		END
	done
	quoted=$work/'a "quoted"\name'
	cp "$p" "$quoted"
	expect 0 info -j "$quoted"
	python3 -c 'import json, sys; assert json.load(open(sys.argv[1]))["path"] == sys.argv[2]' \
		"$work/out" "$quoted" || fail "quoting"
	case_ok "info --json is JSON"
fi

(
	flock -x 9
	for c in info check; do expect 3 $c "$p"; said 'in use|locked|open'; done
) 9<"$p" || exit 1
case_ok "a pool in use is refused"

# --- blocks in and out -----------------------------------------------------------------------

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
expect 3 import "$work" "$work/io"
expect 3 dump -r "$nblock" "$work/io"
for bad in x 5-3 -1 1-2-3 ''; do expect 2 dump --range="$bad" "$work/io"; done
expect 2 import -f x "$work/raw" "$work/io"
expect 2 export "$work/io"
expect 2 import "$work/raw"
case_ok "import and export refuse what does not fit"

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

expect 0 bench -b 1K -s 17M -t 3 -n 3K "$work/bench"
[ "$(grep -cE '^(first write|random write|random read) +[0-9]+/s' "$work/out")" = 3 ] || fail "the measurements"
[ ! -e "$work/bench" ] || fail "the pool of the bench was left"
expect 0 bench --keep -n 0 "$work/bench"
expect 3 bench "$work/bench"
expect 0 check "$work/bench"
expect 2 bench -t 0 "$work/b2"
case_ok "bench makes a pool, measures it and removes it"

# --- repair: what needs no damage beyond one; the matrix is in tests/compat ------------------------

expect 2 repair --undo=x --dry-run "$p"
expect 0 repair "$p"
printed 'consistent, nothing was changed'
[ ! -e "$p.undo" ] || fail "a backup of nothing"
expect 3 repair "$work/zeros"
expect 3 repair "$work/absent"
cp "$work/bad" "$work/broken"
printf '\377\377\377\377' | dd of="$work/broken" bs=1 seek=$((map + 40)) conv=notrunc status=none
cp "$work/broken" "$work/broken.0"
expect 1 check "$work/broken"
printed '^block 10: its map entry 0xffffffff .* error state$'
printed 'pmemblk repair can mend it$'
expect 1 repair -n "$work/broken"
expect 3 repair --backup="$work/none/x" "$work/broken"
: >"$work/taken"
expect 3 repair --backup="$work/taken" "$work/broken"
cmp "$work/broken" "$work/broken.0" || fail "changed without a backup"
expect 0 repair -v "$work/broken"
expect 0 check "$work/broken"
cp "$work/broken" "$work/mended"
sed '$d' "$work/broken.undo" >"$work/cut"
sed 's/^pool ../pool zz/' "$work/broken.undo" >"$work/foreign1"
sed 's/^pool .*/pool 00112233445566778899aabbccddeeff/' "$work/broken.undo" >"$work/foreign2"
sed '4s/^[0-9]*/99999999999/' "$work/broken.undo" >"$work/beyond"
sed '4s/ [0-9a-f]*$//' "$work/broken.undo" >"$work/short"
for f in cut foreign1 foreign2 beyond short taken broken.0; do
	expect 3 repair --undo="$work/$f" "$work/broken"
	cmp "$work/broken" "$work/mended" || fail "a wrong backup changed the pool"
done
expect 0 repair --undo="$work/broken.undo" "$work/broken"
cmp "$work/broken" "$work/broken.0" || fail "undo"
expect 0 repair --undo="$work/broken.undo" "$work/broken"
expect 0 repair "$work/broken"
[ -e "$work/broken.undo.1" ] || fail "the second backup"
printf x | tool import -f 10 - "$work/broken" >/dev/null
expect 3 repair --undo="$work/broken.undo" "$work/broken"
said 'changed after the repair'
case_ok "repair keeps a backup that takes it back"

# A set whose damage lies in its second part.
map=$((8192 + $(od -An -tu8 -N8 -j8288 "$work/part0") + 4096 - 9 * 1024 * 1024))
[ $map -gt 4096 ] || fail "the map is not in the second part"
printf '\377\377\377\377' | dd of="$work/part1" bs=1 seek=$map conv=notrunc status=none
expect 1 check "$work/set"
expect 0 repair "$work/set"
expect 0 check "$work/set"
case_ok "sets are repaired, too"

if command -v script >/dev/null && [ -z "${RUNNER:-}" ]; then
	script -qec "$BUILD/bin/pmemblk export $work/laid $work/ttyraw2" /dev/null </dev/null >"$work/out"
	grep -q 'export .*% \[' "$work/out" || fail "no progress bar on a terminal"
	expect 0 export "$work/laid" "$work/ttyraw3"
	[ ! -s "$work/err" ] || fail "a progress bar although there is no terminal"
	case_ok "progress is shown on a terminal only"
fi

if [ -w /dev/full ]; then
	tool info "$p" >/dev/full 2>"$work/err" && fail "a full device is no success"
	said 'cannot write'
	case_ok "output that is lost is an error"
fi
