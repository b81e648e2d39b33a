#!/usr/bin/env bash
# test_cors.sh: nginx/analytics-cors.conf.example in a real nginx, as it is shipped: what a page of an allowed origin,
# of a foreign one, and of none gets for its preflight, its reads, its batches, and for errors of nginx and of the
# programs.
#
# Seen to fail:
#   no Access-Control-Allow-Origin in @analytics_error -> "FAIL 503, allowed: …"
#   a pattern without its end -> "FAIL GET, foreign: …"
. "${BASH_SOURCE[0]%/*}/../support/totals.sh"
SOURCE=$PWD
BUILD=${ANALYTICS_BUILDDIR:?is not set: run the tests through make check}
tmp=$(mktemp -d /tmp/analytics-cors.XXXXXX)
chmod 755 "$tmp"
PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat nginx/analytics-auth-keys.conf nginx/analytics-cors.conf.example >"$tmp/auth.conf"
"$SOURCE/serve" --no-setup --build-dir "$BUILD" --port "$PORT" --data "$tmp/data" --query-processes 1 --auth "$tmp/auth.conf" >"$tmp/log" 2>&1 &
serve=$!
trap 'kill $serve 2>/dev/null; wait; rm -rf "$tmp"' EXIT
for _ in {1..300}; do
    ! curl -fs "http://127.0.0.1:$PORT/analytics/health" >/dev/null || break
    sleep 0.1
done

allowed=https://dashboard.example.com
foreign=$allowed.evil.example
read_path='traffic?from=2026-03-15&to=2026-03-15'
expose='Access-Control-Expose-Headers: ETag, Idempotency-Replayed, Retry-After'
admin=(-H "x-api-key: $(<"$tmp/data/keys/admin.key")")
worker=(-H "x-api-key: $(<"$tmp/data/keys/worker.key")" -H 'content-type: application/json' --data-binary @examples/sample-batch.json)

# check NAME PATH STATUS EXPECTED CURL-OPTION…: the status, and the headers of CORS and Vary, sorted, one a line.
check() {
    local seen
    curl -s --max-time 20 -D "$tmp/headers" -o /dev/null "${@:5}" "http://127.0.0.1:$PORT/analytics/$2"
    tr -d '\r' <"$tmp/headers" >"$tmp/plain"
    seen=$(sed -n '1s/^HTTP[^ ]* \([0-9]*\).*/\1/p' "$tmp/plain" && grep -E '^(Access-Control-.*|Vary: Origin)' "$tmp/plain" | sort || true)
    verdict "$1" "$([ "$seen" = "$3${4:+$'\n'$4}" ] || echo "got ${seen//$'\n'/ | }")"
}
permission="Access-Control-Allow-Origin: $allowed"$'\n'"$expose"$'\n''Vary: Origin'
preflight='Access-Control-Allow-Headers: x-api-key, authorization, content-type, idempotency-key, if-none-match
Access-Control-Allow-Methods: GET, HEAD, POST
Access-Control-Allow-Origin: https://dashboard.example.com
Access-Control-Max-Age: 3600
Vary: Origin'
from() { printf 'Origin: %s' "$1"; }

for path in "$read_path" ingest; do
    check "preflight of $path, allowed" "$path" 204 "$preflight" -X OPTIONS -H "$(from $allowed)"
    check "preflight of $path, foreign" "$path" 401 'Vary: Origin' -X OPTIONS -H "$(from $foreign)"
done
check 'GET, allowed' "$read_path" 200 "$permission" "${admin[@]}" -H "$(from $allowed)"
check 'GET, foreign' "$read_path" 200 'Vary: Origin' "${admin[@]}" -H "$(from $foreign)"
check 'GET, no origin' "$read_path" 200 'Vary: Origin' "${admin[@]}"
check 'POST, allowed' ingest 204 "$permission" "${worker[@]}" -H "$(from $allowed)"
check 'POST, foreign' ingest 204 'Vary: Origin' "${worker[@]}" -H "$(from $foreign)"
check '401, allowed' "$read_path" 401 "$permission" -H "$(from $allowed)"
check '401, foreign' "$read_path" 401 'Vary: Origin' -H "$(from $foreign)"
check '401 of a batch, allowed' ingest 401 "$permission" -X POST -H "$(from $allowed)"
rm "$tmp/data/run/query.sock" "$tmp/data/run/ingest.sock"
check '503, allowed' "$read_path" 503 "$permission" "${admin[@]}" -H "$(from $allowed)"
check '503, foreign' "$read_path" 503 'Vary: Origin' "${admin[@]}" -H "$(from $foreign)"
check '503 of a batch, allowed' ingest 503 "$permission" "${worker[@]}" -H "$(from $allowed)"
finish
