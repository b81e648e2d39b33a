#!/usr/bin/env bash
# keep_going.sh: for ./serve --supervisor, in tests that kill: tools/supervise.sh, but a program that ends is started
# again, as by a process manager in production. (./serve itself would stop the rest.)
set -euo pipefail
# shellcheck source=tools/supervise.sh
. "${SUPERVISE:?}"

# any_alive GROUP: is there a process in the group that is no zombie?
any_alive() {
    { cat /proc/[0-9]*/stat 2>/dev/null || true; } |
        awk -v group="$1" '{ sub(/.*\) /, "") } $3 == group && $1 != "Z" { found = 1 } END { exit !found }'
}

# Starts programs that have ended again, but only once their orphans are dead, which have the port, the socket or the
# lock.
revive() {
    local pid
    for pid in "${CHILDREN[@]}"; do
        kill -0 "$pid" 2>/dev/null && continue
        kill -KILL -- "-$pid" 2>/dev/null || true
        while any_alive "$pid"; do sleep 0.02; done
        start "${NAME[$pid]}"
    done
}

watch() {
    while true; do
        revive
        nap 0.1
    done
}

main
