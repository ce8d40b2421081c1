"""Ends an agent and times the next one until it knows that the kernel holds what the files say.

Usage: reconcile.py RUNS KEPT SOCKET NAMESPACES -- RINGFENCE agent ...

KEPT is 1 where a service manager keeps the sockets that own the tables, 0 where nobody does. Prints JSON:
the seconds of each run from the start of the process until /readyz says yes, the seconds until /v1/status
answers, and how many transactions the kernel saw in all namespaces while nothing differed.
"""

import ctypes
import http.client
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

from manager import Manager, reserve_descriptors
from stage import Agent

ROOM = 4096
CLONE_NEWNET = 0x40000000
# NFNL_SUBSYS_NFTABLES and NFT_MSG_GETGEN of linux/netfilter; NLM_F_REQUEST.
GETGEN = struct.pack("=IHHIIBBH", 20, 10 << 8 | 16, 1, 1, 0, 0, 0, 0)
LIBC = ctypes.CDLL(None, use_errno=True)


def generations(folder):
    """Where the rulesets of every namespace in the folder stand."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    found = {}
    try:
        for name in sorted(os.listdir(folder)):
            space = os.open(os.path.join(folder, name), os.O_RDONLY)
            enter(space)
            os.close(space)
            with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as asker:
                asker.send(GETGEN)
                answer = asker.recv(4096)
            found[name] = struct.unpack(">I", answer[24:28])[0]
    finally:
        enter(home)
        os.close(home)
    return found


def enter(space):
    if LIBC.setns(space, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Runner:
    def __init__(self, kept, path, command, place):
        self.manager = Manager(place, ROOM) if kept else None
        self.path, self.command = path, command
        self.agent = None

    def start(self):
        if self.manager:
            self.agent = self.manager.start(self.command)
        else:
            self.agent = subprocess.Popen(self.command, start_new_session=True)

    def ask(self, path):
        connection = Agent(self.path)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()

    def wait(self, path, begun, limit=120):
        while self.ask(path)[0] != 200:
            if time.monotonic() - begun > limit or self.agent.poll() is not None:
                sys.exit(f"{path}: no answer in {limit} s, exit status {self.agent.poll()}")
            time.sleep(0.002)
        return time.monotonic() - begun

    def enforced(self):
        status = json.loads(self.ask("/v1/status")[1])
        return all(one["state"] == "enforced" for one in status["endpoints"])

    def end(self, how):
        if self.agent and self.agent.poll() is None:
            self.agent.send_signal(how)
            self.agent.wait(timeout=30)


def main():
    runs, kept, path, folder = int(sys.argv[1]), sys.argv[2] == "1", sys.argv[3], sys.argv[4]
    reserve_descriptors(ROOM)
    ready, answered, writes = [], [], 0
    with tempfile.TemporaryDirectory() as place:
        runner = Runner(kept, path, sys.argv[6:], place)
        try:
            runner.start()
            runner.wait("/v1/status", time.monotonic())
            for _ in range(runs):
                # What a later agent compares is written a second after the last change.
                time.sleep(3)
                before = generations(folder)
                runner.end(signal.SIGKILL)
                begun = time.monotonic()
                runner.start()
                ready.append(runner.wait("/readyz", begun))
                answered.append(runner.wait("/v1/status", begun))
                if not runner.enforced():
                    sys.exit("an endpoint is not enforced")
                after = generations(folder)
                writes += sum(after[name] - before[name] for name in before)
        finally:
            runner.end(signal.SIGTERM)
    print(json.dumps({"ready": ready, "answered": answered, "writes": writes}))


if __name__ == "__main__":
    main()
