#!/usr/bin/env bash
# fuzz.sh BUILD [NAME…]: builds the fuzz targets with clang's libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer
# in BUILD, and runs each for FUZZ_SECONDS (60) from its corpus in tests/fuzz/corpus and what earlier runs found. Ends
# with a line per target: executions, coverage, findings. FUZZ_MERGE=yes puts what is new, minimised, into the corpus.
set -euo pipefail

REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
# shellcheck source=tools/setup.sh
. "$REPO/tools/setup.sh"
BUILD=$1
shift
SECONDS_EACH=${FUZZ_SECONDS:-60}
NAMES=("$@")
[ $# -gt 0 ] || mapfile -t NAMES < <(cd "$REPO/tests/fuzz/corpus" && ls)

need_packages build fuzz
configure_in "$BUILD" CC=clang --enable-tests --enable-sanitizers --enable-fuzzing
make_in "$BUILD" fuzzers
export UBSAN_OPTIONS=print_stacktrace=1

FINDINGS=0
for name in "${NAMES[@]}"; do
    program=$BUILD/tests/fuzz/fuzz_$name
    corpus=$REPO/tests/fuzz/corpus/$name
    found=$BUILD/found/$name
    broken=$BUILD/broken/$name
    log=$BUILD/fuzz-$name.log
    # Much memory is for fcgi alone: libfcgi loses 48 bytes with each record that it does not know.
    options=(-timeout=30 -rss_limit_mb=4000 -max_len=4096 -print_final_stats=1 "-artifact_prefix=$broken/")
    [ ! -e "$REPO/tests/fuzz/$name.dict" ] || options+=("-dict=$REPO/tests/fuzz/$name.dict")
    mkdir -p "$found" "$broken"
    result=0
    "$program" "${options[@]}" "-max_total_time=$SECONDS_EACH" "$found" "$corpus" "$broken" >"$log" 2>&1 \
        </dev/null || result=1 # a target stops at its first finding, and begins with those of earlier runs
    if [ "${FUZZ_MERGE:-no}" = yes ]; then
        "$program" "${options[@]}" -merge=1 "$corpus" "$found" >"$BUILD/merge-$name.log" 2>&1
    fi
    FINDINGS=$((FINDINGS + result))
    awk -v name="$name" -v bad="$result" '
        /^stat::number_of_executed_units/ { runs = $2 }
        / cov: / { for (i = 1; i < NF; i++) { if ($i == "cov:") cov = $(i + 1); if ($i == "ft:") ft = $(i + 1) } }
        END { printf "%-8s %10d executions, %5d edges, %6d features, %d findings\n", name, runs, cov, ft, bad }' "$log"
    [ $result -eq 0 ] || grep -m 5 -E 'broken:|ERROR:|runtime error:|^artifact' "$log" || tail -n 5 "$log"
done
[ "$FINDINGS" -eq 0 ]
