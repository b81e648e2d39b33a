#!/usr/bin/env bash
# test_migrating.sh: the converters of examples/convert/ with real proxies. Squid, HAProxy and nginx's stream module,
# configured as docs/migrating.md says, carry known traffic on loopback. Their logs are converted and imported, and the
# stored bytes must be those that the clients' sockets saw (traffic.py). tests/unit/test_migrating.sh has the other
# proxies.
#
# Seen to fail:
#   nginx_stream.py without $upstream_bytes_sent -> "FAIL nginx: 1c1 < 127.0.0.1||100014|200000 --- > 127.0.0.1||83630|200000"
#   haproxy.py, local time taken for UTC -> "FAIL haproxy, times: …"
. "${BASH_SOURCE[0]%/*}/../support/totals.sh"
CTL=${ANALYTICSCTL:?is the path of the built analyticsctl}
unset ANALYTICS_DATA
dir=$(mktemp -d /tmp/analytics-migrating.XXXXXX)
CHILDREN=()
clean_up() {
    local pid
    for pid in "${CHILDREN[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait
    rm -rf "$dir"
}
trap clean_up EXIT
export TZ=Asia/Kathmandu # 5:45 from UTC, so that a local time that is taken for UTC is noticed
since=$(date +%s)

# Squid refuses to run as root, and the others do not need it.
AS=()
mkdir "$dir/run"
chmod 755 "$dir"
[ "$EUID" -ne 0 ] || { AS=(setpriv --reuid=nobody --regid=nogroup --clear-groups) && chown nobody:nogroup "$dir/run"; }

read -r ORIGIN SQUID HAPROXY HAPROXY_WEB NGINX <<<"$(python3 -c '
import socket
taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(5)]
print(*(server.getsockname()[1] for server in taken))')"

configuration() { # NAME: the block of the page whose first line is "# NAME"
    awk -v name="# $1" '/^```/ { inside = 0 } inside { print } last == "```conf" && $0 == name { inside = 1 } { last = $0 }' docs/migrating.md
}
until_() { # COMMAND…: waits for it
    for _ in {1..600}; do
        ! "$@" 2>/dev/null || return 0
        sleep 0.1
    done
    return 1
}
listens() { : <"/dev/tcp/127.0.0.1/$1"; }
lines() { [ "$(grep -c "$3" "$1")" -ge "$2" ]; } # LOG COUNT PATTERN
start() {                                       # NAME PORT COMMAND…
    "${AS[@]}" "${@:3}" >"$dir/run/$1.log" 2>"$dir/$1.err" &
    CHILDREN+=($!)
    until_ listens "$2" || verdict "$1" "$(cat "$dir/$1.err")"
}
same() { # WHAT EXPECTED SEEN
    verdict "$1" "$([ "$2" = "$3" ] || diff <(echo "$2") <(echo "$3") || true)"
}
stored() { # NAME COLUMNS WHERE
    tr '\t\n' '\037\036' <"$dir/users.tsv" >"$dir/users.ascii"
    sqlite3 :memory: "ATTACH '$dir/$1.data/analytics.db' AS file" 'CREATE TABLE user (id INTEGER, quoted TEXT)' \
        ".import --ascii $dir/users.ascii user" \
        "SELECT $2 FROM file.log JOIN user ON user_id = id AND order_id = id WHERE $3" | LC_ALL=C sort
}

# carried NAME CONVERTER KIND PORT LOG PATTERN: sends the traffic, waits until the log has as many lines with PATTERN, and
# imports it. Sets $seen and $found: the traffic that the clients saw, and that is stored.
carried() {
    local status=0
    seen=$(python3 tests/support/traffic.py "$3" "$4" "$ORIGIN" secret | LC_ALL=C sort) || verdict "$1, traffic" "it ended with $?"
    until_ lines "$5" "$(wc -l <<<"$seen")" "$6" || verdict "$1, log" "$(cat "$5")"
    python3 "examples/convert/$2" "$dir/users.tsv" <"$5" >"$dir/$1.ndjson" || status=$?
    verdict "$1, converted" "$([ "$status" -eq 0 ] || echo "exit $status")"
    "$CTL" --data "$dir/$1.data" init >"$dir/said"
    "$CTL" --data "$dir/$1.data" import --format ndjson "$dir/$1.ndjson" >"$dir/said" 2>&1 || verdict "$1, import" "$(cat "$dir/said")"
    found=$(stored "$1" "json_extract(quoted, '\$') AS user, domain, bytes_sent, bytes_received" "$REAL")
    same "$1, times" '' "$(stored "$1" 'ts' "unixepoch(ts) NOT BETWEEN $since AND unixepoch()")"
}
REAL='bytes_sent > 0' # leaves out the connections by which until_ tries the port

# ---- Squid

