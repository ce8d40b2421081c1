"""Packets without a pause while something goes wrong: of the forbidden none may pass, of the allowed none may be lost."""

import collections
import socket
import threading
import time

from stage import RING, SOURCE, TARGET, address
from places import socket_in


class Packets:
    """Numbered packets of a flow that is allowed and of two that are not."""

    def __init__(self, stage):
        family = socket.AF_INET
        source, target = (address(name, family) for name in stage.names)
        self.receivers = {
            port: socket_in(stage.path(stage.names[1]), family, socket.SOCK_DGRAM, 0, (target, port))
            for port in (RING, SOURCE, TARGET)}
        self.senders = {
            port: socket_in(stage.path(stage.names[0]), family, socket.SOCK_DGRAM, 0, (source, 0))
            for port in self.receivers}
        self.arrived = collections.Counter()
        self.sent = collections.Counter()
        self.target = target
        for one in [*self.receivers.values(), *self.senders.values()]:
            one.setblocking(False)
        self.running = True
        self.pausing, self.paused = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self.flow, daemon=True)
        self.thread.start()

    def flow(self):
        while self.running:
            if self.pausing.is_set():
                self.take()
                self.paused.set()
                time.sleep(0.001)
                continue
            for port, one in self.senders.items():
                try:
                    one.sendto(b"%d" % self.sent[port], (self.target, port))
                    self.sent[port] += 1
                except PermissionError:
                    self.sent[port] += 1
                except BlockingIOError:
                    pass
            self.take()
            time.sleep(0.003)

    def take(self):
        for port, one in self.receivers.items():
            try:
                while one.recv(64):
                    self.arrived[port] += 1
            except BlockingIOError:
                pass

    def count(self):
        """Forbidden packets that passed, and allowed ones that were lost, since the last time."""
        return self.tally()[:2]

    def tally(self):
        """The same, and how many were sent to each port."""
        if self.running:
            self.paused.clear()
            self.pausing.set()
            time.sleep(0.003)
            self.paused.wait(5)
        passed = self.arrived[SOURCE] + self.arrived[TARGET]
        lost = self.sent[RING] - self.arrived[RING]
        sent = dict(self.sent)
        self.arrived.clear()
        self.sent.clear()
        self.pausing.clear()
        return passed, lost, sent

    def close(self):
        if not self.running:
            return
        self.running = False
        self.thread.join()
        for one in [*self.receivers.values(), *self.senders.values()]:
            one.close()
