#!/usr/bin/env bash
# test_returns.sh: a replica that comes back alone, and lacks logs: those that it had not fetched when it died, or had not
# synced. No report is answered from it until it has them: 503, and never a smaller number.
#
# Seen to fail:
#   blocks_sync that takes a server's word for it -> "FAIL a report of a replica that had not fetched all: 503: 200"
#   a look that asks for no mark -> "FAIL reports of 36 requests: … analytics.unavailable"
#   reader_ask_text that asks for no mark -> "FAIL while nobody looks"
#   http.c without fallback_to_stale_replicas_for_distributed_queries -> "FAIL no report of a replica that has just come"
#   replicas.c with an is_away that is false -> "FAIL reports of 12 requests", in the second part
#   replicas_claim_node that asks only the first one -> "FAIL reports of 84 requests"
#   spread that passes over nobody -> "FAIL reports of 36 requests", in the second part
. "${BASH_SOURCE[0]%/*}/serve.bash"

export ANALYTICS_CLICKHOUSE_TIMEOUT_MS=5000 # a replica that does not catch up holds up the next one so long
make_own 1x2
data=$tmp/a
comes() { # WHAT EXPECTED COMMAND…: is so within a minute
    local i
    for ((i = 0; i < 600; i++)); do
        [ "$("${@:3}")" != "$2" ] || break
        sleep 0.1
    done
    is "$1" "$2" "$("${@:3}")"
}
report() {
    curl -s -o "$tmp/answer" -w '%{http_code}' -H "x-api-key: $(<"$data/keys/admin.key")" \
        "http://127.0.0.1:$PORT/analytics/requests?from=2026-03-15&to=2026-03-15"
}
start --engine clickhouse --clickhouse-url "$ANALYTICS_CLICKHOUSE_URLS" --data "$data"
is 'a batch' 204 "$(post "$data" k0)"
is 'its report' "$(counts 12)" "$(count "$data")"

# The second replica knows of logs, and fetches none.
for table in log sums; do query 2 "SYSTEM STOP FETCHES $table"; done
is 'a batch for the first replica' 204 "$(post "$data" k1)"
is 'its report' "$(counts 24)" "$(count "$data")"
waiting() { query 2 "SELECT sum(queue_size) FROM system.replicas WHERE table IN ('log', 'sums')"; }
for ((i = 0; i < 600; i++)); do
    [ "$(waiting)" -lt 2 ] || break
    sleep 0.1
done
verdict 'the second replica has logs to fetch' "$([ "$(waiting)" -ge 2 ] || waiting)"

# Kills both, and waits until the service has seen it.
kill_both() {
    local lines i
    lines=$(wc -l <"$tmp/log")
    tools/clickhouse.sh kill "$own" 1 2
    for ((i = 0; i < 600; i++)); do
        ! tail -n +"$((lines + 1))" "$tmp/log" | grep ' spool_stuck' >/dev/null || return 0
        sleep 0.1
    done
    verdict 'the service sees that both are gone' "$(tail -n 3 "$tmp/log")"
}
# begins WHAT: the second replica alone, after both were killed. It answers SYSTEM SYNC REPLICA at once while ZooKeeper
# takes its dead self for alive, and only then knows what it lacks. Reports are refused before and after.
begins() {
    local what=$1 asked=0 after=0 status=503
    tools/clickhouse.sh start "$own" 2
    while [ $after -lt 5 ] && [ $asked -lt 600 ]; do
        status=$(report)
        [ "$status" = 503 ] || break
        asked=$((asked + 1))
        ! [[ $(query 2 "SELECT min(queue_size) FROM system.replicas WHERE table = 'log'") =~ ^[1-9] ]] || after=$((after + 1))
        sleep 0.1
    done
    verdict "a report of $what: 503" "$([ "$status" = 503 ] || echo "$status: $(<"$tmp/answer")")"
    is "$what knew in the end what it lacked" 5 $after
}
await() { # REQUESTS
    local i
    for ((i = 0; i < 600; i++)); do
        [ "$(report)" = 503 ] || break
        sleep 0.1
    done
    is "reports of $1 requests" "$(counts "$1")" "$(<"$tmp/answer")"
}
# returns REQUESTS: the first one comes back too.
returns() {
    tools/clickhouse.sh start "$own" 1
    await "$1"
}

