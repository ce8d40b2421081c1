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
NAME = "sample"
MOUNTS = f"/run/ringfence-lab/{NAME}"
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


def prepare(place):
    """The policies with assertions, and the lab's file under its own name."""
    shutil.copytree(os.path.join(ROOT, "policies"), os.path.join(place, "policies"))
    with open(os.path.join(place, "policies/assertions.yaml"), "w", encoding="utf-8") as file:
        file.write(ASSERTIONS)
    with open(os.path.join(ROOT, "lab/demo.yaml"), encoding="utf-8") as file:
        text = file.read()
    with open(os.path.join(place, "lab.yaml"), "w", encoding="utf-8") as file:
        file.write(text.replace("name: demo\n", f"name: {NAME}\n", 1))


def where(*more):
    return ["--policies", "policies", "--namespaces", f"{MOUNTS}/ns", "--host-namespace",
            f"{MOUNTS}/rf-{NAME}", "--state", "state", "--socket", "agent.sock", *more]


def enforced(binary, place):
    done = subprocess.run([binary, "status", "--socket", "agent.sock", "--output", "json"],
                          capture_output=True, text=True, check=False, cwd=place)
    if done.returncode != 0:
        return False
    endpoints = json.loads(done.stdout)["endpoints"]
    return bool(endpoints) and all(one["state"] == "enforced" for one in endpoints)


def unsettled(place):
    """Whether an address is still being looked for on its link."""
    return any("tentative" in run("nsenter", f"--net={MOUNTS}/ns/{name}", "ip", "address", cwd=place)
               for name in os.listdir(f"{MOUNTS}/ns"))


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
    prepare(place)
    run(binary, "lab", "up", "lab.yaml", cwd=place)
    agent = None
    try:
        with open(os.path.join(place, "agent.log"), "w", encoding="utf-8") as log:
            agent = subprocess.Popen([binary, "agent", *where()], cwd=place, stderr=log)
        until("every endpoint enforced", lambda: enforced(binary, place))
        until("IPv6 on every link", lambda: not unsettled(place))
        run(binary, "audit", *where("--probe", "--probes", "60", "--seed", "7", "--report",
                                    "sample-audit.html", "--report", "sample-audit.json"), cwd=place)
    finally:
        if agent is not None:
            agent.send_signal(signal.SIGTERM)
            agent.wait(timeout=20)
        run(binary, "lab", "down", NAME)
    # The browser that shows them may not look into the folder that only root may.
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
            sample(os.path.abspath(sys.argv[1]), place)
        except (Wrong, subprocess.TimeoutExpired) as wrong:
            sys.exit(f"sample: {wrong}")
    print("docs/sample-audit.html, docs/sample-audit.json, docs/sample-audit.png")


main()
