#!/usr/bin/env bash
# test_boot.sh DEB FOLDER: the package under a systemd that runs as PID 1: first start, reloads under load, kills, a full
# disk, a restart of the machine, another data folder, removal and purge; upgrades from 0.1.0 and 0.2.0 under load, built from
# the git history; and `make install` with the units, upgraded and removed. Upgrades and removals are docs/operating.md's own
# commands. FOLDER keeps the fresh Debian from run to run. Needs root, debootstrap and a mirror; some minutes. A limit ends it.
#
# Seen to fail:
#   no SO_RCVTIMEO on the listening socket -> "FAIL reload 17: analytics-query@3.service is still process 4077" and
#     "FAIL removed: took 62 seconds: a process did not hear the stop"
#   SECURITY.md with the number of another systemd -> "FAIL analytics-ingest.service: 251 system calls are permitted, …"
#   nginx without the drop-in -> "FAIL first start: 404…"
LIMIT=1500
. "${BASH_SOURCE[0]%/*}/service.sh"

# ---- first start

new_box new
put "$DEB" new.deb
must 'the package is installed' box dpkg -i /srv/boot/new.deb
must 'nginx takes the drop-in' site
started 'first start'
threads() { sed -n 's/^Threads:\t//p' "/proc/$BOX_PID/root/proc/$(pid_of "$1")/status"; }
for unit in "${POOL[@]}"; do
    verdict "$unit" "$([ "$(threads "$unit")" = 2 ] || echo "has $(threads "$unit") threads")"
done
for unit in "${SERVICES[@]}"; do
    permitted=$(box systemctl show --value -p SystemCallFilter "$unit" | wc -w)
    verdict "$unit" "$(grep -q "permits $permitted system calls" SECURITY.md || echo "$permitted system calls are permitted, not what SECURITY.md says")"
done

# ---- reloads under load; one with a bad setting

load
for round in $(seq 20); do
    before=$(pids)
    verdict "reload $round" "$(box systemctl reload fonproxy-analytics.target 2>&1)"
    is_replaced "reload $round" "$before"
done
before=$(pids)
box sh -c 'echo "threads = many" >>/etc/fonproxy-analytics/analytics.conf'
verdict 'bad settings, the target' "$(box systemctl reload fonproxy-analytics.target 2>&1 || echo "the target's reload fails: the manual page says that it does not")"
verdict 'bad settings, the service' "$(box systemctl reload analytics-ingest.service >/dev/null 2>&1 && echo 'its reload does not fail' || true)"
verdict 'bad settings' "$([ "$(pids)" = "$before" ] || echo 'a program ended')"
verdict 'bad settings' "$(box journalctl -b --no-pager -u analytics-ingest.service | contains 'threads' || echo 'the journal does not name the setting')"
box sed -i '/^threads = many/d' /etc/fonproxy-analytics/analytics.conf
no_load reloads lossless

# ---- each process killed

load
for unit in "${SERVICES[@]}"; do
    before="$unit $(pid_of "$unit")"
    box systemctl kill -s KILL --kill-who=main "$unit"
    is_replaced "$unit, killed" "$before"
done
no_load kills

# ---- the machine restarts

must 'the machine is switched off' box_off
boots new 'the machine boots again'
started 'after a restart of the machine'
counted 'after a restart of the machine'

# ---- a full disk: a small file system in the place of the data

stop_all() { box systemctl stop fonproxy-analytics.target analytics-ingest.socket analytics-query.socket "${SERVICES[@]}"; }
must 'everything stops' stop_all
must 'a small disk' box sh -c "mount -t tmpfs -o size=32m,mode=700 disk $DATA && chown fonproxy-analytics: $DATA"
must 'everything starts' box systemctl start fonproxy-analytics.target
started 'a small disk'
takes_batches() { [ "$(post)" = 204 ]; }
refuses_batches() { [ "$(post)" = 503 ]; }
verdict 'a small disk' "$(await 20 takes_batches || echo 'takes no batch')"
box sh -c "cat /dev/zero >$DATA/filler 2>/dev/null" || true
verdict 'a full disk' "$(await 60 refuses_batches || echo 'batches are not refused')"
verdict 'a full disk' "$([ "$(health)" = 503 ] || echo 'health is well')"
before=$(pids)
box rm $DATA/filler
verdict 'room again' "$(await 20 takes_batches || echo 'takes no batch')"
verdict 'room again' "$(await 20 healthy || echo 'health is not well')"
verdict 'room again' "$([ "$(pids)" = "$before" ] || echo 'a program had to start again')"
must 'everything stops' stop_all
must 'the disk goes' box umount $DATA
must 'everything starts' box systemctl start fonproxy-analytics.target
started 'the disk of before'
counted 'the disk of before'

