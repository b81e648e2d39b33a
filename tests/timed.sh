#!/usr/bin/env bash
# timed.sh COMMAND…: runs a test, and says last how long that took. ./check makes its table of the slowest tests of that.
# With the engine clickhouse in the environment, it has a database of its own.
[ "${ANALYTICS_ENGINE:-}" != clickhouse ] || export ANALYTICS_CLICKHOUSE_DATABASE=test_$$
TIMEFORMAT='took: %R s, of processor: %U s and %S s in the kernel'
time "$@"
