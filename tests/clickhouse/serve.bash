# shellcheck shell=bash
# serve.bash: sourced. Starts, asks and stops ./serve with ClickHouse, for the tests of this folder. Makes $tmp; at the
# end it is removed, and what runs is stopped. debian=no: the test has a server that is not Debian's.
. "${BASH_SOURCE[0]%/*}/../support/totals.sh"
SOURCE=$PWD
BUILD=${ANALYTICS_BUILDDIR:?is not set: run the tests through make check}
PATH=$PATH:/usr/sbin
if [ "${debian:-}" != no ] && ! { command -v clickhouse-server && command -v java && [ -e /usr/share/java/zookeeper.jar ]; } >/dev/null; then
    echo 'skipped: clickhouse-server, java or zookeeper is not installed'
    exit 77
fi
memory=/dev/shm # ZooKeeper syncs a file at each step of making a table
[ -w "$memory" ] || memory=/tmp
tmp=$(mktemp -d "$memory/analytics-clickhouse.XXXXXX")
chmod 755 "$tmp"
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
PORT=$(free_port)
serve=
# shellcheck disable=SC2154 # $own: a cluster that runs beside ./serve
trap '[ -z "$serve" ] || kill $serve 2>/dev/null; wait; [ -z "${own:-}" ] || tools/clickhouse.sh kill "$own"; rm -rf "$tmp"' EXIT

start() { # OPTION…
    "$SOURCE/serve" --no-setup --build-dir "$BUILD" --port "$PORT" --query-processes 2 "$@" >"$tmp/log" 2>&1 &
    serve=$!
    for _ in {1..2000}; do
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
has() { # WHAT PATTERN GOT
    verdict "$1" "$([[ $3 == *$2* ]] || echo "$3, without $2")"
}

# The sample batch counts 12 requests.
counts() { # REQUESTS
    echo '{"data":[{"bucket":"2026-03-15 10:15:00","total_count":"'"$1"'","total_errors":"0"}]}'
}

# A cluster of the test's own, and the settings of the engine that go with it.
make_own() { # SHAPE
    own=$tmp/own
    tools/clickhouse.sh make "$own" "$1"
    tools/clickhouse.sh start "$own"
    chmod 644 "$own"/*password
    export ANALYTICS_CLICKHOUSE_PASSWORD_FILE=$own/password ANALYTICS_CLICKHOUSE_REPORTS_PASSWORD_FILE=$own/reports.password
    ANALYTICS_CLICKHOUSE_URLS=$(tools/clickhouse.sh urls "$own")
    ANALYTICS_CLICKHOUSE_CLUSTER=$([[ $1 == 1x* ]] || echo analytics)
    export ANALYTICS_CLICKHOUSE_URLS ANALYTICS_CLICKHOUSE_CLUSTER ANALYTICS_ENGINE=clickhouse
}
query() { # N SQL: as the user who writes
    curl -s -H 'X-ClickHouse-User: analytics' -H "X-ClickHouse-Key: $(<"$own/password")" --data-binary "$2" \
        "http://127.0.0.1:$(<"$own/server$1/http_port")/?database=analytics"
}
