"""proxy.py: stands between the service and one ClickHouse server. Passes requests and answers on, except those that a
test wants spoiled. Knows as much of HTTP as that needs. Each connection has one request.

Usage: proxy.py URL FILE: prints its own URL. FILE is read again for each request, and is empty or
  SPOIL WHAT [WORDS]   where WHAT is a part of the request's text, such as SELECT or INSERT%20INTO%20log
SPOIL is one of
  wrong     answers 200 with WORDS
  refuse    answers 500 with WORDS
  hang      closes without an answer, once FILE has something else
  hold      passes the request on then
  cut       passes the answer on without its last 12 bytes"""
import os
import re
import socket
import socketserver
import sys
import threading
import time
import urllib.parse

PIECE = 65536


def read_request(connection):
    """Head and body; both empty when there is none."""
    text = b""
    while b"\r\n\r\n" not in text:
        piece = connection.recv(PIECE)
        if not piece:
            return b"", b""
        text += piece
    head, body = text.split(b"\r\n\r\n", 1)
    length = int(re.search(rb"(?i)\r\ncontent-length: *(\d+)", head + b"\r\ncontent-length: 0").group(1))
    while len(body) < length:
        piece = connection.recv(PIECE)
        if not piece:
            return b"", b""
        body += piece
    return head.replace(b"\r\n", b"\r\nConnection: close\r\n", 1) + b"\r\n\r\n", body


def read_answer(server):
    answer = b""
    while piece := server.recv(PIECE):
        answer += piece
    return answer


class Cut:
    """Spoils one request whose text has `matches` in it. `request(head, body)` and `answer(text)` return how many bytes
    are passed on; None: all. `after` is called before the client gets its answer."""

    def __init__(self, matches, request=None, answer=None, after=None):
        self.matches, self.request, self.answer, self.after = matches, request, answer, after


class Proxy(socketserver.ThreadingTCPServer):
    daemon_threads = allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self.upstream, self.lock, self.cuts = (parts.hostname, parts.port), threading.Lock(), []
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def arm(self, cut):
        with self.lock:
            self.cuts.append(cut)

    def take(self, head, body):
        """The first cut that is meant for this request."""
        with self.lock:
            for cut in self.cuts:
                if cut.matches in head or cut.matches in body:
                    self.cuts.remove(cut)
                    return cut
        return None

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        head, body = read_request(self.request)
        if not head:
            return
        cut = self.server.take(head, body)
        with socket.create_connection(self.server.upstream) as server:
            if cut and cut.request:
                server.sendall((head + body)[:cut.request(head, body)])
                server.shutdown(socket.SHUT_WR)
                read_answer(server)  # waits until the server is done with it
                passed = b""
            else:
                server.sendall(head + body)
                passed = read_answer(server)
        if cut and cut.answer:
            passed = passed[:cut.answer(passed)]
        if cut and cut.after:
            cut.after()
        self.request.sendall(passed)


# ---- by a file


def reply(status, words):
    body = words.encode()
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (status, len(body), body)


class Spoiling(Handler):
    def handle(self):
        head, body = read_request(self.request)
        spoil, what, *words = wanted = self.server.wanted()
        if not head or not spoil or what.encode() not in head + body:
            self.pass_on(head + body)
        elif spoil in ("hang", "hold"):
            while self.server.wanted() == wanted:
                time.sleep(0.1)
            if spoil == "hold":
                self.pass_on(head + body)
        elif spoil == "cut":
            self.pass_on(head + body, 12)
        else:
            self.request.sendall(reply({"wrong": 200, "refuse": 500}[spoil], " ".join(words)))

    def pass_on(self, request, without=0):
        if request:
            with socket.create_connection(self.server.upstream) as server:
                server.sendall(request)
                answer = read_answer(server)
            self.request.sendall(answer[:len(answer) - without])


class FileProxy(Proxy):
    def __init__(self, url, path):
        self.path = path
        super().__init__(url)
        self.RequestHandlerClass = Spoiling

    def wanted(self):
        with open(self.path, encoding="utf-8") as file:
            return file.read().split() or ["", ""]


if __name__ == "__main__":
    PROXY = FileProxy(sys.argv[1], sys.argv[2])
    print(PROXY.url, flush=True)
    while os.getppid() != 1:
        time.sleep(0.2)
