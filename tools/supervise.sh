#!/usr/bin/env bash
# supervise.sh: the second half of ./serve, and of a container (tools/container.sh): starts nginx and the two FastCGI
# programs, waits, and stops them all. Knows processes and signals. Installs and builds nothing, and runs as the user that
# the service runs as. All it needs comes in the environment, from whoever starts it.
#
# bash 5.2 forgets a SIGINT, or spins for ever, when it comes while bash waits for a command or a $( ), and fails to run a trap
# while it parses one. `wait` and `read` hear each. So what waits happens in children: `apart`, `child`.
set -euo pipefail
[ $$ -ne 1 ] || trap 'exit 143' INT TERM HUP # the first process of a container has no default for them
: "${BIN:?}" "${DATA:?}" "${NGINX_CONF:?}" "${AUTH:?}" "${ADDRESS:?}" "${PORT:?}" "${QUERY_PROCESSES:?}" "${RATE_INGEST:?}"
: "${RATE_READS:?}" "${SHOWN_DATA:?}" "${READY:?}"
umask 077
export CHARSET=UTF-8 # for multiwatch: GLib refuses arguments that are not in what it takes for the charset
RUN=$DATA/run
STOP_SECONDS=9
START_SECONDS=30
hash nginx multiwatch
NGINX=${BASH_CMDS[nginx]} MULTIWATCH=${BASH_CMDS[multiwatch]}
exec {NEVER}<> <(:) # nothing is ever read from it: for naps, from which a signal wakes

die() {
    printf 'serve: %s\n' "$*" >&2
    exit 1
}

# ---- the run folder: sockets, lock, nginx's files

prepare() {
    mkdir -p "$RUN/tmp" 2>/dev/null && [ -w "$RUN" ] && [ -w "$DATA" ] || die "can't write to the data folder $SHOWN_DATA"
    local socket=$RUN/ingest.sock
    [ "$(printf %s "$socket" | wc -c)" -le 107 ] ||
        die "$socket is too long for a Unix socket (107 bytes at most): choose a shorter --data"
}

