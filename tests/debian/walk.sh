#!/usr/bin/env bash
# walk.sh FOLDER: README.md's first steps on a bare Debian 12, once as root and once as a user with sudo: git, a clone,
# ./serve, the commands that it prints, up to the first chart, and the upgrade of docs/operating.md. Then ./package in a
# fresh clone, and that page's install, upgrade and removal of the package. Prints how long the first steps took, and
# the longest time without output. FOLDER keeps the bare Debian from run to run. The clone has what is committed. Needs
# root, a mirror and git; some minutes.
#
# Seen to fail:
#   no libjs-chart.js in `packages` -> "FAIL root: Chart.js: is not there"
#   no `reason` in tools/setup.sh -> "FAIL without a network: says more than a line: …"
#   commands of docs/operating.md that are not found -> "FAIL root: upgraded: is version 0.2.0, not 0.2.0.1"
#   "range=24h" in what ./serve prints -> "FAIL root: the dashboard's address: does not name the day of the sample"
SELF=$(realpath "${BASH_SOURCE[0]}")
if [ -z "${IN_NAMESPACE:-}" ]; then
    [ "$EUID" -eq 0 ] && command -v debootstrap >/dev/null || { echo 'needs root and debootstrap' >&2 && exit 77; }
    mkdir -p "$1"
    WORK=$(mktemp -d /var/tmp/analytics-walk.XXXXXX)
    export WORK IN_NAMESPACE=yes
    trap 'rm -rf --one-file-system "$WORK"' EXIT
    timeout -k 1 -s KILL 1500 unshare --mount --propagation private --pid --fork --kill-child --mount-proc bash "$SELF" "$(realpath "$1")" </dev/null
    exit
fi
BASE=$1/base
. "${SELF%/*}/../support/totals.sh"
. "${SELF%/*}/../support/debian.sh"
must() { # WHAT COMMAND…: a step without which nothing goes on
    ("${@:2}") >"$WORK/must.log" 2>&1 || { verdict "$1" "$(tail -n 30 "$WORK/must.log")" && finish; exit 1; }
    verdict "$1" ''
}
PORT=$((20000 + RANDOM % 10000))

# ---- a bare Debian, with two persons

if [ ! -e "$BASE.done" ]; then
    rm -rf --one-file-system "$BASE"
    must debootstrap fresh_debian "$BASE"
    touch "$BASE.done"
fi
must 'the commits' bundles "$WORK"
new_root() { # NAME: in ROOT, gone with this script's namespace
    ROOT=$WORK/$1/root
    mkdir -p "$WORK/$1"/{changes,work,root}
    mount -t overlay overlay -o "lowerdir=$BASE,upperdir=$WORK/$1/changes,workdir=$WORK/$1/work" "$ROOT"
    mount -t proc proc "$ROOT/proc"
    cp -L /etc/resolv.conf "$ROOT/etc/resolv.conf"
    install -m 644 "$WORK/source.bundle" "$ROOT/srv/source.bundle"
    chroot "$ROOT" useradd --create-home --shell /bin/bash op
    mkdir -p "$ROOT/etc/sudoers.d"
    echo 'op ALL=(ALL) NOPASSWD: ALL' >"$ROOT/etc/sudoers.d/op"
}
as() { # USER COMMAND: in ROOT, in the user's home
    local home=/root
    [ "$1" = root ] || home=/home/$1
    exec chroot --userspec="$1" "$ROOT" env -i HOME="$home" USER="$1" LC_ALL=C.UTF-8 PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin \
        bash -c "cd ~ && $2"
}

next_is_published() { install -m 644 "$WORK/next.bundle" "$ROOT/srv/source.bundle"; }
version_of() { # DIR: of what was built in the clone of this folder
    chroot "$ROOT" "$1/build/analyticsctl" --version
}

# ---- the clock: each line that is printed, with the milliseconds since BEGAN

milliseconds() { echo $(($(date +%s%N) / 1000000)); }
stamp() {
    local line
    while IFS= read -r line; do printf '%d %s\n' $(($(milliseconds) - BEGAN)) "$line"; done
}
silence() { # "5.1 s, before: LINE"
    awk 'NR == 1 { last = $1 } { if ($1 - last > most) { most = $1 - last; line = $0 } last = $1 }
        END { sub(/^[0-9]* /, "", line); printf "%.1f s, before: %s", most / 1000, line }' "$WORK/printed"
}

# ---- the commands that ./serve prints