# ---- another data folder, as the manual page of analytics.conf shows it; first without what it says

conf=/etc/fonproxy-analytics/analytics.conf
box install -d -m 0700 -o fonproxy-analytics -g fonproxy-analytics /srv/analytics
must 'another data folder' box sed -i.before 's|^data *=.*|data = /srv/analytics|' $conf
for unit in analytics-ingest.service analytics-query@1.service; do
    verdict 'another data folder: doctor' "$([[ $(doctor_of systemd) == *"FAIL  systemd   $unit may not write to /srv/analytics"* ]] || box analyticsctl doctor 2>&1)"
done
drop_in=$(grep '^ReadWritePaths=' man/analytics.conf.5.in)
for unit in analytics-ingest.service analytics-query@.service; do
    box sh -c "mkdir -p /etc/systemd/system/$unit.d && printf '%s\n' '[Service]' '$drop_in' >/etc/systemd/system/$unit.d/override.conf"
done
must 'another data folder: systemd reads it' box systemctl daemon-reload
must 'another data folder: it starts' box systemctl restart fonproxy-analytics.target "${SERVICES[@]}"
started 'another data folder'
verdict 'another data folder' "$(box test -s /srv/analytics/analytics.db || echo 'has no database')"
verdict 'another data folder: doctor is content' "$(doctor_of FAIL)"
box sh -c "mv $conf.before $conf && rm -r /etc/systemd/system/analytics-*.service.d && systemctl daemon-reload"
must 'the data folder of before' box systemctl restart fonproxy-analytics.target "${SERVICES[@]}"
started 'the data folder of before'

# ---- removed, purged, by the commands of the page: nginx first

without_site() {
    local reload
    reload=$(sed -n '/^## Uninstall/,/^| /p' docs/operating.md | code | grep '^nginx -t')
    box sh -c ': >/etc/nginx/sites-enabled/default'
    must "${reload:-docs/operating.md: how to reload nginx}" box sh -c "$reload"
}
without_site
mapfile -t uninstall < <(documented Uninstall package) # remove, purge
SECONDS=0
must 'the package is removed' box sh -c "${uninstall[0]}"
verdict removed "$([ $SECONDS -lt 25 ] || echo "took $SECONDS seconds: a process did not hear the stop")"
verdict removed "$(box journalctl -b --no-pager | grep -E "analytics.*State 'stop[^']*' timed out" || true)"
verdict removed "$(box sh -c 'cat /proc/[0-9]*/comm' 2>/dev/null | grep '^analytics-' || true)"
verdict removed "$(box find /run/fonproxy-analytics -name '*.sock' 2>/dev/null || true)"
must 'the package is purged' box sh -c "${uninstall[1]}"
verdict purged "$(box test -s $DATA/analytics.db || echo 'the data is gone')"
verdict purged "$(box systemctl --failed --no-legend --plain | grep analytics || true)"
must 'the machine is switched off' box_off

# ---- from source, with the units: installed, upgraded under load, the machine restarted, removed, by README.md and the page

