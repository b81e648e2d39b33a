#!/usr/bin/env bash
# under.sh TOOL BUILD TEST…: runs tests that are built in BUILD, one on each core, and ends with how many were clean.
#   tsan      BUILD is configured with --enable-tsan; a data race fails its test
#   memcheck  under valgrind; what is read before it was written, and what is lost, fails its test
# A test passes when it checked something, nothing failed, and the tool reported nothing. Under valgrind, cases with
# bodies of megabytes, and those with the tests' own engine in memory, are left out: they take minutes there, on the
# same code. All cases of a test run in one process there, since valgrind translates the code again in each child. The
# cases of the writer's tests need a process each.
#
# Planted to see it fail: a body's buffer that is never freed ("65,536 bytes in 1 blocks are definitely lost", upload_init),
# a pack_reader whose `damaged` is not set ("Conditional jump or move depends on uninitialised value(s)", test_pack.c), no
# lock in writer_health ("data race", next_group).
set -euo pipefail

REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
export ANALYTICS_SRCDIR=$REPO
# Without the sleep of a second before each exit. A finding makes the process exit with 66.
export TSAN_OPTIONS="atexit_sleep_ms=0 ${TSAN_OPTIONS:-}"
# Threads that the C library keeps are "possibly" lost, so only definite losses count.
export MEMCHECK="valgrind -q --error-exitcode=9 --leak-check=full --show-leak-kinds=definite,indirect \
    --errors-for-leak-kinds=definite,indirect --suppressions=$REPO/tests/valgrind.supp"

# run_one TOOL BUILD TEST: leaves TEST.TOOL.log; prints a line.
run_one() {
    local tool=$1 program=$2/$3 log=$2/$3.$1.log prefix=() result=0
    if [ "$tool" = memcheck ]; then
        read -rd '' -a prefix <<<"$MEMCHECK" || true
        export CK_EXCLUDE_TAGS='large memory'
        [[ $3 == *writer* ]] || export CK_FORK=no
    fi
    (cd "$2" && timeout 1500 "${prefix[@]}" "$program") >"$log" 2>&1 </dev/null || result=$?
    if [ $result -eq 0 ] && grep -q 'Checks: [1-9][0-9]*, Failures: 0, Errors: 0' "$log" &&
        ! grep -qE '^==[0-9]+== |ThreadSanitizer' "$log"; then
        printf 'ok %s\n' "$3"
        return 0
    fi
    printf 'FAIL %s (exit status %d; the whole log: %s)\n' "$3" $result "$log"
    grep -E -m 20 '^==[0-9]+== |ThreadSanitizer|Failures: [^0]|Errors: [^0]' "$log" || tail -n 5 "$log"
    return 1
}

TOOL=$1
BUILD=$(realpath -- "$2")
shift 2
[ $# -gt 0 ] || { echo 'under.sh: no tests' >&2 && exit 1; }
export -f run_one
results=$BUILD/under.$TOOL.log
printf '%s\0' "$@" | xargs -0 -n 1 -P "$(nproc)" bash -c 'run_one "$@"' under "$TOOL" "$BUILD" | tee "$results" || true
clean=$(grep -c '^ok ' "$results") || true
printf '%d of %d tests clean under %s\n' "$clean" $# "$TOOL"
[ "$clean" -eq $# ]
