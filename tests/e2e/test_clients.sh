#!/usr/bin/env bash
# test_clients.sh: the examples of docs/clients.md as they stand there, against ./serve behind a front that breaks
# connections, is busy, and loses answers (flaky.mjs). Each batch must count exactly once; what can't be taken must end
# the client at once; the program that follows a log must send each line once, through kills and a rotation.
#
# Seen to fail:
#   a key that is made anew for each try, in Python -> "FAIL ship.py, killed at any moment: 37800 lines stored, not 3000"
#   400 taken for something to try again, in Go -> "FAIL go: refused: exit 124"
#   ship.py without save() before the first try -> "FAIL ship.py, half a line: 3300 lines stored, not 2000"
. "${BASH_SOURCE[0]%/*}/../support/totals.sh"
SOURCE=$PWD
BUILD=${ANALYTICS_BUILDDIR:?is not set: run the tests through make check}
tmp=$(mktemp -d /tmp/analytics-clients.XXXXXX)
chmod 755 "$tmp"
CHILDREN=()
clean_up() {
    local pid
    for pid in "${CHILDREN[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait
    rm -rf "$tmp"
}
trap clean_up EXIT

# ---- the service

free_port() { node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close() })'; }
PORT=$(free_port)
"$SOURCE/serve" --no-setup --build-dir "$BUILD" --port "$PORT" --data "$tmp/data" --query-processes 1 >"$tmp/serve.log" 2>&1 &
CHILDREN+=($!)
for _ in {1..300}; do
    ! curl -fs "http://127.0.0.1:$PORT/analytics/health" >/dev/null || break
    sleep 0.1
done
stored() { # WORKER: how many logs of it are stored
    sqlite3 -readonly "$tmp/data/analytics.db" "SELECT count(*) FROM log WHERE worker = '$1'"
}

front() { # PLAN: starts a front, sets URL
    node tests/e2e/flaky.mjs "$PORT" "$1" >"$tmp/front" &
    CHILDREN+=($!)
    for _ in {1..100}; do
        [ ! -s "$tmp/front" ] || break
        sleep 0.05
    done
    URL=http://127.0.0.1:$(cat "$tmp/front")
    : >"$tmp/front"
}

batch() { # WORKER COUNT
    printf '{"logs":[{"ts":"2026-03-15 10:15:00","user_id":1,"order_id":1,"domain":"example.com","worker":"%s","count":%s}]}\n' "$1" "$2" >"$tmp/$1.json"
}

# ---- the examples, as files of their names: the second line of each says it

awk -v to="$tmp" '
    /^```(sh|python|js|go)$/ { language = substr($0, 4); text = ""; next }
    /^```$/ && language != "" {
        name = language == "go" ? "post.go" : ""
        if (name == "" && match(text, /(post|ship)\.(sh|py|mjs)/)) name = substr(text, RSTART, RLENGTH)
        printf "%s", text >(to "/" name)
        language = ""; next
    }
    { text = text $0 "\n" }' docs/clients.md
for name in post.sh post.py post.mjs post.go ship.py; do
    verdict "$name" "$([ -s "$tmp/$name" ] || echo 'is not in docs/clients.md')"
done
verdict 'post.go, gofmt' "$(gofmt -l "$tmp/post.go")"
(cd "$tmp" && GOCACHE=$tmp/go GOFLAGS=-mod=mod GO111MODULE=off go build -o post-go post.go) 2>&1 || verdict 'post.go' 'is not built'
verdict 'post.sh, shellcheck' "$(shellcheck "$tmp/post.sh" || true)"
verdict 'post.sh without arguments' "$([ "$(sh "$tmp/post.sh" 2>&1)" = 'usage: post.sh URL KEY-FILE BATCH' ] || echo 'does not say what it takes')"

declare -A CLIENT=([sh]="sh $tmp/post.sh" [python]="python3 $tmp/post.py" [node]="node $tmp/post.mjs" [go]="$tmp/post-go")
try() { # LANGUAGE BATCH [KEY]: sets STATUS and $tmp/said
    STATUS=0
    # shellcheck disable=SC2086 # a command and its argument
    timeout 40 ${CLIENT[$1]} "$URL" "${3:-$tmp/data/keys/worker.key}" "$2" >"$tmp/said" 2>&1 || STATUS=$?
}

