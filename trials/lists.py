"""Long lists of networks: right verdicts, and nothing that waits for them."""

import ipaddress
import random
import time

from calls import udp
from field import HOST4, policy, until
from trial import case

NETWORKS = 50_000
PORT, OPEN = 443, 5000


def listed(count=NETWORKS):
    """Networks from /14 to /32, as lists of countries have them, with overlaps and doubles."""
    chance, found = random.Random(42), []
    for _ in range(count - 50):
        length = chance.choice((14, 16, 18, 20, 22, 23, 24, 24, 24, 25, 28, 30, 32))
        address = chance.randrange(20 << 24, 99 << 24) >> (32 - length) << (32 - length)
        found.append((address, length))
    return found + chance.sample(found, 50)


def text_of(address):
    return str(ipaddress.ip_address(address))


def except_policy(networks, port=PORT):
    rows = "\n".join(f"      - {text_of(address)}/{length}" for address, length in networks)
    return (f"apiVersion: ringfence/v1\nkind: Policy\nname: geo\nfrom: [{{tenant: blue}}]\nto:\n"
            f"  - cidr: 0.0.0.0/0\n    except:\n{rows}\n"
            f"allow: [{{protocol: udp, ports: [{port}]}}]\n")


def holds(networks):
    """A judge of its own: whether an address is in one of the networks."""
    by_length = {}
    for address, length in networks:
        by_length.setdefault(length, set()).add(address)
    return lambda address: any(
        address >> (32 - length) << (32 - length) in those for length, those in by_length.items())


def edges(networks):
    """140 addresses: the first and last of networks, those beside them, and any."""
    chance, found = random.Random(7), set()
    for address, length in chance.sample(networks, 28):
        last = address + (1 << (32 - length)) - 1
        found.update((address, last, address - 1, last + 1))
    while len(found) < 140:
        found.add(chance.randrange(20 << 24, 99 << 24))
    return sorted(found)


@case("01", "50,000 networks that overlap", "each address judged right, in force in 2 s",
      "foomuuri#42, firewalld#1343")
def long_list(t):
    networks = listed()
    inside = holds(networks)
    field = t.field("blue-1")
    began = time.monotonic()
    field.change("geo.yaml", except_policy(networks))
    t.within("in force", time.monotonic() - began, 2)
    field.wait_enforced("blue-1", field.v4("blue-1"))
    tried = edges(networks)
    wanted = {text_of(one) for one in tried if not inside(one)}
    passed = t.tap(field).passed(field, "blue-1", [text_of(one) for one in tried], PORT, wanted)
    t.fact(f"{len(passed ^ wanted)} of {len(tried)} wrong")
    t.claim("each address is judged right", passed == wanted, sorted(passed ^ wanted))
    refused = {text_of(one) for one in tried} - wanted
    t.claim("each refused address has a record", until(
        lambda: refused <= {one["destination"]["address"] for one in field.violations()}))


@case("02", "a newcomer while a long list compiles", "closed in milliseconds",
      "microsoft/mxc#897, #1211")
def newcomer(t):
    networks = listed()
    field = t.field("blue-1", policies=[("geo.yaml", except_policy(networks))])
    field.save("geo.yaml", except_policy(networks, PORT + 1))
    mounted = field.bear("red-1")
    field.plug("red-1", "10.90.0.99/24")
    stream = t.stream(field, "red-1", HOST4, 9, "host")
    field.wait_enforced("red-1", "10.90.0.99", seconds=5 * t.slack)
    stream.has_sent(100)
    stream.close()
    last = max(stream.arrived.values(), default=mounted) - mounted
    t.fact(f"{len(stream.arrived)} of {stream.sent} passed")
    t.within("the last passes", last, 0.5)


@case("03", "the next one gets the address while a list compiles", "its calls are refused",
      "code-on-incus#478, antrea#6507")
def inherited(t):
    networks = listed()
    field = t.field("green-1", policies=[
        ("geo.yaml", except_policy(networks)),
        ("open.yaml", policy("open", "{tenant: blue}", "{tenant: green}",
                             f"protocol: udp, ports: [{OPEN}]"))])
    field.bear("blue-9")
    field.plug("blue-9", "10.90.0.99/24")
    server = t.server(field, "green-1", OPEN)
    t.claim("the first one's calls pass", udp(field, "blue-9", field.v4("green-1"), OPEN, 20))
    server.close()
    field.save("geo.yaml", except_policy(networks, PORT + 1))
    field.bury("blue-9")
    mounted = field.bear("red-9")
    field.plug("red-9", "10.90.0.99/24")
    stream = t.stream(field, "red-9", field.v4("green-1"), OPEN, "green-1")
    field.wait_enforced("red-9", "10.90.0.99", seconds=5 * t.slack)
    stream.has_sent(100)
    stream.close()
    last = max(stream.arrived.values(), default=mounted) - mounted
    t.fact(f"{len(stream.arrived)} of {stream.sent} passed")
    t.within("the last passes", last, 0.5)


@case("05", "new endpoints and addresses beside a long list", "usable within a second",
      "kube-router#2059")
def usable_at_once(t):
    networks = listed()
    field = t.field("green-1", policies=[
        ("geo.yaml", except_policy(networks)),
        ("open.yaml", policy("open", "{tenant: blue}", "{tenant: green}",
                             f"protocol: udp, ports: [{OPEN}]"))])
    t.server(field, "green-1", OPEN)
    began = field.bear("blue-9")
    field.plug("blue-9", "10.90.0.99/24")
    if t.claim("the endpoint's calls pass", udp(field, "blue-9", field.v4("green-1"), OPEN, 60)):
        t.within("a new endpoint works", time.monotonic() - began, 2)
    field.sh("blue-9", "ip addr add 10.90.0.98/24 dev eth0")
    began = time.monotonic()
    if t.claim("calls from its new address pass", udp(
            field, "blue-9", field.v4("green-1"), OPEN, 60, ("10.90.0.98", 0))):
        t.within("a new address works", time.monotonic() - began, 2)


