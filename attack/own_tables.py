"""Attacks on the tenant's own rules and marks: what its root can do to its own namespace."""

import re
import socket

from assault import ALLOWED, OPEN, attack
from places import SO_MARK, family_of, socket_in
from stage import BYSTANDER, FRIEND, VICTIM


def nft(a, script):
    """Feeds a script to nft, a line at a time: one that fails doesn't hold up the next."""
    for line in script.strip().split("\n"):
        a.tool("nft", *line.split())


def nft_table(a, text):
    """Loads a table of the tenant's own, and takes it away afterwards."""
    name = re.search(r"table (\w+ \w+)", text).group(1)
    status, said = a.tool("nft", "-f", "-", text=text, quiet=True)
    a.note(f"own table {name}: {'loaded' if status == 0 else said.strip()[:80]}")
    a.callback(a.tool, "nft", "delete", "table", *name.split(), quiet=True)


def live_marks(a):
    """The marks of live rules, as anybody in the namespace can read them."""
    _, said = a.tool("nft", "list", "map", "inet", "ringfence", "rules", quiet=True)
    return re.findall(r"0x[0-9a-f]{8}", said)[:2] or ["0x80000001"]


@attack("nft-flush")
def flush(a):
    """`nft flush ruleset`, then knock."""
    nft(a, "flush ruleset")
    a.knock()


@attack("nft-delete")
def delete(a):
    """Deletes and empties the agent's table, its chains and sets."""
    nft(a, """delete table inet ringfence
        flush table inet ringfence
        destroy table inet ringfence
        flush chain inet ringfence output
        delete chain inet ringfence output""")
    a.knock()


@attack("nft-edit")
def edit(a):
    """Puts accepting rules and elements into the agent's own table, and has it sleep."""
    nft(a, """insert rule inet ringfence output accept
        insert rule inet ringfence judge_out accept
        add element inet ringfence own4 { 0.0.0.0/0 }
        add chain inet ringfence output { policy accept ; }
        add table inet ringfence { flags dormant ; }""")
    a.knock()


@attack("nft-own-table")
def own_table(a):
    """Tables of its own before and after the agent's that accept everything."""
    for name, priority in (("early", -10), ("late", 10)):
        nft_table(a, f"""table inet {name} {{
            chain output {{ type filter hook output priority {priority}; policy accept; accept; }}
            chain input {{ type filter hook input priority {priority}; policy accept; accept; }}
        }}""")
    a.knock()


@attack("nft-notrack", reasons=("noRule", "invalid"))
def notrack(a):
    """Switches connection tracking off for its packets, in both directions."""
    nft_table(a, """table inet untracked {
        chain output { type filter hook output priority -500; notrack; }
        chain prerouting { type filter hook prerouting priority -500; notrack; }
    }""")
    a.knock()
    a.close()
    a.allowed()


@attack("nft-dnat")
def dnat(a):
    """Calls friend, where it may, and has its own namespace turn that into a call of victim."""
    v4, v6 = a.both(VICTIM)
    f4, f6 = a.both(FRIEND)
    nft_table(a, f"""table inet turned {{
        chain output {{
            type nat hook output priority -100;
            ip daddr {f4} meta l4proto {{ tcp, udp }} dnat ip to {v4}:{OPEN}
            ip6 daddr {f6} meta l4proto {{ tcp, udp }} dnat ip6 to [{v6}]:{OPEN}
        }}
    }}""")
    for target in (f4, f6):
        a.udp(target, ALLOWED)
        a.call(target, ALLOWED)
    a.close()
    a.allowed()


@attack("nft-late-dnat")
def late_dnat(a):
    """The same after the agent's chain has judged: another destination in the packet itself."""
    v4, v6 = a.both(VICTIM)
    f4, f6 = a.both(FRIEND)
    nft_table(a, f"""table inet rewritten {{
        chain post {{
            type filter hook postrouting priority 200;
            ip daddr {f4} udp dport {ALLOWED} udp dport set {OPEN} ip daddr set {v4}
            ip6 daddr {f6} udp dport {ALLOWED} udp dport set {OPEN} ip6 daddr set {v6}
        }}
    }}""")
    if a.stage.fabric == "bridged":
        # The packet goes to the neighbour that friend's address has.
        for one in (f4, f6):
            a.tool("ip", "neigh", "replace", one, "lladdr", a.stage.mac[VICTIM], "dev", "eth0",
                   quiet=True)
            a.callback(a.tool, "ip", "neigh", "del", one, "dev", "eth0", quiet=True)
    for target in (f4, f6):
        a.udp(target, ALLOWED)
    a.close()
    a.allowed()


