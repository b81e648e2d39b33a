# plots.gp BIG: the plots of a run, from the *.tsv in this folder.
big = ARG1
set datafile separator "\t"
set terminal svg size 800,420 background "white" font "sans-serif,13"
set grid ytics lc rgb "#dddddd"
set border 3
set xtics nomirror
set ytics nomirror
set style fill solid 0.85 noborder
set key outside top center horizontal
set style data histograms
set style histogram clustered gap 1
set boxwidth 0.9

# ---- ingest by batch size, beside json-c
set output "ingest.svg"
set title "Ingest through nginx, durable, logs/s"
set yrange [0:*]
set format y "%'.0f"
set xtics rotate by -30
plot "< awk -F'\t' '$1 == \"empty\" && $4 == 0 { print $2 \" × \" $3 \"\t\" $8 / $9 \"\t\" $5 }' ingest.tsv" \
         using 2:xtic(1) title "into an empty database" lc rgb "#1f5fa8", \
     sprintf("< awk -F'\t' '$1 == \"%sM\" { print $8 / $9 }' ingest.tsv", big) \
         using 1 title sprintf("into %s million logs", big) lc rgb "#7fb2e5", \
     "< awk -F'\t' '$1 == \"empty\" && $4 == 0 { print $5 / 2 }' ingest.tsv" \
         using 1 title "half of json-c's parse rate, one core" lc rgb "#bbbbbb"

# ---- reads against health
set output "reads.svg"
set title sprintf("61 days of %s million logs, one client, p50 in ms", big)
set format y "%g"
set xtics rotate by 0
who(w) = sprintf("< awk -F'\t' '$1 == %s && $2 == 1 && $4 == \"%s\" && $5 == 61 && $6 == \"none\" { print $3 \"\t\" $9 / 1000 \"\t\" $13 / 1000 }' reads.tsv", big, w)
set logscale y
set yrange [0.1:*]
plot who("admin") using 2:xtic(1) title "admin, everyone" lc rgb "#1f5fa8", \
     who("heaviest") using 2 title "the heaviest user" lc rgb "#4c97d8", \
     who("typical") using 2 title "a typical user" lc rgb "#a9cdee", \
     who("admin") using 3 title "/analytics/health" lc rgb "#bbbbbb"
unset logscale y

# ---- cost as the database grows
set output "growth.svg"
set title "Cost of a log in the writer as the database grows, µs"
set yrange [0:*]
set style histogram rowstacked
set key outside right vertical
set xlabel "million logs in the database"
parts = sprintf("< sed -nE 's#^([0-9.]+)M +([0-9.]+) us/log: raw ([0-9.]+) rollups ([0-9.]+) commit ([0-9.]+) maintain ([0-9.]+) .*#\\1\\t\\3\\t\\4\\t\\5\\t\\6#p' store-%s.txt", big)
plot parts using 2:xtic(1) title "raw rows" lc rgb "#1f5fa8", \
     parts using 3 title "rollups" lc rgb "#4c97d8", \
     parts using 4 title "commit" lc rgb "#a9cdee", \
     parts using 5 title "checkpoint, closing" lc rgb "#bbbbbb"
