#!/usr/bin/env bash
# test_hardening.sh: the programs have the hardening that compiler and linker were asked for: position independent, all
# relocations read-only, no executable stack, canaries, checked string functions at level 3. A build with sanitizers has
# these in the place of the last two.
#
# Seen to fail, each with one flag taken out of configure.ac and everything built anew:
#   -fstack-protector-strong -> "FAIL analytics-ingest: no stack canaries"
#   -Wl,-z,now -> "FAIL analytics-ingest: relocations are bound late"
#   _FORTIFY_SOURCE=3 made 2 -> "FAIL an overrun of allocated memory: ended with 0"
#   -fPIE and -pie -> "FAIL analytics-ingest: not position independent: EXEC"
. "${BASH_SOURCE[0]%/*}/../support/totals.sh"
BUILD=${ANALYTICS_BUILDDIR:?is not set: run the tests through make check}

setting() { sed -n "s/^$1 = *//p" "$BUILD/Makefile"; }
FLAGS=$(setting HARDENING_CFLAGS)
if [ -z "$FLAGS" ]; then
    echo 'this build is without hardening (--disable-hardening, or a compiler that has none)'
    exit 77
fi

has() { [[ $1 == *$2* ]] || echo "$3"; }
has_not() { [[ $1 != *$2* ]] || echo "$3"; }

for program in analytics-ingest analytics-query analyticsctl; do
    file=$BUILD/$program
    headers=$(readelf --wide --file-header --program-headers --dynamic "$file")
    symbols=$(readelf --wide --dyn-syms "$file" | awk '{ print $8 }' | sed 's/@.*//')
    type=$(sed -n 's/^ *Type: *\([A-Z]*\).*/\1/p' <<<"$headers" | sed -n 1p)
    verdict "$program" "$([ "$type" = DYN ] || echo "not position independent: $type")"
    verdict "$program" "$(has "$(grep FLAGS_1 <<<"$headers")" PIE 'not position independent')"
    verdict "$program" "$(has "$headers" GNU_RELRO 'relocations stay writable')"
    verdict "$program" "$(has "$(grep -E 'FLAGS|BIND_NOW' <<<"$headers")" NOW 'relocations are bound late')"
    verdict "$program" "$(grep -q 'GNU_STACK .* RW  *0x' <<<"$headers" || echo 'the stack is executable')"
    verdict "$program" "$(grep -E '^ *LOAD .* RWE' <<<"$headers" || true)"
    verdict "$program" "$(has_not "$headers" TEXTREL 'writes to its own code')"
    verdict "$program" "$(grep -E 'RPATH|RUNPATH' <<<"$headers" || true)"
    [ -z "${ANALYTICS_SANITIZED:-}" ] || continue
    verdict "$program" "$(grep -qx '__stack_chk_fail' <<<"$symbols" || echo 'no stack canaries')"
    verdict "$program" "$(grep -qE '^__(v?snprintf|memcpy|memset|fprintf|vasprintf|asprintf|read)_chk$' <<<"$symbols" || echo 'no checked string functions')"
    echo "# $program: $(grep -cE '^__.*_chk$' <<<"$symbols") checked functions"
done

# Level 3 checks memory whose size is known only at run time. Level 2, for compilers without level 3, does not.
if [ -n "${ANALYTICS_SANITIZED:-}" ]; then
    echo '# sanitizers stand in for canaries and _FORTIFY_SOURCE'
elif echo '#include <string.h>' | $(setting CC) -O2 -D_FORTIFY_SOURCE=3 -Werror -c -x c - -o /dev/null; then
    dir=$(mktemp -d)
    trap 'rm -rf "$dir"' EXIT
    cat >"$dir/overrun.c" <<'END'
#include <stdlib.h>
#include <string.h>
int main(int argc, char **argv)
{
    (void)argv;
    char *memory = malloc((size_t)argc * 16);
    memset(memory, 0, (size_t)argc * 17);
    return memory[15];
}
END
    read -ra cc <<<"$(setting CC) $(setting CFLAGS) $FLAGS"
    read -ra ld <<<"$(setting HARDENING_LDFLAGS)"
    "${cc[@]}" -w -o "$dir/overrun" "$dir/overrun.c" "${ld[@]}"
    result=0
    said=$( ("$dir/overrun") 2>&1) || result=$?
    verdict 'an overrun of allocated memory' "$([ "$result" -eq 134 ] || echo "ended with $result $said")"
    verdict 'the flags' "$(has "$FLAGS" '_FORTIFY_SOURCE=3' "no _FORTIFY_SOURCE=3: $FLAGS")"
fi
finish
