"""What arrives, seen by nobody's account but the receiver's own.

In each namespace that may be attacked stand a sniffer on its interface and applications: raw
sockets of every protocol that is tried, and TCP and UDP servers. Attacks are known by a text in
their payload, rf-attack-NAME-N, or by the source port where a packet can have no payload.
"""

import collections
import re
import selectors
import socket
import struct
import threading
import time

from places import SO_RCVBUFFORCE, socket_in

TOKEN = re.compile(rb"rf-(attack|allowed)-([a-z0-9-]+)-(\d+)\.")
ETH_P_ALL = 3
SOL_PACKET, PACKET_STATISTICS, PACKET_OUTGOING, PACKET_IGNORE_OUTGOING = 263, 6, 4, 23
RAW4 = (1, 2, 4, 6, 17, 41, 47, 50, 132)
RAW6 = (4, 6, 17, 41, 47, 50, 58, 132)
UDP_PORTS = (53, 68, 546, 4789, 5000, 8080)
TCP_PORTS = (5000, 8080)


class Arrivals:
    """The distinct packets of one attack, and where they were seen."""

    def __init__(self):
        self.left = set()          # on the interface of the attacker, outwards
        self.interface = set()     # on the interface of somebody else, inwards
        self.application = set()   # at a program of somebody else
        self.places = collections.Counter()


class Witness(threading.Thread):
    def __init__(self, attacker, targets):
        """Watches namespaces, given as names and paths."""
        super().__init__(daemon=True)
        self.seen = collections.defaultdict(Arrivals)
        self.ports = {}
        self.speakers = {}
        self.running = True
        self.selector = selectors.DefaultSelector()
        self.sniffers = []
        self.connections = []
        self.sniff("mallory", attacker, self.outwards)
        for name, path in targets.items():
            self.sniff(name, path, self.inwards)
            self.listen(name, path)
        self.start()

    # What is watched.

    def sniff(self, name, path, receive):
        sniffer = socket_in(path, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL),
                            ("eth0", ETH_P_ALL))
        if receive == self.inwards:
            sniffer.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        self.sniffers.append(sniffer)
        self.add(sniffer, name, receive)

    def listen(self, name, path):
        for protocol in RAW4:
            self.add(socket_in(path, socket.AF_INET, socket.SOCK_RAW, protocol), name, self.raw4)
        for protocol in RAW6:
            self.add(socket_in(path, socket.AF_INET6, socket.SOCK_RAW, protocol), name,
                     self.raw6 if protocol == 6 else self.datagram)
        for port in UDP_PORTS:
            self.add(socket_in(path, socket.AF_INET6, socket.SOCK_DGRAM, 0, ("::", port)), name,
                     self.datagram)
        for port in TCP_PORTS:
            server = socket_in(path, socket.AF_INET6, socket.SOCK_STREAM, 0, ("::", port))
            server.listen(1024)
            self.add(server, name, self.accept)

    def add(self, new, name, receive):
        new.setblocking(False)
        new.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
        self.selector.register(new, selectors.EVENT_READ, (name, receive))

    # What is seen.

    def run(self):
        while self.running:
            for key, _ in self.selector.select(0.05):
                name, receive = key.data
                try:
                    for _ in range(64):
                        receive(name, key.fileobj)
                except BlockingIOError:
                    pass
                except OSError:
                    # An application's error queue; what matters is what it gets.
                    pass

    def outwards(self, name, sniffer):
        frame, address = sniffer.recvfrom(2048)
        if address[2] == PACKET_OUTGOING:
            self.note("left", name, frame, ports_of(frame))
        else:
            # What was meant for others and comes to the attacker is stolen.
            for kind, attack, number in TOKEN.findall(frame):
                if attack.startswith(b"stolen"):
                    self.record("application", name, kind, attack, number)
                    self.record("interface", name, kind, attack, number)

    def inwards(self, name, sniffer):
        frame = sniffer.recv(2048)
        self.note("interface", name, frame, ports_of(frame))

    def raw4(self, name, receiver):
        packet = receiver.recv(2048)
        ports = None
        if packet[9] == 6:
            header = (packet[0] & 15) * 4
            ports = int.from_bytes(packet[header:header + 2], "big")
        self.note("application", name, packet, ports)

    def raw6(self, name, receiver):
        packet = receiver.recv(2048)
        self.note("application", name, packet, struct.unpack_from("!H", packet)[0])

    def datagram(self, name, receiver):
        self.note("application", name, receiver.recv(2048), None)

    def accept(self, _, server):
        connection, peer = server.accept()
        self.connections.append((connection, peer[1]))

    def note(self, where, name, data, port):
        found = TOKEN.findall(data)
        for kind, attack, number in found:
            self.record(where, name, kind, attack, number)
        if not found and port in self.ports:
            self.record(where, name, *self.ports[port])
        if not found and self.speakers and data[12:14] == b"\x08\x06":
            if claim := self.speakers.get((data[6:12], data[28:32])):
                self.record(where, name, *claim)

    def record(self, where, name, kind, attack, number):
        arrivals = self.seen[(kind, attack)]
        getattr(arrivals, where).add(int(number))
        if where != "left":
            arrivals.places[name] += 1

    # What is asked.

    def arrivals(self, kind, attack):
        return self.seen[(kind.encode(), attack.encode())]

    def until(self, condition, patience):
        """Whether something is seen in time."""
        deadline = time.monotonic() + patience
        while not condition():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.005)
        return True

    def connection_from(self, client):
        """The accepted end of a connection that was just made."""
        def accepted():
            return [one for one, peer in self.connections if peer == client.getsockname()[1]]

        self.until(accepted, 2)
        return accepted()[-1]

    def overlooked(self):
        """How many frames the sniffers had no room for."""
        lost = 0
        for sniffer in self.sniffers:
            statistics = sniffer.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8)
            lost += struct.unpack("II", statistics)[1]
        return lost

    def stop(self):
        self.running = False
        self.join()
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()
        for connection, _ in self.connections:
            connection.close()
        self.selector.close()


def ports_of(frame):
    """The source port of a TCP segment without fragments and extension headers."""
    kind = frame[12:14]
    if kind == b"\x08\x00" and frame[23] == 6 and not frame[20] & 0x1f and not frame[21]:
        offset = 14 + (frame[14] & 15) * 4
    elif kind == b"\x86\xdd" and frame[20] == 6:
        offset = 54
    else:
        return None
    return int.from_bytes(frame[offset:offset + 2], "big")
