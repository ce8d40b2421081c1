"""Attacks tenants from inside another tenant's namespace, as its root, and judges what comes of it.

Usage: attack.py RINGFENCE [--mode off|only|on] [--fabric bridged|routed] [--only TEXT]
                 [--results FILE] [--verbose]

Each attack is played in a lab, once for each setting of the agent's --host-filter and for each
fabric. What was sent is looked for where it must not be: at other tenants' interfaces and programs.
With --host-filter off the rules inside the namespaces stand alone: what they can't stop is shown
and fails nothing. With the host filter not one packet may arrive, and each attack has to be
reported with its reason. What is allowed has to work beside each attack, in every mode.

Needs root, nft, ip, hping3, arping, conntrack and scapy. Exits with 1 if anything is not as it
should be; a mode that the agent doesn't have is only told.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time

import own_tables, own_packets, link_layer, detours  # noqa: E401,F401
import called_back, neighbours, offloads  # noqa: E401,F401
from assault import ATTACKS, Assault
from stage import ROOT, Stage, Wrong

MODES = {
    "off": "the tables in the namespaces alone",
    "only": "the host filter alone",
    "on": "both",
}
FABRICS = ("bridged", "routed")


def play(ringfence, mode, fabric, knows_modes, chosen, verbose, outcomes):
    """Every attack in one lab; what came of each is added to the outcomes."""
    with Stage(ringfence, fabric, mode, knows_modes) as stage:
        for one in chosen:
            if fabric not in one.fabrics:
                continue
            began = time.monotonic()
            outcome = Assault(stage, one).run()
            outcomes.append(outcome)
            tell(outcome, time.monotonic() - began, verbose)
        overlooked = stage.witness.overlooked()
        for said in sorted(set(stage.unanswered)):
            print(f"   note: {stage.unanswered.count(said)} questions to the agent had to be asked "
                  f"again: {said}")
        if overlooked:
            raise Wrong(f"the witnesses had no room for {overlooked} frames: nothing is proven")


def tell(outcome, took, verbose):
    """One attack: what it tried, what was sent, what arrived, what was reported."""
    reasons = ", ".join(f"{layer} {reason}" for _, layer, reason in outcome.found)
    if reasons:
        reasons = f"{outcome.reported_packets} reported: {reasons}"
    print(f"   {outcome.name:22}{outcome.sent:5} sent {len(outcome.arrivals.left):5} left "
          f"{outcome.at_interface:4} at interfaces {outcome.at_application:3} at programs  "
          f"{'stopped    ' if outcome.is_stopped else 'NOT STOPPED'}  "
          f"{reasons or 'not reported'}"
          f"{'' if outcome.is_good else '   <-- WRONG'}", flush=True)
    if verbose or not outcome.is_good:
        print(f"      {outcome.play.__doc__.strip()} ({took:.2f} s)")
        for note in outcome.notes:
            print(f"      | {note}")
        if outcome.arrivals.places:
            print("      | seen at " + ", ".join(
                f"{name} {count}" for name, count in outcome.arrivals.places.items()))
    if verbose:
        for flow, packets in outcome.flows.items():
            print(f"      > {packets} {' '.join(str(one) for one in flow)}")
    for effect in outcome.effects:
        print(f"      ! {effect}")
    for claim, holds in outcome.controls:
        if verbose or not holds:
            print(f"      {'control' if holds else 'CONTROL FAILED'}: {claim}")


def table(results):
    """What was tried, stopped and reported: a line for each attack, a column for each mode."""
    print(f"\n   {'attack':22}" + "".join(f"{mode + ' ' + fabric:>27}" for mode, fabric in results))
    names = [one.title for one in ATTACKS]
    for name in names:
        cells = []
        for outcomes in results.values():
            found = [one for one in outcomes if one.name == name]
            cells.append(cell(found[0]) if found else ".")
        if any(one != "." for one in cells):
            print(f"   {name:22}" + "".join(f"{one:>27}" for one in cells))
    for title, count in (
            ("tried", len),
            ("stopped", lambda outcomes: sum(one.is_stopped for one in outcomes)),
            ("reported", lambda outcomes: sum(one.is_reported for one in outcomes)),
            ("controls that work", lambda outcomes: sum(one.works for one in outcomes))):
        print(f"   {title:22}" + "".join(f"{count(one):>27}" for one in results.values()))


def cell(outcome):
    reasons = [reason for right, _, reason in outcome.found if right]
    return ("stopped" if outcome.is_stopped else "NOT STOPPED") + (
        f", {reasons[0]}" if reasons else ", -")


def measures(results):
    """The list of measures, as the demo writes it."""
    listed = []
    for (mode, fabric), outcomes in results.items():
        place = f"host filter {mode}, {fabric}"
        must = mode != "off"
        tried = len(outcomes)
        for title, count in (("stopped", sum(one.is_stopped for one in outcomes)),
                             ("reported", sum(one.is_reported for one in outcomes))):
            listed.append(measure(f"attacks {title}, {place}", "attacks",
                                  tried if must else f"shown, of {tried}", count,
                                  not must or count == tried))
        working = sum(one.works for one in outcomes)
        listed.append(measure(f"controls that work, {place}", "attacks", len(outcomes), working,
                              working == len(outcomes)))
        for one in outcomes:
            reached = one.at_interface if must else one.at_application
            reached += len(one.effects)
            listed.append(measure(
                f"{one.name}, {place}: arrived at {'interfaces' if must else 'programs'}",
                "packets and effects", 0 if must else "shown", reached, one.is_good)
                | {"stopped": one.is_stopped, "sent": one.sent,
                   "reported packets": one.reported_packets,
                   "reported": [f"{layer} {reason}" for _, layer, reason in one.found]})
    return listed


def measure(name, unit, target, measured, holds):
    return {"measure": name, "unit": unit, "target": target, "measured": measured, "pass": holds}


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ringfence")
    parser.add_argument("--mode", choices=MODES, action="append")
    parser.add_argument("--fabric", choices=FABRICS, action="append")
    parser.add_argument("--only", default="", help="attacks whose name contains this")
    parser.add_argument("--results", default=os.path.join(ROOT, "results/attack.json"))
    parser.add_argument("--verbose", action="store_true")
    return parser.parse_args()


def main():
    given = arguments()
    if os.geteuid() != 0:
        sys.exit("the attacks make namespaces: run them as root")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    ringfence = os.path.abspath(given.ringfence)
    known = subprocess.run(
        [ringfence, "agent", "--help"], capture_output=True, text=True, check=False)
    knows_modes = "--host-filter" in known.stdout
    chosen = [one for one in ATTACKS if given.only in one.title]
    results, listed, began = {}, [], time.monotonic()
    for mode in [one for one in MODES if one in (given.mode or MODES)]:
        if mode != "off" and not knows_modes:
            print(f"\n{mode}: not available, the agent has no --host-filter")
            listed.append(measure(
                f"host filter {mode}", "", "available", "not available", False))
            continue
        for fabric in given.fabric or FABRICS:
            print(f"\n{mode}: {MODES[mode]}; {fabric}", flush=True)
            try:
                play(ringfence, mode, fabric, knows_modes, chosen, given.verbose,
                     results.setdefault((mode, fabric), []))
            except Wrong as wrong:
                print(f"   not as it should be: {wrong}", flush=True)
                listed.append(measure(
                    f"host filter {mode}, {fabric}: " + str(wrong).split("\n", 1)[0], "", "holds",
                    "does not", False))
    table(results)
    listed = measures(results) + listed
    os.makedirs(os.path.dirname(os.path.abspath(given.results)), exist_ok=True)
    with open(given.results, "w", encoding="utf-8") as file:
        json.dump(listed, file, indent=2)
        file.write("\n")
    wrong = [one["measure"] for one in listed
             if not one["pass"] and one["measured"] != "not available"]
    print(f"\n   {len(listed)} measures in {os.path.relpath(given.results)}, "
          f"{time.monotonic() - began:.0f} s"
          + ("" if wrong else ": everything is as it should be"))
    for one in wrong:
        print(f"   not as it should be: {one}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