@case("32", "networks of everything, doubles and exceptions", "right, or a clear error",
      "calico#13477, aws-npa#58, cilium#3945")
def everything(t):
    field = t.field("blue-1", policies=[("all.yaml", policy(
        "all", "{tenant: blue}",
        "{cidr: 0.0.0.0/0, except: [30.0.0.0/8, 30.1.0.0/16, 30.0.0.0/8, 40.0.0.0/9]}, "
        "{cidr: 30.1.2.0/24}, {cidr: '::/0', except: ['2001:db8::/32']}", "protocol: udp, ports: [9]"))])
    wanted = {"1.1.1.1", "29.255.255.255", "31.0.0.0", "40.128.0.0", "30.1.2.3", "223.255.255.254",
              "2001:db9::1", "2001:db7:ffff::1"}
    refused = {"30.0.0.0", "30.255.255.255", "30.1.1.1", "40.0.0.1", "40.127.255.255",
               "2001:db8::1", "2001:db8:ffff::1"}
    seen = t.tap(field).passed(field, "blue-1", sorted(wanted | refused), 9, wanted)
    t.fact(f"{len(seen ^ wanted)} of {len(wanted | refused)} wrong")
    t.claim("each address is judged right", seen == wanted, sorted(seen ^ wanted))
    for peer, word in (("{cidr: 10.0.0.0/8, except: [10.0.0.0/8]}", "leaves nothing"),
                       ("{cidr: 10.0.0.0/8, except: [10.0.0.0/9, 10.128.0.0/9]}", "leaves nothing"),
                       ("{cidr: 10.0.0.0/8, except: [11.0.0.0/8]}", "11.0.0.0/8"),
                       ("{cidr: 10.0.0.1/8}", "10.0.0.0/8"), ("{cidr: 10.0.0.0/33}", "33")):
        code, said = field.lint(policy("x", "{tenant: blue}", peer, "protocol: any"))
        t.claim(f"{peer} is refused with its reason", code == 1 and word in said and "fix:" in said, said)


@case("33", "the edges of port numbers", "right, or a clear error", "libcalico-go#223, cilium#23016")
def ports(t):
    many = ", ".join(str(one) for one in range(20000, 22000, 2))
    field = t.field(policies=[
        ("ranges.yaml", policy("ranges", "{tenant: blue}", "{tenant: green}",
                               "protocol: udp, ports: [5000-5010, 5005-5020, 65535]",
                               f"protocol: udp, ports: [{many}]")),
        ("more.yaml", policy("more", "{tenant: blue}", "{tenant: green}",
                             "protocol: udp, ports: [5020-5022]"))])
    wrong = []
    for port, passes in ((4999, False), (5000, True), (5010, True), (5020, True), (5022, True),
                         (5023, False), (65535, True), (65534, False), (20000, True),
                         (20001, False), (21998, True), (22000, False)):
        t.server(field, "green-1", port)
        if udp(field, "blue-1", field.v4("green-1"), port, 5 if passes else 0.3) != passes:
            wrong.append(port)
    t.fact(f"{len(wrong)} of 12 ports wrong")
    t.claim("each port is judged right", not wrong, wrong)
    for text, is_right in (("0", False), ("65536", False), ("0-65535", False), ("9-8", False),
                           ("1-65535", True), ("80, 80", True)):
        code, said = field.lint(policy("x", "{tenant: blue}", "{tenant: green}",
                                       f"protocol: tcp, ports: [{text}]"))
        t.claim(f"ports {text} {'are taken' if is_right else 'are refused, with a fix'}",
                code == 0 if is_right else code == 1 and "fix:" in said, said)


@case("34", "a policy larger than the kernel's maps", "last good state, said loudly", "incus#4008")
def too_large(t):
    field = t.field(policies=[("open.yaml", policy(
        "open", "{tenant: blue}", "{tenant: green}", "protocol: udp, ports: [5000]"))])
    t.server(field, "green-1", 5000)
    t.claim("calls pass before", udp(field, "blue-1", field.v4("green-1"), 5000))
    numbers = ", ".join(str(one) for one in range(5000, 6000, 2))
    field.save("big.yaml", "---\n".join(
        policy(f"x{one}", f"{{cidr: 172.{16 + one // 256}.{one % 256}.0/24}}", "{tenant: green}",
               f"protocol: tcp, ports: [{numbers}]") for one in range(600)))
    t.claim("status names the file", until(
        lambda: any("big.yaml" in str(one) for one in field.status()["policies"]["errors"]), 60),
        field.status().get("policies"))
    t.claim("calls pass after", udp(field, "blue-1", field.v4("green-1"), 5000))
    t.claim("the endpoints are enforced", all(
        field.endpoint(name)["state"] == "enforced" for name in field.names), field.status())
    t.claim("the log has a line about it", any(
        "big.yaml" in line and " info " not in line for line in field.log_text().splitlines()),
        field.last_words())
    said = field.cli("status")
    t.claim("status is readable", "big.yaml" in said and "\\u{" not in said, said)
    code, said = field.lint()
    t.claim("lint refuses it", code == 1 and "big.yaml" in said, said)
