#!/usr/bin/env python3
"""haproxy.py USERS <haproxy.log >logs.ndjson: HAProxy's log as logs for analyticsctl import. USERS is the file of user
numbers. It reads "option tcplog" and "option httplog", with or without syslog's prefix, and both with four more fields:
%U %bi %[var(txn.user),url_enc] %[var(txn.host)]. docs/migrating.md has the meaning of each field. Times are of the
zone that TZ names. Exit status: logs.run()."""
import re
import sys

import logs

LINE = re.compile(r"(?:.* )?(\S+):\d+ \[(\S+)\.\d{3}\] \S+ (\S+) (?:[-+\d]+/)+\+?(\d+) (?:(-1|\d{3}) )?\+?(\d+) (?:\S+ \S+ )?"
                  r"([-A-Za-z]{2,4}) [+\d/]+ [+\d/]+(?: \{[^}]*\})*(?: \"([^\"]*)\")?(?: (\d+) (\S+) (\S+) (\S+))?", re.ASCII)


def convert(line):
    match = LINE.fullmatch(line)
    if not match:
        raise ValueError("is not a line of option tcplog or httplog")
    client, time, server, elapsed, status, size, state, request, upload, exit_address, user, name = match.groups()
    method, _, target = (request or "").partition(" ")
    scheme = "https" if method == "CONNECT" else "http" if request else "tcp"
    found, port = logs.host_and_port(target.split(" ")[0], {"https": 443, "http": 80}.get(scheme, 0)) if target else ("", 0)
    failed = (status or "")[:1] in ("5", "-") or state[:2] != "--" and state[1] != "D"
    return logs.unquote(user or "-", client), {
        "ts": logs.utc_of_text(time, "%d/%b/%Y:%H:%M:%S"), "domain": found or logs.host(name or ""), "port": port if found else 0,
        "protocol": scheme.upper(), "ip_from": logs.address(client), "ip_out": logs.address(exit_address or ""),
        "peer_id": "" if server.endswith("<NOSRV>") else server, "bytes_received": int(size), "bytes_sent": int(upload or 0),
        "duration_ms": int(elapsed), "error": f"{status or ''} {state}".strip() if failed else "", "error_count": int(failed)}


if __name__ == "__main__":
    sys.exit(logs.run(convert))
