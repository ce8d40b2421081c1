"""Kills the agent again and again under traffic, bears endpoints while somebody lies in wait, and floods it.

Usage: soak.py RINGFENCE [--other RINGFENCE] [--kills N] [--births N] [--seconds N] [--no-faults] [--no-hostile]

Needs root; no network but the lab's is touched. Prints a table and writes results/soak.json. Exits with
1 if a forbidden packet passed, an allowed one was lost, a count is wrong, or a flood costs others too much.
"""

import argparse
import json
import os
import random
import statistics
import sys
import time

from manager import reserve_descriptors
from stage import ROOT, Stage
from tell import say
from births import Births
import environment
import faults
import hostile
from restarts import Restarts

HALVES = {True: "the sockets are kept by a service manager", False: "nobody keeps the sockets"}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("ringfence")
    parser.add_argument("--other", help="another build, which some kills change to")
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--births", type=int, default=1000)
    parser.add_argument("--faults", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--hostile", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--rate", type=int, default=40, help="packets a second of each stream")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--results", default=os.path.join(ROOT, "results/soak.json"))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    reserve_descriptors()
    measures = []
    begun = time.monotonic()
    if options.faults:
        share = options.seconds * 0.2
        with faults.Faults(options.ringfence) as stage:
            faults.run(stage, ["netlink", "others"],
                       argparse.Namespace(seed=options.seed, seconds=share, only=None), measures)
        environment.play(options.ringfence, measures)
    with Stage(options.ringfence) as stage:
        if options.kills:
            restarts = Restarts(stage, options.other, options.seed, options.rate)
            share = 0.68 if options.births else 0.95
            tallies = restarts.play(
                options.kills, begun + options.seconds * share, every=min(50, options.kills // 4))
            tell_restarts(tallies, options, measures)
        if options.births:
            births = Births(stage)
            stage.start()
            stage.wait_ready()
            births.play(options.births, begun + options.seconds * 0.85)
            tell_births(births, options, measures)
    if options.hostile:
        hostile.play(options.ringfence, 5, random.Random(options.seed), measures)
    say(measures, "time", "s", None, round(time.monotonic() - begun, 1), True)
    os.makedirs(os.path.dirname(options.results), exist_ok=True)
    with open(options.results, "w", encoding="utf-8") as file:
        json.dump(measures, file, indent=2)
        file.write("\n")
    sys.exit(0 if all(one["pass"] for one in measures) else 1)


def tell_restarts(tallies, options, measures):
    total = sum(tally.total() for tally in tallies.values())
    say(measures, "times the agent was ended", "times", options.kills, total,
        total >= options.kills)
    for kind in tallies[True].kills:
        say(measures, f"  {kind}", "times", None,
            sum(tally.kills[kind] for tally in tallies.values()), True)
    for kept, tally in tallies.items():
        print(f"  {HALVES[kept]}: {tally.total()} times")
        where = f", {HALVES[kept]}"
        say(measures, f"allowed packets sent{where}", "packets", None, tally.allowed,
            tally.allowed > 0)
        say(measures, f"allowed packets lost{where}", "packets", 0, tally.lost, tally.lost == 0)
        say(measures, f"forbidden packets sent{where}", "packets", None, tally.forbidden,
            tally.forbidden > 0)
        say(measures, f"forbidden packets passed{where}", "packets", 0, tally.passed,
            tally.passed == 0)
        say(measures, f"counts compared{where}", "counts", None, tally.comparisons,
            tally.comparisons > 0)
        say(measures, f"counts wrong{where}", "counts", 0, tally.wrong, tally.wrong == 0)
        say(measures, f"refused packets not recorded{where}", "packets", 0, tally.unrecorded,
            tally.unrecorded == 0)
        for complaint in tally.complaints[:20]:
            print(f"    {complaint}")


def tell_births(births, options, measures):
    say(measures, "endpoints born", "endpoints", options.births, births.born,
        births.born >= options.births)
    say(measures, "packets into an endpoint before enforcement", "packets", 0, births.intruded,
        births.intruded == 0)
    say(measures, "packets out of an endpoint before enforcement", "packets", 0, births.escaped,
        births.escaped == 0)
    say(measures, "allowed packets of newcomers that arrived", "packets", births.born,
        births.allowed, births.allowed == births.born)
    if births.enforced_in:
        say(measures, "from announced to enforced with link and address, median", "ms", None,
            round(statistics.median(births.enforced_in) * 1000, 1), True)


if __name__ == "__main__":
    if os.geteuid() != 0:
        sys.exit("namespaces are made here: run it as root")
    main()
