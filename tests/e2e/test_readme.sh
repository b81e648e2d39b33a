#!/usr/bin/env bash
# test_readme.sh: runs every command of README.md's console blocks, in order, and compares what they print. "…" in the
# README stands for anything; a block without output checks the exit status only. Paths and ports of this machine (data
# folder, /run, /var/lib, /usr/local) are replaced, word by word, by a temporary folder and a free port.
. "${BASH_SOURCE[0]%/*}/../support/totals.sh"
. tests/support/console.sh
if [ "${ANALYTICS_ENGINE:-sqlite}" != sqlite ]; then
    echo 'skipped: README.md is about the embedded engine: its backup and its health'
    exit 77
fi
SOURCE=$PWD
BUILD=${ANALYTICS_BUILDDIR:?is not set: run the tests through make check}
HOME_OF_TEST=$(mktemp -d /tmp/analytics-readme.XXXXXX)
PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])' 2>/dev/null ||
    echo $((20000 + RANDOM % 20000)))

clean_up() {
    [ -z "${SERVE:-}" ] || { kill "$SERVE" && wait "$SERVE"; } 2>/dev/null || true
    end_all_below "$HOME_OF_TEST"
    rm -rf "$HOME_OF_TEST"
}
trap clean_up EXIT

chmod 755 "$HOME_OF_TEST"
cd "$HOME_OF_TEST"
ln -s "$SOURCE/examples" examples
ln -s "$BUILD" build
mkdir root run var

# "autoreconf && configure && make" works on a copy of the sources, and installs below root/. What it compiles is not
# optimised: the suite's own build is as users have it, and took most of this test's time here.
copy_sources() {
    mkdir src
    (cd "$SOURCE" && tar -cf - --exclude=./.git --exclude='./build*' --exclude=./data --exclude=node_modules --exclude=autom4te.cache \
        --exclude=./configure --exclude=./Makefile.in --exclude=./aclocal.m4 .) | tar -xf - -C src
}

# localise COMMAND: replaces the words that would touch the machine.
localise() {
    sed -e "s|127\.0\.0\.1:8080|127.0.0.1:$PORT|g" \
        -e "s|/run/fonproxy-analytics|$HOME_OF_TEST/run|g" -e "s|/var/lib/fonproxy-analytics|$HOME_OF_TEST/var|g" \
        -e "s|/usr/local/|$HOME_OF_TEST/root/usr/local/|g" \
        -e "s|^analyticsctl|$HOME_OF_TEST/root/usr/local/bin/analyticsctl|" <<<"$1"
}

start_serve() {
    "$SOURCE/serve" --no-setup --build-dir "$BUILD" --port "$PORT" --data "$HOME_OF_TEST/data" >serve.log 2>&1 &
    SERVE=$!
    for _ in {1..600}; do
        curl -fs "http://127.0.0.1:$PORT/analytics/health" >/dev/null && return
        kill -0 "$SERVE" 2>/dev/null || break
        sleep 0.1
    done
    cat serve.log
    return 1
}

run_command() {
    case $1 in
    ./serve) start_serve ;;
    autoreconf*) copy_sources && cd src && export DESTDIR=$HOME_OF_TEST/root MAKEFLAGS=-j2 CFLAGS=-O0 && eval "$1" ;;
    *) eval "$(localise "$1")" ;;
    esac
}

check_command() { # COMMAND EXPECTED
    local status=0
    if [[ $1 == *www-data* && $EUID -ne 0 ]] || [[ $1 == *"$(printf '%s' /var/lib/)"* && $EUID -ne 0 ]]; then
        printf 'skipped: needs root: %s\n' "$1"
        return
    fi
    if [ "$1" = ./serve ]; then # not in a subshell: it stays
        start_serve || status=$?
        verdict "$1" "${status#0}"
        return
    fi
    check_output "$1" "$2"
}

each_command check_command < <(awk '/^```console$/ { inside = 1; next } /^```$/ { if (inside) print "$ "; inside = 0 } inside' \
    "$SOURCE/README.md")

# The programs that the commands of "Behind your own nginx" have started still run.
if [ "$EUID" -eq 0 ]; then
    verdict 'the two sockets' "$([ -S run/ingest.sock ] && [ -S run/query.sock ] || echo 'are not there')"
    sleep 1
    verdict 'two programs and a pool' "$([ "$(pgrep -fc "root/usr/local/sbin/analytics-(ingest|query) --data $HOME_OF_TEST/var")" -ge 5 ] || echo 'do not run')"
fi
finish
