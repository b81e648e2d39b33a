#!/usr/bin/env bash
# report.sh OUT BIG: turns OUT/*.tsv into tables (OUT/*.md) and plots (OUT/*.svg). BIG is the greatest database, in
# millions of logs.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
cd "$1"
BIG=$2

awk -v big="$BIG" -f "$HERE/goals.awk" plain.tsv size.tsv ingest.tsv reads.tsv mixed.tsv throughput.tsv memory.tsv >goals.md

awk -F'\t' '
    BEGIN {
        print "| into | batch × clients | logs/s | of json-c | p50 ms | p90 | p99 | refused | CPU µs a log: nginx | ingest | query | logs etc. | generator | other programs | bytes written a log |"
        print "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|"
    }
    {
        printf "| %s | %d × %d%s | %d | %.2f | %.1f | %.1f | %.1f | %d", $1, $2, $3, ($4 > 0 ? " at half rate" : ""), $8 / $9, $8 / $9 / $5, $10 / 1e3, $11 / 1e3, $12 / 1e3, $13 + $14 + $15
        for (i = 16; i <= 21; i++) printf " | %.1f", $i * 1e6 / $8
        printf " | %d |\n", $22 / $8
    }' ingest.tsv >ingest.md

{
    echo '| into | µs a log | raw rows | rollups | commit | checkpoint, closing | logs/s | file, bytes a log |'
    echo '|---|---|---|---|---|---|---|---|'
    sed -nE 's|^([0-9.]+)M +([0-9.]+) us/log: raw ([0-9.]+) rollups ([0-9.]+) commit ([0-9.]+) maintain ([0-9.]+) .*; ([0-9]+) logs/s; ([0-9.]+) bytes/log.*|up to \1 million \| \2 \| \3 \| \4 \| \5 \| \6 \| \7 \| \8|p' "store-$BIG.txt" |
        sed 's/.*/| & |/'
    awk -F'\t' '$1 == "empty" && $4 == 0 { ours += $6; n++ } END { if (n) printf "\nParsing and checking comes before, in the threads: %.1f µs a log.\n", 1e6 * n / ours }' ingest.tsv
    awk -F'\t' '$1 == "bare-insert" { printf "Bare SQLite inserts the same raw rows, without rollups, at %d logs/s: %.1f µs a log.\n", $2, 1e6 / $2 }' yardsticks.tsv
} >store.md

awk -F'\t' '
    BEGIN {
        print "| million logs | clients | report | who | days | filter | p50 ms | p90 | p99 | × health | requests/s |"
        print "|---|---|---|---|---|---|---|---|---|---|---|"
    }
    { printf "| %s | %s | %s | %s | %s | %s | %.2f | %.2f | %.2f | %s | %d |\n", $1, $2, $3, $4, $5, $6, $9 / 1e3, $10 / 1e3, $11 / 1e3, ($13 > 0 ? sprintf("%.1f", $9 / $13) : ""), $7 / $8 }
    ' reads.tsv >reads.md

awk -F'\t' '
    BEGIN {
        print "| million logs | report | who | plain `GROUP BY`, ms | the service, through nginx, p50 ms | times faster |"
        print "|---|---|---|---|---|---|"
    }
    FILENAME == "reads.tsv" { if ($2 == 1 && $5 == 61 && $6 == "none") ours[$1, $3, $4] = $9; next }
    ours[$1, $2, $3] > 0 { printf "| %s | %s | %s | %.1f | %.2f | %.0f |\n", $1, $2, $3, $5 / 1e3, ours[$1, $2, $3] / 1e3, $5 / ours[$1, $2, $3] }
    ' reads.tsv plain.tsv >plain.md

gnuplot -c "$HERE/plots.gp" "$BIG" || echo "gnuplot failed: no plots" >&2
