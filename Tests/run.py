"""Runs every test that is built, and the format check; prints a table and writes results/test.json.

Usage: run.py

Needs root. All that the tests say goes to results/test.log; failures are shown as they come.
"""

import collections
import json
import os
import subprocess
import sys
import time
import xml.etree.ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
REPORT = "results/test.xml"
# Swift Testing and XCTest write a file each.
REPORTS = ["results/test-swift-testing.xml", REPORT]


class Suite:
    def __init__(self):
        self.tests = 0
        self.failures = 0
        self.seconds = 0.0


def targets():
    """The folders of test targets: each runs in a process of its own, so that none waits for
    threads that another's long work holds."""
    return sorted(name for name in os.listdir("Tests") if name.endswith("Tests"))


def run_tests():
    """Runs the tests; whether all passed, how long it took, and what each suite did."""
    start = time.monotonic()
    passed = True
    suites = {}
    with open("results/test.log", "w", encoding="utf-8") as log:
        for target in targets():
            passed = run_target(target, log) and passed
            suites.update(read_suites())
    return passed, time.monotonic() - start, dict(sorted(suites.items()))


def run_target(target, log):
    for path in REPORTS:
        if os.path.exists(path):
            os.remove(path)
    command = ["swift", "test", "--skip-build", "--filter", f"^{target}\\.", "--xunit-output", REPORT]
    with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace") as tests:
        for line in tests.stdout:
            log.write(line)
            if line.startswith("✘") or "error:" in line or "Fatal error" in line:
                print(line, end="", flush=True)
    return tests.returncode == 0


def read_suites():
    """What each suite did, by `Target.Suite`."""
    suites = collections.defaultdict(Suite)
    for path in REPORTS:
        if not os.path.exists(path):
            continue
        for case in xml.etree.ElementTree.parse(path).iter("testcase"):
            suite = suites[".".join(case.get("classname", "?").split(".")[:2])]
            suite.tests += 1
            suite.failures += case.find("failure") is not None
            suite.seconds += float(case.get("time", 0))
    return dict(sorted(suites.items()))


def lint():
    """The number of places that the format check complains about."""
    sources = ["Sources", "Tests", "Package.swift"]
    sources += ["Benchmarks"] if os.path.isdir("Benchmarks") else []
    done = subprocess.run(
        ["swift", "format", "lint", "--strict", "--recursive", *sources], capture_output=True,
        text=True, check=False)
    complaints = [line for line in (done.stdout + done.stderr).split("\n") if ": error: " in line]
    print("\n".join(complaints), end="\n" if complaints else "")
    return len(complaints) if done.returncode != 0 or complaints else 0


def show(suites):
    width = max([len(name) for name in suites] + [len("SUITE")])
    print(f"{'SUITE':<{width}}  {'TESTS':>5}  {'FAILED':>6}  {'SECONDS':>8}")
    for name, suite in suites.items():
        print(f"{name:<{width}}  {suite.tests:>5}  {suite.failures:>6}  {suite.seconds:>8.2f}")


def main():
    if os.geteuid() != 0:
        sys.exit("the tests make namespaces: run them as root")
    os.chdir(ROOT)
    os.makedirs("results", exist_ok=True)
    passed, seconds, suites = run_tests()
    show(suites)
    complaints = lint()
    tests = sum(suite.tests for suite in suites.values())
    failures = sum(suite.failures for suite in suites.values())
    if not passed and failures == 0:
        print("the test run ended early; its last words are in results/test.log")
    measures = [
        ("test run ends well", "", True, passed, passed),
        ("tests", "tests", "> 0", tests, tests > 0),
        ("failed tests", "tests", 0, failures, failures == 0),
        ("time of all tests", "s", "none", round(seconds, 1), True),
        ("complaints about the format", "places", 0, complaints, complaints == 0),
    ] + [
        (f"failed tests of {name}, of {suite.tests} in {suite.seconds:.2f} s", "tests", 0,
         suite.failures, suite.failures == 0) for name, suite in suites.items()]
    keys = ("measure", "unit", "target", "measured", "pass")
    with open("results/test.json", "w", encoding="utf-8") as file:
        json.dump([dict(zip(keys, measure)) for measure in measures], file, indent=2)
        file.write("\n")
    print(f"{complaints} complaints about the format, {seconds:.0f} s")
    print(f"{tests - failures} passed, {failures} failed")
    sys.exit(0 if passed and all(measure[-1] for measure in measures) else 1)


if __name__ == "__main__":
    main()
