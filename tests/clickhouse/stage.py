"""stage.py: the service, two replicas, and a proxy before each of them. Starts, asks, kills and stops them."""
import glob
import http.client
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.parse

import proxy

TOOL = "tools/clickhouse.sh"
PATIENCE = 300  # seconds, for what hangs


def wait_for(what, done):
    until = time.monotonic() + PATIENCE
    while not done():
        if time.monotonic() > until:
            sys.exit(f"still not: {what}")
        time.sleep(0.05)


# ---- the servers


class Servers:
    def __init__(self, folder):
        self.folder, self.parts = folder, ["1", "2", "zookeeper"]
        self.tool("make", "1x2")
        self.tool("start")
        self.urls = subprocess.check_output([TOOL, "urls", folder], text=True).strip().split(",")
        for name in ("password", "reports.password"):
            os.chmod(f"{folder}/{name}", 0o644)
        with open(f"{folder}/password", encoding="ascii") as file:
            self.password = file.read().strip()

    def tool(self, command, *parts):
        subprocess.run([TOOL, command, self.folder, *parts], check=True)

    def home(self, part):
        return f"{self.folder}/{part if part == 'zookeeper' else 'server' + part}"

    def signal(self, part, number):
        with open(f"{self.home(part)}/pid", encoding="ascii") as file:
            os.kill(int(file.read()), number)

    def ask(self, replica, sql):
        url = urllib.parse.urlsplit(self.urls[replica])
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=PATIENCE)
        headers = {"X-ClickHouse-User": "analytics", "X-ClickHouse-Key": self.password}
        connection.request("POST", "/?database=analytics", sql, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        if answer.status != 200:
            raise OSError(f"{sql}: {text}")
        return text

    def rows(self, replica, sql):
        return [tuple(line.split("\t")) for line in self.ask(replica, sql + " FORMAT TabSeparated").splitlines()]

    def sync(self):
        """Waits until each replica has all that any replica has."""
        for replica in (0, 1):
            for table in ("log", "sums"):
                wait_for(f"replica {replica + 1} has {table}", lambda r=replica, t=table: self.is_synced(r, t))

    def is_synced(self, replica, table):
        try:
            self.ask(replica, f"SYSTEM SYNC REPLICA {table}")
            return True
        except OSError:
            return False

    def forget_blocks(self):
        """Deletes the hashes of blocks, as if more blocks had come since than the servers remember."""
        with open(f"{self.folder}/zookeeper/zoo.cfg", encoding="ascii") as file:
            port = next(line for line in file if line.startswith("clientPort=")).strip().split("=")[1]
        jars = ":".join(f"/usr/share/java/{name}.jar" for name in ("zookeeper", "slf4j-log4j12", "log4j-1.2", "commons-cli"))
        paths = [f"deleteall /clickhouse/tables/1/analytics/{table}/blocks" for table in ("log", "sums")]
        paths += [path.replace("deleteall", "create") for path in paths]
        subprocess.run(["java", f"-Dlog4j.configuration=file:{self.folder}/zookeeper/log4j.properties", "-cp", jars,
                        "org.apache.zookeeper.ZooKeeperMain", "-server", f"127.0.0.1:{port}"],
                       input="\n".join(paths) + "\nquit\n", text=True, check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)


# ---- the service


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Service:
    def __init__(self, folder, servers, build):
        self.build, self.data, self.port = build, f"{folder}/data", free_port()
        self.log = open(f"{folder}/serve.log", "w", encoding="utf-8")
        self.proxies = [proxy.Proxy(url) for url in servers.urls]
        self.settings = dict(
            os.environ, ANALYTICS_ENGINE="clickhouse", ANALYTICS_CLICKHOUSE_URLS=",".join(servers.urls),
            ANALYTICS_CLICKHOUSE_SHIP_MS="50", ANALYTICS_CLICKHOUSE_TIMEOUT_MS="5000",
            ANALYTICS_CLICKHOUSE_PASSWORD_FILE=f"{servers.folder}/password",
            ANALYTICS_CLICKHOUSE_REPORTS_PASSWORD_FILE=f"{servers.folder}/reports.password")
        self.serve = subprocess.Popen(
            ["./serve", "--no-setup", "--build-dir", self.build, "--port", str(self.port), "--query-processes", "1", "--data",
             self.data, "--engine", "clickhouse", "--clickhouse-url", ",".join(p.url for p in self.proxies),
             "--supervisor", "tests/support/keep_going.sh"], env=self.settings, stdout=self.log, stderr=self.log)

    def is_up(self):
        if self.serve.poll() is not None:
            with open(self.log.name, encoding="utf-8") as file:
                sys.exit(f"./serve ended: {file.read()[-2000:]}")
        return self.get("/analytics/health", "") is not None

    def key(self, name):
        with open(f"{self.data}/keys/{name}.key", encoding="ascii") as file:
            return file.read().strip()

    def request(self, method, path, key, body=None, more=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body, {"x-api-key": key, **(more or {})})
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()

    def get(self, path, key):
        status, body = self.request("GET", path, key)
        return json.loads(body) if status == 200 else None

    def kill_ingest(self):
        """Kills the writer of this data folder."""
        for path in glob.glob("/proc/[0-9]*/cmdline"):
            try:
                with open(path, "rb") as file:
                    words = file.read().split(b"\0")
                if words[0] == f"{self.build}/analytics-ingest".encode() and self.data.encode() in words:
                    os.kill(int(path.split("/")[2]), signal.SIGKILL)
            except (OSError, IndexError):
                pass

    def spool(self, sql):
        database = sqlite3.connect(f"file:{self.data}/analytics.db?mode=ro", uri=True)
        try:
            return database.execute(sql).fetchone()[0]
        finally:
            database.close()

    def has_shipped_all(self):
        return self.spool("SELECT NOT EXISTS (SELECT 1 FROM spool_block WHERE state = 0)"
                          " AND cut_until >= ifnull((SELECT max(id) FROM batch), 0) FROM spool")

    def current_replica(self):
        return self.spool("SELECT hex(substr(replica, 1, 1)) FROM spool") == "01"

    def verify(self):
        return subprocess.run([f"{self.build}/analyticsctl", "--data", self.data, "verify"], capture_output=True, text=True,
                              env=self.settings, check=False)

    def stop(self):
        self.serve.send_signal(signal.SIGINT)
        self.serve.wait()
