"""One attack: what it sends, what arrives, what is reported."""

import contextlib
import random
import socket
import sys
import time

from places import SO_MARK, command, family_of, socket_in
from stage import BYSTANDER, FRIEND, MALLORY, VICTIM, Wrong

try:
    import scapy  # noqa: F401
except ImportError:
    # Debian's, for a Python that isn't Debian's.
    sys.path.append("/usr/lib/python3/dist-packages")
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

ATTACKS = []
OPEN, ALLOWED = 5000, 8080    # what victim has open for friend; what mallory may call at friend


def attack(name, reasons=("noRule",), fabrics=("bridged", "routed"), on_link=False, by=MALLORY):
    """Declares an attack: with the host filter, one of the reasons has to be reported.

    `on_link`: nothing stands between the interface and who listens on the link, a program that
    reads frames or the kernel's own ARP and discovery: what arrives there is delivered. `by`: who
    sends; a report of what no tenant sent names one of the forged addresses.
    """
    def declare(play):
        play.title, play.reasons, play.fabrics = name, set(reasons), fabrics
        play.on_link, play.by = on_link, by
        ATTACKS.append(play)
        return play
    return declare


class Assault(contextlib.ExitStack):
    """What an attack does things with. Everything is undone when it ends."""

    last_port = 20000

    def __init__(self, stage, play):
        super().__init__()
        self.stage, self.play, self.name = stage, play, play.title
        self.at = stage.path(MALLORY)
        self.numbers = {"attack": 0, "allowed": 0}
        self.forged, self.ports = set(), set()
        self.notes, self.effects, self.controls = [], [], []
        self.flows = {}
        self.raw = self.enter_context(socket_in(
            self.at, socket.AF_PACKET, socket.SOCK_RAW, 0, ("eth0", 0)))

    # Names of things.

    def both(self, name):
        """The addresses of somebody, in both families."""
        return self.stage.v4[name], self.stage.v6[name]

    def token(self, kind="attack"):
        """The text of the next packet; each is counted as sent."""
        self.numbers[kind] += 1
        return f"rf-{kind}-{self.name}-{self.numbers[kind]}.".encode()

    def port(self, kind="attack"):
        """A source port that nobody else uses, by which a packet is known where it has no text."""
        Assault.last_port += 1
        self.ports.add(Assault.last_port)
        self.stage.witness.ports[Assault.last_port] = (
            kind.encode(), self.name.encode(), self.numbers[kind])
        return Assault.last_port

    def forge(self, *addresses):
        """Addresses that a report may name as the source instead of mallory's."""
        self.forged.update(addresses)
        return addresses[0]

    # Sending.

    def frame(self, packet, to=VICTIM, source_mac=None, target_mac=None):
        """Injects a packet below the tenant's own rules; one without Ethernet gets it."""
        if not packet.haslayer(Ether):
            packet = Ether(
                src=source_mac or self.stage.mac[MALLORY],
                dst=target_mac or self.stage.next_mac(to)) / packet
        self.inject(bytes(packet))

    def inject(self, frame):
        try:
            self.raw.send(frame)
        except OSError as error:
            self.note(f"send: {error.strerror}")

    def ip(self, target, source=None, **fields):
        """The network header from mallory to an address."""
        is6 = ":" in target
        source = source or (self.stage.v6 if is6 else self.stage.v4)[MALLORY]
        return (IPv6 if is6 else IP)(src=source, dst=target, **fields)

    def text(self, kind="attack"):
        return Raw(self.token(kind))

    def datagram(self, target, port=OPEN, source=None, sport=None, kind="attack", to=VICTIM):
        """A hand-made UDP datagram."""
        text = self.text(kind)
        self.frame(self.ip(target, source) / UDP(
            sport=sport or self.port(kind), dport=port) / text, to)

    def udp(self, target, port=OPEN, sport=None, source=None, mark=None, kind="attack", setup=None):
        """A datagram through the tenant's own stack, by an ordinary socket."""
        text = self.token(kind)
        family = family_of(target)
        try:
            with socket_in(self.at, family, socket.SOCK_DGRAM, 0,
                           (source or ("::" if family == socket.AF_INET6 else "0.0.0.0"),
                            sport or self.port(kind))) as sender:
                if mark is not None:
                    sender.setsockopt(socket.SOL_SOCKET, SO_MARK, mark.to_bytes(4, "little"))
                if setup:
                    setup(sender)
                sender.sendto(text, (target, port))
        except OSError as error:
            self.note(f"sendto: {error.strerror}")

    def call(self, target, port=OPEN, sport=None, source=None, kind="attack", patience=0.0):
        """A TCP connection by an ordinary socket; whether it is established in time."""
        self.token(kind)
        family = family_of(target)
        number = sport or self.port(kind)
        if sport:
            self.stage.witness.ports[sport] = (
                kind.encode(), self.name.encode(), self.numbers[kind])
        try:
            client = self.enter_context(socket_in(
                self.at, family, socket.SOCK_STREAM, 0,
                (source or ("::" if family == socket.AF_INET6 else "0.0.0.0"), number)))
            client.settimeout(patience)
            client.connect((target, port))
            return True
        except (BlockingIOError, TimeoutError):
            return False
        except OSError as error:
            self.note(f"connect: {error.strerror}")
            return False

    def knock(self):
        """Tries victim's open port as any program does: UDP, TCP, both families."""
        for target in self.both(VICTIM):
            self.udp(target)
            self.call(target)

    def tool(self, *words, patience=5, text="", quiet=False):
        """Runs a tool as the tenant's root; what it answered is noted."""
        status, said = command(self.at, *words, patience=patience, text=text)
        if not quiet:
            lines = [line for line in said.strip().split("\n") if line.strip()]
            what = "ok" if status == 0 else (lines[0] if lines else f"status {status}")
            self.note(f"{' '.join(words)[:70]}: {what[:90]}")
        return status, said

    def settle(self):
        """Lets the agent hear of what was refused, before it is undone."""
        time.sleep(0.05)

    # Telling.

    def note(self, text):
        if text not in self.notes:
            self.notes.append(text)

    def effect(self, claim, holds):
        """A forbidden change at somebody else, seen there."""
        if holds:
            self.effects.append(claim)

    def meet(self, caller, called, port=ALLOWED):
        """Has one call another, as policy allows, so that they know each other's MACs."""
        for address in self.both(called):
            path, family = self.stage.path(caller), family_of(address)
            with socket_in(path, family, socket.SOCK_DGRAM) as sender:
                sender.sendto(b"hello", (address, port))
        time.sleep(0.02)

    def neighbour(self, name, address):
        """The link-layer address that somebody has for an address."""
        _, said = command(self.stage.path(name), "ip", "neigh", "show", address, "dev", "eth0")
        words = said.split()
        return words[words.index("lladdr") + 1] if "lladdr" in words else None

    def forget_neighbours(self):
        for name in (MALLORY, VICTIM, FRIEND, BYSTANDER):
            command(self.stage.path(name), "ip", "neigh", "flush", "dev", "eth0")

    # What must go on.

    def control(self, claim, holds):
        self.controls.append((claim, bool(holds)))

    def allowed(self, how="socket"):
        """What policy allows arrives at friend's programs, by the same means."""
        first = self.numbers["allowed"] + 1
        for target in self.both(FRIEND):
            if how == "socket":
                self.udp(target, ALLOWED, kind="allowed")
            else:
                self.datagram(target, ALLOWED, kind="allowed", to=FRIEND)
        self.control_arrived("udp to friend's open port", first)

    def control_arrived(self, claim, first=1, patience=1.0):
        """What was sent with an allowed text, from the first on, gets to a program."""
        expected = set(range(first, self.numbers["allowed"] + 1))
        arrivals = self.stage.witness.arrivals("allowed", self.name)
        self.control(claim, self.stage.witness.until(
            lambda: expected <= arrivals.application, patience))

    # The whole.

    def run(self):
        """Plays the attack, and waits for what arrives and what is reported."""
        stage = self.stage
        before = stage.violations()
        began = time.monotonic()
        with self:
            try:
                self.play(self)
            except (OSError, LookupError, TypeError, ValueError, Wrong) as error:
                # The attack itself is broken: it proves nothing.
                self.control(f"the attack can be played: {error!r}", False)
            patience = 2.0 if stage.mode != "off" else 0.8
            found = self.reported(before, patience)
            rest = 0.1 - (time.monotonic() - began)
            time.sleep(max(rest, 0.03))
            if not self.controls:
                self.allowed()
        return Outcome(self, found)

    def reported(self, before, patience):
        """The violations that name this attack, by reason."""
        deadline = time.monotonic() + patience
        while True:
            more = {flow: count - before.get(flow, 0)
                    for flow, count in self.stage.violations().items()
                    if count > before.get(flow, 0) and self.is_mine(flow)}
            self.flows = more
            if any(self.is_right(flow) for flow in more) or time.monotonic() > deadline:
                return sorted(
                    {(self.is_right(flow), flow.layer, flow.reason) for flow in more},
                    reverse=True)
            time.sleep(0.05)

    def is_mine(self, flow):
        """Whether a violation speaks of this attack, and not of what others answered to it.

        The host filter knows mallory by his veth. Without it, who is called knows the address only.
        """
        if self.play.by != MALLORY:
            return flow.source in self.forged
        if flow.endpoint == MALLORY:
            return True
        return self.stage.mode == "off" and flow.source in self.forged and (
            flow.port is None or flow.port in self.ports)

    def is_right(self, flow):
        return self.stage.mode == "off" or flow.reason in self.play.reasons


