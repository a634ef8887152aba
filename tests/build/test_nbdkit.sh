#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The example plugin for nbdkit: an image goes to a pool and comes back, by unaligned requests and
# by several connections; a request takes as many syncs as one block; errors arrive as errors.
. "$(dirname "$0")/lib.sh"
only_plain_variants
need_command pkg-config pkg-config
need_command nbdkit nbdkit
need_command nbdcopy libnbd-bin
pkg-config --exists nbdkit || skip "nbdkit-plugin-dev is not installed"

install_to "$work/prefix"
PKG_CONFIG_PATH=$work/prefix/lib/pkgconfig:${PKG_CONFIG_PATH:-}
export PKG_CONFIG_PATH LD_LIBRARY_PATH=$work/prefix/lib
cp -r "$SOURCE/examples" "$work/examples"
make -s -C "$work/examples" CC="$CC" CFLAGS="-O2 -Wall -Wextra -Werror" plugin block_array check_pool \
	>"$work/log" 2>&1 || { cat "$work/log"; fail "the plugin does not build"; }
cd "$work"

serve()
{
	nbdkit -U - "$work/examples/nbdkit_pmemblk.so" "$work/pool" --run "$1" >"$work/log" 2>&1 ||
		{ cat "$work/log"; fail "$2"; }
}

# 5,000,003 bytes: the last request ends in the middle of a block.
seq 1 1000000 | head -c 5000003 >image
examples/block_array pool >/dev/null
# Block 2 of the example is in the error state: reading the whole device fails.
nbdkit -U - examples/nbdkit_pmemblk.so pool --run 'nbdcopy "$uri" copy' >"$work/log" 2>&1 &&
	fail "a block in the error state was read"
grep -q 'error' "$work/log" || { cat "$work/log"; fail "no word about the block in the error state"; }
case_ok "a block in the error state is an I/O error"

serve 'nbdinfo --size "$uri"' nbdinfo
[ "$(tail -n 1 "$work/log")" -eq $((7919 * 4096)) ] || fail "the size"
serve 'nbdcopy --connections=4 image "$uri" && nbdcopy --connections=4 "$uri" copy' "nbdcopy"
cmp -n 5000003 image copy || fail "the image came back changed"
tail -c +5000004 copy | head -c 4096 | tr -d '\0' | grep -q . && fail "bytes after the image"
case_ok "an image goes to the pool and comes back"

seq 1000001 2000000 | head -c 5000003 >image2
PMEMBLK_CONF=copy_on_write.at_open=1 serve 'nbdcopy image2 "$uri"' "with copy on write"
serve 'nbdcopy "$uri" copy' "after copy on write"
cmp -n 5000003 image2 copy || fail "what was written is lost: a setting of the library"
serve 'nbdcopy image "$uri" && nbdcopy "$uri" copy' nbdcopy
cmp -n 5000003 image copy || fail "the image came back changed"
case_ok "what is written stays, also if the library is set to copy on write"

serve 'nbdcopy --request-size=4096 "$uri" copy2' "small requests"
cmp copy copy2 || fail "small requests read something else"
[ "$(examples/check_pool pool)" = "pool: consistent, 7919 blocks of 4096 bytes" ] || fail "the pool afterwards"
case_ok "the pool is consistent afterwards"

# Without a check before the fork the first of these waits for ever, and the third reports success.
head -c 20000000 /dev/zero >none
no_pool()
{
	local rc=0
	timeout 20 nbdkit "$@" >"$work/log" 2>&1 || rc=$?
	[ $rc -eq 1 ] || fail "a file that is no pool, nbdkit $*: exit status $rc"
	grep -q "error: .*none holds no pool" "$work/log" || { cat "$work/log"; fail "nbdkit $*: no message"; }
	[ ! -e "$work/socket" ] && [ ! -e "$work/pid" ] || fail "nbdkit $* leaves a socket or a process"
}
no_pool -U - examples/nbdkit_pmemblk.so none --run 'nbdinfo "$uri"'
no_pool -f -U "$work/socket" examples/nbdkit_pmemblk.so none
no_pool -U "$work/socket" -P "$work/pid" examples/nbdkit_pmemblk.so none
case_ok "a file that is no pool is an error: with a command, in the foreground, as a daemon"

start_daemon()
{
	timeout 20 nbdkit -U "$work/socket" -P "$work/pid" "$@" >"$work/log" 2>&1 ||
		{ cat "$work/log"; fail "the daemon does not start"; }
	trap '[ ! -e "$work/pid" ] || kill "$(cat "$work/pid")"; rm -rf "$work"' EXIT
}
stop_daemon()
{
	kill "$(cat "$work/pid")"
	timeout 20 tail --pid="$(cat "$work/pid")" -f /dev/null || fail "the daemon does not end"
	rm -f "$work/socket" "$work/pid"
}
uri="nbd+unix:///?socket=$work/socket"