for user in alice 'b ob' a%20b ü; do printf '%s:%s\n' "$user" "$(openssl passwd -apr1 secret)"; done >"$dir/run/passwords"
printf '127.0.0.1 site.test\n' >"$dir/run/hosts"
{ configuration squid.conf | sed "s|/var/log/squid|$dir/run|" && cat <<END; } >"$dir/run/squid.conf"
http_port 127.0.0.1:$SQUID
access_log stdio:$dir/run/native.log squid
cache_log $dir/run/cache.log
pid_filename $dir/run/squid.pid
coredump_dir $dir/run
hosts_file $dir/run/hosts
dns_nameservers 127.0.0.1
dns_timeout 1 second
netdb_filename none
pinger_enable off
cache deny all
shutdown_lifetime 0 seconds
auth_param basic program /usr/lib/squid/basic_ncsa_auth $dir/run/passwords
acl users proxy_auth REQUIRED
acl mail port 25
http_access deny !users
http_access deny mail
http_access allow all
END
start squid "$SQUID" squid -N -f "$dir/run/squid.conf"
carried squid squid.py connect "$SQUID" "$dir/run/analytics.log" ' HIER_DIRECT\|/403 '
same squid "$seen" "$found"
same 'squid, refused' 'TCP_DENIED/403|1|25' "$(stored squid 'error, error_count, port' "error <> '' AND $REAL")"
same 'squid, exits' "$(printf '%031d1\n7F000001' 0)" "$(stored squid 'DISTINCT ip_out' "error = ''")"
python3 examples/convert/squid.py "$dir/users.tsv" <"$dir/run/native.log" >"$dir/native" || verdict 'squid, native' "it ended with $?"
same 'squid, native' "$(sed 's/"bytes_sent": [0-9]*/"bytes_sent": 0/; s/"ip_out": "[^"]*"/"ip_out": ""/' "$dir/squid.ndjson")" "$(cat "$dir/native")"

# ---- HAProxy, in front of the origin and in front of Squid

frontend() { # MODE PORT SERVER-PORT
    printf 'frontend %s\n    mode %s\n    bind 127.0.0.1:%s\n    log global\n    default_backend %s-servers\n' "$1" "$1" "$2" "$1"
    configuration "haproxy.cfg, mode $1"
    printf 'backend %s-servers\n    mode %s\n    server one 127.0.0.1:%s\n' "$1" "$1" "$3"
}
{
    printf 'global\n    log stdout format raw local0\ndefaults\n    timeout client 60s\n    timeout server 60s\n    timeout connect 60s\n'
    frontend tcp "$HAPROXY" "$ORIGIN"
    frontend http "$HAPROXY_WEB" "$SQUID"
} >"$dir/run/haproxy.cfg"
start haproxy "$HAPROXY" haproxy -f "$dir/run/haproxy.cfg"
carried haproxy haproxy.py stream "$HAPROXY" "$dir/run/haproxy.log" ' tcp .* [1-9][0-9]* 127'
same haproxy "$seen" "$found"
same 'haproxy, servers' 'tcp-servers/one|7F000001|TCP' "$(stored haproxy 'DISTINCT peer_id, ip_out, protocol' "$REAL")"
carried haproxy-http haproxy.py connect "$HAPROXY_WEB" "$dir/run/haproxy.log" ' http .* [1-9][0-9]* 127'
found=$(stored haproxy-http "json_extract(quoted, '\$'), domain, bytes_sent, bytes_received" "$REAL AND protocol LIKE 'HTTP%'")
same 'haproxy, http' "$(cut -d '|' -f 1,2 <<<"$seen")" "$(cut -d '|' -f 1,2 <<<"$found")"
same 'haproxy, http, bytes' '' "$(paste -d '|' <(echo "$seen") <(echo "$found") |
    awk -F '|' '($3 - $7) ^ 2 > 100 ^ 2 || ($4 - $8) ^ 2 > 100 ^ 2')"

# ---- nginx

cat >"$dir/run/nginx.conf" <<END
load_module modules/ngx_stream_module.so;
pid $dir/run/nginx.pid;
error_log $dir/run/nginx.err;
daemon off;
events {}
stream {
    $(configuration 'nginx.conf, in stream { }' | sed "s|/var/log/nginx|$dir/run|")
    server {
        listen 127.0.0.1:$NGINX;
        proxy_pass 127.0.0.1:$ORIGIN;
    }
}
END
start nginx "$NGINX" nginx -e "$dir/run/nginx.err" -c "$dir/run/nginx.conf"
carried nginx nginx_stream.py stream "$NGINX" "$dir/run/stream.log" '"[1-9][0-9]*" "[0-9]'
same nginx "$seen" "$found"
same 'nginx, upstream' "127.0.0.1:$ORIGIN|TCP|" "$(stored nginx 'DISTINCT peer_id, protocol, error' "$REAL")"
finish
