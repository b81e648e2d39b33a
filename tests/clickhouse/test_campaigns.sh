#!/usr/bin/env bash
# test_campaigns.sh: runs campaigns.py: every campaign but the kills, of which test_reports has a short form. With
# ANALYTICS_LONG=1 (`make stress-clickhouse`): all campaigns, with twenty times as many rounds. ANALYTICS_SEED repeats
# the choices of a run, though not its timing.
#
# Seen to fail:
#   bounds of blocks that are cut anew after a restart -> forgotten: "logs of replica 1: 0 missing, …; 4 too many"
#   ship.c that never asks whether a block is there -> forgotten: "logs of replica 1: 0 missing, …; 2 too many"
#   a current replica that takes a block in doubt for done and is asked at once -> doubt: "a report counts 11 requests, not 16"
#   logs as TabSeparated in place of Native -> cuts: "logs of replica 1: 0 missing, …; 3 too many"
#   audit.c without blocks_sync -> lags: "block 10 of 202604: … has 0 logs (…), and 1 (…) were shipped"
. "${BASH_SOURCE[0]%/*}/serve.bash"

campaigns='stops cuts forgotten doubt away lags emptied'
[ -z "${ANALYTICS_LONG:-}" ] || campaigns="kills $campaigns"
# shellcheck disable=SC2086 # several words
words=$(python3 tests/clickhouse/campaigns.py "$BUILD" "${ANALYTICS_SEED:-$RANDOM}" $campaigns 2>&1) || words+=$'\nfailed'
printf '%s\n' "$words"
verdict 'campaigns' "$([[ $words != *failed ]] || tail -n 5 <<<"$words")"
finish
