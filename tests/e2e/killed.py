#!/usr/bin/env python3
"""killed.py: examples/ship.py, killed at each step that leaves a trace: before and after each sync, rename and request,
and in the middle of each write of STATE. It is then run again, and each line must be stored once or put aside once.

Each run is a fork of a process that has the modules of ship.py: to start Python took most of the time. Prints a line for
each fault, and the number of steps."""
import collections
import copy
import http.server
import json
import multiprocessing
import os
import pathlib
import runpy
import shutil
import sys
import tempfile
import threading
import urllib.request

SHIP = "examples/ship.py"
KILLED = 137
NEVER = 1 << 30
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["fcntl", "glob", "hashlib", "http.server", "runpy", "secrets", "tempfile", "urllib.request"])


# ---- ship.py, with an end


def end_at(last):
    done = 0

    def step():
        nonlocal done
        done += 1
        if done == last:
            os._exit(KILLED)  # as SIGKILL: nothing is flushed

    def surround(owner, name):
        original = getattr(owner, name)

        def call(*words, **more):
            step()
            result = original(*words, **more)
            step()
            return result
        setattr(owner, name, call)

    def dump(state, file):
        text = json.dumps(state)
        file.write(text[:len(text) // 2])
        file.flush()
        step()
        file.write(text[len(text) // 2:])

    for owner, name in ((os, "fsync"), (os, "replace"), (urllib.request.OpenerDirector, "open")):
        surround(owner, name)
    json.dump = dump


def ship(last, words, said):
    with open(said, "w", encoding="utf-8") as file:
        os.dup2(file.fileno(), 2)
    end_at(last)
    sys.argv = [SHIP] + words
    runpy.run_path(SHIP, run_name="__main__")


# ---- a service that knows keys, and lines by their number


class Service(http.server.BaseHTTPRequestHandler):
    bodies, stored, counted = {}, collections.Counter(), set()

    def do_POST(self):
        body, key = self.rfile.read(int(self.headers["Content-Length"])), self.headers["Idempotency-Key"]
        status, answer = self.take(key, body)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(answer)

    def take(self, key, body):
        logs = json.loads(body)["logs"]
        bad = [index for index, log in enumerate(logs) if "bad" in log]
        if bad:
            errors = [{"index": index, "field": "bad", "message": "is there"} for index in bad[:2]]
            return 400, json.dumps({"message": "analytics.logs_invalid", "errors": errors}).encode()
        if self.bodies.setdefault(key, body) != body:
            return 422, b'{"message": "analytics.idempotency_key_reused"}'
        if key not in self.counted:
            self.counted.add(key)
            self.stored.update(log["line"] for log in logs)
        return 204, b""

    def log_message(self, *_):
        pass


# ---- a log that is followed, changed, and followed again


def write(log, first, last):
    with open(log, "a", encoding="utf-8") as file:
        for number in range(first, last):
            file.write(json.dumps({"line": number}) + "\n")
        file.write('{"bad": 1}\nno JSON\n{"bad": 2}\n{"bad": 3}\n')


def follow(folder, last):
    """The exit status of ship.py, None if it does not end, and what it said."""
    words = [URL] + [str(folder / name) for name in ("key", "log", "state")] + ["--once"]
    run = FORKS.Process(target=ship, args=(last, words, folder / "said"))
    run.start()
    run.join(120)
    status = run.exitcode
    run.kill()
    return status, (folder / "said").read_text()


def prepare(folder, change):
    """What all kills of a change begin with: fills the folder, and returns what the service knows."""
    folder.mkdir()
    Service.bodies, Service.stored, Service.counted = {}, collections.Counter(), set()
    (folder / "key").write_text("key")
    write(folder / "log", 0, 5)
    follow(folder, NEVER)
    change(folder / "log")
    write(folder / "log", 5, 10)
    return Service.bodies, Service.stored, Service.counted


def scenario(folder, change, last):
    """Whether ship.py came to its end before the step."""
    ended = follow(folder, last)[0] != KILLED
    status, said = follow(folder, NEVER)
    aside = len((folder / "state.refused").read_text().splitlines())
    if status is None or Service.stored != {number: 1 for number in range(10)} or aside != 8:
        print(f"{change.__name__}, step {last}: {dict(Service.stored)}, {aside} put aside: {said}")
    return ended


def grown(log):
    pass


def renamed(log):
    log.rename(f"{log}.1")


def copied_and_truncated(log):
    shutil.copy(log, f"{log}.1")
    os.truncate(log, 0)


def kill_at_each_step(parent, change):
    begin = parent / change.__name__
    known = prepare(begin, change)
    for last in range(1, NEVER):
        Service.bodies, Service.stored, Service.counted = map(copy.copy, known)
        folder = shutil.copytree(begin, parent / f"{change.__name__}-{last}")
        if scenario(folder, change, last):
            return last - 1


def main():
    global URL
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    URL = f"http://127.0.0.1:{server.server_port}"
    steps = 0
    with tempfile.TemporaryDirectory(prefix="analytics-killed.") as parent:
        for change in (grown, renamed, copied_and_truncated):
            steps += kill_at_each_step(pathlib.Path(parent), change)
    print(f"steps: {steps}")


if __name__ == "__main__":
    main()
