# shellcheck shell=bash
# debian.sh: sourced after totals.sh by the tests of whole systems. Makes a fresh Debian 12, and a package and a clone
# of a later version. Finds the commands of docs/operating.md.

# From this machine's mirror.
fresh_debian() { # DIR [OPTION…]
    local mirror
    # shellcheck disable=SC2016
    mirror=$(apt-get indextargets --format '$(SITE) $(RELEASE)' 'Created-By: Packages' |
        awk '$1 ~ /\/debian$/ && $2 == "bookworm" { print $1; exit }')
    debootstrap --variant=minbase "${@:2}" bookworm "$1" ${mirror:+"$mirror"}
}

# Writes the same package with a newer version: VERSION+nextN.
next_version() { # DEB N OUT
    local tree
    tree=$(mktemp -d)
    dpkg-deb -R "$1" "$tree"
    sed -i "s/^Version: .*/&+next$2/" "$tree/DEBIAN/control"
    dpkg-deb --root-owner-group -b "$tree" "$3" >/dev/null
    rm -rf "$tree"
}

# The texts between backticks on standard input, a line each.
# shellcheck disable=SC2016
code() { grep -o '`[^`]*`' | tr -d '`'; }

# documented HEADING ROW: the commands of docs/operating.md in a row of the table below this heading, a line each. ROW
# names a way of installing.
documented() {
    awk -v heading="## $1" -v row="$2" -F ' *[|] *' '/^## / { on = $0 == heading } { gsub(/`/, "", $2) } on && $2 == row { print $3 }' \
        docs/operating.md | code | grep . || { echo "FAIL docs/operating.md, $1: has no commands for: $2" >&2 && return 1; }
}

# Makes bundles to clone and to pull from: DIR/source.bundle has the commits, DIR/next.bundle one more, of version
# VERSION.1.
bundles() { # DIR
    local clone=$1/clone-of-next
    git -c safe.directory='*' -c advice.detachedHead=false clone -q . "$clone"
    git -C "$clone" checkout -qB main
    git -C "$clone" bundle create -q "$1/source.bundle" HEAD main
    sed -i '/^AC_INIT/s/\], \[[0-9.]*/&.1/' "$clone/configure.ac"
    sed -i '1s/)/.1)/' "$clone/debian/changelog"
    git -C "$clone" -c user.name=test -c user.email=test@example.com commit -qam 'The next version'
    git -C "$clone" bundle create -q "$1/next.bundle" HEAD main
    rm -rf "$clone"
}
