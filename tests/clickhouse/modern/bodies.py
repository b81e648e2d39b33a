"""bodies.py URL FOLDER: what a server makes of the bodies that the shipper sent last, which server.py keeps in FOLDER: cut
anywhere they store nothing, once more they count once, and as another block they count. Says what it tried."""
import glob
import os
import random
import sys
import urllib.error
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import native  # noqa: E402

EACH_BYTE = 3000  # of a body: a longer one is cut once within each of its pieces, but no more than 1,000 times
CUTS = 1000
COUNTED = {"log": "count()", "sums": "sum(rows)"}  # rows of one key become one when parts are merged


def post(url, body):
    try:
        with urllib.request.urlopen(url, body) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


class Table:
    def __init__(self, url, path):
        self.server, (self.database, self.name) = url, os.path.basename(path).split(".")[:2]
        with open(path, "rb") as file:
            self.body = file.read()
        with open(path.removesuffix("native") + "url", encoding="ascii") as file:
            self.url = url + file.read()
        self.spans = native.spans(self.body)
        self.rows = self.count()

    def count(self):
        status, text = post(f"{self.server}/?database={self.database}",
                            f"SELECT {COUNTED[self.name]} FROM {self.name}".encode())
        assert status == 200, text
        return int(text)

    def insert(self, what, body, status, more_rows):
        """It is answered with this status, and so many rows are there then."""
        self.rows += more_rows
        found, words = post(self.url, body)
        rows = self.count()
        if (found, rows) != (status, self.rows):
            sys.exit(f"{self.database}.{self.name}, {what}: {found}, not {status}, and {rows} rows, not {self.rows}: {words}")

    def sizes(self):
        if len(self.body) <= EACH_BYTE:
            return range(1, len(self.body))
        within = {random.randrange(max(begin, 1), end) for _, begin, end in self.spans[1:]}
        return random.sample(sorted(within), min(CUTS, len(within)))

    def body_rows(self):
        _, begin, end = self.spans[1]
        return sum((byte & 127) << 7 * i for i, byte in enumerate(self.body[begin:end]))

    def check(self):
        """In what kind of bytes it was cut, each time."""
        kinds = []
        for size in self.sizes():
            kinds.append(next(kind for kind, begin, end in self.spans if begin <= size < end))
            self.insert(f"cut after {size} of {len(self.body)} bytes, in {kinds[-1]}", self.body[:size], 500, 0)
        self.insert("once more", self.body, 200, 0)
        another = self.body[:-1] + bytes([self.body[-1] ^ 1])  # the highest byte of a number
        self.insert("another block", another, 200, self.body_rows())
        self.insert("another block once more", another, 200, 0)
        return kinds


def main(url, folder):
    paths = sorted(glob.glob(f"{folder}/sent/*.native"))
    kinds = [kind for path in paths for kind in Table(url, path).check()]
    print(f"{len(paths)} bodies were cut {len(kinds)} times, in {len(set(kinds))} kinds of bytes, and sent again")
    sys.exit(0 if kinds else "no body was sent before")


main(*sys.argv[1:])
