#!/usr/bin/env bash
# test_import.sh: analyticsctl import, export and demo on files. awk makes the logs in a form of their own, and from
# this the files and the rows that must be stored, which are compared with those that support/parts.py prints.
#
# Planted to see it fail, and found: blank lines that are not counted; pages of an export that begin with the last log of
# the page before; fractions of a second that are cut off; the part before a bad record stored at once; a demo that does
# not look at its seed; a source that is not looked at; neighbours taken for the same logs; a part of a second compared with
# all of it. And in csv.c, by tests/fuzz/replay_csv: line feeds inside quotation marks that are not counted, two
# marks that are none, a carriage return that ends no cell, a record longer than may be, a cell less than may be.
. "${BASH_SOURCE[0]%/*}/../support/totals.sh"
CTL=${ANALYTICSCTL:?is the path of the built analyticsctl}
SANITIZED=${ANALYTICS_SANITIZED:-}
PARTS=$PWD/tests/support/parts.py
all_logs() { python3 "$PARTS" "$@"; }
# many_answers FILE SQL…: the answers of several queries, a line each, since to unpack the logs takes longest.
many_answers() {
    local file=$1
    shift
    all_logs "$file" "$(printf 'UNION ALL SELECT (%s) ' "$@" | sed '1s/^UNION ALL //')"
}
unset ANALYTICS_DATA
export LC_ALL=C
WORK=$(mktemp -d /tmp/analytics-import.XXXXXX)
trap 'rm -rf "$WORK"' EXIT
trap 'exit 1' HUP INT TERM
chmod 755 "$WORK"
cd "$WORK"

# ---- logs in a form of their own: a line each, members in the order of the API, tabs between them; ~ is a line feed

make_logs() { # COUNT: ordinary logs and odd ones
    awk -v n="$1" 'BEGIN {
        OFS = "\t"
        split("plain.example|a,b|\"quoted\"|it~breaks|back\\slash|\303\251t\303\251|\360\237\230\200| |=1+1", text, "|")
        for (i = 0; i < n; i++) {
            t = text[i % 9 + 1]
            ip = i % 3 == 0 ? "" : i % 3 == 1 ? "203.0.113." i % 256 : "2001:db8::" sprintf("%x", i % 9 + 1)
            print sprintf("2026-03-%02d %02d:%02d:%02d", 1 + i % 28, i % 24, i % 60, i * 7 % 60), 1 + i % 20, 1 + i % 53,
                i % 65536, i % 2 ? "HTTPS" : "", ip, i % 5 ? "198.51.100.7" : "", "peer-" i % 40, i % 7 ? "worker-" i % 6 : "",
                "site" i % 500 ".example", i % 11 ? "" : t, i, i * 1000, i * 100000, i % 4, i * 3, i % 30
        }
    }'
}

as_csv() { # the columns in an order of their own; domains as people write them
    awk -F '\t' '
        function cell(t) { gsub(/~/, "\n", t); if (t ~ /[",\n]/) { gsub(/"/, "\"\"", t); t = "\"" t "\"" } return t }
        BEGIN { print "domain,error,ts,user_id,order_id,count,port,protocol,ip_out,ip_from,peer_id,worker,bytes_sent,bytes_received,error_count,duration_ms,max_concurrency" }
        { print cell(toupper($10) "."), cell($11), $1, $2, $3, $12, $4, cell($5), $6, $7, cell($8), cell($9), $13, $14, $15, $16, $17 }' OFS=,
}

as_json() {
    awk -F '\t' '
        BEGIN { split("ts user_id order_id port protocol ip_out ip_from peer_id worker domain error count bytes_sent bytes_received error_count duration_ms max_concurrency", name, " ") }
        {
            line = ""
            for (i = 1; i <= 17; i++) {
                v = $i
                if (i == 1 || (i >= 5 && i <= 11)) { gsub(/\\/, "&&", v); gsub(/"/, "\\\"", v); gsub(/~/, "\\n", v); v = "\"" v "\"" }
                line = line (i > 1 ? ", " : "{") "\"" name[i] "\": " v
            }
            print line "}"
        }'
}

as_bodies() { # LOGS: that many in each body
    as_json | awk -v n="$1" '
        NR % n == 1 || n == 1 { if (NR > 1) print "]}"; printf "{\"version\": [1, {\"logs\": 2}],\n \"logs\":\n [" } NR % n != 1 && n != 1 { print "," } { print }
        END { print NR ? "]}" : "{\"logs\": []}" }'
}

