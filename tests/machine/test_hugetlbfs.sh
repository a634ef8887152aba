# SPDX-License-Identifier: BSD-3-Clause
#
# Pools and files on hugetlbfs, in pages of 2 MiB. Takes 64 of them for a moment, as root.
. "$(dirname "$0")/lib.sh"

reserve=/proc/sys/vm/nr_hugepages
[ "$(id -u)" -eq 0 ] || skip "hugetlbfs needs root"
[ -w $reserve ] || skip "this kernel has no huge pages"
before=$(cat $reserve)
at_exit "echo $before >$reserve"
# The kernel may have no huge pages, or not enough free ones.
{ echo $((before + 64)) >$reserve; } 2>/dev/null || skip "huge pages cannot be reserved here"
[ "$(cat $reserve)" -eq $((before + 64)) ] || skip "not enough free memory for 64 huge pages"
mount_here -t hugetlbfs -o pagesize=2M none || skip "hugetlbfs cannot be mounted here"
place=$BUILD/tests/machine/place

ours "$place" use "$work/mnt" $((18 << 20)) || fail "18 MiB cannot be used"
case_ok "a pool and files of whole huge pages are used"

out=$(ours "$place" lose "$work/mnt/lost" $((18 << 20))) || fail "a lost huge page: ${out:-the signal ends the program}"
grep -q 'media error' <<<"$out" || fail "$out"
case_ok "a pool with sigbus.catch survives the loss of huge pages"

if out=$(ours "$place" create "$work/mnt/pool" 16785408); then fail "an odd pool is made"; fi
grep -q 'no multiple of 2097152, the huge page.*errno 22' <<<"$out" || fail "no reason: $out"
[ ! -e "$work/mnt/pool" ] || fail "the odd pool's file is left"
case_ok "a pool that fills no whole page is refused with the reason"

fallocate -l $((3 << 20)) "$work/mnt/odd"
out=$(ours "$place" map "$work/mnt/odd") || fail "$out"
case_ok "a file of one and a half pages: $out"
