#!/usr/bin/env bash
# test_serve.sh: ./serve --engine clickhouse, as someone tries it: a batch, its report, Ctrl-C, the same again, and nothing
# is left; and servers that run already.
#
# Seen to fail:
#   reader without the wait for its spool -> "FAIL the first read: {"data":[]}"
. "${BASH_SOURCE[0]%/*}/../support/totals.sh"
SOURCE=$PWD
BUILD=${ANALYTICS_BUILDDIR:?is not set: run the tests through make check}
PATH=$PATH:/usr/sbin
if ! { command -v clickhouse-server && command -v java && [ -e /usr/share/java/zookeeper.jar ]; } >/dev/null; then
    echo 'skipped: clickhouse-server, java or zookeeper is not installed'
    exit 77
fi
tmp=$(mktemp -d /tmp/analytics-clickhouse.XXXXXX)
chmod 755 "$tmp"
PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
serve=
trap '[ -z "$serve" ] || kill $serve 2>/dev/null; wait; rm -rf "$tmp"' EXIT

start() { # OPTION…
    "$SOURCE/serve" --no-setup --build-dir "$BUILD" --port "$PORT" --query-processes 2 "$@" >"$tmp/log" 2>&1 &
    serve=$!
    for _ in {1..1200}; do
        ! curl -fs "http://127.0.0.1:$PORT/analytics/health" >/dev/null || return 0
        kill -0 $serve 2>/dev/null || break
        sleep 0.1
    done
    verdict "./serve $*" "$(tail -n 3 "$tmp/log")"
}
stop() {
    kill -INT $serve
    wait $serve || true
    serve=
}
post() { # DATA KEY
    curl -s -o /dev/null -w '%{http_code}' -H "x-api-key: $(<"$1/keys/worker.key")" -H 'content-type: application/json' \
        -H "idempotency-key: $2" --data-binary @examples/sample-batch.json "http://127.0.0.1:$PORT/analytics/ingest"
}
count() { # DATA
    curl -s -H "x-api-key: $(<"$1/keys/admin.key")" "http://127.0.0.1:$PORT/analytics/requests?from=2026-03-15&to=2026-03-15"
}
is() { # WHAT EXPECTED GOT
    verdict "$1" "$([ "$3" = "$2" ] || echo "$3, not $2")"
}

# The sample batch counts 12 requests.
one='{"data":[{"bucket":"2026-03-15 10:15:00","total_count":"12","total_errors":"0"}]}'
two='{"data":[{"bucket":"2026-03-15 10:15:00","total_count":"24","total_errors":"0"}]}'
start --engine clickhouse --data "$tmp/a"
is 'a batch' 204 "$(post "$tmp/a" k1)"
is 'the first read' "$one" "$(count "$tmp/a")"
is 'the batch once more' 204 "$(post "$tmp/a" k1)"
is 'is counted once' "$one" "$(count "$tmp/a")"
stop
is 'nothing is left' '' "$(pgrep -af "$tmp/a" || true)"
start --engine clickhouse --data "$tmp/a"
is 'after a restart' "$one" "$(count "$tmp/a")"
is 'another batch' 204 "$(post "$tmp/a" k2)"
is 'both' "$two" "$(count "$tmp/a")"
stop

tools/clickhouse.sh make "$tmp/own" 1x1
tools/clickhouse.sh start "$tmp/own"
chmod 644 "$tmp/own"/*password
export ANALYTICS_CLICKHOUSE_PASSWORD_FILE=$tmp/own/password ANALYTICS_CLICKHOUSE_REPORTS_PASSWORD_FILE=$tmp/own/reports.password
start --engine clickhouse --clickhouse-url "$(tools/clickhouse.sh urls "$tmp/own")" --data "$tmp/b"
is 'a batch for servers that run already' 204 "$(post "$tmp/b" k1)"
is 'its report' "$one" "$(count "$tmp/b")"
tools/clickhouse.sh stop "$tmp/own"
is 'a batch while they are away' 204 "$(post "$tmp/b" k2)"
ctl() { "$BUILD/analyticsctl" --data "$tmp/b" "$@" 2>&1 || true; }
for _ in {1..600}; do
    status=$(ctl status)
    [[ $status != *'no answer of ClickHouse'* ]] || break
    sleep 0.1
done
verdict 'status says what waits' "$([[ $status =~ Spool\ +[1-9][0-9]*\ logs\ wait ]] || echo "$status")"
verdict 'status says why' "$([[ $status == *'no answer of ClickHouse'* ]] || echo "$status")"
for command in verify "export --format csv --from 2026-03-15 --to 2026-03-15"; do
    # shellcheck disable=SC2086 # split on purpose
    words=$(ctl $command)
    verdict "$command refuses a spool" "$([[ $words == *'is the spool of the engine clickhouse'* ]] || echo "$words")"
done
is 'a report while they are away' 503 "$(curl -s -o /dev/null -w '%{http_code}' -H "x-api-key: $(<"$tmp/b/keys/admin.key")" \
    "http://127.0.0.1:$PORT/analytics/requests?from=2026-03-15&to=2026-03-15")"
tools/clickhouse.sh start "$tmp/own"
for _ in {1..600}; do
    [ "$(count "$tmp/b")" != "$two" ] || break
    sleep 0.1
done
is 'both when they are back' "$two" "$(count "$tmp/b")"
stop
tools/clickhouse.sh stop "$tmp/own"
finish
