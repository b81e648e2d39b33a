#!/usr/bin/env bash
# test_faults.sh: faults of a server, and of another machine that ships to it, while the service runs. Batches are taken
# all the same, reports are refused as a whole, with Retry-After, and the log and the metrics name the fault. Once it is
# over, each batch counts once. A proxy (proxy.py) stands between the service and its server. Elsewhere: test_care has
# the messages of --check-config, doctor and verify; campaigns.py has cuts at each byte, and a second replica.
#
# Seen to fail:
#   have_it_cut that cuts all while a block waits -> "FAIL three batches, one block: 13, not 11"
#   trouble that is over with any block -> "FAIL nothing says that it is over"
#   blocks_send that takes any 200 for an acknowledgement -> "FAIL words in place of an answer: the log says why"
#   health that waits for what is not shipped, like reports -> "FAIL health with a backlog: 503, not 200"
#   health that does not ask what keeps the shipper -> "FAIL health with a backlog that something keeps"
#   writer.c that tells of no full block -> "FAIL a full block leaves"
. "${BASH_SOURCE[0]%/*}/serve.bash"

make_own 1x1
data=$tmp/a spoil=$tmp/spoil server=$ANALYTICS_CLICKHOUSE_URLS
export ANALYTICS_CLICKHOUSE_TIMEOUT_MS=2000
: >"$spoil"
python3 tests/clickhouse/proxy.py "$server" "$spoil" >"$tmp/proxy" 2>"$tmp/proxy.log" &
proxy=$!
# shellcheck disable=SC2154 # $tmp, $own: serve.bash
trap 'kill $proxy $serve 2>/dev/null; wait; tools/clickhouse.sh kill "$own"; rm -rf "$tmp"' EXIT

# await WHAT COMMAND…: waits until it is true, far longer than any machine needs: for two minutes, or $seconds.
await() {
    local what=$1 until=$((SECONDS + ${seconds:-120}))
    shift
    while [ $SECONDS -lt $until ]; do
        ! "$@" || { CHECKS=$((CHECKS + 1)) && return; }
        sleep 0.1
    done
    verdict "$what" "not within ${seconds:-120} s: $(cat "$spoil"), $(tail -n 3 "$tmp/log")"
    finish
}
await 'the proxy listens' [ -s "$tmp/proxy" ]
ANALYTICS_CLICKHOUSE_URLS=$(<"$tmp/proxy")
ctl() { "$BUILD/analyticsctl" --data "$data" "$@" 2>&1; }
serve_a() { start --engine clickhouse --clickhouse-url "$ANALYTICS_CLICKHOUSE_URLS" --data "$data"; }
report() { # PATH: its status, and what Retry-After says
    curl -s -o "$tmp/answer" -w '%{http_code} %header{retry-after}' -H "x-api-key: $(<"$data/keys/admin.key")" \
        "http://127.0.0.1:$PORT/analytics/$1?from=2026-03-15&to=2026-03-15"
}
metric() { # NAME VALUE
    report metrics >/dev/null
    grep -qx "$1 $2" "$tmp/answer"
}
logged() { grep -q "$1" <(tail -n +"$((lines + 1))" "$tmp/log"); }
keys=0
begin() { lines=$(wc -l <"$tmp/log"); }
is_counted() { [ "$(count "$data")" = "$(counts "$expected")" ]; }
refused() { [[ $(report "$1") == '503 1' ]]; }

serve_a
is 'a batch' 204 "$(post "$data" k0)"
expected=12
await 'its report' is_counted

# ---- faults of inserts: each batch waits until the fault is over, and then counts once

over() {
    : >"$spoil"
    expected=$((expected + 12))
    await "$1: the batch counts once it is over" is_counted
    await "$1: logs go on" logged ' spool_goes_on'
    await "$1: the metric tells it" metric analytics_spool_stuck 0
}
keeps() { # WHAT WORDS [SPOILED]: something keeps logs from ClickHouse; the log says WORDS
    begin
    echo "${3:-}" >"$spoil"
    keys=$((keys + 1))
    is "$1: a batch is taken" 204 "$(post "$data" "k$keys")"
    await "$1: the log says why" logged " spool_stuck detail=.*$2"
    await "$1: a report is refused" refused requests
    await "$1: the metric tells it" metric analytics_spool_stuck 1
    verdict "$1: status tells it" "$(ctl status | contains "$2" || ctl status)"
}
insert='INSERT%20INTO%20log'
complaint() { echo "Code: $1, e.displayText() = DB::Exception: $2, e.what() = DB::Exception"; }
while IFS='|' read -r what words spoiled; do
    keeps "$what" "$words" "$spoiled"
    over "$what"
