#!/usr/bin/env bash
# update_docs.sh OUT DOCS: puts the tables and plots of a run into DOCS/performance.md and beside it. A table stands
# between <!-- bench:NAME --> and <!-- /bench:NAME -->, the rest of the page is written by hand.
set -euo pipefail
cd "$1"
DOCS=$2
awk '
    /^<!-- \/bench:/ { skipping = 0 }
    !skipping
    /^<!-- bench:/ {
        skipping = 1
        file = $2; sub("bench:", "", file); file = file ".md"
        while ((getline line < file) > 0) print line
        close(file)
    }' "$DOCS/performance.md" >performance.md.new
mv performance.md.new "$DOCS/performance.md"
cp -- *.svg "$DOCS/"