kill_both
begins 'a replica that had not fetched all'
returns 24
is 'a batch after it' 204 "$(post "$data" k2)"
is 'its report' "$(counts 36)" "$(count "$data")"

for table in log sums kept; do query 1 "SYSTEM SYNC REPLICA $table"; done
rows_of() { query "$1" "SELECT count() FROM log"; } # N
is 'the first replica has all logs' "$(rows_of 2)" "$(rows_of 1)"
wipe() { rm -rf "$own/server$1"/data/data/analytics/{log,sums}/2026*; } # N
kill_both
wipe 2
begins 'a replica that has lost logs'
returns 36

# The one that reports are asked of, from 1, and the other one.
find_current() {
    current=$(python3 -c 'import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute("SELECT replica FROM spool").fetchone()[0][0] + 1)' \
        "$data/analytics.db")
    other=$((3 - current))
}

# Starts again, without its logs, between two looks of the shipper.
find_current
for table in log sums kept; do query $other "SYSTEM SYNC REPLICA $table"; done
is 'the other replica has all logs' "$(rows_of "$current")" "$(rows_of $other)"
mapfile -t ingest < <(pgrep -f "analytics-ingest .*$data")
verdict 'analytics-ingest runs' "$([ ${#ingest[@]} -gt 0 ] || echo 'not found')"
kill -STOP "${ingest[@]}"
tools/clickhouse.sh kill "$own" 1 2
wipe "$current"
tools/clickhouse.sh start "$own" "$current"
is 'it has lost them' 0 "$(rows_of "$current")"
answered=
for _ in {1..10}; do
    status=$(report)
    [ "$status" = 503 ] || answered+=" $status: $(<"$tmp/answer")"
    sleep 0.1
done
verdict 'while nobody looks: 503' "$answered"
kill -CONT "${ingest[@]}"
tools/clickhouse.sh start "$own" $other
await 36

# The settings name the servers in another order, and the one that stands there now lacks logs.
find_current
for table in log sums; do query $other "SYSTEM STOP FETCHES $table"; done
is 'a batch for one replica' 204 "$(post "$data" k3)"
await 48
stop
IFS=, read -r first second <<<"$ANALYTICS_CLICKHOUSE_URLS"
start --engine clickhouse --clickhouse-url "$second,$first" --data "$data"
await 48
stop
tools/clickhouse.sh kill "$own"
rm -rf "$own" "$data"

# ---- two shards: the servers themselves choose whom they ask, and the one that comes back is their first choice

