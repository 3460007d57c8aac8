# shellcheck shell=sh
# What the drivers of real programs share; read by each with `.`. A driver is not measured: what it runs as `under ...` is, on
# the malloc of the row. Its input is made here, the same each time, before the first phase of its own.
set -eu

# The named phase begins.
phase() {
    echo "$1" >&"$TIDEMARK_PHASE_FD"
}

# Runs a program measured, on the malloc of the row.
under() {
    env -u TIDEMARK_ASIDE LD_PRELOAD="$TIDEMARK_PROGRAM_PRELOAD" "$@"
}

scratch=$(mktemp -d "${TMPDIR:-/tmp}/tidemark-program-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 143' TERM
cd "$scratch"

# words N SEED: N lines of eight words out of some thousand, drawn by a generator of its own (Park and Miller, 1988), so that no
# version of awk makes another file.
words() {
    awk -v n="$1" -v s="$2" 'BEGIN {
        for (i = 0; i < n; i++) {
            line = ""
            for (j = 0; j < 8; j++) {
                s = (s * 16807) % 2147483647
                line = line (j ? " " : "") "w" (s % 4099)
            }
            print line
        }
    }'
}
