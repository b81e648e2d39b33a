#!/usr/bin/env bash
# test_container.sh FOLDER: builds the image of Containerfile and runs it as compose.yaml does: first start, keys, rights,
# settings, secrets, stop, second start, a wrong volume, and compose itself, with the commands of docs/operating.md for its
# upgrade and removal; then as a user without rights (rootless). No public image is fetched: the base is a
# fresh Debian under the public one's name. FOLDER keeps that Debian from run to run. Needs root and a mirror; two minutes.
#
# buildah builds with chroot isolation; podman runs without cgroups of its own, in a mount, PID and network namespace that
# ends with the test, so that port 8080 is free and nothing is left of engine, images or networks.
#
# Seen to fail:
#   no `trap` for TERM, before the service starts -> "FAIL a stop while starting: ended with 137"
#   no check_data -> "FAIL another's volume: no "chown -R 10001:10001" in: …"
#   keys shown whenever their files are there -> "FAIL second start: shows a key"
#   no `chmod -R`, and a clone with umask 077 -> "FAIL first start: health: … can't read $ANALYTICS_AUTH, /usr/share/…"
#   no USER -> "FAIL first start: health: analyticsctl: can't go on as the owner of /var/lib/fonproxy-analytics: …"
SELF=$(realpath "${BASH_SOURCE[0]}")
HERE=${SELF%/*}
if [ -z "${IN_NAMESPACE:-}" ]; then
    [ "$EUID" -eq 0 ] || { echo 'needs root' >&2 && exit 77; }
    mkdir -p "$1"
    WORK=$(mktemp -d /var/tmp/analytics-container.XXXXXX)
    export WORK IN_NAMESPACE=yes
    trap 'rm -rf --one-file-system "$WORK"' EXIT
    exec 7</proc/self/ns/net
    timeout -k 1 -s KILL 900 unshare --mount --propagation private --net --pid --fork --kill-child --mount-proc bash "$SELF" "$(realpath "$1")" </dev/null
    exit
fi
BASE=$1/base
. "$HERE/../support/totals.sh"
. "$HERE/../support/debian.sh"
ENGINE=(command podman) # root's, at first
podman() { "${ENGINE[@]}" "$@"; }
outside() { nsenter --net=/proc/self/fd/7 "$@"; } # in the network that reaches the mirror
must() { # WHAT COMMAND…: a step without which nothing goes on
    "${@:2}" >"$WORK/must.log" 2>&1 || { verdict "$1" "$(tail -n 30 "$WORK/must.log")" && finish; exit 1; }
    verdict "$1" ''
}

# ---- an engine that leaves nothing behind

ip link set lo up
mkdir -p /run/crun
mount -t tmpfs -o mode=755 crun /run/crun
mount -t tmpfs shm /dev/shm
if [ ! -e /sys/fs/cgroup/cgroup.controllers ]; then # crun supports cgroup v2 only
    umount -R -l /sys/fs/cgroup
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
fi
cat >"$WORK/containers.conf" <<END
[containers]
cgroups = "disabled"
default_ulimits = ["nofile=$(ulimit -H -n):$(ulimit -H -n)", "nproc=$(ulimit -H -u):$(ulimit -H -u)"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
tmp_dir = "$WORK/run/libpod"
[network]
network_backend = "netavark"
network_config_dir = "$WORK/networks"
END
printf '[storage]\ndriver = "overlay"\ngraphroot = "%s"\nrunroot = "%s"\n' "$WORK/storage" "$WORK/run" >"$WORK/storage.conf"
echo 'unqualified-search-registries = []' >"$WORK/registries.conf"
export CONTAINERS_CONF=$WORK/containers.conf CONTAINERS_STORAGE_CONF=$WORK/storage.conf CONTAINERS_REGISTRIES_CONF=$WORK/registries.conf

# ---- the base, and the image

# As in the public image: no documentation, and no service starts while packages are installed.
slim() {
    rm -rf "$BASE"/usr/share/{doc,man,info,locale,lintian} "$BASE"/var/lib/apt/lists "$BASE"/var/cache/apt
    printf '#!/bin/sh\nexit 101\n' >"$BASE/usr/sbin/policy-rc.d"
    chmod 755 "$BASE/usr/sbin/policy-rc.d"
}
if [ ! -e "$BASE.done" ]; then
    rm -rf --one-file-system "$BASE"
    export -f fresh_debian
    # shellcheck disable=SC2016
    must debootstrap outside bash -c 'fresh_debian "$1"' fresh "$BASE"
    slim
    touch "$BASE.done"
fi
import_base() { tar -C "$BASE" -c . | podman import - debian:bookworm-slim; }
must 'the base image' import_base
SECONDS=0
must 'buildah bud' outside buildah bud --isolation chroot --pull-never --format docker -t fonproxy-analytics .
echo "# the image was built in $SECONDS s"
size() { podman image inspect -f '{{.Size}}' "$1"; }
echo "# size: $(($(size fonproxy-analytics) / 1000000)) MB, of which $((($(size fonproxy-analytics) - $(size debian:bookworm-slim)) / 1000000)) MB are not the base"

# ---- running it: the flags are those of compose.yaml

DATA=/var/lib/fonproxy-analytics
URL=http://127.0.0.1:8080/analytics
run() { # NAME OPTION…
    podman run -d --name "$1" --read-only --read-only-tmpfs=false --cap-drop=all --security-opt=no-new-privileges "${@:2}" fonproxy-analytics
}
run_with_port() { run "$@" -p 127.0.0.1:8080:8080; }
is_up() { curl -fs -m 5 -o /dev/null "$URL/health"; }
runs() { [ "$(podman inspect -f '{{.State.Running}}' "$1")" = true ]; }
wait_for_end() { # NAME: for 20 s
    for ((tries = 0; tries < 200; tries++)); do
        runs "$1" || break
        sleep 0.1
    done
}
until_up() { # NAME: within 30 s, or until it has ended
    for ((tries = 0; tries < 1500; tries++)); do
        is_up && return
        runs "$1" || break
        sleep 0.02
    done
    podman logs "$1" && false
}
forget() { podman rm -f "$@" >/dev/null 2>&1; }
milliseconds() { echo $(($(date +%s%N) / 1000000)); }
log_of() { podman logs "$1" >"$WORK/out" 2>"$WORK/err"; }
log_has() { # WHAT TEXT
    verdict "$1" "$(grep -qF -- "$2" "$WORK/err" || printf 'no "%s" in: %s' "$2" "$(cat "$WORK/err")")"
}
keys_in_log() { grep -oE 'fnp_[0-9a-f]{64}' "$WORK/err" || true; }
no_key() { verdict "$1" "$([ -z "$(keys_in_log)" ] || echo 'shows a key')"; }
post() { # KEY: the status
    curl -s -m 20 -o /dev/null -w '%{http_code}' -H "x-api-key: $1" -H 'content-type: application/json' --data-binary @examples/sample-batch.json "$URL/ingest"
}
shows_dashboard() { curl -s -m 20 "$URL/dashboard/" >"$WORK/page" && grep -q '<title>' "$WORK/page"; }
takes_batches() { # KEY: within 10 s
    for ((tries = 0; tries < 100; tries++)); do
        [ "$(post "$1")" != 204 ] || return 0
        sleep 0.1
    done
    return 1
}
requests() { # KEY: the sum of requests on the sample's day
    curl -s -m 20 -H "x-api-key: $1" "$URL/traffic?from=2026-03-15&to=2026-03-15" | sed -n 's/.*"total_count":"\([0-9]*\)".*/\1/p'
}
ends() { # WHAT NAME STATUS: stops it, unless it has ended; 137 is a process that did not hear the stop
    podman stop -t 20 "$2" >/dev/null 2>&1
    verdict "$1" "$(code=$(podman inspect -f '{{.State.ExitCode}}' "$2") && [ "$code" = "$3" ] || echo "ended with $code: $(podman logs "$2" 2>&1)")"
}
# ---- first start

