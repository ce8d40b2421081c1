"""Builds everything with a sanitizer, apart from the usual build, and runs tests under it.

Usage: sanitize.py [address] [thread] [--build] [--filter REGEX ...]

Without --filter the tests that make no network of namespaces run, and of those that do some that start and stop
agents. With --build nothing is run. Prints a table and writes results/sanitize.json; exits with 1 if a test fails
or a sanitizer has something to say. Needs root.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
UNIT = ["NetTypesTests", "PolicyTests", "LinuxTests", "CompilerTests", "ReportsTests", "EvidenceTests", "APITests",
        "HostFilterTests", "CNITests", "SinkTests", "SettingsTests", "FuzzTests", "AgentTests", "StoreTests",
        "LabTests"]
KERNEL = ["ForgeryTests", "HostileTests", "TopologyTests", "RestartTests", "TwoAgentsTests", "NetlinkFaultTests"]
REPORTS = {"address": "ERROR: AddressSanitizer", "thread": "WARNING: ThreadSanitizer"}
# The tool that the build itself runs ends without giving back what it took, and so do tests.
ENVIRONMENT = {"ASAN_OPTIONS": "detect_leaks=0", "TSAN_OPTIONS": "halt_on_error=0 second_deadlock_stack=1"}


def words(kind):
    return [f"--sanitize={kind}", "--scratch-path", os.path.join(".build", kind)]


def build(kind):
    return subprocess.run(["swift", "build", "--build-tests", *words(kind)], check=False,
                          env=os.environ | ENVIRONMENT).returncode == 0


class Run:
    """What the tests and the sanitizer said."""

    def __init__(self, kind):
        self.kind = kind
        self.tests = self.failures = 0
        self.reports, self.ended = [], []

    def play(self, expression, log):
        process = subprocess.Popen(
            ["swift", "test", "--skip-build", *words(self.kind), "--filter", expression],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
            env=os.environ | ENVIRONMENT)
        for line in process.stdout:
            log.write(line)
            if found := re.search(r"Test run with (\d+) tests?.* (?:passed|failed)", line):
                self.tests += int(found[1])
            self.failures += line.startswith("✘ Test ") and " recorded an issue" not in line \
                and not line.startswith("✘ Test run")
            if REPORTS[self.kind] in line or "SUMMARY:" in line or line.startswith("✘"):
                print("    " + line.rstrip()[:200], flush=True)
            if REPORTS[self.kind] in line:
                self.reports.append(line)
        if process.wait() != 0:
            self.ended.append(expression)


def play(kind, expressions, measures):
    begun = time.monotonic()
    run = Run(kind)
    with open(f"results/sanitize-{kind}.log", "w", encoding="utf-8") as log:
        for expression in expressions:
            run.play(expression, log)

    def say(measure, unit, target, measured, passed):
        measures.append({"measure": f"{kind} sanitizer: {measure}", "unit": unit, "target": target,
                         "measured": measured, "pass": passed})
        print(f"  {kind} sanitizer: {measure:40}{measured:>10} {unit:8}{'' if passed else '<-- WRONG'}", flush=True)

    say("tests", "tests", "> 0", run.tests, run.tests > 0)
    say("failed tests", "tests", 0, run.failures, run.failures == 0)
    say("runs that ended badly", "runs", 0, len(run.ended), not run.ended)
    say("reports", "reports", 0, len(run.reports), not run.reports)
    say("time", "s", None, round(time.monotonic() - begun), True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("kinds", nargs="*", metavar="address|thread")
    parser.add_argument("--build", action="store_true", help="build, and run nothing")
    parser.add_argument("--filter", action="append", help="tests to run instead")
    parser.add_argument("--results", default="results/sanitize.json")
    options = parser.parse_args()
    os.chdir(ROOT)
    os.makedirs("results", exist_ok=True)
    measures = []
    for kind in options.kinds or list(REPORTS):
        if not build(kind):
            sys.exit(f"the build with the {kind} sanitizer failed")
        if not options.build:
            play(kind, options.filter or [f"^{name}\\." for name in UNIT]
                 + [f"^KernelTests\\..*{name}" for name in KERNEL], measures)
    if options.build:
        return
    with open(options.results, "w", encoding="utf-8") as file:
        json.dump(measures, file, indent=2)
        file.write("\n")
    sys.exit(0 if all(one["pass"] for one in measures) else 1)


if __name__ == "__main__":
    main()
