"""Attacks by hand-made packets: injected below the tenant's rules, in others' names, in pieces."""

import socket

from assault import (
    ALLOWED, IP, IPv6, OPEN, TCP, UDP, Raw, attack, randomly4, randomly6, segment)
from places import command, family_of, socket_in
from scapy.layers.inet import ICMP
from scapy.layers.inet6 import (
    ICMPv6DestUnreach, ICMPv6EchoRequest, ICMPv6PacketTooBig, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop, IPv6ExtHdrRouting, PadN)
from stage import BYSTANDER, FRIEND, MALLORY, VICTIM


def echo(a, target, source=None):
    """An echo request with a text."""
    kind = ICMPv6EchoRequest(id=7, data=a.token()) if ":" in target else ICMP(id=7) / a.text()
    return a.ip(target, source) / kind


# Injected.

@attack("packet-udp")
def packet_udp(a):
    """AF_PACKET: a UDP datagram to victim's open port."""
    for target in a.both(VICTIM):
        a.datagram(target)
    a.allowed("frame")


@attack("packet-syn")
def packet_syn(a):
    """AF_PACKET: a TCP SYN to victim's open port."""
    for target in a.both(VICTIM):
        text = a.text()
        a.frame(a.ip(target) / segment("S", a.port()) / text)
    a.allowed("frame")


@attack("packet-echo")
def packet_echo(a):
    """AF_PACKET: an echo request to victim."""
    for target in a.both(VICTIM):
        a.frame(echo(a, target))


@attack("link-local")
def link_local(a):
    """To victim by link-local addresses, through the stack and below it."""
    for name in (VICTIM, FRIEND):
        if a.stage.fabric == "bridged" and name in a.stage.local:
            a.udp(a.stage.local[name] + "%2")
            a.datagram(a.stage.local[name], source=a.stage.local[MALLORY], to=name)
    a.datagram(a.both(VICTIM)[1], source=a.stage.local[MALLORY])


# In others' names.

def in_name_of(a, source, target, port=OPEN, to=VICTIM):
    """A datagram, a SYN and an ACK from an address that isn't mallory's."""
    a.forge(source)
    a.datagram(target, port, source, to=to)
    for flags in ("S", "A"):
        text = a.text()
        a.frame(a.ip(target, source) / segment(flags, a.port(), port) / text, to)


@attack("spoof-friend", reasons=("spoofed",))
def spoof_friend(a):
    """In friend's name to victim's open port, which friend may call."""
    for source, target in zip(a.both(FRIEND), a.both(VICTIM)):
        in_name_of(a, source, target)
    a.allowed("frame")


@attack("spoof-bystander", reasons=("spoofed",))
def spoof_bystander(a):
    """In bystander's name to friend's open port."""
    for source, target in zip(a.both(BYSTANDER), a.both(FRIEND)):
        in_name_of(a, source, target, ALLOWED, FRIEND)
    a.allowed("frame")


@attack("spoof-host", reasons=("spoofed",))
def spoof_host(a):
    """In the host's name."""
    for source, target in zip(a.both("host"), a.both(VICTIM)):
        in_name_of(a, source, target)


@attack("spoof-random", reasons=("spoofed",))
def spoof_random(a):
    """In the name of nobody known."""
    for source, target in zip((randomly4(), randomly6()), a.both(VICTIM)):
        in_name_of(a, source, target)


@attack("spoof-martian", reasons=("spoofed", "malformed"))
def spoof_martian(a):
    """From loopback, unspecified, multicast, mapped and victim's own addresses."""
    v4, v6 = a.both(VICTIM)
    for source in ("127.0.0.1", "0.0.0.0", "224.0.0.9", "255.255.255.255", v4):
        a.datagram(v4, source=a.forge(source))
    for source in ("::1", "::", "ff02::9", f"::ffff:{v4}", f"::{v4}", v6):
        a.datagram(v6, source=a.forge(source))


@attack("spoof-hping3", reasons=("spoofed",))
def spoof_hping3(a):
    """`hping3 --spoof` in friend's name: a raw socket, which passes the tenant's own rules."""
    source = a.forge(a.both(FRIEND)[0])
    text = a.token().decode()
    a.tool("hping3", "-q", "-n", "-I", "eth0", "-c", "1", "--udp", "-a", source,
           "-s", str(a.port()), "-p", str(OPEN), "-e", text, "-d", str(len(text)),
           a.both(VICTIM)[0], patience=0.3, quiet=True)


# In pieces.

def pieces4(a, target, parts, to=VICTIM):
    """IPv4 fragments: each part is (offset in bytes, whether more follow, bytes)."""
    Identity.last += 1
    for offset, more, body in parts:
        a.frame(a.ip(target, id=Identity.last, flags="MF" if more else 0, frag=offset // 8,
                     proto=17) / Raw(body), to)


