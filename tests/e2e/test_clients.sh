#!/usr/bin/env bash
# test_clients.sh: the examples of docs/clients.md as they are printed there, and examples/ship.py, with ./serve behind
# a front that breaks connections, is busy, and loses answers (flaky.mjs). Each batch must count exactly once. An answer
# that cannot get better must end the client at once. ship.py must send each line once, through kills, rotations and bad
# lines.
#
# Seen to fail:
#   400 taken for something to try again, in Go -> "FAIL go: refused: exit 124"
#   ship.py without fingerprints, as it was -> "FAIL ship.py, truncated: 7 stored, 7 of them different, not 12; exit 0, not 1"
#   keys made of inode and offset, as they were -> "FAIL ship.py, two hosts: 0 stored, 0 of them different, not 5"
#   a refused batch put aside as a whole, as it was -> "FAIL ship.py, bad lines: 0 stored, 0 of them different, not 10"
#   STATE.refused not cut to what STATE knows -> "FAIL ship.py, killed at each step: grown, step 8: … 9 put aside"
#   post.sh without its look at the batch -> "FAIL sh: no batch: exit 1"
. "${BASH_SOURCE[0]%/*}/../support/totals.sh"
. tests/support/logs.sh
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
    logs_tell "$tmp/data" "SELECT count(*) FROM log WHERE worker = '$1'"
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

# ---- the examples, as files: the second line of each has its name

awk -v to="$tmp" '
    /^```(sh|python|js|go)$/ { language = substr($0, 4); text = ""; next }
    /^```$/ && language != "" {
        name = language == "go" ? "post.go" : ""
        if (name == "" && match(text, /post\.(sh|py|mjs)/)) name = substr(text, RSTART, RLENGTH)
        printf "%s", text >(to "/" name)
        language = ""; next
    }
    { text = text $0 "\n" }' docs/clients.md
for name in post.sh post.py post.mjs post.go; do
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

# ---- post.*: errors that cannot get better end the client at once, with another status than a refused batch

echo wrong >"$tmp/wrong.key"
for language in sh python node go; do
    try $language "$tmp/$language.json" "$tmp/wrong.key"
    verdict "$language: a wrong key" "$([ "$STATUS" = 2 ] || echo "exit $STATUS: $(cat "$tmp/said")")"
    try $language "$tmp/not-there.json"
    verdict "$language: no batch" "$([ "$STATUS" = 2 ] || echo "exit $STATUS: $(cat "$tmp/said")")"
    STATUS=0
    # shellcheck disable=SC2086 # a command and its argument
    timeout 40 ${CLIENT[$language]} "$URL" >"$tmp/said" 2>&1 || STATUS=$?
    verdict "$language: no arguments" "$([ "$STATUS" = 2 ] && grep -q BATCH "$tmp/said" || echo "exit $STATUS: $(cat "$tmp/said")")"
done
printf 'one\ntwo\n' >"$tmp/two.key"
for language in python node go; do # curl would take the second line for another header
    try $language "$tmp/$language.json" "$tmp/two.key"
    verdict "$language: a key of two lines" "$([ "$STATUS" = 2 ] || echo "exit $STATUS: $(cat "$tmp/said")")"
    URL=nowhere try $language "$tmp/$language.json"
    verdict "$language: no URL" "$([ "$STATUS" = 2 ] || echo "exit $STATUS: $(cat "$tmp/said")")"
done

# The key must not follow a redirect.
front moved
for language in sh python node go; do
    batch "$language-moved" 1
    try $language "$tmp/$language-moved.json"
    verdict "$language: a redirect" "$([ "$STATUS $(stored "$language-moved")" = '2 0' ] || echo "exit $STATUS, $(stored "$language-moved") stored: $(cat "$tmp/said")")"
done

# ---- ship.py

