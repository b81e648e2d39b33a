#!/usr/bin/env bash
# test_manual.sh: the manual pages are good mdoc. Their commands, options, ranges and defaults are exactly those that
# the programs print, and those that the shell completes.
#
# Seen to fail:
#   .Fl -skip-file-check taken out of analyticsctl(1) -> "FAIL commands of analyticsctl(1): < verify --json"
#   "rebuild" taken out of the completion -> "FAIL commands that are completed: > rebuild --json" (which the program has)
#   "key rotate" added to the completion -> "FAIL commands that are completed: < key rotate"
#   64 by default -> "65 by default" in analytics.conf(5): "FAIL analytics.conf(5), threads: no '64* by default'"
#   .Sh EXMAPLES -> "FAIL analyticsctl.1: has no section EXAMPLES"
. "${BASH_SOURCE[0]%/*}/../support/totals.sh"
BUILD=${ANALYTICS_BUILDDIR:?is not set: run the tests through make check}
if ! command -v mandoc >/dev/null; then
    echo 'mandoc is not installed'
    exit 77
fi

# ---- the pages themselves

for page in "$BUILD"/man/*.[1-9]; do
    name=${page##*/}
    verdict "$name" "$(mandoc -Tlint -W warning "$page" 2>&1 || true)"
    verdict "$name" "$(grep -o '@[A-Za-z_]*@' "$page" || true)"
    for section in NAME SYNOPSIS DESCRIPTION FILES EXAMPLES 'SEE ALSO' 'SECURITY CONSIDERATIONS'; do
        verdict "$name" "$(grep -qx ".Sh $section" "$page" || echo "has no section $section")"
    done
    while read -r _ other section _; do
        [[ $other != analytics* ]] || verdict "$name" "$([ -e "$BUILD/man/$other.$section" ] || echo "points at $other($section)")"
    done < <(grep '^\.Xr ' "$page")
done

# ---- analyticsctl: program, page and completion say the same. Each as lines "COMMAND --OPTION…", options sorted.

sorted() { # lines "COMMAND|words"; words that are no options are left out
    local name rest
    while IFS='|' read -r name rest; do
        printf '%s %s\n' "$name" "$(grep -oE -- '--[a-z][a-z-]*' <<<"$rest" | sort -u | tr '\n' ' ')"
    done | sed 's/ *$//' | sort
}
# A usage of two lines is joined into one.
of_program() { sed -E -e ':a' -e 'N; $!ba' -e 's/\n {9} *\[/ [/g' <<<"$help" | sed -n '/^Options/q; s/^  \([a-z][a-z ]*[a-z]\)\(.*\)/\1|\2/p'; }
of_page() { sed -nE 's/ Fl -/ --/g; s/^\.Ss ([a-z][a-z ]*[a-z])(( (--|Op|Oo|Ar).*)?)$/\1|\2/p' "$page"; }
of_completion() { _analyticsctl_table | sed 's/:/|/'; }
differences() { diff "$1" "$2" | grep '^[<>]' || true; }

page=$BUILD/man/analyticsctl.1
help=$("$BUILD/analyticsctl" --help)
# shellcheck source=completion/analyticsctl
. completion/analyticsctl
verdict 'the commands' "$([ "$(of_program | wc -l)" -ge 6 ] || echo 'are not found in --help')"
verdict 'commands of analyticsctl(1)' "$(differences <(of_page | sorted) <(of_program | sorted))"
verdict 'commands that are completed' "$(differences <(of_completion | sorted) <(of_program | sorted))"

# The section of a command describes each of its options.
while IFS='|' read -r command words; do
    section=$(awk -v name="$command" '/^\.S[sh] / { inside = index($0 " ", ".Ss " name " ") == 1; next } inside' "$page")
    while read -r option; do
        verdict "analyticsctl(1), $command" "$(grep -qE "Fl ${option#-}( |$)" <<<"$section" || echo "nothing about $option")"
    done < <(grep -oE -- '--[a-z][a-z-]*' <<<"$words")
done < <(of_program)

common=$(sed -n '/^Options of every/,$s/^  \(--[a-z-]*\).*/\1/p' <<<"$help" | sort)
verdict 'common options' "$(differences <(sed -n '/^\.Ss/q; s/^\.It Fl -\([a-z-]*\).*/--\1/p' "$page" | sort) - <<<"$common")"
COMP_WORDS=(analyticsctl --) COMP_CWORD=1
_analyticsctl
verdict 'common options that are completed' "$(differences <(printf '%s\n' "${COMPREPLY[@]}" | sort) - <<<"$common")"

while IFS='|' read -r option kind; do
    values=$(_analyticsctl_values "--$option" '')
    case $kind in
    required_argument) verdict "--$option" "$([ -n "$values" ] || echo 'has a value, but is completed as if it had none')" ;;
    *) verdict "--$option" "${values:+has no value, but one is completed}" ;;
    esac
done < <(sed -n 's/^ *X(CTL_[A-Z_]*, "\([a-z-]*\)", \([a-z_]*\)).*/\1|\2/p' app/ctl/ctl.h)

# ---- the two programs

for program in analytics-ingest analytics-query; do
    page=$BUILD/man/$program.8
    help=$("$BUILD/$program" --help)
    options=$(grep -oE -- '--[a-z][a-z-]*' <<<"$help" | sort -u)
    verdict "options of $program(8)" "$(differences <(sed -n 's/^\.It Fl -\([a-z-]*\).*/--\1/p' "$page" | sort) - <<<"$options")"
    verdict "synopsis of $program(8)" "$(differences <(sed -n '/^\.Sh SYN/,/^\.Sh DES/p' "$page" | grep -oE 'Fl -[a-z-]*' |
        sed 's/Fl -/--/' | sort -u) - <<<"$options")"
done

# ---- the settings, their ranges and their defaults

page=$BUILD/man/analytics.conf.5
settings=$(env -u ANALYTICS_DATA "$BUILD/analyticsctl" config --json --config /dev/null | sed 's/{"name"/\n&/g' |
    sed -nE 's/^\{"name":"([a-z_]*)","value":"([^"]*)","from":"[^"]*","accepts":"([^"]*)".*/\1|\2|\3/p' | sort)
verdict 'the settings' "$([ "$(wc -l <<<"$settings")" -ge 6 ] || echo "are not told by analyticsctl config --json: $settings")"
verdict 'settings of analytics.conf(5)' "$(differences <(sed -n 's/^\.It Cm \([a-z_]*\)$/\1/p' "$page" | sort) <(cut -d'|' -f1 <<<"$settings"))"
while IFS='|' read -r name default accepts; do
    item=$(awk -v head=".It Cm $name" '/^\.(It|El)/ { inside = $0 == head; next } inside' "$page")
    range=$(grep -oE '[0-9]+ to [0-9]+' <<<"$accepts" || true)
    for words in ${range:+"$range"} ${default:+"$default"*" by default"}; do
        # shellcheck disable=SC2053
        verdict "analytics.conf(5), $name" "$([[ $item == *$words* || ( $default = 0 && $item == *"0, the default"* ) ]] || echo "no '$words'")"
    done
done <<<"$settings"
finish
