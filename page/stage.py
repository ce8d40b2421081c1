"""A lab of tenants, and the agent whose page is looked at."""

import ctypes
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "demo"))

from wire import Listener, connects, socket_in  # noqa: E402

LIBC = ctypes.CDLL(None, use_errno=True)
MS_BIND, MNT_DETACH = 4096, 2

# What nobody should be able to make a page of: markup, ends of attributes, directions of writing.
HOSTILE = "<img src=x onerror=\"hacked=1\">'&amp;\u202e\u2066<b id=injected>"

TENANTS = ["shop-web-1", "shop-worker-1", "db-1", "db-replica-1", "payments-api-1",
           "payments-batch-1", "monitoring-1"]
# Lent to tenants when there are a hundred.
SPARE = [f"spare-{number}" for number in range(1, 17)]


class Wrong(Exception):
    """Something without which the page can't be tried is not as it should be."""


class Stage:
    """One lab and one agent; everything that it starts and mounts goes with it."""

    def __init__(self, ringfence):
        self.ringfence = os.path.abspath(ringfence)
        self.lab = f"page-{os.getpid()}"
        self.place = tempfile.mkdtemp(prefix="ringfence-page-lab-")
        self.policies = os.path.join(self.place, "policies")
        self.spaces = os.path.join(self.place, "ns")
        self.socket = os.path.join(self.place, "agent.sock")
        self.log = os.path.join(self.place, "agent.log")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.address = "127.0.0.1:%d" % free.getsockname()[1]
        self.url = f"http://{self.address}"
        self.addresses = {}
        self.mounted = []
        self.agent = None
        self.is_up = False

    def __enter__(self):
        try:
            shutil.copytree(os.path.join(ROOT, "policies"), self.policies)
            self.raise_lab()
            os.mkdir(self.spaces)
            for name in TENANTS:
                self.mount(name, name)
            self.start_agent()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.stop_agent()
        for path in self.mounted:
            LIBC.umount2(path.encode(), MNT_DETACH)
        if self.is_up:
            subprocess.run([self.ringfence, "lab", "down", self.lab], check=False,
                           stdout=subprocess.DEVNULL)
        shutil.rmtree(self.place, ignore_errors=True)

    # The lab.

    def raise_lab(self):
        with open(os.path.join(ROOT, "lab/demo.yaml"), encoding="utf-8") as file:
            text = re.sub(r"^name: .*", f"name: {self.lab}", file.read(), flags=re.M)
        spare = "".join(f"  - name: {name}\n" for name in SPARE)
        path = os.path.join(self.place, "lab.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace("  - name: monitoring-1\n", "  - name: monitoring-1\n" + spare))
        self.is_up = True
        done = subprocess.run(
            [self.ringfence, "lab", "up", path], capture_output=True, text=True, check=False)
        if done.returncode:
            raise Wrong(f"no lab: {done.stdout}{done.stderr}")
        for name in os.listdir(self.lab_path("")):
            done = subprocess.run(
                ["nsenter", f"--net={self.lab_path(name)}", "ip", "-json", "-4", "address", "show",
                 "dev", "eth0"], capture_output=True, text=True, check=True)
            self.addresses[name] = json.loads(done.stdout)[0]["addr_info"][0]["local"]

    def lab_path(self, name):
        return f"/run/ringfence-lab/{self.lab}/ns/{name}"

    def mount(self, name, called):
        """Shows a namespace of the lab to the agent, under a name that may be any."""
        path = os.path.join(self.spaces, called)
        with open(path, "w", encoding="utf-8"):
            pass
        if LIBC.mount(self.lab_path(name).encode(), path.encode(), None, MS_BIND, None) != 0:
            raise Wrong(f"mount of {path}: {os.strerror(ctypes.get_errno())}")
        self.mounted.append(path)

    # Traffic.

    def send(self, source, target, port, kind=socket.SOCK_DGRAM, count=1):
        """Packets from one namespace to another; the moment at which the first one left."""
        with socket_in(self.lab_path(source), kind) as sender:
            start = time.monotonic()
            for number in range(count):
                try:
                    sender.sendto(b"ringfence page", (self.addresses[target], port + number))
                except PermissionError:
                    # What the sender's own table refuses, the kernel tells the sender.
                    continue
        return start

    def call(self, source, target, port):
        return connects(self.lab_path(source), (self.addresses[target], port), 0.3)

    def listen(self, target, port):
        return Listener(self.lab_path(target), port)

    # Policies.

    def write(self, name, text):
        path = os.path.join(self.policies, name)
        with open(path + "~", "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(path + "~", path)

    def read(self, name):
        with open(os.path.join(self.policies, name), encoding="utf-8") as file:
            return file.read()

    # The agent.

    def start_agent(self):
        with open(self.log, "a", encoding="utf-8") as log:
            self.agent = subprocess.Popen(
                [self.ringfence, "agent", "--policies", self.policies, "--namespaces", self.spaces,
                 "--host-namespace", f"/run/ringfence-lab/{self.lab}/rf-{self.lab}",
                 "--socket", self.socket, "--listen", self.address, "--state", os.path.join(self.place, "state")],
                stderr=log, stdout=log, start_new_session=True)
        self.until(self.is_enforced, "every endpoint is enforced")

    def is_enforced(self):
        try:
            endpoints = self.ask("status")["endpoints"]
        except Wrong:
            return False
        return bool(endpoints) and all(one["state"] == "enforced" for one in endpoints)

    def stop_agent(self):
        if self.agent is None or self.agent.poll() is not None:
            return
        self.agent.terminate()
        try:
            self.agent.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.agent.kill()
            self.agent.wait()

    def ask(self, command, *arguments):
        done = subprocess.run(
            [self.ringfence, command, *arguments, "--socket", self.socket, "--output", "json"],
            capture_output=True, text=True, check=False)
        if done.returncode:
            raise Wrong(done.stderr.strip())
        return json.loads(done.stdout)

    def until(self, condition, claim, patience=10):
        deadline = time.monotonic() + patience
        while not condition():
            if time.monotonic() > deadline or self.agent.poll() is not None:
                with open(self.log, encoding="utf-8", errors="replace") as log:
                    raise Wrong(f"not within {patience} s: {claim}\n" + "".join(log.readlines()[-20:]))
            time.sleep(0.05)

    # What is written into policy files.

    def add_hostile(self):
        """A tenant's namespace, a file, an owner and a ticket with hostile names."""
        self.mount("stranger", "x-" + HOSTILE)
        text = json.dumps(HOSTILE)  # A YAML string as well.
        self.write("z" + HOSTILE + ".yaml", f"""\
apiVersion: ringfence/v1
kind: Tenant
name: xn--evil.host
endpoints:
  - namespace: "x-*"
ports: {{metrics: 9100}}
---
apiVersion: ringfence/v1
kind: Policy
name: db-to-evil
owner: {text}
ticket: {text}
description: {text}
from:
  - tenant: db
to:
  - tenant: xn--evil.host
allow:
  - protocol: tcp
    ports: [1]
""")

    def add_hundred(self):
        """As many tenants as make a hundred with the four of the examples, and rules between them."""
        products = ["accounts", "ads", "archive", "auth", "billing", "cart", "catalog", "chat",
                    "config", "edge", "fraud", "ledger", "maps", "media", "orders", "pricing",
                    "ratings", "risk", "search", "sessions", "shipping", "stock", "support", "tax"]
        regions = ["ap", "eu", "sa", "us"]
        shared = ["auth", "config", "ledger", "sessions"]
        names = [f"{product}-{region}" for product in products for region in regions]
        tenants = [f"""\
apiVersion: ringfence/v1
kind: Tenant
name: {name}
labels: {{env: prod, region: {name.split('-')[1]}, tier: front}}
endpoints:
  - namespace: {name}-*
ports: {{api: 8443, metrics: 9100}}
""" for name in names]
        rules = []
        for number, name in enumerate(names):
            product, region = name.split("-")
            called = {f"{one}-{region}" for one in shared if one != product}
            called |= {f"{products[(number * 7 + step * 5) % 24]}-{region}" for step in range(2)}
            if number % 9 == 0:
                called |= {f"{product}-{other}" for other in regions}
            for other in sorted(called - {name}):
                rules.append(f"""\
apiVersion: ringfence/v1
kind: Policy
name: {name}-to-{other}
owner: team-{product}
from: [{{tenant: {name}}}]
to: [{{tenant: {other}}}]
allow: [{{protocol: tcp, ports: [api]}}]
""")
        self.write("hundred-tenants.yaml", "---\n".join(tenants))
        self.write("hundred-policies.yaml", "---\n".join(rules))
        return names

    def lend(self, names):
        """Gives the spare namespaces of the lab to some of the hundred; who has which."""
        lent = dict(zip(names[3::len(names) // len(SPARE)], SPARE))
        for name, spare in lent.items():
            self.mount(spare, f"{name}-1")
        self.until(
            lambda: len(self.ask("status")["endpoints"]) >= len(TENANTS) + len(SPARE)
            and self.is_enforced(), "the lent namespaces are enforced")
        return lent
