#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The law of dependencies that src/README.md states, enforced on the sources (what a file
# includes) and on the objects (what it refers to).
. "$(dirname "$0")/lib.sh"
cd "$SOURCE"
broken=0

violation()
{
	echo "$*"
	broken=1
}

# The folders whose headers a file may include by "name".
allowed()
{
	case $1 in
	src/common/*) echo src/common ;;
	src/pmem/*) echo src/pmem src/common "$(dirname "$1")" ;;
	src/blk/*) echo src/blk src/common ;;
	src/tool/*) echo src/tool src/blk src/common ;;
	examples/*) echo ;;
	tests/api/*) echo tests/support tests/api ;;
	tests/compat/* | tests/build/*) echo ;;
	*) echo src src/common src/pmem src/blk src/tool tests/support "$(dirname "$1")" ;;
	esac
}

# The public headers it may include.
public()
{
	case $1 in
	src/common/*) echo ;;
	src/pmem/*) echo libpmem.h ;;
	src/blk/storage_pool.c | src/blk/pool*.c) echo libpmem.h libpmemblk.h ;;
	src/blk/*) echo libpmemblk.h ;;
	*) echo libpmem.h libpmemblk.h ;;
	esac
}

nfile=0
for f in $(find src examples tests -name '*.[ch]'); do
	nfile=$((nfile + 1))
	for h in $(sed -n 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*"\([^"]*\)".*/\1/p' "$f" |
		grep -v '^libpmem'); do
		found=
		for dir in $(allowed "$f"); do
			[ -f "$dir/$h" ] && found=$dir
		done
		[ -n "$found" ] || violation "$f includes \"$h\""
	done
	for h in $(sed -n 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"]\(libpmem[a-z]*\.h\)[>"].*/\1/p' "$f"); do
		case " $(public "$f") " in
		*" $h "*) ;;
		*) violation "$f includes <$h>" ;;
		esac
	done
done
[ $nfile -gt 20 ] || fail "only $nfile source files were found"
[ $broken -eq 0 ] || fail "includes across layers"
case_ok "every file includes headers of its own layer and of those below ($nfile files)"

for f in tests/api/test_*.c; do
	grep -q 'support_assert_ours(' "$f" || violation "$f does not assert whose library it runs on"
done
[ $broken -eq 0 ] || fail "API tests that may pass on another library"
case_ok "every API test asserts whose library it runs on"

# getenv is called where the environment is decided on, and nowhere else.
grep -nE '\b(secure_)?getenv[[:space:]]*\(' -r src --include='*.[ch]' |
	grep -vE '^src/(pmem/config|common/mapping|common/log|blk/ctl[a-z_]*|tool/[a-z_]*)\.c:' &&
	fail "the environment is read in an unexpected place"
case_ok "the environment is read in one place per library"

# Names that check, find, load or decode never store to the medium.
stores='storage_(store32|store64|write|zero|flush|fence)'
awk -v stores="$stores" '
	FNR == 1 { name = "" }
	/^[a-z_].*\(/ && !/;$/ && match($0, /[a-z_0-9]+\(/) { name = substr($0, RSTART, RLENGTH - 1) }
	/^[a-z_0-9]+\(/ { name = $0; sub(/\(.*/, "", name) }
	/^}/ { name = "" }
	name ~ /(^|_)(check|find|load|decode)(_|$)/ && $0 ~ stores {
		print FILENAME ":" FNR ": " name " stores to the medium"
		bad = 1
	}
	END { exit bad }' $(find src/blk -name '*.c') || fail "what checks must not write"
case_ok "functions that check, find, load or decode never store"

# What the objects refer to. Each list entry is a file; those not there (yet) are passed over.
obj=$BUILD/obj
[ -d "$obj/src" ] || fail "nothing is built in $obj"
nm=${CROSS:-}nm
undefined()
{
	$nm -u "$1" | awk '{ print $NF }'
}
for o in $(find "$obj/src/common" "$obj/src/pmem" -name '*.o'); do
	undefined "$o" | grep -E '^pmemblk_' && violation "$o refers to libpmemblk"
done
for o in $(find "$obj/src/common" -name '*.o'); do
	undefined "$o" | grep -E '^pmem_' && violation "$o refers to libpmem"
done
for o in $(find "$obj/src/blk" -name '*.o'); do
	case $o in
	*/storage_pool.o) ;;
	*/pool.o | */pool_*.o)
		# Whether a pool is on persistent memory is libpmem's answer, too.
		undefined "$o" | grep -E '^pmem_' | grep -vxE 'pmem_(is_pmem|has_auto_flush|errormsg)' &&
			violation "$o makes things durable past the storage"
		;;
	*) undefined "$o" | grep -E '^pmem_' && violation "$o calls libpmem" ;;
	esac
done
[ $broken -eq 0 ] || fail "references across layers"
case_ok "no object refers to a layer above it; durability goes through the storage"

# Pure parts do no I/O, hold no data that changes and no locks.
if [ -z "${SAN:-}${COV:-}" ]; then
	impure='^(open|openat|read|pread|write|pwrite|close|mmap|munmap|msync|ioctl|stat|fstat|fopen|fread|getenv|secure_getenv|pthread_.*)(64)?$'
	npure=0
	for f in pmem/engine_select pmem/x86_64/features blk/fletcher64 blk/pool_header blk/btt_geometry blk/btt_info \
		blk/poolset_parse blk/btt_format_check; do
		o=$obj/src/$f.o
		[ -f "$o" ] || continue
		npure=$((npure + 1))
		undefined "$o" | grep -E "$impure" && violation "src/$f.c is not pure: it calls the above"
		${CROSS:-}size -A "$o" | awk '$1 ~ /^\.t?(data|bss)$/ && $2 > 0' | grep . && violation "src/$f.c is not pure: it holds data"
	done
	[ $npure -ge 1 ] || fail "no pure part was found"
	[ $broken -eq 0 ] || fail "pure parts"
	case_ok "pure parts do no I/O and hold no data ($npure parts)"
fi

# Everything has its licence, and nothing is left unfinished.
for f in $(find Makefile src include tests examples .ci -type f | grep -E '\.(c|h|sh|map|mk)$|Makefile$|^.ci/'); do
	head -n 3 "$f" | grep -q 'SPDX-License-Identifier: BSD-3-Clause' ||
		violation "$f has no SPDX line"
done
[ $broken -eq 0 ] || fail "licence lines"
case_ok "every source file names its licence"