line() { printf '{"ts":"2026-03-15 10:15:00","user_id":1,"order_id":1,"domain":"d%s.example","worker":"%s","count":1}\n' "$2" "$1"; }
bad_line() { line "$1" "$2" | sed 's/"count":1/"count":"many"/'; }
lines() { # WORKER FROM TO
    local i
    for ((i = $2; i <= $3; i++)); do line "$1" "$i"; done
}
ship() { # LOG [STATE]: sets STATUS and $tmp/said
    STATUS=0
    timeout 60 python3 examples/ship.py "$URL" "$tmp/data/keys/worker.key" "$tmp/$1" "$tmp/${2:-$1.state}" --once >"$tmp/said" 2>&1 || STATUS=$?
}
ship_killed() { # LOG: a run that is killed within its first second, perhaps before it has read anything
    python3 examples/ship.py "$URL" "$tmp/data/keys/worker.key" "$tmp/$1" "$tmp/$1.state" --once >/dev/null 2>&1 &
    local pid=$!
    sleep "0.$((RANDOM % 80 + 10))"
    kill -KILL $pid 2>/dev/null || true
    wait $pid 2>/dev/null || true
}
distinct() { logs_tell "$tmp/data" "SELECT count(DISTINCT domain) FROM log WHERE worker = '$1'"; }
expect() { # WHAT WORKER LINES STATUS [WORDS]: so many lines are stored, each once; the last run's status and output
    local fault=
    [ "$(stored "$2")" = "$3" ] && [ "$(distinct "$2")" = "$3" ] || fault="$(stored "$2") stored, $(distinct "$2") of them different, not $3; "
    [ "$STATUS" = "$4" ] || fault+="exit $STATUS, not $4; "
    grep -q "${5:-}" "$tmp/said" || [ -z "${5:-}" ] || fault+="it did not say '$5'; "
    verdict "ship.py, $1" "${fault:+$fault$(cat "$tmp/said")}"
}
refused() { grep -c "${2:-}" "$tmp/$1.state.refused"; } # LOG [REASON]: how many lines are put aside

# Killed at any moment, while the log grows, is rotated in all ways, and answers are lost.
front lost
lines follow 1 300 >"$tmp/follow"
written=300
ship follow # files that were rotated before its first run do not count
for change in none none rename none copy none rename copy; do
    ship_killed follow
    case $change in
    rename) mv "$tmp/follow" "$tmp/follow.$written" && : >"$tmp/follow" ;;
    copy) cp "$tmp/follow" "$tmp/follow.$written" && : >"$tmp/follow" ;;
    esac
    # A batch that a killed run has begun must not take these lines.
    { bad_line follow 0 && lines follow $((written + 1)) $((written + 400)); } >>"$tmp/follow"
    written=$((written + 400))
    ship_killed follow
done
ship follow
[ "$STATUS" != 1 ] || STATUS=0 # 1 if a bad line is put aside in this run, and not in one that was killed
expect 'killed at any moment' follow $written 0
verdict 'ship.py, killed, lines put aside' "$([ "$(refused follow)" = 8 ] || echo "$(refused follow), not 8")"
line follow $((written + 1)) | head -c 20 >>"$tmp/follow"
ship follow
expect 'half a line' follow $written 0 'not a whole line yet'
line follow $((written + 1)) | tail -c +21 >>"$tmp/follow"
lines follow $((written + 2)) $((written + 1500)) >>"$tmp/follow"
ship follow &
one=$!
ship follow
wait $one
expect 'two at once' follow $((written + 1500)) 0

killed=$(python3 tests/e2e/killed.py 2>&1) || killed+=" it ended with $?"
verdict 'ship.py, killed at each step' "$([[ $killed =~ ^steps:\ [1-9][0-9]+$ ]] || echo "$killed")"

