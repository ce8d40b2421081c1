"""Attacks by who is called: bystander may ask mallory, who asks back over the same flow."""

import socket
import struct
import time

from assault import Ether, Raw, attack
from checksums import crc32c
from places import socket_in
from scapy.layers.inet import ICMP
from scapy.layers.inet6 import ICMPv6EchoRequest
from stage import BYSTANDER, MALLORY

CALLED, CALLER = 5000, 30000


def ask(a, body):
    """Bystander asks mallory, as policy allows."""
    mac = a.stage.mac[MALLORY]
    if a.stage.fabric == "routed":
        mac = a.stage.link(a.stage.host, f"rf-{BYSTANDER}")["address"]
    with socket_in(a.stage.path(BYSTANDER), socket.AF_PACKET, socket.SOCK_RAW, 0,
                   ("eth0", 0)) as link:
        for target, source in zip(a.both(MALLORY), a.both(BYSTANDER)):
            if (packet := body(a, target, source, b"asked")) is not None:
                link.send(bytes(Ether(src=a.stage.mac[BYSTANDER], dst=mac) / packet))
    time.sleep(0.02)


def ask_back(a, body):
    """Mallory sends the same to bystander, with a text inside."""
    for source, target in zip(a.both(MALLORY), a.both(BYSTANDER)):
        if (packet := body(a, target, source, None)) is not None:
            a.frame(packet, BYSTANDER)


def called_back(name, body):
    """An attack by requests of the called side: before the caller asks, and over its flow."""
    def play(a):
        ask_back(a, body)
        ask(a, body)
        ask_back(a, body)

    play.__doc__ = f"{name} from who is called, with what tells the caller's flow."
    attack(f"called-back-{name}", reasons=("noRule", "invalid"))(play)


def echo(a, target, source, text):
    text = text or a.token()
    if ":" in target:
        return a.ip(target, source) / ICMPv6EchoRequest(id=77, data=text)
    return a.ip(target, source) / ICMP(type=8, id=77) / Raw(text)


def timestamp(a, target, source, text):
    if ":" in target:
        return None
    return a.ip(target, source) / ICMP(type=13, id=77) / Raw(text or a.token())


def sctp(a, target, source, text):
    """INIT to the port that is called, or from there to the caller's: the text is a parameter of it."""
    ports = (CALLER, CALLED) if text else (CALLED, CALLER)
    text = text or a.token()
    text += b"." * (-len(text) % 4)
    chunk = struct.pack("!BBHIIHHIHH", 1, 0, 24 + len(text), 1, 65536, 1, 1, 1, 0x80de,
                        4 + len(text)) + text
    head = struct.pack("!HHI", *ports, 0)
    field = {"nh": 132} if ":" in target else {"proto": 132}
    return a.ip(target, source, **field) / Raw(
        head + struct.pack("<I", crc32c(head + bytes(4) + chunk)) + chunk)


for line in (("echo", echo), ("timestamp", timestamp), ("sctp", sctp)):
    called_back(*line)
