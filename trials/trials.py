"""Plays what users of such tools have reported in public against the agent, with real packets.

Usage: trials.py [--binary RINGFENCE] [--mode off|on|only] [--only TEXT] [--results FILE] [--verbose]

Each case makes namespaces and starts an agent of its own, in each mode (--host-filter) that it is
about, and says what was seen. Needs root, ip, nft, ping, and nothing else; traffic stays in
the namespaces of the cases. A debug build may take three times as long where a time is measured.
Exits with 1 if anything is not as it should be.
"""

import argparse
import json
import os
import signal
import sys
import textwrap
import time
import traceback

from field import ROOT
import lists, arrivals, links, flows, refusals, files, claims, groups  # noqa: E401,F401
from trial import CASES, OFF, ON, ONLY, Trial

MODES = {OFF: "tables", ON: "both layers", ONLY: "host filter"}
COLUMNS = (("case", 45), ("report", 27), ("mode", 8), ("right", 43), ("seen", 60), ("pass", 5))


class TooLong(Exception):
    """A case did not end in its time."""


def play(one, mode, ringfence, slack, seconds):
    """One case in one mode; what came of it."""
    began = time.monotonic()

    def expire(*_):
        raise TooLong(f"not over after {seconds} s")

    signal.signal(signal.SIGALRM, expire)
    trial = Trial(ringfence, mode, slack)
    signal.alarm(seconds)
    try:
        with trial:
            one(trial)
            signal.alarm(0)
    except Exception as error:    # Whatever is wrong with one case, the others are played.
        signal.alarm(0)
        trial.claim("the case can be played", False,
                    f"{error} {''.join(traceback.format_tb(error.__traceback__)[-2:])}")
    finally:
        signal.alarm(0)
    failed = [(what, seen) for what, holds, seen in trial.claims if not holds]
    return {
        "case": f"{one.number} {one.title}", "report": one.report, "mode": mode, "right": one.right,
        "seen": "; ".join(f"not so: {what}" + (f" ({seen})" if seen else "")
                          for what, seen in failed) or "; ".join(trial.facts) or "so",
        "claims": [{"claim": what, "holds": holds, "seen": seen}
                   for what, holds, seen in trial.claims],
        "seconds": round(time.monotonic() - began, 2),
        "pass": bool(trial.claims) and not failed,
    }


def tell(outcome, verbose):
    print(f"   {outcome['case']:57} {outcome['mode']:5}{outcome['seconds']:6.1f} s  "
          f"{'pass' if outcome['pass'] else 'WRONG'}", flush=True)
    for one in outcome["claims"]:
        if verbose or not one["holds"]:
            print(f"      {'holds' if one['holds'] else 'NOT SO'}: {one['claim']}"
                  + (f": {one['seen'][:1500]}" if one["seen"] and not one["holds"] else ""), flush=True)


def merged(outcomes):
    """Rows of the table: modes of a case in which the same was seen share one."""
    rows = []
    for one in outcomes:
        same = next((row for row in rows if all(
            row[key] == one[key] for key in ("case", "seen", "pass"))), None)
        if same:
            same["mode"] += f" {one['mode']}"
        else:
            rows.append(dict(one))
    return rows


def table(outcomes):
    """Case, public report, modes, what is right, what was seen."""
    print("\n   " + "".join(f"{title:{width}}" for title, width in COLUMNS))
    for row in merged(outcomes):
        cells = []
        for title, width in COLUMNS:
            text = ("yes" if row["pass"] else "NO") if title == "pass" else row[title]
            cells.append(textwrap.wrap(text, width - 2) or [""])
        for number in range(max(len(one) for one in cells)):
            print("   " + "".join(
                f"{one[number] if number < len(one) else '':{width}}"
                for one, (_, width) in zip(cells, COLUMNS)).rstrip())


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=os.path.join(ROOT, ".build/release/ringfence"))
    parser.add_argument("--mode", choices=MODES, action="append")
    parser.add_argument("--only", default="", help="cases whose number or name contains this")
    parser.add_argument("--results", default=os.path.join(ROOT, "results/trials.json"))
    parser.add_argument("--seconds", type=int, default=90, help="what one case may take")
    parser.add_argument("--verbose", action="store_true")
    return parser.parse_args()


def main():
    given = arguments()
    if os.geteuid() != 0:
        sys.exit("the trials make namespaces: run them as root")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    ringfence = os.path.abspath(given.binary)
    slack = 3 if "debug" in os.path.realpath(ringfence).split(os.sep) else 1
    outcomes, began = [], time.monotonic()
    for one in sorted(CASES, key=lambda one: one.number):
        if given.only not in f"{one.number} {one.title}":
            continue
        for mode in one.modes:
            if mode in (given.mode or MODES):
                outcomes.append(play(one, mode, ringfence, slack, given.seconds))
                tell(outcomes[-1], given.verbose)
    table(outcomes)
    os.makedirs(os.path.dirname(os.path.abspath(given.results)), exist_ok=True)
    with open(given.results, "w", encoding="utf-8") as file:
        json.dump(outcomes, file, indent=2)
        file.write("\n")
    wrong = [one for one in outcomes if not one["pass"]]
    print(f"\n   {len(outcomes)} trials of {len({one['case'] for one in outcomes})} cases in "
          f"{os.path.relpath(given.results)}, {time.monotonic() - began:.0f} s"
          + ("" if wrong else ": everything is as it should be"))
    for one in wrong:
        print(f"   not as it should be: {one['case']}, {one['mode']}")
    sys.exit(1 if wrong or not outcomes else 0)


if __name__ == "__main__":
    main()
