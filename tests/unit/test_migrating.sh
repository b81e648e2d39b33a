#!/usr/bin/env bash
# test_migrating.sh: the converters of examples/convert/ on lines that Squid 5.7, HAProxy 2.6, nginx 1.22 and V2Ray 4.34 have
# written, and on lines made after the sources of 3proxy, Xray and sing-box, with sums worked out by hand. Then hostile
# lines, and the file of user numbers under several writers and kills. tests/e2e/test_migrating.sh runs real proxies.
#
# Seen to fail:
#   FAILED without DENIED in squid.py -> "FAIL squid: 8|16|25|…"
#   users.tsv without its lock -> "FAIL users, eight at once: …"
#   users.tsv without the cut -> "FAIL users, a line that was begun: …"
. "${BASH_SOURCE[0]%/*}/../support/totals.sh"
CTL=${ANALYTICSCTL:?is the path of the built analyticsctl}
unset ANALYTICS_DATA
export TZ=Etc/GMT-3 # local times are three hours ahead of UTC
dir=$(mktemp -d /tmp/analytics-migrating.XXXXXX)
trap 'rm -rf "$dir"' EXIT
users=$dir/users.tsv

# check CONVERTER EXPECTED <LOG: what is stored of the log. EXPECTED: logs|sent|received|errors|milliseconds|users|first ts|last ts.
check() {
    local status=0
    python3 "examples/convert/$1.py" "$users" >"$dir/$1.ndjson" 2>"$dir/said" || status=$?
    verdict "$1, good lines" "$([ "$status" -eq 0 ] || echo "exit $status: $(cat "$dir/said")")"
    "$CTL" --data "$dir/$1" init >"$dir/said"
    "$CTL" --data "$dir/$1" import --format ndjson "$dir/$1.ndjson" >"$dir/said" 2>&1 || verdict "$1, import" "$(cat "$dir/said")"
    seen=$(ask "$1" "sum(count), sum(bytes_sent), sum(bytes_received), sum(error_count), sum(duration_ms), count(DISTINCT user_id), min(ts), max(ts)")
    verdict "$1" "$([ "$seen" = "$2" ] || echo "$seen")"
}
ask() { # CONVERTER COLUMNS
    sqlite3 -readonly "$dir/$1/analytics.db" "SELECT $2 FROM (SELECT * FROM log ORDER BY domain, port, error, peer_id)"
}
detail() { # CONVERTER COLUMNS EXPECTED
    seen=$(ask "$1" "$2")
    verdict "$1, $2" "$([ "$seen" = "$3" ] || echo "$seen")"
}

# Native lines, then lines of the page's logformat.
check squid '12|30410|214196|5|27|5|2026-11-29 12:14:55|2026-11-29 12:21:20' <<'LOG'
1795954495.107     15 127.0.0.1 TCP_TUNNEL/200 200039 CONNECT site.test:18000 alice HIER_DIRECT/127.0.0.1 -
1795954495.108      0 127.0.0.1 TCP_TUNNEL/200 46 CONNECT site.test:18000 b ob HIER_DIRECT/127.0.0.1 -
1795954495.109      0 127.0.0.1 TCP_TUNNEL/200 45 CONNECT [::1]:18000 alice HIER_DIRECT/::1 -
1795954495.111      0 127.0.0.1 TCP_DENIED/407 3488 CONNECT site.test:18000 - HIER_NONE/- text/html
1795954737.757      0 127.0.0.1 NONE_NONE/400 3376 GARBAGE error:invalid-request - HIER_NONE/- text/html
1795954737.757      1 127.0.0.1 TCP_MISS/502 3393 GET http://nowhere.test/ alice HIER_NONE/- text/html
1795954737.858      0 127.0.0.1 NONE_NONE/000 0 - error:transaction-end-before-headers - HIER_NONE/- -
1795954880.143      3 127.0.0.1 TCP_TUNNEL/200 41 CONNECT site.test:18000 a%2520b HIER_DIRECT/127.0.0.1 -
1795954495.108      3 127.0.0.1 TCP_TUNNEL/200 46 CONNECT site.test:18000 b%20ob HIER_DIRECT/127.0.0.1 - 105 127.0.0.1
1795954495.109      5 ::1 TCP_TUNNEL/200 45 CONNECT [::1]:18000 alice HIER_DIRECT/::1 - 101 ::1
1795954495.110      0 127.0.0.1 TCP_MISS/200 189 POST http://site.test:18000/x alice FIRSTUP_PARENT/192.0.2.9 - 30102 127.0.0.1
1795954880.146      0 127.0.0.1 TCP_DENIED/407 3488 CONNECT site.test:18000 corp%5Cjoe HIER_NONE/- text/html 102 -
LOG
detail squid 'group_concat(DISTINCT domain)' ',::1,nowhere.test,site.test'
detail squid "group_concat(peer_id || ' ' || ip_from || ' ' || protocol || ' ' || port) FILTER (WHERE peer_id <> '')" '192.0.2.9 7F000001 HTTP 18000'

