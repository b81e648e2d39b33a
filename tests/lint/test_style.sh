#!/usr/bin/env bash
# test_style.sh: banned.h is included last, functions stay short, no two structs or enums have one name, everything is
# built or shipped, what a page links to is installed beside it, and the formatter changes nothing.
#
# Seen to fail:
#   struct chunk in lib/store/sqlite/care/compare.c and in app/ctl/import.h -> "FAIL names of structs and enums that
#     stand for several things: chunk"
#   docs/operating.md not in nobase_dist_doc_DATA -> "FAIL docs/operating.md: is not in Makefile.am", "… is not in
#     nobase_dist_doc_DATA", and "FAIL README.md: links to docs/operating.md, which is not in nobase_dist_doc_DATA"
#   docs/bench/studies.md left out there, a docs/bench/studies.md.old in EXTRA_DIST -> the same of docs/bench/studies.md
#   nginx/analytics.conf left out -> "FAIL nginx/analytics.conf: is not in Makefile.am"
. "${BASH_SOURCE[0]%/*}/../support/totals.sh"

mapfile -t units < <(find lib app -name '*.c' | sort)
mapfile -t headers < <(find lib app -name '*.h' | sort)
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

# One name, one thing: no two files have a struct or an enum of one name.
names_twice() { # FILE…
    grep -hoE '^(static |const |extern )*(struct|enum|union) [a-z_0-9]+ \{' "$@" | sed -E 's/.* ([a-z_0-9]+) \{/\1/' | sort | uniq -d | xargs
}
verdict 'names of structs and enums that stand for several things' "$(names_twice "${units[@]}" "${headers[@]}")"

# ---- built or shipped: Makefile.am has the whole name, or for a test's source the name of its program

declare -A named
while read -r word; do named[$word]=yes; done < <(tr -s ' \\\t' '\n' <Makefile.am | grep .)

mapfile -t shipped < <(find docs man examples monitoring nginx systemd config completion -type f | sort)
for file in "${units[@]}" "${headers[@]}" "${shipped[@]}" schema/*.sql tests/unit/test_*.{c,sh} tests/lint/* tests/support/*.[ch] tests/e2e/*.[ch]; do
    [ ! -e "$file.in" ] || continue # made here by a build
    verdict "$file" "$([ "${named[$file]:-${named[${file%.c}]:-}}" ] || echo 'is not in Makefile.am')"
done

# ---- pages: each is installed, and whatever it links to

declare -A installed
while read -r word; do installed[$word]=yes; done < <(sed -n '/^nobase_dist_doc_DATA = /,/[^\\]$/p' Makefile.am | tr -s ' \\\t' '\n' | grep .)

mapfile -t pages < <(find ./*.md docs -name '*.md' | sed 's|^\./||' | sort)
for page in "${pages[@]}"; do
    verdict "$page" "$([ "${installed[$page]:-}" ] || echo 'is not in nobase_dist_doc_DATA')"
    while read -r link; do
        target=$(realpath -m --relative-to=. -- "$(dirname "$page")/$link")
        verdict "$page" "$([ "${installed[$target]:-}" ] || echo "links to $target, which is not in nobase_dist_doc_DATA")"
    done < <(grep -oE '\]\([^)# ]+' "$page" | sed 's/^](//' | grep -vE '^[a-z]+:' | sort -u)
done

# ---- the formatter, in one version: others format differently
if clang-format --version 2>/dev/null | contains 'version 14\.'; then
    mapfile -t sources < <(find lib app tests -name '*.[ch]' | sort)
    mapfile -t places < <(clang-format --dry-run "${sources[@]}" 2>&1 | grep warning | sort -u -t : -k 1,1)
    verdict "${#sources[@]} files" "$([ ${#sources[@]} -gt 300 ] || echo 'are too few to be all')"
    for place in "${places[@]}"; do verdict "${place%%:*}" "$place"; done
fi

finish
