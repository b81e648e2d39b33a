#!/usr/bin/env python3
"""squid.py USERS <access.log >logs.ndjson: Squid's access.log as logs for analyticsctl import. USERS is the file of user
numbers. It reads the native format, and this one, which also has what the client sent and the exit address:
logformat analytics %ts.%03tu %6tr %>a %Ss/%03>Hs %<st %rm %ru %#un %Sh/%<a %mt %>st %<la
docs/migrating.md has the meaning of each field. Exit status: logs.run()."""
import re
import sys

import logs

LINE = re.compile(r"(\d{1,11})\.\d{3} +(-?\d{1,15}) (\S+) ([A-Z_]+/\d{3}) (\d{1,15}) (\S+) (\S+) (.+?) "
                  r"([A-Z_]+)/(\S+) \S+(?: (\d{1,15}) (\S+))?", re.ASCII)
FAILED = re.compile(r"DENIED|ABORTED|TIMEDOUT|/000|/5|NONE/4")


def convert(line):
    match = LINE.fullmatch(line)
    if not match:
        raise ValueError("is not a line of the native format")
    seconds, elapsed, client, outcome, size, method, url, user, hierarchy, peer, upload, exit_address = match.groups()
    scheme = "https" if method == "CONNECT" else url.partition(":")[0]
    name, port = ("", 0) if scheme == "error" else logs.host_and_port(url, {"https": 443, "http": 80}.get(scheme, 0))
    failed = bool(FAILED.search(outcome))
    return logs.unquote(user.replace("\\\\", "\\"), client), {
        "ts": logs.utc_of_epoch(seconds), "domain": name, "port": port, "protocol": scheme.upper() if name else "",
        "ip_from": logs.address(client), "ip_out": logs.address(exit_address or ""),
        "peer_id": peer if "PARENT" in hierarchy else "", "bytes_received": int(size), "bytes_sent": int(upload or 0),
        "duration_ms": max(int(elapsed), 0), "error": outcome if failed else "", "error_count": int(failed)}


if __name__ == "__main__":
    sys.exit(logs.run(convert))
