"""Connections: ports that are used again, idle ones, ends that change under them."""

import os
import socket
import struct
import threading
import time

from calls import Server, udp
from field import Wrong, policy, until
from trial import OFF, case

RULES = ("open.yaml", policy("open", "{tenant: blue}", "{tenant: green}",
                             "protocol: tcp, ports: [5000]", "protocol: udp, ports: [5000]"))
ENDS = (("blue-1", "b"), ("green-1", "a"))
LINGER = struct.pack("ii", 1, 0)    # Close with a reset.


@case("23", "a source port that is used again", "each call passes",
      "cilium#45863, calico#5308, felix#1490")
def used_again(t):
    field = t.field(policies=[RULES])
    server = t.server(field, "green-1", 5000)
    target, own = field.v4("green-1"), field.v4("blue-1")
    passed = sum(reset_call(field, target, (own, 41000)) for _ in range(50))
    t.claim("50 of 50 calls pass after a reset", passed == 50, passed)
    passed = sum(udp(field, "blue-1", target, 5000, 5, (own, 42000)) for _ in range(20))
    t.claim("20 of 20 UDP calls pass", passed == 20, passed)
    server.close()
    # Who closes first keeps TIME_WAIT: here the server.
    first = Closing(field, target)
    t.callback(first.close)
    passed = sum(first.call(field, (own, 43000)) for _ in range(20))
    t.claim("20 of 20 calls pass with TIME_WAIT at the server", passed == 20, passed)


def reset_call(field, target, bind):
    with field.socket("blue-1", socket.AF_INET, socket.SOCK_STREAM, 0, bind) as client:
        client.settimeout(5)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
        try:
            client.connect((target, 5000))
            client.sendall(b"trial")
            return bool(client.recv(16))
        except OSError:
            return False


class Closing:
    """A server that sends and closes at once."""

    def __init__(self, field, address):
        self.address = address
        self.socket = field.socket("green-1", socket.AF_INET, socket.SOCK_STREAM, 0, (address, 5000))
        self.socket.listen(64)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
                connection.sendall(b"x")
                connection.close()
            except OSError:
                return

    def call(self, field, bind):
        with field.socket("blue-1", socket.AF_INET, socket.SOCK_STREAM, 0, bind) as client:
            client.settimeout(5)
            try:
                client.connect((self.address, 5000))
                return client.recv(16) == b"x" and client.recv(16) == b""
            except OSError:
                return False

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join()


@case("24a", "connection tracking has forgotten, the caller speaks", "goes on",
      "cilium#2697, moby#31208")
def caller_first(t):
    field = t.field(policies=[RULES])
    t.server(field, "green-1", 5000)
    with field.socket("blue-1", socket.AF_INET, socket.SOCK_STREAM) as client:
        client.settimeout(5)
        client.connect((field.v4("green-1"), 5000))
        for number in range(3):
            client.sendall(b"trial")
            t.claim(f"answer {number + 1}", client.recv(16))
            for name in ("blue-1", "green-1"):
                flush(field, name)


def flush(field, name):
    """Has connection tracking of a namespace forget all: IPCTNL_MSG_CT_DELETE for everything."""
    request = struct.pack("=IHHII BBH", 20, 1 << 8 | 2, 1 | 4, 1, 0, 0, 0, 0)
    with field.socket(name, socket.AF_NETLINK, socket.SOCK_RAW, 12) as link:
        link.send(request)
        _, _, _, _, error = struct.unpack_from("=HHIIi", link.recv(4096), 4)
        if error:
            raise Wrong(f"connection tracking forgets nothing: {os.strerror(-error)}")


@case("24b", "connection tracking has forgotten, the called side speaks",
      "dropped, without advice to open an ephemeral port", "calico#9372, moby#31208", modes=(OFF,))
def called_first(t):
    field = t.field(policies=[RULES])
    target = field.v4("green-1")
    with field.socket("green-1", socket.AF_INET, socket.SOCK_DGRAM, 0, (target, 5000)) as server, \
            field.socket("blue-1", socket.AF_INET, socket.SOCK_DGRAM) as client:
        server.settimeout(5)
        client.settimeout(0.3)
        client.sendto(b"asked", (target, 5000))
        _, caller = server.recvfrom(64)
        for name in ("blue-1", "green-1"):
            flush(field, name)
        try:
            server.sendto(b"late", caller)
            late = client.recv(64)
        except OSError:
            late = b""
    t.claim("the late answer is dropped", not late, late)
    rows = until(lambda: field.violations(source="green-1", destination="blue-1"))
    t.claim("it is told", rows)
    advice = str([one.get("closest", {}).get("fix") for one in rows])
    t.claim("no advice names the port", str(caller[1]) not in advice, advice)


@case("35", "addresses that come and go under a connection", "nothing breaks, new ones work at once",
      "systemd#32087")
def privacy(t):
    field = t.field(policies=[RULES])
    t.server(field, "green-1", 5000, addresses=field.both("green-1"))
    running, worst = [True], [0.0]

    def talk():
        with field.socket("blue-1", socket.AF_INET6, socket.SOCK_STREAM) as client:
            client.settimeout(10)
            client.connect((field.v6("green-1"), 5000))
            while running[0]:
                began = time.monotonic()
                client.sendall(b"trial")
                if not client.recv(64):
                    worst[0] = 99
                    return
                worst[0] = max(worst[0], time.monotonic() - began)
                time.sleep(0.002)

    talker = threading.Thread(target=talk, daemon=True)
    talker.start()
    firsts = []
    for number in range(1, 13):
        for name, letter in ENDS:
            field.sh(name, f"ip addr add fd90::{letter}:{number}/64 dev eth0 nodad")
        began = time.monotonic()
        if not udp(field, "blue-1", field.v6("green-1"), 5000, 5, (f"fd90::b:{number}", 0)):
            t.claim("a new address works", False, f"fd90::b:{number}")
        firsts.append(time.monotonic() - began)
        for name, letter in ENDS:
            field.sh(name, f"ip addr del fd90::{letter}:{number}/64 dev eth0")
    running[0] = False
    talker.join(15)
    t.claim("the connection goes on", not talker.is_alive() and worst[0] < 10, worst[0])
    t.within("the connection's longest pause", worst[0], 1)
    t.within("a new address works", max(firsts), 1)


@case("37", "a server that is made again under a flow", "the flow goes on", "moby#8795, calico#4124")
def made_again(t):
    field = t.field("blue-1", policies=[RULES])

    def make():
        field.bear("green-9")
        field.plug("green-9", "10.90.0.99/24", mac="02:42:0a:5a:00:63")
        return Server(field, "green-9", 5000)

    server = make()
    bind = (field.v4("blue-1"), 45000)
    t.claim("the flow passes", udp(field, "blue-1", "10.90.0.99", 5000, 10, bind))
    server.close()
    field.bury("green-9")
    until(lambda: "rf-green-9" not in field.sh("host", "ip -o link"))
    server = t.closing(make())
    began = time.monotonic()
    if t.claim("it goes on", udp(field, "blue-1", "10.90.0.99", 5000, 20, bind)):
        t.within("it goes on", time.monotonic() - began, 3)
