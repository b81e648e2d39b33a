#!/usr/bin/env bash
# test_rules.sh: Prometheus accepts the alerts and the scrape configuration, each alert fires on what it is for, and on
# nothing else, and every alert is tried. The metrics they name are compared with the service's in tests/e2e/test_metrics.
#
# Seen to fail, each with a line of monitoring/alerts.yml changed:
#   > 900 made > 3600 -> "AnalyticsNoBatches, time: 26m": got []
#   503 without route!="/analytics/health" -> "AnalyticsUnavailable, time: 1h50m": got that of /analytics/health
#   4 days made 400 -> "AnalyticsDiskFilling, time: 1h50m": got one
#   0.8 * analytics_wal_limit_bytes made 1.8 * -> "AnalyticsWalNearCeiling, time: 12m": got []
#   the file of the write-ahead log no longer counted as room -> "AnalyticsDiskFull, time: 6m": got b
#   program="ingest" made "query" -> "AnalyticsRestarts, time: 33m": got one
#   == 0 made = 0 -> "alerts.yml … FAILED"
. "${BASH_SOURCE[0]%/*}/../support/totals.sh"
if ! command -v promtool >/dev/null; then
    echo 'promtool is not installed'
    exit 77
fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# says COMMAND…: prints the output of a command that fails.
says() { "$@" >"$dir/said" 2>&1 || cat "$dir/said"; }

verdict alerts.yml "$(says promtool check rules monitoring/alerts.yml)"
verdict prometheus.yml "$(says promtool check config --syntax-only monitoring/prometheus.yml)"
job=$(sed -n 's/^ *- job_name: \([a-z-]*\).*/\1/p' monitoring/prometheus.yml)
verdict 'the job of prometheus.yml' "$(grep -qF "job=\"$job\"" monitoring/alerts.yml || echo "no alert names $job")"

# The file of the tests names the rules beside itself.
cp monitoring/alerts.yml tests/monitoring/alerts_test.yml "$dir"
verdict 'promtool test rules' "$(says promtool test rules "$dir/alerts_test.yml")"

# fires NAME: whether the tests expect it to fire, and not to.
fires() {
    awk -v name="$1" '
        /alertname: / { sub(/.*alertname: /, ""); sub(/}.*/, ""); last = $0; if (last == name) seen++ }
        /exp_alerts:/ && last == name { fired++ }
        END { if (!fired) print "no test has it fire"; else if (fired == seen) print "no test has it silent" }' \
        tests/monitoring/alerts_test.yml
}
alerts=0
while read -r name; do
    verdict "$name" "$(fires "$name")"
    alerts=$((alerts + 1))
done < <(sed -n 's/^ *- alert: //p' monitoring/alerts.yml)
verdict 'the alerts' "$([ "$alerts" -ge 5 ] || echo "$alerts found")"

finish
