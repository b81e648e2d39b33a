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

finish() {
    printf 'Checks: %d, Failures: %d, Errors: 0\n' "$CHECKS" "$FAILURES"
    [ "$CHECKS" -gt 0 ] && [ "$FAILURES" -eq 0 ]
}
