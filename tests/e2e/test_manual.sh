#!/usr/bin/env bash
# test_manual.sh: runs every command of the manual pages' examples, in order, and compares what they print. A page's
# examples are its .Bd -literal blocks, with "# " before a command; "..." stands for anything. Each page begins with an
# empty machine: paths of this one are replaced by a temporary folder, word by word, and systemctl works in there.
#
# Seen to fail:
#   "key add --rolle user" in analyticsctl(1) -> "FAIL analyticsctl key add --rolle user …: ended with 2: …unknown option"
#   "Key 3 is gone." instead of "Key 3 is revoked." -> "FAIL analyticsctl key revoke 3: printed: Key 3 is revoked."
#   systemctl stop analytics-ingset.socket -> "FAIL systemctl …: ended with 1: …Unit analytics-ingset.socket not found."
. "${BASH_SOURCE[0]%/*}/../support/totals.sh"
. tests/support/console.sh
BUILD=${ANALYTICS_BUILDDIR:?is not set: run the tests through make check}
HOME_OF_TEST=$(mktemp -d /tmp/analytics-manual.XXXXXX)
ROOT=$HOME_OF_TEST/root
export ROOT

clean_up() {
    end_all_below "$HOME_OF_TEST"
    rm -rf "$HOME_OF_TEST"
}
trap clean_up EXIT
chmod 755 "$HOME_OF_TEST"
folder() { # VARIABLE: as make knows it
    local value
    value=$(sed -n "s/^$1 = //p" "$BUILD/Makefile")
    value=${value/#\$\{exec_prefix\}/$(folder_of_prefix)}
    echo "${value/#\$\{prefix\}/$(folder_of_prefix)}"
}
folder_of_prefix() { sed -n 's/^prefix = //p' "$BUILD/Makefile"; }
SBINDIR=$(folder sbindir) SYSCONFDIR=$(folder sysconfdir)
MAKEFLAGS='' make -s -C "$BUILD" install DESTDIR="$ROOT" prefix=/usr >"$HOME_OF_TEST/install.log" 2>&1 || cat "$HOME_OF_TEST/install.log"

# A systemctl without systemd: verbs about links go to the real one, below root/. Of other verbs, it checks that the
# units exist and support them.
mkdir "$HOME_OF_TEST/stand-in"
cat >"$HOME_OF_TEST/stand-in/systemctl" <<'END'
#!/bin/bash
set -euo pipefail
words=()
for word in "$@"; do [ "$word" = --now ] || words+=("$word"); done
file_of() { # UNIT: its file, or that of its template
    local file=$ROOT/usr/lib/systemd/system/$1
    [ -e "$file" ] || file=${file/@*./@.}
    [ -e "$file" ] && echo "$file" || { echo "Unit $1 not found." >&2 && return 1; }
}
units=("${words[@]:1}")
[ ${#units[@]} -eq 0 ] || files=$(for unit in "${units[@]}"; do file_of "$unit"; done)
case ${words[0]} in
enable | disable | mask | unmask) PATH=${PATH#*:} exec systemctl --quiet "--root=$ROOT" "${words[@]}" ;;
start | stop | restart | edit | daemon-reload) ;;
reload) for file in $files; do [ "${file##*.}" = target ] || grep -q '^ExecReload=' "$file"; done ;;
*) echo "no such stand-in: systemctl $*" >&2 && exit 1 ;;
esac
END
chmod 755 "$HOME_OF_TEST/stand-in/systemctl"

# In the place of the service's own user, which this machine may not have.
OWNER=www-data GROUP=www-data
[ "$EUID" -eq 0 ] || OWNER=$(id -un) GROUP=$(id -gn)

# localise TEXT: replaces the words that would touch the machine.
localise() {
    sed -e "s|/run/fonproxy-analytics|$HOME_OF_TEST/run|g" -e "s|/var/lib/fonproxy-analytics|$HOME_OF_TEST/var/data|g" \
        -e "s|$SYSCONFDIR/fonproxy-analytics|$HOME_OF_TEST/etc|g" -e "s|/srv/|$HOME_OF_TEST/srv/|g" -e "s|/var/backups|$HOME_OF_TEST/backups|g" -e "s|$SBINDIR/analytics-|$ROOT/usr/sbin/analytics-|g" \
        -e "s/\(--owner\|-o\) fonproxy-analytics/\1 $OWNER/g; s/-g fonproxy-analytics/-g $GROUP/g" <<<"$1"
}

run_command() {
    cd "$HOME_OF_TEST/work"
    PATH=$HOME_OF_TEST/stand-in:$ROOT/usr/bin:$ROOT/usr/sbin:$PATH
    eval "$(localise "$1")"
}

check_command() { # COMMAND EXPECTED
    if [[ $1 == export\ * ]]; then # for all commands that follow
        eval "$(localise "$1")"
    elif [ "$EUID" -ne 0 ] && [[ $1 == *' www-data'* ]]; then
        printf 'skipped: needs root: %s\n' "$1"
    else
        check_output "$1" "$(localise "$2")"
    fi
}

# examples PAGE: as each_command wants them; a "\" at the end of a line joins it with the next.
examples() {
    sed -n '/^\.Bd -literal/,/^\.Ed/p' "$1" |
        sed -e 's/^\.Bd .*/$ /; /^\.Ed/d; s/^# /$ /; s/^\\&//; s/\\e/\\/g; s/\.\.\./…/g' |
        sed -e ':join' -e '/\\$/{N;s/ *\\\n */ /;b join' -e '}'
}

for page in "$BUILD"/man/*.[1-9]; do
    mkdir -p "$HOME_OF_TEST"/{var,work,etc,srv,backups}
    unset ANALYTICS_DATA ANALYTICS_QUERY_TIMEOUT_MS
    export ANALYTICS_CONFIG=$HOME_OF_TEST/etc/analytics.conf
    localise "$(<config/analytics.conf)" >"$ANALYTICS_CONFIG"
    before=$CHECKS
    each_command check_command < <(examples "$page")
    echo "# ${page##*/}: $((CHECKS - before)) commands"
    if [[ $EUID -eq 0 && $page == *analytics-@(ingest|query).8 ]]; then
        sleep 0.5
        program=${page##*/}
        verdict "$program" "$(pgrep -f "$ROOT/usr/sbin/${program%.8} --data $HOME_OF_TEST/var" >/dev/null || echo 'its example left no program that runs')"
    fi
    (cd "$HOME_OF_TEST" && rm -rf var run work etc srv backups)
done
finish
