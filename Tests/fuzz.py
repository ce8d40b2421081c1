"""Random policies and packets before three judges, until enough packets are judged.

Usage: fuzz.py [PACKETS]

The judges are the reference evaluator, the endpoint's table in a real kernel, and the host filter's
programs. Prints a table and writes results/fuzz.json. A disagreement is printed with what shows it again,
and fails the run. Needs root, and a debug build with its tests.
"""

import json
import os
import re
import subprocess
import sys
import time

SEEDS = 3


def main():
    target = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    os.makedirs("results", exist_ok=True)
    start = time.monotonic()
    environment = dict(os.environ, RINGFENCE_PACKETS=str(-(-target // SEEDS)))
    process = subprocess.Popen(
        ["swift", "test", "--skip-build", "--filter", "VerdictTests"], env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    judged = 0
    disagreements = 0
    for line in process.stdout:
        if found := re.match(r"seed \d+: (\d+) packets: ", line):
            judged += int(found[1])
            print(line.rstrip(), flush=True)
        elif "recorded an issue" in line:
            disagreements += 1
            print(line.rstrip(), flush=True)
        elif line.startswith(("↳ seed", "# ")) or disagreements:
            print(line.rstrip(), flush=True)
    status = process.wait()
    measures = [
        {"measure": "packets judged by all three", "unit": "packets", "target": target,
         "measured": judged, "pass": judged >= target},
        {"measure": "disagreements", "unit": "packets", "target": 0,
         "measured": disagreements, "pass": disagreements == 0},
        {"measure": "time", "unit": "s", "target": None,
         "measured": round(time.monotonic() - start, 1), "pass": None},
    ]
    for measure in measures:
        print(f"{measure['measure']:30}{measure['measured']:>12} {measure['unit']}")
    with open("results/fuzz.json", "w", encoding="utf-8") as file:
        json.dump(measures, file, indent=2)
    sys.exit(0 if status == 0 and judged >= target and not disagreements else 1)


main()