@attack("nft-snat", reasons=("spoofed",))
def snat(a):
    """Calls friend, where it may, in bystander's name: its own NAT takes bystander's address."""
    b4, b6 = (a.forge(one) for one in a.both(BYSTANDER))
    nft_table(a, f"""table inet posing {{
        chain post {{
            type nat hook postrouting priority 100;
            meta nfproto ipv4 snat ip to {b4}
            meta nfproto ipv6 snat ip6 to {b6}
        }}
    }}""")
    for target in a.both(FRIEND):
        a.udp(target, ALLOWED)
        a.call(target, ALLOWED)
    a.close()
    a.allowed()


@attack("nft-masquerade")
def masquerade(a):
    """Masquerades, and forwards what comes to it on to victim."""
    nft_table(a, f"""table inet masked {{
        chain post {{ type nat hook postrouting priority 100; masquerade; }}
        chain pre {{ type nat hook prerouting priority -100; dnat ip to {a.both(VICTIM)[0]}; }}
    }}""")
    a.knock()
    a.close()
    a.allowed()


@attack("nft-packet-marks")
def packet_marks(a):
    """Forges the marks by which a host filter would know other senders: rules and SO_MARK."""
    nft_table(a, """table inet marked {
        chain post { type filter hook postrouting priority 300;
            meta mark set numgen inc mod 8 map {
                0: 0x00010000, 1: 0x00020000, 2: 0x00030000, 3: 0x00040000,
                4: 0x01000000, 5: 0x00000001, 6: 0xffffffff, 7: 0x80000000 }
        }
    }""")
    a.knock()
    for mark in (0x00010000, 0x00020000, 0x00030000, 0x00040000, 2, 3, 0xffffffff):
        a.udp(a.both(VICTIM)[0], mark=mark)
        a.raw.setsockopt(socket.SOL_SOCKET, SO_MARK, mark.to_bytes(4, "little"))
        a.datagram(a.both(VICTIM)[1])


@attack("nft-ct-marks")
def ct_marks(a):
    """Sets the conntrack marks of live rules by rules of its own, before the agent's chain."""
    marks = live_marks(a)
    nft_table(a, f"""table inet forged {{
        chain output {{ type filter hook output priority -150; ct mark set {marks[0]}; accept; }}
        chain late {{ type filter hook postrouting priority 300; ct mark set {marks[-1]}; }}
    }}""")
    a.knock()
    a.knock()


def conntrack_flows(a):
    """Flows to victim that are about to be sent: arguments of conntrack, and what sends them."""
    for source, target in zip(a.both("mallory-1"), a.both(VICTIM)):
        text = a.token()
        yield source, target, a.port(), text


def tracked(a, with_mark_at_once):
    """Tells its own kernel that flows to victim exist already, with a live rule's mark."""
    mark = live_marks(a)[0]
    a.note(f"mark {mark}, read from the rules in force")
    for source, target, port, text in conntrack_flows(a):
        words = ["-s", source, "-d", target, "-p", "udp", "--sport", str(port),
                 "--dport", str(OPEN)]
        first = ["-m", mark] if with_mark_at_once else []
        a.tool("conntrack", "-I", *words, "-t", "60", "-u", "ASSURED", *first, quiet=True)
        if not with_mark_at_once:
            a.tool("conntrack", "-U", *words, "-m", mark, quiet=True)
        _, said = a.tool("conntrack", "-L", *words, quiet=True)
        a.note("entry " + ("with its mark" if f"mark={int(mark, 16)}" in said else "not made"))
        with socket_in(a.at, family_of(target), socket.SOCK_DGRAM, 0, (source, port)) as sender:
            try:
                sender.sendto(text, (target, OPEN))
            except OSError as error:
                a.note(f"sendto: {error.strerror}")
        a.callback(a.tool, "conntrack", "-D", *words, quiet=True)


@attack("conntrack-insert")
def conntrack_insert(a):
    """`conntrack -I --mark`: an entry of a flow that no rule admitted, as if one had."""
    tracked(a, with_mark_at_once=True)


@attack("conntrack-update")
def conntrack_update(a):
    """`conntrack -I`, then `conntrack -U --mark`."""
    tracked(a, with_mark_at_once=False)
