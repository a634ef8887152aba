#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The debug variant: its folder and SONAME, its log files and levels, and that the release
# variant ignores the variables.
. "$(dirname "$0")/lib.sh"
only_plain_variants
export MAPPED=${TEST_SHM:-/dev/shm}/pmemdebug

cat >"$work/fail.c" <<'END'
#include <libpmem.h>
#include <libpmemblk.h>
#include <stdlib.h>
int main(void)
{
	char a[8], b[8] = "abcdefg";
	size_t len;
	void *p = pmem_map_file(getenv("MAPPED"), 4096, PMEM_FILE_CREATE, 0600, &len, 0);
	if (!p || pmem_unmap(p, len))
		return 1;
	pmem_memcpy(a, b, 8, 1u << 20);
	if (!pmem_errormsg()[0])
		return 2;
	pmem_map_file("/none/pmem", 0, 0, 0, 0, 0);
	return pmemblk_open("/none/blk", 512) != 0;
}
END
run_make install DEBUG=1 PREFIX="$work/p" LIBDIR="$work/p/lib" DESTDIR=
debug=$work/p/lib/pmdk_debug
for l in libpmem libpmemblk; do
	readelf -d "$debug/$l.so.1" | grep -q "SONAME.*\[$l.so.1\]" || fail "SONAME of $l"
done
[ ! -e "$work/p/include" ] || fail "the debug variant installs headers"
case_ok "the debug variant is installed in a folder of its own, with the same SONAMEs"

$CC -I"$SOURCE/include" -o "$work/fail" "$work/fail.c" -L"$BUILD/lib" -lpmemblk -lpmem
lines()
{
	{ grep -c "^<$1>: <$2>" "$3" || true; } 2>/dev/null
}
run()
{
	(cd "$work" && env LD_LIBRARY_PATH="$debug" "$@" ./fail) 2>"$work/err" >"$work/out" ||
		fail "$*: exit status $?"
	rm -f "$MAPPED"
	[ ! -s "$work/out" ] || fail "$*: wrote to stdout"
}

run env -u PMEM_LOG_LEVEL
[ ! -s "$work/err" ] || fail "without a level something was written"
run PMEM_LOG_LEVEL=0 PMEMBLK_LOG_LEVEL=-1
[ ! -s "$work/err" ] || fail "at level 0 something was written"
previous=0
for level in 1 2 3 4 15; do
	run PMEM_LOG_LEVEL=$level
	n=$(grep -c '^<libpmem>: <[1-4]> \[[a-z_]*\.c:[0-9]* [a-z_]*\] ' "$work/err")
	[ "$n" -ge "$previous" ] || fail "level $level logs less than the one before"
	[ "$(wc -l <"$work/err")" -eq "$n" ] || fail "level $level: lines of another form"
	[ "$level" -ne 2 ] || [ "$n" -gt "$previous" ] || fail "level 2 adds nothing"
	[ "$level" -ne 15 ] || [ "$n" -eq "$previous" ] || fail "level 15 is not level 4"
	previous=$n
done
grep -q "version: ${VERSION:-1.14.0}" "$work/err" || fail "no banner"
grep -q '<1>.*/none/pmem' "$work/err" || fail "an error is not in the log"
grep -q '<1>.*unknown flags' "$work/err" || fail "unknown flags are not in the log"
case_ok "levels 1 to 4 log more and more, 10 to 15 as much as 4"

run PMEM_LOG_LEVEL=1 PMEM_LOG_FILE="$work/pmem.log" PMEMBLK_LOG_LEVEL=1 \
	PMEMBLK_LOG_FILE="$work/blk.log-"
[ ! -s "$work/err" ] || fail "with files something was written to stderr"
[ "$(lines libpmem 1 "$work/pmem.log")" -ge 3 ] || fail "libpmem's file"
set -- "$work"/blk.log-*
[ $# -eq 1 ] && [[ ${1##*-} =~ ^[0-9]+$ ]] || fail "the process id is not in the name: $*"
grep -q '^<libpmemblk>: <1> .*/none/blk' "$1" || fail "libpmemblk's file"
case_ok "each library has a file of its own; a trailing - is the process id"

echo old >"$work/pmem.log"
run PMEM_LOG_LEVEL=1 PMEM_LOG_FILE="$work/pmem.log"
grep -q old "$work/pmem.log" && fail "the file is not written anew"
run PMEM_LOG_LEVEL=1 PMEM_LOG_FILE=/none/log PMDK_LOG_ALIGN=60
grep -q 'cannot open log file /none/log' "$work/err" || fail "no word about the file"
grep '^<libpmem>: <1> \[' "$work/err" | head -1 | cut -c61- | grep -q '^ *pid' ||
	fail "PMDK_LOG_ALIGN"
case_ok "a file that cannot be opened does not stop the program"

cat >"$work/again.c" <<'END'
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
static int descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;
	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}