podman volume create data >/dev/null
began=$(milliseconds)
must 'first start' run_with_port first -v "data:$DATA"
must 'first start: health' until_up first
echo "# healthy $(($(milliseconds) - began)) ms after podman run"
log_of first
mapfile -t keys < <(keys_in_log)
verdict 'first start' "$([ ${#keys[@]} -eq 2 ] || echo "shows ${#keys[@]} keys, not 2")"
log_has 'first start' 'role admin'
log_has 'first start' 'role worker'
verdict 'logs' "$([ ! -s "$WORK/out" ] || echo "something is on standard output: $(cat "$WORK/out")")"
verdict 'a batch' "$(code=$(post "${keys[1]}") && [ "$code" = 204 ] || echo "is answered $code")"
verdict 'a report' "$(sum=$(requests "${keys[0]}") && [ "$sum" = 12 ] || echo "says $sum, not 12")"
verdict 'the dashboard' "$(shows_dashboard || echo 'is not there')"
verdict 'Chart.js' "$(curl -fs -m 20 -o /dev/null "$URL/dashboard/chart.min.js" || echo 'is not there')"
verdict 'the health check' "$(podman healthcheck run first 2>&1 | grep -v systemd || true)"
verdict 'analyticsctl' "$(podman exec first analyticsctl status >"$WORK/status" 2>&1 && grep -q '^Logs  *1, from 2026-03-15 ' "$WORK/status" || cat "$WORK/status")"
verdict 'analyticsctl doctor' "$(podman exec first analyticsctl doctor --sockets $DATA/run --url http://127.0.0.1:8080 2>&1 | grep FAIL || true)"
# shellcheck disable=SC2016
verdict rights "$(podman exec first sh -c 'for p in /proc/[0-9]*; do
    awk -v p="$(tr "\0" " " <$p/cmdline)" "/^Uid/ && \$2 != 10001 { print p, \"runs as\", \$2 } /^Cap(Prm|Eff|Bnd)/ && \$2 !~ /^0*\$/ { print p, \"may\", \$0 }" $p/status
    done; touch /etc/written 2>/dev/null && echo "the root can be written"')"

# ---- a second one on the same volume; stop; a second start

must 'a second container' run second -v "data:$DATA"
wait_for_end second
log_of second
log_has 'a second container' 'is being served already'
verdict 'the first one' "$(is_up || echo 'is down')"
began=$(milliseconds)
ends 'a stop' first 0
echo "# stopped in $(($(milliseconds) - began)) ms"
forget first second
must 'second start' run_with_port first -v "data:$DATA"
must 'second start: health' until_up first
log_of first
no_key 'second start'
verdict 'second start' "$(sum=$(requests "${keys[0]}") && [ "$sum" = 12 ] || echo "says $sum, not 12")"
pkill -KILL -x analytics-inges # this namespace has no other
verdict 'a killed analytics-ingest' "$(takes_batches "${keys[1]}" || echo 'is not back')"
podman exec first sh -c "kill -KILL \$(cat $DATA/run/nginx.pid)"
wait_for_end first
log_of first
log_has 'a killed nginx ends the container, for its restart policy' 'nginx ended'
verdict 'a killed nginx' "$([ "$(podman inspect -f '{{.State.ExitCode}}' first)" = 1 ] || echo 'does not end it with status 1')"
must 'started again' podman start first
must 'started again: health' until_up first
must 'a backup' podman exec first analyticsctl backup $DATA/today.backup
sum=$(requests "${keys[0]}")
ends 'another stop' first 0
forget first
must 'a restore' podman run --rm --read-only --cap-drop=all -v "data:$DATA" fonproxy-analytics analyticsctl restore $DATA/today.backup --force
must 'restored' run_with_port first -v "data:$DATA"
must 'restored: health' until_up first
verdict restored "$(is=$(requests "${keys[0]}") && [ "$is" = "$sum" ] && [ "$is" -gt 12 ] || echo "says $is, not $sum")"
ends 'a stop' first 0
forget first

# ---- secrets

printf 'fnp_no_key\n' | podman secret create bad - >/dev/null
printf 'fnp_%064d\n' 1 | podman secret create analytics_admin_key - >/dev/null
printf 'fnp_%064d\n' 2 | podman secret create analytics_worker_key - >/dev/null
must 'with secrets' run_with_port first -v "given:$DATA" --secret analytics_admin_key,uid=10001,mode=0400 --secret analytics_worker_key
must 'with secrets: health' until_up first
log_of first
no_key 'with secrets'
verdict 'with secrets: a batch' "$(code=$(post "$(printf 'fnp_%064d' 2)") && [ "$code" = 204 ] || echo "is answered $code")"
verdict 'with secrets: a report' "$(sum=$(requests "$(printf 'fnp_%064d' 1)") && [ "$sum" = 12 ] || echo "says $sum, not 12")"
ends 'a stop' first 0
must 'with secrets, again' podman start first
must 'with secrets, again: health' until_up first
ends 'a stop' first 0
forget first

# ---- what can't work ends at once and says why

refused() { # WHAT TEXT OPTION…
    must "$1" run refused "${@:3}"
    wait_for_end refused
    log_of refused
    log_has "$1" "$2"
    verdict "$1" "$([ "$(wc -l <"$WORK/err")" -eq 1 ] || cat "$WORK/err")"
    ends "$1" refused 1
    forget refused
}
mkdir -m 755 "$WORK/roots"
refused "another's volume" 'chown -R 10001:10001' -v "$WORK/roots:$DATA"
refused 'a setting' "\$ANALYTICS_THREADS must be an integer from 1 to 256, but is \"many\"" -e ANALYTICS_THREADS=many
refused 'settings that go together' 'hour_days must be set' -e ANALYTICS_DAY_DAYS=30
refused 'a number of processes' "\$ANALYTICS_QUERY_PROCESSES must be an integer from 1 to 1000, but is \"0\"" -e ANALYTICS_QUERY_PROCESSES=0
refused 'a rate' "\$ANALYTICS_RATE_READS" -e 'ANALYTICS_RATE_READS=9;}'
refused 'no folder' "there is no folder /nowhere" -e ANALYTICS_DATA=/nowhere
refused 'a secret that is no key' '/run/secrets/analytics_admin_key: a key is fnp_' --secret bad,target=analytics_admin_key

# ---- another user, with a folder of its own; settings arrive

mkdir -m 700 "$WORK/mine"
chown 12345:12345 "$WORK/mine"
must 'another user' run_with_port first --user 12345:12345 -v "$WORK/mine:$DATA" -e ANALYTICS_QUERY_PROCESSES=2 -e ANALYTICS_THREADS=5
must 'another user: health' until_up first
verdict 'query processes' "$([ "$(pgrep -xc analytics-query)" = 2 ] || echo 'are not 2')"
verdict 'a setting' "$(podman exec first analyticsctl config >"$WORK/config" 2>&1 && grep -q 'threads .*5.*ANALYTICS_THREADS' "$WORK/config" || cat "$WORK/config")"
ends 'a stop' first 0
forget first
must 'a stop while starting' run first
podman stop -t 20 first >/dev/null 2>&1
verdict 'a stop while starting' "$(code=$(podman inspect -f '{{.State.ExitCode}}' first) && [[ $code == @(0|143) ]] || echo "ended with $code")"
forget first

# ---- compose.yaml as it is; then with its commented lines switched on: settings, and keys of the operator's own

mkdir "$WORK/compose"
compose() { (cd "$WORK/compose" && podman-compose -p analytics --no-ansi --podman-run-args=--read-only-tmpfs=false "$@"); }
composed() { # WHAT
    must "$1" compose up -d --no-build
    name=$(podman ps -a --format '{{.Names}}')
    must "$1: health" until_up "$name"
    log_of "$name"
}
cp compose.yaml "$WORK/compose/"
composed 'compose up'
verdict 'compose up: keys' "$([ "$(keys_in_log | wc -l)" -eq 2 ] || echo 'are not shown')"
verdict 'compose up: the dashboard' "$(shows_dashboard || echo 'is not there')"
verdict 'compose up: the health check' "$(podman healthcheck run "$name" 2>&1 | grep -v systemd || true)"
for fact in .HostConfig.ReadonlyRootfs=true .HostConfig.RestartPolicy.Name=always; do
    verdict "compose up: ${fact%=*}" "$(is=$(podman inspect -f "{{${fact%=*}}}" "$name") && [ "$is" = "${fact#*=}" ] || echo "is $is")"
done
verdict 'compose up: rights' "$(podman exec "$name" awk '/^Cap(Prm|Eff|Bnd)/ && $2 !~ /^0*$/ || /^NoNewPrivs/ && $2 != 1' /proc/1/status)"
must 'compose down' compose down
composed 'compose up again'
no_key 'compose up again'
must 'compose down' compose down
sed -E '/^ *#(environment:|secrets:|  [A-Za-z_]+: )/s/#//' compose.yaml >"$WORK/compose/compose.yaml"
printf 'fnp_%064d\n' 3 >"$WORK/compose/admin.key"
printf 'fnp_%064d\n' 4 >"$WORK/compose/worker.key"
chmod 644 "$WORK/compose"/*.key
composed 'compose with comments'
verdict 'compose with comments: settings' "$(podman exec "$name" analyticsctl config >"$WORK/config" 2>&1 && grep -q 'raw_days .*400.*ANALYTICS_RAW_DAYS' "$WORK/config" || cat "$WORK/config")"
verdict 'compose with comments: a batch' "$(code=$(post "$(printf 'fnp_%064d' 4)") && [ "$code" = 204 ] || echo "is answered $code")"
# Runs a command of the page, with podman-compose or podman in the place of docker, and the image that is built above.
as_documented() { # COMMAND
    case $1 in
    'git pull' | 'docker compose build') ;; # need a clone and a network: see check-walk, and the image above
    'docker compose up -d') composed "$1" ;;
    'docker compose '*) read -ra words <<<"${1#docker compose }" && must "$1" compose "${words[@]}" ;;
    'docker '*) read -ra words <<<"${1#docker }" && must "$1" podman "${words[@]}" ;;
    *) verdict 'docs/operating.md' "has a command that is not known here: $1" ;;
    esac
}
cp compose.yaml "$WORK/compose/"
podman save -q -o "$WORK/image.tar" fonproxy-analytics
mapfile -t commands < <(documented Upgrade container && documented Uninstall container)
for command in "${commands[@]}"; do as_documented "$command"; done
verdict 'uninstalled: containers' "$(podman ps -a -q)"
verdict 'uninstalled: the image' "$(podman images -q fonproxy-analytics)"
verdict 'uninstalled: the volume' "$(podman volume inspect analytics_data >/dev/null 2>&1 || echo 'is gone: the page says that it stays')"

# ---- rootless: a user of this namespace alone, whose ids 1 to 65536 are 100000 to 165535 outside; a network by slirp4netns

mkdir "$WORK/rootless" "$WORK/dev"
for file in passwd group subuid subgid; do
    cat "/etc/$file" >"$WORK/rootless/$file" 2>/dev/null || true
    [ -e "/etc/$file" ] || : >"/etc/$file"
done
echo "op:x:20001:20001::$WORK/rootless/home:/bin/sh" >>"$WORK/rootless/passwd"
echo 'op:x:20001:' >>"$WORK/rootless/group"
echo 'op:100000:65536' | tee -a "$WORK/rootless/subuid" >>"$WORK/rootless/subgid"
for file in passwd group subuid subgid; do mount --bind "$WORK/rootless/$file" "/etc/$file"; done
install -d -m 700 -o 20001 -g 20001 "$WORK/rootless/home" "$WORK/rootless/run"
mount -t tmpfs -o mode=755,dev none "$WORK/dev"
mknod -m 666 "$WORK/dev/tun" c 10 200
mount --bind "$WORK/dev/tun" /dev/net/tun
sed -i '/default_ulimits/d; /tmp_dir/d; /network_/d; /^\[network\]/d' "$CONTAINERS_CONF"
printf '[storage]\ndriver = "overlay"\n' >"$WORK/rootless/storage.conf"
chmod 755 "$WORK"
chmod 644 "$WORK"/*.conf "$WORK/rootless"/*.conf "$WORK/image.tar"
ENGINE=(setpriv --reuid 20001 --regid 20001 --clear-groups env -i HOME="$WORK/rootless/home" USER=op PATH="$PATH"
    XDG_RUNTIME_DIR="$WORK/rootless/run" CONTAINERS_CONF="$CONTAINERS_CONF" CONTAINERS_REGISTRIES_CONF="$CONTAINERS_REGISTRIES_CONF"
    CONTAINERS_STORAGE_CONF="$WORK/rootless/storage.conf" podman)
install -D -m 644 -t "$WORK/rootless/examples" examples/sample-batch.json
cd "$WORK/rootless" # the user may have no right to enter the clone
verdict rootless "$([ "$(podman info -f '{{.Host.Security.Rootless}}' 2>/dev/null)" = true ] || podman info 2>&1 | head -n 20)"
must 'rootless: the image' podman load -q -i "$WORK/image.tar"
began=$(milliseconds)
must 'rootless: first start' run_with_port first -v "data:$DATA"
must 'rootless: health' until_up first
echo "# rootless: healthy $(($(milliseconds) - began)) ms after podman run"
log_of first
mapfile -t keys < <(keys_in_log)
verdict 'rootless: first start' "$([ ${#keys[@]} -eq 2 ] || echo "shows ${#keys[@]} keys, not 2")"
verdict 'rootless: whose processes' "$([ "$(pgrep -xc -U 110000 analytics-query)" = 4 ] || ps -eo uid,comm)"
verdict 'rootless: a batch' "$(code=$(post "${keys[1]}") && [ "$code" = 204 ] || echo "is answered $code")"
ends 'rootless: a stop' first 0
forget first
must 'rootless: second start' run_with_port first -v "data:$DATA"
must 'rootless: second start: health' until_up first
log_of first
no_key 'rootless: second start'
verdict 'rootless: second start' "$(sum=$(requests "${keys[0]}") && [ "$sum" = 12 ] || echo "says $sum, not 12")"
ends 'rootless: a stop' first 0
forget first
finish
