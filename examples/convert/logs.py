"""logs.py: what the converters beside it share: host names, addresses, times, and the numbers of users. Knows no
program's log format."""
import datetime
import fcntl
import ipaddress
import json
import os
import sys
import urllib.parse

LARGEST_ID = 2**53 - 1
LONGEST_LINE = 1 << 16


def bare(text):
    """Without the brackets of an IPv6 address."""
    return text[1:-1] if text.startswith("[") and text.endswith("]") else text


def address(text):
    """An IPv4 or IPv6 address, in its one spelling; empty for anything else, such as - or unix:."""
    try:
        found = ipaddress.ip_address(bare(text).partition("%")[0])
        return str(getattr(found, "ipv4_mapped", None) or found)
    except ValueError:
        return ""


def host(text):
    """A bare host name or address: no brackets, no dot at the end, international names as A-labels. Empty for - and none."""
    name = bare(text).rstrip(".").lower()
    if name in ("", "-"):
        return ""
    return address(name) or (name if name.isascii() else name.encode("idna").decode())


def host_and_port(text, default=0):
    """Of HOST, HOST:PORT, ADDRESS, [ADDRESS]:PORT, or a URL's //HOST:PORT/path."""
    if address(text):
        return address(text), default
    parts = urllib.parse.urlsplit(text if "//" in text else "//" + text)
    return host(parts.hostname or ""), default if parts.port is None else parts.port


def unquote(user, client):
    """A user name without its % escapes; the client's address in place of -."""
    return urllib.parse.unquote(user, errors="surrogateescape") if user != "-" else client


def utc(moment):
    return moment.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def utc_of_epoch(seconds):
    return utc(datetime.datetime.fromtimestamp(int(seconds), datetime.timezone.utc))


def utc_of_text(text, pattern):
    """A time without a zone is of the zone that TZ names, by default the system's."""
    return utc(datetime.datetime.strptime(text, pattern))


class Stop(Exception):
    """Only the operator can help."""


class Users:
    """The numbers of user names, in a file of lines: the number, a tab, the name in double quotes (a JSON string).

    A name keeps its number for ever. It is on the disk before a log with it is printed. A number is given with a lock on
    the file, so any number of converters may use it at once."""

    def __init__(self, path):
        self.file = open(path, "a+b")
        self.numbers, self.end = {}, 0
        self.locked(self.read)

    def locked(self, work, *words):
        fcntl.flock(self.file, fcntl.LOCK_EX)
        try:
            work(*words)
        finally:
            fcntl.flock(self.file, fcntl.LOCK_UN)

    def read(self):
        """The lines that were added since the last look."""
        self.file.seek(self.end)
        for line in self.file.readlines():
            whole = line.endswith(b"\n")
            try:
                self.learn(line)
            except ValueError as reason:
                if whole:
                    raise Stop(f"{self.file.name}, line {len(self.numbers) + 1}: {reason}") from reason
                self.file.truncate(self.end)  # the beginning of a line: whoever wrote it was killed
                return
            if not whole:
                self.write(b"\n")  # an editor has left it out
            self.end += len(line) + (not whole)

    def learn(self, line):
        number, _, quoted = line.decode().partition("\t")
        name = json.loads(quoted)
        if not isinstance(name, str) or not 1 <= int(number) <= LARGEST_ID or name in self.numbers:
            raise ValueError(f"must be a number from 1 to {LARGEST_ID}, a tab, and a new name in double quotes, but is {line}")
        self.numbers[name] = int(number)

    def write(self, line):
        self.file.write(line)
        self.file.flush()
        os.fsync(self.file.fileno())

    def add(self, name):
        self.read()
        number = max(self.numbers.values(), default=0) + 1
        if number > LARGEST_ID:
            raise Stop(f"{self.file.name} has given the last number, {LARGEST_ID}")
        if name not in self.numbers:
            self.write(b"%d\t%s\n" % (number, json.dumps(name).encode()))
            self.read()

    def number(self, name):
        if name not in self.numbers:
            self.locked(self.add, name)
        return self.numbers[name]


def log(users, user, **members):
    """A line of output. A user has one order, with the user's own number. A line of a log is one request or connection."""
    number = users.number(user)
    return json.dumps({"user_id": number, "order_id": number, "count": 1, "max_concurrency": 1, **members})


def run(convert):
    """Calls convert(line), which returns a user and the members of a log, or None for a line about something else.

    Exit status 0: every line was converted; 1: lines were bad, each is named on standard error; 2: stopped."""
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print(sys.modules["__main__"].__doc__, file=sys.stderr)
        return 2
    bad = False
    try:
        users = Users(sys.argv[1])
        for index, raw in enumerate(sys.stdin.buffer, 1):
            try:
                if len(raw) > LONGEST_LINE:
                    raise ValueError(f"has {len(raw)} bytes, more than {LONGEST_LINE}")
                found = convert(raw.decode().rstrip("\r\n"))
            except (ValueError, OverflowError) as reason:  # UnicodeError is a ValueError
                print(f"line {index}: {reason}", file=sys.stderr)
                bad = True
                continue
            if found:
                print(log(users, found[0], **found[1]))
        sys.stdout.flush()
    except (OSError, Stop) as reason:
        print(reason, file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left in the buffer cannot be written at the end either
        return 2
    return 1 if bad else 0
