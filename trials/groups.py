"""Multicast within a tenant: routers that elect each other, services that are looked for."""

import select
import socket
import struct

from field import policy, until
from trial import case

VRRP, GROUP = 112, "224.0.0.18"


def member(field, name, kind, protocol, address, group):
    """A socket that has joined a group on its endpoint's link."""
    new = field.socket(name, socket.AF_INET, kind, protocol, address)
    index = int(field.sh(name, "cat /proc/net/igmp").split("eth0")[0].split()[-1])
    new.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                   struct.pack("4s4si", socket.inet_aton(group), bytes(4), index))
    new.setblocking(False)
    return new


def heard(receiver, send, seconds=10):
    """What comes of what is sent again and again."""
    def answer():
        send()
        return select.select([receiver], [], [], 0.1)[0] and receiver.recvfrom(2048)
    return until(answer, seconds)


@case("26", "VRRP between two endpoints", "its advertisements arrive", "calico#4956, keepalived#2643")
def vrrp(t):
    field = t.field("blue-1", "blue-2", policies=[("vrrp.yaml", policy(
        "vrrp", "{tenant: blue}", f"{{cidr: {GROUP}/32}}", f"protocol: {VRRP}"))])
    receiver = t.closing(member(field, "blue-2", socket.SOCK_RAW, VRRP, None, GROUP))
    sender = t.closing(field.socket("blue-1", socket.AF_INET, socket.SOCK_RAW, VRRP))
    sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
    sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(field.v4("blue-1")))
    # Version 3, router 51, priority 100, one address, every second.
    advertisement = struct.pack("!BBBBHH4s", 0x31, 51, 100, 1, 100, 0, socket.inet_aton("10.90.0.99"))
    found = heard(receiver, lambda: sender.sendto(advertisement, (GROUP, 0)))
    t.claim("they arrive", found and found[1][0] == field.v4("blue-1"), field.violations())


@case("28", "a service that is looked for in a group", "its answers arrive",
      "multicast-relay#56, nixpkgs#161328")
def discovery(t):
    field = t.field("blue-1", "blue-2", policies=[("groups.yaml", policy(
        "groups", "{tenant: blue}", "{cidr: 224.0.0.0/4}", "protocol: udp, ports: [1900, 5353]"))])
    for group, port in (("239.255.255.250", 1900), ("224.0.0.251", 5353)):
        service = t.closing(member(field, "blue-2", socket.SOCK_DGRAM, 0, ("0.0.0.0", port), group))
        client = t.closing(field.socket("blue-1", socket.AF_INET, socket.SOCK_DGRAM))
        client.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF,
                          socket.inet_aton(field.v4("blue-1")))
        found = heard(service, lambda: client.sendto(b"search", (group, port)))
        if not t.claim(f"the question to {group} arrives", found, field.violations()):
            continue
        answer = heard(client, lambda: service.sendto(b"here", found[1]))
        t.claim(f"the answer of a member of {group} arrives", answer and answer[0] == b"here",
                field.violations())
