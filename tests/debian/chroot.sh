#!/usr/bin/env bash
# chroot.sh DEB TARBALL: installs the Debian package in a fresh Debian system, looks at what it installed, upgrades it,
# removes it and purges it; then builds the tarball there, without autotools. No systemd runs in there: the test starts
# the programs itself, and where the package calls systemctl, a stand-in notes the calls. Everything happens in a mount
# and a process namespace of its own, so that nothing is left mounted or running. Needs root, debootstrap and a mirror;
# some minutes.
#
# Seen to fail:
#   no dh-sequence-installsysusers -> "FAIL installed: no user fonproxy-analytics"
#   rm -rf /var/lib/fonproxy-analytics/* in postrm -> "FAIL purged: the data: . …"
#   dh_installsystemd without its two options -> "FAIL upgraded: requests are lost by: restart fonproxy-analytics.target"
#   ExecReload=/bin/kill in the units -> "FAIL systemd-analyze verify: …Command /bin/kill is not executable…" (no procps)
# and a file that is missing in EXTRA_DIST ends `make deb`.
SELF=$(realpath "${BASH_SOURCE[0]}")
if [ -z "${IN_NAMESPACE:-}" ]; then
    [ "$EUID" -eq 0 ] && command -v debootstrap >/dev/null || { echo 'needs root and debootstrap' >&2 && exit 77; }
    IN_NAMESPACE=yes exec unshare --mount --pid --fork --kill-child --mount-proc bash "$SELF" "$@"
fi
DEB=$(realpath "$1") TARBALL=$(realpath "$2")
. "${SELF%/*}/../support/totals.sh"
. "${SELF%/*}/../support/debian.sh"
dir=$(mktemp -d /var/tmp/analytics-debian.XXXXXX)
root=$dir/root
finished() {
    umount -R "$root/proc" 2>/dev/null || true
    rm -rf --one-file-system "$dir"
}
trap finished EXIT

must() { # WHAT COMMAND…: a step without which nothing goes on
    local what=$1
    shift
    if ! "$@" >"$dir/log" 2>&1 </dev/null; then
        verdict "$what" "$(tail -n 40 "$dir/log")"
        finish
        exit 1
    fi
    verdict "$what" ''
}
inside() { chroot "$root" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C "$@"; }
as_documented() { inside APT_CONFIG=/tmp/yes.conf sh -c "$1"; }
apt() { inside apt-get -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 "$@"; }

# ---- a fresh Debian

must debootstrap fresh_debian "$root"
mount -t proc proc "$root/proc"
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"

echo 'APT::Get::Assume-Yes "true";' >"$root/tmp/yes.conf"

# ---- installed

cp "$DEB" "$root/tmp/fonproxy-analytics.deb"
must 'apt-get install' apt install /tmp/fonproxy-analytics.deb
stat_is() { # WHEN PATH 'MODE USER GROUP'
    local is
    is=$(inside stat -c '%a %U %G' "$2" 2>&1) || true
    verdict "$1" "$([ "$is" = "$3" ] || echo "$2 is '$is', not '$3'")"
}
is_installed() { # WHEN
    verdict "$1" "$(inside getent passwd fonproxy-analytics | contains ':/var/lib/fonproxy-analytics:/usr/sbin/nologin$' || echo 'no user fonproxy-analytics')"
    stat_is "$1" /var/lib/fonproxy-analytics '700 fonproxy-analytics fonproxy-analytics'
    stat_is "$1" /run/fonproxy-analytics '750 root www-data'
    verdict "$1" "$([ "$(inside systemctl is-enabled fonproxy-analytics.target)" = enabled ] || echo 'the target is not enabled')"
    verdict "$1" "$(inside analytics-ingest --check-config 2>&1 | grep -v ' settings are good: ' || true)"
    verdict "$1" "$([ -z "$(find "$root/var/lib/fonproxy-analytics" -name '*.key')" ] || echo 'keys were made at installation: every copy of this system would have them')"
}
is_installed installed
verdict 'systemd-analyze verify' "$(inside systemd-analyze verify --man=no fonproxy-analytics.target analytics-ingest.service analytics-query@1.service 2>&1 || true)"
for program in analytics-ingest analytics-query analyticsctl; do
    verdict "$program --version" "$(inside $program --version >/dev/null 2>&1 || echo 'does not run: is a Depends missing?')"
done
verdict 'files outside of the package' "$(inside dpkg --verify fonproxy-analytics 2>&1)"

# ---- it works: started by the lines of the unit, as its user. From here on there is data.

as_service() { inside setpriv --reuid fonproxy-analytics --regid fonproxy-analytics --clear-groups "$@"; }
start=$(sed -n 's/^ExecStartPre=//p' "$root/lib/systemd/system/analytics-ingest.service")
read -ra start <<<"$start"
must 'ExecStartPre=' as_service "${start[@]}"
data() { (cd "$root/var/lib/fonproxy-analytics" && find . -type f ! -name '*-shm' -exec sha256sum {} + | sort && stat -c '%n %U %u' .); }
before=$(data)
verdict 'the data' "$(grep -q 'analytics\.db' <<<"$before" && grep -q 'admin\.key' <<<"$before" || echo 'is not there')"
data_stays() { verdict "$1" "$([ "$(data 2>&1)" = "$before" ] || echo "the data: $(data 2>&1)")"; }

