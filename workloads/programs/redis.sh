# redis-server over loopback: 200,000 keys set, a load by redis-benchmark, half of the keys expired, the rest dropped by FLUSHALL,
# and half a second of rest. On every row FLUSHALL asks jemalloc, which Debian's server is linked with, to give back: the row
# jemalloc hears it, others do not.
# shellcheck shell=sh source=workloads/programs/common.sh
. "${0%/*}/common.sh"
unset REDISCLI_AUTH
# The server's program, without its service: it is one file with the checker, and goes by its name.
ln -s "$(command -v redis-check-rdb)" redis-server
# Not by redis-benchmark, whose random keys differ from run to run. Every other key runs out at once.
awk 'BEGIN {
    for (i = 0; i < 200000; i++)
        printf "*%d\r\n$3\r\nSET\r\n$16\r\nkey:%012d\r\n$200\r\n%0200d\r\n%s", i % 2 ? 5 : 3, i, i, i % 2 ? "$2\r\nPX\r\n$1\r\n1\r\n" : ""
}' > keys.resp
port=$(free_port)
ask() {
    redis-cli -h 127.0.0.1 -p "$port" "$@"
}
has_keys() {
    [ "$(ask dbsize)" = "$1" ]
}
phase start
serve ./redis-server --bind 127.0.0.1 --port "$port" --save '' --appendonly no --daemonize no --enable-debug-command local > redis.log
until_done ask ping || { cat redis.log >&2; exit 1; }
# What ran out stays until its phase.
ask debug set-active-expire 0 > redis-cli.txt
phase fill
ask --pipe < keys.resp >> redis-cli.txt
phase load
redis-benchmark -h 127.0.0.1 -p "$port" -q -n 100000 -d 200 -P 16 -t set,lpush > benchmark.txt
has_keys 200002
phase expire
ask debug set-active-expire 1 >> redis-cli.txt
until_done has_keys 100002
phase flush
ask flushall sync >> redis-cli.txt
has_keys 0
phase after
sleep 0.5
end_server
