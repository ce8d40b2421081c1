"""Changes to tables and to the host filter behind the agent's back, and foreign rulesets, until enough are judged.

Usage: mutate.py [MUTATIONS [PACKETS]]

So many mutations are made of each of both. The audit has to find each change that gives a packet another fate, name a packet that shows it, and stay quiet
about the others; and its idea of nftables has to say of packets on random foreign rulesets what the kernel says.
Prints a table and writes results/mutate.json. Needs root, and a debug build with its tests.
"""

import json
import os
import re
import subprocess
import sys
import time

SEEDS = 3


def run(name, **environment):
    """Runs one suite, and gives its lines and its status."""
    process = subprocess.Popen(
        ["swift", "test", "--skip-build", "--filter", name],
        env=dict(os.environ, **environment), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip())
        if line.startswith(("seed", "↳", "  ")) or "recorded an issue" in line:
            print(line.rstrip(), flush=True)
    return lines, process.wait()


def number(lines, pattern):
    """The sum of what a pattern finds."""
    return sum(int(found[1]) for line in lines if (found := re.search(pattern, line)))


def main():
    mutations = int(sys.argv[1]) if len(sys.argv) > 1 else 320
    packets = int(sys.argv[2]) if len(sys.argv) > 2 else 51_000
    os.makedirs("results", exist_ok=True)
    start = time.monotonic()
    lines, status = run("MutationTests", RINGFENCE_MUTATIONS=str(mutations))
    made = number(lines, r"(\d+) mutations made")
    harmful = number(lines, r"(\d+) harmful")
    found = number(lines, r"(\d+) found,")
    missed = number(lines, r"(\d+) missed")
    alarms = number(lines, r"(\d+) false alarms")
    confirmed = number(lines, r"(\d+) confirmed")
    refuted = number(lines, r"(\d+) refuted")
    untried = number(lines, r"(\d+) not to be tried")
    other, foreign = run("EvaluatorTests", RINGFENCE_FOREIGN_PACKETS=str(-(-packets // SEEDS)))
    judged = number(other, r"(\d+) foreign packets")
    wrong = sum("recorded an issue" in line for line in other)
    measures = [
        ("mutations made", "mutations", 2 * mutations, made, made >= 2 * mutations),
        ("harmful ones", "mutations", "> 0", harmful, harmful > 0),
        ("found", "mutations", harmful, found, found >= harmful),
        ("missed", "mutations", 0, missed, missed == 0),
        ("false alarms", "mutations", 0, alarms, alarms == 0),
        ("found and confirmed by a packet", "mutations", "> 0", confirmed, confirmed > 0),
        ("counterexamples that a packet refuted", "packets", 0, refuted, refuted == 0),
        ("found, without a packet that could be tried", "mutations", "none", untried, True),
        ("packets on foreign rulesets", "packets", packets, judged, judged >= packets),
        ("disagreements with the kernel", "packets", 0, wrong, wrong == 0),
        ("time", "s", "none", round(time.monotonic() - start, 1), True),
    ]
    keys = ("measure", "unit", "target", "measured", "pass")
    for measure in measures:
        print(f"{measure[0]:45}{measure[3]:>10} {measure[1]:10} {'' if measure[4] else 'MISSED'}")
    with open("results/mutate.json", "w", encoding="utf-8") as file:
        json.dump([dict(zip(keys, measure)) for measure in measures], file, indent=2)
        file.write("\n")
    sys.exit(0 if status == 0 and foreign == 0 and all(measure[4] for measure in measures) else 1)


main()
