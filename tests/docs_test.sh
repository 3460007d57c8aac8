#!/usr/bin/env bash
# The examples in C of docs/*.md compile without a warning, and have the form of the code.
set -euo pipefail
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cp .clang-format "$scratch"
for page in docs/add-an-allocator.md docs/add-a-workload.md; do
    example=$scratch/$(basename "$page" .md).c
    awk '/^```c$/ {inside = 1; next} /^```/ {inside = 0} inside' "$page" >"$example"
    [ -s "$example" ] || { echo "$page has no example" >&2; exit 1; }
    cc -std=c17 -fsyntax-only -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes \
        -Wmissing-prototypes -Werror -I. "$example"
    clang-format --dry-run --Werror "$example"
    echo "$page: its example compiles"
done