printed() { sed 's/^[0-9]* //' "$WORK/printed"; }
answers() { # USER N: the output of the Nth command that ./serve printed
    (as "$1" "$(printed | sed -n 's/^  curl/curl -sS/p' | sed -n "$2p")") 2>&1
}
is_served() { grep -q '^[0-9]* Look at it' "$WORK/printed"; }
first_chart() { # USER
    local page said
    said=$(answers "$1" 1)
    verdict "$1: the sample is posted" "$(grep -q '204 No Content' <<<"$said" || echo "$said")"
    said=$(answers "$1" 2)
    verdict "$1: and read back" "$(grep -q '"total_count":"12"' <<<"$said" || echo "$said")"
    page=$(printed | sed -n 's/^Look at it.*: \(http.*\)/\1/p')
    verdict "$1: the dashboard's address" "$([[ $page == *from=2026-03-15* ]] || echo 'does not name the day of the sample')"
    verdict "$1: the dashboard" "$(curl -fsS -o "$WORK/page" "$page" 2>&1 && { grep -q '<title>' "$WORK/page" || cat "$WORK/page"; })"
    verdict "$1: Chart.js" "$(curl -fs -o /dev/null "${page%\?*}chart.min.js" || echo 'is not there')"
}
serve_until_ready() { # USER: SERVE is its process
    echo "$(($(milliseconds) - BEGAN)) ./serve" >"$WORK/printed"
    (as "$1" "cd clone && exec ./serve --port $PORT") > >(stamp >>"$WORK/printed") 2>&1 &
    SERVE=$!
    until is_served; do
        kill -0 $SERVE 2>/dev/null || break
        sleep 0.1
    done
    verdict "$1: ./serve" "$(is_served || printed | tail -n 30)"
}
stopped() { # USER
    kill -INT $SERVE
    wait $SERVE 2>/dev/null || true
    verdict "$1: after Ctrl-C" "$(cat /proc/[0-9]*/comm 2>/dev/null | grep -E '^(nginx|analytics-|multiwatch)' || true)"
}
walk() { # USER SUDO
    new_root "$1"
    [ -z "$2" ] || must "$1: sudo" chroot "$ROOT" sh -c 'apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install sudo'
    BEGAN=$(milliseconds)
    must "$1: git" as "$1" "$2 apt-get -q update && $2 apt-get -q -y install git && git clone -q /srv/source.bundle clone"
    echo "# $1: git and a clone: $((($(milliseconds) - BEGAN) / 1000)) s"
    verdict "$1: --no-install" "$(said=$( (as "$1" 'cd clone && ./serve --no-install') 2>&1) && echo 'ends with status 0' || { [ "$(wc -l <<<"$said")" -eq 1 ] || echo "$said"; })"
    serve_until_ready "$1"
    first_chart "$1"
    echo "# $1: the first chart after $((($(milliseconds) - BEGAN) / 1000)) s; the longest silence of ./serve: $(silence)"
    stopped "$1"
    verdict "$1: policy-rc.d" "$([ ! -e "$ROOT/usr/sbin/policy-rc.d" ] || echo 'is left behind')"
    BEGAN=$(milliseconds)
    serve_until_ready "$1"
    echo "# $1: a second ./serve is ready after $(($(milliseconds) - BEGAN)) ms"
    stopped "$1"
    upgrade "$1"
}
# The upgrade by the commands of the page, but ./serve has a port of its own.
upgrade() { # USER
    local command before home
    home=$(chroot "$ROOT" sh -c "echo ~$1")
    before=$(version_of "$home/clone")
    next_is_published
    mapfile -t commands < <(documented Upgrade ./serve)
    for command in "${commands[@]}"; do
        [ "$command" = ./serve ] || must "$1: $command" as "$1" "cd clone && $command"
    done
    BEGAN=$(milliseconds)
    serve_until_ready "$1"
    verdict "$1: upgraded" "$([ "$(version_of "$home/clone")" = "$before.1" ] || echo "is version $(version_of "$home/clone"), not $before.1")"
    verdict "$1: upgraded: the sample" "$(said=$(answers "$1" 2) && grep -q '"total_count":"12"' <<<"$said" || echo "$said")"
    stopped "$1"
}
walk root ''
walk op sudo

# ---- the package: ./package in a fresh clone, and what the page says to do with it

new_root package
echo 'APT::Get::Assume-Yes "true"; APT::Install-Recommends "false";' >"$ROOT/etc/apt/apt.conf.d/99test"
in_clone() { as root "cd clone && $1"; }
installed() { # WHAT VERSION
    verdict "$1" "$(is=$(chroot "$ROOT" dpkg-query -W -f "\${Version} \${Status}" fonproxy-analytics 2>&1) && [ "$is" = "$2 install ok installed" ] || echo "$is")"
}
must 'package: git' as root 'apt-get -q update && apt-get -q install git && git clone -q /srv/source.bundle clone'
version=$(sed -n 's/^AC_INIT([^,]*, \[\([^]]*\).*/\1/p' configure.ac)
BEGAN=$(milliseconds)
must 'package: ./package' in_clone ./package
verdict 'package: where the file is' "$(grep -q '^/root/clone/build/deb/fonproxy-analytics_.*\.deb$' "$WORK/must.log" || tail -n 5 "$WORK/must.log")"
must 'package: apt install' in_clone "$(sed -n 's/^Install it with: //p' "$WORK/must.log")"
echo "# package: installed after $((($(milliseconds) - BEGAN) / 1000)) s"
installed 'package: installed' "$version"
next_is_published
mapfile -t commands < <(documented Upgrade package)
for command in "${commands[@]}"; do must "package: $command" in_clone "$command"; done
installed 'package: upgraded' "$version.1"
mapfile -t commands < <(documented Uninstall package)
for command in "${commands[@]}"; do must "package: $command" in_clone "$command"; done
verdict 'package: purged' "$(chroot "$ROOT" dpkg-query -W fonproxy-analytics 2>/dev/null | grep -v '[[:space:]]$' || true)"

# ---- without a network: apt-get says a hundred lines, ./serve one

new_root offline
git -c safe.directory='*' clone -q "$WORK/source.bundle" "$ROOT/root/clone" 2>/dev/null
export -f as
export ROOT
said=$(unshare --net bash -c "as root 'cd clone && ./serve'" 2>&1) && verdict 'without a network' 'ends with status 0'
verdict 'without a network' "$(grep -q 'no network' <<<"$said" || echo "$said")"
verdict 'without a network' "$([ "$(grep -cv '^Missing: \|^Installing\|^Fetching\|^Counting' <<<"$said")" -eq 1 ] || echo "says more than a line: $said")"
finish
