#!/usr/bin/env bash
# test_migrating.sh: the converters of examples/convert/ on lines written by hand, with sums worked out by hand, and
# on hostile lines; what they write is imported and read back by plain SQL.
#
# Seen to fail: FAILED without DENIED -> "FAIL squid, stored: 3|3|0|10020|0|…"
. "${BASH_SOURCE[0]%/*}/../support/totals.sh"
CTL=${ANALYTICSCTL:?is the path of the built analyticsctl}
unset ANALYTICS_DATA
dir=$(mktemp -d /tmp/analytics-migrating.XXXXXX)
trap 'rm -rf "$dir"' EXIT

cat >"$dir/good" <<'LOG'
1773569700.123    250 192.0.2.7 TCP_TUNNEL/200 5120 CONNECT www.Example.com:443 alice HIER_DIRECT/198.51.100.9 -
1773569701.004     12 192.0.2.8 TCP_MISS/200 1000 GET http://example.org/a?b=%22 - HIER_DIRECT/198.51.100.9 text/html
1773569702.999      0 192.0.2.8 TCP_DENIED/403 3900 CONNECT example.net:8443 - HIER_NONE/- text/html
LOG
python3 examples/convert/squid.py <"$dir/good" >"$dir/logs" || verdict squid 'good lines are refused'
"$CTL" --data "$dir/data" init >/dev/null
"$CTL" --data "$dir/data" import --format ndjson - <"$dir/logs" >"$dir/said" 2>&1 || verdict 'squid, import' "$(cat "$dir/said")"
stored=$(sqlite3 -readonly "$dir/data/analytics.db" "SELECT count(*), sum(count), sum(bytes_sent), sum(bytes_received), sum(error_count), sum(duration_ms), count(DISTINCT user_id), group_concat(DISTINCT domain) FROM (SELECT * FROM log ORDER BY domain)")
verdict 'squid, stored' "$([ "$stored" = '3|3|0|10020|1|262|2|example.net,example.org,www.example.com' ] || echo "$stored")"

good=$(head -n 1 "$dir/good")
{ printf '\n%s\n\xff\xfe\n%s\n' "${good:0:40}" "$good" && head -c 300000 /dev/zero | tr '\0' '"' && printf '\n%s\n' "${good/www.Example.com:443/www.example.com:99999}" "${good/www.Example.com/[::1}"; } >"$dir/bad"
status=0
python3 examples/convert/squid.py <"$dir/bad" >"$dir/logs" 2>"$dir/said" || status=$?
seen="$status $(wc -l <"$dir/logs") $(grep -o '^line [0-9]*' "$dir/said" | tr -d 'a-z \n')"
verdict 'squid, hostile lines' "$([ "$seen" = '1 1 1235678' ] || echo "$seen: $(cut -c1-200 "$dir/said")")"
finish
