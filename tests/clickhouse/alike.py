"""alike.py: asks two services that have the same logs the same random questions: every report, filter, order and zone,
ranges to the second and of whole days. Prints how many answers were compared; ends with the first two that differ, and
with a question that is none.

Usage: alike.py URL ADMIN-KEY-FILE URL ADMIN-KEY-FILE SEED QUESTIONS"""
import collections
import datetime
import json
import random
import sys
import urllib.error
import urllib.parse
import urllib.request

SERVICES = [(sys.argv[1], sys.argv[2]), (sys.argv[3], sys.argv[4])]
SEED, QUESTIONS = int(sys.argv[5]), int(sys.argv[6])
BEGIN, DAYS = datetime.datetime(2026, 2, 1), 44  # beyond both ends of the logs
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Chatham", "America/St_Johns"]
DIMENSIONS = {"user": "userId", "order": "orderId", "domain": "domain", "error": "error", "worker": "worker", "peer": "peer",
              "protocol": "protocol", "port": "port", "ip_out": "ip_out", "ip_from": "ip_from"}
CHARTS = ("traffic", "requests", "concurrency")
OWN = ("timestamp",)  # of a refusal
SORTS = ("bytes", "count", "errors", "error_rate", "duration")


def ask(service, path):
    """The status, and the answer; of a refusal without its time."""
    url, key_file = service
    with open(key_file, encoding="ascii") as file:
        request = urllib.request.Request(url + path, headers={"x-api-key": file.read().strip()})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refusal:
        body = json.loads(refusal.read())
        return refusal.code, {name: value for name, value in body.items() if name not in OWN}


def values_of(dimension):
    """Some that there are, and one that there is not."""
    _, answer = ask(SERVICES[0], "/analytics/breakdown?from=2026-02-01&to=2026-03-16&limit=100&by=" + dimension)
    there = [row["value"] for row in answer.get("data", []) if row["value"] not in (None, "")]
    return there + ["999999" if dimension in ("user", "order") else "1" if dimension == "port" else
                    "192.0.2.99" if dimension.startswith("ip") else "nobody.example"]


def moment(whole_day):
    at = BEGIN + datetime.timedelta(seconds=random.randrange(DAYS * 86400))
    return at.strftime("%Y-%m-%d") if whole_day else at.strftime("%Y-%m-%d %H:%M:%S")


def choose_range(query):
    whole = random.random() < 0.5
    query["from"], query["to"] = sorted([moment(whole), moment(whole)])
    if random.random() < 0.5:
        query["timezone"] = random.choice(ZONES)


def choose_filters(query, known):
    for dimension in random.sample(sorted(DIMENSIONS), random.choice([0, 0, 0, 1, 1, 2, 3])):
        name, value = DIMENSIONS[dimension], str(random.choice(known[dimension]))
        if dimension == "domain" and random.random() < 0.2:
            value = "*." + value.split(".", 1)[-1]
        if random.random() < 0.3:
            name = "not_" + name
        query[name] = value


def question(known):
    report = random.choice(CHARTS + ("domains", "errors", "websites", "summary", "breakdown", "breakdown"))
    query = {}
    choose_range(query)
    choose_filters(query, known)
    if report in CHARTS:
        query["granularity"] = random.choice(["15m", "hour", "day", "week", "month"])
        query["fill"] = random.choice(["zero", "none"])
    elif report == "breakdown":
        query["by"] = random.choice(sorted(DIMENSIONS))
    if report in ("breakdown", "domains"):
        query["sortBy"] = random.choice(SORTS)
        query["page"] = random.choice("112")
    if report not in CHARTS + ("summary",):
        query["limit"] = random.choice(["3", "25", "100"])
        if random.random() < 0.3:
            query["q"] = random.choice(["e", "com", "1", "x"])
    if report not in ("summary", "breakdown") and random.random() < 0.5:
        query["durations"] = "true"
    return report, "/analytics/%s?%s" % (report, urllib.parse.urlencode(query))


def main():
    random.seed(SEED)
    known = {dimension: values_of(dimension) for dimension in DIMENSIONS}
    statuses = collections.Counter()
    for _ in range(QUESTIONS):
        report, path = question(known)
        one, other = [ask(service, path) for service in SERVICES]
        if one != other or one[0] == 400:
            sys.exit("seed %d: %s:\n%s\n%s" % (SEED, path, json.dumps(one)[:1500], json.dumps(other)[:1500]))
        statuses[report, one[0]] += 1
    print(", ".join("%s %d: %d" % (*kind, count) for kind, count in sorted(statuses.items())))


main()
