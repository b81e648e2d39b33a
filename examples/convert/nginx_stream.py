#!/usr/bin/env python3
"""nginx_stream.py USERS <stream.log >logs.ndjson: the log of nginx's stream module as logs for analyticsctl import. USERS
is the file of user numbers. It reads this format; what stands in double quotes may be missing:
log_format analytics '$remote_addr [$time_local] $protocol $status $bytes_sent $bytes_received $session_time "$upstream_addr" '
    '"$upstream_bytes_sent" "$upstream_bytes_received" "$upstream_connect_time" "$ssl_preread_server_name"';
docs/migrating.md has the meaning of each field. Exit status: logs.run()."""
import re
import sys

import logs

LINE = re.compile(r"(\S+) \[([^]]+)\] (TCP|UDP) (\d{3}) (\d+) (\d+) (\d+)\.(\d{3})"
                  r"(?: \"([^\"]*)\" \"([^\"]*)\" \"[^\"]*\" \"[^\"]*\"(?: \"([^\"]*)\")?)?", re.ASCII)


def convert(line):
    match = LINE.fullmatch(line)
    if not match:
        raise ValueError("is not a line of the format")
    client, time, protocol, status, down, up, seconds, thousandths, servers, tries, name = match.groups()
    to_server = sum(int(count) for count in re.findall(r"\d+", tries or ""))
    failed = status != "200"
    return client, {
        "ts": logs.utc_of_text(time, "%d/%b/%Y:%H:%M:%S %z"), "domain": logs.host(name or ""), "protocol": protocol,
        "ip_from": logs.address(client), "peer_id": (servers or "-").split(", ")[-1].strip("-"),
        "bytes_received": int(down), "bytes_sent": max(int(up), to_server),
        "duration_ms": int(seconds + thousandths), "error": status if failed else "", "error_count": int(failed)}


if __name__ == "__main__":
    sys.exit(logs.run(convert))
