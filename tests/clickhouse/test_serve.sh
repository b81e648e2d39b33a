#!/usr/bin/env bash
# test_serve.sh: ./serve --engine clickhouse, as a newcomer tries it: a batch, its report, Ctrl-C, after which nothing
# is left, and the same again. Then with servers that run already.
#
# Seen to fail:
#   reader without the wait for its spool -> "FAIL the first read: {"data":[]}"
. "${BASH_SOURCE[0]%/*}/serve.bash"

one=$(counts 12) two=$(counts 24)
start --engine clickhouse --data "$tmp/a"
is 'a batch' 204 "$(post "$tmp/a" k1)"
is 'the first read' "$one" "$(count "$tmp/a")"
is 'the batch once more' 204 "$(post "$tmp/a" k1)"
is 'is counted once' "$one" "$(count "$tmp/a")"
stop
is 'nothing is left' '' "$(pgrep -af "$tmp/a" || true)"
start --engine clickhouse --data "$tmp/a"
# The servers have started again, too: until the shipper has found that they have everything, reports are refused.
for _ in {1..600}; do
    answer=$(count "$tmp/a")
    [[ $answer == *analytics.unavailable* ]] || break
    sleep 0.1
done
is 'after a restart' "$one" "$answer"
is 'another batch' 204 "$(post "$tmp/a" k2)"
is 'both' "$two" "$(count "$tmp/a")"
stop

make_own 1x1
unset ANALYTICS_ENGINE
start --engine clickhouse --clickhouse-url "$ANALYTICS_CLICKHOUSE_URLS" --data "$tmp/b"
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
    has "$command needs settings that name the engine" 'is the spool of the engine clickhouse' "$(ctl $command)"
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
