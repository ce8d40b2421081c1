"""Runs every test that is built, and the format check; prints a table and writes results/test.json.

Usage: run.py

Needs root. All that tests and scripts say goes to results/test.log; failures are shown as they come, and again at the end.
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
# What is tried from outside, on the program that was built: each writes a list of measures.
SCRIPTS = [["monitoring/check.py", "--short"], ["counts/counts.py", "--short"],
           ["Tests/EvidenceTests/check_reports.py"]]


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
    """Runs the tests; whether all passed, how long it took, what each suite did, and what the
    failed tests said."""
    start = time.monotonic()
    passed = True
    suites = {}
    complaints = []
    with open("results/test.log", "w", encoding="utf-8") as log:
        for target in targets():
            passed = run_target(target, log, complaints) and passed
            suites.update(read_suites())
        for script in SCRIPTS:
            passed = run_script(script, log, suites, complaints) and passed
    return passed, time.monotonic() - start, dict(sorted(suites.items())), complaints


def run_target(target, log, complaints):
    for path in REPORTS:
        if os.path.exists(path):
            os.remove(path)
    command = ["swift", "test", "--skip-build", "--filter", f"^{target}\\.", "--xunit-output", REPORT]
    with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace") as tests:
        for line in tests.stdout:
            log.write(line)
            if line.startswith("✘") or "error:" in line or "Fatal error" in line \
                    or "runtime failure" in line or " crashed" in line:
                print(line, end="", flush=True)
                complaints.append(line)
    return tests.returncode == 0


def run_script(script, log, suites, complaints):
    """Runs a script on the program, and takes its measures as the tests of a suite."""
    name = os.path.splitext(script[0])[0]
    results = f"results/test-{os.path.basename(name)}.json"
    if os.path.exists(results):
        os.remove(results)
    suite = suites[name] = Suite()
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-B", script[0], ".build/debug/ringfence", *script[1:], "--results",
         results], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        check=False)
    suite.seconds = time.monotonic() - start
    log.write(done.stdout)
    measures = []
    if os.path.exists(results):
        with open(results, encoding="utf-8") as file:
            measures = json.load(file)
    suite.tests = max(len(measures), 1)
    suite.failures = sum(not measure["pass"] for measure in measures)
    if done.returncode != 0:
        suite.failures = max(suite.failures, 1)
        print(done.stdout, end="", flush=True)
        complaints += [line + "\n" for line in done.stdout.splitlines()[-20:]]
    return done.returncode == 0


def read_suites():
    """What each suite did, by `Target.Suite`."""
    suites = collections.defaultdict(Suite)
    for path in REPORTS:
        if not os.path.exists(path):
            continue
        for case in cases(path):
            suite = suites[".".join(case.get("classname", "?").split(".")[:2])]
            suite.tests += 1
            suite.failures += case.find("failure") is not None
            suite.seconds += float(case.get("time", 0))
    return dict(sorted(suites.items()))


def cases(path):
    """The test cases of a report; none where the tests crashed before they wrote it."""
    try:
        return list(xml.etree.ElementTree.parse(path).iter("testcase"))
    except xml.etree.ElementTree.ParseError:
        return []


def run_scripts(complaints):
    """Plays with the program itself, each for a short while; gives a measure of each."""
    binary = subprocess.run(["swift", "build", "--show-bin-path"], capture_output=True, text=True,
                            check=True).stdout.strip() + "/ringfence"
    scripts = [
        ("what a service manager can count on", ["soak/service.py", binary]),
        ("a short soak", ["soak/soak.py", binary, "--kills", "16", "--births", "8", "--seconds", "60",
                          "--no-faults", "--no-hostile", "--results", "results/soak-short.json"]),
    ]
    scripts.append(("system calls refused by lot, and what lies about in the environment",
                    ["soak/faults.py", binary, "--seconds", "40", "--environment",
                     "--results", "results/faults-short.json"]))
    measures = []
    for name, words in scripts:
        done = subprocess.run([sys.executable, "-B", *words], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace", check=False,
                              timeout=300)
        passed = done.returncode == 0
        if not passed:
            print(done.stdout, end="", flush=True)
            complaints += [f"{name}: {line}\n" for line in done.stdout.splitlines()[-40:]]
        measures.append((name, "", True, passed, passed))
    return measures


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
    passed, seconds, suites, failed = run_tests()
    scripts = run_scripts(failed)
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
    ] + scripts + [
        (f"failed tests of {name}, of {suite.tests} in {suite.seconds:.2f} s", "tests", 0,
         suite.failures, suite.failures == 0) for name, suite in suites.items()]
    keys = ("measure", "unit", "target", "measured", "pass")
    with open("results/test.json", "w", encoding="utf-8") as file:
        json.dump([dict(zip(keys, measure)) for measure in measures], file, indent=2)
        file.write("\n")
    print(f"{complaints} complaints about the format, {seconds:.0f} s")
    # Said once more at the end: of a long log, that is what people see, and some stores keep no more.
    for line in failed:
        print(line.rstrip()[:400])
    failures += sum(not measure[-1] for measure in scripts)
    print(f"{tests - failures + len(scripts)} passed, {failures} failed")
    sys.exit(0 if passed and all(measure[-1] for measure in measures) else 1)


if __name__ == "__main__":
    main()
