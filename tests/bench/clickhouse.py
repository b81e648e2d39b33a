#!/usr/bin/env python3
"""clickhouse.py PART …: the parts of clickhouse.sh that talk to a server. They print their results for a person.

  fill CLICKHOUSE LOGS DAYS        makes so many logs and their sums, in ClickHouse itself
  lag SERVICE KEY SECONDS          the age of the oldest log in the spool, from the service's metrics
  bare CLICKHOUSE BLOCKS           inserts blocks of `log` again, one after the other, into a table of its own: logs/s
  reads SERVICE KEY CLICKHOUSE     times reports, each in turns with the query that it is compared with

CLICKHOUSE is http://HOST:PORT USER PASSWORD-FILE DATABASE as four words; SERVICE is http://HOST:PORT."""

import http.client
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


def bare(url, user, password, database, blocks):
    server = clickhouse(url, user, password, database)
    numbers = [n for n in server.sql("SELECT DISTINCT block FROM log ORDER BY block LIMIT " + blocks).decode().split()]
    bodies = [server.sql("SELECT * FROM log WHERE block = %s FORMAT Native" % n) for n in numbers]
    rows = int(server.sql("SELECT count() FROM log WHERE block IN (%s)" % ",".join(numbers)))
    server.sql("CREATE TABLE bare AS log ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/%s/bare', '{replica}')"
               " PARTITION BY toYYYYMM(toDate(least(day, 47481))) ORDER BY (user_id, day, domain, ts)" % database)
    begin = time.time()
    for body in bodies:
        server.sql("INSERT INTO bare FORMAT Native", body)
    print("%.0f" % (rows / (time.time() - begin)))
    server.sql("DROP TABLE bare")


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


{"fill": fill, "lag": lag, "bare": bare, "reads": reads}[sys.argv[1]](*sys.argv[2:])
