#!/usr/bin/env bash
# test_clickhouse.sh DEB FOLDER: the package with engine = clickhouse under a systemd that runs as PID 1, before Debian's
# ClickHouse and ZooKeeper: one shard, two replicas. First without the drop-in that gives the units a network: the operator
# is told. Then with it, by the commands of docs/scaling.md: batches under load, a kill, a restart of the machine with
# batches that were not shipped yet, each acknowledged one counted once; and what the drop-in still denies. FOLDER keeps the
# fresh Debian from run to run. Needs root, debootstrap and a mirror; a minute or two. A limit ends it.
#
# Seen to fail:
#   no connect in the drop-in's filter -> "FAIL with the drop-in: health: … Couldn't connect to server; check clickhouse_urls, …"
#   the drop-in with IPAddressAllow=any -> "FAIL 203.0.113.1, in the unit: is reached"
#   one system call more in it -> "FAIL analytics-ingest.service: system calls: other ones with the drop-in: bind connect listen …"
#   the drop-in is there from the start -> "FAIL without the drop-in: doctor: has not 'FAIL  systemd   analytics-ingest.service …"
#   a batch more than was noted -> "FAIL kills, replica 2: 125 batches were acknowledged, it has 126"
#   the spool is removed while the machine is off -> "FAIL after a restart of the machine: health: … another data folder ships …"
LIMIT=900
PRIVATE=10.77.0.1 FOREIGN=203.0.113.1 # in IPAddressAllow= of the drop-in; not in it (RFC 5737)
export BOX_ADDRESSES="$PRIVATE $FOREIGN"
. "${BASH_SOURCE[0]%/*}/service.sh"
conf=/etc/fonproxy-analytics/analytics.conf

# ---- a box with the package and the servers, which tools/clickhouse.sh runs there

SERVERS=${BASE%/*}/servers
mapfile -t packages < <(listed_packages clickhouse)
layer "$SERVERS" 'ClickHouse and ZooKeeper' "${packages[@]}"
new_box new "$SERVERS"
put "$DEB" new.deb
put tools/clickhouse.sh clickhouse.sh
must 'the package is installed' box dpkg -i /srv/boot/new.deb
must 'nginx takes the drop-in' site
started 'first start'
start_servers() {
    box systemctl disable --now clickhouse-server && # Debian's own
        box bash /srv/boot/clickhouse.sh make /srv/servers 1x2 &&
        box sh -c "printf '%s ch1 ch2\n' $PRIVATE >>/etc/hosts" &&
        box sh -c "sed -i 's|<listen_host>.*|&<listen_host>$PRIVATE</listen_host><listen_host>$FOREIGN</listen_host>|
            s|<networks>|&<ip>$PRIVATE</ip><ip>$FOREIGN</ip>|' /srv/servers/server*/config.xml /srv/servers/server*/users.xml" &&
        box sh -c 'cat >/etc/systemd/system/servers.service' <<'END' && box systemctl enable --now servers
[Service]
ExecStart=/bin/bash /srv/boot/clickhouse.sh hold /srv/servers
KillMode=mixed
SuccessExitStatus=143
[Install]
WantedBy=multi-user.target
END
}
servers_are_up() { box test -e /srv/servers/is_up; }
must 'servers for the box' start_servers
must 'the servers start' await 60 servers_are_up
port() { cat "/proc/$BOX_PID/root/srv/servers/server$1/http_port"; } # N
ask_server() { # N SQL
    box curl -s -m 20 -H 'X-ClickHouse-User: analytics' -H "X-ClickHouse-Key: $(box cat /srv/servers/password)" \
        --data-binary "$2" "http://127.0.0.1:$(port "$1")/?database=analytics"
}
# As the API counts, each replica has each acknowledged batch once.
counted_everywhere() { # WHAT
    local all n rows
    counted "$1"
    all=$(acknowledged)
    for n in 1 2; do
        ask_server $n 'SYSTEM SYNC REPLICA log'
        rows=$(ask_server $n 'SELECT count() FROM log')
        verdict "$1, replica $n" "$([ "$rows" = "$all" ] || echo "$all batches were acknowledged, it has $rows")"
    done
}
all_active() { ! (box systemctl is-active "${SERVICES[@]}" || true) | contains -vx active; }
started_with_servers() { # WHAT: a query process that starts before the servers is started again until they answer
    await 60 all_active || true
    started "$1"
}

# ---- the engine without the drop-in

password() { box install -m 0400 -o fonproxy-analytics -g fonproxy-analytics "/srv/servers/$1" "/etc/fonproxy-analytics/$2"; }
must 'the password of who writes' password password clickhouse.password
must 'the password of who reads' password reports.password clickhouse-reports.password
must 'the engine is set' box sed -i "s|^#engine = .*|engine = clickhouse|
    s|^#clickhouse_urls = .*|clickhouse_urls = http://ch1:$(port 1),http://ch2:$(port 2)|
    s|^#\(clickhouse_[a-z_]*password_file = \)|\1|" $conf
