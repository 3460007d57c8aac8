#!/usr/bin/env bash
# The form of the code: clang-format on C and C++, shellcheck on shell scripts.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
status=0
mapfile -t sources < <(find allocators workloads harness tests \( -name '*.c' -o -name '*.h' -o -name '*.cc' \) | sort)
clang-format --dry-run --Werror "${sources[@]}" || status=1
shellcheck -x bench test .ci/run tests/form_test.sh tests/docs_test.sh tests/tidy_test.sh harness/setup.sh workloads/programs/*.sh \
    docs/examples/cluster/*.sh docs/examples/cluster/*.sbatch \
    packaging/completions/tidemark.bash || status=1
exit $status
