#!/usr/bin/env bash
# with_servers.sh COMMAND…: runs a command with ClickHouse as the engine: one shard with two replicas, which end with it.
# Tests give each service that they start a database of its own (support/stack.c, timed.sh).
set -euo pipefail
tool=$(realpath "${BASH_SOURCE[0]%/*}/../../tools/clickhouse.sh")
memory=/dev/shm # ZooKeeper syncs a file at each step of making a table
[ -w "$memory" ] || memory=/tmp
servers=$(mktemp -d "$memory/analytics-clickhouse.XXXXXX")
trap '"$tool" kill "$servers/own" && rm -rf "$servers"' EXIT
chmod 755 "$servers"
"$tool" make "$servers/own" 1x2
"$tool" start "$servers/own"
chmod 644 "$servers"/own/*password # for ./serve, which root has run as another user
ANALYTICS_CLICKHOUSE_URLS=$("$tool" urls "$servers/own")
export ANALYTICS_CLICKHOUSE_SHIP_MS=100
export ANALYTICS_ENGINE=clickhouse ANALYTICS_CLICKHOUSE_URLS ANALYTICS_CLICKHOUSE_PASSWORD_FILE=$servers/own/password \
    ANALYTICS_CLICKHOUSE_REPORTS_PASSWORD_FILE=$servers/own/reports.password
"$@"