expected() { # the rows that the database must have
    awk -F '\t' '
        function hex(ip, part) {
            if (ip ~ /:/) { sub(/.*:/, "", ip); return "20010DB80000000000000000000000" sprintf("%02s", "0" ip) }
            if (ip == "") return ""
            split(ip, part, "."); return sprintf("%02X%02X%02X%02X", part[1], part[2], part[3], part[4])
        }
        { $6 = hex($6); $7 = hex($7); print }' OFS='\t' | sort
}

stored() { # DIR
    all_logs -separator $'\t' "$1/analytics.db" "SELECT ts, user_id, order_id, port, protocol, ip_out, ip_from,
        peer_id, worker, domain, replace(error, char(10), '~'), count, bytes_sent, bytes_received, error_count, duration_ms,
        max_concurrency FROM log" | sort
}

# ---- helpers

new() { # DIR: an empty one
    rm -rf "$1"
    "$CTL" --data "$1" init >/dev/null
}

# run STATUS ARGUMENT…: the command, its output in out and err.
run() {
    local want=$1 got=0
    shift
    "$CTL" "$@" >out 2>err || got=$?
    verdict "$* (exit $want)" "$([ $got -eq "$want" ] || { echo "exit $got:" && cat out err; })"
}

says() { # FILE REGEX
    verdict "  $1 says $2" "$(grep -Eq -e "$2" "$1" || cat "$1")"
}

holds() { # WHAT DIR LOGS: the database has these logs, each as often as LOGS has it, and its sums are right
    verdict "$1: the rows" "$(stored "$2" | diff - <(expected <"$3") | head -n 5)"
    verdict "$1: verify" "$("$CTL" --data "$2" verify 2>&1 | grep -v '^All is well' || true)"
}

# ---- every format; an import in one format finds the logs that another has stored

make_logs 6345 >logs
as_csv <logs >a.csv
as_json <logs >a.ndjson
as_bodies 4000 <logs >a.json
{ printf '\357\273\277' && sed 's/$/\r/' a.csv | sed 's/it\r$/it/'; } >crlf.csv # the line feed inside a cell stays bare
{ printf '\357\273\277\n  \n' && sed 's/$/ \r/' a.ndjson | head -c -3; } >crlf.jsonl # no newline at the end
for file in a.csv a.ndjson a.json; do gzip -k $file; done
{ head -n 5000 a.ndjson | gzip && tail -n +5001 a.ndjson | gzip; } >members.gz
as_bodies 1 <logs >one.json
as_json <logs | tr -d '\n' | sed 's/^/{"logs":[/; s/}{/},{/g; s/$/]}/' >big.json

for arguments in a.csv a.ndjson a.json crlf.csv crlf.jsonl a.csv.gz a.ndjson.gz a.json.gz one.json big.json '--format ndjson members.gz'; do
    new data
    # shellcheck disable=SC2086 # words
    run 0 --data data import $arguments
    says out ': 6345 logs stored, 0 were there already\.$'
    holds "$arguments" data logs
done
run 0 --data data import a.csv a.ndjson a.json crlf.csv crlf.jsonl a.csv.gz a.ndjson.gz a.json.gz one.json big.json
verdict '  each is there already' "$(grep -vc ': 0 logs stored, 6345 were there already\.$' out | sed s/^0//)"
run 0 --data data import --format csv - <a.csv
says out '^standard input: 0 logs stored, 6345 were'
run 0 --data data import --format csv - --json <a.csv.gz
verdict '  as JSON' "$(diff out <(echo '{"ok":true,"stored":0,"already":6345,"skipped":0,"files":[{"file":"-","stored":0,"already":6345,"skipped":0}]}'))"
holds 'all of them' data logs

# ---- a file that grows, in any pieces, and an older copy of it; equal parts within one file all count

new data
for count in 1 2 4999 5000 5001 6000 6344 6345 6000 6345; do
    head -n $count a.ndjson >part.ndjson
    run 0 --data data import part.ndjson
done
holds 'a file that grew' data logs
head -n 5800 logs >part && as_csv <part >part.csv
run 0 --data data import a.csv part.csv
new data
cat logs logs >twice && as_csv <twice >twice.csv
run 0 --data data import twice.csv
holds 'the same logs twice in one file' data twice
new data
head -n 5000 logs >whole && cat whole whole whole >thrice && as_json <thrice >thrice.ndjson
run 0 --data data import thrice.ndjson
holds 'equal chunks in one file' data thrice
: >empty.csv && : >empty.ndjson && : >empty.json && printf '\n\n' >blank.csv && head -n 1 a.csv >header.csv && echo '{"logs":[]}' >none.json
run 0 --data data import empty.csv empty.ndjson empty.json blank.csv header.csv none.json
verdict '  no logs' "$(grep -v ': 0 logs stored, 0 were' out || true)"
holds 'after files without logs' data thrice

