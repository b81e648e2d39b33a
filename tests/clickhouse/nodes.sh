#!/usr/bin/env bash
# nodes.sh BUILD: two nodes that take batches for one ClickHouse, as docs/scaling.md has them: each with a network of its own,
# behind a front nginx with nginx/front-nodes.conf.example. Callers send numbered batches while a node is killed, comes back,
# is cut off, and comes back: all batches of a caller go to one node, and each acknowledged batch counts once. Needs
# root.
. "${BASH_SOURCE[0]%/*}/../support/totals.sh"
BUILD=$(realpath "$1")
PATH=$PATH:/usr/sbin:/sbin
CALLERS=8
skip() { echo "skipped: $*" && exit 0; }
[ "$EUID" -eq 0 ] || skip 'namespaces of networks need root'
{ command -v clickhouse-server && command -v java && [ -e /usr/share/java/zookeeper.jar ]; } >/dev/null ||
    skip 'clickhouse-server, java or zookeeper is not installed'
memory=/dev/shm # ZooKeeper syncs a file at each step
[ -w "$memory" ] || memory=/tmp
tmp=$(mktemp -d "$memory/analytics-nodes.XXXXXX")
hub=an-$$-hub
ip netns add "$hub" || { rm -rf "$tmp" && skip 'namespaces of networks are not permitted here'; }

clean_up() {
    local name
    tools/clickhouse.sh kill "$tmp/own" || true
    for name in "$hub" "an-$$-1" "an-$$-2"; do
        ip netns pids "$name" 2>/dev/null | xargs -r kill -KILL 2>/dev/null || true
        ip netns del "$name" 2>/dev/null || true
    done
    wait
    rm -rf "$tmp"
}
trap clean_up EXIT
chmod 755 "$tmp"

# ---- networks: a bridge in the hub, where ClickHouse and the front are, and a cable to each node

in_hub() { ip netns exec "$hub" "$@"; }
ip -n "$hub" link set lo up
ip -n "$hub" link add bridge type bridge
ip -n "$hub" addr add 10.77.0.1/24 dev bridge
ip -n "$hub" link set bridge up
for n in 1 2; do
    ip netns add "an-$$-$n"
    ip link add "an$$n$n" netns "$hub" type veth peer name cable netns "an-$$-$n"
    ip -n "$hub" link set "an$$n$n" master bridge up
    ip -n "an-$$-$n" addr add "10.77.0.1$n/24" dev cable
    ip -n "an-$$-$n" link set cable up
    ip -n "an-$$-$n" link set lo up
done

# ---- ClickHouse

tools/clickhouse.sh make "$tmp/own" 1x2
sed -i 's|<listen_host>.*|&<listen_host>10.77.0.1</listen_host>|; s|<networks>|&<ip>10.77.0.0/24</ip>|' \
    "$tmp"/own/server*/{config,users}.xml
