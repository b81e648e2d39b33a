#!/usr/bin/env python3
"""ship.py URL KEY-FILE LOG STATE [--once]: follows LOG, a JSON object a line, and sends each line once.

STATE is a file of this program's own: what it has read, and the batches that are not stored yet. --once: ends at the
end of LOG. Lines that are refused go to STATE.refused, each with the reason.
Exit status 0: every line is stored; 1: lines were refused, or may be lost; 2: stopped (STATE keeps its place)."""
import fcntl
import glob
import hashlib
import http.client
import json
import os
import pathlib
import re
import secrets
import sys
import time
import urllib.error
import urllib.request

LINES = 1000  # in a batch
BYTES = 1 << 20  # in a line, and about as much in a batch
PRINT_BYTES = 4096  # at the beginning of a file and before the offset: what tells one file from another
LONGEST_WAIT = 3600  # seconds, whatever Retry-After says
SECONDS = 5  # between two looks at LOG


class Stop(Exception):
    """Only the operator can help."""


def say(words):
    print(f"ship.py: {words}", file=sys.stderr, flush=True)


# ---- the file


def look(path):
    """os.stat(), or None: a file may be renamed at any moment."""
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def fingerprint(log, offset):
    """Tells what stands before the offset; None when the file is shorter."""
    if os.fstat(log.fileno()).st_size < offset:
        return None
    size = min(offset, PRINT_BYTES)
    return hashlib.sha256(os.pread(log.fileno(), size, 0) + os.pread(log.fileno(), size, offset - size)).hexdigest()


def zeros(log):
    """How many zero bytes the file begins with: a writer without O_APPEND leaves them where a truncated file was."""
    count, piece = 0, b"\0"
    while piece and not piece.strip(b"\0"):
        piece = os.pread(log.fileno(), BYTES, count)
        count += len(piece) - len(piece.lstrip(b"\0"))
    return count


def read_lines(log, offset, final):
    """Whole lines for a batch, each with its length. In a file that is final, the last one needs no newline."""
    hole = zeros(log) if offset == 0 else 0
    lines, room = [(b"", hole)] if hole else [], BYTES
    log.seek(offset + hole)
    while len(lines) < LINES and room > 0:
        line = last = log.readline(BYTES)
        length = len(line)
        while len(last) == BYTES and not last.endswith(b"\n"):  # too long: only its beginning is kept
            line, last = line[:PRINT_BYTES], log.readline(BYTES)
            length += len(last)
        if not length or not (final or last.endswith(b"\n")):
            break
        lines.append((line, length))
        room -= length
    return lines


def read_steadily(log, offset, final):
    """Lines, the offset after them, and the fingerprint there: all of one file, even if it is truncated meanwhile."""
    while True:
        lines = read_lines(log, offset, final)
        end = offset + sum(length for _, length in lines)
        seen = fingerprint(log, end)
        if lines == read_lines(log, offset, final) and (seen or not lines):
            return lines, end, seen


def fault(line, length):
    """Why the line cannot be a log, as far as it can be seen here; None leaves it to the service."""
    if length >= BYTES:
        return f"a line must have less than {BYTES} bytes, but has {length}; only its beginning is kept"
    try:
        line.encode()
        return None if isinstance(json.loads(line), dict) else "the line is not a JSON object"
    except (ValueError, RecursionError) as reason:
        return f"the line is not JSON in UTF-8: {reason}"


def text(line):
    return line.strip().decode("utf-8", "surrogateescape")


# ---- the service


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """The API key is not for another address, and a redirected POST would become a GET."""

    def redirect_request(self, *_):
        return None


OPENER = urllib.request.build_opener(NoRedirect)


def post(url, api_key, key, lines):
    """One try: the status (0: no answer), what was said, and for how many seconds to wait before the next."""
    body = ('{"logs":[' + ",".join(lines) + "]}").encode("utf-8", "surrogateescape")
    try:
        request = urllib.request.Request(url + "/analytics/ingest", data=body, headers={
            "x-api-key": api_key, "Content-Type": "application/json", "Idempotency-Key": key})
        try:
            answer = OPENER.open(request, timeout=60)
        except urllib.error.HTTPError as refusal:
            answer = refusal
        with answer:
            wait = answer.headers.get("Retry-After", "")
            return answer.status, answer.read().decode("utf-8", "replace"), int(wait) if wait.isdecimal() else 0
    except (ValueError, http.client.InvalidURL) as reason:
        raise Stop(f"the batch cannot be sent (check URL and KEY-FILE): {reason}") from reason
    except (OSError, http.client.HTTPException) as reason:
        return 0, str(reason), 0


