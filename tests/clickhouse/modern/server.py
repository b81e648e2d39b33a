"""server.py: ClickHouse 26.5 as a server for tests: npm's library of the engine behind as much of ClickHouse's HTTP interface
as lib/store/clickhouse/ uses. Knows no table but by what the statements say.

Usage: server.py LIBRARY FOLDER: prints its URL, and what it was asked when it ends: by SIGTERM, or with its parent.
FOLDER/sent has the last body of each table, and where it was posted.

The engine itself parses each statement, each setting and each body, and says no in its own words. This is not the engine's:
  a Replicated table     the engine gets its statement, and must refuse it for want of a Keeper alone (999): by then it has
                         looked at all of it. Then it makes the same table without replication, which remembers as many blocks.
                         With a Keeper it would stay read-only: the library has no address to give to other replicas
  SHOW CREATE TABLE      says "Replicated" before the engine's name all the same
  SYSTEM SYNC REPLICA    the engine must find the table, and say that it is not replicated (36)
  system.replicas        a table with the columns of the engine's, and a row for each Replicated table
  system.mutations       numbers mutations as Replicated tables do
  a body                 is read from a file (INTO … FROM INFILE), by the engine's own reader of the format
  settings               are those of the request; what it does not name is as in PROFILE
  users                  any password is right; the one named analytics_reports is readonly = 2
  a refusal              has the status 500, whatever it is for
  the cluster analytics  is this server alone
One statement runs at a time."""
import collections
import ctypes
import http.server
import os
import re
import signal
import sys
import threading
import urllib.parse

CONFIG = """<clickhouse>
<macros><shard>1</shard><replica>1</replica></macros>
<zookeeper><node><host>127.0.0.1</host><port>1</port></node></zookeeper>
<tcp_port>9000</tcp_port>
<remote_servers><analytics><shard><replica><host>127.0.0.1</host><port>9000</port></replica></shard></analytics></remote_servers>
</clickhouse>
"""
STAND_INS = (
    "CREATE DATABASE modern",
    "CREATE TABLE modern.replicas AS system.replicas ENGINE = Memory",
    "CREATE VIEW modern.mutations AS SELECT * REPLACE (leftPad(extract(mutation_id, '[0-9]+'), 10, '0') AS mutation_id)"
    " FROM system.mutations")
# Settings that a careless administrator may have made: nothing may depend on them.
PROFILE = ("async_insert = 1", "deduplicate_insert = 'disable'", "insert_deduplicate = 0", "skip_unavailable_shards = 1",
           "output_format_json_quote_64bit_integers = 0")
NO_SETTINGS = ("database", "query", "wait_end_of_query")  # of the HTTP interface itself
NO_KEEPER, NOT_REPLICATED = "Code: 999.", "Code: 36."


class Refused(Exception):
    """In the words of an HTTP answer: what the library says twice is said once, with the version behind it."""

    def __init__(self, words):
        super().__init__(re.sub(r"^(Code: \d+\. DB::Exception: )\1(.*)\. \([A-Z_]+\)$", r"\1\2", words, flags=re.DOTALL))


# ---- the library


class Library:
    def __init__(self, path, folder):
        self.library = ctypes.CDLL(path)
        self.declare("chdb_connect", ctypes.POINTER(ctypes.c_void_p), ctypes.c_int, ctypes.POINTER(ctypes.c_char_p))
        self.declare("chdb_close_conn", None, ctypes.c_void_p)
        self.declare("chdb_query_n", ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p,
                     ctypes.c_size_t)
        self.declare("chdb_result_error", ctypes.c_char_p, ctypes.c_void_p)
        self.declare("chdb_result_buffer", ctypes.c_void_p, ctypes.c_void_p)
        self.declare("chdb_result_length", ctypes.c_size_t, ctypes.c_void_p)
        self.declare("chdb_destroy_query_result", None, ctypes.c_void_p)
        with open(f"{folder}/config.xml", "w", encoding="ascii") as file:
            file.write(CONFIG)
        words = [b"clickhouse", os.fsencode(f"--path={folder}/data"), os.fsencode(f"--config-file={folder}/config.xml")]
        self.words = (ctypes.c_char_p * len(words))(*words)
        self.first = self.connect()  # the engine ends with its last connection

    def declare(self, name, gives, *takes):
        function = getattr(self.library, name)
        function.restype, function.argtypes = gives, takes

    def connect(self):
        connection = self.library.chdb_connect(len(self.words), self.words)
        if not connection:
            sys.exit("libchdb.so gives no connection")
        return connection

    def query(self, connection, sql):
        text = sql.encode(errors="surrogateescape")
        result = self.library.chdb_query_n(connection[0], text, len(text), b"TabSeparated", 12)
        try:
            error = self.library.chdb_result_error(result)
            if error:
                raise Refused(error.decode(errors="replace"))
            size = self.library.chdb_result_length(result)
            return ctypes.string_at(self.library.chdb_result_buffer(result), size) if size else b""
        finally:
            self.library.chdb_destroy_query_result(result)