check haproxy '10|300139|600272|4|2083|3|2026-11-29 09:20:27|2026-11-29 09:20:34' <<'LOG'
127.0.0.1:44314 [29/Nov/2026:12:20:27.897] tcpdef origin/s1 1/0/0 2000 -- 1/1/0/0/0 0/0
<134>Nov 29 12:20:27 proxy haproxy[12]: 127.0.0.1:47426 [29/Nov/2026:12:20:27.897] tcpown origin/s1 1/0/1 200000 -- 1/1/0/0/0 0/0 100014 127.0.0.1 - -
Nov 29 12:20:27 proxy haproxy[12]: ::1:47440 [29/Nov/2026:12:20:27.938] tcpown origin/s1 5/1/2006 0 sD 1/1/0/0/0 0/0 2 127.0.0.1 - www.site.test
127.0.0.1:33936 [29/Nov/2026:12:20:29.945] httpdef squid/q1 0/0/0/34/36 200 200054 - - ---- 2/2/0/0/0 0/0 "CONNECT site.test:18000 HTTP/1.1"
127.0.0.1:33942 [29/Nov/2026:12:20:29.981] httpdef squid/q1 0/0/0/6/26 503 5157 - - SC-- 1/1/0/0/0 0/0 {a b|c} "GET http://site.test:18000/x HTTP/1.1"
127.0.0.1:48664 [29/Nov/2026:12:20:31.990] httpdef httpdef/<NOSRV> -1/-1/-1/-1/0 400 0 - - PR-- 1/1/0/0/0 0/0 "<BADREQ>"
127.0.0.1:35502 [29/Nov/2026:12:20:31.991] httpown squid/q1 0/0/0/0/14 200 193054 - - ---- 1/1/0/0/0 0/0 "CONNECT [::1]:18000 HTTP/1.1" 200121 127.0.0.1 b%20ob -
127.0.0.1:35530 [29/Nov/2026:12:20:34.021] httpown httpown/<NOSRV> -1/-1/-1/-1/0 400 0 - - PR-- 1/1/0/0/0 0/0 "<BADREQ>" 0 - - -
127.0.0.1:35534 [29/Nov/2026:12:20:34.022] httpown httpown/<NOSRV> -1/-1/-1/-1/0 400 0 - - CR-- 1/1/0/0/0 0/0 "<BADREQ>" 0 - - -
127.0.0.1:35535 [29/Nov/2026:12:20:34.022] httpdef squid/q1 0/0/0/0/+0 404 +7 - - ---- 1/1/0/0/0 0/0 "GET /relative?u=http://x/ HTTP/1.1" 2 127.0.0.1 - Site.Test
LOG
detail haproxy 'group_concat(DISTINCT domain)' ',::1,site.test,www.site.test'
detail haproxy "group_concat(DISTINCT error) FILTER (WHERE error <> '')" '400 CR--,400 PR--,503 SC--'

