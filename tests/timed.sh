#!/usr/bin/env bash
# timed.sh COMMAND…: runs a test, and says last how long that took. ./check makes its table of the slowest tests of that.
TIMEFORMAT='took: %R s, of processor: %U s and %S s in the kernel'
time "$@"
