# shellcheck shell=bash
# box.sh: sourced. Boots a Debian system with systemd as PID 1, in namespaces of its own, with no network but its own
# loopback, which has the addresses in BOX_ADDRESSES as well. Knows namespaces, mounts and cgroups. Knows nothing of what
# runs in the box.
#
# The caller is in a mount and a PID namespace of its own, whose end kills every box. Nothing of the host is mounted in a
# box but six device files, and systemd is started only after the root folder was changed: at its start systemd empties /tmp.

BOX_CGROUPS=/sys/fs/cgroup/unified
[ -d "$BOX_CGROUPS" ] || BOX_CGROUPS=/sys/fs/cgroup

# Run in the new namespaces. BOX/root is all that the box sees.
box_enter() { # BASE BOX
    set -euo pipefail
    ip link set lo up
    for address in ${BOX_ADDRESSES:-}; do ip address add "$address" dev lo; done
    hostname box
    mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/changes,workdir=$2/work" "$2/root"
    cd "$2/root"
    mount -t proc proc proc
    mount -t sysfs -o ro sysfs sys
    mount -t cgroup2 cgroup2 sys/fs/cgroup
    mount -t tmpfs -o mode=755 dev dev
    for device in null zero full random urandom tty; do
        touch dev/$device
        mount --bind /dev/$device dev/$device
    done
    mkdir dev/pts dev/shm
    mount -t devpts -o newinstance,ptmxmode=666,mode=620 devpts dev/pts
    ln -s pts/ptmx dev/ptmx
    mount -t tmpfs -o mode=1777 shm dev/shm
    ln -s /proc/self/fd dev/fd
    mount -t tmpfs -o mode=755 run run
    mkdir -p run/lock run/host-root
    pivot_root . run/host-root
    cd /
    umount -l /run/host-root
    rmdir /run/host-root # fails while the host's files can be seen
    touch /run/box
    exec env -i container=lxc PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --log-target=journal --show-status=0
}

# Boots a box and sets BOX_PID to its PID 1. Returns once its systemd has started all units. BOX/changes keeps what a
# box has changed, for its next boot.
box_boot() { # BASE BOX CGROUP
    mkdir -p "$2/changes" "$2/work" "$2/root" "$BOX_CGROUPS/$3"
    export -f box_enter
    # shellcheck disable=SC2016
    setsid bash -c 'echo $$ >"$1" && exec unshare --mount --propagation private --pid --uts --ipc --cgroup --net \
        --fork --kill-child bash -c "box_enter \"\$@\"" box "$2" "$3"' box "$BOX_CGROUPS/$3/cgroup.procs" "$1" "$2" >"$2/log" 2>&1 </dev/null &
    BOX_OUTER=$!
    for ((SECONDS = 0; SECONDS < 30; )); do
        sleep 0.1
        BOX_PID=$(pgrep -P "$BOX_OUTER") || continue
        [ -e "/proc/$BOX_PID/root/run/box" ] && [ -S "/proc/$BOX_PID/root/run/systemd/private" ] || continue
        timeout 60 nsenter -t "$BOX_PID" -a --root --wd systemctl is-system-running --wait >/dev/null || true # degraded: see the journal
        return 0
    done
    cat "$2/log"
    return 1
}

box() { # COMMAND…: runs it in the box
    nsenter -t "$BOX_PID" -a --root --wd env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        DEBIAN_FRONTEND=noninteractive LC_ALL=C "$@"
}

# Switches the box off as the power button does. Fails if the box had to be killed after a minute.
box_off() {
    local failed=0
    box systemctl poweroff --no-block || failed=1
    for ((SECONDS = 0; SECONDS < 60; )); do
        [ -d "/proc/$BOX_PID" ] || break
        sleep 0.1
    done
    [ ! -d "/proc/$BOX_PID" ] || { failed=1 && kill -KILL "$BOX_PID"; }
    wait "$BOX_OUTER" 2>/dev/null || true
    return $failed
}

# Removes the cgroups that boxes leave behind. Their processes may still be dying: waits up to ten seconds for them.
box_forget() { # CGROUP
    local folder=$BOX_CGROUPS/$1
    [ -d "$folder" ] || return 0
    for ((SECONDS = 0; SECONDS < 10; )); do
        ! grep -q '^populated 0' "$folder/cgroup.events" || break
        sleep 0.1
    done
    find "$folder" -depth -type d -exec rmdir {} +
}
