"""What one tenant's flood costs the others: floods of flows, refused flows, addresses, namespaces, policies, rulesets.

Usage: hostile.py RINGFENCE [--seconds N] [--host-filter]

While a tenant does one of these as fast as it can, two things are measured of others and set against the quiet
state before and after in the same run: how long a saved policy takes until the first packet meets its new fate,
and what a TCP connection that was there before gets through. The flood has one processor for itself, which is
its share; whoever is measured has another, and the agent runs on both. Needs root; prints a table and writes
results/hostile.json. Exits with 1 if something is out of its bounds.
"""

import argparse
import json
import mmap
import os
import random
import re
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

from manager import reserve_descriptors
from stage import RING, ROOT, TARGET, Stage, Wrong, address, policy
from tell import say
from places import SO_RCVBUFFORCE, socket_in

PROBE, STREAM = 7600, 7700
IPV4 = socket.AF_INET
ELSEWHERE = "namespaces elsewhere"
# The kernel begins no transaction of nf_tables anywhere meanwhile: only the host filter follows at once, and what it
# opens opens when the tables do as well.
RULESETS = "rulesets"
OURS, THEIRS = 0, 1
TICK = os.sysconf("SC_CLK_TCK")
PROCESSORS = sorted(os.sched_getaffinity(0))
# So many times the quiet state, or so many milliseconds: a few times next to nothing is next to nothing.
LATENCY, ENOUGH, WORST = 4.0, 20.0, 1000.0
# When a change counts as never, in seconds.
PATIENCE = 30.0
# Of what it is in the quiet state.
THROUGHPUT = 0.4
# Of one processor.
AGENT = 0.8
MEMORY = 96
LOG = 50


class Transfer:
    """A TCP connection that sends as much as it can; how much arrived is known at any moment."""

    def __init__(self, stage, source, target):
        self.arrived = mmap.mmap(-1, mmap.PAGESIZE)
        self.children = []
        listener = socket_in(stage.path(target), IPV4, socket.SOCK_STREAM, 0,
                             (address(target, IPV4), STREAM))
        listener.listen(1)
        sender = socket_in(stage.path(source), IPV4, socket.SOCK_STREAM, 0, (address(source, IPV4), 0))
        sender.settimeout(5)
        sender.connect((address(target, IPV4), STREAM))
        receiver, _ = listener.accept()
        listener.close()
        for one, work in ((sender, self.send), (receiver, self.receive)):
            one.settimeout(None)
            self.children.append(self.fork(one, work))
        sender.close()
        receiver.close()
        self.rest()

    def fork(self, one, work):
        child = os.fork()
        if child == 0:
            try:
                pin(os.getpid(), OURS)
                work(one)
            finally:
                os._exit(0)
        return child

    def send(self, one):
        block = bytes(1 << 20)
        while True:
            one.sendall(block)

    def receive(self, one):
        block, total = bytearray(1 << 20), 0
        while count := one.recv_into(block):
            total += count
            self.arrived[0:8] = struct.pack("=Q", total)

    def rest(self):
        for child in self.children:
            os.kill(child, signal.SIGSTOP)

    def rate(self, seconds):
        """Mbit/s."""
        for child in self.children:
            os.kill(child, signal.SIGCONT)
        time.sleep(0.3)
        before, begun = self.bytes(), time.monotonic()
        time.sleep(seconds)
        after, ended = self.bytes(), time.monotonic()
        self.rest()
        return (after - before) * 8e-6 / (ended - begun)

    def bytes(self):
        return struct.unpack("=Q", self.arrived[0:8])[0]

    def close(self):
        for child in self.children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


