# xz -6 of 1.6 MB of words.
# shellcheck shell=sh source=workloads/programs/common.sh
. "${0%/*}/common.sh"
unset XZ_OPT XZ_DEFAULTS
words 40000 6 > words.txt
phase run
under xz -6 -T1 -k words.txt
