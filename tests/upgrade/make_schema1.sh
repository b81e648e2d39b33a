#!/usr/bin/env bash
# make_schema1.sh: makes schema1.db.gz again: a database as version 0.1.0, the first with a released schema, leaves it.
# Usage: make_schema1.sh [COMMIT]; needs git, and what ./check needs. The file stays as it is once it is made: it is what
# an upgrade finds.
set -euo pipefail
repo=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd -P)
commit=${1:-34cac1fc446b8bcb26f746871e24998a2b086730}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
git -C "$repo" archive "$commit" | tar -xf - -C "$work"
cp -r "$repo/tests/upgrade" "$work/tests/"
cd "$work"
# shellcheck source=tools/setup.sh
REPO=$work && . "$repo/tools/setup.sh"
configure_in "$work/build" --enable-tests >/dev/null
make -C build -j2 libanalytics.a >/dev/null
cc -std=gnu11 -D_GNU_SOURCE -I. -Ilib -Iapp tests/upgrade/make_schema1.c tests/support/ledger.c tests/support/recount.c \
    build/libanalytics.a -lsqlite3 -lz -lsodium -lcheck -lsubunit -lm -lrt -lpthread -o make_schema1
mkdir data
SCHEMA1_FOLDER=data ./make_schema1
sqlite3 data/analytics.db 'PRAGMA wal_checkpoint(TRUNCATE)' >/dev/null
gzip -9n <data/analytics.db >"$repo/tests/upgrade/schema1.db.gz"
