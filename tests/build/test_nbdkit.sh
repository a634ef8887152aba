#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The example plugin for nbdkit: an image goes to a pool and comes back, by unaligned requests and
# by several connections; errors arrive as errors.
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

# 5,000,003 bytes: the last request is no whole block.
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

serve 'nbdcopy --request-size=4096 "$uri" copy2' "small requests"
cmp copy copy2 || fail "small requests read something else"
[ "$(examples/check_pool pool)" = "pool: consistent, 7919 blocks of 4096 bytes" ] || fail "the pool afterwards"
case_ok "the pool is consistent afterwards"
