"""Attacks by another way: tunnels, other addresses and interfaces, ports, the host, floods."""

import os
import socket
import struct
import threading
import time

from assault import ALLOWED, OPEN, UDP, Ether, Raw, attack, segment
from places import command, family_of, new_namespace, socket_in
from stage import BYSTANDER, FRIEND, MALLORY, VICTIM, Wrong


# Tunnels.

def tunnel(name, wrap):
    """An attack by packets that carry others: from mallory, with friend's inside."""
    def play(a):
        for target, source in zip(a.both(VICTIM), a.both(FRIEND)):
            carried = a.ip(target, source) / UDP(sport=a.port(), dport=OPEN) / a.text()
            a.frame(wrap(a, target, bytes(carried)))

    play.__doc__ = f"{name} to victim, with a datagram of friend's inside."
    attack(f"tunnel-{name}")(play)


def protocol(number, head=b""):
    """How to carry something as the payload of a protocol."""
    def wrap(a, target, carried):
        field = {"nh": number} if ":" in target else {"proto": number}
        return a.ip(target, **field) / Raw(head + carried)
    return wrap


def vxlan(a, target, carried):
    frame = bytes(Ether(src=a.stage.mac[FRIEND], dst=a.stage.mac[VICTIM], type=0x800)) + carried
    return a.ip(target) / UDP(sport=a.port(), dport=4789) / Raw(
        b"\x08\0\0\0\0\0\x05\0" + frame)


for line in (("ipip", protocol(4)), ("6in4", protocol(41)),
             ("gre", protocol(47, b"\0\0\x08\0")), ("esp", protocol(50, b"\0\0\0\7\0\0\0\1")),
             ("sctp", protocol(132, struct.pack("!HHII", 5000, OPEN, 0, 0))), ("vxlan", vxlan)):
    tunnel(*line)


# Other addresses.

def with_address(a, address):
    """Adds an address to the tenant's own interface; it goes when the attack ends."""
    length = "128" if ":" in address else "32"
    more = ["nodad"] if ":" in address else []
    a.tool("ip", "address", "add", f"{address}/{length}", "dev", "eth0", *more)
    a.callback(a.tool, "ip", "address", "del", f"{address}/{length}", "dev", "eth0", quiet=True)
    a.forge(address)


def use_addresses(a, addresses, to, port):
    """Takes addresses, gives the agent time to see them, and uses them."""
    a.callback(time.sleep, 0.1)
    a.callback(a.forget_neighbours)
    for address in addresses:
        with_address(a, address)
    time.sleep(0.15)
    for address, target in zip(addresses, a.both(to)):
        a.udp(target, port, source=address)
        a.call(target, port, source=address)
        a.datagram(target, port, source=address, to=to)
    a.settle()
    a.close()
    a.allowed()


@attack("address-of-bystander", reasons=("spoofed", "conflict"))
def address_of_bystander(a):
    """Gives itself bystander's addresses, and calls friend with them."""
    use_addresses(a, a.both(BYSTANDER), FRIEND, ALLOWED)


@attack("address-of-friend", reasons=("spoofed", "conflict"))
def address_of_friend(a):
    """Gives itself friend's addresses, and calls victim with them."""
    use_addresses(a, a.both(FRIEND), VICTIM, OPEN)


@attack("address-unclaimed", reasons=("spoofed",))
def address_unclaimed(a):
    """Gives itself addresses that nobody has, and calls friend with them."""
    use_addresses(a, ("10.79.0.99", "fd79::99"), FRIEND, ALLOWED)


# Other interfaces.

@attack("macvlan", reasons=("spoofedLinkAddress", "arp", "neighbourDiscovery"))
def macvlan(a):
    """A macvlan child in a namespace of its own: another MAC, mallory's addresses."""
    child = new_namespace()
    a.callback(os.close, child)
    place = f"/proc/{os.getpid()}/fd/{child}"
    status, said = a.tool("ip", "link", "add", "link", "eth0", "name", "rfchild", "type", "macvlan",
                          "mode", "bridge")
    if status != 0:
        raise Wrong(f"the kernel has no macvlan: {said}")
    a.callback(a.tool, "ip", "link", "del", "rfchild", quiet=True)
    a.tool("ip", "link", "set", "rfchild", "netns", place, quiet=True)
    a.callback(command, place, "ip", "link", "del", "rfchild")
    for words in (["link", "set", "lo", "up"], ["link", "set", "rfchild", "up"]):
        command(place, "ip", *words)
    for own, target in zip(a.both(MALLORY), a.both(FRIEND)):
        length = "64" if ":" in own else "24"
        command(place, "ip", "address", "add", f"{own}/{length}", "dev", "rfchild",
                *(["nodad"] if ":" in own else []))
        command(place, "ip", "neigh", "replace", target, "lladdr", a.stage.next_mac(FRIEND), "dev",
                "rfchild")
    for own, target in zip(a.both(MALLORY), a.both(FRIEND)):
        text = a.token()
        try:
            with socket_in(place, family_of(target), socket.SOCK_DGRAM, 0,
                           (own, a.port())) as sender:
                sender.sendto(text, (target, ALLOWED))
        except OSError as error:
            a.note(f"sendto: {error.strerror}")
    a.settle()
    a.close()
    a.allowed()


# Ports.

