# shellcheck shell=bash
# totals.sh: sourced by the tests in shell. Counts their checks, and prints the same last line as the C tests.
set -euo pipefail
cd "${ANALYTICS_SRCDIR:-$(dirname "${BASH_SOURCE[0]}")/../..}"
CHECKS=0
FAILURES=0

# verdict WHAT FAULT: one check. It fails unless FAULT is empty, and prints FAULT.
verdict() {
    CHECKS=$((CHECKS + 1))
    [ -n "$2" ] || return 0
    FAILURES=$((FAILURES + 1))
    printf 'FAIL %s: %s\n' "$1" "$2"
}

# contains OPTION… PATTERN: as grep -q, behind a pipe: it reads to the end. A writer whose reader has gone fails the pipe.
contains() {
    local text
    text=$(cat)
    grep -q "$@" <<<"$text"
}

# npm_modules FROM TO: the packages that FROM/package-lock.json lists, from the npm registry, into TO/node_modules, once
# for each version of that list. If npm cannot get them, prints why in one line, and fails; TO/install.log has all.
npm_modules() {
    local log=$2/install.log
    mkdir -p "$2"
    ! cmp -s "$1/package-lock.json" "$2/installed" || return 0
    rm -f "$2/installed"
    cp "$1/package.json" "$1/package-lock.json" "$2/"
    if ! (cd "$2" && npm ci --ignore-scripts --no-audit --no-fund) >"$log" 2>&1; then
        printf 'npm could not get the packages of %s: ' "$1/package-lock.json"
        grep -m 1 'reason:' "$log" || grep -m 1 'npm ERR!\|npm error' "$log" || tail -n 1 "$log"
        return 1
    fi
    cp "$1/package-lock.json" "$2/installed"
}

finish() {
    printf 'Checks: %d, Failures: %d, Errors: 0\n' "$CHECKS" "$FAILURES"
    [ "$CHECKS" -gt 0 ] && [ "$FAILURES" -eq 0 ]
}