# ---- pieces of one source, in any files

# proxy COUNT FIRST: lines of a proxy from line FIRST on, seven in a second, of which some are equal.
proxy() {
    awk -v n="$1" -v first="$2" 'BEGIN {
        for (i = first; i < first + n; i++) {
            t = int(i / 7)
            printf "{\"ts\":\"2026-03-%02d %02d:%02d:%02d\",\"user_id\":1,\"order_id\":1,\"domain\":\"a.example\",\"count\":%d}\n",
                15 + int(t / 86400), int(t / 3600) % 24, int(t / 60) % 60, t % 60, i % 3 + 1
        }
    }'
}
count_logs() { # WHAT DIR LOGS
    verdict "$1: each log once" "$([ "$(all_logs "$2/analytics.db" 'SELECT count(*) FROM raw_log')" -eq "$3" ] || all_logs "$2/analytics.db" 'SELECT count(*) FROM raw_log')"
    verdict "  verify" "$("$CTL" --data "$2" verify 2>&1 | grep -Ev '^(All is well|Logs of before .* are pruned)' || true)"
}
proxy 7001 0 >day1 && proxy 7002 7001 >day2 && proxy 6000 14003 >day3 # days end in the middle of a second

new data
cat day1 day2 >both && run 0 --data data import --format ndjson both
cat day2 day3 >both && run 0 --data data import --format ndjson - <both
says out ': 6000 logs stored, 7002 were there already'
count_logs 'days that overlap, concatenated' data 20003
gzip -c day2 >day2.gz
run 0 --data data import --format ndjson day2.gz day3 day1
verdict '  each file alone is known' "$(grep -v ': 0 logs stored' out || true)"
tail -n 500 day3 >window && proxy 300 20003 >>window
run 0 --data data import --format ndjson window
says out ': 300 logs stored, 500 were'
head -n 9000 both >older && run 0 --data data import --format ndjson older
says out ': 0 logs stored, 9000 were'
count_logs 'windows' data 20303

new data
cat day2 day3 >later && run 0 --data data import --format ndjson later
cat day1 day2 >both && run 0 --data data import --format ndjson both
says out ': 7001 logs stored, 7002 were'
cat day1 day2 day3 | sort -R >mixed && run 0 --data data import --format ndjson mixed
says out ': 0 logs stored, 20003 were'
count_logs 'the later days first, and all of them in disorder' data 20003

# One file ends, and the next one begins, within the same second: it is unclear whether equal logs are the same logs.
for overlap in count skip; do
    new data
    run 0 --data data import --format ndjson day1
    run 1 --data data import --format ndjson day2
    says err 'day2: of 2026-03-15 00:16:40 to 2026-03-15 00:16:40 this source has brought logs before; .* --overlap=skip; .* --overlap=count; .*--source'
    says out ': 0 logs stored'
    run 0 --data data import --format ndjson --overlap $overlap day2
    says out ": $([ $overlap = count ] && echo 7002 || echo 7001) logs stored"
    run 0 --data data import --format ndjson day2
    run 0 --data data import --format ndjson day1
    verdict '  after that it is known' "$(grep -v ': 0 logs stored' out || true)"
done
new data
run 0 --data data import --format ndjson day1
run 0 --data data import --format ndjson - < <(cat day1 day2)
count_logs 'the two together leave no doubt' data 14003

# Whole seconds that differ from those that are stored: the logs of another program.
new data
sed 's/a\.example/b.example/' day1 >half && awk 'NR % 2' day1 >>half && sort -s -t '"' -k 4,4 half >node2
run 0 --data data import --format ndjson day1
run 1 --data data import --format ndjson node2
says err 'node2: of 2026-03-15 00:00:01 to .* this source has brought logs before'
count_logs '  of which nothing is stored' data 7001
run 0 --data data import --format ndjson --source 'node 2' node2
run 0 --data data import --format ndjson --source n3 day1
run 0 --data data import --format ndjson --source 'node 2' node2
says out ': 0 logs stored'
count_logs 'sources' data $((7001 + 7001 + 3501 + 7001))

