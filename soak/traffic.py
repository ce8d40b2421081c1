"""Numbered packets that are sent without a pause, and which of them arrived."""

import selectors
import socket
import struct
import threading
import time

from places import SO_RCVBUFFORCE, socket_in
from stage import CHURN, EACH, NAMES, RING, SOURCE, TARGET, TENANTS, address

HEADERS = {socket.AF_INET: 28, socket.AF_INET6: 48}
NUMBER = struct.Struct("!IQ")


class Stream:
    """One flow of one endpoint to another."""

    def __init__(self, stage, index, port, steps, is_allowed):
        source = NAMES[index]
        target = NAMES[(index + steps * EACH) % len(NAMES)]
        self.family = socket.AF_INET if index % 2 == 0 else socket.AF_INET6
        self.tenant, self.other = source.split("-")[0], target.split("-")[0]
        self.port, self.is_allowed = port, is_allowed
        self.target = (address(target, self.family), port)
        self.socket = socket_in(stage.path(source), self.family, socket.SOCK_DGRAM, 0,
                                (address(source, self.family), 0))
        self.socket.setblocking(False)
        self.sent = self.lost_at_once = 0
        self.arrived = set()

    def send(self, mark):
        try:
            self.socket.sendto(NUMBER.pack(mark, self.sent), self.target)
        except PermissionError:
            # The endpoint's own table refused it, and counted it.
            pass
        except BlockingIOError:
            return
        self.sent += 1

    def bytes(self, packets):
        return packets * (NUMBER.size + HEADERS[self.family])


class Traffic:
    """Eighty streams: allowed, forbidden by the sender's rules, by the receiver's, and in between."""

    def __init__(self, stage, rate):
        self.pause = 1 / rate
        self.streams = []
        self.running, self.resting = True, threading.Event()
        self.idle = threading.Event()
        self.selector = selectors.DefaultSelector()
        for name in NAMES:
            for port in (RING, SOURCE, TARGET, CHURN):
                for family in HEADERS:
                    one = socket_in(stage.path(name), family, socket.SOCK_DGRAM, 0,
                                    (address(name, family), port))
                    one.setblocking(False)
                    one.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
                    self.selector.register(one, selectors.EVENT_READ)
        for index in range(len(NAMES)):
            self.streams += [Stream(stage, index, RING, 1, True),
                             Stream(stage, index, SOURCE, 2, False),
                             Stream(stage, index, TARGET, 2, False),
                             Stream(stage, index, CHURN, 1, None)]
        self.threads = [threading.Thread(target=work, daemon=True)
                        for work in (self.send, self.receive)]
        self.failures = []

    def begin(self):
        for thread in self.threads:
            thread.start()

    def send(self):
        try:
            due = time.monotonic()
            while self.running:
                if self.resting.is_set():
                    self.idle.set()
                    time.sleep(0.005)
                    due = time.monotonic()
                    continue
                self.idle.clear()
                for mark, stream in enumerate(self.streams):
                    stream.send(mark)
                due = max(due + self.pause, time.monotonic() - 0.05)
                time.sleep(max(0, due - time.monotonic()))
        except OSError as error:
            self.failures.append(error)

    def receive(self):
        while self.running:
            for key, _ in self.selector.select(0.05):
                try:
                    while True:
                        mark, number = NUMBER.unpack(key.fileobj.recv(64))
                        self.streams[mark].arrived.add(number)
                except BlockingIOError:
                    pass

    def rest(self):
        """Returns when nothing is under way any more."""
        self.resting.set()
        self.idle.clear()
        self.idle.wait(10)
        time.sleep(0.3)
        if self.failures:
            raise self.failures[0]

    def go_on(self):
        self.resting.clear()

    def stop(self):
        self.running = False
        for thread in self.threads:
            if thread.is_alive():
                thread.join()
        for stream in self.streams:
            stream.socket.close()
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()

    # What became of it; only while it rests.

    def passed(self):
        """Forbidden packets that arrived."""
        return sum(len(one.arrived) for one in self.streams if one.is_allowed is False)

    def lost(self):
        """Allowed packets that did not."""
        return sum(one.sent - len(one.arrived) for one in self.streams if one.is_allowed)

    def sent(self, is_allowed):
        return sum(one.sent for one in self.streams if one.is_allowed is is_allowed)

    def expected(self):
        """Packets and bytes by what has to be counted."""
        sums = {}
        for one in self.streams:
            key = (one.port, one.tenant)
            packets, size = sums.get(key, (0, 0))
            sums[key] = (packets + one.sent, size + one.bytes(one.sent))
        return sums


def counted(report):
    """The same as the agent reports it."""
    sums = {}

    def add(key, counts):
        packets, size = sums.get(key, (0, 0))
        sums[key] = (packets + counts["packets"], size + counts["bytes"])

    for rule in report["rules"]:
        kind, _, tenant = rule["policy"].partition("-")
        port = {"ring": RING, "churn": CHURN}.get(kind)
        if port and tenant in TENANTS:
            add((port, tenant), rule["counts"])
    for pair in report["refused"]:
        source, target = pair["source"]["name"], pair["destination"]["name"]
        if source not in TENANTS or target not in TENANTS:
            continue
        steps = (TENANTS.index(target) - TENANTS.index(source)) % len(TENANTS)
        if steps == 1:
            add((CHURN, source), pair["counts"])
        elif steps == 2:
            add((SOURCE if pair["direction"] == "egress" else TARGET, source), pair["counts"])
    return sums