def post_until_settled(url, key_file, key, lines):
    """The answer that settles the batch. The same body has the same key in each try, and after a restart."""
    pause = 1
    while True:
        status, words, wait = post(url, key_file.read_text().strip(), key, lines)
        if status not in (0, 408, 429) and status < 500:
            return status, words
        say(f"batch {key}: {status or 'no answer'}, will be sent again: {words}")
        time.sleep(min(max(wait, pause), LONGEST_WAIT))
        pause = min(pause * 2, 60)


def refusals(status, words, count):
    """Which lines are refused, and why: {index: reason}; empty when the answer does not tell. Other answers stop."""
    try:
        answer = json.loads(words)
        bad = {error["index"]: f"{error['field']}: {error['message']}" for error in answer.get("errors", [])}
        if status in (400, 413) and all(index in range(count) for index in bad):
            if bad or answer["message"] in ("analytics.body_invalid", "analytics.body_too_large"):
                return bad or ({0: words} if count == 1 else {})
    except (ValueError, KeyError, TypeError, AttributeError):
        pass  # not an answer of the service
    hints = {401: "check KEY-FILE", 403: "check KEY-FILE: it must hold a worker's key",
             422: "if STATE is a copy of another follower's, or comes from a backup, remove its member \"id\""}
    hint = hints.get(status, "check URL and the service")
    raise Stop(f"sending again cannot help ({hint}). The answer was {status} {words}")


# ---- the follower