class Outcome:
    """What came of one attack."""

    def __init__(self, assault, found):
        self.name, self.play = assault.name, assault.play
        self.fabric, self.mode = assault.stage.fabric, assault.stage.mode
        self.witness = assault.stage.witness
        self.sent = assault.numbers["attack"]
        self.notes, self.effects, self.controls = assault.notes, assault.effects, assault.controls
        self.found = found
        self.flows = assault.flows

    @property
    def arrivals(self):
        """Of what is forbidden."""
        return self.witness.arrivals("attack", self.name)

    @property
    def at_interface(self):
        return len(self.arrivals.interface)

    @property
    def at_application(self):
        return self.at_interface if self.play.on_link else len(self.arrivals.application)

    @property
    def is_stopped(self):
        if self.effects or self.at_application:
            return False
        return self.mode == "off" or self.at_interface == 0

    @property
    def is_reported(self):
        return any(right for right, _, _ in self.found)

    @property
    def reported_packets(self):
        return sum(self.flows.values())

    @property
    def works(self):
        return all(holds for _, holds in self.controls)

    @property
    def is_good(self):
        """Whether it is as promised for the mode."""
        if not self.works:
            return False
        return self.mode == "off" or self.is_stopped and self.is_reported


def randomly4():
    return f"198.51.100.{random.randrange(1, 255)}"


def randomly6():
    return f"2001:db8:bad::{random.randrange(1, 65535):x}"


def segment(flags, sport, dport=OPEN):
    return TCP(sport=sport, dport=dport, flags=flags, seq=random.getrandbits(32),
               ack=random.getrandbits(32))