front ''
# copytruncate without a copy: the file is then shorter, and longer, than what was read. Lines before the truncation are
# lost.
lines trunc 1 7 >"$tmp/trunc"
ship trunc
lines trunc 8 12 >"$tmp/trunc"
ship trunc
expect 'truncated' trunc 12 1 'truncated or replaced'
lines trunc 13 40 >"$tmp/trunc"
ship trunc
expect 'truncated and grown past the offset' trunc 40 1 'truncated or replaced'
: >"$tmp/trunc"
ship trunc
expect 'truncated to nothing' trunc 40 1 'truncated or replaced'
ship trunc
expect 'empty' trunc 40 0
lines trunc 41 45 >>"$tmp/trunc"
ship trunc
expect 'filled again' trunc 45 0

# A writer without O_APPEND goes on where it was: the truncated file begins with zeros.
lines hole 1 5 >"$tmp/hole"
ship hole
: >"$tmp/hole"
lines hole 6 9 | dd of="$tmp/hole" seek=3000000 oflag=seek_bytes conv=notrunc status=none
ship hole
expect 'a hole' hole 9 1 'truncated or replaced'
ship hole
expect 'after the hole' hole 9 0

# copytruncate with a copy, in which there are lines that were not read yet.
lines copied 1 10 >"$tmp/copied"
ship copied
lines copied 11 20 >>"$tmp/copied"
cp "$tmp/copied" "$tmp/copied.1"
lines copied 21 60 >"$tmp/copied"
ship copied
expect 'the rest from the copy' copied 60 0 'after its copy was made'

# Truncated while a batch is on its way: the state has the batch, the file does not.
front lost,busy,busy,busy,busy
lines middle 1 5 >"$tmp/middle"
python3 examples/ship.py "$URL" "$tmp/data/keys/worker.key" "$tmp/middle" "$tmp/middle.state" --once >"$tmp/said" 2>&1 &
pid=$!
for _ in {1..200}; do
    ! grep -q 503 "$tmp/said" || break
    sleep 0.05
done
kill -KILL $pid
wait $pid 2>/dev/null || true
front ''
lines middle 6 9 >"$tmp/middle"
ship middle
expect 'truncated with a batch on its way' middle 9 1 'truncated or replaced'

# Rotated twice between two runs, with a last line without its newline, and beside a file whose name only looks rotated.
lines twice 1 10 >"$tmp/twice"
ship twice
lines twice 11 20 | head -c -1 >>"$tmp/twice"
touch -d '2026-03-15 10:00' "$tmp/twice"
mv "$tmp/twice" "$tmp/twice.2"
lines twice 21 30 >"$tmp/twice.1"
lines other 1 3 >"$tmp/twice.1.bak"
lines twice 31 40 >"$tmp/twice"
ship twice
expect 'rotated twice' twice 40 0
verdict 'ship.py, another file' "$([ "$(stored other)" = 0 ] || echo 'was read')"
# The writer goes on with the renamed file until it opens the new one.
lines twice 41 45 >>"$tmp/twice"
mv "$tmp/twice" "$tmp/twice-20260316"
: >"$tmp/twice"
ship twice
lines twice 46 50 >>"$tmp/twice-20260316"
lines twice 51 55 >>"$tmp/twice"
ship twice
expect 'the old file grows after the new one is made' twice 55 0

# Two hosts with one API key, and states with the same inode and offset: only the identifier differs.
lines host-a 1 5 >"$tmp/hosts"
ship hosts hosts-a.state
jq '.offset = 0 | .fingerprint = null | .number = 0' "$tmp/hosts-a.state" >"$tmp/hosts-copied.state"
jq 'del(.id)' "$tmp/hosts-copied.state" >"$tmp/hosts-b.state"
lines host-b 1 5 >"$tmp/hosts"
ship hosts hosts-b.state
expect 'two hosts' host-b 5 0
verdict 'ship.py, identifiers' "$([ "$(jq -r .id "$tmp/hosts-a.state")" != "$(jq -r .id "$tmp/hosts-b.state")" ] || echo 'are equal')"
ship hosts hosts-copied.state
expect 'a copied identifier' host-b 5 2 'remove its member "id"'

