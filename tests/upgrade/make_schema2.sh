#!/usr/bin/env bash
# make_schema2.sh: makes schema2.db.gz again: a database as version 0.2.0, whose schema has two steps, leaves it. The commit
# is one with that schema and with the folders of today. Usage: make_schema2.sh [COMMIT]; needs git, and what ./check needs.
# The file stays as it is once it is made: it is what an upgrade finds.
set -euo pipefail
repo=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd -P)
commit=${1:-82af5af19db593b8c77e5c81d5419745d15cb6d4}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
git -C "$repo" archive "$commit" | tar -xf - -C "$work"
cp -r "$repo/tests/upgrade" "$work/tests/"
cd "$work"
# shellcheck source=tools/setup.sh
REPO=$work && . "$repo/tools/setup.sh"
configure_in "$work/build" --enable-tests >/dev/null
make -C build -j2 libanalytics.a >/dev/null
cc -std=gnu11 -D_GNU_SOURCE -I. -Ilib -Iapp tests/upgrade/make_schema2.c build/libanalytics.a -lsqlite3 -lz -lsodium -lcheck \
    -lsubunit -lm -lrt -lpthread -o make_schema2
mkdir data
SCHEMA_FOLDER=data ./make_schema2
sqlite3 data/analytics.db 'PRAGMA wal_checkpoint(TRUNCATE)' >/dev/null
gzip -9n <data/analytics.db >"$repo/tests/upgrade/schema2.db.gz"