filter_of() { box systemctl show --value -p SystemCallFilter "$1" | tr ' ' '\n' | sort; }
for unit in "${SERVICES[@]:0:2}"; do filter_of "$unit" >"$dir/$unit.without"; done
must 'without the drop-in: a restart' box systemctl restart fonproxy-analytics.target
says() { box journalctl -b --no-pager -u "$1" | contains "$2"; } # UNIT PATTERN
for unit in "${SERVICES[@]:0:2}"; do
    needs='under systemd, .*drop-in .*docs/scaling.md'
    await 20 says "$unit" "$needs" || true
    verdict "without the drop-in: the log of $unit" "$(says "$unit" "$needs" || box journalctl -b --no-pager -n 5 -u "$unit")"
done
findings=$(doctor_of systemd)
for unit in "${SERVICES[@]:0:2}"; do
    line="FAIL  systemd   $unit may not connect to ClickHouse: it has no network — install the drop-in clickhouse.conf"
    verdict 'without the drop-in: doctor' "$([[ $findings == *"$line"* ]] || echo "has not '$line': $findings")"
done
answer=$(box curl -s -m 30 -w '%{http_code}' http://127.0.0.1/analytics/health)
verdict 'without the drop-in: health' "$([[ $answer == *'its log says why'*503 ]] || echo "$answer")"

# ---- with it

# shellcheck disable=SC2016
mapfile -t commands < <(sed -n '/^## Under systemd/,/^## /p' docs/scaling.md | sed -n '/^```sh/,/^```$/{/^```/!p}')
verdict 'docs/scaling.md has commands' "$([ ${#commands[@]} -gt 0 ] || echo 'it has none under "Under systemd"')"
for command in "${commands[@]}"; do must "the drop-in: $command" box sh -c "$command"; done
started_with_servers 'with the drop-in'
verdict 'with the drop-in: doctor is content' "$(doctor_of FAIL)"
for unit in "${SERVICES[@]:0:2}"; do
    more=$(filter_of "$unit" | comm -3 "$dir/$unit.without" - | tr -d '\t' | paste -sd' ')
    verdict "$unit: system calls" "$([ "$more" = 'bind connect sendmmsg sendto socket socketpair' ] || echo "other ones with the drop-in: $more")"
done

# ---- under load; a process killed

more_than() { [ "$(acknowledged)" -gt "$1" ]; }
load
for batches in 30 60 90; do
    verdict "kill after $batches batches" "$(await 60 more_than $batches || echo 'so many were not acknowledged within a minute')"
    before="analytics-ingest.service $(pid_of analytics-ingest.service)"
    box systemctl kill -s KILL --kill-who=main analytics-ingest.service
    is_replaced "kill after $batches batches" "$before"
done
verdict 'after the kills' "$(await 60 more_than 120 || echo 'batches are not acknowledged again within a minute')"
no_load kills
counted_everywhere kills

# ---- what the drop-in denies, tried in the cgroup of the unit, whose filter looks at addresses

filters_addresses() { ! box systemd-run --quiet --wait -p IPAddressDeny=any curl -s -m 3 -o /dev/null "http://$PRIVATE:$(port 1)/ping"; }
in_unit() { # COMMAND…
    # shellcheck disable=SC2016
    box sh -c 'echo $$ >/sys/fs/cgroup/system.slice/analytics-ingest.service/cgroup.procs && exec "$@"' in_unit "$@"
}
if filters_addresses; then
    ping=(curl -s -m 3 -o /dev/null)
    for address in $PRIVATE $FOREIGN; do
        verdict "$address, outside of the unit" "$(box "${ping[@]}" "http://$address:$(port 1)/ping" || echo 'is not reached')"
    done
    verdict "$PRIVATE, in the unit" "$(in_unit "${ping[@]}" "http://$PRIVATE:$(port 1)/ping" || echo 'is not reached')"
    verdict "$FOREIGN, in the unit" "$(! in_unit "${ping[@]}" "http://$FOREIGN:$(port 1)/ping" || echo 'is reached')"
    must 'a server that may not be reached' box sed -i.before "s|^clickhouse_urls = .*|clickhouse_urls = http://$FOREIGN:$(port 1)|" $conf
    before=$(pids)
    verdict 'a reload with a server that may not be reached' "$(box systemctl reload analytics-ingest.service >/dev/null 2>&1 && echo 'does not fail' || true)"
    verdict 'a reload with a server that may not be reached' "$(says analytics-ingest.service "no answer of ClickHouse at http://$FOREIGN" || echo 'the journal does not name the server')"
    verdict 'a reload with a server that may not be reached' "$([ "$(pids)" = "$before" ] || echo 'a program ended')"
    must 'the servers of before' box mv $conf.before $conf
else
    echo '# not tried: what IPAddressAllow= denies; the kernel does not filter addresses by cgroup here'
fi

# ---- the machine restarts with what was not shipped yet

must 'the servers are killed' box systemctl kill -s KILL servers
for round in $(seq 20); do
    code=$(post)
    verdict "batch $round, servers away" "$([ "$code" = 204 ] || echo "$code")"
    [ "$code" != 204 ] || echo "$code" >>"$BOOT/acknowledged.away"
done
must 'the machine is switched off' box_off
boots new 'the machine boots again'
started_with_servers 'after a restart of the machine'
counted_everywhere 'after a restart of the machine'
verdict 'after a restart of the machine: doctor is content' "$(doctor_of FAIL)"
must 'the machine is switched off' box_off
end
