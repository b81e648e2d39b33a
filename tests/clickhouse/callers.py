#!/usr/bin/env python3
"""callers.py URL FOLDER CALLERS: callers of a service, a thread each, with the keys FOLDER/caller.N.

Each caller sends numbered batches of five logs, one after the other. It repeats a batch under the same idempotency key
until it is acknowledged. FOLDER/progress has a line for each caller: its acknowledged batches so far, and its tries
that were refused or unanswered. Once FOLDER/stop exists, each caller ends after its batch, and FOLDER/ledger gets the
number of every acknowledged batch. A status other than 204 or 503 ends its caller, and the program fails."""

import http.client
import json
import os
import sys
import threading
import time
import urllib.parse

LOGS = 5


def body(caller, number):
    logs = [{"ts": "2026-03-15 10:15:00", "user_id": caller + 1, "order_id": line + 1, "count": 1,
             "domain": "b%d.example" % number} for line in range(LOGS)]
    return json.dumps({"logs": logs})


class Caller(threading.Thread):
    def __init__(self, url, folder, caller, callers):
        super().__init__()
        self.host = urllib.parse.urlsplit(url).netloc
        with open("%s/caller.%d" % (folder, caller), encoding="ascii") as file:
            self.key = file.read().strip()
        self.stop = folder + "/stop"
        self.caller, self.callers = caller, callers
        self.acknowledged, self.refused, self.fault = [], 0, None

    def send(self, number):
        """The status; 0 for no answer."""
        connection = http.client.HTTPConnection(self.host, timeout=30)
        try:
            connection.request("POST", "/analytics/ingest", body(self.caller, number), {
                "x-api-key": self.key, "content-type": "application/json", "idempotency-key": "batch-%d" % number})
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()

    def run(self):
        number = self.caller
        while not self.fault and not os.path.exists(self.stop):
            status = self.send(number)
            while status in (0, 503):
                self.refused += 1
                time.sleep(0.1)
                status = self.send(number)
            if status != 204:
                self.fault = status
                return
            self.acknowledged.append(number)
            number += self.callers
            time.sleep(0.01)


def write(path, text):
    with open(path + ".new", "w", encoding="ascii") as file:
        file.write(text)
    os.rename(path + ".new", path)


def main():
    url, folder, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    callers = [Caller(url, folder, i, count) for i in range(count)]
    for caller in callers:
        caller.start()
    while any(caller.is_alive() for caller in callers):
        write(folder + "/progress", "".join("%d %d\n" % (len(c.acknowledged), c.refused) for c in callers))
        time.sleep(0.05)
    write(folder + "/ledger", "".join("%d\n" % number for c in callers for number in c.acknowledged))
    faults = [c.fault for c in callers if c.fault]
    sys.exit("status %s" % faults if faults else 0)


main()
