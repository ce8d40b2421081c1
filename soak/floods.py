"""What a hostile tenant does as fast as it can, until it is ended.

Usage: floods.py KIND PROCESSOR TARGET...

KIND is one of FLOODS below, PROCESSOR the number of the only processor that it gets, or -1. Prints a line when it
has begun; on SIGTERM it puts an end to what it made, and prints how often it did what it does.
"""

import ctypes
import itertools
import os
import signal
import socket
import struct
import sys
import time

from births import mount
from places import CLONE_NEWNET, LIBC, socket_in, within

RTM_NEWADDR, RTM_DELADDR = 20, 21
REQUEST, CREATE, EXCLUDE = 1, 0x400, 0x200
IFA_ADDRESS, IFA_LOCAL = 1, 2
MNT_DETACH = 2
NETLINK_NETFILTER = 12
SO_SNDBUFFORCE = 32
running = True


def flows(space, source, target, port):
    """Each packet opens a flow that is allowed."""
    caller = callers(space, source)
    while running:
        with caller() as one:
            send(one, (target, int(port)))
            yield


def refused(space, source, port, *targets):
    """Each packet opens a flow that is refused: every other by the caller's own rules, the rest by a called end's."""
    caller = callers(space, source)
    numbers, called = itertools.cycle(range(30_000, 60_000)), itertools.cycle(targets)
    while running:
        with caller() as one:
            target = next(called)
            send(one, (target, next(numbers)))
            send(one, (target, int(port)))
            yield


def callers(space, source):
    """A way to many sockets of a namespace, without a thread for each: this process moves there and stays."""
    with open(space, "rb") as namespace:
        if LIBC.setns(namespace.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns", space)

    def make():
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.bind((source, 0))
        one.setblocking(False)
        return one

    return make


def send(one, target):
    try:
        one.sendto(b"hostile", target)
    except (PermissionError, BlockingIOError):
        pass


def addresses(space, device):
    """Addresses of both families that come and go."""
    index = within(space, lambda: socket.if_nametoindex(device))
    made = []
    with socket_in(space, socket.AF_NETLINK, socket.SOCK_RAW, 0) as kernel:
        for number in itertools.count():
            if not running:
                break
            address = (socket.AF_INET, socket.inet_pton(socket.AF_INET, f"10.81.9.{1 + number % 200}"))
            if number % 2:
                address = (socket.AF_INET6, socket.inet_pton(socket.AF_INET6, f"fd81::9:{1 + number % 200:x}"))
            ask(kernel, RTM_NEWADDR, index, *address)
            made.append(address)
            yield
            # Some stay for a while, so that what there is differs each time.
            if len(made) > 8:
                ask(kernel, RTM_DELADDR, index, *made.pop(0))
                yield
        for address in made:
            ask(kernel, RTM_DELADDR, index, *address)


def ask(kernel, kind, index, family, raw):
    """struct ifaddrmsg and the two attributes that an address takes; the kernel doesn't answer."""
    length = len(raw) * 8
    # IFA_F_NODAD: nobody waits until neighbours were asked.
    body = struct.pack("=BBBBI", family, length, 0x02, 0, index)
    for attribute in (IFA_LOCAL, IFA_ADDRESS):
        body += struct.pack("=HH", 4 + len(raw), attribute) + raw
    flags = REQUEST | (CREATE | EXCLUDE if kind == RTM_NEWADDR else 0)
    kernel.send(struct.pack("=IHHII", 16 + len(body), kind, flags, 1, 0) + body)


def namespaces(folder, name):
    """Namespaces of the tenant that are born and die at once."""
    alive = []
    try:
        for number in itertools.count():
            if not running:
                break
            path = os.path.join(folder, f"{name}{number}")
            alive.append(path)
            mount(path)
            yield
            if len(alive) > 4:
                bury(alive.pop(0))
                yield
    finally:
        for path in alive:
            bury(path)


def bury(path):
    LIBC.umount2(path.encode(), MNT_DETACH)
    os.remove(path)


def policies(folder, source, target):
    """A file of the tenant's own that is saved again and again; every third time it is wrong."""
    path = os.path.join(folder, "hostile.yaml")
    texts = [text_of(source, target, first) for first in (20_001, 25_001)] + ["kind: Policy\nname: [\n"]
    try:
        for text in itertools.cycle(texts):
            if not running:
                break
            with open(os.path.join(folder, ".hostile"), "w", encoding="utf-8") as file:
                file.write(text)
            os.rename(os.path.join(folder, ".hostile"), path)
            yield
    finally:
        os.remove(path)


def text_of(source, target, first, count=50):
    rules = "\n".join(f"  - {{protocol: udp, ports: [{first + number * 2}]}}" for number in range(count))
    return (f"apiVersion: ringfence/v1\nkind: Policy\nname: hostile\nfrom: [{{tenant: {source}}}]\n"
            f"to: [{{tenant: {target}}}]\nallow:\n{rules}\n")


def rulesets(space):
    """Transactions of nf_tables that take the kernel long, two at a time: until they are done it begins no other."""
    batch = transaction(100_000)
    child = os.fork()
    if child == 0:
        # Next to nothing to do, but to wait for the large ones: on whatever processor is free.
        os.sched_setaffinity(0, range(os.cpu_count()))
        batch = transaction(1)
    with within(space, lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)) as kernel:
        kernel.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 1 << 30)
        try:
            while running:
                kernel.send(batch)
                if child == 0:
                    time.sleep(0.001)
                yield
        finally:
            if child == 0:
                os._exit(0)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def transaction(rules):
    """A table with so many rules that comes and goes within one transaction: linux/netfilter/nf_tables.h."""
    table, chain = attribute(1, b"hostile\0"), attribute(3, b"chain\0")
    place = attribute(1, b"hostile\0") + attribute(2, b"chain\0")
    # NFT_MSG_NEWTABLE, NEWCHAIN, NEWRULE and DELTABLE, between NFNL_MSG_BATCH_BEGIN and END.
    middle = [message(0xa00, CREATE, table), message(0xa03, CREATE, table + chain),
              message(0xa06, CREATE | 0x800, place) * rules, message(0xa02, 0, table)]
    return b"".join([message(0x10, 0, b"", 10), *middle, message(0x11, 0, b"", 10)])


def message(kind, flags, attributes, resource=0):
    """struct nlmsghdr and nfgenmsg; the family is inet where a table is spoken of."""
    body = struct.pack("=BB", 0 if resource else 1, 0) + struct.pack("!H", resource) + attributes
    return struct.pack("=IHHII", 16 + len(body), kind, flags | REQUEST, 0, 0) + body


def attribute(kind, value):
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


FLOODS = {one.__name__: one for one in (flows, refused, addresses, namespaces, policies, rulesets)}


def stop(*_):
    global running
    running = False


def main():
    kind, processor, *arguments = sys.argv[1:]
    if int(processor) >= 0:
        os.sched_setaffinity(0, [int(processor)])
    signal.signal(signal.SIGTERM, stop)
    print("begun", flush=True)
    print(sum(1 for _ in FLOODS[kind](*arguments)), flush=True)


if __name__ == "__main__":
    main()
