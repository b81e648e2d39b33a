#!/usr/bin/env python3
"""squid.py <access.log >logs.ndjson: Squid's native access.log as logs for analyticsctl import. docs/migrating.md has the
meaning of each field. Bad lines go to standard error with their numbers; the exit status is then 1."""
import datetime
import hashlib
import json
import re
import sys
import urllib.parse

LINE = re.compile(r"([0-9]{1,11})\.[0-9]{3} +([0-9]{1,15}) (\S+) ([A-Z_]+)/([0-9]{3}) ([0-9]{1,15}) (\S+) (\S+) (\S+) \S+ \S+")
FAILED = re.compile(r"DENIED|ABORTED|TIMEDOUT|/000|/5")
names = {}


def number(name):
    """A stable user id of a name, 1 to 2^53-1; two names with one id are an error."""
    value = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") % (2**53 - 1) + 1
    if names.setdefault(value, name) != name:
        raise ValueError(f"the users {name!r} and {names[value]!r} have the same id {value}")
    return value


def convert(line):
    match = LINE.fullmatch(line)
    if not match:
        raise ValueError("is not a line of the native format")
    seconds, elapsed, client, result, status, size, method, url, user = match.groups()
    parts = urllib.parse.urlsplit("//" + url if method == "CONNECT" else url)
    host = (parts.hostname or "").rstrip(".")
    protocol = "HTTPS" if method == "CONNECT" else parts.scheme.upper()
    outcome = f"{result}/{status}"
    failed = bool(FAILED.search(outcome))
    return {"ts": datetime.datetime.fromtimestamp(int(seconds), datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "user_id": number(urllib.parse.unquote(user) if user != "-" else client), "order_id": 1,
            "domain": host if host.isascii() else host.encode("idna").decode(),
            "port": parts.port or {"HTTP": 80, "HTTPS": 443}.get(protocol, 0),
            "protocol": protocol if host else "", "ip_from": client, "count": 1, "bytes_received": int(size),
            "duration_ms": int(elapsed), "max_concurrency": 1, "error": outcome if failed else "", "error_count": int(failed)}


status = 0
for index, raw in enumerate(sys.stdin.buffer, 1):
    try:
        print(json.dumps(convert(raw.decode().rstrip("\r\n"))))
    except (ValueError, OverflowError, OSError) as reason:  # UnicodeError is a ValueError
        print(f"line {index}: {reason}", file=sys.stderr)
        status = 1
sys.exit(status)
