"""Packets of the trials: programs that answer, callers, and who sees what arrives."""

import select
import socket
import threading
import time

from field import family_of, until
from places import within


class Server:
    """Answers each TCP call and each datagram on a port with what it got, in both families.

    At more than one address of a family, give the one that datagrams are answered from.
    """

    def __init__(self, field, name, port, answer=None, addresses=("0.0.0.0", "::")):
        self.answer = answer or (lambda data: data)
        self.got = []    # Pairs of who sent a datagram and what.
        self.running = True
        self.sockets = []
        for address in addresses:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                self.sockets.append(self.open(
                    field, name, family_of(address), kind, (address, port)))
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    @staticmethod
    def open(field, name, family, kind, address):
        path = name if "/" in name else field.path(name)

        def make():
            new = socket.socket(family, kind)
            new.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                new.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            new.bind(address)
            new.setblocking(False)
            if kind == socket.SOCK_STREAM:
                new.listen(64)
            return new

        return within(path, make)

    def serve(self):
        while self.running:
            ready, _, _ = select.select(self.sockets, [], [], 0.05)
            for one in ready:
                try:
                    self.take(one)
                except (OSError, ValueError):
                    if one not in self.listening():
                        self.forget(one)

    def listening(self):
        return self.sockets[:4]

    def take(self, one):
        if one.type == socket.SOCK_DGRAM:
            data, peer = one.recvfrom(65536)
            self.got.append((peer[0], data))
            one.sendto(self.answer(data), peer)
        elif one in self.listening():
            connection, _ = one.accept()
            connection.setblocking(False)
            self.sockets.append(connection)
        elif data := one.recv(65536):
            one.setblocking(True)
            one.settimeout(2)
            one.sendall(self.answer(data))
            one.setblocking(False)
        else:
            self.forget(one)

    def forget(self, one):
        self.sockets.remove(one)
        one.close()

    def close(self):
        self.running = False
        self.thread.join()
        for one in self.sockets:
            one.close()


def tcp(field, source, target, port, patience=3.0, bind=None, text=b"trial"):
    """Whether a TCP call is answered."""
    family = family_of(target)
    try:
        with field.socket(source, family, socket.SOCK_STREAM, 0, bind) as client:
            client.settimeout(patience)
            client.connect((target, port))
            client.sendall(text)
            return bool(client.recv(65536))
    except OSError:
        return False


def udp(field, source, target, port, patience=5.0, bind=None, text=b"trial"):
    """Whether one of some datagrams is answered; what lost its way to a neighbour is sent again."""
    with field.socket(source, family_of(target), socket.SOCK_DGRAM, 0, bind) as client:
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            try:
                client.sendto(text, (target, port))
                if select.select([client], [], [], 0.2)[0] and client.recv(65536):
                    return True
            except OSError:
                time.sleep(0.02)
        return False


def ping(field, source, target, count=1, size=56, patience=3):
    """How many answers a ping gets."""
    said = field.sh(source, f"ping -c {count} -i 0.05 -s {size} -W {patience} -q {target} || true")
    for line in said.splitlines():
        if "received" in line:
            return int(line.split(",")[1].split()[0])
    return 0


class Stream:
    """Numbered datagrams without a pause, from a namespace to a port, and when each arrived."""

    def __init__(self, field, source, target, port, receiver, pause=0.002, bind=None):
        self.port, self.target, self.pause = port, target, pause
        family = family_of(target)
        anywhere = "::" if family == socket.AF_INET6 else "0.0.0.0"
        self.sender = field.socket(source, family, socket.SOCK_DGRAM, 0, bind)
        self.receiver = field.socket(receiver, family, socket.SOCK_DGRAM, 0, (anywhere, port))
        self.sender.setblocking(False)
        self.receiver.setblocking(False)
        self.sent, self.arrived = 0, {}
        self.running = True
        self.thread = threading.Thread(target=self.flow, daemon=True)
        self.thread.start()

    def flow(self):
        while self.running:
            try:
                self.sent += 1
                self.sender.sendto(b"%d" % self.sent, (self.target, self.port))
            except OSError:
                pass
            self.take()
            time.sleep(self.pause)

    def take(self):
        try:
            while data := self.receiver.recv(64):
                if data.isdigit():
                    self.arrived.setdefault(int(data), time.monotonic())
        except OSError:
            pass

    def has_sent(self, count):
        """Waits until so many more have been sent."""
        goal = self.sent + count
        return until(lambda: self.sent >= goal)

    def goes_on(self, seconds=15):
        """Whether one arrives that is sent from now on."""
        begun = self.sent + 1
        return until(lambda: any(one > begun for one in list(self.arrived)), seconds)

    def close(self):
        if self.running:
            self.running = False
            self.thread.join()
            self.take()
            self.sender.close()
            self.receiver.close()


class Tap:
    """Which datagrams come to a link of the host, by the address that they are for."""

    def __init__(self, field, link="lab"):
        self.socket = field.socket("host", socket.AF_PACKET, socket.SOCK_DGRAM, 0, None)
        self.socket.bind((link, 3))    # ETH_P_ALL
        self.socket.setsockopt(socket.SOL_SOCKET, 33, 1 << 22)    # SO_RCVBUFFORCE
        self.socket.setblocking(False)
        self.seen = set()

    def look(self, port):
        try:
            while True:
                data, where = self.socket.recvfrom(2048)
                if where[1] == 0x0800 and data[9] == 17:
                    start, address = (data[0] & 15) * 4, socket.inet_ntop(socket.AF_INET, data[16:20])
                elif where[1] == 0x86dd and data[6] == 17:
                    start, address = 40, socket.inet_ntop(socket.AF_INET6, data[24:40])
                else:
                    continue
                if int.from_bytes(data[start + 2:start + 4], "big") == port:
                    self.seen.add(address)
        except BlockingIOError:
            return self.seen

    def passed(self, field, source, addresses, port, wanted):
        """Sends a datagram to each address, until all that are wanted have come; what has come."""
        def all_came():
            for address in addresses:
                if address in wanted and address in self.seen:
                    continue
                with field.socket(source, family_of(address), socket.SOCK_DGRAM) as sender:
                    try:
                        sender.sendto(b"trial", (address, port))
                    except OSError:
                        pass
            return wanted <= self.look(port)

        until(all_came)
        return self.look(port)

    def close(self):
        self.socket.close()
