# zstd -15 of 1.6 MB of words.
# shellcheck shell=sh source=workloads/programs/common.sh
. "${0%/*}/common.sh"
unset ZSTD_CLEVEL ZSTD_NBTHREADS
words 40000 7 > words.txt
phase run
under zstd -15 -q --single-thread -k words.txt