echo 'log_level = warn # the operator' >>"$root/etc/fonproxy-analytics/analytics.conf"

# ---- upgraded, twice: with the target disabled by the operator, and with a systemd that seems to run

inside systemctl --quiet disable fonproxy-analytics.target 2>/dev/null
next_version "$DEB" 1 "$root/tmp/next.deb"
must 'an upgrade' apt install /tmp/next.deb
data_stays upgraded
settings_stay() { verdict "$1" "$(grep -q 'the operator$' "$root/etc/fonproxy-analytics/analytics.conf" || echo 'the settings are not as the operator left them')"; }
settings_stay upgraded
verdict upgraded "$([ "$(inside systemctl is-enabled fonproxy-analytics.target || true)" = disabled ] || echo 'what the operator had disabled is enabled again')"
inside systemctl --quiet enable fonproxy-analytics.target analytics-query@5.service 2>/dev/null

told() { grep -vE '^(is-enabled|is-active|daemon-reload|--version)' "$root/tmp/told" | sort -u; }
seem_to_run() {
    mkdir -p "$root/run/systemd/system"
    rm -f "$root/usr/sbin/policy-rc.d"
    # shellcheck disable=SC2016
    printf '#!/bin/sh\nfor w; do case $w in --system|--quiet) shift ;; *) break ;; esac; done\necho "$*" >>/tmp/told\n[ "$1" != is-enabled ] || echo enabled\n' \
        >"$dir/systemctl"
    mv "$root/bin/systemctl" "$dir/systemctl.real" # in its place: apt gives dpkg a PATH of its own
    install -m 755 "$dir/systemctl" "$root/bin/systemctl"
    : >"$root/tmp/told"
}
seem_to_run
next_version "$DEB" 2 "$root/tmp/next.deb"
must 'an upgrade under systemd' apt install /tmp/next.deb
for words in 'try-restart analytics-ingest.service' 'try-restart analytics-query@*.service' 'start fonproxy-analytics.target'; do
    verdict upgraded "$(told | contains -xF -- "$words" || echo "systemctl is not told '$words'")"
done
verdict upgraded "$(told | grep -E '^(stop|restart) |socket' | sed 's/^/requests are lost by: /')"
data_stays upgraded

# ---- removed, purged, and back

: >"$root/tmp/told"
mapfile -t uninstall < <(documented Uninstall package) # remove, purge
must "${uninstall[0]}" as_documented "${uninstall[0]}"
for unit in fonproxy-analytics.target analytics-ingest.socket analytics-query.socket analytics-ingest.service 'analytics-query@*.service'; do
    verdict removed "$(told | grep -E '^stop ' | tr ' ' '\n' | contains -xF -- "$unit" || echo "$unit is not stopped")"
done
mv "$dir/systemctl.real" "$root/bin/systemctl"
rmdir "$root/run/systemd/system"
data_stays removed
settings_stay removed
must "${uninstall[1]}" as_documented "${uninstall[1]}"
data_stays purged
verdict purged "$(inside getent passwd fonproxy-analytics >/dev/null || echo 'the user is gone, and another may get its number and the data')"
verdict purged "$(find "$root/etc" "$root/lib/systemd" "$root/usr" -name '*analytics*' ! -path '*/dpkg/*' | sed 's/^/left: /')"
verdict purged "$(inside find /etc/systemd/system -xtype l | sed 's/^/a link to nothing: /')"
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
must 'installed again' apt install /tmp/fonproxy-analytics.deb
data_stays 'installed again'
verdict 'installed again' "$([ "$(inside systemctl is-enabled fonproxy-analytics.target)" = enabled ] || echo 'the target is not enabled')"

# ---- uninstalled with the data, by the commands in the text below the table of the page

must "${uninstall[0]}" as_documented "${uninstall[0]}"
mapfile -t rest < <(sed -n 's/^To delete the data as well: //p' docs/operating.md | code)
verdict 'docs/operating.md, Uninstall' "$([ ${#rest[@]} -eq 2 ] || echo 'does not have two commands to delete the data')"
for command in "${rest[@]}"; do must "$command" as_documented "$command"; done
verdict uninstalled "$([ ! -e "$root/var/lib/fonproxy-analytics" ] || echo 'the data is there')"
verdict uninstalled "$(inside getent passwd fonproxy-analytics)"

# ---- the tarball builds with a compiler, make, pkg-config and four libraries

mapfile -t packages < <(awk '$1 == "build" && $3 !~ /^auto/ { print $3 }' packages)
must "apt-get install ${packages[*]} xz-utils" apt install "${packages[@]}" xz-utils
verdict autotools "$(inside sh -c 'command -v autoconf automake' | sed 's/$/ is there, so this shows nothing/')"
tar -C "$root/tmp" -xf "$TARBALL"
must make inside sh -c 'cd /tmp/fonproxy-analytics-*/ && ./configure && make -j2 && make install && analyticsctl --version'
finish