# More logs of one second than a batch may have: different ones, and equal ones.
new data
awk 'BEGIN { print "ts,user_id,order_id,domain,count"; for (i = 0; i < 60000; i++) print "2026-03-15,1,1,d" (i % 2 ? i : 0) ".example,1" }' >second.csv
run 0 --data data import second.csv
says out ': 60000 logs stored'
run 0 --data data import second.csv
says out ': 0 logs stored, 60000 were'
head -n 40001 second.csv >part.csv && run 0 --data data import part.csv
says out ': 0 logs stored, 40000 were'
{ cat second.csv && tail -n +2 second.csv; } >double.csv && run 0 --data data import double.csv
says out ': 60000 logs stored, 60000 were'
count_logs 'a large second' data 120000

# Imported logs stay known after they are pruned, and in a backup.
new data
run 0 --data data import --format ndjson day1
echo '{"ts":"2026-04-20","user_id":1,"order_id":1,"domain":"a.example","count":1}' >late.ndjson
run 0 --data data import late.ndjson
run 0 --data data prune --older-than 5d --yes
run 0 --data data backup saved
new again
run 0 --data again restore saved --force
for folder in data again; do
    run 0 --data $folder import --format ndjson day1
    says out ': 0 logs stored, 7001 were'
    count_logs "pruned, $folder" $folder 1
done
sqlite3 again/analytics.db "DELETE FROM import_log WHERE second = unixepoch('2026-04-20')"
run 1 --data again verify
says out '1 imported logs of 2026-04-20 00:00:00 .* are not known'

# ---- bad records, and files that cannot be read

good='{"ts": "2026-03-15 10:15:00", "user_id": 1, "order_id": 3, "domain": "a.example", "count": 1}'
names=ts,user_id,order_id,domain,count
row='2026-03-15 10:15:00,1,3,a.example,1'
new data
cases=0
while IFS='|' read -r format text message; do
    cases=$((cases + 1))
    # shellcheck disable=SC2059 # the text is a format: it has escapes
    printf "${text//GOOD/$good}" >case
    sed -i "s/NAMES/$names/; s/ROW/$row/g" case
    run 1 --data data import --format "$format" case
    says err "^analyticsctl: case: $message"
    verdict "  one line" "$([ "$(wc -l <err)" -eq 1 ] || cat err)"
