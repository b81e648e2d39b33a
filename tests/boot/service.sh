# shellcheck shell=bash
# service.sh: sourced by the tests of this folder, whose arguments are DEB FOLDER. Runs the test once more in namespaces of
# its own, which end with it. Knows Debian for boxes, how the package starts in one, and how batches are sent to it.
SELF=$(realpath "$0")
HERE=${SELF%/*}
. "$HERE/box.sh"
if [ -z "${IN_NAMESPACE:-}" ]; then
    [ "$EUID" -eq 0 ] && command -v debootstrap >/dev/null || { echo 'needs root and debootstrap' >&2 && exit 77; }
    export IN_NAMESPACE=analytics-boot-$$ BOOT_DIR
    BOOT_DIR=$(mktemp -d /var/tmp/analytics-boot.XXXXXX)
    ended() {
        kill "$child" 2>/dev/null || true # timeout, which kills the namespace
        wait "$child" || true
        box_forget "$IN_NAMESPACE"
        rm -rf --one-file-system "$BOOT_DIR"
    }
    trap ended EXIT
    trap 'exit 130' INT TERM HUP
    timeout -k 1 -s KILL "$LIMIT" unshare --mount --propagation private --pid --fork --kill-child --mount-proc bash "$SELF" "$@" </dev/null &
    child=$!
    status=0
    wait "$child" || status=$?
    exit "$status"
fi
mkdir -p "$2"
# shellcheck disable=SC2034 # the tests use DEB
DEB=$(realpath "$1") BASE=$(realpath "$2")/base dir=$BOOT_DIR
. "$HERE/../support/totals.sh"
. "$HERE/../support/debian.sh"
DATA=/var/lib/fonproxy-analytics
POOL=(analytics-query@1.service analytics-query@2.service analytics-query@3.service analytics-query@4.service)
SERVICES=(analytics-ingest.service "${POOL[@]}")

end() {
    local status=0
    finish >/dev/null || status=1
    echo "$((CHECKS - FAILURES)) passed, $FAILURES failed"
    exit $status
}
must() { # WHAT COMMAND…: a step without which nothing goes on
    "${@:2}" >"$dir/must.log" 2>&1 </dev/null || { verdict "$1" "$(tail -n 30 "$dir/must.log")" && end; }
    verdict "$1" ''
}
await() { # SECONDS COMMAND…
    for ((SECONDS = 0; SECONDS < $1; )); do
        "${@:2}" && return
        sleep 0.2
    done
    return 1
}

# ---- a box: a fresh Debian with what the package depends on, and nginx with the drop-in's own site

PACKAGES=systemd,systemd-sysv,dbus,curl,sqlite3,nginx-light,libfcgi0ldbl,libsodium23,libcurl4,libjson-c5,libsqlite3-0,libjs-chart.js
if [ ! -e "$BASE.done" ]; then
    rm -rf --one-file-system "$BASE"
    must debootstrap fresh_debian "$BASE" --include=$PACKAGES
    touch "$BASE.done"
fi
# On top of it, in a folder of its own, some packages more.
layer() { # FOLDER WHAT PACKAGE…
    [ ! -e "$1.done" ] || return 0
    rm -rf --one-file-system "$1" "$dir/layer"
    mkdir -p "$1" "$dir/layer/work" "$dir/layer/root"
    mount -t overlay overlay -o "lowerdir=$BASE,upperdir=$1,workdir=$dir/layer/work" "$dir/layer/root"
    mount -t proc proc "$dir/layer/root/proc" # Java wants it
    cp -L /etc/resolv.conf "$dir/layer/root/etc/resolv.conf"
    # shellcheck disable=SC2016
    must "$2" chroot "$dir/layer/root" env -i PATH="$PATH" DEBIAN_FRONTEND=noninteractive LC_ALL=C sh -c \
        'apt-get -q update && apt-get -q -y --no-install-recommends install "$@"' install "${@:3}"
    umount "$dir/layer/root/proc" "$dir/layer/root"
    touch "$1.done"
}
listed_packages() { awk -v kind="$1" '$1 == kind { print $3 }' packages; } # KIND
boots() { # NAME WHAT
    must "$2" box_boot "${LAYER:+$LAYER:}$BASE" "$dir/$1" "$IN_NAMESPACE"
    BOOT=/proc/$BOX_PID/root/srv/boot
}
new_box() { # NAME [LAYER]
    NAME=$1 LAYER=${2:-}
    mkdir -p "$dir/$NAME/changes/srv/boot" "$dir/$NAME/changes/etc/nginx/sites-enabled" "$dir/$NAME/changes/etc/apt/apt.conf.d"
    cp "$HERE/load.sh" "$dir/$NAME/changes/srv/boot"
    printf '%s\n' 'APT::Get::Assume-Yes "true";' 'Dpkg::Options { "--force-confnew"; };' >"$dir/$NAME/changes/etc/apt/apt.conf.d/99test"
    boots "$NAME" "the box $NAME boots"
}
site() { # [PREFIX]
    local share=${1:-/usr}/share/fonproxy-analytics/nginx
    box sh -c 'cat >/etc/nginx/sites-enabled/default' <<END
include $share/analytics-upstream.conf;
include $share/analytics-http.conf;
server {
    listen 127.0.0.1:80;
    include $share/analytics-auth-keys.conf;
    include $share/analytics.conf;
}
END
    box systemctl restart nginx # a reload with a bad configuration would go on with the old one
}
put() { cp "$1" "$BOOT/$2"; }
health() { box curl -s -m 5 -o /dev/null -w '%{http_code}' http://127.0.0.1/analytics/health; }
healthy() { [ "$(health)" = 200 ]; }
is_healthy() { healthy || { box journalctl -b --no-pager -n 20 -u 'analytics-*' && return 1; }; }
pid_of() { box systemctl show --value -p MainPID "$1"; }
pids() { for unit in "${SERVICES[@]}"; do echo "$unit $(pid_of "$unit")"; done; }
# Prints each service of BEFORE that does not run, or is still the same process.
not_replaced() { # BEFORE
    local unit pid now
    while read -r unit pid; do
        now=$(pid_of "$unit")
        if [ "$now" = 0 ]; then
            echo "$unit does not run"
        elif [ "$now" = "$pid" ]; then
            echo "$unit is still process $pid"
        fi
    done <<<"$1"
}
all_replaced() { [ -z "$(not_replaced "$1")" ]; }
is_replaced() { # WHAT BEFORE
    await 20 all_replaced "$2" || true
    verdict "$1" "$(not_replaced "$2")"
}
started() { # WHAT
    await 20 healthy || true
    must "$1: health" is_healthy
    for unit in "${SERVICES[@]}"; do
        verdict "$1" "$([ "$(box systemctl is-active "$unit")" = active ] || echo "$unit does not run")"
    done
}
doctor_of() { box analyticsctl doctor 2>&1 | grep "$1" || true; }

# ---- load

post() {
    box curl -s -m 20 -o /dev/null -w '%{http_code}' -H "x-api-key: $(box cat "$DATA/keys/worker.key")" -H 'content-type: application/json' \
        -d '{"logs":[{"ts":"2026-03-15 10:15:00","user_id":1,"order_id":3,"domain":"example.com","count":1}]}' http://127.0.0.1/analytics/ingest
}
LOAD=()
load() {
    box cp $DATA/keys/worker.key $DATA/keys/admin.key /srv/boot/
    rm -f "$BOOT/enough" "$BOOT"/other.*
    for n in 1 2 3; do
        box bash /srv/boot/load.sh /srv/boot $n &
        LOAD+=($!)
    done
}
acknowledged() { { cat "$BOOT"/acknowledged.* 2>/dev/null || true; } | wc -l; }
stored() {
    box curl -s -m 20 -H "x-api-key: $(<"$BOOT/admin.key")" 'http://127.0.0.1/analytics/traffic?from=2026-03-15&to=2026-03-15' |
        sed -n 's/.*"total_count":"\([0-9]*\)".*/\1/p'
}
counted() { # WHAT
    local all
    all=$(acknowledged)
    verdict "$1" "$([ "$all" -gt 0 ] && [ "$(stored)" = "$all" ] || echo "$all batches were acknowledged, $(stored) count")"
}
no_load() { # WHAT [lossless]
    : >"$BOOT/enough"
    for n in "${LOAD[@]}"; do
        wait "$n" || verdict "$1" 'a sender gave up'
    done
    LOAD=()
    [ "${2:-}" != lossless ] || verdict "$1" "$(cat "$BOOT"/other.* 2>/dev/null | sort | uniq -c)"
    counted "$1"
    echo "# $1: $(acknowledged) batches so far"
}
