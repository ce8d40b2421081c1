"""Twenty endpoints of four tenants, their policies, and an agent that may be killed at any time."""

import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.append(os.path.join(ROOT, "attack"))

from manager import Manager  # noqa: E402

TENANTS = ["red", "blue", "green", "gold"]
EACH = 5
NAMES = [f"{tenant}-{number}" for tenant in TENANTS for number in range(1, EACH + 1)]
RING, SOURCE, TARGET, CHURN = 7000, 7100, 7200, 7300
NETWORKS = {socket.AF_INET: "10.81.0.{}", socket.AF_INET6: "fd81::{:x}"}


def following(tenant, steps=1):
    return TENANTS[(TENANTS.index(tenant) + steps) % len(TENANTS)]


def address(name, family):
    return NETWORKS[family].format(NAMES.index(name) + 10)


class Agent(http.client.HTTPConnection):
    """One question to the agent over its Unix socket."""

    def __init__(self, path):
        super().__init__("ringfence", timeout=30)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Wrong(Exception):
    """Something without which nothing is proved is not as it should be."""


class Stage:
    kind, names = "soak", NAMES

    def __init__(self, ringfence):
        self.ringfence = os.path.abspath(ringfence)
        self.name = f"{self.kind}-{os.getpid()}"
        self.place = tempfile.mkdtemp(prefix=f"ringfence-{self.kind}-")
        self.spaces = f"/run/ringfence-lab/{self.name}/ns"
        self.host = f"/run/ringfence-lab/{self.name}/rf-{self.name}"
        self.born = os.path.join(self.place, "born")
        self.policies = os.path.join(self.place, "policies")
        self.api = os.path.join(self.place, "agent.sock")
        self.log = os.path.join(self.place, "agent.log")
        self.state = os.path.join(self.place, "state")
        self.agent = self.manager = None
        self.readiness = "/readyz was not asked yet"
        self.churn = set(TENANTS)

    def __enter__(self):
        try:
            os.mkdir(self.policies)
            os.mkdir(self.born)
            self.write_policies()
            self.raise_lab()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.stop()
        self.dismiss_manager()
        subprocess.run([self.ringfence, "lab", "down", self.name], check=False,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)
        shutil.rmtree(self.place, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.spaces, name)

    def raise_lab(self):
        lines = ["apiVersion: ringfence/v1", "kind: Lab", f"name: {self.name}", "fabric: bridged",
                 "subnet4: 10.81.0.0/16", "subnet6: fd81::/64", "namespaces:"]
        for name in self.names:
            both = ", ".join(address(name, family) for family in NETWORKS)
            lines += [f"  - name: {name}", f"    addresses: [{both}]"]
        path = os.path.join(self.place, "lab.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        done = subprocess.run([self.ringfence, "lab", "up", path], capture_output=True, text=True,
                              check=False, timeout=120)
        if done.returncode:
            raise Wrong(f"no lab: {done.stdout}{done.stderr}")

    # The policies.

    def save(self, name, text):
        path = os.path.join(self.policies, "." + name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(path, os.path.join(self.policies, name))

    def write_policies(self):
        self.save("tenants.yaml", "\n---\n".join(
            f"apiVersion: ringfence/v1\nkind: Tenant\nname: {tenant}\n"
            f"endpoints: [{{namespace: '{tenant}-*'}}]" for tenant in TENANTS))
        self.save("ring.yaml", "\n---\n".join(
            policy(f"ring-{tenant}", tenant, f"tenant: {following(tenant)}", [RING])
            for tenant in TENANTS))
        # Lets packets out; to an address opens no endpoint, so the called end refuses them.
        self.save("out.yaml", "\n---\n".join(
            policy(f"out-{tenant}", tenant, "cidr: 10.81.0.0/24}, {cidr: 'fd81::/64'", [TARGET])
            for tenant in TENANTS))
        self.write_churn(self.churn)

    def write_churn(self, tenants):
        """Opens a port, and some for good measure, from each of the tenants to the next."""
        self.churn = set(tenants)
        ports = [CHURN] + list(range(20000, 20080, 2))
        self.save("churn.yaml", "\n---\n".join(
            policy(f"churn-{tenant}", tenant, f"tenant: {following(tenant)}", ports)
            for tenant in TENANTS if tenant in self.churn) or "# nobody\n")

    def change(self, chance=random):
        self.write_churn(tenant for tenant in TENANTS if chance.random() < 0.5)

    # The agent.

    def command(self, ringfence=None):
        return [ringfence or self.ringfence, "agent", "--policies", self.policies,
                "--namespaces", self.spaces, "--namespaces", self.born,
                "--host-namespace", self.host, "--socket", self.api,
                "--state", self.state, "--log-level", "warning"]

    def start(self, ringfence=None, before=None):
        """Starts an agent; `before` is called in the process that becomes it."""
        with open(self.log, "ab") as log:
            if self.manager:
                self.agent = self.manager.start(
                    self.command(ringfence), stderr=log, before=before)
            else:
                self.agent = subprocess.Popen(self.command(ringfence), stderr=log,
                                              preexec_fn=before, start_new_session=True)

    def employ_manager(self):
        self.manager = self.manager or Manager(self.place)

    def dismiss_manager(self):
        if self.manager:
            self.manager.close()
            os.remove(self.manager.path)
            self.manager = None

    def kill(self, how=signal.SIGKILL):
        self.agent.send_signal(how)
        try:
            self.agent.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.agent.kill()
            self.agent.wait()
            raise Wrong(f"the agent did not end in 20 s: {self.last_words()}") from None

    def stop(self):
        if self.agent and self.agent.poll() is None:
            self.kill(signal.SIGTERM)

    def ask(self, path, body=None):
        connection = Agent(self.api)
        try:
            if body is None:
                connection.request("GET", path)
            else:
                connection.request("POST", path, json.dumps(body))
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def report(self, path):
        status, body = self.ask(path)
        if status != 200:
            raise Wrong(f"{path}: {body.decode()}")
        return json.loads(body)

    def is_ready(self):
        """Whether everything is in force; what the agent said last is kept for `wait_ready`."""
        try:
            status, body = self.ask("/readyz")
            self.readiness = f"/readyz says {status}: {body.decode(errors='replace').strip()}"
            return status == 200
        except (OSError, http.client.HTTPException) as error:
            self.readiness = f"/readyz can't be asked: {error!r}"
            return False

    def wait_ready(self, seconds=30):
        begun = time.monotonic()
        while not self.is_ready():
            if self.agent.poll() is not None:
                raise Wrong(f"the agent {ending(self.agent.returncode)} after "
                            f"{time.monotonic() - begun:.1f} s in which it was not ready\n"
                            f"  {self.readiness}\n  {self.last_words()}")
            if time.monotonic() > begun + seconds:
                raise Wrong(f"the agent runs, and is not ready after {seconds} s\n"
                            f"  {self.readiness}\n  its threads: {threads(self.agent.pid)}\n"
                            f"  {self.last_words()}")
            time.sleep(0.005)

    def last_words(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            lines = log.readlines()[-20:]
        return "its last words: " + "".join(lines) if lines else "it wrote nothing to its log"


def ending(status):
    """How a process ended, in words."""
    if status >= 0:
        return f"ended with status {status}"
    return f"was ended by {signal.Signals(-status).name}"


def threads(pid):
    """What each thread of a process waits for in the kernel."""
    waits = []
    for task in sorted(os.listdir(f"/proc/{pid}/task"), key=int):
        try:
            with open(f"/proc/{pid}/task/{task}/wchan", encoding="ascii") as file:
                waits.append(file.read() or "0")
        except OSError:
            pass
    return ", ".join("running" if one == "0" else one for one in waits)


def policy(name, source, target, ports):
    return (f"apiVersion: ringfence/v1\nkind: Policy\nname: {name}\nfrom: [{{tenant: {source}}}]\n"
            f"to: [{{{target}}}]\nallow: [{{protocol: udp, ports: {ports}}}]")