int main(int argc, char **argv)
{
	int before = descriptors();
	for (int i = 0; i < 20; i++) {
		void *library = dlopen(argv[argc - 1], RTLD_NOW);
		if (!library || dlclose(library) != 0)
			return 1;
	}
	if (dlopen(argv[argc - 1], RTLD_NOW | RTLD_NOLOAD))
		return 2;
	if (fcntl(2, F_GETFD) < 0)
		return 3;
	printf("%d more\n", descriptors() - before);
	return 0;
}
END
$CC -o "$work/again" "$work/again.c" -ldl
for files in "" "PMEM_LOG_FILE=$work/pmem.log PMEMBLK_LOG_FILE=$work/blk.log"; do
	for l in libpmem libpmemblk; do
		# shellcheck disable=SC2086
		env LD_LIBRARY_PATH="$debug" PMEM_LOG_LEVEL=1 PMEMBLK_LOG_LEVEL=1 $files \
			"$work/again" "$debug/$l.so.1" >"$work/out" 2>"$work/err" ||
			fail "loading $l again and again, $files: exit status $?"
		[ "$(cat "$work/out")" = "0 more" ] || fail "$l, $files: descriptors: $(cat "$work/out")"
	done
done
case_ok "a library that is unloaded closes its log file, and not stderr"

# Tests what each variable selects; the library prints it when it is loaded. The best that this
# CPU has comes from the kernel's list of its features, in the order of preference.
has()
{
	grep -m1 '^flags' /proc/cpuinfo | grep -qw "$1"
}
first()
{
	for feature; do
		! has "$feature" || { echo "$feature"; return; }
	done
	echo "$feature"
}
# The same for copy kernels; AMD's CPUs have some of their own.
kernel()
{
	local name
	name=$(first "$@")
	if [ "$name" != sse2 ] && grep -q AuthenticAMD /proc/cpuinfo; then name+=-zen; fi
	echo "$name"
}
choose()
{
	run env -u PMEM_NO_CLWB -u PMEM_NO_CLFLUSHOPT -u PMEM_AVX -u PMEM_AVX512F -u PMEM_NO_MOVNT \
		-u PMEM_NO_GENERIC_MEMCPY -u PMEM_MOVNT_THRESHOLD -u PMEM_MOVDIR64B \
		PMEM_NO_FLUSH=0 PMEM_WC_WORKAROUND=0 PMEM_LOG_LEVEL=4 "$@"
	is=$(sed -n 's/.*\] flush /flush /p' "$work/err")
}
selects()
{
	local expected="flush $1"
	shift
	choose "$@"
	[ "$is" = "$expected" ] || fail "$*: expected $expected, is $is"
}
if [ "$(uname -m)" = x86_64 ] && [ ! -r /proc/cpuinfo ]; then
	echo "not tested: what the environment selects: there is no /proc/cpuinfo to compare with"
elif [ "$(uname -m)" = x86_64 ]; then
	flush=$(first clwb clflushopt clflush)
	copy=$(kernel avx512f avx sse2)
	choose
	nt="non-temporal from ${is##* from }"
	selects "$flush, copy $copy, $nt"
	selects "$(first clflushopt clflush), copy $copy, $nt" PMEM_NO_CLWB=1
	selects "$(first clflush), copy $copy, $nt" PMEM_NO_CLWB=1 PMEM_NO_CLFLUSHOPT=1
	selects "$flush (off), copy $copy, $nt" PMEM_NO_FLUSH=1
	selects "$flush, copy $(kernel avx sse2), $nt" PMEM_AVX512F=0
	selects "$flush, copy sse2, $nt" PMEM_AVX512F=0 PMEM_AVX=0
	selects "$flush, copy portable, $nt" PMEM_NO_MOVNT=1
	selects "$flush, copy libc, $nt" PMEM_NO_MOVNT=1 PMEM_NO_GENERIC_MEMCPY=1
	selects "$flush, copy $copy, non-temporal from 4711 bytes on" PMEM_MOVNT_THRESHOLD=4711
	selects "$flush, copy sse2, $nt in bursts" PMEM_AVX512F=0 PMEM_AVX=0 PMEM_WC_WORKAROUND=1
	case_ok "each switch of the environment reaches what is selected"
fi

(cd "$work" && env LD_LIBRARY_PATH="$BUILD/lib" PMEM_LOG_LEVEL=4 PMEMBLK_LOG_LEVEL=4 \
	PMEM_LOG_FILE="$work/no" PMEMBLK_LOG_FILE="$work/no" ./fail >out 2>&1 || [ $? -eq 2 ])
rm -f "$MAPPED"
[ ! -s "$work/out" ] && [ ! -e "$work/no" ] || fail "the release variant logs"
case_ok "the release variant ignores the variables"