done <<END
a refused password|Wrong password|refuse $insert $(complaint 193 'Wrong password for user analytics')
a replica that is read-only|readonly mode|refuse $insert $(complaint 242 'Table is in readonly mode')
a full disk at the server|not enough space|refuse $insert $(complaint 243 'Cannot reserve 1.00 MiB, not enough space')
words in place of an answer|with words|wrong $insert <html>It works!</html>
a hung server|no answer of ClickHouse|hang $insert
sums that are refused|not enough space|refuse INSERT%20INTO%20sums $(complaint 243 'not enough space')
END

begin
query 1 'RENAME TABLE log TO elsewhere'
keeps 'a table that is missing' "log doesn't exist"
query 1 'RENAME TABLE elsewhere TO log'
over 'a table that is missing'

tools/clickhouse.sh stop "$own" zookeeper
keeps 'ZooKeeper away' ClickHouse
tools/clickhouse.sh start "$own" zookeeper
over 'ZooKeeper away'

# ---- what comes while a block waits goes in one block after it

blocks() { sqlite3 -readonly "$data/analytics.db" 'SELECT max(number) FROM spool_block'; }
begin
echo "refuse $insert $(complaint 243 'not enough space')" >"$spoil"
is 'a batch that waits' 204 "$(post "$data" waits)"
await 'it waits' logged ' spool_stuck'
before=$(blocks)
for key in w1 w2 w3; do
    is 'a batch behind it' 204 "$(post "$data" $key)"
    sleep 1.2 # an attempt is made each second
done
: >"$spoil"
expected=$((expected + 48))
await 'all count' is_counted
is 'three batches, one block' $((before + 1)) "$(blocks)"

# ---- a replica that does not catch up is no trouble of blocks: they go on, and it stays told until it is over

begin
echo "hang $insert" >"$spoil"
is 'a batch whose answer is lost' 204 "$(post "$data" lost)"
await 'it waits' logged ' spool_stuck'
begin
echo "refuse SYNC $(complaint 999 'Session expired')" >"$spoil"
shipped() { [ "$(sqlite3 -readonly "$data/analytics.db" 'SELECT count(*) FROM spool_block WHERE state = 0')" = 0 ]; }
await 'it goes once inserts are answered' shipped
await 'then a replica does not catch up' logged ' spool_stuck detail=.*Session expired'
begin
for key in s1 s2; do
    before=$(blocks)
    is 'a batch meanwhile' 204 "$(post "$data" $key)"
    is_next() { [ "$(blocks)" -gt "$before" ] && shipped; }
    await 'is shipped' is_next
    is 'reports are refused all the while' '503 1' "$(report requests)"
done
verdict 'nothing says that it is over' "$(logged ' spool_goes_on' && tail -n 5 "$tmp/log")"
: >"$spoil"
expected=$((expected + 36))
await 'all count' is_counted
await 'and it is over' logged ' spool_goes_on'

# ---- a restart with blocks of three months, the first of which is there by half: its logs, not their sums

post_months() {
    curl -s -o /dev/null -w '%{http_code}' -H "x-api-key: $(<"$data/keys/worker.key")" -H 'content-type: application/json' \
        -d '{"logs": [{"ts": "2026-01-20 10:00:00", "user_id": 1, "order_id": 1, "count": 5, "domain": "a.example"},
            {"ts": "2026-02-15 10:00:00", "user_id": 1, "order_id": 1, "count": 6, "domain": "a.example"},
            {"ts": "2026-03-15 10:20:00", "user_id": 1, "order_id": 1, "count": 12, "domain": "a.example"}]}' \
        "http://127.0.0.1:$PORT/analytics/ingest"
}
begin
echo 'hang INSERT%20INTO%20sums' >"$spoil"
is 'a batch of three months' 204 "$(post_months)"
await 'the first sums have no answer' logged ' spool_stuck'
stop
: >"$spoil"
serve_a
expected=$((expected + 12))
await 'its logs of March' is_counted
is 'of all months' '"total_count":"23"' "$(curl -s -H "x-api-key: $(<"$data/keys/admin.key")" \
    "http://127.0.0.1:$PORT/analytics/summary?from=2026-01-20&to=2026-03-15&domain=a.example" | grep -o '"total_count":"[0-9]*"')"