# The lock is that of the shell which opened the file.
lock() {
    flock --nonblock 9 || die "the data folder $SHOWN_DATA is being served already"
    rm -f "$RUN"/*.sock
}

# Makes what is missing in the data folder; its words name the folder as the person knows it.
init_data() {
    local words result=0
    words=$("$BIN/analyticsctl" --data "$DATA" init 2>&1 >/dev/null) || result=1
    [ -z "$words" ] || printf '%s\n' "${words//"$DATA"/"$SHOWN_DATA"}" >&2
    [ $result -eq 0 ] || exit 1
}

# The drop-in as it is, but for its logs: in the quick start they go through mask_keys to the terminal.
render() {
    local files conf
    files=$(ulimit -n)
    mkdir -p "$RUN/nginx"
    for conf in analytics.conf analytics-dashboard.conf.in analytics-early-errors.conf "$AUTH"; do
        [ "$conf" = "$AUTH" ] || conf=$NGINX_CONF/$conf
        sed -e 's|access_log /var/log/nginx/analytics.log|access_log /dev/stdout|' \
            -e 's|error_log /dev/null emerg|error_log stderr warn|' "$conf" >"$RUN/nginx/${conf##*/}"
    done
    cp -R --no-preserve=mode --preserve=timestamps "$NGINX_CONF/dashboard" "$RUN/nginx/"
    conf=$(<"$RUN/nginx/analytics-dashboard.conf.in")
    printf '%s\n' "${conf//@dashboarddir@/"$RUN/nginx/dashboard"}" >"$RUN/nginx/analytics-dashboard.conf"
    cp "$NGINX_CONF/analytics-http.conf" "$RUN/nginx/"
    conf=$(<"$NGINX_CONF/quickstart.conf.in")
    conf=${conf//@RUN@/"$RUN"}
    conf=${conf//@NGINX@/"$RUN/nginx"}
    conf=${conf//@AUTH@/"$RUN/nginx/${AUTH##*/}"}
    conf=${conf//@ADDRESS@/"$ADDRESS"}
    conf=${conf//@PORT@/"$PORT"}
    conf=${conf//@FILES@/"$files"}
    conf=${conf//@RATE_INGEST@/"$RATE_INGEST"}
    conf=${conf//@RATE_READS@/"$RATE_READS"}
    printf '%s\n' "$conf" >"$RUN/nginx.conf"
}

# ---- processes. Each child leads a session, and so a process group, of its own: Ctrl-C reaches only this script, which
# stops them in order. If this script dies, the kernel tells them to stop.

CHILDREN=() # process ids, in the order they are to be stopped
declare -A ORDER=([nginx]=0 [analytics-ingest]=1 [analytics-query]=2 [clickhouse]=3)
declare -A NAME=()

# A signal ends the shell, and with it everything, but not between the start of a child and the line that notes its
# process id.
STARTING=no
STOPPING=no
stop() {
    trap '' INT TERM HUP
    exit 0
}
note_signal() {
    STOPPING=yes
    [ "$STARTING" = yes ] || stop
}

child() { # NAME COMMAND…
    local name=$1 out=1 err=2
    shift
    [ "$name" != nginx ] || out=$ACCESS err=$ERRORS
    STARTING=yes
    setpriv --pdeathsig TERM setsid "$@" </dev/null 1>&"$out" 2>&"$err" 9>&- {ACCESS}>&- {ERRORS}>&- &
    CHILDREN[${ORDER[$name]}]=$!
    NAME[$!]=$name
    STARTING=no
    [ "$STOPPING" = no ] || stop
}

# apart COMMAND…: as if in the foreground. If it fails, so does all.
apart() {
    "$@" &
    wait $! || exit
}

# Access lines have no key in them. The pipe is this user's, which the terminal need not be.
pass_on() {
    trap '' INT TERM HUP
    exec cat 9>&-
}

# nginx's error log quotes request lines, and with them any ?apikey= and whatever else a client puts there.
mask_keys() {
    trap '' INT TERM HUP
    exec sed -u -E -e 's/fnp_[0-9A-Za-z]+/fnp_…/g' -e 's/(apikey=)[^& "]*/\1…/g' -e 's/[[:cntrl:]]/?/g' 9>&-
}

# What nginx writes to.
open_logs() {
    exec {ACCESS}> >(pass_on)
    LOGGERS=$!
    exec {ERRORS}> >(mask_keys >&2)
    LOGGERS+=" $!"
}

pool() { # NAME SIZE PROGRAM
    child "$3" spawn-fcgi -n -s "$RUN/$1.sock" -M 0660 -b 1024 -- \
        "$MULTIWATCH" -f "$2" -s TERM -r 10 -t 500 -- "$BIN/$3" --config /dev/null --data "$DATA"
}

start() { # NAME…
    local name
    for name in "$@"; do
        case $name in
        nginx) child nginx "$NGINX" -p "$RUN" -c "$RUN/nginx.conf" ;;
        analytics-ingest) pool ingest 1 analytics-ingest ;;
        analytics-query) pool query "$QUERY_PROCESSES" analytics-query ;;
        clickhouse) child clickhouse bash "$CLICKHOUSE_TOOL" hold "$SERVERS" ;;
        esac
    done
}

gone() { ! kill -0 -- "-$1" 2>/dev/null && ! kill -0 "$1" 2>/dev/null; }

# signal PID SIGNAL: to the leader, who tells the others; to all of them where the leader is gone.
signal() { kill "-$2" "$1" 2>/dev/null || kill -TERM -- "-$1" 2>/dev/null || true; }

# end PID SIGNAL: until its whole group is gone or the time is up. The signal is sent again and again, because a child that
# was started a moment ago does not hear it: bash starts it with SIGQUIT ignored, and nginx listens to it only later.
end() {
    local naps=0
    until gone "$1" || [ "$SECONDS" -ge "$DEADLINE" ]; do
        [ $((naps++ % 10)) -ne 0 ] || signal "$1" "$2"
        sleep 0.02
    done
}

stop_all() {
    trap '' INT TERM HUP EXIT
    exec {words}>&2 2>/dev/null # the shell's own words about processes that were killed
    local pid
    DEADLINE=$((SECONDS + STOP_SECONDS))
    # nginx first: no new requests, the running ones may end
    [ -z "${CHILDREN[0]:-}" ] || end "${CHILDREN[0]}" QUIT
    for pid in "${CHILDREN[@]:1}"; do signal "$pid" TERM; done
    for pid in "${CHILDREN[@]:1}"; do end "$pid" TERM; done
    for pid in "${CHILDREN[@]}"; do
        gone "$pid" && continue
        printf 'serve: %s did not stop within %d seconds and was killed\n' "${NAME[$pid]}" "$STOP_SECONDS" 1>&"$words"
        kill -KILL -- "-$pid" "$pid" || true
    done
    exec {ACCESS}>&- {ERRORS}>&-
    # shellcheck disable=SC2086 # two process ids
    wait "${CHILDREN[@]}" $LOGGERS || true
    rm -rf "$RUN"/*.sock "$RUN/tmp" "$RUN/nginx" "$RUN/nginx.conf" "$RUN/nginx.pid"
}

# GONE: the names of children that have ended; true when there are any.
anyone_gone() {
    local pid
    GONE=
    for pid in "${CHILDREN[@]}"; do
        kill -0 "$pid" 2>/dev/null || GONE+="${GONE:+ }${NAME[$pid]}"
    done
    [ -n "$GONE" ]
}

nap() { read -rt "$1" -u "$NEVER" || true; }

wait_until_healthy() {
    for ((; SECONDS < START_SECONDS;)); do
        ! anyone_gone || die "$GONE ended while starting (see above)"
        curl -fs -o /dev/null -m 5 "http://127.0.0.1:$PORT/analytics/health" &
        wait $! && return 0 # in the background, because a signal is heard only when a command in the foreground ends
        nap 0.1
    done
    die "not healthy after $START_SECONDS seconds (see above)"
}

# Not by wait -n: a child that ended before it is called is "no such job" to it, and it waits for the others.
watch() {
    until anyone_gone; do nap 0.5; done
    die "$GONE ended; stopping the rest"
}

# ---- the engine "clickhouse", for a try: two servers of our own, unless there are others

SERVERS=$DATA/clickhouse
use_clickhouse() {
    START_SECONDS=180 # for what hangs: tables are made before the first answer
    export ANALYTICS_ENGINE=clickhouse ANALYTICS_CLICKHOUSE_URLS=$CLICKHOUSE_URLS
    [ -z "$CLICKHOUSE_URLS" ] || return 0
    [ -e "$SERVERS/shape" ] || apart "$CLICKHOUSE_TOOL" make "$SERVERS" 1x2
    apart rm -f "$SERVERS/is_up"
    start clickhouse
    until [ -e "$SERVERS/is_up" ]; do
        ! anyone_gone || die "the ClickHouse servers do not start (see above)"
        nap 0.1
    done
    apart "$CLICKHOUSE_TOOL" urls "$SERVERS" >"$SERVERS/urls"
    IFS= read -r ANALYTICS_CLICKHOUSE_URLS <"$SERVERS/urls"
    export ANALYTICS_CLICKHOUSE_PASSWORD_FILE=$SERVERS/password
    export ANALYTICS_CLICKHOUSE_REPORTS_PASSWORD_FILE=$SERVERS/reports.password
}

main() {
    apart prepare
    exec 9>>"$RUN/serve.lock"
    apart lock
    apart init_data
    ulimit -n 8192 2>/dev/null || ulimit -n hard
    apart render
    open_logs
    trap stop_all EXIT
    trap note_signal INT TERM HUP
    [ "${ENGINE:-sqlite}" = sqlite ] || use_clickhouse
    start nginx analytics-ingest analytics-query
    wait_until_healthy
    printf '%s\n' "$READY"
    watch
}

# A script that sources this one may watch in another way.
[ "${BASH_SOURCE[0]}" != "$0" ] || main
