#!/usr/bin/env bash
# clickhouse.sh BUILD [MILLIONS]: what the engine "clickhouse" costs, as ratios of one run: servers, service and load on this
# machine (docs/performance.md). MILLIONS of logs for the reports (default 10). Needs ten minutes on an idle machine.
set -euo pipefail
REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
BUILD=$(realpath "$1") MILLIONS=${2:-10} PAIRS=3 SECONDS_EACH=8 LONGER=20
OUT=$(mktemp -d /tmp/analytics-bench.XXXXXX)
chmod 755 "$OUT"
die() { echo "clickhouse.sh: $*" >&2 && exit 1; }
# shellcheck source=tests/bench/service.sh
. "$REPO/tests/bench/service.sh"
tool=$REPO/tools/clickhouse.sh
trap 'stop_service; "$tool" kill "$OUT/own"; rm -rf "$OUT"' EXIT
measure() { python3 "$REPO/tests/bench/clickhouse.py" "$@"; }

"$tool" make "$OUT/own" 1x2
"$tool" start "$OUT/own"
chmod 644 "$OUT"/own/*password
URLS=$("$tool" urls "$OUT/own")
with_engine() { # DATABASE
    export ANALYTICS_ENGINE=clickhouse ANALYTICS_CLICKHOUSE_URLS=$URLS ANALYTICS_CLICKHOUSE_DATABASE=$1 \
        ANALYTICS_CLICKHOUSE_PASSWORD_FILE=$OUT/own/password ANALYTICS_CLICKHOUSE_REPORTS_PASSWORD_FILE=$OUT/own/reports.password
    CLICKHOUSE=("${URLS%%,*}" analytics "$OUT/own/password" "$1")
}
without() { unset "${!ANALYTICS_CLICKHOUSE_@}" ANALYTICS_ENGINE; }
post() { # SECONDS [OPTION]…: logs a second that were acknowledged
    "$BUILD/bench_load" post --port "$PORT" --key "$WORKER_KEY" --service "$SERVICE" --clients 32 --batch 100 --seconds "$1" \
        --warm 0.5 --logs $(($1 * 200000)) --begin 1767225600 "${@:2}" | awk '{ printf "%.0f\n", $2 / $3 }'
}

# ---- acknowledged ingest, in turns

for ((pair = 1; pair <= PAIRS; pair++)); do
    without
    start_service "$OUT/sqlite.$pair"
    plain=$(post $LONGER)
    stop_service
    with_engine "pair$pair"
    start_service "$OUT/spool.$pair"
    measure lag "http://127.0.0.1:$PORT" "$OUT/spool.$pair/keys/admin.key" $LONGER >"$OUT/lag" &
    ours=$(post $LONGER)
    wait $! && cat "$OUT/lag"
    stop_service
    awk -v plain="$plain" -v ours="$ours" -v pair="$pair" \
        'BEGIN { printf "ingest 100 × 32, pair %d: %d logs/s with ClickHouse, %d with SQLite: %.2f\n", pair, ours, plain, ours / plain }'
done

# ---- shipping what waits, and the same blocks bare, in turns; each begins on servers that have nothing else to do

calm() { measure calm "$URLS" analytics "$OUT/own/password"; }
ship_waiting() { # DATABASE: RATE, of what came while the service had a server that was not there
    local following
    with_engine "$1"
    export ANALYTICS_CLICKHOUSE_URLS=http://127.0.0.1:1
    start_service "$OUT/$1" 503
    post $SECONDS_EACH >/dev/null
    stop_service
    calm
    measure follow "$OUT/$1/analytics.db" >"$OUT/rate" &
    following=$!
    export ANALYTICS_CLICKHOUSE_URLS=$URLS
    start_service "$OUT/$1"
    wait $following
    RATE=$(<"$OUT/rate")
    stop_service
}
for ((pair = 1; pair <= PAIRS; pair++)); do
    ship_waiting "waiting$pair"
    calm
    bare=$(measure bare "$URLS" "${CLICKHOUSE[@]:1}")
    awk -v rate="$RATE" -v bare="$bare" -v pair="$pair" \
        'BEGIN { printf "shipping, pair %d: %d logs/s, bare inserts of the same blocks %d: %.2f\n", pair, rate, bare, rate / bare }'
done

# ---- shipping after an outage, by a service that was restarted meanwhile and by one that was not

ship_backlog() { # stays|restarts: RATE, once the servers are back
    local following
    with_engine "$1"
    start_service "$OUT/$1"
    post 1 >/dev/null
    sleep 3
    "$tool" kill "$OUT/own" 1 2
    post $SECONDS_EACH >/dev/null
    [ "$1" = stays ] || stop_service
    measure follow "$OUT/$1/analytics.db" >"$OUT/rate" &
    following=$!
    "$tool" start "$OUT/own" 1 2
    [ "$1" = stays ] || start_service "$OUT/$1"
    wait $following
    RATE=$(<"$OUT/rate")
    stop_service
}
ship_backlog restarts
restarts=$RATE
ship_backlog stays
stays=$RATE
echo "shipping from servers' start on: $stays logs/s; after a restart of the service, too, $restarts"

# ---- lag, at half of what is shipped then

with_engine steady
start_service "$OUT/steady"
measure lag "http://127.0.0.1:$PORT" "$OUT/steady/keys/admin.key" $LONGER >"$OUT/lag" &
ours=$(post $LONGER --rate $((stays / 200)))
wait $! && echo "at $ours logs/s, $(<"$OUT/lag")"
stop_service

# ---- reports

with_engine reports
start_service "$OUT/reports"
sleep 2
measure fill "${CLICKHOUSE[@]}" "${MILLIONS}000000" 61
measure reads "http://127.0.0.1:$PORT" "$OUT/reports/keys/admin.key" "${CLICKHOUSE[@]}"
