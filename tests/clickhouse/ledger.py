"""ledger.py: senders that repeat each batch until it is acknowledged, and a ledger of the acknowledged logs. Checks
that each replica has each of these logs once, and their sums. Knows the tables by plain SQL."""
import collections
import json
import os
import random
import sys
import threading
import time

from stage import PATIENCE, wait_for

SENDERS = 4
BEGIN = 1773532800  # 2026-03-15
DAYS = 30  # in two months, so that the logs of a batch can belong to two blocks


class Senders:
    def __init__(self, service):
        self.service, self.key = service, service.key("worker")
        self.numbers, self.lock = 0, threading.Lock()
        self.acknowledged = []
        self.is_running = False
        self.threads = []

    def make(self):
        """The next batch: order_id is its number, duration_ms the place of a log in it."""
        with self.lock:
            self.numbers += 1
            number = self.numbers
        return [{"ts": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(BEGIN + random.randrange(DAYS * 86400))),
                 "user_id": 1 + number % 3, "order_id": number, "duration_ms": line, "count": 1 + random.randrange(9),
                 "error_count": random.randrange(2), "domain": f"d{number % 7}.example", "error": random.choice(["", "timeout"]),
                 "bytes_sent": random.randrange(1000), "worker": "w", "ip_out": "1.2.3.4", "protocol": "https"}
                for line in range(1 + random.randrange(3))]

    def send(self):
        """Sends a new batch until it is acknowledged, as docs/clients.md asks."""
        logs = self.make()
        body = json.dumps({"logs": logs}).encode()
        headers = {"content-type": "application/json", "idempotency-key": f"batch-{logs[0]['order_id']}"}
        until = time.monotonic() + PATIENCE
        while True:
            status, words = self.service.request("POST", "/analytics/ingest", self.key, body, headers)
            if status == 204:
                break
            if status not in (0, 502, 503, 504) or time.monotonic() > until:
                os.write(1, b"a batch: %d %b\n" % (status, words))
                os._exit(1)
            time.sleep(0.1)
        with self.lock:
            self.acknowledged += logs

    def run(self):
        while self.is_running:
            self.send()
            time.sleep(random.random() / 20)

    def __enter__(self):
        self.is_running = True
        self.threads = [threading.Thread(target=self.run) for _ in range(SENDERS)]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.is_running = False
        for thread in self.threads:
            thread.join()


def differ(what, due, found):
    if due == found:
        return
    missing, extra = due - found, found - due
    sys.exit(f"{what}: {sum(missing.values())} missing, such as {list(missing)[:3]};"
             f" {sum(extra.values())} too many, such as {list(extra)[:3]}")


def check_replica(servers, replica, logs):
    name = f"replica {replica + 1}"
    due = collections.Counter((str(l["order_id"]), str(l["duration_ms"]), str(l["count"]), l["ts"]) for l in logs)
    sql = "SELECT order_id, duration_ms, count, toString(toDateTime(ts)) FROM log"
    differ(f"logs of {name}", due, collections.Counter(servers.rows(replica, sql)))
    by_domain = collections.Counter()
    for log in logs:
        by_domain[log["ts"][:10], log["domain"], log["error"]] += log["count"]
    sql = ("SELECT toString(toDate(day)), domain, error, sum(count) FROM sums WHERE kind = 2"
           " GROUP BY day, domain, error")
    found = collections.Counter({row[:3]: int(row[3]) for row in servers.rows(replica, sql)})
    differ(f"sums by domain of {name}", by_domain, found)
    quarters = int(servers.ask(replica, "SELECT sum(count) FROM sums WHERE kind = 1"))
    differ(f"sums by quarter of {name}", collections.Counter(all=sum(by_domain.values())), collections.Counter(all=quarters))


def report(service, more=""):
    """How many requests a report counts; None: it is refused."""
    answer = service.get("/analytics/summary?from=2026-03-15&to=2026-04-14" + more, service.key("admin"))
    return answer and int(answer["data"]["total_count"])


def check(servers, service, senders):
    """Each batch is there once, everywhere."""
    wait_for("all is shipped", service.has_shipped_all)
    if aside := service.spool("SELECT count(*) FROM spool_block WHERE state = 2"):
        sys.exit(f"{aside} blocks are put aside: "
                 + service.spool("SELECT detail FROM spool_block WHERE state = 2"))
    servers.sync()
    for replica in (0, 1):
        check_replica(servers, replica, senders.acknowledged)
    counts = []
    wait_for("a report", lambda: counts.append(report(service)) or counts[-1] is not None)
    due = sum(log["count"] for log in senders.acknowledged)
    differ("a report", collections.Counter(all=due), collections.Counter(all=counts[-1]))
