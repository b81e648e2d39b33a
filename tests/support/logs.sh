# shellcheck shell=bash
# logs.sh: sourced by scripts that look at the logs of the service at $PORT, with any engine (support/engine.h).

# logs_tell DATA SQL: the answer to a query of `log`, in SQL that both SQLite and ClickHouse understand.
logs_tell() {
    local url=${ANALYTICS_CLICKHOUSE_URLS:-}
    if [ "${ANALYTICS_ENGINE:-sqlite}" = sqlite ]; then
        sqlite3 -readonly "$1/analytics.db" "$2"
        return
    fi
    # A report waits until all is shipped.
    curl -s -o /dev/null -H "x-api-key: $(<"$1/keys/admin.key")" \
        "http://127.0.0.1:$PORT/analytics/requests?from=2026-03-15&to=2026-03-15"
    ask_clickhouse "${url%%[, ]*}" 'SYSTEM SYNC REPLICA log'
    ask_clickhouse "${url%%[, ]*}" "$2"
}
ask_clickhouse() { # URL SQL
    curl -sS -H 'X-ClickHouse-User: analytics' -H "X-ClickHouse-Key: $(<"$ANALYTICS_CLICKHOUSE_PASSWORD_FILE")" \
        --data-binary "$2" "$1/?database=$ANALYTICS_CLICKHOUSE_DATABASE"
}
