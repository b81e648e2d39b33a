#!/usr/bin/env python3
"""clickhouse.py PART …: the parts of clickhouse.sh that talk to a server. They print their results for a person.

  fill CLICKHOUSE LOGS DAYS        makes so many logs and their sums, in ClickHouse itself
  lag SERVICE KEY SECONDS          the age of the oldest log in the spool, from the service's metrics
  follow DATABASE                  waits until the spool is shipped: logs/s from the first block on that leaves it
  bare URLS USER PASSWORD-FILE DATABASE
                                   inserts the blocks again, of logs and of sums, one after the other, into tables of their
                                   own that all servers at URLS, with commas between them, have: logs/s
  calm URLS USER PASSWORD-FILE     waits until none of the servers merges or fetches
  reads SERVICE KEY CLICKHOUSE     times reports, each in turns with the query that it is compared with

CLICKHOUSE is http://HOST:PORT USER PASSWORD-FILE DATABASE as four words; SERVICE is http://HOST:PORT."""

import http.client
import sqlite3
import statistics
import sys
import time
import urllib.parse

BEGIN = 20635  # 2026-07-01: 61 days from here are within two months
ROUNDS = 15


class Server:
    """A connection that is kept."""

    def __init__(self, url, headers, database=None):
        self.connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=600)
        self.headers, self.database = headers, database

    def request(self, method, path, body=None):
        self.connection.request(method, path, body, self.headers)
        answer = self.connection.getresponse()
        data = answer.read()
        if answer.status not in (200, 204):
            sys.exit("%s: %d %s" % (path, answer.status, data[:500]))
        return data

    def get(self, path):
        return self.request("GET", path)

    def sql(self, sql, body=None):
        path = "/?database=" + self.database
        if body is None:
            return self.request("POST", path, sql.encode())
        return self.request("POST", path + "&query=" + urllib.parse.quote(sql), body)


def clickhouse(url, user, password_file, database):
    with open(password_file, encoding="ascii") as file:
        password = file.readline().strip()
    return Server(url, {"X-ClickHouse-User": user, "X-ClickHouse-Key": password}, database)


def service(url, key):
    with open(key, encoding="ascii") as file:
        return Server(url, {"x-api-key": file.read().strip()})


# 250 users, 1,000 orders, 20,000 domains, one log of fifty with an error.
FILL = """INSERT INTO log SELECT toUInt32({begin} + intDiv(ts, 86400)), toInt64({begin}) * 86400 + ts, toInt64(1 + h % 250),
 toInt64(1 + h % 1000), toInt64(1 + h % 40), toInt64(h % 1000000), toInt64(h % 5000000), toInt64(h % 50 = 0), toInt64(h % 3000),
 toInt64(h % 20), toUInt16(443), concat('site', toString(intDiv(h, 1000) % 20000), '.example'), if(h % 50 = 0, 'timeout', ''),
 '', '', '', '', '', toUInt64(1 + intDiv(number, 50000))
 FROM (SELECT number, toInt64(intDiv(number * {days} * 86400, {logs})) AS ts, intHash64(number) % 1000000007 AS h
 FROM system.numbers LIMIT {first}, {count})"""
SUMS = """INSERT INTO sums SELECT {kind}, day, {bucket} AS bucket, {domain}, {error}, count() AS rows, sum(count), sum(bytes_sent),
 sum(bytes_received), sum(error_count), sum(duration_ms), maxState(max_concurrency), minState(ts), maxState(ts)
 FROM log GROUP BY day, bucket{more}"""


def fill(url, user, password, database, logs, days):
    server, logs, days, step = clickhouse(url, user, password, database), int(logs), int(days), 1000000
    for first in range(0, logs, step):
        server.sql(FILL.format(begin=BEGIN, days=days, logs=logs, first=first, count=min(step, logs - first)))
    server.sql(SUMS.format(kind="toUInt8(1)", bucket="intDiv(ts, 900) * 900", domain="''", error="''", more=""))
    server.sql(SUMS.format(kind="toUInt8(2)", bucket="toInt64(day) * 86400", domain="domain", error="error",
                           more=", domain, error"))
    print("%s logs in ClickHouse" % server.sql("SELECT count() FROM log").decode().strip())


