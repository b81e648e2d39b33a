#!/usr/bin/env bash
# timed.sh COMMAND…: runs a test, and prints at the end how long it took. ./check makes its table of the slowest tests
# from these lines. If the environment names the engine clickhouse, the test gets a database of its own.
[ "${ANALYTICS_ENGINE:-}" != clickhouse ] || export ANALYTICS_CLICKHOUSE_DATABASE=test_$$
TIMEFORMAT='took: %R s, of processor: %U s and %S s in the kernel'
time "$@"
