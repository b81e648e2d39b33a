#!/usr/bin/env bash
# report.sh OUT BIG: turns the raw OUT/*.tsv of a run into what docs/ shows: whole tables (OUT/*.csv), short tables for the
# page (OUT/*.md) and plots (OUT/*.svg). BIG is the greatest database, in millions of logs. ./bench knows the columns.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
cd "$1"
BIG=$2

# ---- whole tables

# The parts of a line of bench_store: logs so far; µs a log, and its parts (raw rows, rollups, commit, upkeep); logs/s;
# bytes a log.
STORE_LINE='^([0-9.]+)M +([0-9.]+) us/log: raw ([0-9.]+) rollups ([0-9.]+) commit ([0-9.]+) maintain ([0-9.]+) .*; ([0-9]+) logs/s; ([0-9.]+) bytes/log.*'

store_table() { # MILLIONS
    echo 'million_logs,us_per_log,raw_rows_us,rollups_us,commit_us,upkeep_us,logs_per_s,file_bytes_per_log'
    sed -nE "s|$STORE_LINE|\1,\2,\3,\4,\5,\6,\7,\8|p" "store-$1.txt"
}

whole_tables() {
    awk -F'\t' '
        BEGIN { print "into,batch,clients,rate,logs_per_s,of_json_c,p50_ms,p90_ms,p99_ms,refused,nginx_cpu_us_per_log,ingest_cpu_us_per_log,query_cpu_us_per_log,log_filter_cpu_us_per_log,generator_cpu_us_per_log,other_programs_cpu_us_per_log,bytes_written_per_log" }
        {
            printf "%s,%d,%d,%s,%d,%.2f,%.1f,%.1f,%.1f,%d", $1, $2, $3, ($4 > 0 ? "half" : "full"), $8 / $9, $8 / $9 / $5, $10 / 1e3, $11 / 1e3, $12 / 1e3, $13 + $14 + $15
            for (i = 16; i <= 21; i++) printf ",%.1f", $i * 1e6 / $8
            printf ",%d\n", $22 / $8
        }' ingest.tsv >ingest.csv
    awk -F'\t' '
        BEGIN { print "million_logs,clients,report,who,days,filter,p50_ms,p90_ms,p99_ms,times_health,requests_per_s" }
        { printf "%s,%s,%s,%s,%s,%s,%.2f,%.2f,%.2f,%s,%d\n", $1, $2, $3, $4, $5, $6, $9 / 1e3, $10 / 1e3, $11 / 1e3, ($13 > 0 ? sprintf("%.1f", $9 / $13) : ""), $7 / $8 }
        ' reads.tsv >reads.csv
    awk -F'\t' '
        BEGIN { print "million_logs,report,who,plain_sql_ms,service_p50_ms,times_faster" }
        FILENAME == "reads.tsv" { if ($2 == 1 && $5 == 61 && $6 == "none") ours[$1, $3, $4] = $9; next }
        ours[$1, $2, $3] > 0 { printf "%s,%s,%s,%.1f,%.2f,%.0f\n", $1, $2, $3, $5 / 1e3, ours[$1, $2, $3] / 1e3, $5 / ours[$1, $2, $3] }
        ' reads.tsv plain.tsv >plain.csv
    store_table 1 >store-1.csv
    store_table "$BIG" >store.csv
}

# ---- short tables

short_ingest() {
    awk -F, -v into="${BIG}M" -v big="$BIG" '
        BEGIN {
            print "| logs in a batch × clients | logs/s into an empty database | into " big " million logs | p50 | p99 | processor time a log: nginx | `analytics-ingest` |"
            print "|---|---|---|---|---|---|---|"
        }
        { cell = $2 " × " $3 ($4 == "half" ? ", half rate" : "") }
        $1 == into { full[cell] = $5 }
        $1 == "empty" && cell ~ /^(1000 × 8|100 × 32|10 × 64)(,|$)/ { row[++n] = cell; rate[cell] = $5; rest[cell] = sprintf("%.0f ms | %.0f ms | %.1f µs | %.1f µs", $7, $9, $11, $12) }
        END { for (i = 1; i <= n; i++) printf "| %s | %d | %s | %s |\n", row[i], rate[row[i]], (row[i] in full) ? full[row[i]] : "–", rest[row[i]] }' ingest.csv
    awk -F'\t' '$1 == "empty" && $4 == 0 { ours += $6; n++ } END { if (n) printf "\nOf a log'\''s time, parsing and checking it takes %.1f µs. ", 1e6 * n / ours }' ingest.tsv
    awk -F'\t' '$1 == "bare-insert" { printf "Bare SQLite inserts the same raw rows, without rollups, in %.1f µs each.\n", 1e6 / $2 }' yardsticks.tsv
}

# A cell of reads.csv is looked up by size and filter; the last column is from plain.csv.
short_reads() {
    awk -F, -v big="$BIG" '
        FILENAME == "reads.csv" { if ($2 == 1 && $5 == 61) p50[$1, $3, $4, $6] = $7; next }
        FNR == 1 { next }
        !($1 in seen) { seen[$1]; size[++sizes] = $1 }
        $1 == big && $3 != "typical" { row[++rows] = $2 SUBSEP $3; plain[rows] = $4 }
        function cell(ms) { return ms == "" ? "–" : ms " ms" }
        END {
            printf "| report | who |"
            for (s = 1; s <= sizes; s++) printf " %s million logs |", size[s]
            printf " asked for the first time | plain `GROUP BY` |\n|---|---|"
            for (s = -1; s <= sizes; s++) printf "---|"
            for (r = 1; r <= rows && split(row[r], name, SUBSEP); r++) {
                printf "\n| %s | %s |", name[1], name[2]
                for (s = 1; s <= sizes; s++) printf " %s |", cell(p50[size[s], row[r], "none"])
                printf " %s | %.0f ms |", cell(p50[big, row[r], "first"]), plain[r]
            }
            print ""
        }' reads.csv plain.csv
}

whole_tables
short_ingest >ingest.md
short_reads >reads.md
awk -v big="$BIG" -f "$HERE/goals.awk" plain.tsv size.tsv store-1.csv nothing.tsv ingest.tsv reads.tsv mixed.tsv throughput.tsv memory.tsv >goals.md
gnuplot -c "$HERE/plots.gp" "$BIG" || echo "gnuplot failed: no plots" >&2
