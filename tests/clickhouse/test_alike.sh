#!/usr/bin/env bash
# test_alike.sh: the same logs in SQLite and in ClickHouse on two shards, moved there: random questions have the same
# answers, also after a delete and a prune in both, with late logs, and once moved back. ANALYTICS_SHAPE=1x2: on one shard.
#
# Seen to fail:
#   sums of one shard alone (reader_cover) -> "… {"data": [{"bucket": "2026-02-09 00:00:00", "total_count": …"
#   breakdowns of everyone refused where days are left (reader_clip) -> "[422, …", and other words
. "${BASH_SOURCE[0]%/*}/serve.bash"

make_own "${ANALYTICS_SHAPE:-2x1}"
QUESTIONS=150
export ANALYTICS_QUERY_TIMEOUT_MS=30000 # also where the machine is busy
seed=${ANALYTICS_SEED:-$RANDOM}
PORTS=("$PORT" "$(free_port)")
FOLDERS=("$tmp/a" "$tmp/b")
ctl() { # FOLDER COMMAND…
    "$BUILD/analyticsctl" --data "$1" "${@:2}" 2>&1 || echo "status $?"
}
both() { # WHAT PATTERN COMMAND…
    has "$1: SQLite" "$2" "$(ANALYTICS_ENGINE=sqlite ctl "${FOLDERS[0]}" "${@:3}")"
    has "$1: ClickHouse" "$2" "$(ctl "${FOLDERS[1]}" "${@:3}")"
}
start_both() {
    local first
    PORT=${PORTS[0]}
    ANALYTICS_ENGINE=sqlite start --data "${FOLDERS[0]}"
    first=$serve
    PORT=${PORTS[1]}
    start --engine clickhouse --clickhouse-url "$ANALYTICS_CLICKHOUSE_URLS" --data "${FOLDERS[1]}"
    serve="$first $serve"
}
compare() { # WHEN
    local words
    seed=$((seed + 1))
    words=$(python3 tests/clickhouse/alike.py "http://127.0.0.1:${PORTS[0]}" "${FOLDERS[0]}/keys/admin.key" \
        "http://127.0.0.1:${PORTS[1]}" "${FOLDERS[1]}/keys/admin.key" "$seed" $QUESTIONS 2>&1 || true)
    verdict "the same answers $1" "$([[ $words == *'traffic 200'*'websites 200'* ]] || echo "$words")"
    echo "$1: $words"
}
post_both() { # LOGS
    local i
    for i in 0 1; do
        is "logs are accepted by ${FOLDERS[i]##*/}" 204 "$(curl -s -o /dev/null -w '%{http_code}' -H "x-api-key: $(<"${FOLDERS[i]}/keys/worker.key")" \
            -H 'content-type: application/json' --data-binary "$1" "http://127.0.0.1:${PORTS[i]}/analytics/ingest")"
    done
}

ANALYTICS_ENGINE=sqlite ctl "$tmp/a" demo --days 35 --logs 30000 --seed "$seed" --until 2026-03-15 >/dev/null
has 'the move' 'and compared them by day and user' "$(ANALYTICS_ENGINE=sqlite ctl "$tmp/a" move --to clickhouse --into "$tmp/b")"
ctl "$tmp/b" init >/dev/null
start_both
compare 'after the move'
post_both '{"logs":[{"ts":"2026-02-20 10:15:00","user_id":2,"order_id":9,"domain":"late.example","count":7,"worker":"late"},
 {"ts":"2026-03-15 23:10:00","user_id":3,"order_id":9,"domain":"new.example","error":"timeout","error_count":2,"count":3}]}'
compare 'with late logs'
stop

user=$((seed % 5 + 1))
both 'delete of a user' 'deleted' delete --user-id $user --from 2026-02-15 --to '2026-03-01T10:20:30Z' --yes
both 'delete of a domain' 'deleted' delete --domain google.com --yes
start_both
compare 'after deletes'
stop
both 'prune' 'logs' prune --older-than 20d --yes
start_both
compare 'after a prune'
post_both '{"logs":[{"ts":"2026-03-10 10:15:00","user_id":2,"order_id":9,"domain":"late.example","count":7,"worker":"late"}]}'
compare 'with late logs after it'
stop

has 'the way back' 'and compared them by day and user' "$(ctl "$tmp/b" move --to sqlite --into "$tmp/c")"
exported() { ctl "$1" export --format ndjson --from 2020-01-01 --to 2030-01-01 | sort | sha256sum; }
is 'the logs are those of SQLite' "$(ANALYTICS_ENGINE=sqlite exported "$tmp/a")" "$(ANALYTICS_ENGINE=sqlite exported "$tmp/c")"
finish
