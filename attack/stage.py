"""A lab with an attacker, and the agent that has to hold him."""

import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time

from places import command, family_of, socket_in
from witness import Witness

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MALLORY, VICTIM, FRIEND, BYSTANDER = "mallory-1", "victim-1", "friend-1", "bystander-1"
STRAY = "stray-1"    # No tenant claims it.


class Wrong(Exception):
    """Something without which no attack proves anything is not as it should be."""


class Stage:
    """One lab, one agent in one mode; everything that it starts ends with it."""

    def __init__(self, ringfence, fabric, mode, knows_modes):
        self.ringfence, self.fabric = ringfence, fabric
        self.mode, self.knows_modes = mode, knows_modes
        self.lab = f"attack-{os.getpid()}-{fabric}"
        self.spaces = f"/run/ringfence-lab/{self.lab}/ns"
        self.host = f"/run/ringfence-lab/{self.lab}/rf-{self.lab}"
        self.place = tempfile.mkdtemp(prefix="ringfence-attack-")
        self.socket = os.path.join(self.place, "agent.sock")
        self.log = os.path.join(self.place, "agent.log")
        self.agent = self.witness = None
        self.is_up = False
        self.streams = []
        self.unanswered = []

    def __enter__(self):
        try:
            self.raise_lab()
            self.witness = Witness(self.path(MALLORY), {
                name: self.path(name) for name in (VICTIM, FRIEND, BYSTANDER)})
            self.prove_open()
            self.start_agent()
            self.stream_to_victim = self.stream(FRIEND, VICTIM, 5000)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for stream in self.streams:
            stream.close()
        if self.witness:
            self.witness.stop()
        if self.agent and self.agent.poll() is None:
            self.agent.terminate()
            try:
                self.agent.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.agent.kill()
                self.agent.wait()
        if self.is_up:
            subprocess.run([self.ringfence, "lab", "down", self.lab], check=False,
                           stdout=subprocess.DEVNULL)
        shutil.rmtree(self.place, ignore_errors=True)

    # The lab.

    def path(self, name):
        return os.path.join(self.spaces, name)

    def raise_lab(self):
        with open(os.path.join(ROOT, "lab/attack.yaml"), encoding="utf-8") as file:
            text = file.read()
        text = re.sub(r"^name: .*", f"name: {self.lab}", text, flags=re.M)
        text = re.sub(r"^fabric: .*", f"fabric: {self.fabric}", text, flags=re.M)
        path = os.path.join(self.place, "lab.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        self.is_up = True
        done = subprocess.run(
            [self.ringfence, "lab", "up", path], capture_output=True, text=True, check=False)
        if done.returncode:
            raise Wrong(f"no lab: {done.stdout}{done.stderr}")
        self.v4, self.v6, self.mac, self.local = {}, {}, {}, {}
        for name in (MALLORY, VICTIM, FRIEND, BYSTANDER, STRAY):
            link = self.link(self.path(name), "eth0")
            self.mac[name] = link["address"]
            for one in link["addr_info"]:
                kind = self.local if one["scope"] == "link" else (
                    self.v4 if one["family"] == "inet" else self.v6)
                kind[name] = one["local"]
        end = "lab" if self.fabric == "bridged" else f"rf-{MALLORY}"
        self.mac["host"] = self.link(self.host, end)["address"]
        self.v4["host"], self.v6["host"] = "10.79.0.1", "fd79::1"

    def link(self, path, name):
        status, said = command(path, "ip", "-json", "address", "show", "dev", name)
        if status != 0:
            raise Wrong(f"no link {name}: {said}")
        return json.loads(said)[0]

    def next_mac(self, name):
        """Where a frame for somebody has to go on the attacker's link."""
        return self.mac[name if self.fabric == "bridged" else "host"]

    def prove_open(self):
        """Without an agent everything arrives, and the witnesses see it everywhere."""
        def all_seen():
            for address in (self.v4[VICTIM], self.v6[VICTIM]):
                with socket_in(self.path(MALLORY), family_of(address), socket.SOCK_DGRAM) as sender:
                    sender.sendto(b"rf-allowed-open-%d." % (family_of(address)), (address, 5000))
            time.sleep(0.05)
            seen = self.witness.arrivals("allowed", "open")
            return min(len(seen.left), len(seen.interface), len(seen.application)) == 2

        deadline = time.monotonic() + 8
        while not all_seen():
            if time.monotonic() > deadline:
                raise Wrong(
                    "without an agent not everything arrives: the lab or a witness is broken")

    def announce(self, name):
        """Has somebody say where he is, as any host may: bridges and neighbours learn it."""
        mac = bytes.fromhex(self.mac[name].replace(":", ""))
        address = socket.inet_aton(self.v4[name])
        with socket_in(self.path(name), socket.AF_PACKET, socket.SOCK_RAW, 0, ("eth0", 0)) as link:
            link.send(b"\xff" * 6 + mac + b"\x08\x06\0\x01\x08\0\x06\x04\0\x01" + mac + address +
                      bytes(6) + address + bytes(18))

    def stream(self, source, target, port):
        """A connection that stays: its client's end."""
        client = socket_in(self.path(source), socket.AF_INET, socket.SOCK_STREAM)
        self.streams.append(client)
        client.settimeout(2)
        client.connect((self.v4[target], port))
        return client

    # The agent.

    def start_agent(self):
        words = [self.ringfence, "agent", "--policies", os.path.join(ROOT, "attack/policies"),
                 "--namespaces", self.spaces, "--host-namespace", self.host,
                 "--socket", self.socket, "--state", os.path.join(self.place, "state")]
        if self.knows_modes:
            words += ["--host-filter", self.mode]
        with open(self.log, "w", encoding="utf-8") as log:
            self.agent = subprocess.Popen(words, stderr=log, start_new_session=True)
        deadline = time.monotonic() + 10
        while not self.answers():
            if time.monotonic() > deadline or self.agent.poll() is not None:
                raise Wrong("the agent enforces nothing: " + self.last_words())
            time.sleep(0.05)

    def answers(self):
        done = subprocess.run(
            [self.ringfence, "status", "--socket", self.socket, "--output", "json"],
            capture_output=True, text=True, check=False)
        if done.returncode:
            return False
        report = json.loads(done.stdout)
        states = [one["state"] for one in report["endpoints"]]
        if len(states) != 4 or set(states) != {"enforced"}:
            return False
        seen = report["agent"].get("hostFilter")
        if self.knows_modes and seen is not None and str(seen) != self.mode:
            raise Wrong(f"the host filter is '{seen}', not '{self.mode}': {self.last_words()}")
        return True

    def last_words(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-20:])

    def violations(self):
        """Packets by refused flow, as the agent reports them."""
        for _ in range(3):
            done = subprocess.run(
                [self.ringfence, "violations", "--socket", self.socket, "--output", "json"],
                capture_output=True, text=True, check=False)
            if done.returncode == 0:
                break
            self.unanswered.append(done.stderr.strip())
        else:
            raise Wrong(f"the agent doesn't answer: {done.stderr}{self.last_words()}")
        report = json.loads(done.stdout)
        flows = {}
        for one in report["violations"]:
            key = Flow.of(one)
            flows[key] = flows.get(key, 0) + one["packets"]
        return flows


class Flow(tuple):
    """What tells one violation from another."""

    @staticmethod
    def of(one):
        return Flow((
            one["source"]["address"], one["source"].get("endpoint"), one["destination"]["address"],
            one["ipProtocol"], str(one.get("ports") or one.get("message")), one["direction"],
            one["layer"], one["reason"], (one.get("ports") or {}).get("source")))

    source = property(lambda self: self[0])
    endpoint = property(lambda self: self[1])
    destination = property(lambda self: self[2])
    layer = property(lambda self: self[6])
    reason = property(lambda self: self[7])
    port = property(lambda self: self[8])
