#!/usr/bin/env python3
"""parts.py [-separator S] FILE SQL: like the sqlite3 shell, but raw_log and the view `log` have the logs of log_part as
well, read by a decoder of the tests' own, which is written from the description of the format in lib/part/part.h."""
import sqlite3
import sys

COLUMNS = ("quarter second domain order_id batch_id line port protocol ip_out ip_from peer worker error count bytes_sent"
           " bytes_received error_count duration_ms max_concurrency").split()
FIRST_WIDE = 2**32 + 1


class Bytes:
    def __init__(self, text):
        self.text, self.at = text, 0

    def take(self, count):
        self.at += count
        return self.text[self.at - count:self.at]

    def varint(self):
        value, shift = 0, 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value


def read_head(text):
    head, table = text.take(1)[0], [text.varint()]
    if head >= 64:
        for _ in range(text.varint()):
            table.append(table[-1] + text.varint())
    return head & 63, table, head >= 64


def address(number, wide):
    if number >= FIRST_WIDE:
        return wide[number - FIRST_WIDE]
    return (number - 1).to_bytes(4, "big") if number else b""


def read_part(packed):
    """The logs of a part, each a dict by COLUMNS."""
    text = Bytes(packed)
    assert text.take(1) == b"\1"
    count, wide_count = text.varint(), text.varint()
    wide = [text.take(16) for _ in range(wide_count)]
    heads = [read_head(text) for _ in COLUMNS]
    logs = [{} for _ in range(count)]
    for name, (width, table, has_table) in zip(COLUMNS, heads):
        bits = int.from_bytes(text.take((count * width + 7) // 8), "little")
        for log in logs:
            code, bits = bits & ((1 << width) - 1), bits >> width
            log[name] = table[code] if has_table else table[0] + code
    for log in logs:
        log["ip_out"], log["ip_from"] = address(log["ip_out"], wide), address(log["ip_from"], wide)
    assert text.at == len(packed) - 16
    return logs


def show(database):
    """From now on `raw_log` and `log` of this connection have all logs of this moment."""
    database.execute("SAVEPOINT show")  # one read transaction, as logs move from one table to the other meanwhile
    view = database.execute("SELECT sql FROM main.sqlite_schema WHERE name = 'log'").fetchone()[0]
    database.execute("CREATE TEMP TABLE raw_log AS SELECT * FROM main.raw_log")
    names = [row[1] for row in database.execute("PRAGMA temp.table_info(raw_log)")]
    for day, user, packed in database.execute("SELECT day, user_id, columns FROM log_part").fetchall():
        for log in read_part(packed):
            log.update(quarter=day * 96 + log["quarter"], user_id=user)
            database.execute(f"INSERT INTO temp.raw_log VALUES ({','.join('?' * len(names))})", [log[n] for n in names])
    database.execute(view.replace("CREATE", "CREATE TEMP", 1))
    database.execute("RELEASE show")


def main(arguments):
    separator = arguments.pop(1) if arguments[0] == "-separator" else "|"
    if arguments[0] == "-separator":
        arguments.pop(0)
    database = sqlite3.connect(f"file:{arguments[0]}?mode=ro", uri=True, isolation_level=None)
    show(database)
    for row in database.execute(arguments[1]):
        print(separator.join("" if value is None else str(value) for value in row))


if __name__ == "__main__":
    main(sys.argv[1:])
