#!/usr/bin/env bash
# test_style.sh: banned.h stands last, functions stay short, everything is built, and the formatter has nothing to say.
. "${BASH_SOURCE[0]%/*}/totals.sh"

for file in lib/*.c app/*.c; do
    verdict "$file" "$(awk '/^#include/ { last = $2 } END { if (last != "\"banned.h\"") print "the last include is not banned.h" }' "$file")"
done

for file in lib/*.c app/*.c; do
    verdict "$file" "$(awk '
        /^[a-zA-Z].*\(/ { name = $0; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name) }
        /^\{/ { begin = NR }
        /^\}/ && begin { if (NR - begin - 1 > 60) print name " has " NR - begin - 1 " lines, 60 are allowed"; begin = 0 }
        ' "$file")"
done

for file in lib/*.[ch] app/*.[ch] schema/*.sql tests/unit/test_* tests/lint/* tests/e2e/*.[ch]; do
    [ -e "$file" ] || continue
    verdict "$file" "$(grep -qF "${file%.c}" Makefile.am || echo 'is not in Makefile.am')"
done

# Another version of the formatter would have another opinion.
if clang-format --version 2>/dev/null | grep -q 'version 14\.'; then
    mapfile -t sources < <(find lib app tests -name '*.[ch]' | sort)
    for file in "${sources[@]}"; do
        verdict "$file" "$(clang-format --dry-run "$file" 2>&1 | grep -m 1 warning || true)"
    done
fi

finish