stop
has 'once, with their sums' 'All is well' "$(ctl verify)"
lines=0
serve_a

# ---- faults of reports: an answer is whole, or there is none

while IFS='|' read -r what words spoiled; do
    begin
    echo "$spoiled" >"$spoil"
    is "$what, a chart" '503 1' "$(report requests)"
    is "$what, a list" '503 1' "$(report domains)"
    verdict "$what: the log says it" "$(logged "$words" || tail -n 2 "$tmp/log")"
    : >"$spoil"
    is "$what: over" "$(counts "$expected")" "$(count "$data")"
done <<END
a refused password|Wrong password|refuse sum(count) $(complaint 193 'Wrong password for user analytics_reports')
an answer cut short|no answer of ClickHouse|cut sum(count)
an answer of no JSON|something else|wrong sum(count) <html>It works!</html>
JSON that ends early|something else|wrong sum(count) {"data":[["1
JSON with fewer rows than it says|something else|wrong sum(count) {"data":[],"rows":1}
JSON of other columns|something else|wrong sum(count) {"data":[["1"]],"rows":1}
a hung server|no answer of ClickHouse|hang sum(count)
END

# ---- a clock that is wrong

fast="wrong now() {\"data\":[[\"$(($(date +%s) + 7200))\"]],\"rows\":1}"
echo "$fast" >"$spoil"
words=$("$BUILD/analytics-ingest" --data "$data" --check-config 2>&1 || echo "status $?")
has 'a clock that is two hours fast' "the clock of $ANALYTICS_CLICKHOUSE_URLS is 7" "$words"
has 'is a fault' 'status 2' "$words"
: >"$spoil"

# ---- a block that is refused for what it holds: the others go on

begin
echo "refuse $insert $(complaint 117 'Incorrect data')" >"$spoil"
is 'a batch that is refused for what it holds' 204 "$(post "$data" aside)"
await 'is logged' logged ' block_put_aside detail=.*Incorrect data'
await 'the metric tells it' metric analytics_spool_put_aside_blocks 1
: >"$spoil"
is 'the next batch' 204 "$(post "$data" next)"
expected=$((expected + 12))
await 'counts alone' is_counted
stop
has 'it is sent again' '1 block is sent again' "$(ctl blocks --retry)"
expected=$((expected + 12))

# ---- another machine with the same number

lines=0
"$SOURCE/serve" --no-setup --build-dir "$BUILD" --port "$PORT" --query-processes 1 --engine clickhouse --data "$tmp/b" \
    --clickhouse-url "$ANALYTICS_CLICKHOUSE_URLS" >"$tmp/log" 2>&1 &
serve=$!
await 'another data folder of the same number is told' logged ' spool_stuck detail="another data folder ships'
is 'its batches are taken' 204 "$(post "$tmp/b" k1)"
stop

# ---- health, while logs wait: good as long as nothing keeps them. The server hangs for far less than its limit of time

health() {
    curl -s -o "$tmp/answer" -w '%{http_code}' "http://127.0.0.1:$PORT/analytics/health"
}
healthy() { [ "$(health)" = 200 ]; }
unhealthy() { [ "$(health)" = 503 ]; }
waiting_for() { # SECONDS: since the oldest log that waits has come
    local since
    report metrics >/dev/null
    since=$(sed -n 's/^analytics_spool_oldest_timestamp_seconds //p' "$tmp/answer")
    [ "$since" -gt 0 ] && [ $(($(date +%s) - since)) -ge "$1" ]
}
export ANALYTICS_CLICKHOUSE_TIMEOUT_MS=600000 ANALYTICS_CLICKHOUSE_SPOOL_LIMIT_MIB=1
echo "$fast" >"$spoil"
lines=0
serve_a
await 'a clock that is fast is logged' logged " clock_apart detail=\"the clock of $ANALYTICS_CLICKHOUSE_URLS is [67]"
: >"$spoil"
await 'the block that was put aside counts, that of the other machine does not' is_counted
echo "hang $insert" >"$spoil"
is 'a batch for a hung server' 204 "$(post "$data" hung)"
expected=$((expected + 12))
await 'it is on its way' waiting_for 3
is 'health with a backlog' 200 "$(health)"
has 'can read and write' '"read":true,"write":true' "$(<"$tmp/answer")"
verdict 'logs waited all the while' "$(metric analytics_spool_logs 1 && metric analytics_spool_stuck 0 || grep ^analytics_spool "$tmp/answer")"
echo "refuse $insert $(complaint 242 'Table is in readonly mode')" >"$spoil"
await 'health with a backlog that something keeps' unhealthy
health >/dev/null # the one before may have seen how it began, and says so in other words
has 'says that reports are refused' 'cannot read the database: its log says why' "$(<"$tmp/answer")"
: >"$spoil"
await 'health once it is over' healthy
await 'the batch counts' is_counted
echo "refuse schema_version $(complaint 193 'Wrong password for user analytics_reports')" >"$spoil"
is 'health when reports are refused' 503 "$(health)"
: >"$spoil"
is 'health once they are not' 200 "$(health)"

# ---- a full spool

begin
echo "refuse $insert $(complaint 243 'not enough space')" >"$spoil"
python3 -c 'import json; print(json.dumps({"logs": [{"ts": "2026-03-15 10:15:00", "user_id": 1, "order_id": n + 1, "count": 1,
    "domain": "a%d.example" % n, "worker": "w" * 40 + str(n)} for n in range(5000)]}))' >"$tmp/large.json"
