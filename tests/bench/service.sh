# shellcheck shell=bash
# service.sh: starts and stops what is measured: the service by ./serve, and a nginx in front of a program that does
# nothing. Sourced by ./bench; BUILD, OUT and REPO are set. Knows processes. Knows no figures.

SERVICE=
NOOP=()

free_port() { # below those that the kernel gives to clients
    local port
    while port=$((10000 + RANDOM % 20000)); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}

# give DIR: to the user that ./serve runs the service as.
give() { [ "$EUID" -ne 0 ] || chown -R www-data: "$1"; }

start_service() { # DATA [STATUS]: until health has that status (200)
    PORT=$(free_port)
    "$REPO/serve" --no-setup --build-dir "$BUILD" --port "$PORT" --data "$1" --rate-ingest 100000 --rate-reads 100000 \
        >"$OUT/serve.log" 2>&1 </dev/null &
    SERVICE=$!
    for _ in {1..300}; do
        [ "$(curl -s -o /dev/null -m 5 -w '%{http_code}' "http://127.0.0.1:$PORT/analytics/health")" != "${2:-200}" ] || break
        kill -0 "$SERVICE" 2>/dev/null || die "the service ended while starting: $(tail -n 5 "$OUT/serve.log")"
        sleep 0.1
    done
    # shellcheck disable=SC2034 # for ./bench
    WORKER_KEY=$(<"$1/keys/worker.key")
    # shellcheck disable=SC2034
    ADMIN_KEY=$(<"$1/keys/admin.key")
}

stop_service() {
    [ -n "$SERVICE" ] || return 0
    kill -TERM "$SERVICE" 2>/dev/null || true
    wait "$SERVICE" || true
    SERVICE=
}

# nginx as the drop-in uses it (a connection for each request), without its checks; /auth asks the pool once more first.
noop_conf() { # FOLDER PORT
    cat <<END
daemon off;
pid $1/nginx.pid;
error_log $1/error.log;
worker_processes auto;
events { worker_connections 1024; }
http {
    access_log off;
    client_body_temp_path $1/tmp;
    fastcgi_temp_path $1/tmp;
    proxy_temp_path $1/tmp;
    scgi_temp_path $1/tmp;
    uwsgi_temp_path $1/tmp;
    upstream noop { server unix:$1/noop.sock; }
    server {
        listen 127.0.0.1:$2;
        fastcgi_param REQUEST_METHOD \$request_method;
        fastcgi_param DOCUMENT_URI \$document_uri;
        fastcgi_param QUERY_STRING \$query_string;
        fastcgi_param CONTENT_LENGTH \$content_length;
        client_max_body_size 16m;
        location = /analytics/ingest { fastcgi_pass noop; }
        location = /noop { fastcgi_pass noop; }
        location = /auth { auth_request /check; fastcgi_pass noop; }
        location = /check { internal; fastcgi_pass noop; }
    }
}
END
}

start_noop() {
    local dir=$OUT/noop
    mkdir -p "$dir/tmp"
    rm -f "$dir/noop.sock"
    NOOP_PORT=$(free_port)
    noop_conf "$dir" "$NOOP_PORT" >"$dir/nginx.conf"
    spawn-fcgi -n -s "$dir/noop.sock" -M 0666 -b 1024 -- "$(command -v multiwatch)" -f $(($(nproc) * 2)) -- \
        "$BUILD/bench_noop" >/dev/null 2>&1 </dev/null &
    NOOP=($!)
    chmod 755 "$dir"
    nginx -p "$dir" -c "$dir/nginx.conf" >/dev/null 2>&1 </dev/null &
    NOOP+=($!)
    for _ in {1..50}; do
        curl -fs -o /dev/null -m 5 "http://127.0.0.1:$NOOP_PORT/auth" && return 0
        sleep 0.1
    done
    die "the program that does nothing does not answer: $(tail -n 5 "$dir/error.log")"
}

stop_noop() {
    [ ${#NOOP[@]} -eq 0 ] || kill -TERM "${NOOP[@]}" 2>/dev/null || true
    [ ${#NOOP[@]} -eq 0 ] || wait "${NOOP[@]}" || true
    NOOP=()
}
