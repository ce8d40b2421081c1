"""Builds everything with a sanitizer, apart from the usual build, and runs tests under it.

Usage: sanitize.py [address] [thread] [--build] [--filter REGEX ...]

Without --filter the tests that make no network of namespaces run, and of those that do some that start and stop
agents; each target has a process of its own. With --build nothing is run. Prints a table and writes
results/sanitize.json; exits with 1 if a test fails, a process doesn't end by itself, or a sanitizer has something to
say. What the tests and the sanitizers say stands in results/sanitize-address.log and results/sanitize-thread.log.
Needs root.
"""

import argparse
import glob
import json
import os
import re
import signal
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
UNIT = ["NetTypesTests", "PolicyTests", "LinuxTests", "CompilerTests", "ReportsTests", "EvidenceTests", "APITests",
        "HostFilterTests", "CNITests", "SinkTests", "SettingsTests", "FuzzTests", "AgentTests", "StoreTests",
        "LabTests"]
KERNEL = ["ForgeryTests", "HostileTests", "TopologyTests", "RestartTests", "TwoAgentsTests", "NetlinkFaultTests"]
# They ask how long something takes, which under a sanitizer is several times as long.
TIMED = ["a thousand visits are cheap"]
REPORTS = {"address": "ERROR: AddressSanitizer", "thread": "WARNING: ThreadSanitizer"}
# In seconds, for each process: several times what the longest takes.
LIMIT = 900
# The tool that the build itself runs ends without giving back what it took, and so do tests.
LEAKS = {"ASAN_OPTIONS": "detect_leaks=0"}


def scratch(kind):
    return os.path.join(ROOT, ".build", kind)


def build(kind):
    done = subprocess.run(
        ["swift", "build", "--build-tests", f"--sanitize={kind}", "--scratch-path", scratch(kind)], check=False,
        env=os.environ | LEAKS)
    if done.returncode == 0 and kind == "thread":
        done = subprocess.run(["clang", "-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o", locks(),
                               "Tests/Sanitizers/locks.c"], check=False)
    return done.returncode == 0


def locks():
    """Tells the thread sanitizer of locks that the standard library takes."""
    return os.path.join(scratch("thread"), "locks.so")


def environment(kind, reports):
    """A report goes to a file of its own for each process, so that tests don't write in the midst of it."""
    if kind == "address":
        return os.environ | {"ASAN_OPTIONS": f"{LEAKS['ASAN_OPTIONS']} log_path={reports}"}
    return os.environ | {"LD_PRELOAD": locks(), "TSAN_OPTIONS": f"second_deadlock_stack=1 log_path={reports}"}


class Run:
    """What the tests of one process, and the sanitizer, said."""

    def __init__(self, kind, expression, log):
        self.kind = kind
        self.tests = self.failures = self.reports = 0
        self.complaints = []
        begun = time.monotonic()
        reports = os.path.join(scratch(kind), "reports")
        for path in glob.glob(reports + ".*"):
            os.remove(path)
        log.write(f"==== {expression}\n")
        ended = self.play(expression, log, environment(kind, reports))
        for path in glob.glob(reports + ".*"):
            with open(path, encoding="utf-8", errors="replace") as file:
                self.hear(file.read(), log)
        self.seconds = time.monotonic() - begun
        # A thread sanitizer that reported something ends the process with a code of its own, 66.
        self.ended_well = ended == 0 or (self.failures + self.reports > 0 and ended in (1, 66))
        if not self.ended_well:
            self.complaints.append(f"ended with {ended}" if ended is not None else f"did not end within {LIMIT} s")
        log.flush()

    def play(self, expression, log, variables):
        """Runs the tests; gives the exit code, or nothing if they took too long."""
        program = os.path.join(scratch(self.kind), "debug", "ringfencePackageTests.xctest")
        with open(os.path.join(scratch(self.kind), "output"), "w+", encoding="utf-8", errors="replace") as output:
            process = subprocess.Popen([program, "--testing-library", "swift-testing", "--filter", expression,
                                        *(word for name in TIMED for word in ("--skip", name))],
                                       stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                       env=variables, start_new_session=True)
            try:
                code = process.wait(LIMIT)
            except subprocess.TimeoutExpired:
                code = None
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            output.seek(0)
            for line in output:
                log.write(line)
                self.take(line)
        return code

    def take(self, line):
        if found := re.search(r"Test run with (\d+) tests?.* (?:passed|failed)", line):
            self.tests += int(found[1])
        elif line.startswith("✘ Test ") and " recorded an issue" not in line and not line.startswith("✘ Test case"):
            self.failures += 1
        if line.startswith("✘") or "Fatal error" in line:
            self.complaints.append(line.rstrip())

    def hear(self, said, log):
        log.write(said)
        self.reports += said.count(REPORTS[self.kind])
        self.complaints += sorted(set(re.findall(r"^SUMMARY: .*", said, re.MULTILINE)))

    @property
    def is_well(self):
        return self.tests > 0 and not self.failures and not self.reports and self.ended_well