def lag(url, key, seconds):
    server, ages, until = service(url, key), [], time.time() + float(seconds)
    while time.time() < until:
        for line in server.get("/analytics/metrics").decode().splitlines():
            if line.startswith("analytics_spool_oldest_timestamp_seconds "):
                oldest = float(line.split()[1])
                ages.append(max(0, time.time() - oldest) if oldest else 0)
        time.sleep(0.1)
    ages.sort()
    print("spool lag: p50 %.1f s, p99 %.1f s, most %.1f s (whole seconds count from their beginning)" % (
        ages[len(ages) // 2], ages[len(ages) * 99 // 100], ages[-1]))


SHIPPED = """SELECT (SELECT coalesce(sum(logs), 0) FROM spool_block WHERE state <> 0),
 NOT EXISTS (SELECT 1 FROM spool_block WHERE state = 0) AND (SELECT cut_until FROM spool) >= (SELECT max(id) FROM batch)"""


def follow(database):
    connection = sqlite3.connect("file:%s?mode=ro" % database, uri=True)
    before = first = logs = connection.execute(SHIPPED).fetchone()[0]
    done, deadline = False, time.time() + 300
    while first == before and time.time() < deadline:
        time.sleep(0.02)
        first = connection.execute(SHIPPED).fetchone()[0]
    begin = time.time()
    while not done and time.time() < deadline:
        time.sleep(0.02)
        logs, done = connection.execute(SHIPPED).fetchone()
    if not done:
        sys.exit("the spool is not shipped after five minutes")
    print("%.0f" % ((logs - first) / (time.time() - begin)))


# What the service adds up of a block, as blocks of `sums`: by the quarter of an hour, and by day, domain and error.
SUMS_OF_BLOCK = """SELECT {kind} AS kind, day, {bucket} AS bucket, {domain} AS domain, {error} AS error, toInt64(1) AS rows,
 sum(count) AS count, sum(bytes_sent) AS bytes_sent, sum(bytes_received) AS bytes_received, sum(error_count) AS error_count,
 sum(duration_ms) AS duration_ms, maxState(max_concurrency) AS max_concurrency, minState(ts) AS first_ts, maxState(ts) AS last_ts
 FROM log WHERE block = {block} GROUP BY day, bucket{more} FORMAT Native"""
OWN_TABLE = "CREATE TABLE {table} AS {like} ENGINE = {engine} PARTITION BY toYYYYMM(toDate(least(day, 47481))) ORDER BY ({key})"


def make_bare(server, database):
    path = "'/clickhouse/tables/{shard}/%s/%s', '{replica}'"
    server.sql(OWN_TABLE.format(table="bare_log", like="log", key="user_id, day, domain, ts",
                                engine="ReplicatedMergeTree(%s)" % (path % (database, "bare_log"))))
    server.sql(OWN_TABLE.format(
        table="bare_sums", like="sums", key="kind, day, bucket, domain, error",
        engine="ReplicatedSummingMergeTree(%s, (rows, count, bytes_sent, bytes_received, error_count, duration_ms,"
               " max_concurrency, first_ts, last_ts))" % (path % (database, "bare_sums"))))


def calm(urls, user, password):
    """Until no server merges or fetches."""
    servers, still = [clickhouse(url, user, password, "system") for url in urls.split(",")], 0
    deadline = time.time() + 300
    while still < 10 and time.time() < deadline:
        time.sleep(0.2)
        busy = any(int(server.sql("SELECT count() FROM merges")) or int(server.sql("SELECT sum(queue_size) FROM replicas"))
                   for server in servers)
        still = 0 if busy else still + 1


def bare(urls, user, password, database):
    servers, bodies = [clickhouse(url, user, password, database) for url in urls.split(",")], []
    server = servers[0]
    server.sql("SYSTEM SYNC REPLICA log")
    for block in server.sql("SELECT DISTINCT block FROM log ORDER BY block").decode().split():
        # In the order in which the service sends them: that in which they came. The table has them sorted.
        bodies.append(("log", server.sql("SELECT * FROM log WHERE block = %s ORDER BY ts FORMAT Native" % block)))
        # Two blocks of Native in one body: a server puts them together.
        bodies.append(("sums", server.sql(SUMS_OF_BLOCK.format(
            block=block, kind="toUInt8(1)", bucket="intDiv(ts, 900) * 900", domain="''", error="''", more="")) +
            server.sql(SUMS_OF_BLOCK.format(block=block, kind="toUInt8(2)", bucket="toInt64(day) * 86400", domain="domain",
                                            error="error", more=", domain, error"))))
    rows = int(server.sql("SELECT count() FROM log"))
    for each in servers:
        make_bare(each, database)
    begin = time.time()
    for table, body in bodies:
        server.sql("INSERT INTO bare_%s FORMAT Native" % table, body)
    print("%.0f" % (rows / (time.time() - begin)))
    for table in ("log", "sums"):
        if server.sql("SELECT sum(count) FROM bare_" + table + (" WHERE kind = 1" if table == "sums" else "")) != server.sql(
                "SELECT sum(count) FROM log"):
            sys.exit("bare inserts have lost something")
        for each in servers:
            each.sql("DROP TABLE bare_" + table)


def timed(call):
    begin = time.perf_counter()
    call()
    return (time.perf_counter() - begin) * 1000


def pair(name, one, other, tell):
    """The medians of both, asked in turns."""
    timed(one), timed(other)
    ones, others = [], []
    for _ in range(ROUNDS):
        ones.append(timed(one))
        others.append(timed(other))
    a, b = statistics.median(ones), statistics.median(others)
    print("%s: %.1f ms and %.1f ms: %s" % (name, a, b, tell(a, b)))


RANGE = "from=2026-07-01&to=2026-08-30"
MEASURES = "sum(count), sum(bytes_sent), sum(bytes_received), sum(error_count), max(max_concurrency), min(ts), max(ts)"
DAYS = "day >= 20635 AND day <= 20695"


def times(a, b):
    return "%.1f times" % (a / b)


def reads(url, key, *server):
    us, it = service(url, key), clickhouse(*server)
    for path in ("traffic", "requests", "concurrency"):
        pair(path + " of everyone, 61 days, beside SELECT 1",
             lambda path=path: us.get("/analytics/%s?%s&granularity=day" % (path, RANGE)), lambda: it.sql("SELECT 1"), times)
    pair("domains of everyone, 61 days, beside the query of the logs", lambda: us.get("/analytics/domains?" + RANGE),
         lambda: it.sql("SELECT domain, %s FROM log WHERE %s GROUP BY domain ORDER BY sum(bytes_sent) + sum(bytes_received)"
                        " DESC LIMIT 100 FORMAT JSONCompact" % (MEASURES, DAYS)), times)
    for path, keys in (("traffic", "intDiv(ts, 86400)"), ("domains", "domain"), ("errors", "error")):
        pair(path + " of a user, 61 days, beside the query of the logs",
             lambda path=path: us.get("/analytics/%s?%s&userId=7%s" % (
                 path, RANGE, "&granularity=day" if path == "traffic" else "")),
             lambda keys=keys: it.sql("SELECT %s AS k, %s FROM log WHERE user_id = 7 AND %s GROUP BY k FORMAT JSONCompact" % (
                 keys, MEASURES, DAYS)), lambda a, b: "%+.1f ms" % (a - b))


{"fill": fill, "lag": lag, "follow": follow, "bare": bare, "calm": calm, "reads": reads}[sys.argv[1]](*sys.argv[2:])
