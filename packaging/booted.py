"""What the package does on a machine that runs: systemd starts it, keeps its sockets, and replaces it."""

import os
import re
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in ("soak", "attack"):
    sys.path.append(os.path.join(os.path.dirname(HERE), folder))

from machine import Machine  # noqa: E402
from packets import Packets  # noqa: E402
from stage import RING, TARGET, policy  # noqa: E402
from tell import say  # noqa: E402

# Two that `stage.address` gives addresses to.
NAMES = ("red-1", "blue-1")
ADDRESSES = ("10.81.0.10", "10.81.0.15")
ENDPOINT = """
ip link add br0 type bridge
ip link set br0 up
ip address add 10.81.0.1/24 dev br0
"""
VETH = """
ip netns add {name}
ip link add {name} type veth peer name eth0 netns {name}
ip link set {name} master br0 up
ip -n {name} address add {address}/24 dev eth0
ip -n {name} link set lo up
ip -n {name} link set eth0 up
"""
# linux/capability.h
CAPABILITIES = {"NET_ADMIN": 12, "SYS_PTRACE": 19, "SYS_ADMIN": 21, "BPF": 39}
UNIT = "ringfence.service"


class Host:
    """The machine with two endpoints, and packets between them."""

    names = NAMES

    def __init__(self, machine, measures):
        self.machine, self.measures = machine, measures
        self.path = machine.path
        lines = ENDPOINT + "".join(
            VETH.format(name=name, address=address) for name, address in zip(NAMES, ADDRESSES))
        done = machine.run("sh", "-e", "-c", lines)
        if done.returncode:
            raise RuntimeError(f"no endpoints: {done.stderr}")

    def true(self, measure, passed, said=""):
        say(self.measures, measure, "", True, bool(passed), bool(passed))
        if not passed and said:
            print(said)

    def show(self, name):
        """A property of the unit, as systemd has it."""
        return self.machine.run("systemctl", "show", "--value", "-p", name, UNIT).stdout.strip()

    def journal(self):
        return self.machine.run("journalctl", "--unit", UNIT, "--no-pager").stdout

    def waited(self, condition, seconds=20):
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def save(self, name, text):
        folder = f"/proc/{self.machine.init}/root/etc/ringfence/policies"
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "." + name), "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(os.path.join(folder, "." + name), os.path.join(folder, name))

    def write(self, path, text):
        path = f"/proc/{self.machine.init}/root{path}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def drop_in(self, name, lines):
        self.write(f"/run/systemd/system/{UNIT}.d/{name}.conf", f"[Service]\n{lines}\n")
        self.machine.run("systemctl", "daemon-reload")

    def undo_drop_in(self, name):
        self.machine.run("rm", f"/run/systemd/system/{UNIT}.d/{name}.conf")
        self.machine.run("systemctl", "daemon-reload")

    def write_policies(self):
        # What an operator left behind who has purged the package.
        self.machine.run("rm", "/etc/ringfence/policies/mine.yaml")
        self.save("tenants.yaml", "\n---\n".join(
            f"apiVersion: ringfence/v1\nkind: Tenant\nname: {name}\n"
            f"endpoints: [{{namespace: '{name}-*'}}]" for name in ("red", "blue")))
        self.save("ring.yaml", policy("ring-red", "red", "tenant: blue", [RING]))
        # Lets packets out; to an address opens no endpoint, so the called end refuses them.
        self.save("out.yaml", policy("out-red", "red", "cidr: 10.81.0.0/24", [TARGET]))

    def tally(self, measure, packets):
        """Says what became of the packets since the last time."""
        passed, lost, sent = packets.tally()
        say(self.measures, f"{measure}: forbidden packets that passed of {sum(sent.values()) - sent[RING]:,}",
            "packets", 0, passed, passed == 0)
        say(self.measures, f"{measure}: allowed packets lost of {sent[RING]:,}", "packets", 0, lost,
            lost == 0 and sent[RING] > 0)


