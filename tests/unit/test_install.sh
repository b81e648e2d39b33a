#!/usr/bin/env bash
# test_install.sh: `make install` puts everything where the Filesystem Hierarchy Standard says, with the usual modes, below
# /usr, /usr/local or a folder in /opt. Paths in installed files exist. `make uninstall` removes all of it.
#
# Seen to fail:
#   sysusers not removed by uninstall-hook -> "FAIL prefix /usr: uninstall leaves usr/lib/sysusers.d/fonproxy-analytics.conf"
#   analyticsctl in sbin_PROGRAMS -> "FAIL prefix /usr: nothing belongs in usr/sbin/analyticsctl", "… no usr/bin/analyticsctl"
#   no sed in install-data-hook, below /opt -> "FAIL an example: names /usr/local/share/…, which is not there"
. "${BASH_SOURCE[0]%/*}/../support/totals.sh"
BUILD=${ANALYTICS_BUILDDIR:?is not set: run the tests through make check}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
umask 022

# The files that belong below a prefix.
known='bin/analyticsctl|sbin/analytics-(ingest|query)|share/man/man[158]/analytics[a-z.-]*\.[158]|share/doc/fonproxy-analytics/([A-Za-z.]+|(docs/(bench/)?|examples/(convert/)?)[a-z0-9_.-]+)
|share/bash-completion/completions/analyticsctl|share/fonproxy-analytics/([a-z]+/)*[a-z.-]+|lib/(sysusers|tmpfiles)\.d/fonproxy-analytics\.conf
|lib/systemd/system/(analytics-ingest\.(socket|service)|analytics-query(\.socket|@\.service)|fonproxy-analytics\.target)'

make_() { # TARGET VARIABLE…
    MAKEFLAGS='' make -s -C "$BUILD" "$@" DESTDIR="$dir/root" >"$dir/log" 2>&1 || cat "$dir/log"
}
below() { (cd "$dir/root" && find . ! -type d "$@" | sed 's|^\./||' | sort); }

for prefix in /usr /usr/local /opt/analytics; do
    sysconfdir=/etc
    [ $prefix = /usr ] || sysconfdir=$prefix/etc
    variables=(prefix="$prefix" sysconfdir="$sysconfdir" datarootdir="$prefix/share" exec_prefix="$prefix"
        systemdsystemunitdir="$prefix/lib/systemd/system")
    verdict "prefix $prefix" "$(make_ install "${variables[@]}")"
    verdict "prefix $prefix" "$(below | grep -vE "^(${prefix#/}/($(tr -d '\n' <<<"$known"))|${sysconfdir#/}/fonproxy-analytics/analytics\.conf)\$" |
        sed 's/^/nothing belongs in /')"
    for file in bin/analyticsctl sbin/analytics-{ingest,query} share/man/man1/analyticsctl.1 share/man/man8/analytics-{ingest,query}.8 \
        share/doc/fonproxy-analytics/{README.md,LICENSE,docs/api.md} share/fonproxy-analytics/nginx/analytics.conf \
        share/bash-completion/completions/analyticsctl share/man/man5/analytics.conf.5 lib/systemd/system/fonproxy-analytics.target; do
        verdict "prefix $prefix" "$([ -s "$dir/root$prefix/$file" ] || echo "no ${prefix#/}/$file")"
    done
    verdict "prefix $prefix" "$(below -perm 755 | grep -v bin/ | sed 's/^/a program outside of bin and sbin: /')"
    verdict "prefix $prefix" "$(below ! -perm 755 ! -perm 644 | sed 's/^/the mode of /')"
    verdict "prefix $prefix" "$(below -path '*bin/*' ! -perm 755 | sed 's/^/not executable: /')"
    while read -r path; do
        verdict 'an example' "$([ -e "$dir/root$path" ] || echo "names $path, which is not there")"
    done < <(sed -n 's/^ *include \(.*\);$/\1/p' "$dir/root$prefix/share/fonproxy-analytics/nginx/"{tls-server,front-nodes}.conf.example)
    verdict "prefix $prefix" "$(make_ uninstall "${variables[@]}")"
    verdict "prefix $prefix" "$(below | sed 's/^/uninstall leaves /')"
    verdict "prefix $prefix" "$(cd "$dir/root" && find . -name 'fonproxy-analytics*' -prune | sed 's/^/uninstall leaves folder /')"
    rm -rf "$dir/root"
done

# Units and pages name paths as configure was told.
verdict 'make install' "$(make_ install)"
while read -r file; do
    while read -r path; do
        verdict "${file##*/}" "$([ -e "$dir/root$path" ] || echo "names $path, which is not there")"
    done < <(sed -nE 's/^\.Pa (\/[^ ]*\/(doc|share)\/[^ ]*).*/\1/p; /^(Exec|Documentation=)/s/.*[:=](\/[^ ]*\/(bin|sbin|doc)\/[^ ]*analytics[^ ]*).*/\1/p' "$file")
done < <(find "$dir/root" -name '*.service' -o -path '*/man/man?/analytics*')
finish