def play(kind, expressions, measures):
    runs = []
    with open(f"results/sanitize-{kind}.log", "w", encoding="utf-8") as log:
        for expression in expressions:
            run = Run(kind, expression, log)
            runs.append(run)
            row(kind, expression.strip("^").replace("\\.", ".").replace(".*", ""), [run])
            for complaint in run.complaints:
                print("      " + complaint[:200], flush=True)
    row(kind, "in all", runs)

    def say(measure, unit, target, measured, passed):
        measures.append({"measure": f"{kind} sanitizer: {measure}", "unit": unit, "target": target,
                         "measured": measured, "pass": passed})

    say("tests", "tests", "> 0", sum(run.tests for run in runs), all(run.tests > 0 for run in runs))
    failures, reports = sum(run.failures for run in runs), sum(run.reports for run in runs)
    wrong = sum(not run.ended_well for run in runs)
    say("failed tests", "tests", 0, failures, failures == 0)
    say("processes that ended badly", "processes", 0, wrong, wrong == 0)
    say("reports", "reports", 0, reports, reports == 0)
    say("time", "s", None, round(sum(run.seconds for run in runs)), True)


def row(kind, name, runs):
    print(f"  {kind:8}{name:32}{sum(run.tests for run in runs):>6}{sum(run.failures for run in runs):>8}"
          f"{sum(run.reports for run in runs):>9}{round(sum(run.seconds for run in runs)):>7}"
          f"{'' if all(run.is_well for run in runs) else '   <-- WRONG'}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("kinds", nargs="*", metavar="address|thread")
    parser.add_argument("--build", action="store_true", help="build, and run nothing")
    parser.add_argument("--filter", action="append", help="tests to run instead")
    parser.add_argument("--results", default="results/sanitize.json")
    options = parser.parse_args()
    kinds = options.kinds or list(REPORTS)
    if unknown := set(kinds) - set(REPORTS):
        parser.error(f"no sanitizer is called {', '.join(sorted(unknown))}: address and thread are")
    os.chdir(ROOT)
    os.makedirs("results", exist_ok=True)
    for kind in kinds:
        if not build(kind):
            sys.exit(f"the build with the {kind} sanitizer failed")
    if options.build:
        return
    measures = []
    print(f"  {'':8}{'':32}{'tests':>6}{'failed':>8}{'reports':>9}{'s':>7}", flush=True)
    for kind in kinds:
        play(kind, options.filter or [f"^{name}\\." for name in UNIT]
             + [f"^KernelTests\\..*{name}" for name in KERNEL], measures)
    with open(options.results, "w", encoding="utf-8") as file:
        json.dump(measures, file, indent=2)
        file.write("\n")
    sys.exit(0 if all(one["pass"] for one in measures) else 1)


if __name__ == "__main__":
    main()
