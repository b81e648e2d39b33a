#!/usr/bin/env bash
# test_style.sh: banned.h stands last, functions stay short, everything is built, and the formatter has nothing to say.
. "${BASH_SOURCE[0]%/*}/../support/totals.sh"

mapfile -t units < <(find lib app -name '*.c' | sort)
for file in "${units[@]}"; do
    verdict "$file" "$(awk '/^#include/ { last = $2 } END { if (last != "\"base/banned.h\"") print "the last include is not banned.h" }' "$file")"
done

for file in "${units[@]}"; do
    verdict "$file" "$(awk '
        /^[a-zA-Z].*\(/ { name = $0; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name) }
        /^\{/ { begin = NR }
        /^\}/ && begin { if (NR - begin - 1 > 60) print name " has " NR - begin - 1 " lines, 60 are allowed"; begin = 0 }
        ' "$file")"
done

mapfile -t headers < <(find lib app -name '*.h' | sort)
for file in "${units[@]}" "${headers[@]}" schema/*.sql tests/unit/test_* tests/lint/* tests/support/*.[ch] tests/e2e/*.[ch]; do
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
