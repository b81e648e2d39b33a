"""import_campaign.py: random pieces of a few programs' logs are imported in any order and format, and some imports are
killed and run again. A ledger knows which lines have come: each must be stored once. An import may refuse a piece
because it is unclear what of it is new; then nothing of it may be stored.

Usage: import_campaign.py ANALYTICSCTL SEED IMPORTS. Knows the database by one statement in plain SQL alone."""
import collections
import gzip
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import parts  # pylint: disable=wrong-import-position

CTL, SEED, IMPORTS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
BEGIN = 1773569700
UNCLEAR = "it can't be told"


class Program:
    """The lines that a program wrote: (second, content), in order of time, many of them equal; and which were
    imported."""

    def __init__(self, name):
        self.name = name
        in_second, kinds = random.choice([1, 3, 6, 30]), random.choice([1, 2, 5, 1000000])
        length, second = random.choice([10, 60, 400, 3000]), BEGIN
        self.lines = []
        while len(self.lines) < length:
            self.lines += [(second, random.randint(1, kinds)) for _ in range(random.randint(0, in_second))]
            second += 1
        self.has_come = [False] * len(self.lines)
        self.repeats = repeats(self.lines)
        self.cuts = [0]

    def piece(self):
        """A run of lines: any, those of the beginning, a few, whole seconds, or those after another piece, as when a
        file is rotated. If the program repeats lines, so must the piece: else no import could tell equal lines from old
        ones."""
        while True:
            begin = random.randint(0, len(self.lines) - 1)
            end = random.randint(begin + 1, len(self.lines))
            kind = random.random()
            if kind < 0.2:
                end = min(len(self.lines), begin + random.randint(1, 6))
            elif kind < 0.4:
                begin = 0
            elif kind < 0.6:
                while begin > 0 and self.lines[begin - 1][0] == self.lines[begin][0]:
                    begin -= 1
                while end < len(self.lines) and self.lines[end][0] == self.lines[end - 1][0]:
                    end += 1
            elif kind < 0.85:
                begin = random.choice(self.cuts)
                end = min(len(self.lines), begin + random.randint(1, 200))
            lines = self.lines[begin:end]
            if not lines:
                continue
            self.cuts += [end] if end < len(self.lines) else []
            if not self.repeats or (repeats(lines) and lines[0][0] < lines[-1][0]):
                return begin, end


def repeats(lines):
    return len(set(lines)) < len(lines)


def text(second):
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(second))


def write(folder, name, lines):
    kind = random.choice(["ndjson", "csv", "json"])
    path = f"{folder}/{name}.{kind}" + random.choice(["", ".gz"])
    if kind == "csv":
        body = "ts,user_id,order_id,domain,count\n"
        body += "".join(f"{text(s)},1,1,site{c}.example,{c}\n" for s, c in lines)
    else:
        logs = [f'{{"count":{c},"ts":"{text(s)}","user_id":1,"order_id":1,"domain":"site{c}.example"}}' for s, c in lines]
        body = "\n".join(logs) if kind == "ndjson" else '{"logs":[' + ",".join(logs) + "]}"
    with (gzip.open if path.endswith(".gz") else open)(path, "wt") as file:
        file.write(body)
    return path


def stored(data):
    database = sqlite3.connect(f"file:{data}/analytics.db?mode=ro", uri=True)
    parts.show(database)
    rows = database.execute("SELECT quarter * 900 + second, count, count(*) FROM raw_log GROUP BY 1, 2")
    found = collections.Counter({(second, content): count for second, content, count in rows})
    database.close()
    return found


def expected(programs):
    return collections.Counter(
        line for program in programs for line, come in zip(program.lines, program.has_come) if come
    )


def kill_one(arguments, environment):
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    try:
        process.wait(random.random() * 0.06)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def run_import(folder, program, tell):
    """Imports one piece, or two. Returns those that were stored, and whether one was refused."""
    pieces = [program.piece() for _ in range(random.choice([1, 1, 1, 2]))]
    files = [write(folder, f"piece{i}", program.lines[begin:end]) for i, (begin, end) in enumerate(pieces)]
    arguments = [CTL, "--data", f"{folder}/data", "import"]
    arguments += (["--source", program.name] if program.name else []) + files
    environment = dict(os.environ, TMPDIR=folder)
    if random.random() < 0.25:
        kill_one(arguments, environment)
    done = subprocess.run(arguments, capture_output=True, text=True, env=environment, check=False)
    tell.append(f"{program.name} {pieces}: {done.stdout}{done.stderr}")
    if done.returncode == 0:
        return pieces, False
    assert done.returncode == 1 and UNCLEAR in done.stderr, done.stderr
    return pieces[: next(i for i, file in enumerate(files) if f" {file}: of " in done.stderr)], True


def campaign(folder):
    subprocess.run([CTL, "--data", f"{folder}/data", "init"], check=True, stdout=subprocess.DEVNULL)
    programs = [Program(f"node {i}" if i else "") for i in range(random.randint(1, 3))]
    refused, tell = 0, []
    for i in range(IMPORTS):
        program = random.choice(programs)
        pieces, unclear = run_import(folder, program, tell)
        refused += unclear
        for begin, end in pieces:
            program.has_come[begin:end] = [True] * (end - begin)
        due, there = expected(programs), stored(f"{folder}/data")
        if due != there:
            print(*tell[-3:], sep="\n")
            sys.exit(f"seed {SEED}, import {i}: missing {dict(due - there)}, too many {dict(there - due)}")
    subprocess.run([CTL, "--data", f"{folder}/data", "verify"], check=True, stdout=subprocess.DEVNULL)
    assert os.listdir(folder).count("data") == 1 and not any("import" in name for name in os.listdir(folder))
    print(f"seed {SEED}: {IMPORTS} imports, {refused} refused")


random.seed(SEED)
WORK = tempfile.mkdtemp(prefix="analytics-campaign.")
try:
    campaign(WORK)
finally:
    shutil.rmtree(WORK)
