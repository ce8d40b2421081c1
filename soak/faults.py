"""Refuses the agent's system calls one after the other, and ends it at each of them.

Usage: faults.py RINGFENCE [--seconds N] [--seed N] [--calls netlink|others|all] [--environment]

At each call that a start, a takeover, a change and a question make, in turn: the kernel says no with each of some
errors, or the agent is killed there. Afterwards the agent has to be in the right state by itself, under packets
that never pause: of the forbidden none may pass, of the allowed none may be lost. Where there is less time than
calls, they are drawn by lot. Needs root and `nft`; prints a table and writes results/faults.json.
"""

import argparse
import collections
import errno
import itertools
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

from manager import reserve_descriptors
from packets import Packets
from refusing import NUMBERS, Refusing, once
from stage import ROOT, TARGET, TENANTS, Stage, Wrong, address
from tell import say
import environment
from places import socket_in

NETLINK = ["sendto", "recvfrom"]
# What the service manager and the sockets of the API need: an agent that nobody can ask can't be judged.
OTHERS = [name for name in NUMBERS if name not in NETLINK + ["sendmsg"]]
KILL = -1
ERRORS = {"netlink": [errno.EPERM, errno.EEXIST, errno.ENOSPC, errno.EBUSY, errno.ENOBUFS, errno.ENOMEM,
                      errno.EINTR, KILL],
          "others": [errno.EPERM, errno.ENOSPC, errno.EMFILE, errno.ENOMEM, errno.EIO, errno.EINTR, KILL]}
PATIENCE = 15


def name_of(code):
    return "SIGKILL" if code == KILL else errno.errorcode[code]


class Faults(Stage):
    names = ["red-1", "blue-1"]

    def __init__(self, ringfence):
        super().__init__(ringfence)
        self.packets = self.refusing = None
        self.golden = {}
        self.watched = NETLINK
        # Below those that the kernel gives away: a flow that was told of before is no news.
        self.ports = itertools.cycle(range(10_000, 32_000))

    def raise_lab(self):
        super().raise_lab()
        self.packets = Packets(self)

    def __exit__(self, *arguments):
        if self.packets:
            self.packets.close()
        super().__exit__(*arguments)

    # The agent.

    def begin(self, plan=None):
        """Starts an agent whose calls can be refused, from its first one on if there is a plan."""
        # A crash is one of the outcomes; a picture of all threads takes longer than the restart.
        os.environ["SWIFT_BACKTRACE"] = "enable=no"
        self.refusing = Refusing(self.watched)
        if plan:
            self.refusing.arm(plan)
        self.start(before=self.refusing.enclose)

    def end(self):
        if self.agent and self.agent.poll() is None:
            self.kill(signal.SIGKILL)
        if self.refusing:
            self.refusing.join()

    def plan(self, number, code):
        if code != KILL:
            return once(number, code)

        def kill(_, count):
            if count != number:
                return 0
            os.kill(self.refusing.pid, signal.SIGKILL)
            return errno.EPERM

        return kill

    def is_right(self):
        """Whether the agent says that all is enforced."""
        try:
            status = self.report("/v1/status")
        except (OSError, Wrong, ValueError) as error:
            self.readiness = repr(error)
            return False
        states = [one["state"] for one in status["endpoints"]]
        self.readiness = f"the endpoints are {states}"
        return (status["agent"]["generation"] > 0 and len(states) == len(self.names)
                and set(states) == {"enforced"})

    def settle(self):
        """Waits until all is right; False where the agent has ended instead."""
        begun = time.monotonic()
        while not self.is_right():
            if self.agent.poll() is not None:
                return False
            if time.monotonic() > begun + PATIENCE:
                raise Wrong(f"not right after {PATIENCE} s: {self.readiness}")
            time.sleep(0.004)
        return True

    # The kernel.

    def listing(self, name):
        """What the table of an endpoint holds, without what packets change and without an order."""
        done = subprocess.run(
            ["nsenter", f"--net={self.path(name)}", "nft", "-s", "list", "table", "inet", "ringfence"],
            capture_output=True, text=True, check=False, timeout=20)
        if done.returncode:
            raise Wrong(f"{name} has no table: {done.stderr.strip()}")
        text = re.sub(r"\n\tset (refused|revoked|spoofed|invalid|forwarded|rejudged)\w* \{.*?\n\t\}", "",
                      done.stdout, flags=re.S)
        return sorted(part.strip(" \t{}=") for part in re.split(r"[,\n]|elements =", text)
                      if "progname" not in part)

    def remove_tables(self):
        for name in self.names:
            subprocess.run(["nsenter", f"--net={self.path(name)}", "nft", "delete", "table", "inet",
                            "ringfence"], check=False, capture_output=True, timeout=20)

    def check_kernel(self):
        """The kernel holds what it holds where no call was refused."""
        key = tuple(sorted(self.churn))
        found = [self.listing(name) for name in self.names]
        wanted = self.golden.setdefault(key, found)
        if found != wanted:
            more = [line for one, two in zip(found, wanted) for line in one if line not in two]
            less = [line for one, two in zip(found, wanted) for line in two if line not in one]
            raise Wrong(f"the kernel has {more[:4]} too much and lacks {less[:4]}")

    def told(self):
        """How many flows that the called end refused are told of."""
        return sum(item.get("flows", 1) for item in self.report("/v1/violations")["violations"]
                   if item["direction"] == "ingress")

    def check_reports(self):
        """A flow that is refused now is told of."""
        before = self.told()
        with socket_in(self.path(self.names[0]), socket.AF_INET, socket.SOCK_DGRAM, 0,
                       (address(self.names[0], socket.AF_INET), next(self.ports))) as one:
            deadline = time.monotonic() + 5
            while time.monotonic() < deadline:
                one.sendto(b"new", (self.packets.target, TARGET))
                if self.told() > before:
                    return
                time.sleep(0.01)
        raise Wrong("a refused flow is not told of")

    def words(self, size):
        """What the log has got since it was so long."""
        with open(self.log, "rb") as log:
            log.seek(size)
            return log.read().decode(errors="replace").strip()


