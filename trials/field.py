"""What a trial plays on: a lab with an agent, namespaces that come and go, packets and reports."""

import http.client
import ipaddress
import os
import socket
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "soak"))
sys.path.append(os.path.join(ROOT, "attack"))

from births import mount  # noqa: E402
from places import socket_in  # noqa: E402
from stage import Stage, Wrong  # noqa: E402

BOUND = 15    # seconds that any condition may take, unless a case is about the time
HOST4, HOST6 = "10.90.0.1", "fd90::1"
TENANTS = """apiVersion: ringfence/v1
kind: Tenant
name: blue
endpoints: [{namespace: 'blue-*'}]
---
apiVersion: ringfence/v1
kind: Tenant
name: green
endpoints: [{namespace: 'green-*'}]
ports: {api: 8080}
---
apiVersion: ringfence/v1
kind: Tenant
name: red
endpoints: [{namespace: 'red-*'}]
"""


def policy(name, source, target, *allow):
    """A policy; each side is a list of peers, each entry of `allow` is inside its braces."""
    entries = ", ".join(f"{{{one}}}" for one in allow)
    return (f"apiVersion: ringfence/v1\nkind: Policy\nname: {name}\n"
            f"from: [{source}]\nto: [{target}]\nallow: [{entries}]\n")


def until(condition, seconds=BOUND):
    """What the condition gives as soon as that is true, or what it gave last in that time."""
    deadline = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return found