post_large() { # KEY
    curl -s -o /dev/null -w '%{http_code} %header{retry-after}' -H "x-api-key: $(<"$data/keys/worker.key")" \
        -H 'content-type: application/json' -H "idempotency-key: $1" --data-binary "@$tmp/large.json" \
        "http://127.0.0.1:$PORT/analytics/ingest"
}
for ((i = 0; i < 40; i++)); do
    answer=$(post_large "large-$i")
    [ "$answer" = '204 ' ] || break
    expected=$((expected + 5000))
done
is 'a full spool refuses batches' '503 1' "$answer"
await 'the log says it' logged 'write_failed.*the spool has reached its limit'
await 'the metric tells it' metric analytics_writer_healthy 0
: >"$spoil"
await 'all that was taken counts' is_counted
has_room() { [ "$(post "$data" last)" = 204 ]; }
await 'there is room again' has_room
expected=$((expected + 12))
await 'all is shipped' metric analytics_spool_logs 0
is 'all that was taken counts, nothing else' "$(counts "$expected")" "$(count "$data")"
stop

# ---- more comes than a block has room for, while one is shipped and then while nothing is: full ones leave at once

export ANALYTICS_CLICKHOUSE_SHIP_MS=60000
unset ANALYTICS_CLICKHOUSE_SPOOL_LIMIT_MIB
spool() { python3 -c 'import sqlite3, sys; print(*sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchone())' "$data/analytics.db" "$1"; }
waiting_blocks() { [ "$(spool 'SELECT count(*) FROM spool_block WHERE state = 0')" = "$1" ]; }
uncut() { [ "$(spool 'SELECT ifnull(sum(logs), 0) FROM batch WHERE id > (SELECT cut_until FROM spool)')" = "$1" ]; }
post_blocks() { # KEY: 55,000 logs, 5,000 more than a block has
    for ((i = 0; i < 11; i++)); do is "batch $i of $1" '204 ' "$(post_large "$1-$i")"; done
    expected=$((expected + 55000))
}
serve_a
echo "hold $insert" >"$spoil"
post_blocks first
seconds=40 await 'a full block leaves, though no report asks and the next round is due after a minute' waiting_blocks 1
post_blocks second
: >"$spoil"
seconds=40 await 'so does one that came while it was shipped' uncut 10000
await 'nothing else' waiting_blocks 0
post_blocks third
seconds=40 await 'so does one more' uncut 15000
is 'all counts' "$(counts "$expected")" "$(count "$data")"
stop
finish
