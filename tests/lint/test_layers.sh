#!/usr/bin/env bash
# test_layers.sh: includes point one way (layers.txt), and each library's header is known to few files.
. "${BASH_SOURCE[0]%/*}/totals.sh"

for file in lib/*.[ch] app/*.[ch]; do
    [ "$file" = lib/banned.h ] && continue
    verdict "$file" "$(awk -v file="$file" '
        function module(path) { sub(/.*\//, "", path); sub(/\.[ch]$/, "", path); return path }
        FILENAME != file { if ($0 !~ /^#/ && NF) rank[$1] = ++n; next }
        FNR == 1 { me = module(file); if (!(me in rank)) print me " is not in layers.txt" }
        /^#include "/ {
            split($0, part, "\""); other = module(part[2])
            if (other == me || other == "banned" || other == "config") next
            if (!(other in rank)) print "includes unknown " part[2]
            else if (rank[other] > rank[me]) print "includes " part[2] ", which stands later"
        }' tests/lint/layers.txt "$file")"
done

# only HEADER FILE…: nobody else in lib/ and app/ includes it.
only() {
    local header=$1 file
    shift
    for file in lib/*.[ch] app/*.[ch]; do
        case " $* " in *" $file "*) continue ;; esac
        grep -q "^#include <$header>" "$file" && printf '%s ' "$file" || true
    done
}
verdict 'sqlite3.h is for lib/store_db.h alone' "$(only sqlite3.h lib/store_db.h)"
verdict 'store_db.h is for the store alone' "$(grep -l '"store_db.h"' lib/*.[ch] app/*.[ch] | grep -v '^lib/store_' || true)"
verdict 'json-c is for tests alone' "$(only 'json.*' tests/)"
verdict 'zlib.h is for lib/gunzip.c alone' "$(only zlib.h lib/gunzip.c)"
verdict 'libcurl is for app/ctl_post.c alone' "$(only curl/curl.h app/ctl_post.c)"
verdict 'FastCGI is for app/fcgi.c alone' "$(only 'fcgi.*' app/fcgi.c)"
# The mains start the library; ingest hashes bodies for idempotency keys, etag what an answer depends on, imports logs.
verdict 'sodium.h is for few' "$(only sodium.h lib/import_mark.c lib/store_keys.c app/etag.c app/ingest.c app/ingest_main.c app/query_main.c)"

finish