# Bad lines: of every kind, more than one answer lists, and nothing else.
{
    lines bad 1 3
    echo 'no JSON'
    printf '\xff\n'
    echo '[]'
    echo '{"a":"\ud800"}'
    echo '{"domain":NaN}'
    line bad 4 | tr -d '\n' && echo ',{"user_id":1}'
    printf '\r\n\n'
    lines bad 5 9 | sed 's/$/\r/'
    head -c 2500000 /dev/zero | tr '\0' x && echo
    bad_line bad 10
    lines bad 11 12
} >"$tmp/bad"
ship bad
expect 'bad lines' bad 10 1 'put aside'
verdict 'ship.py, bad lines put aside' "$([ "$(refused bad)" = 8 ] && [ "$(refused bad '"count: ')" = 1 ] && [ "$(refused bad 'has 2500001')" = 1 ] || cat "$tmp/bad.state.refused")"
ship bad
expect 'bad lines are past' bad 10 0
for i in {1..350}; do line many "$i" && bad_line many "$i"; done >"$tmp/many"
ship many
expect 'more bad lines than an answer lists' many 350 1 'put aside'
verdict 'ship.py, all of them put aside' "$([ "$(refused many '"count: ')" = 350 ] || refused many)"
for i in {1..3}; do bad_line many "$i"; done >>"$tmp/many"
ship many
expect 'nothing but bad lines' many 350 1 'put aside'

# Faults that the operator has to mend: ship.py ends with a message, and keeps its place.
lines stop 1 3 >"$tmp/stop"
STATUS=0
timeout 60 python3 examples/ship.py "$URL" "$tmp/wrong.key" "$tmp/stop" "$tmp/stop.state" --once >"$tmp/said" 2>&1 || STATUS=$?
expect 'a wrong key' stop 0 2 'KEY-FILE'
ship stop
expect 'the right key' stop 3 0
line moved 1 >"$tmp/moved"
front moved
ship moved
expect 'a redirect' moved 0 2 'check URL'
front ''
STATUS=0
timeout 60 python3 examples/ship.py "$URL" "$tmp/two.key" "$tmp/moved" "$tmp/moved.state" --once >"$tmp/said" 2>&1 || STATUS=$?
expect 'a key of two lines' moved 0 2 'cannot be sent'
ship moved
expect 'the right address' moved 1 0
ship not-there
expect 'no file' not-there 0 2 'does not exist'

# A file that appears later.
timeout 60 python3 examples/ship.py "$URL" "$tmp/data/keys/worker.key" "$tmp/later" "$tmp/later.state" >"$tmp/said" 2>&1 &
pid=$!
CHILDREN+=("$pid")
for _ in {1..200}; do
    [ ! -s "$tmp/later.state" ] || break
    sleep 0.05
done
lines later 1 3 >"$tmp/later"
for _ in {1..300}; do
    [ "$(stored later)" != 3 ] || break
    sleep 0.1
done
kill $pid
wait $pid 2>/dev/null || true
STATUS=0 expect 'a file that appears later' later 3 0

# The state of an older version, with a batch whose answer that version has not seen.
lines old 1 9 >"$tmp/old"
inode=$(stat -c %i "$tmp/old") end=$(lines old 1 4 | wc -c)
{ printf '{"logs":[' && lines old 1 4 | paste -sd, | tr -d '\n' && printf ']}'; } >"$tmp/$inode-0-$end"
try sh "$tmp/$inode-0-$end"
printf '{"inode": %s, "begin": 0, "end": %s}' "$inode" "$end" >"$tmp/old.state"
ship old
expect 'the state of the version before' old 9 0 'older version'
echo '{"inode": 1}' >"$tmp/old.state"
ship old
expect 'an unknown state' old 9 2 'not a state file'
finish
