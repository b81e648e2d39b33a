# shellcheck shell=bash
# debian.sh: sourced after totals.sh by the tests of the package. A fresh Debian 12, and a package of a later version.

# With this machine's mirror. Options of debootstrap may follow.
fresh_debian() { # DIR [OPTION…]
    local mirror
    # shellcheck disable=SC2016
    mirror=$(apt-get indextargets --format '$(SITE) $(RELEASE)' 'Created-By: Packages' |
        awk '$1 ~ /\/debian$/ && $2 == "bookworm" { print $1; exit }')
    debootstrap --variant=minbase "${@:2}" bookworm "$1" ${mirror:+"$mirror"}
}

# The same package under a version that is newer: VERSION+nextN.
next_version() { # DEB N OUT
    local tree
    tree=$(mktemp -d)
    dpkg-deb -R "$1" "$tree"
    sed -i "s/^Version: .*/&+next$2/" "$tree/DEBIAN/control"
    dpkg-deb --root-owner-group -b "$tree" "$3" >/dev/null
    rm -rf "$tree"
}
