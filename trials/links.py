"""Interfaces beside the one to the bridge, routers, link-layer addresses, sizes of packets."""

import errno
import fcntl
import json
import select
import socket
import struct
import time

from checksums import crc32c
from calls import Server, ping, tcp, udp
from field import HOST4, HOST6, family_of, policy, until
from trial import OFF, ON, ONLY, case

WORLD = "{cidr: 10.94.0.0/24}, {cidr: 'fd94::/64'}"
FAR = ("10.94.0.2", "fd94::2")
IP_RECVERR, IPV6_RECVERR = 11, 25
MSG_ERRQUEUE, SIOCOUTQ = 0x2000, 0x5411


def refused_beside(t, field):
    """Whether what is joined beside the bridge stays closed, or is named."""
    t.server(field, "green-1", 8080)
    passed = sum(tcp(field, "blue-1", "10.93.0.3", 8080, 0.5) for _ in range(3))
    t.fact(f"{passed} of 3 calls passed")
    if field.mode == ONLY:
        named = until(lambda: all(
            one["state"] != "enforced" for one in field.status()["endpoints"]), 5)
        t.claim("status doesn't call them enforced", named, field.cli("status"))
        code = field.run([field.ringfence, "status", "--check", "--socket", field.api], check=False)
        t.claim("status --check fails", code.returncode == 1, code.stdout)
        return
    t.claim("no call passes", passed == 0, passed)
    t.claim("the refusal is told", until(lambda: field.violations(destination="10.93.0.3")))


@case("06a", "a veth straight from one endpoint to the other", "refused, or status names them",
      "multus-cni#465, netavark#528", modes=(OFF, ON, ONLY))
def straight_veth(t):
    field = t.field()
    field.sh("blue-1", f"""ip link add dd type veth peer name de netns {field.path('green-1')}
        ip link set dd up; ip addr add 10.93.0.2/24 dev dd""")
    field.sh("green-1", "ip link set de up; ip addr add 10.93.0.3/24 dev de")
    refused_beside(t, field)


@case("06b", "a macvlan in each, over one parent", "refused, or status names them",
      "multus-cni#465, whalewall#96", modes=(OFF, ON, ONLY))
def macvlans(t):
    field = t.field()
    field.sh("host", "ip link add par0 type bridge; ip link set par0 up")
    for name, address in (("blue-1", "10.93.0.2"), ("green-1", "10.93.0.3")):
        field.sh("host", f"""ip link add link par0 name mv0 type macvlan mode bridge
            ip link set mv0 netns {field.path(name)}""")
        field.sh(name, f"ip link set mv0 up; ip addr add {address}/24 dev mv0")
    refused_beside(t, field)


@case("20", "a router with a smaller MTU on the way", "300 KB go through, the path MTU is learned",
      "cilium#26193, aws-npa#561")
def path_mtu(t):
    field = t.field("blue-1", policies=[("out.yaml", policy(
        "out", "{tenant: blue}", WORLD, "protocol: tcp, ports: [9000]"))])
    far = field.far(mtu=1300)
    t.closing(Server(field, far, 9000, answer=lambda data: b"."))
    for address in FAR:
        t.claim(f"a call to {address} passes", tcp(field, "blue-1", address, 9000, 10))
        t.claim(f"300 KB to {address} go through", pushes(field, "blue-1", address, 300_000))
        route = field.sh("blue-1", f"ip route get {address}")
        t.claim("the path MTU is learned", "mtu 1300" in route, route)


def pushes(field, source, address, size):
    """Whether so much is acknowledged by the other kernel in time."""
    with field.socket(source, family_of(address), socket.SOCK_STREAM) as client:
        client.settimeout(10)
        client.connect((address, 9000))
        client.sendall(bytes(size))
        queue = bytearray(4)
        # SIOCOUTQ: what the other side has not acknowledged yet.
        return until(lambda: not fcntl.ioctl(client, SIOCOUTQ, queue) and not any(queue), 10)


@case("21", "large datagrams in fragments, tails of a byte", "all pass", "cilium#9755, #16036")
def fragments(t):
    allow = ("protocol: udp, ports: [5000]", "protocol: icmp, types: [echo-request]",
             "protocol: icmpv6, types: [echo-request]")
    field = t.field(policies=[("open.yaml", policy(
        "open", "{tenant: blue}", "{tenant: green}", *allow))])
    t.server(field, "green-1", 5000, answer=lambda data: data[:8000])
    wrong = []
    for address in field.both("green-1"):
        # What fits in the fragments before the last: 1,480 or 1,448 bytes each, less the header.
        full = (1448 if ":" in address else 1480) * 2 - 8
        for size in (8000, 9000, full + 1, full + 2, full + 7, full + 8):
            if not udp(field, "blue-1", address, 5000, 5, text=b"x" * size):
                wrong.append(f"{size} bytes to {address}")
        if ping(field, "blue-1", address, size=1473) != 1:
            wrong.append(f"ping of 1473 to {address}")
    t.fact(f"{len(wrong)} of 14 lost")
    t.claim("all pass", not wrong, ", ".join(wrong))


