#!/usr/bin/env bash
# test_dashboard.sh: the dashboard's files (size, no markup from text), how nginx serves them, and a walk through it in
# Chromium (walk.mjs). Where there is no browser, it says so and checks the rest.
#
# Seen to fail:
#   the key as ?apikey= -> "FAIL all along: no key in a URL"; kept in localStorage -> "FAIL key: kept for the tab only"
#   answers of a view that was left are shown -> "FAIL late answers: are not shown: ["24h",30], expected ["24h",96]"
#   401 like any other error -> "FAIL expired key: asked for another"
#   a zoom that ends one bucket early -> "FAIL chart by keyboard: to what was selected: 5, expected 6"
#   30 days that are 29 -> "FAIL range 30d: zero-filled: 29, expected 30"; no fill=zero -> "FAIL range 24h: zero-filled: 88"
#   page= left out -> "FAIL websites: has others"; no way to stop it -> "FAIL refresh: not when switched off: 5, expected 2"
#   text as markup -> every step, since the policy lets none in
#   frame-ancestors written as 'none' -> "in the frame of a page that is named"
. "${BASH_SOURCE[0]%/*}/../support/totals.sh"
SOURCE=$PWD
BUILD=${ANALYTICS_BUILDDIR:?is not set: run the tests through make check}
PATH=$PATH:/usr/sbin:/sbin
WORK=$(mktemp -d /tmp/analytics-browser.XXXXXX)
chmod 755 "$WORK"
SERVE=
clean_up() {
    [ -z "$SERVE" ] || { kill "$SERVE" && wait "$SERVE"; } 2>/dev/null || true
    rm -rf "$WORK"
}
trap clean_up EXIT

# ---- the files

size=$(cat nginx/dashboard/* | wc -c)
verdict 'our own code' "$([ "$size" -lt 200000 ] || echo "has $size bytes, under 200,000 were promised")"
found=$(grep -nE 'innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|setAttribute\(.style' nginx/dashboard/*.js || true)
verdict 'no markup from text' "$found"
found=$(grep -nE '<script>|<style|[ "](on[a-z]+|style)="|https?://' nginx/dashboard/index.html || true)
verdict 'nothing inline, nothing from elsewhere' "$found"

# ---- as nginx serves them

free_port() {
    local port
    while port=$((20000 + RANDOM % 10000)); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}
PORT=$(free_port)
URL=http://127.0.0.1:$PORT/analytics/dashboard
"$SOURCE/serve" --no-setup --build-dir "$BUILD" --port "$PORT" --data "$WORK/data" >"$WORK/serve.log" 2>&1 &
SERVE=$!
for _ in {1..300}; do
    curl -fs -o /dev/null "http://127.0.0.1:$PORT/analytics/health" && break
    kill -0 "$SERVE" 2>/dev/null || break
    sleep 0.1
done

head_of() { curl -s -o /dev/null -D - "$@" | tr -d '\r'; }
has() { # WHAT LINES PATTERN
    verdict "$1" "$(grep -qiE "$3" <<<"$2" || echo "no $3 in: $2")"
}
page=$(head_of "$URL/")
has 'the page' "$page" '^HTTP/1.1 200'
has 'the page' "$page" '^Content-Type: text/html; charset=utf-8$'
has 'its policy' "$page" "^Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self';.* frame-ancestors 'none'"
verdict 'its policy' "$(grep -oiE "unsafe-[a-z]+|data:|\*" <<<"$page" || true)"
has 'no sniffing' "$page" '^X-Content-Type-Options: nosniff$'
has 'no referrer' "$page" '^Referrer-Policy: no-referrer$'
has 'asked each time' "$page" '^Cache-Control: no-cache$'
has 'unchanged' "$(head_of -H "If-None-Match: $(sed -n 's/^ETag: //p' <<<"$page")" "$URL/")" '^HTTP/1.1 304'
has 'by the address of the API' "$(head_of "${URL%dashboard}")" '^Location: /analytics/dashboard/'
has 'without the slash' "$(head_of "$URL?range=7d")" '^Location: /analytics/dashboard/\?range=7d$'
has 'Chart.js' "$(head_of "$URL/chart.min.js")" '^Content-Type: text/javascript'
has 'what is not there' "$(head_of "$URL/nothing.js")" '^HTTP/1.1 404'
has 'another folder' "$(head_of --path-as-is "$URL/../../../../etc/passwd")" '^HTTP/1.1 40[04]'
has 'a sibling of the folder' "$(head_of --path-as-is "$URL/..%2fanalytics.conf")" '^HTTP/1.1 40[0-9]'
has 'another method' "$(head_of -X POST "$URL/")" '^HTTP/1.1 405'
for file in nginx/dashboard/*; do
    has "${file##*/}" "$(head_of "$URL/${file##*/}")" '^HTTP/1.1 200'
done
has 'in no frame' "$page" '^X-Frame-Options: DENY$'
sed -i "s|location / {|set \$analytics_frame_ancestors \"'self' https://intranet.example\"; &|" "$WORK/data/run/nginx.conf"
kill -HUP "$(<"$WORK/data/run/nginx.pid")"
for _ in {1..600}; do
    page=$(head_of "$URL/")
    ! grep -q intranet <<<"$page" || break
    sleep 0.1
done
has 'in the frame of a page that is named' "$page" "^Content-Security-Policy: .* frame-ancestors 'self' https://intranet.example;"
verdict 'and of no older header' "$(grep -i '^X-Frame-Options' <<<"$page" || true)"
kill "$SERVE"
wait "$SERVE" 2>/dev/null || true
SERVE=

# ---- in a browser

skip() {
    printf 'skipped: the walk through the dashboard: %s\n' "$1"
    finish
    exit
}
CHROMIUM=$(command -v chromium) || skip 'chromium is not installed'
command -v node >/dev/null && command -v npm >/dev/null || skip 'node or npm is not installed'
MODULES=$BUILD/browser
fault=$(npm_modules tests/browser "$MODULES") || skip "$fault"

export SOURCE BUILD WORK PORT MODULES CHROMIUM PICTURE=${DASHBOARD_PICTURE:-}
status=0
node tests/browser/walk.mjs >"$WORK/walk.log" 2>&1 || status=$?
while IFS= read -r line; do
    case $line in
    'ok '*) verdict "${line#ok }" '' ;;
    'FAIL '*) verdict "${line#FAIL }" 'failed' ;;
    *) printf '%s\n' "$line" ;;
    esac
done <"$WORK/walk.log"
if [ -n "$PICTURE" ]; then
    for picture in "$PICTURE" "${PICTURE%.png}-dark.png"; do
        verdict "$picture" "$([ "$(stat -c %s "$picture")" -lt 300000 ] || echo 'has 300,000 bytes or more')"
    done
fi
verdict 'the walk' "$([ $status -eq 0 ] || [ "$FAILURES" -gt 0 ] || echo "ended with $status")"
finish
