#!/usr/bin/env bash
# update_docs.sh OUT DOCS: puts what report.sh made of a run into DOCS: whole tables and plots into DOCS/bench/, a short
# table NAME into DOCS/performance.md, between <!-- bench:NAME --> and <!-- /bench:NAME -->. The rest of the page is
# written by hand.
set -euo pipefail
DOCS=$(cd "$2" && pwd -P)
cd "$1"
awk '
    function table(file, line, got) {
        while ((got = getline line < file) > 0) print line
        if (got < 0) { print file ": cannot be read" >"/dev/stderr"; exit 1 }
    }
    /^<!-- \/bench:/ { skipping = 0 }
    !skipping
    /^<!-- bench:/ { skipping = 1; sub("bench:", "", $2); table($2 ".md") }' "$DOCS/performance.md" >performance.md.new
mv performance.md.new "$DOCS/performance.md"
mkdir -p "$DOCS/bench"
cp -- *.csv *.svg "$DOCS/bench/"
