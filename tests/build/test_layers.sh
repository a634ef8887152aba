#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Enforces the law of dependencies in src/README.md, on the sources (the includes of a file) and on
# the objects (their undefined symbols). Each check prints its violations and nothing else. At the end
# the script plants a violation of each rule in a copy, to show that the check finds it.
. "$(dirname "$0")/lib.sh"
cd "$SOURCE"

# Lists the rooms of libpmemblk from which a room may include, itself among them.
blk_rooms()
{
	case $1 in
	src/blk/base/*) echo base ;;
	src/blk/storage/*) echo storage base ;;
	src/blk/btt/*) echo btt storage base ;;
	src/blk/poolset/*) echo poolset storage base ;;
	src/blk/pool/*) echo pool btt poolset storage base ;;
	src/blk/*.c) echo pool btt storage base ;;
	src/tool/* | tests/*) echo pool btt poolset storage base ;;
	esac
}

# The rooms of the tool.
tool_rooms()
{
	case $1 in
	src/tool/image/*) echo image ;;
	src/tool/repair/*) echo repair image ;;
	src/tool/grow/*) echo grow repair image ;;
	src/tool/commands/*) echo commands grow repair image ;;
	src/tool/*.c) echo commands ;;
	tests/tool/* | tests/fuzz/*) echo commands grow repair image ;;
	esac
}

# Lists the folders whose headers a file may include by "name".
folders()
{
	case $1 in
	src/common/*) echo src/common ;;
	src/pmem/*) echo src/pmem src/common "$(dirname "$1")" ;;
	src/blk/* | src/tool/*) echo src/common ;;
	examples/*) ;;
	tests/api/*) echo tests/support "$(dirname "$1")" ;;
	tests/compat/*) echo tests/compat ;;
	tests/build/* | tests/machine/*) ;;
	tests/dax/*) echo tests/dax ;;
	tests/unit/*) echo src src/common src/pmem tests/support tests/unit "$(dirname "$1")" ;;
	*) echo src src/common src/pmem tests/support "$(dirname "$1")" ;;
	esac
}

# Lists the public headers that a file may include.
public()
{
	case $1 in
	src/common/*) ;;
	src/pmem/*) echo libpmem.h ;;
	src/blk/storage/pool.c) echo libpmem.h ;;
	src/blk/*.c) [ "$(dirname "$1")" = src/blk ] && echo libpmemblk.h ;;
	*) echo libpmem.h libpmemblk.h ;;
	esac
}

may_include()
{
	local file=$1 header=$2 room=${2%/*} dir
	case $file in
	tests/api/* | tests/compat/* | tests/build/* | tests/machine/* | examples/*) ;;
	*)
		if [ "$room" != "$header" ]; then
			case " $(blk_rooms "$file") " in *" $room "*) [ -f "src/blk/$header" ] && return ;; esac
			case " $(tool_rooms "$file") " in *" $room "*) [ -f "src/tool/$header" ] && return ;; esac
		fi
		;;
	esac
	for dir in $(folders "$file"); do
		[ -f "$dir/$header" ] && return
	done
	return 1
}

# Prints a line "FILE HEADER" for each include in the sources (or in those of $scope).
scope='src examples tests'
includes()
{
	# shellcheck disable=SC2086
	grep -HrnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*["<]' $scope --include='*.[ch]' |
		sed -nE -e 's/^([^:]*):[0-9]*:[^"<]*"([^"]*)".*/\1 \2/p' \
			-e 's/^([^:]*):[0-9]*:[^"<]*<(libpmem[a-z]*\.h)>.*/\1 \2/p'
}

check_includes()
{
	local file header
	includes | sort -u | while read -r file header; do
		case $header in
		libpmem*.h)
			case " $(public "$file") " in
			*" $header "*) ;;
			*) echo "$file includes <$header>" ;;
			esac
			;;
		*) may_include "$file" "$header" || echo "$file includes \"$header\"" ;;
		esac
	done
}

# Finds headers that include each other, directly or through others.
check_circles()
{
	local file header
	includes | sort -u | while read -r file header; do
		case $file in
		src/*.h)
			for dir in src/blk src/tool src/common src/pmem "$(dirname "$file")"; do
				[ -f "$dir/$header" ] && echo "$file $dir/$header" && break
			done
			;;
		esac
	done | tsort 2>&1 >/dev/null | grep -v 'contains a loop' | sed 's/^tsort: /in a circle of includes: /'
}

check_api_tests()
{
	local f
	for f in tests/api/*/test_*.c; do
		grep -qE '(support_assert_ours|run_on_both)\(' "$f" || echo "$f does not assert whose library it runs on"
	done
}

