# goals.awk: the goals against what was measured. Input: the *.tsv of ./bench; `big` is the greatest database, in
# millions of logs. See ./bench for the columns.
BEGIN {
    FS = "\t"
    print "| what | goal | measured | |"
    print "|---|---|---|---|"
}
FNR == 1 { file = FILENAME; sub(/.*\//, "", file) }

function greater(a, b) { return a > b ? a : b }
function median(list, n,    i, j, t) {
    for (i = 2; i <= n; i++)
        for (j = i; j > 1 && list[j - 1] > list[j]; j--) { t = list[j]; list[j] = list[j - 1]; list[j - 1] = t }
    return n ? (list[int((n + 1) / 2)] + list[int(n / 2) + 1]) / 2 : 0
}

# Whether a goal is met; what was not measured is 0, and meets none.
function within(measured, most) { return measured > 0 && measured <= most }

# The slowest of them, of everyone and of a typical user: its µs and name.
function note(worst, who, name, us) {
    if (us > worst[who]) { worst[who] = us; worst[who, "name"] = name }
}
function field_row(worst, what, most) {
    row(what, "p50 ≤ " most " ms of everyone, ≤ 5 ms of a typical user",
        sprintf("%.0f ms (%s) and %.1f ms (%s)", worst["admin"] / 1e3, worst["admin", "name"], worst["typical"] / 1e3, worst["typical", "name"]),
        within(worst["admin"], most * 1e3) && within(worst["typical"], 5000))
}

file == "ingest.tsv" { bad += $13 + $14 + $15; memory_ingest = greater(memory_ingest, $23); memory_query = greater(memory_query, $24) }
file == "ingest.tsv" && $4 > 0 { half_p99 = $12; half_rate = $8 / $9 }
file == "ingest.tsv" && $4 == 0 { cell = $2 "x" $3; rate[$1, cell] = $8 / $9; json[$1, cell] = $5; cells[cell] }

file == "nothing.tsv" { nothing[$1] = $2 / $3; bad += $4 }

file == "reads.tsv" { bad += $12 + ($7 == 0) } # no answer in time is none that can be left out
file == "reads.tsv" && $1 == big && $2 == 1 && $3 == "breakdown" { note(breakdown, $4, "by " $6, $9) }
file == "reads.tsv" && $1 == big && $2 == 1 && $6 ~ /=$/ { note(filtered, $4, $3 ", " $6, $9) }
file == "reads.tsv" && $1 == big && $2 == 1 && $6 == "domain" && $3 ~ /traffic|requests|concurrency/ && $4 == "admin" && $5 < 61 {
    if ($9 / $13 > domain_worst) { domain_worst = $9 / $13; domain_name = $3 ", " $5 ($5 == 1 ? " day" : " days"); domain_ms = $9 / 1e3 }
}
file == "reads.tsv" && $1 == big && $2 == 1 && $5 == 61 && $3 != "breakdown" && $6 !~ /=$/ {
    ratio = $9 / $13
    chart = $3 ~ /traffic|requests|concurrency/
    name = $3 ", " $4 ($6 == "none" ? "" : $6 == "first" ? ", first time" : ", by " $6)
    first = $6 == "first"
    if (chart && ratio > chart_worst) { chart_worst = ratio; chart_name = name; chart_ms = $9 / 1e3 }
    if (!chart && $4 != "admin" && first && ratio > first_worst) { first_worst = ratio; first_name = name; first_ms = $9 / 1e3 }
    if (!chart && $4 != "admin" && !first && ratio > list_worst) { list_worst = ratio; list_name = name; list_ms = $9 / 1e3 }
    if (!chart && $4 == "admin" && $9 > admin_worst) { admin_worst = $9; admin_name = name }
    if ($4 == "admin" && first) admin[$3] = $9
}
file == "plain.tsv" && $1 == big && $3 == "admin" { plain[$2] = $5 }
file == "mixed.tsv" { key = $2 ", " $3; n[$1, key]++; p99[$1, key, n[$1, key]] = $10; mixed[key]; bad += $11 }
file == "throughput.tsv" { m[$1]++; rps[$1, m[$1]] = $2 / $3; bad += $7 }
file == "size.tsv" && $1 == big { bytes = $2 / $3 }
file == "size.tsv" && $1 == 1 { sparse_bytes = $2 / $3 }
file == "store-1.csv" && FNR > 1 { split($0, figure, ","); store_us += figure[2]; store_rows++ }
file == "memory.tsv" {
    memory_ingest = greater(memory_ingest, $2)
    memory_query = greater(memory_query, $3)
    private_query = greater(private_query, $4)
}

function row(what, goal, measured, met) { printf "| %s | %s | %s | %s |\n", what, goal, measured, met ? "met" : "**not met**" }
function ingest_row(cell, what, goal,    ratio) {
    if (!json["empty", cell]) return
    ratio = rate["empty", cell] / json["empty", cell]
    row("ingest, " what, "≥ " goal " of json-c's one-core parse rate",
        sprintf("%.2f (%d of %d logs/s; a program that only reads the bodies: %.2f)", ratio, rate["empty", cell], json["empty", cell], nothing[cell]),
        ratio >= goal)
}
function big_row(    cell, ratio, worst, text) {
    worst = 99
    for (cell in cells)
        if (cell ~ /^(1000x8|100x32|10x64)$/ && rate["empty", cell] > 0) {
            ratio = rate[big "M", cell] / rate["empty", cell]
            text = text (text ? "; " : "") sprintf("%s %.2f", cell, ratio)
            worst = ratio < worst ? ratio : worst
        }
    gsub("x", " × ", text)
    row("ingest into " big " million rows", "≥ 0.8 of the rate into an empty database", text, text && worst >= 0.8)
}
function mixed_row(    key, i, idle, busy, a, b, ratio, worst, name) {
    for (key in mixed) {
        for (i = 1; i <= n["idle", key]; i++) a[i] = p99["idle", key, i]
        for (i = 1; i <= n["busy", key]; i++) b[i] = p99["busy", key, i]
        idle = median(a, n["idle", key]); busy = median(b, n["busy", key])
        ratio = idle > 0 ? busy / idle : 0
        if (ratio > worst) { worst = ratio; name = sprintf("%s: %.1f ms against %.1f", key, busy / 1e3, idle / 1e3) }
    }
    row("reads while ingest runs at full speed", "p99 ≤ 3 × idle p99", sprintf("%.1f × (%s)", worst, name), within(worst, 3))
}
function median_rps(name,    i, list) {
    for (i = 1; i <= m[name]; i++) list[i] = rps[name, i]
    return median(list, m[name])
}
function throughput_row(    chart, noop) {
    chart = median_rps("chart"); noop = median_rps("noop")
    row("GET requests/s for a chart of 61 days, 16 clients", "≥ 0.5 of a FastCGI program that does nothing",
        sprintf("%.2f (%d of %d/s; one day: %d; with a sub-request in front, doing nothing: %d; health: %d)", chart / noop, chart, noop,
                median_rps("chart-1-day"), median_rps("noop-auth"), median_rps("health")), noop > 0 && chart / noop >= 0.5)
}

END {
    ingest_row("1000x8", "1,000 logs × 8 clients", 1.0)
    ingest_row("100x32", "100 × 32", 0.6)
    ingest_row("10x64", "10 × 64", 0.4)
    big_row()
    row("p99 of a 100-log batch at half of full rate", "≤ 25 ms", sprintf("%.1f ms at %d logs/s", half_p99 / 1e3, half_rate), within(half_p99, 25000))
    row("charts of 61 days of " big " million rows, any role and filter", "p50 ≤ 4 × `/analytics/health`",
        sprintf("%.1f × (the worst: %s, %.2f ms)", chart_worst, chart_name, chart_ms), within(chart_worst, 4))
    row("charts of one domain for everyone, 1 to 7 days", "p50 ≤ 3 × health",
        sprintf("%.1f × (the worst: %s, %.2f ms)", domain_worst, domain_name, domain_ms), within(domain_worst, 3))
    field_row(breakdown, "breakdown of 61 days by any field", 200)
    field_row(filtered, "any report of 61 days of one worker, peer, protocol, port or address", 300)
    row("lists (`/domains`, `/errors`, `/websites`) of 61 days for a user", "p50 ≤ 8 × health",
        sprintf("%.1f × (the worst: %s, %.2f ms)", list_worst, list_name, list_ms), within(list_worst, 8))
    least = 1e9
    for (report in plain)
        if (report != "traffic" && admin[report] > 0 && plain[report] / admin[report] < least) {
            least = plain[report] / admin[report]; least_name = report
        }
    row("lists of 61 days for a user, asked for the first time", "p50 ≤ 8 × health",
        sprintf("%.1f × (the worst: %s, %.2f ms)", first_worst, first_name, first_ms), within(first_worst, 8))
    row("lists of 61 days for an admin", "p50 ≤ 50 ms, ≥ 10 × faster than plain `GROUP BY`",
        sprintf("%.1f ms (%s); %.0f × faster (%s)", admin_worst / 1e3, admin_name, least, least_name),
        within(admin_worst, 50000) && least >= 10 && least < 1e9)
    mixed_row()
    throughput_row()
    if (big >= 10) row("disk", "≤ 60 bytes per log, rollups included", sprintf("%.1f bytes", bytes), within(bytes, 60))
    row("disk, sparse: 1 million logs over 61 days", "≤ 90 bytes per log", sprintf("%.1f bytes", sparse_bytes), within(sparse_bytes, 90))
    row("the store alone, sparse, groups of 5,000 logs", "≤ 8 µs per log", sprintf("%.1f µs", store_us / store_rows), store_rows > 0 && within(store_us / store_rows, 8))
    row("memory at full load", "ingest ≤ 256 MiB, each query process ≤ 48 MiB",
        sprintf("%.0f and %.0f MiB (%.0f MiB without pages of the file)", memory_ingest / 1048576, memory_query / 1048576, private_query / 1048576),
        within(memory_ingest, 268435456) && within(memory_query, 50331648))
    printf "\nAnswers that were not as expected, in the whole run: %d.\n", bad
}