start_daemon examples/nbdkit_pmemblk.so "$work/pool"
nbdcopy --connections=4 image "$uri" && nbdcopy "$uri" copy && cmp -n 5000003 image copy ||
	fail "writing to a daemon"
nbdinfo "$uri" >info
for line in "block_size_minimum: 1" "block_size_preferred: 4096" "block_size_maximum: 4294967295" \
	"can_multi_conn: true" "can_flush: true" "can_fua: true" "can_trim: true" "can_zero: true" \
	"can_fast_zero: true" "is_read_only: false"; do
	# later versions add the size in other units
	grep -qE "$line( \(.*\))?\$" info || { cat info; fail "the daemon does not announce $line"; }
done
case_ok "a daemon serves; block sizes, connections, flush, FUA, trim and zeros are announced as documented"

timeout 20 nbdkit -U - examples/nbdkit_pmemblk.so pool --run true >"$work/log" 2>&1 &&
	fail "two servers of one pool"
grep -q "error: .*pool is locked" "$work/log" || { cat "$work/log"; fail "no word about the lock"; }
stop_daemon
case_ok "a second server of the same pool is an error"

if [ "$(id -u)" -eq 0 ]; then
	chmod 777 "$work" # the process id is written by the other user
	chmod 600 pool
	start_daemon -u nobody examples/nbdkit_pmemblk.so "$work/pool"
	timeout 20 nbdinfo --size "$uri" >"$work/log" 2>&1 && fail "nobody reads the pool"
	grep -qE "server (replied with error|has no export|has not returned)" "$work/log" || { cat "$work/log"; fail "connection not refused"; }
	chmod 666 pool
	timeout 20 nbdinfo --size "$uri" >"$work/log" 2>&1 || { cat "$work/log"; fail "the next connection"; }
	stop_daemon
	case_ok "a pool that only the child cannot open: connections are refused until it can"
fi

# The functions of the plugin without a server.
$CC -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror -pthread -rdynamic -I"$SOURCE/include" \
	-o requests "$SOURCE/tests/build/nbd_requests.c" -ldl >"$work/log" 2>&1 ||
	{ cat "$work/log"; fail "the test of the plugin does not build"; }
requests()
{
	rm -f requested
	prefix/bin/pmemblk create -b 4K -s 40M -w requested >/dev/null
	timeout 60 ./requests examples/nbdkit_pmemblk.so requested "$1" >"$work/log" 2>&1 ||
		{ cat "$work/log"; fail "requests: $1"; }
}
dir=$PWD
if [ -w "${TEST_SHM:-/dev/shm}" ]; then
	# Nothing here depends on a disk, and thousands of syncs take time.
	shm=$(mktemp -d "${TEST_SHM:-/dev/shm}/pmemnbdkit.XXXXXX")
	trap 'rm -rf "$work" "$shm"' EXIT
	mv requests "$shm"
	ln -s "$dir/prefix" "$dir/examples" "$shm"
	cd "$shm"
fi
for PMEM_IS_PMEM_FORCE in 0 1; do
	export PMEM_IS_PMEM_FORCE
	for name in random threads whole; do
		requests $name
		prefix/bin/pmemblk check -q requested || fail "the pool after the requests: $name"
	done
	case_ok "requests of every kind do what they say, also those that share blocks, PMEM_IS_PMEM_FORCE=$PMEM_IS_PMEM_FORCE"
done
unset PMEM_IS_PMEM_FORCE
requests syncs
case_ok "writes of up to 128 blocks take two syncs, zeros and trims one, flushes and reads none"
requests errors
requests read-only
case_ok "errors name the block; a pool that is read-only is served read-only"
nbdkit -U - examples/nbdkit_pmemblk.so requested --run 'nbdinfo "$uri" && nbdcopy "$uri" copy' >"$work/log" 2>&1 ||
	{ cat "$work/log"; fail "a pool that is read-only"; }
grep -q 'is_read_only: true' "$work/log" || { cat "$work/log"; fail "the server offers to write"; }
case_ok "clients are told that a pool is read-only"
cd "$dir"

original=$(dirname "$(ldconfig -p | awk '/libpmemblk.so.1 / { print $NF; exit }')")
if [ -e "$original/libpmemblk.so.1" ]; then
	LD_LIBRARY_PATH=$original timeout 20 nbdkit -U - examples/nbdkit_pmemblk.so pool --run true >"$work/log" 2>&1 &&
		fail "the plugin works with the original"
	grep -q 'cannot open plugin .*LIBPMEMBLK_1.14' "$work/log" || { cat "$work/log"; fail "no word about the library"; }
	case_ok "with the original's library nbdkit ends and says which version is missing"
fi