class Probe:
    """Packets without a pause, and a policy that lets them through or doesn't."""

    def __init__(self, stage, source, target):
        self.stage = stage
        self.target = (address(target, IPV4), PROBE)
        self.receiver = socket_in(stage.path(target), IPV4, socket.SOCK_DGRAM, 0, self.target)
        self.receiver.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20)
        self.sender = socket_in(stage.path(source), IPV4, socket.SOCK_DGRAM, 0, (address(source, IPV4), 0))
        for one in (self.receiver, self.sender):
            one.setblocking(False)
        self.sent = 0
        self.shut()

    def shut(self):
        self.save(PROBE + 1)

    def open(self):
        self.save(PROBE)

    def save(self, port):
        self.stage.save("probe.yaml", policy("probe", "red", "tenant: blue", [port]))

    def flow(self, seconds):
        """Sends for so long, or until packets arrive where none did before; the moments of the arrivals."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.sent += 1
            try:
                self.sender.sendto(struct.pack("!Q", self.sent), self.target)
            except (PermissionError, BlockingIOError):
                pass
            time.sleep(0.0002)
            try:
                self.receiver.recv(64)
            except BlockingIOError:
                continue
            yield time.monotonic()

    def latencies(self, seconds, chance):
        """Of openings and closings in turn, in milliseconds."""
        found = []
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            saved = time.monotonic()
            self.open()
            first = next(self.flow(PATIENCE), None)
            if first is None:
                raise Wrong(f"a policy was saved and not in force after {PATIENCE} s")
            found.append((first - saved) * 1000)
            for _ in self.flow(chance.uniform(0.05, 0.2)):
                pass
            saved = time.monotonic()
            self.shut()
            last = saved
            while True:
                arrival = next(self.flow(0.15), None)
                if arrival is None:
                    break
                last = arrival
                if last > saved + PATIENCE:
                    raise Wrong(f"a policy was taken away and still in force after {PATIENCE} s")
            found.append((last - saved) * 1000)
            for _ in self.flow(chance.uniform(0.0, 0.1)):
                raise Wrong("a packet passed after its policy had been taken away")
        return found

    def close(self):
        self.receiver.close()
        self.sender.close()


class State:
    """What was measured while somebody did something."""

    def __init__(self):
        self.latencies, self.rates = [], []
        self.agent = self.memory = self.log = 0.0
        self.doings = 0


class Hostile(Stage):
    def __init__(self, ringfence, words=()):
        # Files that have to wait for a disk would be measured as the agent's time.
        before, tempfile.tempdir = tempfile.tempdir, "/dev/shm" if os.path.isdir("/dev/shm") else None
        try:
            super().__init__(ringfence)
        finally:
            tempfile.tempdir = before
        self.words = list(words)
        self.elsewhere = os.path.join(self.place, "elsewhere")
        self.probe = self.transfer = None

    def command(self, ringfence=None):
        return super().command(ringfence) + self.words

    def __exit__(self, *arguments):
        for one in (self.probe, self.transfer):
            if one:
                one.close()
        os.sched_setaffinity(0, PROCESSORS)
        super().__exit__(*arguments)

    def prepare(self):
        os.mkdir(self.elsewhere)
        self.save("stream.yaml", policy("stream", "red", "tenant: blue", [STREAM]).replace("udp", "tcp"))
        self.start()
        self.wait_ready()
        self.wait_enforced()
        self.transfer = Transfer(self, "red-2", "blue-2")
        pin(os.getpid(), OURS)
        self.probe = Probe(self, "red-1", "blue-1")

    def wait_enforced(self, seconds=30):
        deadline = time.monotonic() + seconds
        while True:
            states = [one["state"] for one in self.report("/v1/status")["endpoints"]]
            if len(states) == len(self.names) and set(states) == {"enforced"}:
                return
            if time.monotonic() > deadline:
                raise Wrong(f"the endpoints are {states}: {self.last_words()}")
            time.sleep(0.02)

    def floods(self):
        """What each flood is told beside the processor that it has."""
        caller, space = address("gold-1", IPV4), self.path("gold-1")
        return {
            "flows": [space, caller, address("red-3", IPV4), str(RING)],
            "refused": [space, caller, str(TARGET)] + [
                address(name, IPV4) for name in self.names if name != "gold-1"],
            "addresses": [space, "eth0"],
            # What making and burying namespaces costs the kernel is no doing of the agent.
            ELSEWHERE: [self.elsewhere, "gold-born-"],
            "namespaces": [self.born, "gold-born-"],
            "policies": [self.policies, "gold", "red"],
            RULESETS: [space],
        }

    def measure(self, seconds, chance, state):
        """Half of the time for policies, half for the connection."""
        used, begun, logged = self.used(), time.monotonic(), self.lines()
        state.latencies += self.probe.latencies(seconds / 2, chance)
        state.rates.append(self.transfer.rate(seconds / 2))
        lasted = time.monotonic() - begun
        state.agent = (self.used() - used) / lasted
        state.log = (self.lines() - logged) / lasted
        state.memory = self.resident()

    def under(self, kind, seconds, chance, state):
        """The same under a flood."""
        flood = subprocess.Popen(
            [sys.executable, "-B", os.path.join(ROOT, "soak/floods.py"), kind.split()[0],
             str(processor(THEIRS)), *self.floods()[kind]], stdout=subprocess.PIPE, text=True)
        try:
            flood.stdout.readline()
            time.sleep(0.5)
            self.measure(seconds, chance, state)
            if flood.poll() is not None:
                raise Wrong(f"the flood ended by itself with {flood.returncode}")
        finally:
            flood.terminate()
            words, _ = flood.communicate(timeout=20)
        state.doings = int(words)

    # The agent as a process.

    def used(self):
        """Seconds of a processor."""
        with open(f"/proc/{self.agent.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def resident(self):
        with open(f"/proc/{self.agent.pid}/status", encoding="ascii") as file:
            return int(re.search(r"VmRSS:\s*(\d+)", file.read())[1]) / 1024

    def lines(self):
        with open(self.log, "rb") as file:
            return file.read().count(b"\n")


def processor(which):
    """The number of one of two processors; -1 where there is one only."""
    return PROCESSORS[which] if len(PROCESSORS) > 1 else -1


def pin(pid, which):
    if processor(which) >= 0:
        os.sched_setaffinity(pid, [processor(which)])


def play(ringfence, seconds, chance, measures, words=()):
    """Every flood, and the quiet state before and after; each for so long."""
    with Hostile(ringfence, words) as stage:
        stage.prepare()
        quiet, states = State(), {}
        stage.probe.latencies(1, chance)
        stage.measure(seconds, chance, quiet)
        for kind in stage.floods():
            states[kind] = State()
            try:
                stage.under(kind, seconds, chance, states[kind])
            except Wrong as error:
                raise Wrong(f"flood of {kind}: {error}\n{stage.last_words()}") from error
            stage.wait_enforced()
            # The kernel goes on burying namespaces for a while.
            time.sleep(1)
            stage.measure(seconds / 2, chance, quiet)
        tell(quiet, states, measures, " with the host filter" if words else "")


def tell(quiet, states, measures, where):
    usual, rate = statistics.median(quiet.latencies), statistics.median(quiet.rates)
    say(measures, f"quiet{where}: save to a packet's new fate, median", "ms", None, round(usual, 1), True)
    say(measures, f"quiet{where}: the same, worst of {len(quiet.latencies)}", "ms", None,
        round(max(quiet.latencies), 1), True)
    say(measures, f"quiet{where}: another's TCP connection", "Mbit/s", None, round(rate), True)
    for kind, state in states.items():
        name = f"flood of {kind}{where}"
        say(measures, f"{name}: so often", "times", None, state.doings, state.doings > 0)
        tell_latencies(state.latencies, usual, measures, name, kind == RULESETS, bool(where))
        usual_rate = states[ELSEWHERE].rates[0] if kind == "namespaces" else rate
        share = state.rates[0] / usual_rate
        where_else = "of elsewhere" if kind == "namespaces" else "of quiet"
        say(measures, f"{name}: another's TCP connection", where_else,
            None if kind == ELSEWHERE else THROUGHPUT, round(share, 2),
            kind == ELSEWHERE or share >= THROUGHPUT)
        say(measures, f"{name}: the agent's share of a processor", "", AGENT, round(state.agent, 2),
            state.agent <= AGENT)
        say(measures, f"{name}: resident memory of the agent", "MiB", MEMORY, round(state.memory, 1),
            state.memory <= MEMORY)
        say(measures, f"{name}: lines in the agent's log", "a second", LOG, round(state.log, 1),
            state.log <= LOG)


def tell_latencies(latencies, usual, measures, name, is_held_up, has_host_filter):
    what, is_bound = "save to a packet's new fate", not is_held_up
    if is_held_up:
        opened, latencies = latencies[0::2], latencies[1::2]
        say(measures, f"{name}: save to the first packet that passes, median", "ms", None,
            round(statistics.median(opened), 1), True)
        what, is_bound = "save to the last packet that passes", has_host_filter
    median, worst = statistics.median(latencies), max(latencies)
    say(measures, f"{name}: {what}, median, {median:.1f} ms", "of quiet", LATENCY if is_bound else None,
        round(median / usual, 2), not is_bound or median / usual <= LATENCY or median <= ENOUGH)
    say(measures, f"{name}: the same, worst of {len(latencies)}", "ms", WORST if is_bound else None, round(worst, 1),
        not is_bound or worst <= WORST)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("ringfence")
    parser.add_argument("--seconds", type=float, default=10, help="of each state")
    parser.add_argument("--host-filter", action="store_true", help="with the host filter as well")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--results", default=os.path.join(ROOT, "results/hostile.json"))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    reserve_descriptors()
    measures = []
    chance = random.Random(options.seed)
    play(options.ringfence, options.seconds, chance, measures)
    if options.host_filter:
        play(options.ringfence, options.seconds, chance, measures, ["--host-filter", "on"])
    os.makedirs(os.path.dirname(options.results), exist_ok=True)
    with open(options.results, "w", encoding="utf-8") as file:
        json.dump(measures, file, indent=2)
        file.write("\n")
    sys.exit(0 if all(one["pass"] for one in measures) else 1)


if __name__ == "__main__":
    if os.geteuid() != 0:
        sys.exit("namespaces are made here: run it as root")
    main()