front reset,lost,busy,limit
for language in sh python node go; do
    batch "$language" 1
    try $language "$tmp/$language.json" &
    CHILDREN+=($!)
    wait_for+=("$!")
done
wait "${wait_for[@]}" || true
for language in sh python node go; do
    verdict "$language: stored once" "$([ "$(stored $language)" = 1 ] || echo "$(stored $language) logs, not 1")"
    try $language "$tmp/$language.json"
    verdict "$language: sent again" "$([ "$STATUS" = 0 ] && [ "$(stored $language)" = 1 ] || echo "exit $STATUS, $(stored $language) logs")"
    batch "$language-bad" '"many"'
    front ''
    try $language "$tmp/$language-bad.json"
    verdict "$language: refused" "$([ "$STATUS" = 1 ] && grep -q analytics.logs_invalid "$tmp/said" || echo "exit $STATUS: $(cat "$tmp/said")")"
done

# ---- the program that follows a log: killed at any moment, a rotation in between, half a line, a bad line

line() { printf '{"ts":"2026-03-15 10:15:00","user_id":1,"order_id":1,"domain":"d%s.example","worker":"%s","count":1}\n' "$2" "$1"; }
lines() { # WORKER FROM TO
    local i
    for ((i = $2; i <= $3; i++)); do line "$1" "$i"; done
}
ship() { timeout 60 python3 "$tmp/ship.py" "$URL" "$tmp/data/keys/worker.key" "$tmp/$1" "$tmp/$1.state" --once >>"$tmp/said" 2>&1; }
front lost
lines follow 1 300 >"$tmp/follow"
written=300
for moment in 0.1 0.2 0.3 0.5 0.8 1.2; do
    ship follow &
    pid=$!
    sleep $moment
    pkill -KILL -f "^python3 $tmp/ship.py" || true # not the `timeout` that started it, which would leave it running
    wait $pid 2>/dev/null || true
    lines follow $((written + 1)) $((written + 200)) >>"$tmp/follow" # what it must not take for a part of the same batch
    written=$((written + 200))
done
{ lines follow 1501 2000 && line follow 2001 | head -c 20; } >>"$tmp/follow"
ship follow || verdict 'ship.py' "$(cat "$tmp/said")"
verdict 'ship.py, half a line' "$([ "$(stored follow)" = 2000 ] || echo "$(stored follow) lines stored, not 2000")"
line follow 2001 | tail -c +21 >>"$tmp/follow"
mv "$tmp/follow" "$tmp/follow.1"
lines follow 2002 3000 >"$tmp/follow"
ship follow || verdict 'ship.py' "$(cat "$tmp/said")"
verdict 'ship.py, killed at any moment' "$([ "$(stored follow)" = 3000 ] || echo "$(stored follow) lines stored, not 3000")"
verdict 'ship.py, each line' "$([ "$(sqlite3 -readonly "$tmp/data/analytics.db" "SELECT count(DISTINCT domain) FROM log WHERE worker = 'follow'")" = 3000 ] || echo 'not all are there')"
echo 'no JSON' >>"$tmp/follow"
ship follow || verdict 'ship.py' "$(cat "$tmp/said")"
lines follow 3001 3010 >>"$tmp/follow"
ship follow || verdict 'ship.py' "$(cat "$tmp/said")"
verdict 'ship.py, after a bad line' "$([ "$(stored follow)" = 3010 ] && ls "$tmp"/follow.state.refused-* >/dev/null || echo "$(stored follow) lines stored, not 3010")"
lines follow 3011 3300 >>"$tmp/follow"
ship follow &
one=$!
ship follow || verdict 'ship.py' "$(cat "$tmp/said")"
wait $one || verdict 'ship.py' "$(cat "$tmp/said")"
verdict 'ship.py, two at once' "$([ "$(stored follow)" = 3300 ] || echo "$(stored follow) lines stored, not 3300")"
finish
