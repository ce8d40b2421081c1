"""Sends what is nearly a request to a running agent, over its Unix socket and its loopback port.

Usage: fuzz_api.py RINGFENCE [--seconds N] [--seed N]

Requests of the corpus are changed, cut, joined, sent in pieces, and left half sent; some connections are never
finished. All the time the agent has to answer others at once, to keep its endpoints enforced, and to take no more
memory and descriptors than it gives back. Needs root; prints a table and writes results/fuzz-api.json.
"""

import argparse
import json
import os
import random
import socket
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.append(os.path.join(ROOT, "soak"))

from environment import Environment  # noqa: E402
from stage import Wrong  # noqa: E402
from tell import say  # noqa: E402

CORPUS = os.path.join(ROOT, "Tests/FuzzTests/Corpus/http")
ODD = [b"\0", b"\r", b"\n", b"\r\n", b"\r\n\r\n", b" ", b"%", b"%00", b"%zz", b"\xff\xfe", b"{", b"[" * 3000, b"\"",
       b"-1", b"18446744073709551616", b"1e400", b"A" * 9000, b"X: " + b"y" * 70000 + b"\r\n",
       b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"ffffffffffffffff\r\n", b"?limit=1&limit=2", b"/../"]
HELD = 200
QUICK = 2.0
MEMORY = 64


class Fuzzed(Environment):
    """An agent that listens on a port as well."""

    def __init__(self, ringfence, port):
        super().__init__(ringfence)
        self.port = port

    def command(self, ringfence=None):
        return super().command(ringfence) + ["--listen", f"127.0.0.1:{self.port}"]

    def connect(self, over_tcp):
        one = socket.socket(socket.AF_INET if over_tcp else socket.AF_UNIX)
        one.settimeout(QUICK)
        one.connect(("127.0.0.1", self.port) if over_tcp else self.api)
        return one

    def resident(self):
        with open(f"/proc/{self.agent.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1024

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.agent.pid}/fd"))


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def changed(seeds, chance):
    """Bytes that are nearly a request."""
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.randint(0, 5)):
        place = chance.randint(0, len(data))
        end = place + chance.randint(1, 24)
        kind = chance.randrange(7)
        if kind == 0 and place < len(data):
            data[place] ^= 1 << chance.randrange(8)
        elif kind == 1:
            data[place:place] = chance.choice(ODD)
        elif kind == 2:
            del data[place:end]
        elif kind == 3:
            data[place:place] = data[place:end] * chance.randint(1, 40)
        elif kind == 4:
            del data[place:]
        elif kind == 5:
            data += chance.choice(seeds)
        else:
            data[place:end] = bytes(chance.randrange(256) for _ in range(8))
    return bytes(data[:1 << 20])


def attempt(stage, seeds, chance, held):
    """One connection; what is left open goes to those that are held."""
    try:
        one = stage.connect(chance.random() < 0.5)
    except OSError:
        # It may refuse more connections than it has room for, and has room again when some go.
        while len(held) > HELD // 2:
            held.pop(0).close()
        return
    keeps = False
    try:
        one.settimeout(0.2)
        data = changed(seeds, chance)
        pieces = chance.choice([1, 1, 1, 3])
        for index in range(pieces):
            one.sendall(data[len(data) * index // pieces:len(data) * (index + 1) // pieces])
        keeps = chance.random() < 0.2
        if not keeps and chance.random() < 0.8:
            one.settimeout(0.005)
            one.recv(1 << 16)
    except OSError:
        pass
    if keeps:
        held.append(one)
        if len(held) > HELD:
            held.pop(chance.randrange(len(held))).close()
    else:
        one.close()


def play(stage, options, measures):
    chance = random.Random(options.seed)
    seeds = []
    for name in sorted(os.listdir(CORPUS)):
        with open(os.path.join(CORPUS, name), "rb") as file:
            seeds.append(file.read())
    held, tries, slowest, wrong = [], 0, 0.0, ""
    for _ in range(200):
        attempt(stage, seeds, chance, held)
    memory, descriptors = stage.resident(), stage.descriptors() - len(held)
    deadline, due = time.monotonic() + options.seconds, 0.0
    while time.monotonic() < deadline:
        attempt(stage, seeds, chance, held)
        tries += 1
        if time.monotonic() > due:
            asked = time.monotonic()
            try:
                if not stage.is_well():
                    wrong = f"the endpoints are {stage.states()}"
            except (OSError, Wrong, ValueError) as error:
                wrong = f"no answer: {error!r}"
            slowest = max(slowest, time.monotonic() - asked)
            if wrong or stage.agent.poll() is not None:
                break
            due = time.monotonic() + 0.5
    for one in held:
        one.close()
    time.sleep(1)
    lives = stage.agent.poll() is None
    say(measures, f"connections, seed {options.seed}", "times", None, tries, tries > 0)
    say(measures, f"the agent lives and answers{': ' + wrong if wrong else ''}", "", True,
        lives and not wrong, lives and not wrong)
    if not lives:
        print(stage.last_words())
        return
    say(measures, "slowest answer to somebody else", "s", QUICK, round(slowest, 2), slowest < QUICK)
    grown = stage.resident() - memory
    say(measures, "resident memory more than at the beginning", "MiB", MEMORY, round(grown, 1), grown < MEMORY)
    left = stage.descriptors() - descriptors
    say(measures, "descriptors more than at the beginning", "descriptors", 16, left, left <= 16)
    stage.is_followed()
    say(measures, "a change of policy is followed", "", True, True, True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("ringfence")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--results", default=os.path.join(ROOT, "results/fuzz-api.json"))
    options = parser.parse_args()
    measures = []
    with Fuzzed(options.ringfence, free_port()) as stage:
        stage.fresh()
        play(stage, options, measures)
    os.makedirs(os.path.dirname(options.results), exist_ok=True)
    with open(options.results, "w", encoding="utf-8") as file:
        json.dump(measures, file, indent=2)
        file.write("\n")
    sys.exit(0 if all(one["pass"] for one in measures) else 1)


if __name__ == "__main__":
    if os.geteuid() != 0:
        sys.exit("namespaces are made here: run it as root")
    main()