# The first two have the format of nginx's own documentation.
check nginx_stream '8|101040|202242|1|1306|3|2026-11-29 12:22:21|2026-11-29 12:22:22' <<'LOG'
127.0.0.1 [29/Nov/2026:12:22:21 +0000] TCP 200 2000 10 0.000
127.0.0.1 [29/Nov/2026:12:22:22 +0000] UDP 200 5 3 0.001
127.0.0.1 [29/Nov/2026:18:07:21 +0545] TCP 200 200000 83630 0.003 "127.0.0.1:9, 127.0.0.1:18000" "0, 100014" "0, 200000" "-, 0.000" "-"
127.0.0.1 [29/Nov/2026:12:22:21 +0000] TCP 200 207 0 0.000 "127.0.0.1:18000" "430" "207" "0.001"
::1 [29/Nov/2026:12:22:21 +0000] TCP 200 20 16 0.000 "[::1]:18000" "16" "20" "0.000" "-"
127.0.0.1 [29/Nov/2026:12:22:22 +0000] TCP 200 0 0 1.002 "127.0.0.1:18000" "517" "0" "0.000" "www.site.test"
127.0.0.1 [29/Nov/2026:12:22:22 +0000] TCP 502 0 50 0.300 "127.0.0.1:9" "0" "0" "-" ""
unix: [29/Nov/2026:12:22:22 +0000] TCP 200 10 0 0.000 "-" "-" "-" "-" "-"
LOG
detail nginx_stream 'group_concat(DISTINCT domain), group_concat(DISTINCT peer_id)' ',www.site.test|,127.0.0.1:18000,[::1]:18000,127.0.0.1:9'

# The first four have the sample configuration's format, the others the built-in one, whose spaces stay.
check 3proxy '7|1110|2235|2|0|5|2026-03-15 10:15:00|2026-03-15 10:15:06' <<'LOG'
1773569700.123  PROXY.3128 00000 alice 192.0.2.7:51000 198.51.100.9:443 1000 2000 0 CONNECT_Example.com:443_HTTP/1.1
1773569701.004  SOCK5.1080 00094 alice 192.0.2.7:51001 198.51.100.9:8443 100 200 0 CONNECT_my_host.example:8443
1773569702.999  SOCK5.1080 00004 - 192.0.2.8:51002 0.0.0.0:0 0 0 0 UNKNOWN_0.0.0.0:0
1773569703.000  TCPPM.2500 00000 - 2001:db8::7:51003 2001:db8::25:25 4 5 0 
260315101504.000 3128 00000 a b 192.0.2.7:51004 198.51.100.9:80 5 30 0 GET http://example.org/a_b HTTP/1.1
260315101505.000 1080 00000 a%20b 192.0.2.7:51005 198.51.100.9:80 1 0 0 CONNECT [2001:db8::9]:80
260315101506.000 1080 00100 alice 192.0.2.7:51006 0.0.0.0:0 0 0 0 CONNECT nowhere.test:80
LOG
detail 3proxy 'group_concat(DISTINCT domain)' '0.0.0.0,2001:db8::25,2001:db8::9,example.com,example.org,my_host.example,nowhere.test'
detail 3proxy 'group_concat(DISTINCT port)' '0,25,80,443,8443'

