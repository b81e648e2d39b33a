#!/usr/bin/env bash
# timed.sh COMMAND…: runs a test, and prints at the end how long it took. ./check makes its table of the slowest tests
# from these lines. If the environment names the engine clickhouse, the test gets a database of its own. What the test was
# answered in an earlier run (support/exchanges.c) goes: the contract is for the programs as they are.
[ "${ANALYTICS_ENGINE:-}" != clickhouse ] || export ANALYTICS_CLICKHOUSE_DATABASE=test_$$
exchanges=${ANALYTICS_BUILDDIR:-.}/tests/e2e/exchanges name=${*: -1}
case $name in
*unit/*) rm -f "$exchanges/${name##*/}".*.ndjson ;; # behind each engine
*) rm -f "$exchanges/${name##*/}.ndjson" ;;
esac
TIMEFORMAT='took: %R s, of processor: %U s and %S s in the kernel'
time "$@"
