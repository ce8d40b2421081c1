"""Sends known numbers of packets and flows down every path, kills the agent in the middle, and
compares what was sent with what was counted.

Usage: counts.py RINGFENCE [--mode off|only] [--short] [--results FILE]

Each path is played twice: some packets while the agent runs, some after it was killed with SIGKILL,
the rest when it runs again. For each path: sent = accepted + refused + lost, where accepted is what
the rule or the end that judges has counted, refused is what is credited to the pair of tenants, and
lost is what was refused without being credited to anybody. What a bridge gives to everybody is
overheard: no attempt, and counted apart. Needs root. Exits with 1 if a single
packet is missing or counted twice.
"""

import argparse
import json
import os
import socket
import struct
import sys

from stage import NAMES, ROOT, Lab, address, needs_root

PAYLOAD = b"x" * 32
UNITS = ("packets", "bytes", "flows")
MODES = {"off": "the tables in the namespaces", "only": "the host filter"}

POLICIES = """
apiVersion: ringfence/v1
kind: Policy
name: friend-to-victim
from: [{tenant: friend}]
to: [{tenant: victim}]
allow: [{protocol: udp, ports: [5000]}]
---
apiVersion: ringfence/v1
kind: Policy
name: out-only
description: Lets mallory's packets out; to an address opens no endpoint.
from: [{tenant: mallory}]
to: [{cidr: 10.79.0.11/32}, {cidr: fd79::11/128}]
allow: [{protocol: udp, ports: [5100]}]
"""
REVOCABLE = """
apiVersion: ringfence/v1
kind: Policy
name: revocable
from: [{tenant: bystander}]
to: [{tenant: friend}]
allow: [{protocol: udp, ports: [5200]}]
"""


class Path:
    """One way that packets can go, and what has to be counted of it."""

    def __init__(self, name, source, target, port, family, layers, **expected):
        self.name, self.source, self.target, self.port = name, source, target, port
        self.family, self.layers, self.expected = family, layers, expected
        self.sent = self.flows = 0
        self.flows_sent = set()

    def __str__(self):
        return f"{self.name} IPv{4 if self.family == socket.AF_INET else 6}"

    def send(self, lab, flows, packets):
        """So many packets of so many flows; a packet counts as sent when the kernel took it, or
        when the endpoint's own table refused it, which is told to the sender."""
        for number in flows:
            with lab.space(self.source).socket(self.family, socket.SOCK_DGRAM) as sender:
                sender.bind((address(self.source, self.family), 20000 + number))
                for _ in range(packets):
                    try:
                        sender.sendto(PAYLOAD, (address(self.target, self.family), self.port))
                    except PermissionError:
                        pass
                    self.sent += 1
            self.flows_sent.add(number)

    def packet_bytes(self):
        return len(PAYLOAD) + 8 + (20 if self.family == socket.AF_INET else 40)


class Spoofed(Path):
    """In a neighbour's name, by a raw socket."""

    def send(self, lab, flows, packets):
        with lab.space(self.source).socket(
                socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sender:
            for number in flows:
                datagram = struct.pack(
                    "!HHHH", 20000 + number, self.port, 8 + len(PAYLOAD), 0) + PAYLOAD
                header = struct.pack(
                    "!BBHHHBBH4s4s", 0x45, 0, 20 + len(datagram), 0, 0, 64, 17, 0,
                    socket.inet_aton("10.79.0.99"),
                    socket.inet_aton(address(self.target, self.family)))
                for _ in range(packets):
                    try:
                        sender.sendto(header + datagram,
                                      (address(self.target, self.family), 0))
                    except PermissionError:
                        pass
                    self.sent += 1
                self.flows_sent.add(number)


class Invalid(Path):
    """TCP segments without a flag, which belong to no flow."""

    def send(self, lab, flows, packets):
        with lab.space(self.source).socket(
                socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP) as sender:
            for number in flows:
                segment = struct.pack("!HHIIBBHHH", 20000 + number, self.port, 1, 0, 0x50, 0,
                                      1000, 0, 0) + PAYLOAD
                for _ in range(packets):
                    try:
                        sender.sendto(segment, (address(self.target, self.family), 0))
                    except PermissionError:
                        pass
                    self.sent += 1
                self.flows_sent.add(number)

    def packet_bytes(self):
        return 20 + 20 + len(PAYLOAD)


class Flooded(Path):
    """To a link-layer address that the bridge doesn't know: everybody else gets a copy, and for
    none of them it is."""

    COPIES = len(NAMES) - 1

    def send(self, lab, flows, packets):
        source = lab.hardware_address(self.source)
        with lab.space(self.source).socket(
                socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800)) as sender:
            sender.bind((lab.interface(self.source), 0))
            for number in flows:
                datagram = struct.pack(
                    "!HHHH", 20000 + number, self.port, 8 + len(PAYLOAD), 0) + PAYLOAD
                header = struct.pack(
                    "!BBHHHBBH4s4s", 0x45, 0, 20 + len(datagram), 0, 0, 64, 17, 0,
                    socket.inet_aton(address(self.source, self.family)),
                    socket.inet_aton(address(self.target, self.family)))
                header = header[:10] + checksum(header) + header[12:]
                for _ in range(packets):
                    sender.send(b"\x02\x00\x00\x00\xee\xee" + source + b"\x08\x00"
                                + header + datagram)
                    self.sent += self.COPIES