class Tally:
    def __init__(self):
        self.outcomes = collections.Counter()
        self.slowest = 0.0
        self.passed = self.lost = 0


class Scenario:
    """Something that an agent does, at each of whose calls something goes wrong."""

    def __init__(self, name, stage):
        self.name, self.stage = name, stage

    def prepare(self):
        """Before an agent is there."""

    def run(self, plan):
        """Does it; True if the agent still runs."""
        self.stage.begin(plan)
        return self.stage.settle()

    def length(self):
        """How many calls it makes when nothing goes wrong."""
        self.prepare()
        self.run(lambda name, count: 0)
        time.sleep(0.05)
        count = self.stage.refusing.count
        self.finish()
        self.stage.check_kernel()
        return count

    def finish(self):
        self.stage.refusing.disarm()

    def one(self, number, code, tally):
        """One call goes wrong."""
        stage = self.stage
        self.prepare()
        stage.packets.count()
        size = os.path.getsize(stage.log)
        begun = time.monotonic()
        lives = self.run(stage.plan(number, code))
        refused = stage.refusing.disarm()
        if lives and code == KILL and refused:
            # It had just said that all is right.
            stage.agent.wait(timeout=PATIENCE)
            lives = False
        said = os.path.getsize(stage.log) > size
        crashed = not lives and code != KILL and stage.agent.returncode < 0
        if not lives:
            # As Restart=always does.
            stage.end()
            # A signal is a word of its own: the service manager tells of it.
            if stage.agent.returncode >= 0 and not said:
                raise Wrong(f"the agent ended with {stage.agent.returncode}, without a word")
            stage.begin()
            if not stage.settle():
                raise Wrong("the agent ended again")
        lasted = time.monotonic() - begun
        tally.slowest = max(tally.slowest, lasted)
        if lives and not refused:
            outcome = "not met"
        elif not lives:
            outcome = ("ended" if code == KILL else "crashed, right after a restart" if crashed
                       else "ended, said why, right after a restart")
        else:
            outcome = "said so, went on" if said else "went on"
        tally.outcomes[outcome] += 1
        if lasted > 3:
            print(f"    {self.name}: {name_of(code)} at call {number} {refused}: took {lasted:.1f} s, {outcome}\n"
                  f"      {stage.words(size)}", flush=True)
        self.judge(tally)

    def judge(self, tally):
        stage = self.stage
        stage.check_kernel()
        passed, lost = stage.packets.count()
        tally.passed += passed
        tally.lost += lost
        if passed or lost:
            raise Wrong(f"{passed} forbidden packets passed, {lost} allowed ones were lost")
        stage.check_reports()


class Start(Scenario):
    """Namespaces without a table: what passes until there is one says nothing."""

    def prepare(self):
        self.stage.end()
        self.stage.remove_tables()
        shutil.rmtree(self.stage.state, ignore_errors=True)

    def judge(self, tally):
        self.stage.packets.count()
        super().judge(tally)


class Takeover(Scenario):
    def prepare(self):
        self.stage.end()