# Only the files that decide about the environment call getenv.
check_environment()
{
	grep -nE '\b(secure_)?getenv[[:space:]]*\(' -r src --include='*.[ch]' |
		grep -vE '^src/(pmem/config|common/mapping|common/log|blk/base/ctl[a-z_]*|tool/commands/[a-z_]*)\.c:' |
		sed 's/$/   reads the environment/'
}

# Names that check, find, load or decode never store to the medium.
check_readers()
{
	awk -v stores='storage_(store32|store64|write|zero|flush|fence)' '
		FNR == 1 { name = "" }
		/^[a-z_].*\(/ && !/;$/ && match($0, /[a-z_0-9]+\(/) { name = substr($0, RSTART, RLENGTH - 1) }
		/^[a-z_0-9]+\(/ { name = $0; sub(/\(.*/, "", name) }
		/^}/ { name = "" }
		name ~ /(^|_)(check|find|load|decode)(_|$)/ && $0 ~ stores {
			print FILENAME ":" FNR ": " name " stores to the medium"
		}' $(find src/blk -name '*.c')
}

check_licences()
{
	local f
	for f in $(find Makefile src include tests examples .ci .packaging -type f | grep -E '\.(c|h|sh|map|mk)$|Makefile$|^.ci/'); do
		head -n 3 "$f" | grep -q 'SPDX-License-Identifier: BSD-3-Clause' || echo "$f has no SPDX line"
	done
}

# Lists the symbols to which the objects below $1 refer.
nm=${CROSS:-}nm
refers()
{
	find "$1" -name '*.o' | while read -r o; do
		$nm -u "$o" | awk -v o="$o" '{ print o, $NF }'
	done
}

check_objects()
{
	refers "$1/src/common" | grep -E ' pmem(blk)?_' | sed 's/ / of common refers to /'
	refers "$1/src/pmem" | grep -E ' pmemblk_' | sed 's/ / refers to /'
	refers "$1/src/blk" | grep -E ' pmem_' | grep -v '/storage/pool\.o ' |
		sed 's/ / calls libpmem past the storage: /'
}

# Pure parts do no I/O and have no writable data and no locks.
pure='pmem/engine_select pmem/x86_64/features blk/base/fletcher64 blk/base/pool_format_check blk/pool/header
	blk/btt/geometry blk/btt/info blk/btt/flog blk/btt/format_check blk/poolset/parse blk/poolset/poolset'
check_pure()
{
	local impure f o
	impure='^(open|openat|read|pread|write|pwrite|close|mmap|munmap|msync|ioctl|stat|fstat|fopen|fread|getenv|secure_getenv|pthread_.*)(64)?$'
	for f in $pure; do
		o=$1/src/$f.o
		[ -f "$o" ] || { [ -f "src/$f.c" ] && [[ $f != pmem/x86_64/* ]] && echo "$o is missing"; continue; }
		$nm -u "$o" | awk '{ print $NF }' | grep -E "$impure" | sed "s|^|src/$f.c is not pure: it calls |"
		${CROSS:-}size -A "$o" | awk '$1 ~ /^\.t?(data|bss)$/ && $2 > 0' | sed "s|^|src/$f.c is not pure: it holds |"
	done
}

# expect_none CLAIM CHECK [ARGUMENT...]
expect_none()
{
	local claim=$1 found
	shift
	found=$("$@")
	[ -z "$found" ] || { echo "$found"; fail "$claim: broken by the above"; }
	case_ok "$claim"
}

obj=$BUILD/obj
[ -d "$obj/src" ] || fail "nothing is built in $obj"
n=$(includes | wc -l)
[ "$n" -gt 500 ] || fail "only $n includes were found"
expect_none "every file includes headers of its own room and of those below ($n includes)" check_includes
expect_none "no two headers need each other" check_circles
expect_none "every API test asserts whose library it runs on" check_api_tests
expect_none "the environment is read in one place per library" check_environment
expect_none "functions that check, find, load or decode never store" check_readers
expect_none "no object refers to a layer above it; storage/pool alone calls libpmem" check_objects "$obj"
if [ -z "${SAN:-}${COV:-}" ]; then
	expect_none "pure parts do no I/O and hold no data ($(wc -w <<<"$pure") parts)" check_pure "$obj"
fi
expect_none "every source file names its licence" check_licences

# --- each rule is broken once, in a copy ---------------------------------------------------

copy=$work/copy
mkdir "$copy"
cp -r Makefile src include tests examples .ci .packaging "$copy/"
cd "$copy"

# plant FILE TEXT CHECK [ARGUMENT...]: with TEXT at the end of FILE, CHECK names FILE.
plant()
{
	local file=$1 text=$2
	shift 2
	cp "$file" "$work/before"
	printf '%s\n' "$text" >>"$file"
	"$@" | grep -qF "$file" || fail "$file with '$text' passes $1"
	cp "$work/before" "$file"
}

while read -r file header; do
	scope=$file plant "$file" "#include \"$header\"" check_includes
done <<'EOF'
src/common/file.c engine.h
src/common/file.c storage/storage.h
src/pmem/deep.c storage/storage.h
src/blk/base/alloc.c storage/storage.h
src/blk/storage/pool.c btt/btt.h
src/blk/storage/pool.c poolset/map.h
src/blk/btt/btt.c pool/pool.h
src/blk/btt/btt.c poolset/poolset.h
src/blk/poolset/map.c btt/btt.h
src/blk/poolset/map.c pool/pool.h
src/blk/pool/pool.c engine.h
src/blk/pool/pool.c repair/plan.h
src/blk/pmemblk.c poolset/poolset.h
src/tool/image/image.c repair/plan.h
src/tool/repair/plan.c commands/tool.h
src/tool/repair/plan.c grow/grow.h
src/tool/grow/grow.c commands/progress.h
src/tool/main.c repair/plan.h
tests/api/blk/test_pool.c btt/btt.h
tests/compat/pool.c support.h
examples/copy_file.c file.h
EOF
scope=src/blk/pool/pool.c plant src/blk/pool/pool.c '#include <libpmem.h>' check_includes
scope=src/blk/btt/btt.c plant src/blk/btt/btt.c '#include <libpmemblk.h>' check_includes
scope=src/common/file.c plant src/common/file.c '#include <libpmem.h>' check_includes
plant src/blk/storage/storage.h '#include "storage/pool.h"' check_circles
plant src/blk/pool/pool.c 'int f(void) { return getenv("X") != 0; }' check_environment
plant src/blk/btt/find.c $'int btt_find_x(void)\n{\n\tstorage_fence(s, step);\n}' check_readers
printf '#include "support.h"\n' >tests/api/blk/test_planted.c
check_api_tests | grep -q test_planted || fail "an API test that asserts nothing passes"
check_licences | grep -q test_planted || fail "a file without a licence passes"

# plant_object FOLDER NAME CODE CHECK
plant_object()
{
	rm -rf "$work/obj"
	mkdir -p "$work/obj/src/common" "$work/obj/src/pmem" "$work/obj/src/blk" "$work/obj/src/$1"
	for f in $pure; do
		mkdir -p "$work/obj/src/$(dirname "$f")"
		[ -f "$obj/src/$f.o" ] && cp "$obj/src/$f.o" "$work/obj/src/$f.o"
	done
	printf '%s\n' "$3" | $CC -x c -c -o "$work/obj/src/$1/$2.o" - || fail "the planted code does not compile"
	"$4" "$work/obj" | grep -q "src/$1/$2" || fail "$1/$2 with '$3' passes $4"
}

plant_object common file 'void pmem_drain(void); void f(void) { pmem_drain(); }' check_objects
plant_object common file 'void pmemblk_close(void); void f(void) { pmemblk_close(); }' check_objects
plant_object pmem deep 'void pmemblk_close(void); void f(void) { pmemblk_close(); }' check_objects
plant_object blk/pool pool 'void pmem_persist(void); void f(void) { pmem_persist(); }' check_objects
plant_object blk/btt btt 'void pmem_drain(void); void f(void) { pmem_drain(); }' check_objects
if [ -z "${SAN:-}${COV:-}" ]; then
	plant_object blk/btt geometry 'int close(int); void f(void) { close(1); }' check_pure
	plant_object blk/btt geometry 'int count; int f(void) { return count++; }' check_pure
fi
case_ok "each of these rules is enforced: a planted violation is found"
