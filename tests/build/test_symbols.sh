#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The binary interface: names, versions, SONAMEs and dependencies of the shared libraries. Exports,
# version scripts, headers and archives must agree.
. "$(dirname "$0")/lib.sh"
nm=${CROSS:-}nm
readelf=${CROSS:-}readelf

# The interface of the original, with which programs are linked, and the functions added since.
cat >"$work/libpmem.fixed" <<'END'
pmem_check_version
pmem_deep_drain
pmem_deep_flush
pmem_deep_persist
pmem_drain
pmem_errormsg
pmem_flush
pmem_has_auto_flush
pmem_has_hw_drain
pmem_is_pmem
pmem_map_file
pmem_memcpy
pmem_memcpy_nodrain
pmem_memcpy_persist
pmem_memmove
pmem_memmove_nodrain
pmem_memmove_persist
pmem_memset
pmem_memset_nodrain
pmem_memset_persist
pmem_msync
pmem_persist
pmem_unmap
END
cat >"$work/libpmem.added" <<'END'
pmem_log_get_threshold
pmem_log_set_function
pmem_log_set_threshold
END
cat >"$work/libpmemblk.fixed" <<'END'
pmemblk_bsize
pmemblk_check
pmemblk_check_version
pmemblk_close
pmemblk_create
pmemblk_ctl_exec
pmemblk_ctl_get
pmemblk_ctl_set
pmemblk_errormsg
pmemblk_nblock
pmemblk_open
pmemblk_read
pmemblk_set_error
pmemblk_set_funcs
pmemblk_set_zero
pmemblk_write
END
cat >"$work/libpmemblk.added" <<'END'
pmemblk_readv
pmemblk_set_zero_range
pmemblk_writev
END
# The version nodes of the added functions. That of libpmem is the original's.
echo LIBPMEM_1.0 >"$work/libpmem.node"
echo LIBPMEMBLK_1.14 >"$work/libpmemblk.node"
[ "$(cat "$work/libpmem.fixed" "$work/libpmemblk.fixed" | wc -l)" -eq 39 ] || fail "23 + 16"

# Lists the functions that a header declares: removes comments, directives and types.
declared()
{
	${CC} -E -P "$SOURCE/include/$1.h" | tr '\n' ' ' | sed 's/extern "C" {//' | tr ';' '\n' |
		grep -vE '^ *(typedef|enum|struct|union)\b' |
		grep -oE '\bpmem(blk)?_[a-z_]+ *\(' | tr -d ' (' | sort -u
}

# check LIBRARY NODE
check()
{
	local lib=$1 node=$2 so=$BUILD/lib/$1.so.1.0.0 map added
	map=$(find "$SOURCE/src" -name "$lib.map")
	added=$(cat "$work/$lib.node")

	$nm -D --defined-only --with-symbol-versions "$so" >"$work/nm"
	# A node itself is an absolute symbol in some linkers' output.
	awk '{ print $NF }' "$work/nm" | grep -vE "^($node(@@$node)?|$added(@@$added)?)\$" | sort >"$work/$lib.versioned"
	{
		sed "s/\$/@@$node/" "$work/$lib.fixed"
		sed "s/\$/@@$added/" "$work/$lib.added"
	} | sort | diff - "$work/$lib.versioned" || fail "$lib: versions (right) are not those of the interface (left)"
	sed 's/@@.*//' "$work/$lib.versioned" >"$work/$lib.exported"
	awk '$2 != "T" && $2 != "A"' "$work/nm" | grep . && fail "$lib: exports something that is no function"
	case_ok "$lib: every export is a function of the version $node, or an added one of $added"

	sort "$work/$lib.fixed" "$work/$lib.added" | diff - "$work/$lib.exported" ||
		fail "$lib: exports (right) and interface (left) differ"
	case_ok "$lib: exports the interface and nothing else"

	sed -n 's/^[[:space:]]*\([a-z_0-9]*\);.*/\1/p' "$map" | sort |
		diff - "$work/$lib.exported" || fail "$lib: version script and exports differ"
	grep '{' "$map" | sort | diff <(printf '%s {\n' "$node" "$added" | sort -u) - || fail "$lib: the version script's nodes"
	declared "$lib" | diff - "$work/$lib.exported" || fail "$lib: header and exports differ"
	case_ok "$lib: header, version script and exports agree"

	$nm --defined-only --extern-only "$BUILD/lib/$lib.a" | awk 'NF == 3 { print $3 }' | sort |
		diff - "$work/$lib.exported" || fail "$lib.a: other global symbols than the interface"
	case_ok "$lib: the archive shows the same names"

	# State of the whole process: other threads see a change even if it is undone later. A
	# thread's own mask of signals is none.
	forbidden='umask|f?chdir|sigprocmask|fts(64)?_.*|nftw(64)?|setlocale'
	[ -n "${SAN:-}" ] || ! $nm -D --undefined-only "$so" | awk '{ sub(/@.*/, "", $NF); print $NF }' |
		grep -xE "$forbidden" ||
		fail "$lib: changes the state of the process"
	case_ok "$lib: touches no umask, signal mask or working directory"

	$readelf -dW "$so" >"$work/dynamic"
	grep -q "SONAME.*\[$lib\.so\.1\]" "$work/dynamic" || fail "$lib: SONAME"
	grep -q 'FLAGS_1.*NOW' "$work/dynamic" || fail "$lib: not bound at load time"
	! grep -qE 'RPATH|RUNPATH|TEXTREL' "$work/dynamic" || fail "$lib: run path or text relocations"
	$readelf -lW "$so" | grep -qE 'GNU_STACK.* RW ' || fail "$lib: executable stack"
	[ -L "$BUILD/lib/$lib.so.1" ] && [ -L "$BUILD/lib/$lib.so" ] || fail "$lib: links"
	case_ok "$lib: SONAME, BIND_NOW, no run path, no executable stack"
}

check libpmem LIBPMEM_1.0
needed()
{
	# The loader is part of libc; thread-local data of a shared library names it.
	sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p' "$work/dynamic" | grep -v '^ld-linux' | sort | tr '\n' ' '
}
[ -n "${SAN:-}" ] || [ "$(needed)" = "libc.so.6 " ] || fail "libpmem needs $(needed)"
check libpmemblk LIBPMEMBLK_1.0
[ -n "${SAN:-}" ] || [ "$(needed)" = "libc.so.6 libpmem.so.1 " ] || fail "libpmemblk needs $(needed)"
case_ok "libc is the only dependency outside of the pair"

# A program with more rights than its caller must ignore the caller's environment. The code that counts
# coverage has variables of its own.
for lib in libpmem libpmemblk; do
	$nm -D --undefined-only "$BUILD/lib/$lib.so.1.0.0" | sed 's/@.*//' | awk '{ print $NF }' >"$work/$lib.imported"
	grep -qx secure_getenv "$work/$lib.imported" || fail "$lib: where does it read the environment?"
	[ -n "${COV:-}" ] || ! grep -xE 'getenv|environ|__environ|_environ' "$work/$lib.imported" || fail "$lib: reads the environment"
done
case_ok "the environment is read with secure_getenv only"

$nm --defined-only "$BUILD/blk-internals.a" 2>/dev/null | sed -n 's/.* T //p' >"$work/internals"
grep -q '^btt_' "$work/internals" || fail "blk-internals.a has no internals"
! grep '^pmemblk_' "$work/internals" || fail "with -flto the tool would take these from the archive, not from the library"
case_ok "what the tool has of libpmemblk besides the library is none of the public functions"
