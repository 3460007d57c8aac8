# redis-server: 200,000 keys set by redis-benchmark over loopback, dropped by FLUSHALL, and half a second of rest.
# shellcheck shell=sh source=workloads/programs/common.sh
. "${0%/*}/common.sh"
# The server's program, without its service: it is one file with the checker, and goes by its name.
ln -s "$(command -v redis-check-rdb)" redis-server
phase start
under ./redis-server --port 0 --unixsocket "$scratch/redis.sock" --save '' --appendonly no --daemonize no > redis.log &
server=$!
trap 'kill $server 2> /dev/null || true; wait; rm -rf "$scratch"' EXIT
tries=0
until redis-cli -s redis.sock ping > /dev/null 2>&1; do
    tries=$((tries + 1))
    [ $tries -lt 200 ] || { cat redis.log >&2; exit 1; }
    sleep 0.05
done
phase fill
redis-benchmark -s redis.sock -q -n 400000 -r 200000 -d 200 -P 16 -t set > bench.txt
phase full
sleep 0.2
phase flush
redis-cli -s redis.sock flushall sync > /dev/null
phase after
sleep 0.5
phase end
redis-cli -s redis.sock info memory | grep -E '^(used_memory|mem_allocator)' > info.txt
redis-cli -s redis.sock shutdown nosave 2> /dev/null || true
wait $server || true
