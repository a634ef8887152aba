#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# pmemblk(1): command line, exit statuses, create, info and check.
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

if [ -w /dev/full ]; then
	tool info "$p" >/dev/full 2>"$work/err" && fail "a full device is no success"
	said 'cannot write'
	case_ok "output that is lost is an error"
fi