@attack("port-tricks")
def port_tricks(a):
    """Source ports that careless rules let through: 53, 67, 443."""
    for sport in (53, 67, 443):
        for target in a.both(VICTIM):
            a.udp(target, sport=sport)
            a.call(target, sport=sport)
            a.datagram(target, sport=sport)
            text = a.text()
            a.frame(a.ip(target) / segment("A", sport) / text)
    for target in a.both(VICTIM):
        a.datagram(target, 53, sport=53)


@attack("port-of-friend")
def port_of_friend(a):
    """Friend's other ports: only one is open to mallory."""
    for target in a.both(FRIEND):
        a.udp(target, OPEN)
        a.call(target, OPEN)
        a.datagram(target, OPEN, to=FRIEND)
        a.datagram(target, 53, to=FRIEND)
    for target in a.both(FRIEND):
        a.control("tcp to friend's open port", a.call(
            target, ALLOWED, kind="allowed", patience=2))


# The host.

@attack("by-way-of-host")
def by_way_of_host(a):
    """The host as a router to victim: routes through it, and frames to its MAC."""
    for own, target, host in zip(a.both(MALLORY), a.both(VICTIM), a.both("host")):
        if a.stage.fabric == "bridged":
            length = "128" if ":" in target else "32"
            route = (f"{target}/{length}", "via", host, "dev", "eth0")
            a.tool("ip", "route", "add", *route, quiet=True)
            a.callback(a.tool, "ip", "route", "del", *route, quiet=True)
        a.udp(target)
        a.call(target)
        text = a.text()
        a.frame(a.ip(target, own) / UDP(sport=a.port(), dport=OPEN) / text, "host")
    for target in a.both(FRIEND):
        text = a.text("allowed")
        a.frame(a.ip(target) / UDP(sport=a.port("allowed"), dport=ALLOWED) / text, "host")
    a.control_arrived("udp by way of the host to friend's open port")


# Floods.

class Stream:
    """A connection of bystander's to friend that sends numbers without a pause."""

    def __init__(self, stage):
        self.client = stage.stream(BYSTANDER, FRIEND, ALLOWED)
        self.server = stage.witness.connection_from(self.client)
        self.server.settimeout(5)
        self.sent, self.received, self.longest_pause = 0, bytearray(), 0.0
        self.stopping = threading.Event()
        self.threads = [
            threading.Thread(target=work, daemon=True) for work in (self.send, self.receive)]
        for thread in self.threads:
            thread.start()

    @staticmethod
    def chunk(number):
        return struct.pack("!Q", number) * 128

    def send(self):
        try:
            while not self.stopping.wait(0.002):
                self.client.sendall(self.chunk(self.sent))
                self.sent += 1
            self.client.shutdown(socket.SHUT_WR)
        except OSError:
            # What was not sent is missing at the other end: the number of it was counted on.
            self.sent += 1

    def receive(self):
        last = time.monotonic()
        while chunk := self.next():
            self.longest_pause = max(self.longest_pause, time.monotonic() - last)
            last = time.monotonic()
            self.received += chunk

    def next(self):
        try:
            return self.server.recv(1 << 16)
        except OSError:
            return b""

    def stop(self):
        """Ends it; whether every byte arrived."""
        self.stopping.set()
        for thread in self.threads:
            thread.join(timeout=6)
        return self.sent > 0 and self.received == b"".join(
            self.chunk(number) for number in range(self.sent))


@attack("flood-flows")
def flood_flows(a):
    """20,000 allowed datagrams of as many flows and 2,000 forbidden ones among them, while
    bystander has a stream to friend."""
    stream = Stream(a.stage)
    time.sleep(0.2)
    flood(a, 20000, 15000)
    time.sleep(0.2)
    whole = stream.stop()
    arrived = len(a.stage.witness.arrivals("allowed", a.name).interface)
    a.note(f"{arrived:,} of 20,000 datagrams arrived; bystander's stream: "
           f"{len(stream.received):,} of {stream.sent * 1024:,} bytes, "
           f"longest pause {stream.longest_pause * 1000:.0f} ms")
    a.control("bystander's stream lost nothing", whole)
    a.control("and never stood still for a second", stream.longest_pause < 1)
    a.control("the flood arrived, for the most part", arrived > 15000)
    try:
        a.stage.stream(BYSTANDER, FRIEND, ALLOWED)
        connects = True
    except OSError:
        connects = False
    a.control("bystander connects anew", connects)
    a.allowed()


def flood(a, count, rate):
    """Frames that differ in source port and text: every tenth is followed by one that is forbidden."""
    allowed, forbidden = (bytearray(bytes(
        Ether(src=a.stage.mac[MALLORY], dst=a.stage.next_mac(name)) / a.ip(a.both(name)[0]) /
        UDP(sport=1, dport=port, chksum=0) / Raw(b"rf-%s-flood-flows-00000." % kind)))
        for name, port, kind in ((FRIEND, ALLOWED, b"allowed"), (VICTIM, OPEN, b"attack")))
    began = time.monotonic()
    for number in range(count):
        for head, which in ((allowed, number), (forbidden, number / 10)):
            if which == int(which):
                head[34:36] = (30000 + number).to_bytes(2, "big")
                head[-6:] = b"%05d." % (which + 1)
                a.inject(bytes(head))
        if number % 100 == 0:
            time.sleep(max(0, number / rate - (time.monotonic() - began)))
    a.numbers["allowed"] += count
    a.numbers["attack"] += count // 10