class Owners:
    """Whether an endpoint's table had an owner whenever it was looked at, and how often the rulesets changed."""

    def __init__(self, host, what):
        self.host, self.what = host, what
        self.path = host.path(NAMES[0])
        self.looks = self.without = 0
        self.running = True

    def __enter__(self):
        self.monitor = subprocess.Popen(["nsenter", f"--net={self.path}", "nft", "monitor"],
                                        stdout=subprocess.PIPE, text=True)
        self.thread = threading.Thread(target=self.look, daemon=True)
        self.thread.start()
        time.sleep(0.3)
        return self

    def look(self):
        while self.running:
            listed = subprocess.run(
                ["nsenter", f"--net={self.path}", "nft", "list", "table", "inet", "ringfence"],
                capture_output=True, text=True, check=False, timeout=20)
            self.without += "flags owner" not in listed.stdout
            self.looks += 1

    def __exit__(self, kind, *_):
        self.running = False
        self.thread.join(30)
        if kind is None:
            # A change that is somebody's for certain, so that a monitor that heard of none heard nothing.
            nft = ["nsenter", f"--net={self.path}", "nft"]
            for word in ("add", "delete"):
                subprocess.run([*nft, word, "table", "inet", "witness"], check=True)
            time.sleep(0.3)
        self.monitor.kill()
        heard = self.monitor.communicate()[0]
        if kind is None:
            changes = len(re.findall(r"^# new generation", heard, flags=re.M)) - 2
            say(self.host.measures, f"{self.what}: looks at a table that had no owner, of {self.looks}",
                "looks", 0, self.without, self.without == 0 and self.looks > 3)
            say(self.host.measures, f"{self.what}: changes of its rulesets", "changes", 0, changes,
                changes == 0)


def check_booted(root, first, second, measures):
    """Both packages lie in the root's top folder."""
    with Machine(root) as machine:
        host = Host(machine, measures)
        host.write_policies()
        first, second = ("/" + os.path.basename(package) for package in (first, second))
        check_start(host, first)
        packets = Packets(host)
        try:
            check_running(host, packets, second)
        finally:
            packets.close()


