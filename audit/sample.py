"""Audits the demo's lab, and keeps the reports and a picture of one in docs/.

Usage: sample.py RINGFENCE

Puts up the lab of lab/demo.yaml under another name, lets an agent enforce policies/, proves with `ringfence audit` that
the kernel does so, tries it with real packets, and writes docs/sample-audit.html, .json and .png. Needs root and chromium.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ASSERTIONS = """\
apiVersion: ringfence/v1
kind: Assertion
name: shop-reaches-its-database
owner: team-shop
reachable:
  from: [{tenant: shop}]
  to: [{tenant: db, endpoints: {matchLabels: {app: postgres}}}]
  over: [{protocol: tcp, ports: [5432]}]
---
apiVersion: ringfence/v1
kind: Assertion
name: databases-call-no-payments
owner: team-compliance
controls: [pci-dss-4/1.3.1, nist-800-53/AC-4]
noPath:
  from: [{tenant: db}]
  to: [{tenant: payments}]
"""


class Wrong(Exception):
    """What went wrong, in words."""


def run(binary, *words, statuses=(0,), **options):
    done = subprocess.run([binary, *words], capture_output=True, text=True, check=False, **options)
    if done.returncode not in statuses:
        raise Wrong(f"{' '.join(words)} exited with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def until(what, ask, seconds=20):
    end = time.monotonic() + seconds
    while not ask():
        if time.monotonic() > end:
            raise Wrong(f"not within {seconds} s: {what}")
        time.sleep(0.1)


class Stage:
    """The demo's lab under a name of its own, with an agent that enforces policies/ and some assertions."""

    def __init__(self, binary, place, name):
        self.binary, self.place, self.name = os.path.abspath(binary), place, name
        self.mounts = f"/run/ringfence-lab/{name}"
        self.agent = None
        shutil.copytree(os.path.join(ROOT, "policies"), os.path.join(place, "policies"))
        with open(os.path.join(place, "policies/assertions.yaml"), "w", encoding="utf-8") as file:
            file.write(ASSERTIONS)
        with open(os.path.join(ROOT, "lab/demo.yaml"), encoding="utf-8") as file:
            text = file.read()
        with open(os.path.join(place, "lab.yaml"), "w", encoding="utf-8") as file:
            file.write(text.replace("name: demo\n", f"name: {name}\n", 1))

    def run(self, *words, statuses=(0,)):
        return run(self.binary, *words, statuses=statuses, cwd=self.place)

    def audit(self, *words, statuses=(0,)):
        return self.run("audit", *self.where(), *words, statuses=statuses)

    def up(self):
        self.run("lab", "up", "lab.yaml")
        with open(os.path.join(self.place, "agent.log"), "w", encoding="utf-8") as log:
            self.agent = subprocess.Popen(
                [self.binary, "agent", *self.where()], cwd=self.place, stderr=log)
        until("every endpoint enforced", self.enforced)
        until("IPv6 on every link", lambda: not self.unsettled())

    def stop(self):
        """Ends the agent; its tables stay in force."""
        if self.agent is not None:
            self.agent.send_signal(signal.SIGTERM)
            self.agent.wait(timeout=20)
        self.agent = None

    def down(self):
        self.stop()
        self.run("lab", "down", self.name)

    def inside(self, namespace, *words):
        return run("nsenter", f"--net={self.mounts}/ns/{namespace}", *words)

    def where(self):
        return ["--policies", "policies", "--namespaces", f"{self.mounts}/ns", "--host-namespace",
                f"{self.mounts}/rf-{self.name}", "--state", "state", "--socket", "agent.sock"]

    def enforced(self):
        done = subprocess.run(
            [self.binary, "status", "--socket", "agent.sock", "--output", "json"],
            capture_output=True, text=True, check=False, cwd=self.place)
        if done.returncode != 0:
            return False
        endpoints = json.loads(done.stdout)["endpoints"]
        return bool(endpoints) and all(one["state"] == "enforced" for one in endpoints)

    def unsettled(self):
        """Whether an address is still being looked for on its link."""
        return any("tentative" in self.inside(name, "ip", "address")
                   for name in os.listdir(f"{self.mounts}/ns"))


def picture(page, file):
    """The top of the report as a browser shows it."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        raise Wrong("there is no chromium\n  fix: run 'make sample-audit', which installs it")
    with tempfile.TemporaryDirectory(prefix="ringfence-sample-browser-") as profile:
        run(browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            f"--user-data-dir={profile}", "--window-size=1100,1400", f"--screenshot={file}",
            "file://" + page, timeout=120)
    if not os.path.exists(file):
        raise Wrong("the browser made no picture")


def sample(binary, place):
    stage = Stage(binary, place, "sample")
    try:
        stage.up()
        stage.audit("--probe", "--probes", "60", "--seed", "7", "--report", "sample-audit.html",
                    "--report", "sample-audit.json")
    finally:
        stage.down()
    docs = os.path.join(ROOT, "docs")
    for name in ("sample-audit.html", "sample-audit.json"):
        shutil.copy(os.path.join(place, name), os.path.join(docs, name))
    picture(os.path.join(docs, "sample-audit.html"), os.path.join(docs, "sample-audit.png"))


def main():
    if os.geteuid() != 0:
        sys.exit("the sample makes namespaces: run it as root")
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory(prefix="ringfence-sample-") as place:
        try:
            sample(sys.argv[1], place)
        except (Wrong, subprocess.TimeoutExpired) as wrong:
            sys.exit(f"sample: {wrong}")
    print("docs/sample-audit.html, docs/sample-audit.json, docs/sample-audit.png")


if __name__ == "__main__":
    main()
