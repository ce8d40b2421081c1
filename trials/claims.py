"""Claims by process, and addresses beyond the limit."""

import ctypes
import os
import signal

from calls import udp
from field import policy, until
from trial import OFF, case

BLUE_TO_GREEN = ("open.yaml", policy("open", "{tenant: blue}", "{tenant: green}",
                                     "protocol: udp, ports: [5000]"))
CLONE3 = 435
# The interpreter's lock stays held over the call, as it does over os.fork().
SYSCALL = ctypes.PyDLL(None, use_errno=True).syscall


def start_as(pid, words):
    """Starts a program under a number that is free: clone3(2) with `set_tid`."""
    number = ctypes.c_int(pid)
    # flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size
    wanted = (ctypes.c_uint64 * 10)(0, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, ctypes.addressof(number), 1)
    child = SYSCALL(CLONE3, ctypes.byref(wanted), ctypes.sizeof(wanted))
    if child == 0:
        try:
            os.execvp(words[0], words)
        finally:
            os._exit(127)
    if child < 0:
        raise OSError(ctypes.get_errno(), "clone3")
    return child


@case("12", "a process's number that is given to another one", "the claim ends with the process",
      "cri-o#2849", modes=(OFF,))
def recycled(t):
    field = t.field("green-1", policies=[BLUE_TO_GREEN])
    t.server(field, "green-1", 5000)
    first = field.process(["unshare", "--net", "sleep", "300"])
    path = f"/proc/{first.pid}/ns/net"
    own = os.stat("/proc/self/ns/net").st_ino
    until(lambda: os.stat(path).st_ino != own)
    field.save("claim.yaml", "apiVersion: ringfence/v1\nkind: Tenant\nname: gold\n"
               f"endpoints: [{{pid: {first.pid}}}]\n")
    field.save("open.yaml", policy("open", "{tenant: gold}", "{tenant: green}",
                                   "protocol: udp, ports: [5000]"))
    field.plug("gold-1", "10.90.0.99/24", path=path)
    t.claim("the process is gold's", udp(field, path, field.v4("green-1"), 5000, 15))
    first.kill()
    first.wait()
    stranger = start_as(first.pid, ["unshare", "--net", "sleep", "300"])

    def end():
        os.kill(stranger, signal.SIGKILL)
        os.waitpid(stranger, 0)

    t.callback(end)
    until(lambda: os.stat(path).st_ino != own)
    until(lambda: "rf-gold-1" not in field.sh("host", "ip -o link"), 30)
    field.plug("gold-2", "10.90.0.99/24", path=path)

    def is_refused(when):
        until(lambda: not any(one["tenant"] == "gold" for one in field.status()["endpoints"]), 5)
        t.claim(f"the stranger is refused {when}",
                not udp(field, path, field.v4("green-1"), 5000, 0.7), field.cli("status"))

    is_refused("at first")
    field.agent.send_signal(signal.SIGHUP)
    field.change("more.yaml", policy("more", "{tenant: red}", "{tenant: green}",
                                     "protocol: udp, ports: [5001]"))
    is_refused("after a reload")
    field.kill(signal.SIGTERM)
    field.start()
    field.wait_ready()
    is_refused("after a restart")


@case("36", "more addresses than an endpoint may have", "the newest are refused, by name", "own")
def many_addresses(t):
    field = t.field(policies=[BLUE_TO_GREEN])
    t.server(field, "green-1", 5000)
    for target in field.both("green-1"):
        t.claim(f"calls to {target} pass before", udp(field, "blue-1", target, 5000))
    field.sh("blue-1", "\n".join(f"ip addr add 10.90.0.{one}/24 dev eth0" for one in range(100, 170)))
    until(lambda: field.endpoint("blue-1").get("state") != "enforced")
    for target, own in zip(field.both("green-1"), field.both("blue-1")):
        t.claim(f"calls from {own}, the first, pass", udp(
            field, "blue-1", target, 5000, 5, (own, 0)), field.violations(source=own))
    t.claim("calls from an early one pass", udp(
        field, "blue-1", field.v4("green-1"), 5000, 5, ("10.90.0.110", 0)))
    t.claim("calls from the newest are refused", not udp(
        field, "blue-1", field.v4("green-1"), 5000, 0.5, ("10.90.0.169", 0)))
    said = field.cli("status")
    # The first ones, the 64 that count and those beyond are in one line.
    line = next((one for one in said.splitlines() if "may not use" in one), "")
    t.claim("status names what is beyond the limit", "10.90.0.161" in line and "64" in line, said)
    t.claim("and none that counts", "10.90.0.110" not in line and "fd90" not in line, line)
