#!/usr/bin/env bash
# test_contract.sh: docs/openapi.json is sound, complete and true: a public linter finds no fault in it, a typed client
# made from it compiles, it has the paths of docs/api.md, and it describes every answer in the end-to-end tests and in
# the tests of the endpoints with each engine. Runs after them.
#
# Seen to fail:
#   "minimum": 1 for error_count -> "FAIL POST /analytics/ingest 400: /error_count must be >= 1", behind each engine
#   "minProperties": 9 for a point of traffic -> "FAIL GET /analytics/traffic 200: /data/N must NOT have fewer than 9 properties"
#   no 415 for ingest -> "FAIL POST /analytics/ingest 415 is not documented"
#   a default for bytes_sent of a log -> "FAIL a client compiles: client.ts(10,7): error TS2741: Property 'bytes_sent' is missing"
#   text/csv as a content of traffic -> "FAIL a client compiles: client.ts(27,23): error TS2339: Property 'data' does not exist on type 'string'"
#   no license -> "FAIL redocly lint: … warning … info-license"
. "${BASH_SOURCE[0]%/*}/../support/totals.sh"
BUILD=${ANALYTICS_BUILDDIR:?is not set: run the tests through make check}
here=tests/contract
tools=$BUILD/tests/contract/npm

# ---- the linter and the validator

fault=$(npm_modules $here "$tools") || { verdict 'npm ci' "$fault" && finish; }
verdict 'redocly lint' "$(cd "$tools" && REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true \
    node_modules/.bin/redocly lint --format=stylish --max-problems=20 "$(realpath "$OLDPWD")/docs/openapi.json" 2>&1 |
    grep -E 'error|warning' || true)"

# ---- a typed client made from it

cp $here/client.ts $here/tsconfig.json "$tools/"
verdict 'openapi-typescript' "$(cd "$tools" && node_modules/.bin/openapi-typescript "$(realpath "$OLDPWD")/docs/openapi.json" -o api.d.ts 2>&1 >/dev/null | head -5)"
verdict 'a client compiles' "$(cd "$tools" && node_modules/.bin/tsc -p tsconfig.json 2>&1 | head -20)"

# ---- docs/api.md and docs/openapi.json have the same paths

verdict 'paths of docs/api.md' "$(diff <(grep -oE '/analytics/[a-z.]+' docs/api.md | grep -v '/dashboard$' | sort -u) \
    <(grep -oE '"/analytics/[a-z.]+"' docs/openapi.json | tr -d '"' | sort -u) || true)"
version=$(sed -n 's/^AC_INIT(\[[^]]*\], *\[\([^]]*\)\].*/\1/p' configure.ac)
verdict 'the version' "$(grep -q "\"version\": \"$version\"" docs/openapi.json || echo "is not $version")"

# ---- the answers in the other tests

cp $here/contract.mjs "$tools/"
exchanges=("$BUILD"/tests/e2e/exchanges/*.ndjson)
verdict 'exchanges' "$([ -e "${exchanges[0]}" ] || echo 'no end-to-end test has run here before')"
for name in ingest traffic requests concurrency domains errors websites summary breakdown; do
    grep -qsE "\"path\":\"[^\"]*/$name\",\"status\":20[04]" "$BUILD"/tests/e2e/exchanges/*.memory.ndjson ||
        echo "nobody asked for $name"
done >"$tools/memory.log"
verdict 'the engine in memory was asked, too' "$(cat "$tools/memory.log")"
node "$tools/contract.mjs" docs/openapi.json "${exchanges[@]}" >"$tools/contract.log" || true
grep -v '^Checks: ' "$tools/contract.log" || true
read -r checks failures < <(sed -n 's/^Checks: \([0-9]*\), Failures: \([0-9]*\).*/\1 \2/p' "$tools/contract.log")
CHECKS=$((CHECKS + ${checks:-0})) FAILURES=$((FAILURES + ${failures:-1}))
finish
