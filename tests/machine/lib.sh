# SPDX-License-Identifier: BSD-3-Clause
#
# What the scripts about machines share; to be sourced. Besides what all scripts share it offers
#   $work              an empty folder that is removed at exit
#   at_exit COMMAND    runs COMMAND at exit, before the folder is removed, the latest first
#   ours COMMAND...    runs COMMAND with the libraries under test
#   mount_here ARGS    mounts on $work/mnt, in a mount namespace that ends with the script;
#                      fails where that is not allowed
. "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

: "${SOURCE:=$(realpath "$(dirname "$0")/../..")}" "${BUILD:=$SOURCE/build/release}" "${CC:=cc}"

# Only the script sees its mounts, and they end with it, however it ends.
if [ "$(id -u)" -eq 0 ] && [ -z "${PMEM_TEST_NAMESPACE:-}" ] &&
	unshare -m true 2>/dev/null; then
	PMEM_TEST_NAMESPACE=1 exec unshare -m --propagation private bash "$0" "$@"
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/pmemmachine.XXXXXX")
at_exit_commands=()
run_at_exit()
{
	local i
	for ((i = ${#at_exit_commands[@]} - 1; i >= 0; i--)); do
		eval "${at_exit_commands[i]}" || true
	done
	rm -rf --one-file-system "$work"
}
trap run_at_exit EXIT

at_exit()
{
	at_exit_commands+=("$*")
}

ours()
{
	LD_LIBRARY_PATH=$BUILD/lib "$@"
}

mount_here()
{
	[ -n "${PMEM_TEST_NAMESPACE:-}" ] || return 1
	mkdir -p "$work/mnt"
	mount "$@" "$work/mnt" 2>/dev/null || return 1
	at_exit "umount $work/mnt 2>/dev/null"
}
