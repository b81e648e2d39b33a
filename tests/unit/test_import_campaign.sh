#!/usr/bin/env bash
# test_import_campaign.sh: import_campaign.py with eight seeds, under sanitizers with four, or with so many as
# ANALYTICS_CAMPAIGNS says.
#
# Planted to see it fail, and found: neighbours taken for the same logs ("missing {(1773570647, 1): 1}"); a temporary file
# that a kill leaves behind.
. "${BASH_SOURCE[0]%/*}/../support/totals.sh"
CTL=${ANALYTICSCTL:?is the path of the built analyticsctl}
unset ANALYTICS_DATA
usual=8
[ -z "${ANALYTICS_SANITIZED:-}" ] || usual=4
for ((seed = 1; seed <= ${ANALYTICS_CAMPAIGNS:-$usual}; seed++)); do
    verdict "campaign $seed" "$(python3 tests/unit/import_campaign.py "$CTL" $seed 20 2>&1 | grep -Ev '^seed [0-9]+: 20 imports, [0-5] refused$')"
done
finish
