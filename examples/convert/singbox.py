#!/usr/bin/env python3
"""singbox.py USERS <sing-box.log >logs.ndjson: sing-box's log, written with "timestamp": true, as logs for analyticsctl
import. USERS is the file of user numbers. The log has no bytes. docs/migrating.md has the meaning of each field.
Exit status: logs.run()."""
import re
import sys

import logs

COLOUR = re.compile(r"\x1b\[[\d;]*m")
TIME = re.compile(r"([-+]\d{4} \d{4}-\d\d-\d\d \d\d:\d\d:\d\d) [A-Z]+ (.*)", re.ASCII)
CONNECTION = re.compile(r"\[\d+[^]]*\] inbound/(\S+?)\[(.*?)\]: (?:\[(.*)\] )?inbound (packet )?connection to (\S+)")


def convert(line):
    match = TIME.fullmatch(COLOUR.sub("", line))
    if not match:
        raise ValueError('does not begin with a zone and a time: is "timestamp" true in the "log" of the configuration?')
    found = CONNECTION.fullmatch(match[2])
    if not found:
        return None
    kind, tag, user, packet, target = found.groups()
    name, port = logs.host_and_port(target)
    return user or f"{kind}[{tag}]", {
        "ts": logs.utc_of_text(match[1], "%z %Y-%m-%d %H:%M:%S"), "domain": name, "port": port,
        "protocol": "UDP" if packet else "TCP"}


if __name__ == "__main__":
    sys.exit(logs.run(convert))
