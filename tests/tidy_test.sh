#!/usr/bin/env bash
# clang-tidy by .clang-tidy over every C and C++ file, as it is compiled in a build folder. Leaves out what is generated.
# usage: tests/tidy_test.sh [FOLDER with compile_commands.json, by default build]
set -uo pipefail
build=$(realpath "${1:-build}") || exit 1
cd "$(dirname "$(readlink -f "$0")")/.." || exit 1
status=0
if ! command -v clang-tidy >/dev/null; then
    echo "$0: clang-tidy is missing (Debian package clang-tidy)" >&2
    exit 1
fi
if [ ! -f "$build/compile_commands.json" ]; then
    echo "$0: $build has no compile_commands.json: cmake --preset release" >&2
    exit 1
fi
# What is switched off has its reason, and each reason is of a check that is switched off.
off=$(sed -n 's/^  \(-[a-z][^,]*\),\{0,1\}$/\1/p' .clang-tidy | sort)
reasons=$(sed -n 's/^# \(-[a-z][^:]*\): ..*/\1/p' .clang-tidy | sort)
if ! diff <(echo "$off") <(echo "$reasons"); then
    echo ".clang-tidy: what is switched off (<) and the reasons (>) differ" >&2
    status=1
fi
# The analyzer gives a function up after so many states, where it would after 225000: half of all time went into a few functions.
states=(--extra-arg=-Xclang --extra-arg=-analyzer-config --extra-arg=-Xclang --extra-arg=max-nodes=40000)
# gcc's flags of a library that is linked as one piece: clang has them not, and nothing is found by them.
gcc_flags=(--extra-arg=-Wno-ignored-optimization-argument)
# sed drops the count of what was left out in the headers of others.
find allocators workloads harness tests \( -name '*.c' -o -name '*.cc' \) -print0 | sort -z |
    xargs -0 -n 1 -P "$(nproc)" clang-tidy -p "$build" --quiet "${states[@]}" "${gcc_flags[@]}" 2>&1 |
    sed -E '/^[0-9]+ warnings? (generated|treated as errors?)\.?$/d' || status=1
exit $status