def pieces6(a, target, parts, to=VICTIM):
    Identity.last += 1
    for offset, more, body in parts:
        a.frame(a.ip(target) / IPv6ExtHdrFragment(
            nh=17, offset=offset // 8, m=int(more), id=Identity.last) / Raw(body), to)


class Identity:
    last = 0x5200


def udp_header(a, port, length):
    """A UDP header without a checksum, which IPv4 takes and IPv6 refuses at the end only."""
    header = UDP(sport=a.port(), dport=port, len=8 + length, chksum=0)
    return bytes(header)


def padded(text, size=64):
    return text + b"x" * (size - len(text))


def cut_everywhere(a, cut):
    for target, pieces in zip(a.both(VICTIM), (pieces4, pieces6)):
        cut(target, pieces)


@attack("fragments", reasons=("noRule", "fragment"))
def fragments(a):
    """A datagram to victim in two pieces."""
    def cut(target, pieces):
        first, second = padded(a.token()), padded(a.token())
        pieces(a, target, [(0, True, udp_header(a, OPEN, 128) + first), (72, False, second)])
    cut_everywhere(a, cut)
    for target in a.both(FRIEND):
        large = a.token("allowed") + b"x" * 4000
        with socket_in(a.at, family_of(target), socket.SOCK_DGRAM) as sender:
            sender.sendto(large, (target, ALLOWED))
    a.control_arrived("a datagram in pieces to friend's open port")


@attack("fragments-tiny", reasons=("noRule", "fragment", "malformed"))
def fragments_tiny(a):
    """The first piece holds eight bytes: UDP's header, or TCP's without its flags."""
    def cut(target, pieces):
        pieces(a, target, [(0, True, udp_header(a, OPEN, 64)), (8, False, padded(a.token()))])
    cut_everywhere(a, cut)
    text = a.token()
    whole = bytes(segment("S", a.port()) / Raw(text))
    for start, end, more in ((0, 8, True), (8, 24, True), (24, len(whole), False)):
        a.frame(a.ip(a.both(VICTIM)[0], id=0x5100, flags="MF" if more else 0, frag=start // 8,
                     proto=6) / Raw(whole[start:end]))


@attack("fragments-overlap", reasons=("noRule", "fragment", "malformed"))
def fragments_overlap(a):
    """Pieces that write over each other, and end at victim; or at a port that is closed to it."""
    def cut(target, pieces):
        one, two, three = padded(a.token()), padded(a.token()), padded(a.token())
        pieces(a, target, [(0, True, udp_header(a, OPEN, 128) + one), (40, True, two),
                           (72, False, three)])
    cut_everywhere(a, cut)
    for target, pieces in zip(a.both(FRIEND), (pieces4, pieces6)):
        # The allowed first piece may arrive; what changes its port may not.
        pieces(a, target, [(0, True, udp_header(a, ALLOWED, 128) + b"y" * 64),
                           (0, True, udp_header(a, OPEN, 128) + padded(a.token())),
                           (72, False, b"y" * 64)], FRIEND)


@attack("fragments-offset-1", reasons=("noRule", "fragment"))
def fragments_offset_1(a):
    """A later piece that starts at the eighth byte, where TCP has its flags."""
    def cut(target, pieces):
        pieces(a, target, [(8, False, padded(a.token())), (8, True, padded(a.token()))])
    cut_everywhere(a, cut)


@attack("fragments-lone", reasons=("noRule", "fragment"))
def fragments_lone(a):
    """Later pieces without a first one."""
    def cut(target, pieces):
        for offset in (64, 1400, 8000, 65400):
            pieces(a, target, [(offset, False, padded(a.token()))])
    cut_everywhere(a, cut)


@attack("fragments-borrowed", reasons=("noRule", "fragment"))
def fragments_borrowed(a):
    """An allowed first piece to friend, then later pieces with its id to victim."""
    for friend, victim, pieces in zip(a.both(FRIEND), a.both(VICTIM), (pieces4, pieces6)):
        pieces(a, friend, [(0, True, udp_header(a, ALLOWED, 128) + b"y" * 64)], FRIEND)
        Identity.last -= 1
        pieces(a, victim, [(72, False, padded(a.token()))])


# IPv6 extension headers, and what is broken.

def options(size=6):
    return [PadN(optdata=b"\0" * (size - 2))]


@attack("extension-headers", reasons=("noRule", "extensionHeaders"))
def extension_headers(a):
    """Hop-by-hop and destination options before UDP, and hop-by-hop where it mustn't be."""
    target = a.both(VICTIM)[1]
    hop, destination = IPv6ExtHdrHopByHop(options=options()), IPv6ExtHdrDestOpt(options=options())
    for headers in (hop, destination, hop / destination, destination / hop):
        text = a.text()
        a.frame(a.ip(target) / headers / UDP(sport=a.port(), dport=OPEN) / text)
    friend = a.both(FRIEND)[1]
    text = a.text("allowed")
    a.frame(a.ip(friend) / destination / UDP(sport=a.port("allowed"), dport=ALLOWED) / text, FRIEND)
    a.control_arrived("udp behind destination options to friend's open port")


@attack("extension-chain", reasons=("noRule", "extensionHeaders"))
def extension_chain(a):
    """Twelve headers of destination options before UDP."""
    packet = a.ip(a.both(VICTIM)[1])
    for _ in range(12):
        packet = packet / IPv6ExtHdrDestOpt(options=options())
    text = a.text()
    a.frame(packet / UDP(sport=a.port(), dport=OPEN) / text)


@attack("routing-header", reasons=("noRule", "extensionHeaders", "malformed"))
def routing_header(a):
    """Routing headers of types 0 and 4, past friend, to victim."""
    victim, friend = a.both(VICTIM)[1], a.both(FRIEND)[1]
    for kind in (0, 4):
        for target, left in ((victim, 0), (victim, 1)):
            text = a.text()
            a.frame(a.ip(target) / IPv6ExtHdrRouting(type=kind, segleft=left, addresses=[friend])
                    / UDP(sport=a.port(), dport=OPEN) / text)


@attack("malformed", reasons=("malformed", "noRule", "invalid"))
def malformed(a):
    """Lengths that lie: of IPv4, its header, IPv6 and UDP."""
    v4, v6 = a.both(VICTIM)
    for fields in ({"len": 4000}, {"len": 20}, {"ihl": 15}, {"ihl": 4}, {"version": 6}):
        text = a.text()
        a.frame(a.ip(v4, **fields) / UDP(sport=a.port(), dport=OPEN) / text)
    text = a.text()
    a.frame(a.ip(v4) / UDP(sport=a.port(), dport=OPEN, len=4) / text)
    text = a.text()
    a.frame(a.ip(v4) / UDP(sport=a.port(), dport=OPEN, len=4000) / text)
    text = a.text()
    a.frame(a.ip(v6, plen=4) / UDP(sport=a.port(), dport=OPEN) / text)


# TCP without a connection.

def stray(name, flags, option):
    """An attack by segments with these flags: hping3, and frames of both families."""
    def play(a):
        target = a.both(VICTIM)[0]
        text = a.token().decode()
        a.tool("hping3", "-q", "-n", "-I", "eth0", "-c", "1", *option, "-s", str(a.port()), "-p",
               str(OPEN), "-e", text, "-d", str(len(text)), target, patience=0.25, quiet=True)
        for address in a.both(VICTIM):
            text = a.text()
            a.frame(a.ip(address) / segment(flags, a.port()) / text)

    play.__doc__ = f"A stray {name} to victim's open port."
    attack(f"tcp-{name}", reasons=("noRule", "invalid", "malformed"))(play)


for line in (("ack", "A", ("-A",)), ("syn-ack", "SA", ("-S", "-A")), ("rst", "R", ("-R",)),
             ("fin", "F", ("-F",)), ("xmas", "FPU", ("-F", "-P", "-U")), ("null", "", ())):
    stray(*line)


# Messages about others' flows.

def quoting(a, make, source4=None, source6=None):
    """Errors to victim about its live stream with friend, and to friend as well."""
    client = a.stage.stream_to_victim
    port = client.getsockname()[1]
    for to, who, peer, sport, dport in ((VICTIM, VICTIM, FRIEND, OPEN, port),
                                        (FRIEND, FRIEND, VICTIM, port, OPEN)):
        target, other = a.both(who)[0], a.both(peer)[0]
        quote = IP(src=target, dst=other) / TCP(sport=sport, dport=dport, flags="A")
        a.frame(a.ip(target, source4) / make / quote / a.text(), to)


@attack("icmp-error", reasons=("invalid", "noRule"))
def icmp_error(a):
    """Errors from itself that quote the live stream of friend and victim."""
    for make in (ICMP(type=3, code=3), ICMP(type=3, code=1), ICMP(type=3, code=4, nexthopmtu=552),
                 ICMP(type=11, code=0), ICMP(type=12, code=0)):
        quoting(a, make)
    for make in (ICMPv6DestUnreach(code=4), ICMPv6PacketTooBig(mtu=1280)):
        quote = IPv6(src=a.both(VICTIM)[1], dst=a.both(FRIEND)[1]) / UDP(sport=OPEN, dport=OPEN)
        a.frame(a.ip(a.both(VICTIM)[1]) / make / quote / a.text())
    a.effect("victim's path to friend got smaller", smaller_path(a))


@attack("icmp-error-spoofed", reasons=("spoofed",))
def icmp_error_spoofed(a):
    """The same in friend's and in the host's name."""
    for source in (a.both(FRIEND)[0], a.both("host")[0]):
        a.forge(source)
        for make in (ICMP(type=3, code=3), ICMP(type=3, code=4, nexthopmtu=552)):
            quoting(a, make, source)
    a.effect("victim's path to friend got smaller", smaller_path(a))


def smaller_path(a):
    """Whether victim believes in a small MTU towards friend; it is made to forget."""
    place = a.stage.path(VICTIM)
    _, said = command(place, "ip", "route", "get", a.both(FRIEND)[0])
    command(place, "ip", "route", "flush", "cache")
    return "mtu 552" in said
