#!/usr/bin/env python3
"""3proxy.py USERS <3proxy.log >logs.ndjson: 3proxy's log as logs for analyticsctl import. USERS is the file of user numbers.
It reads the format of 3proxy's sample configuration, and the one that is built in:
logformat "- +_L%t.%.  %N.%p %E %U %C:%c %R:%r %O %I %h %T"
docs/migrating.md has the meaning of each field. Exit status: logs.run()."""
import re
import sys

import logs

LINE = re.compile(r"(\d{10}|\d{12})\.\d{3} +(?:(\S+)\.)?\d+ (\d{5}) (.+?) (\S+):\d+ (\S+):(\d+) (\d+) (\d+) \d+"
                  r"(?: (.*))?", re.ASCII)
REQUEST = re.compile(r"([A-Z]+)[ _](.+?)(?:[ _]HTTP/\d\.\d)?", re.ASCII)


def convert(line):
    match = LINE.fullmatch(line)
    if not match:
        raise ValueError("is not a line of the sample configuration's format")
    time, service, code, user, client, server, port, sent, received, text = match.groups()
    request = REQUEST.fullmatch(text or "")
    name, port = logs.host_and_port(request[2], int(port)) if request else (logs.address(server), int(port))
    failed = not (code == "00000" or code.startswith("0009"))
    return user if user != "-" else client, {
        "ts": logs.utc_of_epoch(time) if len(time) == 10 else logs.utc_of_text(time + "+0000", "%y%m%d%H%M%S%z"),
        "domain": name, "port": port, "protocol": service or "", "ip_from": logs.address(client),
        "bytes_sent": int(sent), "bytes_received": int(received), "error": code if failed else "", "error_count": int(failed)}


if __name__ == "__main__":
    sys.exit(logs.run(convert))
