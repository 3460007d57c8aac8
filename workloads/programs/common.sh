# shellcheck shell=sh
# What the drivers of real programs share; read by each with `.`. A driver is not measured: what it runs as `under ...` is, on
# the malloc of the row. Its input is made here, the same each time, before the first phase of its own.
set -eu

# The named phase begins.
phase() {
    echo "$1" >&"$TIDEMARK_PHASE_FD"
}

# Runs a program measured, on the malloc of the row. It dies with this driver.
under() {
    setpriv --pdeathsig KILL env -u TIDEMARK_ASIDE LD_PRELOAD="$TIDEMARK_PROGRAM_PRELOAD" "$@"
}

# The same for a server: its process is $server, while the driver goes on.
serve() {
    exec setpriv --pdeathsig KILL env -u TIDEMARK_ASIDE LD_PRELOAD="$TIDEMARK_PROGRAM_PRELOAD" "$@" &
    server=$!
}

# Waits until the command succeeds, 10 s at most, and as long as the server is there.
until_done() {
    tries=0
    until "$@" > /dev/null 2>&1; do
        tries=$((tries + 1))
        [ $tries -lt 200 ] && kill -0 "$server" || return 1
        sleep 0.05
    done
}

# Ends the server with its memory as it is: what it would free on its way out is no figure. One that has ended before fails the
# driver.
end_server() {
    kill -KILL "$server"
    ended=$server server=
    wait "$ended" || [ $? -eq 137 ]
}

tidy() {
    if [ -n "$server" ]; then
        kill -KILL "$server" 2> /dev/null || true
        wait "$server" 2> /dev/null || true
    fi
    [ -z "$own_scratch" ] || rm -rf "$own_scratch"
}

# A port of the loopback that nothing has: beneath those that the system gives out, and of two drivers at once not the same.
free_port() {
    cat /proc/net/tcp /proc/net/tcp6 2> /dev/null | awk -v from=$((20000 + $$ % 10000)) '
        { split($2, address, ":"); taken[address[2]] = 1 }
        END { for (port = from; sprintf("%04X", port) in taken; port++) continue; print port }'
}

# The folder that the harness made for this sample and removes, or one of our own.
server='' own_scratch=''
trap tidy EXIT
trap 'exit 143' TERM
[ -n "${TIDEMARK_PROGRAM_SCRATCH:-}" ] || own_scratch=$(mktemp -d "${TMPDIR:-/tmp}/tidemark-program-XXXXXX")
scratch=${TIDEMARK_PROGRAM_SCRATCH:-$own_scratch}
cd "$scratch"
# Debian has servers in /usr/sbin, which is not in the PATH of every user.
export HOME="$scratch" TMPDIR="$scratch" LC_ALL=C.UTF-8 PATH="$PATH:/usr/sbin"

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