class Follower:
    def __init__(self, url, key_file, path, state_path):
        self.url, self.key_file, self.path, self.state_path = url, key_file, path, state_path
        self.complete = True  # nothing was refused or may be lost
        self.state = {"inode": None, "offset": 0, "fingerprint": None, "number": 0, "refused_bytes": 0, "queue": []}
        if state_path.exists():
            self.load()
        # A key is unique for the API key, which other hosts may use too: inode and offset would not do.
        self.state.setdefault("id", secrets.token_hex(16))
        for batch in self.state["queue"]:
            batch["key"] = batch.get("key") or self.new_key()
        self.save()

    def load(self):
        try:
            saved = json.loads(self.state_path.read_text())
            if "begin" in saved:
                self.take_over(saved["inode"], saved["begin"], saved["end"])
                return
            self.state = {name: saved[name] for name in self.state}
            if "id" in saved:
                self.state["id"] = saved["id"]
            else:
                self.state["queue"] = [{"lines": batch["lines"]} for batch in saved["queue"]]
        except (ValueError, KeyError, TypeError) as reason:
            raise Stop(f"{self.state_path} is not a state file of this program: {reason!r}") from reason

    def take_over(self, inode, begin, end):
        """The state of the version before this one, which knew a file by its inode and a batch by its stretch of it."""
        say(f"{self.state_path} is of an older version, so a truncation of {self.path} before now is not noticed")
        self.state.update(inode=inode, offset=begin)
        if not end:
            return
        with self.find() or open(os.devnull, "rb") as log:
            raw = os.pread(log.fileno(), end - begin, begin)
        if len(raw) < end - begin:
            raise Stop(f"{self.state_path} is of an older version, and bytes {begin} to {end} that it sent are gone")
        lines = [text(line) for line in raw.split(b"\n") if line.strip()]
        self.state.update(offset=end, queue=[{"key": f"{inode}-{begin}-{end}", "lines": lines}])

    def save(self):
        """Whole or not at all, also when the power fails."""
        new = self.state_path.with_name(self.state_path.name + ".new")
        with open(new, "w", encoding="utf-8") as file:
            json.dump(self.state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, self.state_path)
        folder = os.open(self.state_path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

    def new_key(self):
        self.state["number"] += 1
        return f"ship-{self.state['id']}-{self.state['number']}"

    def batches(self, *stretches):
        return [{"key": self.new_key(), "lines": lines} for lines in stretches if lines]

    def put_aside(self, refused):
        """Appends (line, reason). What a killed program appended before it could save its state is cut off."""
        if not refused:
            return
        path = f"{self.state_path}.refused"
        with open(path, "ab") as file:
            file.truncate(min(file.tell(), self.state["refused_bytes"]))
            file.writelines(json.dumps({"reason": reason, "line": line}).encode() + b"\n" for line, reason in refused)
            file.flush()
            os.fsync(file.fileno())
            self.state["refused_bytes"] = os.fstat(file.fileno()).st_size
        self.complete = False
        say(f"{len(refused)} lines are put aside in {path}, the first because: {refused[0][1]}")

    def deliver(self):
        """Sends what is queued. A batch that is refused is replaced by its good lines, or by its halves."""
        queue = self.state["queue"]
        while queue:
            lines = queue[0]["lines"]
            status, words = post_until_settled(self.url, self.key_file, queue[0]["key"], lines)
            rest = []
            if status != 204:
                bad = refusals(status, words, len(lines))
                self.put_aside([(lines[index], bad[index]) for index in sorted(bad)])
                good = [line for index, line in enumerate(lines) if index not in bad]
                half = len(good) if bad else len(good) // 2
                rest = self.batches(good[:half], good[half:])
            queue[:1] = rest
            self.save()

    def holds(self, log):
        """Whether this file has what was read so far. Before anything was read, the inode has to tell."""
        seen, known = fingerprint(log, self.state["offset"]), self.state["fingerprint"]
        return seen is not None and (seen == known if known else self.is_same(log))

    def is_same(self, log):
        return os.fstat(log.fileno()).st_ino == self.state["inode"]

    def rotated(self):
        """LOG.1, LOG-20260315 and the like, the oldest first."""
        names = glob.glob(glob.escape(str(self.path)) + "[.-][0-9]*")
        stats = [(look(name), name) for name in names if re.search(r"[.-]\d[\d-]*$", name)]
        return sorted(((stat.st_mtime_ns, stat.st_ino, name) for stat, name in stats if stat))

    def find(self):
        """Opens the file that was read so far, whatever its name is by now: LOG, renamed, or a copy."""
        found = None
        for name in [self.path] + [name for _, _, name in self.rotated()]:
            try:
                log = open(name, "rb")
            except FileNotFoundError:
                continue
            if self.holds(log) and (not found or self.is_same(log)):
                found, log = log, found
            if log:
                log.close()
        return found

    def successor(self, log):
        """The inode of the file to go on with when all of this one is read; None while this one may grow."""
        this, current = os.fstat(log.fileno()), look(self.path)
        if not current or current.st_ino == this.st_ino or not current.st_size:
            return None
        return next((inode for mtime, inode, _ in self.rotated() if mtime > this.st_mtime_ns), current.st_ino)

    def start(self, inode):
        """Not saved before something is read: until then, what tells the files apart is the end of the one before."""
        self.state.update(inode=inode, offset=0, fingerprint=None)

    def begin_again(self):
        """No file has what was read. False when there is no LOG either."""
        if self.state["inode"] is not None:
            self.complete = False
            say(f"{self.path} was truncated or replaced after its first {self.state['offset']} bytes were read, and no "
                "copy has them: lines that were written after the last look, if there were any, are lost")
        current = look(self.path)
        self.start(current.st_ino if current else None)
        return current is not None

    def read(self, log, final):
        """Queues the next lines; False when there are none, or the file is not the one it was."""
        lines, end, seen = read_steadily(log, self.state["offset"], final)
        if not lines or not self.holds(log):
            return False
        logs = [(text(line), fault(text(line), length)) for line, length in lines if line.strip()]
        self.put_aside([(line, reason) for line, reason in logs if reason])
        self.state["queue"] += self.batches([line for line, reason in logs if not reason])
        self.state.update(offset=end, fingerprint=seen)
        self.save()
        return True

    def follow(self, once):
        self.deliver()
        while True:
            log = self.find()
            if not log and not self.begin_again():
                if once:
                    raise Stop(f"{self.path} does not exist")
                time.sleep(SECONDS)
            if not log:
                continue
            with log:
                successor = self.successor(log)
                if successor and not once:
                    time.sleep(SECONDS)  # a writer of several processes may still have the old file open
                while self.read(log, successor is not None):
                    self.deliver()
                if not self.holds(log):
                    continue
                if successor == self.state["inode"]:
                    say(f"{self.path} was truncated: lines written after its copy was made, if any, are lost")
                rest = os.fstat(log.fileno()).st_size - self.state["offset"]
            if successor:
                self.start(successor)
                continue
            if not self.state["offset"]:
                self.save()
            if once:
                if rest:
                    say(f"the last {rest} bytes of {self.path} are not sent, for they are not a whole line yet")
                return
            time.sleep(SECONDS)


def take_turns(lock):
    """One at a time; the lock goes with the process."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say(f"another follower has {lock.name}: waiting until it ends")
        fcntl.flock(lock, fcntl.LOCK_EX)


def main():
    if len(sys.argv) not in (5, 6):
        print(__doc__, file=sys.stderr)
        return 2
    url, key_file, path, state_path = sys.argv[1], *map(pathlib.Path, sys.argv[2:5])
    try:
        lock = open(f"{state_path}.lock", "w")
        take_turns(lock)
        follower = Follower(url, key_file, path, state_path)
        follower.follow("--once" in sys.argv)
        return 0 if follower.complete else 1
    except (Stop, OSError) as reason:
        say(reason)
        return 2


if __name__ == "__main__":
    sys.exit(main())
