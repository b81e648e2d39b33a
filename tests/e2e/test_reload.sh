#!/usr/bin/env bash
# test_reload.sh: the command lines of the systemd units, run by a stand-in for systemd, behind nginx: they start, and
# reload under load, again and again. No request is refused or lost, and new settings are in force after a reload. With
# bad settings a reload fails, and the programs go on. (tests/confine has the restrictions of the units.)
#
# Seen to fail:
#   kill -KILL in ExecReload -> "FAIL batches: 1 503"
#   no --check-config in ExecReload -> "FAIL a reload with bad settings: is good"
#   ExecStart without --config -> "FAIL the service: …where are the databases?…"
#   kill -0 in ExecReload -> "FAIL reload 1 of ingest: it is still the process it was"
. "${BASH_SOURCE[0]%/*}/../support/totals.sh"
BUILD=${ANALYTICS_BUILDDIR:?is not set: run the tests through make check}
PATH=$PATH:/usr/sbin:/sbin
dir=$(mktemp -d /tmp/analytics-reload.XXXXXX)
chmod 755 "$dir"
LOAD=()
clean_up() {
    local file
    [ ${#LOAD[@]} -eq 0 ] || kill "${LOAD[@]}" 2>/dev/null || true
    for file in "$dir"/run/*.manager "$dir/nginx.pid"; do
        [ ! -e "$file" ] || kill "$(<"$file")" 2>/dev/null || true
    done
    wait 2>/dev/null
    rm -rf "$dir"
}
trap clean_up EXIT

# ---- installed below root/, with the data and the sockets here

MAKEFLAGS='' make -s -C "$BUILD" install DESTDIR="$dir/root" >"$dir/install.log" 2>&1 || cat "$dir/install.log"
units=$(dirname "$(find "$dir/root" -name analytics-ingest.service -print -quit)")
settings=$(find "$dir/root" -path '*/fonproxy-analytics/analytics.conf' ! -path '*/share/*' -print -quit)
sed -i "s|/var/lib/fonproxy-analytics|$dir/data|" "$settings"
sed -i -E "/^Exec/s#(^Exec[A-Za-z]*=|--config )(/[^ ]*analytics)#\\1$dir/root\\2#g" "$units"/*.service
as_user=()
mkdir "$dir/run" "$dir/data"
if [ "$EUID" -eq 0 ]; then
    as_user=(setpriv --reuid www-data --regid www-data --clear-groups --no-new-privs)
    chown www-data: "$dir/run" "$dir/data"
fi

# ---- a stand-in for systemd: holds the socket, starts again what ends, and runs ExecReload= line by line

cat >"$dir/manager" <<'END'
# manager UNIT NAME…: runs a process of the unit for each name; descriptor 0 is their socket
lines() { sed -n "s/^$1=+\{0,1\}//p" "$UNIT" | sed 's/\$\$/$/g'; }
run_line() { eval "MAINPID=$main $1" </dev/null >>"$NAME.log" 2>&1; }
reload() {
    while read -r line; do
        run_line "$line" || { echo failed >"$NAME.reload" && return; }
    done < <(lines ExecReload)
    echo good >"$NAME.reload"
}
UNIT=$1 stopping='' main=''
for NAME in "${@:3}"; do bash "$0" "$UNIT" "$NAME" <&0 & done
NAME=$2
echo $$ >"$NAME.manager"
trap 'stopping=yes; kill -TERM $main 2>/dev/null' TERM
trap reload HUP
until [ -n "$stopping" ]; do
    while read -r line; do
        run_line "$line" || { sleep 0.5 && continue 2; }
    done < <(lines ExecStartPre)
    eval "exec $(lines ExecStart)" <&0 2>>"$NAME.log" &
    main=$!
    echo $main >"$NAME.pid"
    while kill -0 $main 2>/dev/null; do wait $main; done
done
wait
END
# A shell cannot trap a signal that was ignored when it started, as SIGHUP is under nohup.
manager() { # UNIT SOCKET NAME…
    (cd "$dir/run" && exec "${as_user[@]}" spawn-fcgi -n -s "$dir/run/$2" -M 0666 -b 1024 -- "$(command -v env)" --default-signal=HUP "$(command -v bash)" "$dir/manager" "$units/$1" "${@:3}") &
}
await() { # COMMAND…: waits until it is true, for 20 seconds
    for ((SECONDS = 0; SECONDS < 20; )); do
        "$@" && return
        sleep 0.1
    done
    return 1
}
reload() { # NAME: prints good or failed
    rm -f "$dir/run/$1.reload"
    kill -HUP "$(<"$dir/run/$1.manager")"
    await test -s "$dir/run/$1.reload" || echo 'no answer'
    cat "$dir/run/$1.reload"
}
manager analytics-ingest.service ingest.sock ingest
await test -e "$dir/data/analytics.db" || true
manager analytics-query@.service query.sock query1 query2

# ---- nginx, as an operator sets it up

PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])' 2>/dev/null ||
    echo $((20000 + RANDOM % 20000)))
mkdir "$dir/nginx" "$dir/tmp"
cp nginx/*.conf "$dir/nginx"
sed -i "s|/run/fonproxy-analytics|$dir/run|" "$dir/nginx/analytics-upstream.conf"
sed -i "s|/var/log/nginx/analytics.log|$dir/access.log|" "$dir"/nginx/*.conf
cat >"$dir/nginx.conf" <<END
pid $dir/nginx.pid;
error_log $dir/error.log warn;
events { }
http {
    client_body_temp_path $dir/tmp/1; proxy_temp_path $dir/tmp/2; fastcgi_temp_path $dir/tmp/3;
    uwsgi_temp_path $dir/tmp/4; scgi_temp_path $dir/tmp/5;
    access_log off;
    include $dir/nginx/analytics-upstream.conf;
    include $dir/nginx/analytics-http.conf;
    server {
        listen 127.0.0.1:$PORT;
        include $dir/nginx/analytics-auth-keys.conf;
        include $dir/nginx/analytics.conf;
    }
}
END
nginx -c "$dir/nginx.conf" -e "$dir/error.log" 2>"$dir/nginx.log" || cat "$dir/nginx.log"
URL=http://127.0.0.1:$PORT/analytics
await curl -fs -m 1 -o /dev/null "$URL/health" || true
verdict 'the service' "$(curl -fsS -m 5 "$URL/health" 2>&1 >/dev/null || tail -n 5 "$dir"/run/*.log)"
[ "$FAILURES" -eq 0 ] || { finish; exit 1; }
KEY=$(cat "$dir/data/keys/worker.key" 2>/dev/null || true)
ADMIN=$(cat "$dir/data/keys/admin.key" 2>/dev/null || true)

# ---- load, and reloads meanwhile

BATCH='{"logs":[{"ts":"2026-03-15 10:15:00","user_id":1,"order_id":3,"domain":"example.com","count":1}]}'
RANGE='from=2026-03-15&to=2026-03-15'
post() { # FILE: posts until it is told to stop
    while [ ! -e "$dir/enough" ]; do
        curl -s -o /dev/null -w '%{http_code}\n' -H "x-api-key: $KEY" -H 'content-type: application/json' -d "$BATCH" "$URL/ingest" || true
    done >"$1"
}
get() { # FILE
    while [ ! -e "$dir/enough" ]; do
        curl -s -o /dev/null -w '%{http_code}\n' -H "x-api-key: $ADMIN" "$URL/traffic?$RANGE" || true
    done >"$1"
}
for i in 1 2 3; do
    post "$dir/post.$i" &
    LOAD+=($!)
    get "$dir/get.$i" &
    LOAD+=($!)
done
pid_of() { cat "$dir/run/$1.pid" 2>/dev/null; }
is_another() { [ "$(pid_of "$1")" != "$2" ]; }
for round in 1 2 3; do
    for name in ingest query1 query2; do
        before=$(pid_of $name)
        verdict "reload $round of $name" "$(result=$(reload $name) && [ "$result" = good ] || echo "${result:-}: $(tail -n 3 "$dir/run/$name.log")")"
        verdict "reload $round of $name" "$(await is_another $name "$before" || echo 'it is still the process it was')"
        [ "$FAILURES" -eq 0 ] || break 2
    done
done

# ---- a reload with bad settings, and one with other settings

echo 'threads = many' >>"$settings"
before=$(pid_of ingest)
verdict 'a reload with bad settings' "$(result=$(reload ingest) && [ "$result" = failed ] || echo "is $result")"
# A program that was told to stop takes no more batches, and with these settings no other one starts.
answers() { cat "$dir"/post.* | grep -cx 204 || true; }
answered=$(answers)
more_answers() { [ "$(answers)" -gt $((answered + 30)) ]; }
verdict 'a reload with bad settings' "$(await more_answers || echo 'no more batches are taken')"
verdict 'a reload with bad settings' "$(is_another ingest "$before" && echo 'took the program away' || true)"
sed -i 's/^threads = many/log_level = debug/' "$settings"
lines=$(grep -c ' debug ' "$dir/run/ingest.log" || true)
verdict 'a reload with other settings' "$(result=$(reload ingest) && [ "$result" = good ] || echo "is $result")"
debugs() { [ "$(grep -c ' debug ' "$dir/run/ingest.log")" -gt "$lines" ]; }
verdict 'a reload with other settings' "$(await debugs || echo 'they do not count')"

: >"$dir/enough"
wait "${LOAD[@]}"
LOAD=()
verdict batches "$(cat "$dir"/post.* | grep -vx 204 | sort | uniq -c)"
verdict reports "$(cat "$dir"/get.* | grep -vx 200 | sort | uniq -c)"
sent=$(cat "$dir"/post.* | grep -cx 204)
stored=$(curl -s -H "x-api-key: $ADMIN" "$URL/traffic?$RANGE" | sed -n 's/.*"total_count":"\([0-9]*\)".*/\1/p')
verdict 'what was accepted' "$([ "$sent" -gt 0 ] && [ "$stored" = "$sent" ] || echo "is $sent batches; $stored are there")"
echo "# $sent batches, $(cat "$dir"/get.* | wc -l) reports"
finish