def checksum(header):
    """Of an IPv4 header: RFC 1071."""
    total = sum(struct.unpack(f"!{len(header) // 2}H", header))
    total = (total & 0xffff) + (total >> 16)
    return struct.pack("!H", ~(total + (total >> 16)) & 0xffff)


def paths(family):
    """What is played in one family."""
    both = ("off", "only")
    return [
        Path("accepted", "friend-1", "victim-1", 5000, family, both, rule="friend-to-victim"),
        Path("refused by the source", "mallory-1", "victim-1", 6000, family, both,
             pair=("mallory", "victim", "egress", "noRule")),
        Path("refused by the destination", "mallory-1", "victim-1", 5100, family, both,
             pair=("mallory", "victim", "ingress", "noRule")),
        Path("revoked", "bystander-1", "friend-1", 5200, family, both, revoked=True,
             pair=("bystander", "friend", "egress", "revoked")),
    ] + ([
        Spoofed("spoofed", "mallory-1", "friend-1", 6100, family, both,
                pair=(None, "friend", "egress", "spoofed")),
        Invalid("invalid", "friend-1", "bystander-1", 6200, family, ("off",),
                pair=("friend", "bystander", "egress", "invalid")),
        Flooded("flooded by the bridge", "mallory-1", "victim-1", 5100, family, ("only",),
                overheard="flooded"),
    ] if family == socket.AF_INET else [])


def total(tallies):
    return {unit: sum(one[unit] for one in tallies) for unit in UNITS}


def counted(report, path, mode):
    """What the report has of the path: accepted at the end that judges it, refused between the two
    tenants, and refused without being credited to anybody."""
    if rule := path.expected.get("rule"):
        accepted = [one["counts"] for one in report["rules"] if one["policy"] == rule]
        refused = [one["counts"] for one in report["refused"]
                   if one["source"]["name"] == path.source[:-2]]
    elif kind := path.expected.get("overheard"):
        return {"overheard": report["overheard"][kind], "lost": total([report["notRecorded"]])}
    else:
        source, target, direction, reason = path.expected["pair"]
        layer = "nftables" if mode == "off" else "hostFilter"
        end = path.source if direction == "egress" else path.target
        accepted = [one["admitted"] for one in report["endpoints"] if one["endpoint"] == end]
        refused = [
            one["counts"] for one in report["refused"]
            if (source is None or one["source"]["name"] == source)
            and one["destination"]["name"] == target and one["direction"] == direction
            and one["reason"] == reason and one["layer"] == layer]
    return {"accepted": total(accepted), "refused": total(refused),
            "lost": total([report["notRecorded"]])}


def grown(after, before):
    return {kind: {unit: after[kind][unit] - before[kind][unit] for unit in UNITS}
            for kind in after}


def play_path(lab, path):
    """One path over a kill: what was sent, and what was counted of it."""
    if path.expected.get("revoked"):
        # Flows that a rule admits first.
        for number in range(40):
            with lab.space(path.source).socket(path.family, socket.SOCK_DGRAM) as sender:
                sender.bind((address(path.source, path.family), 20000 + number))
                sender.sendto(PAYLOAD, (address(path.target, path.family), path.port))
        lab.change(lambda: lab.remove("revocable.yaml"))
    before = counted(lab.ask("counters"), path, lab.mode)
    path.send(lab, range(0, 20), 25)
    lab.kill()
    path.send(lab, range(10, 30), 25)
    lab.start()
    path.send(lab, range(20, 40), 25)
    seen = grown(counted(lab.ask("counters"), path, lab.mode), before)
    if path.expected.get("revoked"):
        lab.change(lambda: lab.save("revocable.yaml", REVOCABLE))
    sent = {"packets": path.sent, "bytes": path.sent * path.packet_bytes(),
            "flows": len(path.flows_sent)}
    return sent, seen