def check_start(host, package):
    done = host.machine.run("dpkg", "--install", package)
    host.true("installs on a machine that runs", done.returncode == 0, done.stdout + done.stderr)
    host.true("the service is started, and is when the machine starts",
              host.show("ActiveState") == "active" and host.show("UnitFileState") == "enabled",
              host.journal())
    host.write("/etc/ringfence/agent.yaml", "hostFilter: on\n")
    # A call that the unit's list doesn't have is the end of the agent: so none is refused unseen.
    host.drop_in("strict", "SystemCallErrorNumber=kill")
    done = host.machine.run("systemctl", "restart", UNIT)
    host.true("starts with the host filter", done.returncode == 0, host.journal())
    said = host.show("StatusText")
    host.true("systemd's status tells what is enforced", "2 of 2 endpoints" in said, said)
    with open(f"/proc/{pid_outside(host)}/status", encoding="utf-8") as file:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    held = int(status["CapEff"], 16) | int(status["CapPrm"], 16) | int(status["CapBnd"], 16)
    host.true("has four capabilities, no way to more, and a filter of system calls",
              held == sum(1 << bit for bit in CAPABILITIES.values())
              and status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", str(status))
    host.true("finds network namespaces in the mount namespace of the machine",
              os.readlink(f"/proc/{pid_outside(host)}/ns/mnt")
              == os.readlink(f"/proc/{host.machine.init}/ns/mnt"))


def pid_outside(host):
    """The agent's process id as it is seen from outside of the machine."""
    inside = host.show("MainPID")
    with open(os.path.join(host.machine.group, "system.slice", UNIT, "cgroup.procs"),
              encoding="ascii") as file:
        for pid in file.read().split():
            with open(f"/proc/{pid}/status", encoding="utf-8") as status:
                if re.search(rf"^NSpid:.*\t{inside}$", status.read(), flags=re.M):
                    return int(pid)
    raise RuntimeError(f"no process {inside} in the group of {UNIT}")


def check_running(host, packets, second):
    time.sleep(1)
    host.tally("in force", packets)
    host.save("strict.yaml", policy("strict-red", "red", "tenant: blue", [RING + 1]))
    check_commands(host)
    host.tally("while the filter of system calls ends who is refused", packets)
    host.true("and ended nobody", host.show("NRestarts") == "0", host.journal())
    host.undo_drop_in("strict")
    host.machine.run("systemctl", "restart", UNIT)
    host.tally("systemctl restart", packets)
    check_reload(host)
    check_killed(host, packets)
    check_upgrade(host, packets, second)
    check_hang(host, packets)
    check_stop(host, packets)
    check_listen(host)
    check_no_policies(host, packets)
    heard = host.journal()
    wrong = [line for line in heard.split("\n")
             if re.search(r"ringfence\[\d+\]: .*(fail|denied|not permitted)", line, flags=re.I)
             and (may_raise_priorities() or "thread priority" not in line)]
    host.true("the journal tells of nothing that failed", not wrong and "generation" in heard,
              "\n".join(wrong[:20]))
    done = host.machine.run("dpkg", "--remove", "ringfence")
    host.true("is removed while it runs", done.returncode == 0 and not host.show("MainPID").strip("0"),
              done.stdout + done.stderr)
    time.sleep(0.5)
    host.tally("removed", packets)
    done = host.machine.run("dpkg", "--purge", "ringfence")
    host.true("is purged", done.returncode == 0, done.stderr)
    failed = host.machine.run("systemctl", "--failed", "--no-legend", "--plain").stdout.strip()
    host.true("no unit of the machine has failed", not failed, failed)


def may_raise_priorities():
    """Whether a service manager on this machine can do what LimitNICE= asks for; in some containers it can't."""
    code = "import resource as r; r.setrlimit(r.RLIMIT_NICE, (24, 24))"
    return subprocess.run([sys.executable, "-c", code], stderr=subprocess.DEVNULL, check=False).returncode == 0


def check_reload(host):
    host.save("more.yaml", policy("more-red", "red", "tenant: blue", [RING + 2]))
    done = host.machine.run("systemctl", "reload", UNIT)
    rules = host.machine.run("ringfence", "rules").stdout
    host.true("systemctl reload returns when a new rule is in force",
              done.returncode == 0 and "more-red" in rules, done.stderr + rules + host.journal()[-2000:])


def check_commands(host):
    """What an operator asks, of the agent as the unit lets it work."""
    words = {"status": [], "violations": [], "counters": [], "flows": [], "matrix": [], "history": [], "drift": [],
             "audit": ["--host-filter", "on"]}
    wrong = {}
    for word, options in words.items():
        done = host.machine.run("ringfence", word, *options)
        if done.returncode:
            wrong[word] = done.stdout[-2000:] + done.stderr
    host.true(f"{', '.join(words)} have an answer", not wrong, "\n".join(wrong.values()))
    found = host.machine.run("ringfence", "explain", "--from", ADDRESSES[0], "--to", ADDRESSES[1], "--protocol",
                             "udp", "--port", str(RING)).stdout
    host.true("explain says what the policies do", "admitted" in found, found)


def restarted(host, before):
    return host.waited(lambda: int(host.show("NRestarts")) > before
                       and host.show("ActiveState") == "active", 60)


def check_killed(host, packets):
    before = int(host.show("NRestarts"))
    with Owners(host, "killed"):
        os.kill(pid_outside(host), 9)
        host.true("killed: systemd starts the next agent", restarted(host, before), host.journal())
        time.sleep(0.3)
    host.tally("killed", packets)
    before = int(host.show("NRestarts"))
    for _ in range(10):
        host.waited(lambda: host.show("MainPID") != "0")
        os.kill(pid_outside(host), 9)
        time.sleep(0.1)
    host.true("killed ten times in a row: started again each time",
              host.waited(lambda: int(host.show("NRestarts")) >= before + 10
                          and host.show("ActiveState") == "active", 60), host.journal()[-3000:])
    host.tally("killed ten times in a row", packets)


def check_upgrade(host, packets, package):
    before = pid_outside(host)
    with Owners(host, "upgraded"):
        done = host.machine.run("dpkg", "--install", "--force-confold", package)
    host.true("an upgrade replaces the agent that runs",
              done.returncode == 0 and host.show("ActiveState") == "active"
              and pid_outside(host) != before, done.stdout + done.stderr)
    host.tally("upgraded", packets)


def check_listen(host):
    """A port of the loopback interface, with the drop-in that the package brings."""
    host.write("/etc/ringfence/agent.yaml", "hostFilter: on\nlisten: 127.0.0.1:9464\n")
    host.drop_in("listen", "")
    host.machine.run("cp", "/usr/share/doc/ringfence/examples/listen.conf",
                     f"/run/systemd/system/{UNIT}.d/listen.conf")
    host.machine.run("systemctl", "daemon-reload")
    host.machine.run("systemctl", "restart", UNIT)
    ask = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9464/metrics', timeout=10).read().decode())"
    done = subprocess.run(["nsenter", f"--net=/proc/{host.machine.init}/ns/net", sys.executable, "-c", ask],
                          capture_output=True, text=True, check=False)
    host.true("answers on a port with examples/listen.conf", "ringfence_rule_packets_total" in done.stdout,
              done.stderr[-500:] + host.journal()[-2000:])


def check_no_policies(host, packets):
    """All policy files with mistakes, and nothing kept of what they were."""
    host.machine.run("systemctl", "stop", UNIT)
    good = f"/proc/{host.machine.init}/root/etc/ringfence/policies"
    host.machine.run("sh", "-c", "rm -rf /var/lib/ringfence/*; mv /etc/ringfence/policies /etc/ringfence/good")
    host.save("bad.yaml", "kind: [\n")
    done = host.machine.run("systemctl", "start", UNIT, patience=60)
    host.true("no policy file can be read: the service is ready, and says so",
              done.returncode == 0 and "mistake" in host.show("StatusText"), host.show("StatusText"))
    host.tally("no policy file can be read", packets)
    host.machine.run("sh", "-c", "rm -rf /etc/ringfence/policies; mv /etc/ringfence/good /etc/ringfence/policies")
    host.true("and follows when one can", host.waited(lambda: "2 of 2" in host.show("StatusText"))
              and os.path.exists(os.path.join(good, "ring.yaml")), host.show("StatusText"))


def check_hang(host, packets):
    host.drop_in("impatient", "WatchdogSec=1\nTimeoutAbortSec=1")
    host.machine.run("systemctl", "restart", UNIT)
    before, begun = int(host.show("NRestarts")), time.monotonic()
    os.kill(pid_outside(host), 19)
    host.true("hung: the watchdog ends it, and the next agent is started", restarted(host, before),
              host.journal())
    say(host.measures, "hung: until then, with a watchdog of 1 s", "s", None,
        round(time.monotonic() - begun, 1), True)
    host.tally("hung", packets)
    host.undo_drop_in("impatient")


def check_stop(host, packets):
    done = host.machine.run("systemctl", "stop", UNIT)
    time.sleep(0.5)
    host.true("systemctl stop", done.returncode == 0 and host.show("Result") == "success",
              host.journal())
    host.tally("stopped", packets)
    done = host.machine.run("systemctl", "start", UNIT)
    host.true("and starts again", done.returncode == 0, host.journal())
    host.tally("started again", packets)