class Change(Scenario):
    """The same agent, one change after the other."""

    def prepare(self):
        stage = self.stage
        if stage.agent is None or stage.agent.poll() is not None or stage.refusing is None:
            stage.begin()
            stage.settle()

    def run(self, plan):
        stage = self.stage
        before = stage.report("/v1/status")["agent"]["generation"]
        stage.refusing.arm(plan)
        stage.write_churn(TENANTS if len(stage.churn) < len(TENANTS) else TENANTS[1:])
        deadline = time.monotonic() + PATIENCE
        while stage.agent.poll() is None and time.monotonic() < deadline:
            try:
                if stage.report("/v1/status")["agent"]["generation"] > before:
                    break
            except (OSError, Wrong):
                pass
            time.sleep(0.004)
        return stage.settle()

    def judge(self, tally):
        super().judge(tally)


class Question(Change):
    """What is asked is answered in full, or not at all: counts never go backwards."""

    def counts(self):
        status, body = self.stage.ask("/v1/counters")
        if status != 200:
            return None
        report = json.loads(body)
        return {(one["policy"], one["rule"]): one["counts"]["packets"] for one in report["rules"]}

    def run(self, plan):
        before = self.counts()
        self.stage.refusing.arm(plan)
        try:
            after = self.counts()
        except OSError:
            return self.stage.settle()
        if after is not None:
            for key, packets in before.items():
                if after.get(key, 0) < packets:
                    raise Wrong(f"the count of {key} fell from {packets} to {after.get(key)}")
        return self.stage.settle()


def scenarios(stage):
    yield Start("start", stage)
    yield Takeover("takeover", stage)
    yield Change("change", stage)
    yield Question("question", stage)
    stage.end()
    stage.employ_manager()
    yield Takeover("takeover of kept sockets", stage)
    yield Change("change with kept sockets", stage)
    stage.end()
    stage.dismiss_manager()


def play(scenario, group, chance, deadline, measures):
    """Every call with every error, in an order by lot, as far as the time goes."""
    length = scenario.length()
    cases = [(number, code) for number in range(length) for code in ERRORS[group]]
    chance.shuffle(cases)
    tallies = collections.defaultdict(Tally)
    wrong = collections.Counter()
    for number, code in cases:
        if time.monotonic() > deadline:
            break
        size = os.path.getsize(scenario.stage.log)
        try:
            scenario.one(number, code, tallies[code])
        except (Wrong, OSError, subprocess.TimeoutExpired) as error:
            wrong[code] += 1
            refused = scenario.stage.refusing.disarm()
            print(f"    {scenario.name}: {name_of(code)} at call {number} {refused}: {error}\n"
                  f"      {scenario.stage.words(size)}", flush=True)
            # What was left wrong is no part of the next case.
            scenario.stage.end()
            scenario.stage.begin()
            scenario.stage.settle()
    say(measures, f"{scenario.name}: {group} calls", "calls", None, length, length > 0)
    for code in ERRORS[group]:
        tally = tallies[code]
        told = ", ".join(f"{count} {what}" for what, count in sorted(tally.outcomes.items()))
        say(measures, f"  {name_of(code)}: {told}; right after {tally.slowest:.1f} s at most; wrong",
            "times", 0, wrong[code], wrong[code] == 0)


def run(stage, groups, options, measures):
    chance, seconds = random.Random(options.seed), options.seconds
    begun = time.monotonic()
    # Starts are slow and changes are quick.
    shares = {"start": 0.3, "takeover": 0.25, "change": 0.1, "question": 0.05,
              "takeover of kept sockets": 0.2, "change with kept sockets": 0.1}
    for index, group in enumerate(groups):
        stage.watched = NETLINK if group == "netlink" else OTHERS
        due = begun + seconds * index / len(groups)
        for scenario in scenarios(stage):
            if options.only:
                due += 0 if scenario.name != options.only else seconds / len(groups)
            else:
                due += seconds * shares[scenario.name] / len(groups)
            if options.only not in (None, scenario.name):
                continue
            if scenario.name in ("start", "takeover of kept sockets"):
                stage.end()
                stage.agent = None
            play(scenario, group, chance, due, measures)
        stage.agent = None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("ringfence")
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--calls", choices=["netlink", "others", "all"], default="all")
    parser.add_argument("--environment", action="store_true",
                        help="what lies about in the environment as well")
    parser.add_argument("--only", help="one scenario")
    parser.add_argument("--results", default=os.path.join(ROOT, "results/faults.json"))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    reserve_descriptors()
    measures = []
    with Faults(options.ringfence) as stage:
        groups = ["netlink", "others"] if options.calls == "all" else [options.calls]
        run(stage, groups, options, measures)
    if options.environment:
        environment.play(options.ringfence, measures)
    os.makedirs(os.path.dirname(options.results), exist_ok=True)
    with open(options.results, "w", encoding="utf-8") as file:
        json.dump(measures, file, indent=2)
        file.write("\n")
    sys.exit(0 if all(one["pass"] for one in measures) else 1)


if __name__ == "__main__":
    if os.geteuid() != 0:
        sys.exit("namespaces are made here: run it as root")
    main()