class Field(Stage):
    """A bridged lab and an agent in one mode. The namespaces of `births` come and go."""

    kind = "trials"

    def __init__(self, ringfence, mode, names=("blue-1", "green-1"), policies=(), tenants=TENANTS):
        super().__init__(ringfence)
        self.mode, self.names = mode, names
        self.given = {"tenants.yaml": tenants, **dict(policies)}
        self.births, self.processes, self.mounts = set(), [], []

    def __enter__(self):
        super().__enter__()
        try:
            self.start()
            self.wait_ready(60)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()
        self.stop()
        for path in reversed(self.mounts):
            subprocess.run(["umount", "--lazy", path], check=False, stderr=subprocess.DEVNULL)
        super().__exit__()

    def command(self, ringfence=None):
        return super().command(ringfence)[:-1] + ["info", "--host-filter", self.mode]

    def write_policies(self):
        for name, text in self.given.items():
            self.save(name, text)

    # The lab.

    def path(self, name):
        if name == "host":
            return self.host
        return os.path.join(self.born if name in self.births else self.spaces, name)

    def v4(self, name):
        return HOST4 if name == "host" else f"10.90.0.{self.names.index(name) + 10}"

    def v6(self, name):
        return HOST6 if name == "host" else f"fd90::{self.names.index(name) + 10}"

    def both(self, name):
        return self.v4(name), self.v6(name)

    def raise_lab(self):
        lines = ["apiVersion: ringfence/v1", "kind: Lab", f"name: {self.name}", "fabric: bridged",
                 "subnet4: 10.90.0.0/24", "subnet6: fd90::/64", "namespaces:"]
        for name in self.names:
            lines += [f"  - name: {name}", f"    addresses: [{', '.join(self.both(name))}]"]
        path = os.path.join(self.place, "lab.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        self.run([self.ringfence, "lab", "up", path])

    def run(self, words, check=True, **options):
        """What a command says. One that fails ends the case, unless `check` is false."""
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False,
                              errors="replace", **options)
        if check and done.returncode:
            raise Wrong(f"{' '.join(words)}: {done.stdout}{done.stderr}")
        return done

    def sh(self, name, script, check=True):
        """Runs a script of the shell in a namespace of the lab."""
        return self.run(["nsenter", f"--net={self.path(name)}", "sh", "-ec", script], check).stdout

    def namespace(self, path):
        """Mounts a new network namespace at a path."""
        self.mounts.append(path)
        mount(path)

    def bear(self, name):
        """A new namespace in the folder that the agent follows; gives the time of its mount."""
        self.births.add(name)
        self.namespace(self.path(name))
        return time.monotonic()

    def bury(self, name):
        """Unmounts a namespace and removes its name. It is gone if nothing else holds it."""
        self.run(["umount", self.path(name)])
        os.remove(self.path(name))
        self.mounts.remove(self.path(name))
        self.births.discard(name)

    def plug(self, name, *addresses, path=None, link="eth0", bridge="lab",
             mac=None):
        """Joins a namespace to the bridge, or to the host alone."""
        end = f"rf-{name}"[:12] + ("" if link == "eth0" else link[-2:])
        path = path or self.path(name)
        of_mac = f"address {mac}" if mac else ""
        lines = [f"ip link add {end} type veth peer name {link} {of_mac} netns {path}",
                 f"ip link set {end} master {bridge} up" if bridge else f"ip link set {end} up"]
        inside = ["ip link set lo up", f"ip link set {link} up"] + [
            f"ip addr add {one} dev {link} {'nodad' if ':' in one else ''}" for one in addresses]
        self.sh("host", "\n".join(lines + [f"nsenter --net={path} sh -ec '{'; '.join(inside)}'"]))

    def far(self, mtu=1500):
        """A server of the world behind the host as its router; the folders don't hold it.

        `mtu` is that of the router's end: the server offers segments of 1,460 bytes all the same."""
        path = os.path.join(self.place, "far")
        self.namespace(path)
        self.plug("far", "10.94.0.2/24", "fd94::2/64", path=path, bridge=None)
        self.sh("host", f"""ip link set rf-far mtu {mtu}
            ip addr add 10.94.0.1/24 dev rf-far
            sysctl -qw net.ipv6.conf.rf-far.disable_ipv6=0
            ip addr add fd94::1/64 dev rf-far nodad
            sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1""")
        self.run(["nsenter", f"--net={path}", "sh", "-ec", """
            ip route add default via 10.94.0.1
            ip -6 route add default via fd94::1"""])
        return path

    def process(self, words, **options):
        """A process that ends with the field."""
        one = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
        self.processes.append(one)
        return one

    def socket(self, name, family, kind, protocol=0, address=None):
        """A socket in a namespace of the lab, or in the one at a path."""
        path = name if "/" in name else self.path(name)
        return socket_in(path, family, kind, protocol, address)

    # The agent.

    def ask_report(self, path):
        """A report; empty while the agent can't answer."""
        try:
            return self.report(path)
        except (OSError, http.client.HTTPException):
            return {}

    def status(self):
        return self.ask_report("/v1/status")

    def endpoint(self, name):
        """What `status` says of an endpoint; empty where there is none of that name."""
        return next((one for one in self.status().get("endpoints", []) if one["name"] == name), {})

    def is_enforced(self, name, *addresses):
        found = self.endpoint(name)
        return found.get("state") == "enforced" and set(addresses) <= set(found["addresses"])

    def wait_enforced(self, name, *addresses, seconds=BOUND):
        if not until(lambda: self.is_enforced(name, *addresses), seconds):
            raise Wrong(f"{name} is not enforced with {', '.join(addresses)}: "
                        f"{self.endpoint(name)}\n{self.last_words()}")

    def violations(self, **wanted):
        """Refused flows of which each key has that value: `source` and `destination` are
        addresses or names of endpoints."""
        def fits(one):
            for key, value in wanted.items():
                seen = one.get(key)
                if isinstance(seen, dict) and key in ("source", "destination"):
                    if value not in (seen.get("address"), seen.get("endpoint")):
                        return False
                elif seen != value:
                    return False
            return True

        return [one for one in self.ask_report("/v1/violations").get("violations", []) if fits(one)]

    def refused(self, **wanted):
        """How many packets these violations count."""
        return sum(one["packets"] for one in self.violations(**wanted))

    def change(self, name, text):
        """Saves a policy file, and waits until another generation is in force."""
        before = self.status()["agent"]["generation"]
        self.save(name, text)
        if not until(lambda: self.status().get("agent", {}).get("generation", 0) > before):
            raise Wrong(f"{name} comes not into force: {self.status()['policies']}")

    def policies_in_force(self):
        return {one["rule"].get("policy") for one in self.ask_report("/v1/rules").get("rules", [])}

    def lint(self, text=None, name="checked.yaml"):
        """The exit status of `lint` and what it says, of a text or of the field's policies."""
        folder = self.policies
        if text is not None:
            folder = os.path.join(self.place, "linted")
            os.makedirs(folder, exist_ok=True)
            with open(os.path.join(folder, "tenants.yaml"), "w", encoding="utf-8") as file:
                file.write(TENANTS)
            data = text if isinstance(text, bytes) else text.encode()
            with open(os.path.join(folder, name), "wb") as file:
                file.write(data)
        done = self.run([self.ringfence, "lint", "--policies", folder], check=False)
        return done.returncode, done.stdout + done.stderr

    def cli(self, *words):
        done = self.run([self.ringfence, *words, "--socket", self.api], check=False)
        return done.stdout + done.stderr

    def log_text(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()


def family_of(address):
    return socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
