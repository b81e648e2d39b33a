# shellcheck shell=bash
# setup.sh: what ./serve and ./check do before they can start: packages, and a build. Sourced; REPO is the project's
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

# quietly TITLE LOG COMMAND…: runs it; shows the log only when it fails.
quietly() {
    local title=$1 log=$2
    shift 2
    if ! "$@" >"$log" 2>&1 </dev/null; then
        tail -n 100 "$log" >&2
        die "$title failed (the whole log: $log)"
    fi
}

apt_install() {
    local as_root=()
    [ "$EUID" -eq 0 ] || as_root=(sudo)
    # New packages would start a web server on port 80, or Prometheus; Debian's own way to say no. Left alone where there
    # is one.
    local policy=/usr/sbin/policy-rc.d made_policy=no result=0
    if [ ! -e $policy ] && ! { command -v nginx && command -v prometheus; } >/dev/null; then
        made_policy=yes
        printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee $policy >/dev/null
        "${as_root[@]}" chmod 755 $policy
    fi
    "${as_root[@]}" apt-get update &&
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" || result=1
    [ $made_policy = no ] || "${as_root[@]}" rm -f $policy
    return $result
}

# need_packages KIND…: installs what is missing, or says what it is.
need_packages() {
    PATH=$PATH:/usr/sbin:/sbin
    local missing
    mapfile -t missing < <(missing_packages "$@")
    [ ${#missing[@]} -gt 0 ] || return 0
    local os
    # shellcheck source=/dev/null
    os=$(. /etc/os-release 2>/dev/null && printf %s "${ID:-}") || os=
    [ "$os" = debian ] && command -v apt-get >/dev/null ||
        die "missing (by Debian's names of the packages): ${missing[*]}"
    [ "$EUID" -eq 0 ] || command -v sudo >/dev/null ||
        die "missing packages, and neither root nor sudo to install them: apt-get install ${missing[*]}"
    say "Installing ${missing[*]} …"
    local log
    log=$(mktemp)
    quietly "apt-get install" "$log" apt_install "${missing[@]}"
    rm -f "$log"
    mapfile -t missing < <(missing_packages "$@")
    [ ${#missing[@]} -eq 0 ] || die "still missing after apt-get install: ${missing[*]}"
}

# configure_in BUILD OPTION…: makes configure and BUILD/Makefile when they are missing or were made otherwise.
configure_in() {
    local build=$1
    shift
    mkdir -p "$build" 2>/dev/null && [ -w "$build" ] || die "can't write to $build"
    if [ ! -x "$REPO/configure" ] || [ ! -e "$REPO/Makefile.in" ]; then
        quietly autoreconf "$build/autoreconf.log" autoreconf -i "$REPO"
    fi
    if [ ! -e "$build/Makefile" ] || { [ $# -gt 0 ] && [ "$*" != "$(cat "$build/configured-with" 2>/dev/null)" ]; }; then
        (cd "$build" && quietly configure configure.log "$REPO/configure" "$@")
        printf '%s\n' "$*" >"$build/configured-with"
    fi
}

# make_in BUILD TARGET…
make_in() {
    local build=$1
    shift
    quietly "make $*" "$build/make.log" make -C "$build" -j"$(nproc)" "$@"
}