in_hub tools/clickhouse.sh start "$tmp/own"
chmod 644 "$tmp"/own/*password
urls=$(tools/clickhouse.sh urls "$tmp/own")
query() { # N SQL
    in_hub curl -s -H 'X-ClickHouse-User: analytics' -H "X-ClickHouse-Key: $(<"$tmp/own/password")" --data-binary "$2" \
        "http://127.0.0.1:$(<"$tmp/own/server$1/http_port")/?database=analytics"
}

# ---- nodes, with the same keys

mkdir "$tmp/bin"
install -t "$tmp/bin" "$BUILD"/analytics{-ingest,-query,ctl} tools/supervise.sh
cp -R --no-preserve=mode nginx "$tmp/nginx"
"$BUILD/analyticsctl" --data "$tmp/1" init 2>/dev/null >&2
for ((caller = 0; caller < CALLERS; caller++)); do
    "$BUILD/analyticsctl" --data "$tmp/1" key add --name "caller $caller" --role worker 2>/dev/null | tail -n 1 >"$tmp/caller.$caller"
done
mkdir -m 700 "$tmp/2"
cp -R "$tmp/1/keys" "$tmp/1/keys.db" "$tmp/2/"
chown -R www-data: "$tmp/1" "$tmp/2"

start_node() { # N
    # shellcheck disable=SC2024 # the log is root's
    ip netns exec "an-$$-$1" env BIN="$tmp/bin" DATA="$tmp/$1" SHOWN_DATA="$tmp/$1" NGINX_CONF="$tmp/nginx" PORT=8080 READY=ready \
        AUTH="$tmp/nginx/analytics-auth-keys.conf" ADDRESS=0.0.0.0 QUERY_PROCESSES=2 RATE_INGEST=20000 RATE_READS=20000 \
        ENGINE=clickhouse CLICKHOUSE_URLS="${urls//127.0.0.1/10.77.0.1}" ANALYTICS_CLICKHOUSE_NODE="$1" \
        ANALYTICS_CLICKHOUSE_TIMEOUT_MS=5000 ANALYTICS_CLICKHOUSE_PASSWORD_FILE="$tmp/own/password" \
        ANALYTICS_CLICKHOUSE_REPORTS_PASSWORD_FILE="$tmp/own/reports.password" \
        setpriv --reuid www-data --regid www-data --init-groups --no-new-privs bash "$tmp/bin/supervise.sh" >>"$tmp/log.$1" 2>&1 &
    disown # so that bash prints nothing about its end
    await "node $1 answers" eval "curl_node $1 /analytics/health >/dev/null"
}
kill_node() { # N: as in a power cut
    ip netns pids "an-$$-$1" | xargs -r kill -KILL 2>/dev/null || true # some have ended already, after the end of others
    await "node $1 is gone" eval "[ -z \"\$(ip netns pids an-$$-$1)\" ]"
}
curl_node() { in_hub curl -fsS --max-time 20 -H "x-api-key: $(<"$tmp/1/keys/admin.key")" "http://10.77.0.1$1:8080$2" 2>/dev/null; }

# await WHAT COMMAND…: waits until it is true, far longer than any machine needs.
await() {
    local what=$1 i
    shift
    for ((i = 0; i < 1200; i++)); do
        ! "$@" || return 0
        [ ! -s "$tmp/log.callers" ] || break
        sleep 0.1
    done
    verdict "$what" "not within two minutes, or not at all: $(tail -n 3 "$tmp"/log.*)"
    finish
}

# ---- the front, as the example has it

mkdir "$tmp/front"
sed -e "s|/usr/local/share/fonproxy-analytics|$tmp|; s|192\.0\.2\.|10.77.0.|; s|listen 80|listen 10.77.0.1:8000|" \
    nginx/front-nodes.conf.example >"$tmp/front/nodes.conf"
cat >"$tmp/front/nginx.conf" <<END2
daemon off; pid $tmp/front/pid; error_log stderr; events {}
http {
$(for kind in client_body fastcgi proxy scgi uwsgi; do echo "${kind}_temp_path $tmp/front;"; done)
include $tmp/front/nodes.conf;
}
END2
start_node 1
start_node 2
in_hub nginx -p "$tmp/front" -c "$tmp/front/nginx.conf" >>"$tmp/log.front" 2>&1 &
in_hub python3 tests/clickhouse/callers.py http://10.77.0.1:8000 "$tmp" $CALLERS >"$tmp/log.callers" 2>&1 &
callers=$!

# ---- which callers each node has, by the batches that it took

caller_names() { # N
    sqlite3 "file:$tmp/$1/analytics.db?mode=ro" "SELECT text FROM name WHERE id IN (SELECT caller FROM batch_key)"
}
all_have() { # BATCHES: each caller has got so many acknowledged
    awk -v least="$1" '$1 < least { few = 1 } END { exit few || NR == 0 }' "$tmp/progress" 2>/dev/null
}
acknowledged() { awk '{ sum += $1 } END { print sum + 0 }' "$tmp/progress"; }
refused() { awk '$2 > 0 { callers++ } END { print callers + 0 }' "$tmp/progress"; }
more_than() { [ "$(acknowledged)" -gt "$1" ]; }
refused_callers() { [ "$(refused)" -ge "$1" ]; }
at_least() { awk '{ print $1 }' "$tmp/progress" | sort -n | sed -n 1p; }
everyone_goes_on() { local least && least=$(at_least) && await "$1" all_have $((least + 10)); }

await 'callers begin' all_have 5
first=$(caller_names 1) second=$(caller_names 2)
verdict 'each node has callers' "$([ -n "$first" ] && [ -n "$second" ] || echo "of one: $first, of the other: $second")"
of_first=$(wc -l <<<"$first")

# ---- a node dies

kill_node 1
await 'its callers are refused' refused_callers "$of_first"
before=$(acknowledged)
await 'the other node goes on' more_than $((before + 50))
verdict 'only its callers are refused' "$([ "$(refused)" -eq "$of_first" ] || echo "$(refused) callers, not $of_first")"
start_node 1
everyone_goes_on 'all go on after its return'

# ---- a cable is cut

ip -n "an-$$-2" link set cable down
await 'the callers of the other node are refused' refused_callers $CALLERS
before=$(acknowledged)
await 'the first node goes on' more_than $((before + 50))
ip -n "an-$$-2" link set cable up
everyone_goes_on 'all go on when it is mended'

# ---- ClickHouse is away, and a node dies with what it has not shipped

in_hub tools/clickhouse.sh kill "$tmp/own" 1 2
everyone_goes_on 'batches are taken all the same'
kill_node 2
waiting=$(sqlite3 "file:$tmp/2/analytics.db?mode=ro" 'SELECT count(*) FROM batch WHERE id > (SELECT coalesce(max(last_batch), 0) FROM spool_block WHERE state <> 0)')
verdict 'it had something left' "$([ "$waiting" -gt 0 ] || echo "$waiting batches")"
in_hub tools/clickhouse.sh start "$tmp/own" 1 2
start_node 2
everyone_goes_on 'all go on after that'

# ---- the ledger

touch "$tmp/stop"
verdict 'the callers heard nothing but 204, 503, or no answer' "$(wait $callers || cat "$tmp/log.callers")"
verdict 'pinned' "$(comm -12 <(caller_names 1 | sort) <(caller_names 2 | sort))"
for n in 1 2; do
    await "node $n ships what it has" eval "curl_node $n '/analytics/summary?from=2026-03-15&to=2026-03-15' >/dev/null"
done
for n in 1 2; do
    for table in log sums; do query $n "SYSTEM SYNC REPLICA $table"; done
    query $n "SELECT substring(domain, 2, position(domain, '.') - 2), count(), uniqExact(order_id), uniqExact(user_id) FROM log GROUP BY domain" >"$tmp/stored"
    verdict "replica $n: whole and once" "$(awk '$2 != 5 || $3 != 5 || $4 != 1' "$tmp/stored" | head -n 3)"
    verdict "replica $n: what was acknowledged, and nothing else" \
        "$(diff <(sort "$tmp/ledger") <(cut -f 1 "$tmp/stored" | sort) | head -n 5)"
done
# ---- a key is revoked on one node, and the file copied to the other

post_with() { # N KEY-FILE
    in_hub curl -s -o /dev/null -w '%{http_code}' -H "x-api-key: $(<"$2")" -H 'content-type: application/json' \
        -d '{"logs":[]}' "http://10.77.0.1$1:8080/analytics/ingest"
}
verdict 'a key is good on the other node' "$(status=$(post_with 2 "$tmp/caller.0") && [ "$status" = 204 ] || echo "$status")"
"$BUILD/analyticsctl" --data "$tmp/1" key revoke 3 >/dev/null
cp "$tmp/1/keys.db" "$tmp/2/keys.new"
chown www-data: "$tmp/2/keys.new"
mv "$tmp/2/keys.new" "$tmp/2/keys.db"
verdict 'and revoked there' "$(status=$(post_with 2 "$tmp/caller.0") && [ "$status" = 401 ] || echo "$status")"

count=$(wc -l <"$tmp/ledger")
total=$(curl_node 1 '/analytics/requests?from=2026-03-15&to=2026-03-15' || true)
verdict 'the report' "$([[ $total == *"\"total_count\":\"$((count * 5))\""* ]] || echo "$total, not $((count * 5))")"
echo "$count batches of $CALLERS callers, $(awk '{ sum += $2 } END { print sum }' "$tmp/progress") times refused or unanswered"
finish
