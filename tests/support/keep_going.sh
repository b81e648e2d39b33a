#!/usr/bin/env bash
# keep_going.sh: tools/supervise.sh for tests that kill: what ends starts again, as by a process manager in production,
# where ./serve would stop the rest. For ./serve --supervisor.
set -euo pipefail
# shellcheck source=tools/supervise.sh
. "${SUPERVISE:?}"

# any_alive GROUP: zombies are none.
any_alive() {
    { cat /proc/[0-9]*/stat 2>/dev/null || true; } |
        awk -v group="$1" '{ sub(/.*\) /, "") } $3 == group && $1 != "Z" { found = 1 } END { exit !found }'
}

# Once the orphans of what ended are dead too: they have the port, the socket or the lock.
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
