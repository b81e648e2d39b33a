#!/usr/bin/env python3
"""xray.py USERS <access.log >logs.ndjson: the access log of Xray or V2Ray as logs for analyticsctl import. USERS is the file
of user numbers. The log has no bytes. docs/migrating.md has the meaning of each field. Times are of the zone that TZ names.
Exit status: logs.run()."""
import re
import sys

import logs

TIME = re.compile(r"(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d)(?:\.\d+)? (.*)", re.ASCII)
CONNECTION = re.compile(r"(?:from )?(?:(?:tcp|udp):)?(\S+) (accepted|rejected) +(?:(tcp|udp):)?(\S*)(?: \[([^]]*)\])?(.*)")
USER = re.compile(r"email: ?(.+)")


def convert(line):
    match = TIME.fullmatch(line)
    if not match:
        raise ValueError("does not begin with a time such as 2026/03/15 10:15:00")
    found = CONNECTION.fullmatch(match[2])
    if not found:
        return None
    source, status, network, target, route, rest = found.groups()
    client = logs.bare(source.rpartition(":")[0]) or source
    name, port = logs.host_and_port(target, 80 if target.startswith("http:") else 0) if status == "accepted" else ("", 0)
    user, failed = USER.search(rest.rstrip()), status == "rejected"
    return user[1] if user else client, {
        "ts": logs.utc_of_text(match[1], "%Y/%m/%d %H:%M:%S"), "domain": name, "port": port,
        "protocol": (network or "tcp").upper(), "ip_from": logs.address(client),
        "peer_id": re.split(r" (?:->|>>|==) ", route or "")[-1],
        "error": "rejected" if failed else "", "error_count": int(failed)}


if __name__ == "__main__":
    sys.exit(logs.run(convert))
