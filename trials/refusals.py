"""What is told of refusals: who did what, in the words of the protocol, without false alarms."""

import socket

from calls import ping, udp
from field import HOST4, policy, until
from trial import case

BROADCASTS = "10.90.0.255", "255.255.255.255"
SHOUT = ("out.yaml", policy("out", "{tenant: blue}", "{cidr: 10.90.0.255/32}, {cidr: 255.255.255.255/32}",
                            "protocol: udp, ports: [9]"))


def shouted(t):
    """A field in which blue has sent a broadcast by its rule, and green has refused it."""
    field = t.field(policies=[SHOUT])
    with field.socket("blue-1", socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sender.setsockopt(socket.SOL_SOCKET, 25, b"eth0\0")    # SO_BINDTODEVICE
        for address in BROADCASTS:
            sender.sendto(b"trial", (address, 9))
    for address in BROADCASTS:
        t.claim(f"green's refusal of {address} is told", until(
            lambda: field.violations(destination=address, direction="ingress")),
            field.violations())
    return field


def trouble(field, name=None):
    """A refusal that has to be told, so that whatever came before it has been told too."""
    ping(field, name or "blue-1", field.v4("green-1"), patience=0.2)
    return until(lambda: field.violations(destination="green-1", ipProtocol="icmp"))


@case("07", "a broadcast that a bridge gives to everybody", "refused at green's ingress, from blue",
      "openshift/ingress-node-firewall#70")
def broadcast(t):
    field = shouted(t)
    for one in field.violations():
        if one["destination"]["address"] in BROADCASTS:
            t.claim("each row is from blue, at an ingress", one["source"].get("tenant") == "blue"
                    and one["direction"] == "ingress", one)
    with field.socket("host", socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sender.sendto(b"trial", ("10.90.0.255", 10))
    trouble(field)
    told = [one for one in field.violations(direction="egress")
            if one["destination"]["address"] in BROADCASTS]
    t.claim("the host's broadcast is nobody's egress", not told, told)


@case("08", "the sender's own copy of its broadcast", "not told", "own")
def own_copy(t):
    field = shouted(t)
    trouble(field)
    told = field.violations(reason="spoofed")
    t.claim("nothing is told as spoofed", not told, told)


@case("09", "ICMP that is refused for another reason than a missing rule", "type and code, one row",
      "own")
def message_types(t):
    field = t.field()
    inner = nested(field)
    field.run(["nsenter", f"--net={inner}", "ping", "-c", "20", "-i", "0.01", "-W", "0.2", "-q",
               field.v4("green-1")], check=False)
    field.sh("blue-1", "ip addr add 192.0.2.9/32 dev lo")
    field.sh("blue-1", f"ping -c 5 -i 0.01 -W 0.2 -q -I 192.0.2.9 {field.v4('green-1')} || true")
    for source, reason, count in (("172.30.0.2", "forwarded", 20), ("192.0.2.9", "spoofed", 5)):
        t.claim(f"{count} packets are told as {reason}", until(
            lambda: field.refused(source=source, reason=reason) == count, 10),
            field.violations(source=source))
        rows = field.violations(source=source)
        t.claim("one row, of type 8 and code 0", len(rows) == 1 and rows[0].get("message") == {
            "type": 8, "code": 0}, rows)


def nested(field):
    """A namespace behind blue, which forwards for it."""
    path = f"{field.place}/nested"
    field.namespace(path)
    field.sh("blue-1", f"""ip link add inner type veth peer name eth0 netns {path}
        ip addr add 172.30.0.1/24 dev inner; ip link set inner up
        sysctl -qw net.ipv4.ip_forward=1""")
    field.run(["nsenter", f"--net={path}", "sh", "-ec", """ip addr add 172.30.0.2/24 dev eth0
        ip link set eth0 up; ip route add default via 172.30.0.1"""])
    return path


@case("10", "an endpoint that comes up", "its kernel's own messages are no violation", "own")
def comes_up(t):
    field = t.field("green-1")
    field.bear("blue-9")
    field.plug("blue-9", "10.90.0.99/24", "fd90::99/64")
    sent = ("Icmp6OutRouterSolicits", "Icmp6OutMLDv2Reports")

    def has_sent():
        said = dict(line.split() for line in field.sh("blue-9", "cat /proc/net/snmp6").splitlines()
                    if line.split()[0] in sent)
        return all(int(said.get(one, 0)) > 0 for one in sent)

    t.claim("it has sent reports and a solicitation", until(has_sent))
    field.wait_enforced("blue-9", "10.90.0.99", "fd90::99")
    t.claim("a refusal is told", trouble(field, "blue-9"))
    told = field.violations(ipProtocol="icmpv6")
    t.claim("none of its kernel's messages is", not told, told)


@case("11", "containers behind an endpoint", "refused, told as forwarded with the inner address", "own")
def behind(t):
    field = t.field(policies=[("open.yaml", policy(
        "open", "{tenant: blue}", "{tenant: green}", "protocol: udp, ports: [5000]"))])
    t.server(field, "green-1", 5000)
    inner = nested(field)
    t.claim("blue's own calls pass", udp(field, "blue-1", field.v4("green-1"), 5000))
    t.claim("calls from behind it don't", not udp(field, inner, field.v4("green-1"), 5000, 0.5))
    rows = until(lambda: field.violations(source="172.30.0.2"))
    t.claim("told as forwarded", rows and {one["reason"] for one in rows} == {"forwarded"}, rows)
    t.claim("from blue's endpoint", rows and rows[0]["source"].get("endpoint") == "blue-1", rows)


@case("19", "a call of the host is refused", "the host is named, and how to allow it",
      "kubernetes#125611, cilium#11593")
def host_named(t):
    field = t.field()
    udp(field, "host", field.v4("green-1"), 8080, 0.3)
    rows = until(lambda: field.violations(destination="green-1", ipProtocol="udp"))
    t.claim("it is told", rows)
    for one in rows or []:
        fix = one.get("closest", {}).get("fix", "")
        t.claim("the source is the host", one["source"].get("party") == "host", one)
        t.claim("the fix names the peer host", "host" in fix and HOST4 not in fix, fix)
    said = field.cli("violations")
    t.claim("FROM says host", f"host {HOST4}" in said, said)