def kept_rule(lab):
    """A rule's count when the rule goes and the agent is killed before it can write anything."""
    def passed():
        return sum(one["counts"]["packets"] for one in lab.ask("counters")["rules"]
                   if one["policy"] == "revocable")

    before, sent = passed(), 0
    for _ in range(5):
        path = Path("gone rule", "bystander-1", "friend-1", 5200, socket.AF_INET, ("off",))
        path.send(lab, range(50, 60), 10)
        sent += path.sent
        generation = lab.generation()
        lab.remove("revocable.yaml")
        lab.wait("the next generation", lambda at=generation: lab.generation() > at)
        lab.kill()
        lab.start()
        lab.change(lambda: lab.save("revocable.yaml", REVOCABLE))
    return sent, passed() - before


def crowd(lab):
    """More flows than the kernel has room for, while nobody reads them."""
    path = Path("crowd", "mallory-1", "victim-1", 6500, socket.AF_INET, (),
                pair=("mallory", "victim", "egress", "noRule"))
    before = counted(lab.ask("counters"), path, lab.mode)
    lab.kill()
    path.send(lab, range(0, 6000), 2)
    lab.start()
    seen = grown(counted(lab.ask("counters"), path, lab.mode), before)
    return path.sent, {kind: seen[kind]["packets"] for kind in seen}


def listen(lab):
    """Somebody who takes what is allowed, so that nothing is answered."""
    sockets = []
    for name, port in (("victim-1", 5000), ("friend-1", 5200), ("victim-1", 5100)):
        for family in (socket.AF_INET, socket.AF_INET6):
            one = lab.space(name).socket(family, socket.SOCK_DGRAM)
            one.bind((address(name, family), port))
            sockets.append(one)
    return sockets


def play(ringfence, mode, families):
    measures = []
    policies = {"paths.yaml": POLICIES, "revocable.yaml": REVOCABLE}
    with Lab(ringfence, policies, mode) as lab:
        listeners = listen(lab)
        print(f"\n{MODES[mode]}\n   {'path':34}{'':8}{'sent':>9}{'accepted':>10}{'refused':>9}"
              f"{'lost':>7}{'overheard':>11}")
        for family in families:
            for path in paths(family):
                if mode not in path.layers:
                    continue
                sent, seen = play_path(lab, path)
                kind = next((one for one in ("accepted", "overheard") if one in seen
                             and (one == "overheard" or path.expected.get("rule"))), "refused")
                # Of what was overheard no flow is kept.
                for unit in UNITS[:2] if kind == "overheard" else UNITS:
                    numbers = {one: seen[one][unit] for one in seen}
                    say(measures, f"{path}", mode, unit, sent[unit], numbers, kind)
        sent, passed = kept_rule(lab)
        say(measures, "accepted by rules that went", mode, "packets", sent, {"accepted": passed},
            "accepted")
        sent, numbers = crowd(lab)
        say(measures, "6,000 flows that nobody read", mode, "packets", sent, numbers)
        for one in listeners:
            one.close()
    return measures


def say(measures, path, mode, unit, sent, seen, kind=None):
    """A row: all that was sent has to be of the kind, or of any where none is named."""
    good = sum(seen.values()) == sent and (kind is None or seen[kind] == sent)
    columns = "".join(f"{seen.get(one, 0):>{width}}" for one, width in (
        ("accepted", 10), ("refused", 9), ("lost", 7), ("overheard", 11)))
    print(f"   {path:34}{unit:8}{sent:>9}{columns}{'' if good else '   <-- WRONG'}", flush=True)
    measures.append({"measure": f"{path}, {MODES[mode]}: accepted + refused + lost",
                     "unit": unit, "target": sent, "measured": sum(seen.values()),
                     "pass": good} | seen)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("ringfence")
    parser.add_argument("--mode", choices=MODES)
    parser.add_argument("--short", action="store_true", help="one family")
    parser.add_argument("--results", default=os.path.join(ROOT, "results/counts.json"))
    options = parser.parse_args()
    measures = []
    modes = [options.mode] if options.mode else list(MODES)
    families = [socket.AF_INET] if options.short else [socket.AF_INET, socket.AF_INET6]
    for mode in modes:
        measures += play(options.ringfence, mode, families)
    os.makedirs(os.path.dirname(options.results), exist_ok=True)
    with open(options.results, "w", encoding="utf-8") as file:
        json.dump(measures, file, indent=2)
        file.write("\n")
    good = sum(one["pass"] for one in measures)
    print(f"\n{good} of {len(measures)} counts are exact")
    sys.exit(0 if good == len(measures) else 1)


if __name__ == "__main__":
    needs_root()
    main()
