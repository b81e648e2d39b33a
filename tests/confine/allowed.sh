#!/usr/bin/env bash
# allowed.sh UNIT: the system calls that a unit's SystemCallFilter= lines permit, one a line. The sets come from
# `systemd-analyze syscall-filter`, which needs no running systemd.
set -euo pipefail

sets=$(systemd-analyze --no-pager syscall-filter 2>/dev/null)
[ -n "$sets" ] || {
    echo 'allowed.sh: systemd-analyze names no system calls' >&2
    exit 1
}
awk '
    function expand(name, value,    part, n, i) { # sets allowed[…] for a call, or for all of a set
        if (name !~ /^@/) { allowed[name] = value; return }
        if (!(name in members)) { print "allowed.sh: unknown set " name >"/dev/stderr"; bad = 1; return }
        n = split(members[name], part, " ")
        for (i = 1; i <= n; i++) expand(part[i], value)
    }
    FILENAME == "-" && /^@/ { set = $1; members[set] = ""; next }
    FILENAME == "-" && /^    [^# ]/ { members[set] = members[set] " " $1; next }
    FILENAME == "-" && /^#/ { set = "" } # calls that are in no set
    FILENAME != "-" && sub(/^SystemCallFilter=/, "") {
        value = !sub(/^~/, "")
        if (!seen++) expand("@default", 1) # systemd always permits these
        n = split($0, word, " ")
        for (i = 1; i <= n; i++) expand(word[i], value)
    }
    END {
        if (!seen) { print "allowed.sh: no SystemCallFilter=" >"/dev/stderr"; bad = 1 }
        for (name in allowed) if (allowed[name]) print name
        exit bad
    }' - "$1" <<<"$sets" | sort
