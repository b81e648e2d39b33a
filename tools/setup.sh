# shellcheck shell=bash
# setup.sh: what ./serve, ./check, ./bench and ./package do before they can start: packages, and a build. Sourced; REPO is the project's
# folder. Knows Debian's package tool and make. Starts no service.

say() { printf '%s\n' "$*"; }
die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# is_there PROBE: see the file `packages`.
is_there() {
    local what=${1#*:}
    case $1 in
    cmd:*) command -v "$what" >/dev/null ;;
    file:*) [ -e "$what" ] ;;
    pkg:*) pkg-config --exists "$what" 2>/dev/null ;;
    esac
}

# missing_packages KIND…: the names of those that are not there.
missing_packages() {
    local kind probe name
    while read -r kind probe name; do
        [[ " $* " == *" $kind "* ]] || continue
        is_there "$probe" || printf '%s\n' "$name"
    done <"$REPO/packages"
}

# check_places FOLDER…: what configure, or make in a second folder, would stumble over after minutes of installing.
check_places() {
    local place
    for place in "$REPO" "$@"; do
        [[ $place != *[[:space:]\"\#\$\&\'\`\\]* ]] ||
            die "a path with a space, a quote, #, \$, & or backslash in it can't be built in: ${place@Q}; move the clone"
        [ ! -e "$REPO/config.status" ] || [ "$place" = "$REPO" ] ||
            die "$REPO was configured in place, which gets in the way of a build in $place; run: make -C $REPO distclean"
    done
}

# ---- long commands: a sign of life, and one line about why they failed

# alive TITLE LOG PERIOD: until it is killed or its parent has ended: a line that is rewritten, on a terminal; elsewhere a
# line at once and every PERIOD seconds, or half a second later. On a busy machine a second may pass unseen.
alive() {
    local began=$SECONDS next=$3 spent last never
    exec {never}<> <(:)
    [ -t 1 ] || printf '%s …\n' "$1"
    while ! read -rt 0.5 -u "$never" && kill -0 $$ 2>/dev/null; do
        spent=$((SECONDS - began))
        last=$(tail -n 1 "$2" 2>/dev/null | tr -d '\000-\037' | cut -c 1-60) || last=
        if [ -t 1 ]; then
            printf '\r\033[K%s … %d s  %s' "$1" $spent "$last"
        elif [ $spent -ge "$next" ]; then
            printf '%s … %d s  %s\n' "$1" $spent "$last"
            next=$((spent + $3))
        fi
    done
}

# watched TITLE LOG PERIOD COMMAND…: the command is in the foreground, because a shell's background ignores Ctrl-C.
watched() {
    local title=$1 log=$2 period=$3 ticker result=0
    shift 3
    alive "$title" "$log" "$period" 2>/dev/null &
    ticker=$!
    ("$@") >"$log" 2>&1 </dev/null || result=$?
    kill $ticker 2>/dev/null || true
    wait $ticker 2>/dev/null || true
    [ ! -t 1 ] || printf '\r\033[K'
    return $result
}

# reason LOG: why the command failed, where that is known; a full disk may have cut the log short.
reason() {
    if grep -qE 'No space left on device|^ar: .*: Success$' "$1" ||
        [ "$(df --output=avail -k "${1%/*}" 2>/dev/null | tail -n 1)" = 0 ]; then
        printf 'the disk is full'
    elif grep -qE 'Temporary failure resolving|Could not resolve|Could not connect|Network is unreachable' "$1"; then
        printf "no network: Debian's package servers can't be reached"
    fi
}

# quietly TITLE LOG COMMAND…: runs it; shows the log only when it fails for an unknown reason.
quietly() {
    local title=$1 log=$2 why
    shift 2
    if ! watched "$title" "$log" 4 "$@"; then
        why=$(reason "$log")
        [ -n "$why" ] || tail -n 100 "$log" >&2
        die "$title failed${why:+: $why} (the whole log: $log)"
    fi
}

# ---- packages

INSTALL=yes # --no-install: no
POLICY=/usr/sbin/policy-rc.d
POLICY_MARK='# fonproxy-analytics: no service starts while packages install'

# install_as_root POLICY MARK PACKAGE…: in a shell of its own, so it uses nothing of this file. New packages would start a
# web server on port 80, or Prometheus; POLICY is Debian's own way to say no, left alone where there is one. A process that
# no Ctrl-C reaches removes it when this shell and apt-get have ended, however they ended.
install_as_root() {
    local policy=$1 mark=$2 result=0
    shift 2
    if [ ! -e "$policy" ]; then
        trap '' INT TERM HUP
        # shellcheck disable=SC2016
        exec 8> >(exec setsid sh -c 'cat >/dev/null; ! grep -qsxF "$2" "$1" || rm -f "$1"' sh "$policy" "$mark")
        printf '#!/bin/sh\n%s\nexit 101\n' "$mark" >"$policy"
        chmod 755 "$policy"
        trap - INT TERM HUP
    fi
    apt-get install -y --no-install-recommends "$@" || result=$?
    ! grep -qsxF "$mark" "$policy" || rm -f "$policy"
    return $result
}

# What an earlier run left that lost its power.
clear_policy() {
    ! grep -qsxF "$POLICY_MARK" "$POLICY" || as_root rm -f "$POLICY" || true
}

as_root() {
    local sudo=()
    [ "$EUID" -eq 0 ] || sudo=(sudo)
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive LC_ALL=C "$@"
}

# how_much PACKAGE…: "86 packages, 72 MB to download", by the package lists that are there.
how_much() {
    local count
    count=$(LC_ALL=C apt-get -s install --no-install-recommends "$@" 2>/dev/null | grep -c '^Inst ') || true
    LC_ALL=C apt-get install -y --no-install-recommends --print-uris "$@" 2>/dev/null |
        awk -v count="$count" '/^\x27/ { bytes += $3 } END { printf "%d packages, %d MB to download\n", count, (bytes + 999999) / 1000000 }'
}

# need_packages KIND…: installs what is missing, or says what it is.
need_packages() {
    PATH=$PATH:/usr/sbin:/sbin
    local missing os log list amount
    clear_policy
    mapfile -t missing < <(missing_packages "$@")
    [ ${#missing[@]} -gt 0 ] || return 0
    # shellcheck source=/dev/null
    os=$(. /etc/os-release 2>/dev/null && printf %s "${ID:-}") || os=
    [ "$os" = debian ] && command -v apt-get >/dev/null ||
        die "missing (by Debian's names of the packages): ${missing[*]}"
    [ $INSTALL = yes ] ||
        die "missing: ${missing[*]} ($(how_much "${missing[@]}")); run: apt-get install --no-install-recommends ${missing[*]}"
    [ "$EUID" -eq 0 ] || command -v sudo >/dev/null ||
        die "missing packages, and neither root nor sudo to install them: apt-get install ${missing[*]}"
    say "Missing: ${missing[*]}"
    log=$(mktemp) list=$(mktemp)
    [ "$EUID" -eq 0 ] || sudo -v || die 'sudo refused'
    quietly 'Fetching the package lists' "$log" as_root apt-get update
    quietly 'Counting what they need' "$list" how_much "${missing[@]}"
    amount=$(<"$list")
    [[ $amount != 0\ * ]] || die "apt-get has no package lists to install from: $(reason "$log" || true) (the whole log: $log)"
    say "Installing $amount …"
    quietly 'Installing packages' "$log" as_root bash -c "$(declare -f install_as_root); install_as_root \"\$@\"" \
        setup "$POLICY" "$POLICY_MARK" "${missing[@]}"
    rm -f "$log" "$list"
    mapfile -t missing < <(missing_packages "$@")
    [ ${#missing[@]} -eq 0 ] || die "still missing after apt-get install: ${missing[*]}"
}

# ---- a build

# forget_moved BUILD: what was compiled when the clone or BUILD was elsewhere; its rules name files that are not there.
forget_moved() {
    [ -e "$1/Makefile" ] && [ -e "$1/config.status" ] || return 0
    ! { [ "$(sed -n 's/^abs_top_srcdir = //p' "$1/Makefile")" -ef "$REPO" ] &&
        [ "$(sed -n 's/^abs_top_builddir = //p' "$1/Makefile")" -ef "$1" ]; } || return 0
    say "$1 was built in another place; building it again …"
    find "$1" \( -name '*.o' -o -name '*.a' -o -name '*.Po' -o -name Makefile -o -name config.status -o -name config.h \
        -o -name stamp-h1 \) -type f -delete
}

# configure_in BUILD OPTION…: makes configure and BUILD/Makefile when they are missing or were made otherwise.
configure_in() {
    local build=$1
    shift
    mkdir -p "$build" 2>/dev/null && [ -w "$build" ] || die "can't write to $build"
    forget_moved "$build"
    if [ ! -x "$REPO/configure" ] || [ ! -e "$REPO/Makefile.in" ]; then
        quietly Autoreconf "$build/autoreconf.log" autoreconf -i "$REPO"
    fi
    if [ ! -e "$build/Makefile" ] || { [ $# -gt 0 ] && [ "$*" != "$(cat "$build/configured-with" 2>/dev/null)" ]; }; then
        (cd "$build" && quietly Configuring configure.log "$REPO/configure" "$@")
        # config.status makes stamp-h1 a moment after config.h, so each make would begin with config.h, and with what does
        # not need it: tests in shell before all others.
        [ ! -e "$build/stamp-h1" ] || touch -r "$build/stamp-h1" "$build/config.h"
        printf '%s\n' "$*" >"$build/configured-with"
    fi
}

# make_in BUILD TARGET…
make_in() {
    local build=$1
    shift
    quietly Building "$build/make.log" make -C "$build" -j"$(nproc)" "$@"
}
