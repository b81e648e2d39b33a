#!/usr/bin/env bash
# test_move.sh: analyticsctl move from SQLite to ClickHouse and back, killed at several moments: exports are the same,
# earlier batches and imports are known, and a move that is not possible says why.
. "${BASH_SOURCE[0]%/*}/serve.bash"

make_own 1x2
export ANALYTICS_CLICKHOUSE_TIMEOUT_MS=10000
ctl() { "$BUILD/analyticsctl" "$@" 2>&1; }
exported() { # DATA
    ctl --data "$1" export --format ndjson --from 2020-01-01 --to 2030-01-01 | sort | sha256sum
}

# ---- logs of a demo, and those of a file, many of them in one second
ctl --data "$tmp/a" demo --days 40 --logs 60000 --seed 7 --until 2026-03-15 >/dev/null
for i in {1..300}; do
    echo '{"ts":"2026-03-01 10:15:00","user_id":'$((i % 3 + 1))',"order_id":1,"domain":"a.example","count":'$((i % 7))'}'
done >"$tmp/file.ndjson"
ctl --data "$tmp/a" import "$tmp/file.ndjson" >/dev/null
before=$(exported "$tmp/a")

# killed COMMAND…: kills it, later each time, until it comes to its end; prints its words, and how often it was killed.
# timeout --foreground waits until it is gone. Without that it kills itself as well, and the next run may find the lock held.
killed() {
    local after=0.05 kills=0 status
    while :; do
        status=0
        { timeout --foreground -s KILL "$after" "$BUILD/analyticsctl" "$@" >"$tmp/said" 2>&1; } 2>/dev/null || status=$?
        [ "$status" -eq 137 ] || break
        kills=$((kills + 1))
        after=$(awk -v d="$after" 'BEGIN { print d * 1.5 }')
    done
    cat "$tmp/said"
    echo "killed: $kills"
}

has 'an engine that is none' 'must be sqlite or clickhouse' "$(ctl --data "$tmp/a" move --to mysql --into "$tmp/b" || true)"
words=$(killed --data "$tmp/a" move --to clickhouse --into "$tmp/b" || true)
has 'the move ends' 'and compared them by day and user' "$words"
has 'it was killed' 'killed: [1-9]' "$words"
is 'the same logs' "$before" "$(exported "$tmp/b")"
is 'the old folder is as it was' "$before" "$(exported "$tmp/a")"
has 'verify' 'All is well' "$(ctl --data "$tmp/b" verify)"
has 'once more is the same' 'and compared them' "$(ctl --data "$tmp/a" move --to clickhouse --into "$tmp/b")"
is 'the same logs still' "$before" "$(exported "$tmp/b")"
has 'another folder into the same servers' 'another data folder ships' \
    "$(ctl --data "$tmp/a" move --to clickhouse --into "$tmp/other" || true)"

# ---- a service on it, and back
ctl --data "$tmp/b" init >/dev/null
start --engine clickhouse --clickhouse-url "$ANALYTICS_CLICKHOUSE_URLS" --data "$tmp/b"
is 'a batch on the way' 204 "$(post "$tmp/b" k1)"
[[ $(count "$tmp/b") == '{"data":[{'* ]] || verdict 'a report' "$(count "$tmp/b")"
has 'move wants the writer to end' 'must end first' "$(ctl --data "$tmp/b" move --to sqlite --into "$tmp/c" || true)"
stop
words=$(killed --data "$tmp/b" move --to sqlite --into "$tmp/c" || true)
has 'the way back ends' 'and compared them by day and user' "$words"
has 'the way back was killed' 'killed: [1-9]' "$words"
is 'the same logs are back' "$(exported "$tmp/b")" "$(exported "$tmp/c")"
has 'and one more' '"count":12' "$(ctl --data "$tmp/c" export --format ndjson --from 2026-03-15 --to 2026-03-15 | grep google.com)"
has 'verify, back' 'All is well' "$(ctl --data "$tmp/c" verify)"
is 'idempotency keys' "$(sqlite3 "$tmp/b/analytics.db" "SELECT count(*) FROM batch_key WHERE key NOT LIKE 'page %'")" \
    "$(sqlite3 "$tmp/c/analytics.db" "SELECT count(*) FROM batch_key WHERE key NOT LIKE 'page %'")"
has 'an import is known' '"stored":0' "$(ctl --data "$tmp/c" import --json "$tmp/file.ndjson" | tr -d ' ')"
finish
