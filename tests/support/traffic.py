#!/usr/bin/env python3
"""traffic.py KIND PROXY-PORT ORIGIN-PORT PASSWORD: an origin, and clients that send known traffic to it through a proxy.

Prints the bytes at the clients' own sockets, one line for each connection: USER|HOST|SENT|RECEIVED. KIND: connect
(an HTTP proxy with user names), stream (a proxy of TCP connections that reads the server name of TLS). An origin reads
as many bytes as the first line of a connection says, and answers with as many. Knows no proxy's log."""
import base64
import socket
import ssl
import sys
import threading
import urllib.parse

KIND, PROXY, ORIGIN, PASSWORD = sys.argv[1], ("127.0.0.1", int(sys.argv[2])), int(sys.argv[3]), sys.argv[4]
SECONDS = 60  # only a hanging proxy takes as long


def serve(connection):
    with connection, connection.makefile("rb") as lines:
        first = lines.readline()
        if first.startswith((b"GET ", b"POST ")):
            head = list(iter(lambda: lines.readline().strip().lower(), b""))
            lines.read(sum(int(line.split(b":")[1]) for line in head if line.startswith(b"content-length:")))
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\nConnection: close\r\n\r\n" + b"d" * 5000)
        elif first[:1] != b"\x16":  # TLS gets no answer
            up, down = map(int, first.split())
            lines.read(up)
            connection.sendall(b"d" * down)


def listen(family, address):
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, ORIGIN))
    listener.listen(100)

    def accept():
        while True:
            threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()


def talk(user, host, *pieces, until=b""):
    """Sends the pieces, each after an answer that ends in UNTIL, and reads to the end."""
    sent = received = 0
    with socket.create_connection(PROXY, SECONDS) as client:
        for index, piece in enumerate(pieces):
            client.sendall(piece)
            sent += len(piece)
            answer = b""
            while index < len(pieces) - 1 and not answer.endswith(until):
                byte = client.recv(1)
                if not byte:
                    raise SystemExit(f"{KIND}: the proxy has closed the connection to {host} after {answer}")
                answer += byte
            received += len(answer)
        while piece := client.recv(65536):
            received += len(piece)
    print(user, host, sent, received, sep="|")


def exchange(up, down):
    return b"%d %d\n" % (up, down) + b"u" * up


def head(method, target, user, more=""):
    authority = urllib.parse.urlsplit(target).netloc or target
    name = base64.b64encode(f"{user}:{PASSWORD}".encode()).decode()
    return f"{method} {target} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n{more}Proxy-Authorization: Basic {name}\r\n\r\n".encode()


def connect():
    for user, target, host, up, down in (("alice", "site.test", "site.test", 100000, 200000), ("b ob", "Site.Test.", "site.test", 1, 7),
                                         ("a%20b", "site.test", "site.test", 0, 9), ("ü", "[::1]", "::1", 30, 40)):
        talk(user, host, head("CONNECT", f"{target}:{ORIGIN}", user), exchange(up, down), until=b"\r\n\r\n")
    talk("alice", "site.test", head("GET", f"http://site.test:{ORIGIN}/a%22b?c//d", "alice"))
    talk("alice", "site.test", head("POST", f"http://site.test:{ORIGIN}/", "alice", "Content-Length: 30000\r\n") + b"p" * 30000)
    talk("b ob", "site.test", head("CONNECT", "site.test:25", "b ob"))  # refused by the proxy


def hello(name):
    """The first message of a TLS client, which has the server name."""
    outgoing = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()


def stream():
    for up, down in ((100000, 200000), (10, 7), (500, 0)):
        talk("127.0.0.1", "", exchange(up, down))
    talk("127.0.0.1", "www.site.test", hello("www.site.test"))


listen(socket.AF_INET, "127.0.0.1")
listen(socket.AF_INET6, "::1")
{"connect": connect, "stream": stream}[KIND]()
