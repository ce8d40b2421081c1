"""Kills at random points, under traffic that does not pause."""

import random
import signal
import time

from stage import TENANTS
from traffic import Traffic, counted


class Tally:
    def __init__(self):
        self.kills = {"killed": 0, "killed within a change": 0, "ended by SIGTERM": 0,
                      "killed, and another build started": 0}
        self.passed = self.lost = self.wrong = self.comparisons = self.unrecorded = 0
        self.missing = 0
        self.allowed = self.forbidden = 0
        self.complaints = []

    def total(self):
        return sum(self.kills.values())


class Restarts:
    def __init__(self, stage, other, seed, rate):
        self.stage = stage
        self.builds = [stage.ringfence, other or stage.ringfence]
        self.chance = random.Random(seed)
        self.rate = rate
        self.starts = []

    def play(self, kills, deadline, every=50, with_manager=True):
        """So many kills, half of them where a service manager keeps the sockets; gives a tally of
        each half."""
        tallies = {}
        for kept in ([True, False] if with_manager else [False]):
            if kept:
                self.stage.employ_manager()
            self.stage.write_churn(TENANTS)
            self.stage.start()
            self.stage.wait_ready()
            self.wait_enforced()
            traffic = Traffic(self.stage, self.rate)
            tally = tallies[kept] = Tally()
            try:
                baseline = counted(self.stage.report("/v1/counters"))
                traffic.begin()
                self.half(kills // (2 if with_manager else 1), deadline, every, traffic, tally,
                          baseline)
            finally:
                traffic.stop()
            self.stage.stop()
            self.stage.dismiss_manager()
        return tallies

    def wait_enforced(self):
        limit = time.monotonic() + 30
        while time.monotonic() < limit:
            states = [one["state"] for one in self.stage.report("/v1/status")["endpoints"]]
            if len(states) == 20 and set(states) == {"enforced"}:
                return
            time.sleep(0.02)
        raise RuntimeError("the endpoints are not enforced: " + self.stage.last_words())

    def half(self, kills, deadline, every, traffic, tally, baseline):
        while tally.total() < kills and time.monotonic() < deadline:
            for _ in range(min(every, kills - tally.total())):
                self.once(tally)
                if time.monotonic() > deadline:
                    break
            self.compare(traffic, tally, baseline)
            traffic.go_on()
        traffic.rest()
        tally.passed, tally.lost = traffic.passed(), traffic.lost()
        tally.allowed, tally.forbidden = traffic.sent(True), traffic.sent(False)

    def once(self, tally):
        """Ends the agent at some point of its life, and starts the next."""
        stage, chance = self.stage, self.chance
        if chance.random() < 0.7:
            stage.wait_ready()
        else:
            time.sleep(chance.uniform(0, 0.25))
        kind = chance.choices(list(tally.kills), [35, 35, 15, 15])[0]
        if kind == "killed within a change":
            stage.wait_ready()
            stage.change(chance)
            time.sleep(chance.uniform(0, 0.03))
        else:
            if chance.random() < 0.3:
                stage.change(chance)
            time.sleep(chance.uniform(0, 0.3))
        stage.kill(signal.SIGTERM if kind == "ended by SIGTERM" else signal.SIGKILL)
        if chance.random() < 0.2:
            # A change that nobody sees happen.
            stage.change(chance)
            time.sleep(chance.uniform(0, 0.1))
        if kind == "killed, and another build started":
            self.builds.reverse()
        begun = time.monotonic()
        stage.start(self.builds[0])
        self.starts.append(begun)
        tally.kills[kind] += 1

    def compare(self, traffic, tally, baseline):
        """What was sent and what was counted, while nothing is under way."""
        stage = self.stage
        stage.wait_ready()
        generation = stage.report("/v1/status")["agent"]["generation"]
        if stage.churn != set(TENANTS):
            stage.write_churn(TENANTS)
            limit = time.monotonic() + 10
            while stage.report("/v1/status")["agent"]["generation"] == generation:
                if time.monotonic() > limit:
                    break
                time.sleep(0.01)
        traffic.rest()
        report = stage.report("/v1/counters")
        found, wanted = counted(report), traffic.expected()
        tally.unrecorded += report["notRecorded"]["packets"]
        for key, (packets, size) in sorted(wanted.items()):
            before = baseline.get(key, (0, 0))
            seen = found.get(key, (0, 0))
            more = (seen[0] - before[0], seen[1] - before[1])
            tally.comparisons += 1
            if more != (packets, size):
                tally.wrong += 1
                tally.missing += abs(packets - more[0])
                tally.complaints.append(
                    f"port {key[0]} of {key[1]}: sent {packets} packets, counted {more[0]}")
                # What is wrong once is not wrong again at the next comparison.
                baseline[key] = (seen[0] - packets, seen[1] - size)
