"""campaigns.py: a service with two replicas, senders that repeat each batch until it is acknowledged, and faults
meanwhile. After each campaign, each batch in the senders' ledger must count once: in the logs and in the sums of each
replica, and in a report.

Usage: campaigns.py BUILDDIR SEED [CAMPAIGN]…, from the top of the source; without CAMPAIGN all of them. With ANALYTICS_LONG=1
twenty times as many rounds, and cuts at each byte. It prints what it did, and ends with the first campaign after which
the logs, the sums or a report are wrong."""
import glob
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import ledger  # pylint: disable=wrong-import-position
import native  # pylint: disable=wrong-import-position
import proxy  # pylint: disable=wrong-import-position
import stage  # pylint: disable=wrong-import-position
from stage import wait_for  # pylint: disable=wrong-import-position

BUILD, SEED, CAMPAIGNS = os.path.abspath(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
IS_LONG = os.environ.get("ANALYTICS_LONG") == "1"
ROUNDS = 40 if IS_LONG else 2
LAST_BYTES = 3  # of a request
INSERTS = {"log": b"INSERT%20INTO%20log", "sums": b"INSERT%20INTO%20sums"}


def say(*words):
    print(*words, flush=True)


def nap(seconds):
    time.sleep(random.random() * seconds)


def kills(servers, service, senders):
    """SIGKILL of the writer and shipper, of replicas, of ZooKeeper, alone or together."""
    victims = [["ingest"], ["1"], ["2"], ["zookeeper"], ["1", "ingest"], ["2", "ingest"], ["1", "2"], ["zookeeper", "2"],
               ["ingest", "zookeeper"], ["1", "2", "zookeeper", "ingest"]]
    random.shuffle(victims)
    with senders:
        for number in range(ROUNDS):
            nap(2)
            for part in victims[number % len(victims)]:
                if part == "ingest":
                    service.kill_ingest()
                else:
                    servers.tool("kill", part)
                nap(0.2)
            nap(1)
            servers.tool("start")
    return f"{ROUNDS} kills"


def stops(servers, service, senders):
    """SIGSTOP of a replica, shorter and longer than the shipper waits for an answer; in half of the rounds the shipper is
    killed while it waits."""
    with senders:
        for number in range(ROUNDS):
            part = random.choice(["1", "2"])
            servers.signal(part, signal.SIGSTOP)
            try:
                nap(8)
                if number % 2:
                    service.kill_ingest()
                    nap(2)
            finally:
                servers.signal(part, signal.SIGCONT)
            nap(2)
    return f"{ROUNDS} stops"


def kinds_of(head, body):
    """(kind, begin, end) of each piece of a request. A body that is no block in Native is one piece."""
    try:
        spans = native.spans(body)
    except (AssertionError, IndexError, KeyError, UnicodeDecodeError):
        spans = [("no Native", 0, len(body))]
    return [("head", 0, len(head))] + [(kind, len(head) + begin, len(head) + end) for kind, begin, end in spans]


def at_kind(kind, place):
    """Cuts a request in a piece of this kind: before it, within it, or before its last byte."""
    def choose(head, body):
        begin, end = random.choice([piece[1:] for piece in kinds_of(head, body) if piece[0] == kind] or [(0, len(head))])
        return [begin, (begin + end) // 2, end - 1][place]
    return choose


def from_end(count):
    return lambda head, body: max(0, len(head) + len(body) - count)


def watch_inserts(service, senders):
    """The head and body of one INSERT into each table. These inserts are cut after their heads, so they are sent
    again."""
    seen = {}
    for name, text in INSERTS.items():
        for each in service.proxies:
            each.arm(proxy.Cut(text, request=lambda h, b, n=name: seen.setdefault(n, (h, b)) and len(h)))
    while len(seen) < len(INSERTS):
        senders.send()
        time.sleep(0.1)
    for each in service.proxies:
        each.cuts.clear()
    return seen


def cut_here(service, senders, table, request=None, answer=None, after=None):
    """Cuts the insert of one new block, at the replica that it comes to first. Its next try is not cut."""
    wait_for("all is shipped", service.has_shipped_all)
    cut = proxy.Cut(INSERTS[table], request, answer, after)
    done = threading.Event()

    def note():
        done.set()
        for each in service.proxies:
            if cut in each.cuts:
                each.cuts.remove(cut)
        if after:
            after()
    cut.after = note
    for each in service.proxies:
        each.arm(cut)
    senders.send()
    wait_for(f"an insert into {table}", done.is_set)


def cuts(servers, service, senders):
    """Requests are cut at each kind of byte (in the long form: at each byte), and answers are cut. After some cuts the
    shipper is killed, so that the next one has to find out whether the block is stored.

    The last bytes of a request are always among the cuts, because a text format would fail there. With TabSeparated and
    Content-Length, 18.16 answers 200 and stores the first rows if the cut leaves whole rows or is in the last column.
    (Cuts in earlier columns, as far as they were tried, were refused with code 27 and nothing stored.) Without its last
    digits, the last row is stored with the number of another block, and when the block is sent again, the row counts
    twice."""
    count = 0
    for table, request in watch_inserts(service, senders).items():
        kinds = sorted({kind for kind, *_ in kinds_of(*request)})
        choices = [at_kind(kind, place) for kind in kinds for place in (range(3) if IS_LONG else [random.randrange(3)])]
        choices += [from_end(bytes_left) for bytes_left in range(1, 1 + (sum(map(len, request)) if IS_LONG else LAST_BYTES))]
        for choose in choices:
            after = service.kill_ingest if count % 9 == 0 else None
            cut_here(service, senders, table, request=choose, after=after)
            count += 1
    for number in range(2 * ROUNDS):
        keep = [0, 1, 20, -1, -2][number % 5]
        after = service.kill_ingest if number % 2 else None
        cut_here(service, senders, list(INSERTS)[number % 2],
                 answer=lambda text, k=keep: k if k >= 0 else len(text) + k, after=after)
        count += 1
    return f"{count} cuts"


def forgotten(servers, service, senders):
    """A block is stored, its answer is lost, the shipper is killed, the servers forget the block's hash, and more
    batches come. In half of the rounds the other replica has not fetched the block, and the one that has it is away for
    a while."""
    for number in range(ROUNDS):
        table = list(INSERTS)[number // 2 % 2]
        lags = number % 2 == 1
        wait_for("all is shipped", service.has_shipped_all)
        servers.sync()
        taker = service.current_replica()
        if lags:
            servers.ask(1 - taker, f"SYSTEM STOP FETCHES {table}")
        cut_here(service, senders, table, answer=lambda text: 0, after=service.kill_ingest)
        if lags:
            servers.tool("kill", str(taker + 1))
        servers.forget_blocks()
        for _ in range(5):
            senders.send()
        nap(3)
        if lags:
            servers.tool("start", str(taker + 1))
            nap(2)
            servers.ask(1 - taker, f"SYSTEM START FETCHES {table}")
    return f"{ROUNDS} blocks"


def doubt(servers, service, senders):
    """A block does not reach the current replica. The other one stores it, but its answer is lost. The block is sent to
    the current replica again, which knows its hash and answers 200, but has not fetched its logs. A report must wait
    for them, and never leave them out."""
    for _ in range(ROUNDS):
        senders.send()
        wait_for("all is shipped", service.has_shipped_all)
        servers.sync()
        current = service.current_replica()
        servers.ask(current, "SYSTEM STOP FETCHES log")
        service.proxies[current].arm(proxy.Cut(INSERTS["log"], answer=lambda text: 0, request=lambda head, body: 0))
        service.proxies[1 - current].arm(proxy.Cut(INSERTS["log"], answer=lambda text: 0))
        senders.send()
        due = sum(log["count"] for log in senders.acknowledged)
        until = time.monotonic() + 10
        while time.monotonic() < until:
            if (found := ledger.report(service, "&worker=w")) not in (None, due):
                sys.exit(f"a report counts {found} requests, not {due}")
        servers.ask(current, "SYSTEM START FETCHES log")
    return f"{ROUNDS} blocks in doubt"


def away(servers, service, senders):
    """The replica that answers reports is killed, in half of the rounds together with the shipper: reports and batches
    go on at the other one."""
    for number in range(ROUNDS):
        senders.send()
        wait_for("all is shipped", service.has_shipped_all)
        servers.sync()
        current = str(service.current_replica() + 1)
        servers.tool("kill", current)
        if number % 2:
            service.kill_ingest()
            senders.send()
        wait_for("a report of the other replica", lambda: ledger.report(service) is not None)
        wait_for("all is shipped to the other replica", service.has_shipped_all)
        servers.tool("start", current)
    return f"{ROUNDS} absences"


def lags(servers, service, senders):
    """A replica fetches nothing while verify runs: verify may say that it cannot tell, but must report no
    difference."""
    told = 0
    for number in range(ROUNDS):
        replica = number % 2
        servers.ask(replica, "SYSTEM STOP FETCHES log")
        for _ in range(5):
            senders.send()
        wait_for("all is shipped", service.has_shipped_all)
        done = service.verify()
        if done.returncode not in (0, 2):
            sys.exit(f"verify: {done.stdout}{done.stderr}")
        told += done.returncode == 2
        servers.ask(replica, "SYSTEM START FETCHES log")
    servers.sync()
    done = service.verify()
    if done.returncode != 0:
        sys.exit(f"verify: {done.stdout}{done.stderr}")
    return f"{ROUNDS} lags, of which {told} kept verify from an answer"


def parts_of(servers, replica, table):
    """The folders of its parts by name."""
    paths = glob.glob(f"{servers.home(replica)}/data/data/analytics/{table}/2*/")
    return {os.path.basename(path[:-1]): path for path in paths}


def emptied(servers, service, senders):
    """A replica dies and loses what it had not synced: files of a part are empty. Only of parts that the other replica
    has: what nobody else has is lost, and docs/scaling.md says so."""
    count = 0
    with senders:
        for number in range(ROUNDS):
            part = random.choice(["1", "2"])
            nap(2)
            servers.tool("kill", part)
            table = random.choice(list(INSERTS))
            parts, others = (parts_of(servers, each, table) for each in (part, str(3 - int(part))))
            found = [path for name, path in parts.items() if name in others]
            for path in random.sample(found, min(len(found), 2)):
                for file in glob.glob(path + random.choice(["*", "*.bin", "*.mrk", "columns.txt", "checksums.txt"])):
                    os.truncate(file, 0)
                count += 1
            servers.tool("start", part)
    return f"{count} parts"


ALL = {each.__name__: each for each in (kills, stops, cuts, forgotten, doubt, away, lags, emptied)}


def run(folder):
    say(f"seed {SEED}")
    servers, service = stage.Servers(f"{folder}/servers"), None
    try:
        service = stage.Service(folder, servers, BUILD)
        wait_for("the service answers", service.is_up)
        senders = ledger.Senders(service)
        for name in CAMPAIGNS or ALL:
            began = time.monotonic()
            done = ALL[name](servers, service, senders)
            ledger.check(servers, service, senders)
            say(f"{name}: {done}, {len(senders.acknowledged)} logs of {senders.numbers} batches, {time.monotonic() - began:.0f} s")
    finally:
        if service:
            service.stop()
        servers.tool("kill")


random.seed(SEED)
signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal"))
WORK = tempfile.mkdtemp(prefix="analytics-campaigns.")
os.chmod(WORK, 0o755)
try:
    run(WORK)
finally:
    shutil.rmtree(WORK)