make_own 2x2
tools/clickhouse.sh stop "$own" 4
start --engine clickhouse --clickhouse-url "$ANALYTICS_CLICKHOUSE_URLS" --data "$data"
is 'a batch for two shards' 204 "$(post "$data" k0)"
await 12
tools/clickhouse.sh start "$own" 4
all_of() { query "$1" "SELECT sum(count), (SELECT sum(count) FROM sums) FROM log"; } # N
comes 'a server that was away when the service started has its tables, and all logs' "$(all_of 3)" all_of 4
tools/clickhouse.sh kill "$own" 1 3
is 'a batch for the other replicas' 204 "$(post "$data" k1)"
await 24
zookeeper() { # COMMAND…
    local jars=/usr/share/java
    java -cp "$jars/zookeeper.jar:$jars/slf4j-log4j12.jar:$jars/log4j-1.2.jar" "-Dlog4j.configuration=file:$own/zookeeper/log4j.properties" \
        org.apache.zookeeper.ZooKeeperMain -server "127.0.0.1:$(sed -n 's/^clientPort=//p' "$own/zookeeper/zoo.cfg")" "$@" >"$tmp/zookeeper" 2>&1
}
has_begun() { query "$1" "SELECT count() FROM system.replicas WHERE table = 'log' AND absolute_delay < 1000000000"; } # N
# hold_back SHARD REPLICA: it cannot begin while ZooKeeper takes another for it. Its own old session ends some seconds
# after its death.
hold_back() {
    local table i
    for table in log sums node; do
        for ((i = 0; i < 60; i++)); do
            ! zookeeper create "/clickhouse/tables/$1/analytics/$table/replicas/$2/is_active" another || break
            sleep 0.5
        done
    done
}
let_begin() { # SHARD REPLICA
    local table
    for table in log sums node; do zookeeper delete "/clickhouse/tables/$1/analytics/$table/replicas/$2/is_active"; done
}
hold_back 2 1
tools/clickhouse.sh start "$own" 3
is 'the one that comes back has not begun' 0 "$(has_begun 3)"
tools/clickhouse.sh kill "$own" 4
due=$(($(rows_of 3) * 2))
short=
for _ in {1..20}; do
    status=$(report)
    [ "$status" = 503 ] || short+=" $status: $(<"$tmp/answer")"
    sleep 0.1
done
is 'it lacks logs all the while' $((due / 2)) "$(rows_of 3)"
verdict 'no report of a replica that has just come back' "$short"
let_begin 2 1
tools/clickhouse.sh start "$own" 4 1
await 24
comes 'it has them now' $due rows_of 3

# It cannot begin, and nothing else is wrong.
is 'it has begun' 1 "$(has_begun 3)"
tools/clickhouse.sh stop "$own" 3
hold_back 2 1
tools/clickhouse.sh start "$own" 3
is 'a batch beside it' 204 "$(post "$data" k2)"
await 36
is 'it has not begun' 0 "$(has_begun 3)"
is 'it has fetched nothing' $due "$(rows_of 3)"
let_begin 2 1
comes 'it begins' 1 has_begun 3
is 'a batch, now that it has begun' 204 "$(post "$data" k3)"
await 48
is 'it has all logs' "$(rows_of 4)" "$(rows_of 3)"

# It hangs.
is_shipped() {
    python3 -c 'import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute(
        "SELECT NOT EXISTS (SELECT 1 FROM spool_block WHERE state = 0) AND (SELECT cut_until FROM spool) >= (SELECT max(id) FROM batch)"
    ).fetchone()[0])' "$data/analytics.db"
}
kill -STOP "$(<"$own/server3/pid")"
is 'a batch while it hangs' 204 "$(post "$data" k4)"
comes 'it is shipped' 1 is_shipped
for _ in {1..3}; do
    status=$(report)
    [[ $status =~ ^50[34]$ ]] || is "a report while it hangs, $status" "$(counts 60)" "$(<"$tmp/answer")"
done
kill -CONT "$(<"$own/server3/pid")"
await 60
comes 'it has all logs, now that it goes on' "$(rows_of 4)" rows_of 3

# It fetches nothing, and lags.
for table in log sums; do query 3 "SYSTEM STOP FETCHES $table"; done
due=$(rows_of 3)
is 'a batch that it does not fetch' 204 "$(post "$data" k5)"
await 72
is 'it has not fetched it' "$due" "$(rows_of 3)"
is 'one that it does not fetch either' 204 "$(post "$data" k6)"
await 84
is 'one statement of ours at most waits there for each table' 1 "$(query 3 "SELECT count() < 3 FROM system.processes WHERE query LIKE 'SYSTEM SYNC%'")"
stop

# The one that reports were asked of cannot begin when the service starts.
find_current
tools/clickhouse.sh stop "$own" "$current"
hold_back 1 "$current"
tools/clickhouse.sh start "$own" "$current"
start --engine clickhouse --clickhouse-url "$ANALYTICS_CLICKHOUSE_URLS" --data "$data"
await 84
is 'it has not begun' 0 "$(has_begun "$current")"
stop
finish
