"""HTTP to an agent's loopback port in another network namespace, and what comes back."""

import http.client
import json
import os
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../counts"))

# The folder is beside this one, and no package.
from stage import Space  # noqa: E402 pylint: disable=wrong-import-position


class Agent:
    """An agent's API on a port of the loopback interface of a namespace."""

    def __init__(self, space, port):
        self.space, self.port = Space(space), port

    def connection(self, port=None, timeout=30):
        port = port or self.port
        one = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        one.sock = self.space.socket(socket.AF_INET, socket.SOCK_STREAM)
        one.sock.settimeout(timeout)
        one.sock.connect(("127.0.0.1", port))
        return one

    def get(self, path, headers=None, port=None):
        """Status, headers and body of an answer."""
        one = self.connection(port)
        try:
            one.request("GET", path, headers=headers or {})
            answer = one.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            one.close()

    def json(self, path, port=None):
        status, _, body = self.get(path, port=port)
        if status != 200:
            raise RuntimeError(f"{path}: {status} {body!r}")
        return json.loads(body)


class Stream:
    """Lines of an endless answer, each with the moment when it came."""

    def __init__(self, agent, path):
        self.lines = []
        self.one = agent.connection()
        self.one.request("GET", path)
        self.answer = self.one.getresponse()
        self.type = self.answer.headers["Content-Type"]
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        try:
            while line := self.answer.readline():
                self.lines.append((time.monotonic(), line.decode().rstrip("\n")))
        except (OSError, ValueError, AttributeError):
            pass

    def events(self):
        """Server-sent events as (moment, name, data)."""
        found, name = [], None
        for moment, line in list(self.lines):
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                found.append((moment, name, json.loads(line[6:])))
        return found

    def objects(self):
        return [(moment, json.loads(line)) for moment, line in list(self.lines) if line]

    def close(self):
        self.one.sock.shutdown(socket.SHUT_RDWR)
        self.thread.join(timeout=5)
        self.one.close()


def until(condition, seconds=15):
    """Whether the condition comes true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False
