"""Endpoints that come into being while somebody waits to get at them, or out of them."""

import ctypes
import os
import selectors
import socket
import subprocess
import threading
import time

from stage import NAMES, RING, Wrong, address
from places import LIBC, new_namespace, socket_in, within

FORBIDDEN = 7400
MS_BIND, MNT_DETACH = 4096, 2
OUTSIDE = "10.81.0.1"
BATCH = 40
# Of the links, so that they can be removed together.
GROUP = 4081


def place(number):
    return f"10.81.{1 + number // 250}.{1 + number % 250}"


class Births:
    """Each newcomer is announced, enforced, and only then gets its link and its address. All the
    time somebody outside sends it what it must not get; and as soon as it may, it sends somebody
    outside what it must not send, and somebody else what it may."""

    def __init__(self, stage):
        self.stage = stage
        self.alive = []
        self.born = self.reached = self.escaped = self.allowed = self.intruded = 0
        self.enforced_in = []
        self.running = True
        self.aim = []
        self.selector = selectors.DefaultSelector()

    def play(self, count, deadline):
        stage = self.stage
        outside = socket_in(stage.host, socket.AF_INET, socket.SOCK_DGRAM, 0, ("0.0.0.0", FORBIDDEN))
        friend = socket_in(stage.path(NAMES[5]), socket.AF_INET, socket.SOCK_DGRAM, 0,
                           (address(NAMES[5], socket.AF_INET), RING))
        for one, name in ((outside, "escaped"), (friend, "allowed")):
            one.setblocking(False)
            self.selector.register(one, selectors.EVENT_READ, name)
        threads = [threading.Thread(target=work, daemon=True) for work in (self.flood, self.watch)]
        for thread in threads:
            thread.start()
        try:
            for number in range(count):
                if time.monotonic() > deadline:
                    break
                self.bear(number)
                if len(self.alive) >= BATCH:
                    self.bury()
            self.bury()
            time.sleep(0.2)
        finally:
            self.running = False
            for thread in threads:
                thread.join()
            self.bury()
            outside.close()
            friend.close()

    # One life.

    def bear(self, number):
        path = os.path.join(self.stage.born, f"red-born-{number}")
        self.alive.append((path, number))
        self.aim = [place(number), place(number + 1)]
        mount(path)
        begun = time.monotonic()
        self.enforce({"namespace": path, "tenant": "red"})
        self.link(path, number)
        self.enforce({"namespace": path, "addresses": [place(number)]})
        self.enforced_in.append(time.monotonic() - begun)
        self.born += 1
        if number % 20 == 0:
            self.run(path, number)
        else:
            with socket_in(path, socket.AF_INET, socket.SOCK_DGRAM) as newcomer:
                for target in ((OUTSIDE, FORBIDDEN), (address(NAMES[5], socket.AF_INET), RING)):
                    try:
                        newcomer.sendto(b"born", target)
                    except PermissionError:
                        pass

    def enforce(self, request):
        status, body = self.stage.ask("/v1/endpoints/await", request)
        if status != 200:
            raise Wrong(f"not enforced: {body.decode()}")

    def run(self, path, number):
        """The same by the command that waits for enforcement itself."""
        script = (f"echo born > /dev/udp/{OUTSIDE}/{FORBIDDEN}; "
                  f"echo born > /dev/udp/{address(NAMES[5], socket.AF_INET)}/{RING}; true")
        done = subprocess.run(
            [self.stage.ringfence, "run", "red", "--namespace", path, "--socket", self.stage.api,
             "--user", "nobody", "--", "/bin/bash", "-c", script], capture_output=True, text=True,
            timeout=60, check=False)
        if done.returncode:
            raise Wrong(f"ringfence run: {done.stderr}")

    def link(self, path, number):
        batch = (f"link add b{number} type veth peer name eth0 netns {path}\n"
                 f"link set b{number} master lab group {GROUP} up\n")
        within_ip(self.stage.host, batch)
        within_ip(path, f"addr add {place(number)}/16 dev eth0\nlink set eth0 up\n")

    def bury(self):
        """Counts what a newcomer's kernel was given, and takes it away."""
        for path, _ in self.alive:
            try:
                self.intruded += within(path, received)
            except OSError:
                pass
            LIBC.umount2(path.encode(), MNT_DETACH)
            if os.path.exists(path):
                os.remove(path)
        # All at once: the kernel waits for its readers after each removal, not after each link.
        if self.alive:
            subprocess.run(["nsenter", f"--net={self.stage.host}", "ip", "link", "del", "group",
                            str(GROUP)], check=False, stderr=subprocess.DEVNULL)
        self.alive = []

    # Those who wait for it.

    def flood(self):
        with socket_in(self.stage.host, socket.AF_INET, socket.SOCK_DGRAM) as outside:
            while self.running:
                for target in self.aim:
                    try:
                        outside.sendto(b"intruder", (target, FORBIDDEN))
                    except OSError:
                        pass
                time.sleep(0.001)

    def watch(self):
        while self.running:
            for key, _ in self.selector.select(0.05):
                try:
                    while True:
                        key.fileobj.recv(64)
                        setattr(self, key.data, getattr(self, key.data) + 1)
                except BlockingIOError:
                    pass


def mount(path):
    with open(path, "w", encoding="utf-8"):
        pass
    namespace = new_namespace()
    try:
        source = f"/proc/self/fd/{namespace}".encode()
        if LIBC.mount(source, path.encode(), b"none", MS_BIND, None) != 0:
            raise OSError(ctypes.get_errno(), "mount", path)
    finally:
        os.close(namespace)


def within_ip(path, batch):
    done = subprocess.run(["nsenter", f"--net={path}", "ip", "-batch", "-"], input=batch,
                          capture_output=True, text=True, check=False, timeout=30)
    if done.returncode:
        raise Wrong(f"ip: {done.stderr}")


def received():
    """UDP datagrams that the namespace's own kernel was given, whoever they were for."""
    with open("/proc/thread-self/net/snmp", encoding="ascii") as file:
        names, numbers = [line.split()[1:] for line in file if line.startswith("Udp:")]
    seen = dict(zip(names, map(int, numbers)))
    return seen["InDatagrams"] + seen["NoPorts"]
