"""Namespaces with tenants in them, policies, and an agent that can be killed.

What the scripts beside this one, and those in monitoring/, have in common. Needs root.
"""

import ctypes
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NAMES = {"mallory-1": 10, "victim-1": 11, "friend-1": 12, "bystander-1": 13}
LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000


class Space:
    """Sockets made inside a network namespace, on a thread that ends."""

    def __init__(self, path):
        self.path = path

    def socket(self, *arguments):
        made = []

        def make():
            with open(self.path, "rb") as space:
                if LIBC.setns(space.fileno(), CLONE_NEWNET) == 0:
                    made.append(socket.socket(*arguments))

        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        if not made:
            raise OSError(f"no socket can be made in {self.path}")
        return made[0]


class Lab:
    """Namespaces, policies and an agent; `listen` is a loopback port in the hosts' namespace, and
    `stdout` where the agent's standard output goes."""

    def __init__(self, ringfence, policies, mode="off", listen=None, name="counts", stdout=None):
        self.stdout = stdout
        self.ringfence, self.mode, self.listen = ringfence, mode, listen
        self.texts = policies
        self.name = f"{name}-{os.getpid()}-{mode}"
        self.place = tempfile.mkdtemp(prefix=f"ringfence-{name}-")
        self.spaces = f"/run/ringfence-lab/{self.name}/ns"
        self.host = f"/run/ringfence-lab/{self.name}/rf-{self.name}"
        self.policies = os.path.join(self.place, "policies")
        self.api = os.path.join(self.place, "agent.sock")
        self.agent = None

    def __enter__(self):
        try:
            self.raise_lab()
            shutil.copytree(os.path.join(ROOT, "attack/policies"), self.policies)
            os.remove(os.path.join(self.policies, "allowed.yaml"))
            for name, text in self.texts.items():
                self.save(name, text)
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.agent and self.agent.poll() is None:
            self.agent.terminate()
            self.agent.wait(timeout=20)
        subprocess.run([self.ringfence, "lab", "down", self.name], check=False,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)
        shutil.rmtree(self.place, ignore_errors=True)

    def raise_lab(self):
        with open(os.path.join(ROOT, "lab/attack.yaml"), encoding="utf-8") as file:
            text = re.sub(r"^name: .*", f"name: {self.name}", file.read(), flags=re.M)
        path = os.path.join(self.place, "lab.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        subprocess.run([self.ringfence, "lab", "up", path], check=True,
                       stdout=subprocess.DEVNULL, timeout=60)
        # Until duplicate address detection has ended, IPv6 addresses can't be used.
        deadline = time.monotonic() + 8
        while not all(self.reaches(name) for name in NAMES):
            if time.monotonic() > deadline:
                sys.exit("the lab's IPv6 addresses don't come up")
            time.sleep(0.1)

    def reaches(self, name):
        other = "friend-1" if name != "friend-1" else "victim-1"
        with self.space(other).socket(socket.AF_INET6, socket.SOCK_DGRAM) as receiver, \
                self.space(name).socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender:
            receiver.settimeout(0.2)
            try:
                receiver.bind((f"fd79::{NAMES[other]}", 4999))
                sender.bind((f"fd79::{NAMES[name]}", 0))
                sender.sendto(b"x", (f"fd79::{NAMES[other]}", 4999))
                return bool(receiver.recv(10))
            except OSError:
                return False

    def space(self, name):
        return Space(os.path.join(self.spaces, name))

    def interface(self, name):
        """The interface of an endpoint that isn't the loopback device."""
        return self.link(name)["ifname"]

    def hardware_address(self, name):
        return bytes.fromhex(self.link(name)["address"].replace(":", ""))

    def link(self, name):
        done = subprocess.run(
            ["nsenter", f"--net={os.path.join(self.spaces, name)}", "ip", "-json", "link"],
            capture_output=True, check=True, timeout=20)
        return next(one for one in json.loads(done.stdout) if one["link_type"] == "ether")

    def save(self, name, text):
        path = os.path.join(self.policies, "." + name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(path, os.path.join(self.policies, name))

    def remove(self, name):
        os.remove(os.path.join(self.policies, name))

    # The agent.

    def start(self):
        if self.listen is not None:
            subprocess.run(self.inside() + ["ip", "link", "set", "lo", "up"], check=True)
        with open(os.path.join(self.place, "agent.log"), "ab") as log:
            self.agent = subprocess.Popen(
                self.command(), stdout=self.stdout, stderr=log, start_new_session=True)
        self.wait("all endpoints enforced", lambda: {
            one["state"] for one in self.ask("status")["endpoints"]} == {"enforced"}
            and len(self.ask("status")["endpoints"]) == len(NAMES))

    def command(self):
        agent = [
            self.ringfence, "agent", "--policies", self.policies, "--namespaces", self.spaces,
            "--host-namespace", self.host, "--socket", self.api, "--host-filter", self.mode,
            "--state", os.path.join(self.place, "state")]
        if self.listen is None:
            return agent
        # The machine's own loopback interface is not ours to listen on.
        return self.inside() + agent + ["--listen", f"127.0.0.1:{self.listen}"]

    def inside(self):
        """What a command in the hosts' namespace begins with."""
        return ["nsenter", f"--net={self.host}"]

    def kill(self):
        self.agent.send_signal(signal.SIGKILL)
        self.agent.wait()

    def wait(self, what, condition):
        deadline = time.monotonic() + 20
        while True:
            try:
                if condition():
                    return
            except subprocess.CalledProcessError:
                pass
            if time.monotonic() > deadline or self.agent.poll() is not None:
                with open(os.path.join(self.place, "agent.log"), encoding="utf-8") as log:
                    sys.exit(f"not in time: {what}\n" + "".join(log.readlines()[-15:]))
            time.sleep(0.05)

    def ask(self, question):
        done = subprocess.run(
            [self.ringfence, question, "--socket", self.api, "--output", "json"],
            capture_output=True, check=True, timeout=60)
        return json.loads(done.stdout)

    def generation(self):
        return self.ask("status")["agent"]["generation"]

    def change(self, work):
        before = self.generation()
        work()
        self.wait("the next generation", lambda: self.generation() > before)


def address(name, family):
    return f"10.79.0.{NAMES[name]}" if family == socket.AF_INET else f"fd79::{NAMES[name]}"


def needs_root():
    if os.geteuid() != 0:
        sys.exit("namespaces are made here: run it as root")
