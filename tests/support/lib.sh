# SPDX-License-Identifier: BSD-3-Clause
#
# What all test scripts share; to be sourced, by the lib.sh of the script's folder.
#   case_ok NAME                   counts a case
#   fail TEXT, skip TEXT           end the test
#   need_command COMMAND PACKAGE   skips the test where the command is missing
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
