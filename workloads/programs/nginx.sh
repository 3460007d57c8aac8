# nginx: one worker that serves files of 2 kB to 100 kB over loopback, 3,000 requests from one client, then half a second of rest.
# shellcheck shell=sh source=workloads/programs/common.sh
. "${0%/*}/common.sh"
mkdir files
for size in 2 20 100; do words $((size * 25)) $size > files/$size.txt; done
port=$(free_port)
cat > nginx.conf <<CONF
daemon off; master_process off; worker_processes 1; pid $scratch/nginx.pid; error_log $scratch/error.log;
events { worker_connections 64; }
http { access_log off; gzip on; gzip_types text/plain; client_body_temp_path $scratch/a; proxy_temp_path $scratch/b;
       fastcgi_temp_path $scratch/c; uwsgi_temp_path $scratch/d; scgi_temp_path $scratch/e;
       server { listen 127.0.0.1:$port; root $scratch/files; } }
CONF
phase start
serve nginx -p "$scratch" -c "$scratch/nginx.conf"
# It listens before it writes that.
until_done test -s nginx.pid || { cat error.log >&2; exit 1; }
phase serve
python3 -c '
import socket, sys
names = ("2", "20", "100")
for number in range(60):
    client = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    stream = client.makefile("rb")
    for request in range(50):
        last = request == 49
        client.sendall(("GET /%s.txt HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n%s\r\n"
                        % (names[request % 3], "Connection: close\r\n" if last else "")).encode())
        status, chunked, length = stream.readline(), False, 0
        assert b" 200 " in status, status
        while (line := stream.readline().strip().lower()):
            chunked |= line == b"transfer-encoding: chunked"
            if line.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        if not chunked:
            stream.read(length)
            continue
        while (size := int(stream.readline(), 16)):
            stream.read(size + 2)
        stream.readline()
    client.close()
' "$port"
phase after
sleep 0.5
end_server
