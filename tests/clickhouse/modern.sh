#!/usr/bin/env bash
# modern.sh COMMAND…: the engine "clickhouse" before ClickHouse 26.5, a library of npm's that modern/server.py serves: the
# service and every command that asks ClickHouse or changes it, a move there and back, random questions as in test_reports,
# cuts of what was sent, and end-to-end tests, which COMMAND runs.
#
# Seen to fail:
#   no deduplicate_insert=enable -> "FAIL bodies: analytics.log, once more: 200, not 200, and 2 rows, not 1"
#   absolute_lag in look.c's question -> "FAIL doctor: …, without is its shard's only replica"
#   toString(prt) in lists.c -> "FAIL random questions: … Unknown expression or function identifier `prt`"
#   replicated_deduplication_window_second in schema.c -> "FAIL random questions: … Unknown setting …: for storage
#     ReplicatedMergeTree"
debian=no
. "${BASH_SOURCE[0]%/*}/serve.bash"
here=tests/clickhouse/modern
npm=$BUILD/tests/clickhouse/npm

# ---- the library

fault=$(npm_modules $here "$npm") || { verdict 'npm ci' "$fault" && finish; }
mkdir "$tmp/server"
python3 $here/server.py "$npm/node_modules/@chdb/lib-linux-x64-gnu/libchdb.so" "$tmp/server" >"$tmp/url" 2>"$tmp/server.log" &
server=$!
# shellcheck disable=SC2154 # $tmp, $serve: serve.bash
trap 'kill $serve $server 2>/dev/null || true; wait; rm -rf "$tmp"' EXIT
for _ in {1..600}; do
    [ ! -s "$tmp/url" ] || break
    kill -0 $server 2>/dev/null || break
    sleep 0.1
done
url=$(<"$tmp/url")
[ -n "$url" ] || { verdict 'the server' "$(tail -n 5 "$tmp/server.log")" && finish; }
echo any >"$tmp/password"
export ANALYTICS_ENGINE=clickhouse ANALYTICS_CLICKHOUSE_URLS=$url ANALYTICS_CLICKHOUSE_SHIP_MS=100 \
    ANALYTICS_CLICKHOUSE_PASSWORD_FILE=$tmp/password ANALYTICS_CLICKHOUSE_REPORTS_PASSWORD_FILE=$tmp/password
ctl() { "$BUILD/analyticsctl" --data "$data" "$@" 2>&1; }
query() { # SQL
    curl -s --data-binary "$1" "$url/?database=analytics"
}
await() { # WHAT EXPECTED SQL: a mutation is done in the background
    local answer i
    for ((i = 0; i < 600; i++)); do
        answer=$(query "$3")
        [ "$answer" != "$2" ] || break
        sleep 0.1
    done
    is "$1" "$2" "$answer"
}

# ---- in service

data=$tmp/a
has 'tables that are not made yet' 'warning: there are no tables yet at http://127.0.0.1:' \
    "$("$BUILD/analytics-ingest" --data "$tmp" --check-config 2>&1 || true)"
start --engine clickhouse --clickhouse-url "$url" --data "$data"
is 'a batch' 204 "$(post "$data" k1)"
is 'its report' "$(counts 12)" "$(count "$data")"
verdict 'the settings' "$("$BUILD/analytics-query" --data "$data" --check-config >"$tmp/settings" 2>&1 || cat "$tmp/settings")"
has 'verify' 'All is well: every replica has the 1 logs of 1 blocks' "$(ctl verify)"
has 'export' '2026-03-15 10:15:00' "$(ctl export --format csv --from 2026-03-15 --to 2026-03-15)"
has 'doctor' "is its shard's only replica" "$(ctl doctor --sockets "$data/run" || true)"
has 'doctor knows the user of reports' "analytics_reports, which may only read" "$(ctl doctor --sockets "$data/run" || true)"

# ---- what is there and what should be

query "INSERT INTO sums SELECT 2, 20527, 1773532800, 'other.example', '', 1, 1, 1, 1, 1, 1, maxState(toInt64(1)), minState(toInt64(1)), maxState(toInt64(1))"
words=$(ctl verify || echo "status $?")
has 'verify compares sums with logs' 'from 2026-03-15 00:00:00 UTC, domain "other.example"' "$words"
has 'a sum of no log is one difference' '1 differences' "$words"
query "ALTER TABLE sums DELETE WHERE domain = 'other.example'"
await 'it goes' 0 "SELECT count() FROM sums WHERE domain = 'other.example'"
query 'ALTER TABLE log DROP COLUMN protocol'
is 'a batch for a table that lacks a column' 204 "$(post "$data" k2)"
for _ in {1..600}; do
    [[ $(ctl blocks) == No* ]] || break
    sleep 0.1
