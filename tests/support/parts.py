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


def read_codes(text, count, width):
    """The codes of a column, which come lowest bits first. To cut a text of digits is faster than to shift a long number
    for each code."""
    packed = int.from_bytes(text.take((count * width + 7) // 8), "little")
    if width == 0:
        return [0] * count
    digits = format(packed, f"0{count * width}b")
    return [int(digits[end - width:end], 2) for end in range(len(digits), len(digits) - count * width, -width)]


def read_part(packed):
    """The logs of a part: by the names of COLUMNS, the values of all logs."""
    text = Bytes(packed)
    assert text.take(1) == b"\1"
    count, wide_count = text.varint(), text.varint()
    wide = [text.take(16) for _ in range(wide_count)]
    heads = [read_head(text) for _ in COLUMNS]
    values = {}
    for name, (width, table, has_table) in zip(COLUMNS, heads):
        codes = read_codes(text, count, width)
        values[name] = [table[code] for code in codes] if has_table else [table[0] + code for code in codes]
    for name in ("ip_out", "ip_from"):
        values[name] = [address(number, wide) for number in values[name]]
    assert text.at == len(packed) - 16
    return values


def show(database):
    """From now on `raw_log` and `log` of this connection have all logs of this moment."""
    database.execute("SAVEPOINT show")  # one read transaction, as logs move from one table to the other meanwhile
    view = database.execute("SELECT sql FROM main.sqlite_schema WHERE name = 'log'").fetchone()[0]
    database.execute("CREATE TEMP TABLE raw_log AS SELECT * FROM main.raw_log")
    names = [row[1] for row in database.execute("PRAGMA temp.table_info(raw_log)")]
    insert = f"INSERT INTO temp.raw_log VALUES ({','.join('?' * len(names))})"
    for day, user, packed in database.execute("SELECT day, user_id, columns FROM log_part").fetchall():
        values = read_part(packed)
        values["quarter"] = [day * 96 + quarter for quarter in values["quarter"]]
        values["user_id"] = [user] * len(values["quarter"])
        database.executemany(insert, zip(*(values[name] for name in names)))
    database.execute(view.replace("CREATE", "CREATE TEMP", 1))
    database.execute("RELEASE show")


def main(arguments):
    separator = arguments.pop(1) if arguments[0] == "-separator" else "|"
    if arguments[0] == "-separator":
        arguments.pop(0)
    database = sqlite3.connect(f"file:{arguments[0]}?mode=ro", uri=True, isolation_level=None)
    show(database)
    sys.stdout.writelines(
        separator.join(["" if value is None else str(value) for value in row]) + "\n"
        for row in database.execute(arguments[1])
    )


if __name__ == "__main__":
    main(sys.argv[1:])
