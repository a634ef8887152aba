# SPDX-License-Identifier: BSD-3-Clause
#
# What all test scripts share; to be sourced, by the lib.sh of the script's folder.
#   case_ok NAME                   counts a case
#   fail TEXT, skip TEXT           end the test
#   need_command COMMAND PACKAGE   skips the test where the command is missing
#   none_inherited WHO FILE        fails if the output of strace on stdin shows a descriptor that a
#                                  program started by WHO would inherit, or nobody opening FILE;
#                                  leaves the lines in $work/descriptors
set -eu
export LC_ALL=C

fail()
{
	echo "not ok: $*"
	exit 1
}

case_ok()
{
	echo "ok $*"
}

skip()
{
	echo "skipped: $*"
	exit 77
}

need_command()
{
	command -v "$1" >/dev/null || skip "$1 (package $2) is not installed"
}

# shellcheck disable=SC2154 # each folder's lib.sh makes $work
none_inherited()
{
	sed -E 's/^[0-9]+ +//' |
		grep -E '^(open|openat|openat2|creat|memfd_create|socket|socketpair|accept4?|dup[23]?|pipe2?|eventfd2?|epoll_create1?|signalfd4?|timerfd_create|userfaultfd)\(|^fcntl\(.*F_DUPFD' \
			>"$work/descriptors"
	grep -qF "$2" "$work/descriptors" || fail "$1: the trace shows nobody opening $2"
	! grep -v CLOEXEC "$work/descriptors" || fail "$1: descriptors that a program started meanwhile inherits"
}