done
has 'a block that is refused is put aside' 'No such column protocol' "$(ctl blocks)"
query 'ALTER TABLE log ADD COLUMN protocol String AFTER error'
stop
has 'retry' '1 block is sent again' "$(ctl blocks --retry)"
start --engine clickhouse --clickhouse-url "$url" --data "$data"
is 'its logs count now' "$(counts 24)" "$(count "$data")"
query 'ALTER TABLE log DELETE WHERE 1'
await 'all logs go' 0 'SELECT count() FROM log'
words=$(ctl verify || echo "status $?")
has 'verify names who lost them' "$url has 0 logs" "$words"
has 'and fails' 'status 1' "$words"
query 'ALTER TABLE sums DELETE WHERE 1'
await 'and all sums' 0 'SELECT count() FROM sums'

# ---- prune, retention and delete

is 'a batch' 204 "$(post "$data" k3)"
is 'counts' "$(counts 12)" "$(count "$data")"
query "INSERT INTO log SELECT 20400, 1762560000, 9, 1, 5, 0, 0, 0, 0, 1, 0, 'old.example', '', '', '', '', '', '', 7"
query "INSERT INTO log SELECT 20515, 1772496000, 9, 1, 5, 0, 0, 0, 0, 1, 0, 'old.example', '', '', '', '', '', '', 8"
has 'prune, as a plan' '2 logs' "$(ctl prune --older-than 5d --dry-run)"
has 'prune' '2 logs, and their sums' "$(ctl prune --older-than 5d --yes)"
is 'a row of the same month, and a month' 1 "$(query 'SELECT count() FROM log')"
is 'another batch' 204 "$(post "$data" k4)"
is 'counts, too' "$(counts 24)" "$(count "$data")"
has 'delete' '2 logs are deleted' "$(ctl delete --domain google.com --yes)"
is 'leaves no sums' '{"data":[]}' "$(count "$data")"
is 'a batch after that' 204 "$(post "$data" k5)"
is 'counts alone' "$(counts 12)" "$(count "$data")"
has 'verify is content' 'All is well' "$(ctl verify)"
stop

# ---- a move there and back: blocks and pages of thousands of logs

exported() { ctl export --format ndjson --from 2020-01-01 --to 2030-01-01 | sort | sha256sum; }
export ANALYTICS_CLICKHOUSE_DATABASE=moved
data=$tmp/b
ctl demo --days 40 --logs 60000 --seed 7 --until 2026-03-15 >/dev/null
before=$(exported)
has 'a move to ClickHouse' 'and compared them by day and user' "$(ctl move --to clickhouse --into "$tmp/c" || true)"
data=$tmp/c
is 'the same logs' "$before" "$(exported)"
has 'verify what was moved' 'All is well' "$(ctl verify)"
has 'a move back' 'and compared them by day and user' "$(ctl move --to sqlite --into "$tmp/d" || true)"
data=$tmp/d
is 'the same logs are back' "$before" "$(exported)"
unset ANALYTICS_CLICKHOUSE_DATABASE

# ---- questions, what was sent, and end-to-end tests

verdict 'random questions' "$(ANALYTICS_RUNNING_CLICKHOUSE=$url "$BUILD/tests/clickhouse/test_reports" >"$tmp/questions" 2>&1 ||
    { echo "status $?:" && tail -n 20 "$tmp/questions"; })"
tail -n 1 "$tmp/questions"
verdict 'bodies' "$(python3 $here/bodies.py "$url" "$tmp/server" 2>&1 >"$tmp/bodies" || echo "status $?")"
cat "$tmp/bodies"
verdict 'end-to-end tests' "$("$@" >"$tmp/tests" 2>&1 || { echo "status $?:" && { grep -E '^(FAIL|ERROR)' "$tmp/tests" || tail "$tmp/tests"; }; })"
grep -E '^(PASS|SKIP)' "$tmp/tests" || true
kill $server
wait $server || true
echo "the server was asked: $(tail -n 1 "$tmp/url")"
finish