# ---- a session: settings, and then a statement


class Session:
    def __init__(self, library):
        self.library, self.connection = library, library.connect()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.library.library.chdb_close_conn(self.connection)

    def run(self, sql):
        return self.library.query(self.connection, sql)

    def set(self, settings):
        for setting in settings:
            self.run(f"SET {setting}")

    def answer(self, sql, body_path):
        """The statement, by way of what stands in for replication."""
        sql = sql.replace("system.replicas", "modern.replicas").replace("system.mutations", "modern.mutations")
        if body_path:
            return self.run(re.sub(r"(?= FORMAT \w+$)", f" FROM INFILE '{body_path}' COMPRESSION 'none'", sql))
        if " ENGINE = Replicated" in sql:
            return self.make_replicated(sql)
        if sql.startswith("SYSTEM SYNC REPLICA"):
            return self.expect(NOT_REPLICATED, sql)
        text = self.run(sql)
        if sql.startswith("SHOW CREATE TABLE"):
            text = re.sub(rb"(?<=ENGINE = )(?=\w*MergeTree)", b"Replicated", text)
        return text

    def expect(self, code, sql):
        try:
            self.run(sql)
        except Refused as refused:
            if not str(refused).startswith(code):
                raise
        return b""

    def make_replicated(self, sql):
        table = re.match(r"CREATE TABLE IF NOT EXISTS (\w+) ", sql).group(1)
        if self.run(f"EXISTS TABLE {table}") == b"1\n":
            return b""
        self.expect(NO_KEEPER, sql)
        window = re.search(r"replicated_deduplication_window = \d+", sql)
        self.run(re.sub(r"(?<= ENGINE = )Replicated(\w+)\('[^']*', '[^']*'(?:, )?", r"\1(", sql)
                 + (f", non_{window.group()}" if window else ""))
        self.run("INSERT INTO modern.replicas (database, table, is_leader, log_pointer, total_replicas, active_replicas)"
                 f" SELECT currentDatabase(), '{table}', 1, 1, 1, 1")
        return b""


# ---- HTTP


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, library, folder):
        self.folder, self.lock, self.library = folder, threading.Lock(), Library(library, folder)
        self.counts = collections.Counter()
        os.mkdir(f"{folder}/sent")
        with Session(self.library) as session:
            for sql in STAND_INS:
                session.run(sql)
        super().__init__(("127.0.0.1", 0), Handler)

    def keep(self, url, database, sql, body):
        path = f"{self.folder}/sent/{database}.{sql.split()[2]}"
        for ending, text in ((".url", url.encode()), (".native", body)):
            with open(path + ending, "wb") as file:
                file.write(text)
        return path + ".native"

    def ask(self, url, is_reports, body):
        """With a statement in the URL, the body is its data."""
        params = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))
        with self.lock, Session(self.library) as session:
            sql = params.get("query") or body.decode(errors="surrogateescape")
            self.counts[sql.split()[0]] += 1
            session.run(f"USE {params['database']}")
            session.set(PROFILE)
            if is_reports:
                session.set(["readonly = 2"])
            session.set(f"{name} = '{value}'" for name, value in params.items() if name not in NO_SETTINGS)
            path = self.keep(url, params["database"], sql, body) if "query" in params else None
            return session.answer(sql, path)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer in one piece

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            status, text = 200, self.server.ask(self.path, self.headers["X-ClickHouse-User"] == "analytics_reports", body)
        except Refused as refused:
            self.server.counts["refused"] += 1
            status, text = 500, f"{refused}\n".encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    PARENT = os.getppid()
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    SERVER = Server(sys.argv[1], sys.argv[2])
    threading.Thread(target=SERVER.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{SERVER.server_address[1]}", flush=True)
    while os.getppid() == PARENT and not signal.sigtimedwait([signal.SIGTERM], 1):
        pass
    with SERVER.lock:
        print(", ".join(f"{count} {name}" for name, count in sorted(SERVER.counts.items())), flush=True)
        os._exit(0)
