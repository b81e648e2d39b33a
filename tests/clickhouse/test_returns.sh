#!/usr/bin/env bash
# test_returns.sh: a replica that comes back alone, and lacks logs: those that it had not fetched when it died, or had not
# synced. No report is answered from it until it has them: 503, and never a smaller number.
#
# Seen to fail:
#   blocks_sync that takes a server's word for it -> "FAIL a report of a replica that had not fetched all: 503: 200"
#   leave_silent that keeps a replica that was away -> "FAIL a report of a replica that has lost logs: 503: 200"
#   http.c without fallback_to_stale_replicas_for_distributed_queries -> "FAIL no report of a replica that has just come"
. "${BASH_SOURCE[0]%/*}/serve.bash"

make_own 1x2
data=$tmp/a
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
# returns WHAT REQUESTS: the first one comes back too.
returns() {
    local i
    tools/clickhouse.sh start "$own" 1
    for ((i = 0; i < 600; i++)); do
        [ "$(report)" = 503 ] || break
        sleep 0.1
    done
    is "$1, once the other one is back" "$(counts "$2")" "$(<"$tmp/answer")"
}

kill_both
begins 'a replica that had not fetched all'
returns 'all logs' 24
is 'a batch after it' 204 "$(post "$data" k2)"
is 'its report' "$(counts 36)" "$(count "$data")"

# Reports stay at this one, which no other stands in for.
for table in log sums kept; do query 1 "SYSTEM SYNC REPLICA $table"; done
kill_both
rm -rf "$own"/server2/data/data/analytics/{log,sums}/2026*
begins 'a replica that has lost logs'
returns 'all logs again' 36
stop
tools/clickhouse.sh kill "$own"
rm -rf "$own" "$data"

# ---- two shards: the servers themselves choose whom they ask, and the one that comes back is their first choice

make_own 2x2
start --engine clickhouse --clickhouse-url "$ANALYTICS_CLICKHOUSE_URLS" --data "$data"
is 'a batch for two shards' 204 "$(post "$data" k0)"
is 'its report' "$(counts 12)" "$(count "$data")"
tools/clickhouse.sh kill "$own" 1 3
is 'a batch for the other replicas' 204 "$(post "$data" k1)"
for ((i = 0; i < 600; i++)); do
    [ "$(report)" = 503 ] || break
    sleep 0.1
done
is 'its report' "$(counts 24)" "$(<"$tmp/answer")"
tools/clickhouse.sh start "$own" 1 3
kill -KILL "$(<"$own/server4/pid")" # and no time for the shipper to see it
short=
for _ in {1..20}; do
    [ "$(report)" = 503 ] || [ "$(<"$tmp/answer")" = "$(counts 24)" ] || short+=" $(<"$tmp/answer")"
    sleep 0.1
done
verdict 'no report of a replica that has just come back' "$short"
stop
finish