# V2Ray's lines, then Xray's.
check xray '9|0|0|1|0|5|2026-11-29 09:22:26|2026-11-29 09:22:34' <<'LOG'
2026/11/29 12:22:26 127.0.0.1:55068 accepted //localhost:18000 [direct]
2026/11/29 12:22:27 127.0.0.1:37704 accepted tcp:localhost:18001 [direct] email: carol@example.com
2026/11/29 12:22:28 127.0.0.1:55082 accepted //[::1]:18000 [direct]
2026/11/29 12:22:29 127.0.0.1:55094 accepted http://localhost/x [direct]
2026/11/29 12:22:32 tcp:127.0.0.1:38844 rejected  v2ray.com/core/proxy/socks: invalid username or password
2026/11/29 12:22:33.123456 from 192.0.2.7:51000 accepted tcp:WWW.example.com:443 [in -> direct] email: 1.alice
2026/11/29 12:22:33.123457 from tcp:[2001:db8::7]:51000 accepted udp:[2001:db8::9]:53 [in >> direct] email: 1.alice
2026/11/29 12:22:33.123458 localhost got answer: www.example.com. -> [192.0.2.1] 12ms
2026/11/29 12:22:34.000000 from 192.0.2.7:51000 accepted tcp:example.com:443 [in -> direct]
2026/11/29 12:22:34.000000 from DNS accepted udp:1.1.1.1:53 [direct]
LOG
detail xray 'group_concat(DISTINCT domain), group_concat(DISTINCT peer_id)' ',1.1.1.1,2001:db8::9,::1,example.com,localhost,www.example.com|,direct'

{ cat <<'LOG' && printf '+0000 2026-11-29 12:22:28 \e[36mINFO\e[0m [\e[38;5;9m99\e[0m 0ms] inbound/shadowsocks[ss]: [b]ob] inbound packet connection to 192.0.2.53:53\n'; } >"$dir/lines"
+0000 2026-11-29 12:22:26 INFO [1745031466 0ms] inbound/vless[in]: inbound connection from 203.0.113.9:51234
+0000 2026-11-29 12:22:26 INFO [1745031466 0ms] inbound/vless[in]: [alice] inbound connection to Example.com:443
+0000 2026-11-29 12:22:26 INFO [1745031466 1ms] outbound/direct[out]: outbound connection to example.com:443
+0300 2026-11-29 15:22:27 INFO [17] inbound/mixed[local]: inbound connection to [2001:db8::9]:80
+0000 2026-11-29 12:22:28 ERROR [99 9ms] connection: connection upload closed: raw-read tcp
LOG
check singbox '3|0|0|0|0|3|2026-11-29 12:22:26|2026-11-29 12:22:28' <"$dir/lines"
detail singbox 'group_concat(domain), group_concat(port), group_concat(protocol)' '192.0.2.53,2001:db8::9,example.com|53,80,443|UDP,TCP,TCP'

# ---- a name has the same number in all of them

cat >"$dir/expected" <<'END'
1	"alice"
2	"b ob"
3	"127.0.0.1"
4	"a%20b"
5	"corp\\joe"
6	"::1"
7	"unix:"
8	"192.0.2.8"
9	"2001:db8::7"
10	"a b"
11	"carol@example.com"
12	"1.alice"
13	"192.0.2.7"
14	"DNS"
15	"mixed[local]"
16	"b]ob"
END
verdict 'users' "$(diff "$dir/expected" "$users" || true)"

# ---- hostile lines

good='1773569700.123    250 192.0.2.7 TCP_TUNNEL/200 5120 CONNECT www.Example.com:443 alice HIER_DIRECT/198.51.100.9 -'
{ printf '\n%s\n\xff\xfe\n%s\n' "${good:0:40}" "$good" && head -c 300000 /dev/zero | tr '\0' '"' && printf '\n%s\n' "${good/www.Example.com:443/www.example.com:99999}" "${good/www.Example.com/[::1}"; } >"$dir/bad"
for converter in squid haproxy nginx_stream 3proxy xray singbox; do
    status=0
    python3 "examples/convert/$converter.py" "$users" <"$dir/bad" >"$dir/logs" 2>"$dir/said" || status=$?
    seen="$status $(wc -l <"$dir/logs") $(grep -o '^line [0-9]*' "$dir/said" | tr -d 'a-z \n')"
    expected='1 0 12345678'
    [ $converter != squid ] || expected='1 1 1235678'
    verdict "$converter, hostile lines" "$([ "$seen" = "$expected" ] || echo "$seen: $(cut -c1-200 "$dir/said")")"
done

