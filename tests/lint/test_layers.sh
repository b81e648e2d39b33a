#!/usr/bin/env bash
# test_layers.sh: includes point one way: from a room (a folder) to rooms before it in the list, and never in a circle
# within a room. Few files include the header of a library.
. "${BASH_SOURCE[0]%/*}/../support/totals.sh"

# The rooms, lowest first.
ROOMS=(
    lib/base
    lib/time
    lib/log
    lib/report
    lib/rollup
    lib/part
    lib/format
    lib/db
    lib/keys
    lib/store
    lib/store/sqlite
    lib/store/sqlite/write
    lib/store/sqlite/read
    lib/store/sqlite/care
    lib/store/sqlite/spool
    lib/store/clickhouse
    app/process
    app/http
    app/metrics
    app/service
    app/endpoint
    app/main
    app/ctl
)

mapfile -t sources < <(find lib app -name '*.[ch]' | sort)

# includes FILE…: "INCLUDER INCLUDED" a line, both with their folders.
includes() {
    awk -F'"' '/^#include "/ && $2 != "config.h" {
        path = "lib/" $2; if ((getline line < path) < 0) path = "app/" $2; close(path); print FILENAME, path }' "$@"
}

# Of every file, the includes that point upwards, or nowhere: "FILE includes …". One awk reads them all, since a process for
# each file takes longer than its work.
faults=$(includes "${sources[@]}" | awk -v rooms="${ROOMS[*]}" '
    function room(path) { sub(/\/[^\/]*$/, "", path); return path }
    BEGIN { count = split(rooms, name, " "); for (i = 1; i <= count; i++) rank[name[i]] = i }
    !(room($1) in rank) { print $1 " stands in no room of the list" }
    !(room($2) in rank) { print $1 " includes " $2 ", which is in no room"; next }
    rank[room($2)] > rank[room($1)] { print $1 " includes " $2 ", whose room stands later" }')
for file in "${sources[@]}"; do
    fault=
    [[ $'\n'$faults != *$'\n'"$file "* ]] || fault=$(grep "^$file " <<<"$faults")
    verdict "$file" "$fault"
done

# Within a room a module (its .c and .h) may include another, but not itself by way of others.
circles_of() { # ROOM
    includes "$1"/*.[ch] | awk -v room="$1" '
        function module(path) { sub(/\.[ch]$/, "", path); return path }
        { folder = $2; sub(/\/[^\/]*$/, "", folder) }
        folder == room && module($1) != module($2) { print module($1), module($2) }' | { tsort >/dev/null; } 2>&1 || true
}
for room in "${ROOMS[@]}"; do
    verdict "$room" "$(circles_of "$room")"
done

# only PATTERN PATH…: the other files of lib/ and app/ that include a header that matches. A path is a file, or a folder
# with its /.
only() {
    local pattern=$1 file path
    shift
    while IFS= read -r file; do
        for path in "$@"; do
            [[ $file != "$path"* ]] || continue 2
        done
        printf '%s ' "$file"
    done < <(grep -l "^#include [<\"]${pattern}[>\"]" "${sources[@]}" || true)
}
verdict 'sqlite3.h is for db.h alone' "$(only sqlite3.h lib/db/db.h)"
verdict 'db.h is for the databases alone' "$(only db/db.h lib/db/ lib/keys/ lib/store/sqlite/)"
# Seen to fail: "%s/keys.db" in keys.c again -> "FAIL the databases' names stand in files.h alone: lib/keys/keys.c"
named=$(grep -lE '"[^"]*(analytics|keys)\.db' "${sources[@]}" | grep -vxF lib/db/files.h | tr '\n' ' ' || true)
verdict "the databases' names stand in files.h alone" "$named"
verdict 'files.h is for the databases and analyticsctl' \
    "$(only db/files.h lib/db/ lib/keys/ lib/store/sqlite/ app/ctl/)"
# Only the starts of the programs and analyticsctl know which engine is used. All others call store.h.
verdict 'engine.h is for dispatch.c and the engines' "$(only store/engine.h lib/store/)"
verdict 'sqlite.h is for the starts and analyticsctl' "$(only 'store/sqlite/.*' lib/store/sqlite/ lib/store/clickhouse/ app/main/ app/ctl/)"
verdict 'analyticsctl knows what SQLite is for, not how' \
    "$(only 'store/sqlite/\(read\|write\)/.*\|store/sqlite/file.h\|store/sqlite/ops.h' lib/store/sqlite/ lib/store/clickhouse/writer.c)"
verdict 'json-c is for few' "$(only 'json.*/json.*' lib/store/clickhouse/rows.c app/ctl/json.c app/ctl/answer.c)"
verdict 'zlib is for gunzip.c alone' "$(only zlib.h lib/format/gunzip.c)"
verdict 'libcurl is for few' "$(only curl/curl.h lib/store/clickhouse/http.c app/ctl/curl.h)"
verdict 'a ClickHouse is known by its settings' \
    "$(only 'store/clickhouse/.*' lib/store/clickhouse/ app/process/settings.h app/main/ app/ctl/)"
verdict 'FastCGI is for fcgi.c alone' "$(only 'fcgi.*' app/http/fcgi.c)"
# The mains initialise libsodium. The others hash: import_mark.c logs, keys.c keys, etag.c what an answer depends on,
# ingest.c bodies for idempotency keys; mark.c draws a random number.
verdict 'libsodium is for few' "$(only sodium.h lib/log/import_mark.c lib/keys/keys.c lib/store/clickhouse/mark.c app/http/etag.c \
    app/endpoint/ingest.c app/main/)"

finish