@case("22", "the hops of a traceroute", "errors arrive, of both families", "mtr#444")
def hops(t):
    field = t.field("blue-1", policies=[("out.yaml", policy(
        "out", "{tenant: blue}", WORLD, "protocol: udp, ports: [33434-33534]"))])
    field.far()
    for address, hop in zip(FAR, (HOST4, HOST6)):
        # The host's answer comes from its address on the link; the far end says that no port is there.
        t.claim(f"hop 1 to {address} answers", until(
            lambda: error_from(field, address, 33434, 1) == hop), error_from(field, address, 33434, 1))
        t.claim(f"hop 2 to {address} answers", until(
            lambda: error_from(field, address, 33435, 2) == address))


def error_from(field, address, port, limit):
    """Who sends an ICMP error for a datagram with that limit of hops."""
    family = family_of(address)
    level, receive, hops = (
        (socket.IPPROTO_IP, IP_RECVERR, socket.IP_TTL) if family == socket.AF_INET else
        (socket.IPPROTO_IPV6, IPV6_RECVERR, socket.IPV6_UNICAST_HOPS))
    with field.socket("blue-1", family, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(level, receive, 1)
        sender.setsockopt(level, hops, limit)
        try:
            sender.sendto(b"trial", (address, port))
        except OSError as error:
            return errno.errorcode[error.errno]
        poll = select.poll()
        poll.register(sender, 0)
        if not poll.poll(500):
            return None
        # struct sock_extended_err, then the address of who sent it.
        for _, _, data in sender.recvmsg(512, 512, MSG_ERRQUEUE)[1]:
            where = data[16:]
            return (socket.inet_ntop(family, where[4:8]) if family == socket.AF_INET else
                    socket.inet_ntop(family, where[8:24]))
        return None


@case("45", "out by one link, answers by another", "passes", "own: ECMP, two network cards")
def asymmetric(t):
    field = t.field("green-1", policies=[("out.yaml", policy(
        "out", "{tenant: blue}", WORLD, "protocol: tcp, ports: [9000]"))])
    far = field.far()
    field.bear("blue-9")
    field.plug("blue-9", "10.90.0.99/24")
    field.plug("blue-9", "10.95.0.2/24", link="eth1", bridge=None)
    field.sh("host", """ip addr add 10.95.0.1/24 dev rf-blue-9h1
        sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.rf-blue-9h1.rp_filter=0
        ip route add 10.90.0.99/32 via 10.95.0.2 dev rf-blue-9h1""")
    field.sh("blue-9", """ip route add default via 10.90.0.1
        sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth0.rp_filter=0 \
            net.ipv4.conf.eth1.rp_filter=0""")
    field.wait_enforced("blue-9", "10.90.0.99", "10.95.0.2")
    t.closing(Server(field, far, 9000))
    t.claim("calls pass", until(lambda: tcp(
        field, "blue-9", FAR[0], 9000, 2, ("10.90.0.99", 0))), field.violations())
    came = json.loads(field.sh("blue-9", "ip -json -statistics link show eth1"))[0]["stats64"]
    t.claim("the answers came by the other link", came["rx"]["packets"] > 3, came)


@case("44", "SCTP over two paths", "both paths pass, another port is refused",
      "usrsctp#499, kubernetes#108523")
def two_paths(t):
    field = t.field(policies=[("open.yaml", policy(
        "open", "{tenant: blue}", "{tenant: green}", "protocol: sctp, ports: [5000]"))])
    field.sh("blue-1", "ip addr add 10.90.0.98/24 dev eth0")
    field.wait_enforced("blue-1", "10.90.0.98")
    receiver = t.closing(field.socket("green-1", socket.AF_INET, socket.SOCK_RAW, 132))
    receiver.setblocking(False)

    def send(source, port, tag, chunk):
        head = struct.pack("!HHI", 30000, port, tag)
        packet = head + struct.pack("<I", crc32c(head + bytes(4) + chunk)) + chunk
        with field.socket("blue-1", socket.AF_INET, socket.SOCK_RAW, 132, (source, 0)) as sender:
            try:
                sender.sendto(packet, (field.v4("green-1"), 0))
            except OSError:
                pass

    def arrives(source, port, tag, chunk, seconds=10):
        def came():
            send(source, port, tag, chunk)
            try:
                while data := receiver.recv(2048):
                    if data[12:16] == socket.inet_aton(source) and data[20:24] == struct.pack(
                            "!HH", 30000, port):
                        return True
            except BlockingIOError:
                time.sleep(0.02)
            return False
        return until(came, seconds)

    init = struct.pack("!BBHIIHHI", 1, 0, 20, 7, 65536, 1, 1, 1)
    heartbeat = struct.pack("!BBHHH", 4, 0, 12, 1, 8) + b"beat"
    t.claim("INIT passes", arrives(field.v4("blue-1"), 5000, 0, init))
    t.claim("HEARTBEAT by the second path passes", arrives("10.90.0.98", 5000, 7, heartbeat))
    t.claim("another port is refused", not arrives("10.90.0.98", 5001, 7, heartbeat, 0.5))
    t.claim("the refusal is told", until(lambda: field.violations(source="10.90.0.98")))