# ---- the file of user numbers

made() { # FIRST LAST PREFIX: lines of as many users
    for ((user = $1; user <= $2; user++)); do echo "${good/alice/$3$user}"; done
}
many() { # FILE: how many names have a number, and how many numbers there are
    echo "$(wc -l <"$1") $(cut -f 1 "$1" | sort -n | uniq | wc -l) $(cut -f 2 "$1" | sort | uniq | wc -l)"
}
for node in {1..8}; do
    { made 1 20 shared && made 1 10 "node$node-"; } | python3 examples/convert/squid.py "$dir/eight" >"$dir/node$node" &
done
wait
verdict 'users, eight at once' "$([ "$(many "$dir/eight")" = '100 100 100' ] || many "$dir/eight")"
seen=$(cat "$dir"/node[1-8] | grep -o '"user_id": [0-9]*' | sort | uniq -c | awk '{ count[$1]++ } END { print NR, count[8], count[1] }')
verdict 'users, in the logs' "$([ "$seen" = '100 20 80' ] || echo "$seen")"

# A converter is killed again and again, at random moments. Its output agrees with the file.
made 1 400 user >"$dir/long"
: >"$dir/killed"
for _ in {1..20}; do
    python3 -u examples/convert/squid.py "$dir/twenty" <"$dir/long" >"$dir/part" 2>"$dir/said" &
    pid=$!
    until [ -s "$dir/part" ] || ! kill -0 $pid 2>/dev/null; do sleep 0.01; done
    kill -KILL $pid 2>/dev/null || true
    wait $pid 2>/dev/null || true
    grep '}$' "$dir/part" | grep -o '"user_id": [0-9]*' | sort -u >>"$dir/killed" || true
done
python3 examples/convert/squid.py "$dir/twenty" <"$dir/long" >"$dir/whole" || verdict 'users, kills' "it ended with $?"
verdict 'users, kills' "$([ "$(many "$dir/twenty")" = '400 400 400' ] || many "$dir/twenty")"
verdict 'users, kills, order' "$(diff <(cut -f 1 "$dir/twenty") <(seq 400) | head -n 3)"

begun() { # WHAT TEXT EXPECTED-STATUS EXPECTED-FILE: a run on a file that holds TEXT
    local status=0
    printf '%b' "$2" >"$dir/file"
    python3 examples/convert/squid.py "$dir/file" <<<"$good" >"$dir/logs" 2>"$dir/said" || status=$?
    verdict "users, $1" "$([ "$status $(cat -A "$dir/file")" = "$3 $(printf '%b' "$4" | cat -A)" ] || echo "$status: $(cat -A "$dir/file" "$dir/said")")"
}
begun 'a line that was begun' '5\t"bob"\n6\t"al' 0 '5\t"bob"\n6\t"alice"\n'
begun 'a number that was begun' '5\t"bob"\n12' 0 '5\t"bob"\n6\t"alice"\n'
begun 'a line without its end' '5\t"bob"\n17\t"alice"' 0 '5\t"bob"\n17\t"alice"\n'
begun 'two names with one number' '5\t"bob"\n5\t"alice"\n' 0 '5\t"bob"\n5\t"alice"\n'
begun 'a number that is too large' '9007199254740992\t"bob"\n' 2 '9007199254740992\t"bob"\n'
begun 'no more numbers' '9007199254740991\t"bob"\n' 2 '9007199254740991\t"bob"\n'
begun 'a name twice' '1\t"bob"\n2\t"bob"\n' 2 '1\t"bob"\n2\t"bob"\n'
begun 'a name without quotes' '1\tbob\n' 2 '1\tbob\n'
status=0
made 1 2000 user | python3 examples/convert/squid.py "$dir/full" >/dev/full 2>"$dir/said" || status=$?
verdict 'a full disk' "$([ "$status $(cat "$dir/said")" = '2 [Errno 28] No space left on device' ] || echo "$status: $(cat "$dir/said")")"
finish
