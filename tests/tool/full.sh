# SPDX-License-Identifier: BSD-3-Clause
#
# To be sourced, instead of lib.sh, by tests that need a file system which they can fill. Runs the
# script again in a mount namespace of its own, with an empty tmpfs of 20 MiB in $full.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
if [ "${1:-}" != inside ]; then
	[ "$(id -u)" = 0 ] || skip "only root can mount a file system"
	unshare -m true 2>"$work/err" || skip "no mount namespace: $(cat "$work/err")"
	rm -rf "$work"
	exec unshare -m "$BASH" "$0" inside
fi
full=$work/full
mkdir "$full"
mount -t tmpfs -o size=20M,nr_inodes=100 none "$full" 2>"$work/err" || skip "no tmpfs: $(cat "$work/err")"
trap 'umount "$full"; rm -rf "$work"' EXIT

# Fills the file system except for so many pages.
leave()
{
	rm -f "$full/fill"
	dd if=/dev/zero of="$full/fill" bs=4k status=none 2>/dev/null || true
	truncate -s $(($(stat -c %s "$full/fill") - 4096 * $1)) "$full/fill"
}