done <<'CASES'
ndjson|GOOD\nnonsense\nGOOD|line 2: column 2: expected true, false or null\. Mend it
ndjson|GOOD\nGOOD x|line 2: column 95: expected nothing more
ndjson|\n\n{"ts": 1}|line 3: ts: must be a string
ndjson|GOOD\n[]|line 2: must be an object
ndjson|GOOD\n{"ts": "2026-03-15"|line 2: column 20: the line ends here, expected
ndjson|{"logs": [GOOD]}|line 1: has 'logs', which no log has
ndjson|{\n"ts": 1}|line 1: column 2: the line ends here
json|{"logs": [GOOD,\n GOOD,\n {"ts": "2026-03-15"}]}|line 3: user_id: is required
json|{"logs": [GOOD]}\n\n{"logs": [GOOD,\n7]}|line 4: must be an object
json|{"logs": [GOOD]}\n{"log": [GOOD]}|line 2: expected a member "logs"
json|GOOD|line 1: expected a member "logs"
json|[GOOD]|line 1: expected an object with a member "logs"
json|{"logs": [GOOD]},|line 1: expected an object
json|{"logs": [GOOD]}\n{"logs": [GOOD\n|line 3: the file ends here, expected
csv|NAMES\nROW\n2026-03-15 10:15:00,1,3,a.example|line 3: has 4 cells, but the first line has 5
csv|NAMES\nROW,\n|line 2: has 6 cells
csv|NAMES\nROW\n\nx,1,3,a,1\n|line 4: ts: must be a date
csv|NAMES\n,1,3,a,1\n|line 2: ts: is required
csv|NAMES\n2026-03-15,0,3,a,1\n|line 2: user_id: must be an integer from 1
csv|NAMES\n2026-03-15,1,3,"a\nb",1\n|line 2: domain: must not contain control
csv|NAMES\n"2026-03-15","1","3","a","\n1"\n|line 2: count: must be an integer
csv|NAMES\nROW\n2026-03-15,1,3,a\377,1\n|line 3: domain: must be valid UTF-8
csv|NAMES,error\nROW,a\000b\n|line 2: error: must not contain the NUL
csv|NAMES,error\nROW,\377\n|line 2: error: must be valid UTF-8
csv|NAMES,bytes\nROW,1\n|line 1: no log has a column 'bytes'
csv|NAMES,count\nROW,1\n|line 1: column 'count' stands twice
csv|ts,user_id,order_id,domain\n|line 1 names the columns: 'count' is required
csv|ts;user_id\n1;2|line 1: no log has a column 'ts;user_id'; columns are separated by commas
csv|NAMES\nROW\n"2026-03-15",1,3,a"b,1\n|line 3: a quotation mark in a cell
csv|NAMES\nROW\n"2026-03-15"x,1,3,ab,1\n|line 3: text after the closing quotation mark
csv|NAMES\nROW\n2026-03-15,1,3,"a,1\n\n\n|line 3: the file ends inside quotation marks
csv|NAMES\rROW\r|line 1: a carriage return without a line feed
CASES
verdict 'cases' "$([ $cases -eq 32 ] || echo "$cases were read")"
verdict 'none of them is stored' "$(stored data)"
{ echo "$names" && printf '"' && head -c 70000 /dev/zero | tr '\0' x; } >long.csv
run 1 --data data import long.csv
says err 'long\.csv: line 2: the record is too long'
run 1 --data data import a.csv no-such.csv
says err "can't open no-such.csv"
run 1 --data data import "$WORK"/data --format csv
says err 'is a folder'
head -c 50000 a.ndjson.gz >cut.ndjson.gz
run 1 --data data import cut.ndjson.gz
says err 'cut\.ndjson\.gz: byte 50000 of the compressed body'
cp a.csv plain.csv.gz
run 1 --data data import plain.csv.gz
says err 'expected gzip data'
: >empty.csv.gz
run 1 --data data import empty.csv.gz
verdict 'nothing of the unreadable is stored' "$(stored data | head -n 3)"
run 1 --data no-such-folder import a.csv
run 1 --data . import a.csv
says err 'there is no \./analytics\.db; analyticsctl init makes it'
verdict '  which it does not make' "$([ ! -e analytics.db ] || echo 'it does')"

# Nothing of a file with a bad record is stored until the record is mended.
new data
sed '6000s/"user_id": /&-/' a.ndjson >bad.ndjson
run 1 --data data import bad.ndjson
says err 'bad\.ndjson: line 6000: user_id: must be'
says out '^bad\.ndjson: 0 logs stored'
run 1 --data data import bad.ndjson --json
says out '^\{"ok":false,"stored":0,"already":0,"skipped":0,"files":\[\{"file":"bad\.ndjson",.*"error":"line 6000: user_id'
run 0 --data data import bad.ndjson --skip-bad
run 0 --data data import a.ndjson
says out ': 1 logs stored, 6344 were'
holds 'a mended file' data logs

new data
awk 'NR % 100 == 0 { print "{" } NR % 1000 == 0 { print "{\"domain\": \"never" NR "\"}" } 1' a.ndjson >bad.ndjson
run 0 --data data import --skip-bad bad.ndjson
says out '^bad\.ndjson: 6345 logs stored'
says out '^bad\.ndjson: 69 bad records skipped, the first in line 100: column 2: the line ends here'
run 0 --data data import --skip-bad bad.ndjson a.csv
holds 'without the bad ones' data logs
verdict '  nor their texts' "$(sqlite3 data/analytics.db "SELECT text FROM name WHERE text LIKE 'never%'")"
grep -v '~' logs | as_csv | sed '1s/$/,colour/; 2,$s/$/,red/' >colour.csv
run 1 --data data import colour.csv
says err "colour\.csv: line 1: no log has a column 'colour'; --ignore-unknown ignores it"
run 0 --data data import --ignore-unknown colour.csv
says out "^Ignored: 'colour', which no log has, in 6281 records\.$"

# One rule for every format: an unknown member is refused, or with --ignore-unknown ignored and counted.
new data
head -n 4 a.ndjson | sed -e '2s/"bytes_sent"/"bytesSent"/' -e '3s/{/{"a\\tb": [1], "colour": null, /' -e '4s/{/{"colour": {}, /' >odd.ndjson
{ echo '{"logs": ['; paste -sd, odd.ndjson; echo ']}'; } >odd.json
for file in odd.ndjson odd.json; do
    run 1 --data data import $file
    says err ": line [23]: .*has 'bytesSent', which no log has; 'bytes_sent' is probably meant; --ignore-unknown ignores it"
    new data
    run 0 --data data import --ignore-unknown $file
    says out "^$file: 4 logs stored"
    says out "^Ignored: 'bytesSent', which no log has, in 1 record\.$"
    says out "^Ignored: 'a[?]b', which no log has, in 1 record\.$"
    says out "^Ignored: 'colour', which no log has, in 2 records\.$"
    run 0 --data data import --ignore-unknown --json $file
    says out '"ignored":\[\{"name":"bytesSent","records":1\},\{"name":"a[?]b","records":1\},\{"name":"colour","records":2\}\],"ignored_others":0'
done
run 0 --data data import --skip-bad odd.ndjson
says out '3 bad records skipped'

# A total would pass 2^63.
new data
awk -v row="$row" -v names="$names" 'BEGIN { print names; for (i = 0; i < 6000; i++) { r = row; sub(/1$/, "9007199254740991", r); print r } }' >much.csv
run 1 --data data import much.csv
says err 'much\.csv: lines [0-9]+ to [0-9]+: with these logs a total would pass'

# ---- killed at any moment, and run again; two at once

new data
rounds=0
delay=0.02
# --foreground: timeout waits until what it killed is gone.
for rounds in {1..40}; do
    status=0
    { timeout --foreground -s KILL "$delay" "$CTL" --data data import a.ndjson twice.csv >out 2>&1; } 2>/dev/null || status=$?
    [ $status -ne 0 ] || break
    delay=$(awk -v d="$delay" -v r=$RANDOM 'BEGIN { print d * 1.1 + r % 16 / 100 }') # long enough in the end on any machine
done
verdict 'an import that was killed comes to its end' "$([ "$status" -eq 0 ] || cat out)"
verdict '  was killed' "$([ "$rounds" -gt 2 ] || echo "only $((rounds - 1)) times")"
# Logs that two files have in common are stored once.
holds 'killed and run again' data twice

new data
"$CTL" --data data import a.csv >out1 2>err1 &
first=$!
second=0
"$CTL" --data data import a.ndjson >out2 2>err2 || second=$?
wait $first && first=0 || first=1
verdict 'two at once: one of them, or one after the other' "$([ $((first + second)) -lt 2 ] || cat err1 err2)"
verdict '  the other says who is in the way' "$(cat err1 err2 | grep -v 'held by another process.*; or import through it, with --url' || true)"
run 0 --data data import a.csv a.ndjson
holds 'two at once' data logs

status=0
timeout -s INT --foreground 0.3 "$CTL" --data data import --format ndjson - < <(cat thrice.ndjson && sleep 20) >out 2>err || status=$?
verdict 'stopped by SIGINT while it waits for more' "$([ $status -eq 130 ] || [ $status -eq 124 ] || cat out err)"
says err 'stopped; what is said to be stored is'

# ---- memory does not grow with the file

memory() { # TIMES: imports a.ndjson so many times from a pipe, most of it bad and all texts new; peak memory, KiB
    new data
    rm -f pipe
    mkfifo pipe
    "$CTL" --data data import --format ndjson --skip-bad - <pipe >/dev/null 2>&1 &
    local pid=$! i
    {
        for ((i = 0; i < $1; i++)); do
            sed "1~50!s/\"ts\": \"2026/\"ts\": \"x2026/; s/\"domain\": \"/&$i-/" a.ndjson >&7
        done
        sleep 0.3
        awk '/VmHWM/ { print $2 }' /proc/$pid/status
    } 7>pipe
    wait $pid || true
}
if [ -z "$SANITIZED" ]; then
    small=$(memory 2)
    large=$(memory 20)
    verdict 'memory for 36 MB and for 4 MB' "$([ -n "$small" ] && [ "$large" -lt $((small + 16384)) ] || echo "$large and $small KiB")"
fi

# ---- export

new data
run 0 --data data import a.csv
all=(--from 2026-03-01 --to 2026-03-31)
for format in csv ndjson; do
    run 0 --data data export "${all[@]}" --format $format
    cp out "exported.$format"
    new again
    run 0 --data again import "exported.$format"
    says out '6345 logs stored'
    holds "export as $format, and import" again logs
done
verdict '  records end with CRLF' "$([ "$(grep -c $'\r$' exported.csv)" -eq $((6345 + 1)) ] || echo 'not all')"
verdict '  in order of time' "$(sqlite3 :memory: '.mode csv' '.import exported.csv e' 'SELECT ts FROM e' | sort -c 2>&1)"
wheres=()
exported=()
range() { # WHAT SQL ARGUMENT…: exports; how many logs there must be is asked below
    local what=$1 where=$2
    shift 2
    run 0 --data data export --format ndjson "$@"
    wheres+=("SELECT count(*) FROM log WHERE $where")
    exported+=("$(wc -l <out) $what")
}
range 'of a day' "ts >= '2026-03-10' AND ts < '2026-03-11'" --from 2026-03-10 --to 2026-03-10
range 'of seconds' "ts >= '2026-03-10 09:09:03' AND ts < '2026-03-12 11:11:17'" --from '2026-03-10 09:09:03' --to 2026-03-12T11:11:17Z
range 'from a part of a second' "ts > '2026-03-10 09:09:03' AND ts < '2026-03-13'" --from '2026-03-10 09:09:03.5' --to 2026-03-12
range 'to a part of a second' "ts >= '2026-03-10' AND ts <= '2026-03-12 11:11:17'" --from 2026-03-10 --to 2026-03-12T11:11:17.001Z
range 'of a user' 'user_id = 7' "${all[@]}" --user-id 7
range 'of an order' 'order_id = 11' "${all[@]}" --order-id 11
range 'of both' 'user_id = 7 AND order_id = 11' "${all[@]}" --order-id 11 --user-id 7
range 'of nobody' 'user_id = 777' "${all[@]}" --user-id 777
range 'of no time' 'false' --from 2026-03-10T00:00:00Z --to 2026-03-10T00:00:00Z
mapfile -t due < <(many_answers data/analytics.db "${wheres[@]}")
verdict 'ranges' "$([ ${#due[@]} -eq ${#exported[@]} ] && [ ${#due[@]} -eq 9 ] || echo "${#due[@]} of ${#exported[@]} were counted")"
for i in "${!exported[@]}"; do
    verdict "export ${exported[i]#* }: how many" "$([ "${exported[i]%% *}" = "${due[i]:-}" ] || echo "${exported[i]%% *}, not ${due[i]:-}")"
done
run 0 --data data export --format csv --from 2001-01-01 --to 2001-01-01
verdict '  a first line in any case' "$([ "$(wc -l <out)" -eq 1 ] || cat out)"
verdict 'export | head' "$("$CTL" --data data export "${all[@]}" --format csv 2>&1 >/dev/null | head -n 1; "$CTL" --data data export "${all[@]}" --format csv 2>err | head -n 1 | grep -v '^ts,' || true; cat err)"
if [ -w /dev/full ]; then
    status=0
    "$CTL" --data data export "${all[@]}" --format csv >/dev/full 2>err || status=$?
    verdict 'export to a full disk' "$([ $status -eq 1 ] || echo "exit $status")"
    says err "can't write to standard output"
fi
# One quarter of an hour with more logs than a page has.
new data
awk -v names="$names" 'BEGIN { print names; for (i = 0; i < 45000; i++) printf "2026-03-15 10:%02d:%02d,%d,%d,d%d.example,%d\n", i % 15, i % 60, 1 + i % 7, 1 + i % 3, i % 1000, i }' >dense.csv
run 0 --data data import dense.csv
run 0 --data data export "${all[@]}" --format csv
verdict 'many pages of one quarter' "$(tr -d '\r' <out | awk -F, 'NR > 1 { print $1, $2, $3, $10, $12 }' OFS=, | sort | diff - <(tail -n +2 dense.csv | sort) | head -n 5)"

# ---- demo

mkdir -m 755 demo
run 0 --data demo/one demo --until 2026-03-01 --days 10 --logs 20000
run 0 --data demo/two demo --until '2026-03-02 00:00:00' --days 10 --logs 20000 --seed 1
run 0 --data demo/other demo --until 2026-03-01 --days 10 --logs 20000 --seed 2
stored demo/one >one.rows
verdict 'demo: the same seed, the same logs' "$(stored demo/two | diff one.rows - | head -n 3)"
verdict 'demo: another seed, others' "$(stored demo/other | diff -q one.rows - >/dev/null && echo 'the same')"
verdict 'demo: verify' "$("$CTL" --data demo/one verify 2>&1 | grep -v '^All is well: .* 20000 logs' || true)"
figures=()
limits=()
count() { # WHAT SQL LEAST MOST: asked below
    figures+=("SELECT $2 FROM log")
    limits+=("$3 $4 $1")
}
count logs 'count(*)' 20000 20000
count users 'count(DISTINCT user_id)' 18 20
count orders 'count(DISTINCT order_id)' 25 80
count domains 'count(DISTINCT domain)' 200 300
count errors 'count(DISTINCT error)' 4 8
count 'the first day' "CAST(julianday(min(ts)) - julianday('2026-02-20') AS INTEGER)" 0 0
count 'logs after its end' "coalesce(sum(ts >= '2026-03-02'), 0)" 0 0
count 'day over night, percent' "sum(ts LIKE '% 15:%') * 100 / sum(ts LIKE '% 03:%')" 200 1000
count 'errors without a count' "sum((error <> '') <> (error_count > 0))" 0 0
mapfile -t found < <(many_answers demo/one/analytics.db "${figures[@]}")
for i in "${!figures[@]}"; do
    read -r least most what <<<"${limits[i]}"
    verdict "demo: $what" "$([ "${found[i]:-}" -ge "$least" ] && [ "${found[i]}" -le "$most" ] || echo "${found[i]:-nothing}")"
done
verdict 'demo: an order has one user' "$(all_logs demo/one/analytics.db 'SELECT order_id FROM log GROUP BY order_id HAVING count(DISTINCT user_id) > 1')"
verdict 'demo: keys' "$([ -s demo/one/keys/admin.key ] && [ -s demo/one/keys/worker.key ] || echo 'are not there')"
run 1 --data demo/one demo
says err 'demo/one has logs already'
verdict 'demo: what was there is as it was' "$(stored demo/one | diff one.rows - | head -n 3)"

# A demo that fails leaves no half-made folder: it can be tried again.
mkdir demo/empty
for folder in demo/new demo/empty; do
    verdict "demo: $folder on a full disk" "$( (ulimit -f 2000 && "$CTL" --data "$folder" demo --logs 2000000) >out 2>err && echo 'is made')"
    says err '(disk|full|File too large|disk I/O error)'
done
left() { # FOLDER: what is left of it; as root, the demo runs as the folder's owner and may leave it empty
    [ ! -d "$1" ] || [ "$(id -u)" = 0 ] || echo "$1"
    find "$1" -mindepth 1 2>/dev/null || true
}
verdict 'demo: no folder is left' "$(left demo/new)"
verdict 'demo: an empty folder stays empty' "$(find demo/empty -mindepth 1)"
"$CTL" --data demo/new demo --logs 1000000000 >out 2>err &
until [ -e demo/new/analytics.db ]; do sleep 0.05; done
kill -TERM $!
wait $! && got=0 || got=$?
verdict 'demo: stopped' "$([ "$got" = 143 ] && [ -z "$(left demo/new)" ] || { echo "exit $got:" && cat err && left demo/new; })"
says err 'stopped; what was made is removed again'

# ---- command lines that make no sense

while IFS='|' read -r words says; do
    # shellcheck disable=SC2086 # split on purpose
    run 2 --data data $words
    says err "$says"
done <<'END_OF_LIST'
import|import needs FILE
import --format xml a.csv|--format is json, ndjson or csv
import a.txt|what format is a.txt\? Say --format
import -|what format is standard input
import --format csv - -|standard input is named twice
import --overlap both a.csv|--overlap is skip or count
import --source aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa a.csv|--source is a name of 1 to 60 bytes
import --url http://127.0.0.1:1 a.csv|--url and --key-file go together
import --key-file a.csv a.csv|--url and --key-file go together
import --url ftp://127.0.0.1 --key-file a.csv a.csv|--url must be an address that begins with http:// or https://, but is .ftp://127\.0\.0\.1
import --url http://127.0.0.1/?x=1 --key-file a.csv a.csv|--url must be the service's address alone, such as http://127\.0\.0\.1:8080, but is 
import --url http://127.0.0.1 --key-file a.csv --retry-seconds x a.csv|--retry-seconds must be an integer from 0 to 1000000, but is .x
export|export needs --
export --from 2026-01-01 --to 2026-01-02|export needs --format
export --from 2026-01-01 --to 2026-01-02 --format json|--format must be csv or ndjson, but is .json
export --from yesterday --to 2026-01-02 --format csv|--from must be a date or a time.*, but is .yesterday
export --from 2026-01-01 --to 2026-02-30 --format csv|--to must be a date or a time.*, but is .2026-02-30
export --from 2026-01-03 --to 2026-01-01 --format csv|--from .2026-01-03. must not be after --to .2026-01-01.
export --from 2026-01-01 --to 2026-01-01 --format csv --user-id 0|--user-id must be an integer from 1 to 9007199254740991, but is .0
export --from 2026-01-01 --to 2026-01-01 --format csv --order-id x|--order-id must be an integer from 1 to 9007199254740991, but is .x
export --from 2026-01-01 --to 2026-01-01 --format csv more|export does not take 'more'
demo --days 0|--days must be an integer from 1 to 3660, but is .0
demo --logs x|--logs must be an integer from 1 to 1000000000, but is .x
demo --seed -1|--seed must be an integer from 1 to 9007199254740991, but is .-1
demo --until then|--until must be a date or a time.*, but is .then
demo --days 3660 --until 1980-01-01|must not go back before 1970
END_OF_LIST
for command in import export demo; do
    run 0 $command --help
    says out "^  $command "
done
finish
