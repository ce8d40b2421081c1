"""Clocks that jump by hours while packets never pause: the agent's own, and nobody else's.

The agent takes its time from `clock.c`, which is loaded before its C library.
"""

import datetime
import itertools
import mmap
import os
import shutil
import signal
import socket
import struct
import subprocess
import time

from packets import Packets
from stage import RING, ROOT, SOURCE, TARGET, Wrong, address
from places import socket_in

HOUR = 3600
WALL, BOOT = 0, 1
# What a change may take while a clock jumps, in seconds.
PATIENCE = 2


class Clock:
    """What one process takes for the time."""

    def __init__(self, place):
        self.library = os.path.join(place, "clock.so")
        self.path = os.path.join(place, "clock")
        compiler = next((found for found in map(shutil.which, ("cc", "gcc", "clang")) if found), None)
        if not compiler:
            raise Wrong("there is no C compiler for the library that shifts a clock")
        subprocess.run([compiler, "-std=gnu11", "-O2", "-shared", "-fPIC", "-o", self.library,
                        os.path.join(ROOT, "soak/clock.c"), "-ldl"], check=True)
        with open(self.path, "wb") as file:
            file.write(bytes(mmap.PAGESIZE))
        with open(self.path, "r+b") as file:
            self.ahead = mmap.mmap(file.fileno(), mmap.PAGESIZE)

    def lend(self):
        """Runs in the child, before it becomes the program."""
        os.environ["LD_PRELOAD"] = self.library
        os.environ["RINGFENCE_CLOCK"] = self.path

    def jump(self, seconds, which=WALL):
        struct.pack_into("=q", self.ahead, 8 * which, self.offset(which) + int(seconds))

    def offset(self, which=WALL):
        return struct.unpack_from("=q", self.ahead, 8 * which)[0]

    def now(self):
        return time.time() + self.offset()

    def until(self, minute):
        """How far it is to that minute of an hour, ahead or back."""
        return minute * 60 - self.now() % HOUR


def jumps(clock):
    """What is done to the clocks, one after the other."""
    return [("five hours ahead", lambda: clock.jump(5 * HOUR)),
            ("eleven hours back", lambda: clock.jump(-11 * HOUR)),
            ("to a quarter to", lambda: clock.jump(clock.until(45))),
            ("half an hour back, within the same hour", lambda: clock.jump(-HOUR / 2)),
            ("two days ahead", lambda: clock.jump(48 * HOUR)),
            ("as it was", lambda: clock.jump(-clock.offset())),
            ("asleep for seven hours", lambda: [clock.jump(7 * HOUR, which) for which in (WALL, BOOT)])]


class Watched:
    """What the agent counts and tells, against what was sent and when."""

    def __init__(self, stage, clock):
        self.stage, self.clock = stage, clock
        self.ports = itertools.cycle(range(10_000, 32_000))
        self.sent = dict.fromkeys((RING, SOURCE, TARGET), 0)
        self.extra = 0
        self.before = self.counted()
        self.packets = Packets(stage)

    def close(self):
        self.packets.close()

    def check(self, what):
        """After a jump: a change is followed, a refused flow is told of with the time that it is, nothing went astray."""
        time.sleep(0.5)
        begun = time.monotonic()
        self.stage.is_followed()
        if time.monotonic() - begun > PATIENCE:
            raise Wrong(f"{what}: a change took {time.monotonic() - begun:.1f} s")
        self.refuse(what)
        passed, lost, sent = self.packets.tally()
        for port, number in sent.items():
            self.sent[port] += number
        if passed or lost:
            raise Wrong(f"{what}: {passed} forbidden packets passed, {lost} allowed ones were lost")
        for one in self.stage.report("/v1/violations")["violations"]:
            if one["last"] < one["first"]:
                raise Wrong(f"{what}: a flow was refused from {one['first']} until {one['last']}")

    def refuse(self, what):
        """A flow of its own that the called end refuses."""
        names = self.stage.names
        port, since = next(self.ports), self.clock.now() - 1
        with socket_in(self.stage.path(names[0]), socket.AF_INET, socket.SOCK_DGRAM, 0,
                       (address(names[0], socket.AF_INET), port)) as one:
            one.sendto(b"refused", (address(names[1], socket.AF_INET), TARGET))
        self.extra += 1
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for one in self.stage.report(f"/v1/violations?since={moment(since)}")["violations"]:
                if one.get("ports", {}).get("source") == port:
                    if abs(seconds(one["first"]) - since) > 1 + PATIENCE:
                        raise Wrong(f"{what}: refused at {moment(since)}, told of {one['first']}")
                    return
            time.sleep(0.02)
        raise Wrong(f"{what}: a flow that is refused now is not told of since {moment(since)}")

    def counted(self):
        """Packets that the agent has counted: allowed ones, and those that either end refused."""
        report = self.stage.report("/v1/counters")
        allowed = sum(one["counts"]["packets"] for one in report["rules"] if one["policy"] == "ring-red")
        refused = {"egress": 0, "ingress": 0}
        for one in report["refused"]:
            refused[one["direction"]] += one["counts"]["packets"]
        return [allowed, refused["egress"], refused["ingress"]]

    def compare(self):
        """What was sent and what was counted, when nothing is under way any more."""
        self.packets.close()
        for port, number in self.packets.tally()[2].items():
            self.sent[port] += number
        more = [after - before for before, after in zip(self.before, self.counted())]
        wanted = [self.sent[RING], self.sent[SOURCE], self.sent[TARGET] + self.extra]
        if more != wanted:
            raise Wrong(f"allowed and refused by either end: {wanted} were sent, {more} counted")
        return wanted


def moment(seconds_since_1970):
    then = datetime.datetime.fromtimestamp(seconds_since_1970, datetime.timezone.utc)
    return then.strftime("%Y-%m-%dT%H:%M:%S.") + f"{then.microsecond // 1000:03}Z"


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def jumping(stage):
    """Clocks that jump by hours, ahead and back, and a restart on a clock that is behind."""
    stage.stop()
    clock = Clock(stage.place)
    stage.start(before=clock.lend)
    stage.wait_ready()
    stage.wait("all enforced", stage.is_well)
    started = seconds(stage.report("/v1/status")["agent"]["started"])
    watched = Watched(stage, clock)
    try:
        watched.check("as it is")
        for what, jump in jumps(clock):
            jump()
            watched.check(what)
        clock.jump(-3 * HOUR)
        stage.kill(signal.SIGKILL)
        stage.start(before=clock.lend)
        stage.wait_ready()
        stage.wait("all enforced", stage.is_well)
        if seconds(stage.report("/v1/status")["agent"]["started"]) > started + 4.5 * HOUR:
            raise Wrong("the agent's clock was not shifted")
        watched.check("killed, and started three hours earlier")
        allowed, *refused = watched.compare()
        return f"{allowed} packets allowed, {sum(refused)} refused, all of them counted"
    finally:
        watched.close()
        stage.fresh()
