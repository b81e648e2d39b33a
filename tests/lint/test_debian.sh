#!/usr/bin/env bash
# test_debian.sh: debian/ agrees with the tree: the changelog has the version of the program, Build-Depends has the
# packages of `packages`, shellcheck accepts the scripts, the maintainers have one address, and the paths that
# README.Debian names are installed.
# The package itself is built by `make deb` and tried by `make check-deb`.
#
# Seen to fail:
#   another version in configure.ac -> "FAIL debian/changelog: is for 0.2.0, the program is 0.2.1"
#   no heading for 0.1.0 in CHANGES.md, or 0.2.1 in configure.ac -> "FAIL the text of 0.2.1: is not in CHANGES.md"
#   no zlib1g-dev in Build-Depends -> "FAIL Build-Depends: < zlib1g-dev"
#   another address in debian/changelog -> "FAIL debian/changelog: its newest entry is not by …"
#   tls-server.conf in README.Debian -> "FAIL README.Debian: names tls-server.conf, which nginx/ has not"
. "${BASH_SOURCE[0]%/*}/../support/totals.sh"

version=$(sed -n 's/^AC_INIT(\[fonproxy-analytics\], \[\([^]]*\)\].*/\1/p' configure.ac)
changelog=$(sed -n '1s/^fonproxy-analytics (\(.*\)) .*/\1/p' debian/changelog)
verdict debian/changelog "$([ -n "$version" ] && [ "$changelog" = "$version" ] || echo "is for $changelog, the program is $version")"
verdict Build-Depends "$(diff <(awk '$1 == "build" && $3 ~ /^pkgconf$|^lib(.*)-dev$|^zlib/ && $3 != "libc6-dev" { print $3 }' packages | sort) \
    <(sed -n '/^Build-Depends:/,/^[A-Z].*:/s/^ \([a-z0-9-]*\).*/\1/p' debian/control | grep -v '^debhelper\|^dh-' | sort) | grep '^[<>]' || true)"
# ---- each release has the text of its tag, by the command that CONTRIBUTING.md gives

command=$(sed -n "s/^\(awk -v version=\)[0-9.]* \(.* CHANGES.md\) | git tag .*/\1RELEASE \2/p" CONTRIBUTING.md)
text_of() { bash -c "${command/RELEASE/$1}"; }
for release in $(sed -n 's/^## \([0-9].*\)/\1/p' CHANGES.md) "$version"; do
    verdict "the text of $release" "$(text=$(text_of "$release") && [ "$(grep -c '^## ' <<<"$text")" = 1 ] && [ "$(wc -l <<<"$text")" -gt 2 ] || echo 'is not in CHANGES.md')"
done

maintainer=$(sed -n 's/^Maintainer: //p' debian/control)
verdict debian/changelog "$(grep -m 1 '^ -- ' debian/changelog | contains -F -- " -- $maintainer  " || echo "its newest entry is not by $maintainer")"
verdict SECURITY.md "$(grep -qF "<${maintainer##*<}" SECURITY.md || echo "does not give the address of $maintainer")"
for script in postinst prerm postrm; do
    verdict "debian/$script" "$(sh -n "debian/$script" 2>&1)"
    verdict "debian/$script" "$(! command -v shellcheck >/dev/null || shellcheck "debian/$script" 2>&1)"
    verdict "debian/$script" "$(grep -qx '#DEBHELPER#' "debian/$script" || echo 'has no place for debhelper')"
done
while read -r file; do
    verdict README.Debian "$([ -e "nginx/$file" ] || [ -e "nginx/$file.in" ] || echo "names $file, which nginx/ has not")"
done < <(grep -o '/usr/share/fonproxy-analytics/nginx/[a-z.-]*[a-z]' debian/fonproxy-analytics.README.Debian | sed 's|.*/||' | sort -u)
while read -r unit; do
    verdict README.Debian "$([ -e "systemd/$unit" ] || [ -e "systemd/$unit.in" ] || echo "names $unit, which systemd/ has not")"
done < <(grep -oE '(analytics-[a-z]+(@[0-9])?|fonproxy-analytics)\.(service|socket|target)' debian/*.README.Debian debian/postinst debian/prerm | sed 's/.*://; s/@[0-9]/@/' | sort -u)
etc=$(mktemp -d)
trap 'rm -rf "$etc"' EXIT
mkdir -p "$etc/etc/nginx/sites-enabled"
echo '# include /usr/share/fonproxy-analytics/nginx/analytics.conf;' >"$etc/etc/nginx/nginx.conf"
verdict 'prerm without our files in nginx' "$(DPKG_ROOT=$etc sh debian/prerm remove 2>&1)"
echo '    include /usr/share/fonproxy-analytics/nginx/analytics.conf;' >"$etc/etc/nginx/sites-enabled/site"
verdict 'prerm with them' "$(DPKG_ROOT=$etc sh debian/prerm remove 2>&1 | contains -xF "    $etc/etc/nginx/sites-enabled/site" || echo 'does not name the file')"
verdict 'prerm of an upgrade' "$(DPKG_ROOT=$etc sh debian/prerm upgrade 0.3.0 2>&1)"
verdict 'the data' "$(grep -nE 'rm .*/var/lib|deluser|userdel' debian/post* debian/pre* | sed 's/$/: the package takes data or its user away/')"
finish
