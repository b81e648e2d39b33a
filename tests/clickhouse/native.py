"""native.py: splits a block in ClickHouse's Native format into its pieces, for the types that the service sends."""

WIDTHS = {"UInt8": 1, "UInt16": 2, "UInt32": 4, "UInt64": 8, "Int64": 8, "AggregateFunction(max, Int64)": 9,
          "AggregateFunction(min, Int64)": 9}


class Walk:
    def __init__(self, text):
        self.text, self.at, self.spans = text, 0, []

    def step(self, kind, size):
        if size > 0:
            self.spans.append((kind, self.at, self.at + size))
        self.at += size
        return self.text[self.at - size:self.at]

    def number(self, kind):
        begin, value, shift = self.at, 0, 0
        while True:
            byte = self.text[self.at]
            self.at, value, shift = self.at + 1, value | (byte & 127) << shift, shift + 7
            if byte < 128:
                self.spans.append((kind, begin, self.at))
                return value

    def words(self, kind):
        return self.step(kind, self.number(f"length of {kind}")).decode()


def spans(block):
    """(kind, begin, end) of each piece of the block, in order, without gaps."""
    walk = Walk(block)
    columns, rows = walk.number("number of columns"), walk.number("number of rows")
    for column in range(columns):
        walk.words("name")
        kind = walk.words("type")
        last = "last " if column == columns - 1 else ""
        for _ in range(rows):
            if kind == "String":
                walk.words("text")
            else:
                walk.step(f"{last}{kind}", WIDTHS[kind])
    assert walk.at == len(block), "the block has bytes that belong to no column"
    return walk.spans