TOOLS=${BASE%/*}/tools
mapfile -t packages < <(listed_packages build)
layer "$TOOLS" 'what builds from source' git "${packages[@]}"
readme() { sed -n '/^With systemd, use/,/^This starts/p' README.md | grep '^system'; }
in_clone() { box env MAKEFLAGS=-j2 sh -c "cd /root/clone && $1"; }
source_walk() {
    local before command
    new_box source "$TOOLS"
    bundles "$dir"
    put "$dir/source.bundle" source.bundle
    must 'source: a clone' box git clone -q /srv/boot/source.bundle /root/clone
    must 'source: make install' in_clone "$(sed -n 's/^\$ \(autoreconf .*make install\)$/\1/p' README.md)"
    must 'source: the units start' box sh -ec "$(readme)"
    must 'source: nginx takes the drop-in' site /usr/local
    started source
    load
    await 20 test -s "$BOOT/acknowledged.1" || true
    put "$dir/next.bundle" source.bundle
    before=$(pids)
    mapfile -t commands < <(documented Upgrade 'from source, systemd')
    for command in "${commands[@]}"; do must "source: $command" in_clone "$command"; done
    is_replaced 'source upgraded' "$before"
    no_load 'source upgraded' lossless
    verdict 'source upgraded' "$([[ $(box analyticsctl --version) == *.1 ]] || box analyticsctl --version)"
    must 'source: the machine is switched off' box_off
    boots source 'source: the machine boots again'
    started 'source, after a restart of the machine'
    counted 'source, after a restart of the machine'
    without_site
    mapfile -t commands < <(documented Uninstall 'from source, systemd')
    for command in "${commands[@]}"; do must "source: $command" in_clone "$command"; done
    verdict 'source uninstalled' "$(box sh -c 'cat /proc/[0-9]*/comm' 2>/dev/null | grep '^analytics-' || true)"
    verdict 'source uninstalled' "$(box find /usr/local /etc/systemd/system -name '*analytics*' ! -type d ! -name analytics.conf | sed 's/^/left: /')"
    verdict 'source uninstalled' "$(box test -s $DATA/analytics.db || echo 'the data is gone')"
    must 'the machine is switched off' box_off
}
source_walk

# ---- upgrades under load: the released versions, built from the git history

V0_1_0=eaf3b6e V0_2_0=1c840df # the last commit of 0.1.0; the first commit of 0.2.0 that makes a package
old_source() { # COMMIT
    mkdir -p "$dir/$1" && git archive "$1" | tar -x -C "$dir/$1" && cd "$dir/$1" && autoreconf -i &&
        ./configure --disable-tests --prefix=/usr --sysconfdir=/etc --with-systemdsystemunitdir=/lib/systemd/system
}
make_package() { (old_source "$V0_2_0" && MAKEFLAGS='' make deb); }
make_install() { (old_source "$V0_1_0" && MAKEFLAGS='' make -j2 && make install DESTDIR="$PWD/image" && cd image && tar -cf "$dir/0.1.0.tar" .); }
old_0_2_0() { put "$(ls "$dir/$V0_2_0"/deb/fonproxy-analytics_*.deb)" old.deb && box dpkg -i /srv/boot/old.deb; }
# 0.1.0 had no package: `make install`, and the commands of its README.
old_0_1_0() {
    put "$dir/0.1.0.tar" old.tar && box tar -C / --no-overwrite-dir --keep-directory-symlink -xf /srv/boot/old.tar && box systemd-sysusers &&
        box systemd-tmpfiles --create && box systemctl daemon-reload && box systemctl enable --now fonproxy-analytics.target "${SERVICES[@]}"
}
upgrade() { # VERSION
    local before
    new_box "$1"
    put "$dir/next.deb" new.deb
    must "$1 is installed" "old_${1//./_}"
    must "nginx takes the drop-in of $1" site
    started "$1"
    load
    await 20 test -s "$BOOT/acknowledged.1" || true
    before=$(pids)
    box sh -c 'mkdir -p /root/clone/build/deb && mv /srv/boot/new.deb /root/clone/build/deb/fonproxy-analytics_next.deb'
    must "$1 is upgraded" in_clone "$(documented Upgrade package | sed -n '/^apt install /p')"
    [ "$1" != 0.1.0 ] || must 'the programs of 0.1.0 end' box systemctl restart "${SERVICES[@]}" # to dpkg, this is a first installation
    is_replaced "$1 upgraded" "$before"
    no_load "$1 upgraded" lossless
    started "$1 upgraded"
    verdict "$1 upgraded" "$(box analyticsctl --data $DATA verify >"$dir/verify" 2>&1 || cat "$dir/verify")"
    must 'the machine is switched off' box_off
}
if git rev-parse -q --verify "$V0_1_0^{commit}" >/dev/null 2>&1; then
    next_version "$DEB" 1 "$dir/next.deb"
    must '0.1.0 is built' make_install
    must '0.2.0 is built' make_package
    upgrade 0.1.0
    upgrade 0.2.0
else
    echo '# no git history: the upgrades are not tried'
fi
end
