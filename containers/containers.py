"""Starts containers behind the CNI plugin, by Debian's reference plugins and by podman.

Usage: containers.py RINGFENCE [--without-podman]

Needs root, containernetworking-plugins, and podman and busybox-static for the second part. Everything
happens in a network namespace that plays the machine. Prints a table and writes
results/containers.json. Exits with 1 if anything is not as it should be.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "soak"))
sys.path.append(os.path.join(ROOT, "attack"))

from births import mount  # noqa: E402
from places import LIBC  # noqa: E402
from runtime import PluginFailed, Runtime  # noqa: E402
from tell import say  # noqa: E402
from stage import Agent, policy  # noqa: E402

REFERENCE = "/usr/lib/cni"
MNT_DETACH = 2


class Host:
    """A namespace that plays the machine, and an agent that serves it."""

    def __init__(self, ringfence):
        self.ringfence = ringfence
        self.place = tempfile.mkdtemp(prefix="ringfence-containers-")
        self.spaces = os.path.join(self.place, "ns")
        self.path = os.path.join(self.place, "host")
        self.api = os.path.join(self.place, "agent.sock")
        self.plugins = os.path.join(self.place, "plugins")
        self.agent = None
        self.mounted = []

    def __enter__(self):
        try:
            for name in ("ns", "policies", "plugins"):
                os.mkdir(os.path.join(self.place, name))
            os.symlink(self.ringfence, os.path.join(self.plugins, "ringfence-cni"))
            self.mount(self.path)
            self.run("ip", "link", "set", "lo", "up")
            self.write_policies()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.stop()
        for path in reversed(self.mounted):
            LIBC.umount2(path.encode(), MNT_DETACH)
        shutil.rmtree(self.place, ignore_errors=True)

    def mount(self, path):
        mount(path)
        self.mounted.append(path)

    def run(self, *words, check=True, patience=60):
        return subprocess.run(["nsenter", f"--net={self.path}", *words], capture_output=True,
                              text=True, check=check, timeout=patience)

    def write_policies(self):
        web = "blue, endpoints: {matchLabels: {app: web}}"
        with open(os.path.join(self.place, "policies/all.yaml"), "w", encoding="utf-8") as file:
            file.write("\n---\n".join(
                [f"apiVersion: ringfence/v1\nkind: Tenant\nname: {name}" for name in ("blue", "green")]
                + [policy(f"blue-web-to-green-{protocol}", web, "tenant: green", [7000])
                   .replace("protocol: udp", f"protocol: {protocol}")
                   for protocol in ("udp", "tcp")]))

    def start(self):
        self.agent = subprocess.Popen(
            [self.ringfence, "agent", "--policies", os.path.join(self.place, "policies"),
             "--namespaces", self.spaces, "--host-namespace", self.path, "--socket", self.api,
             "--state", os.path.join(self.place, "state"), "--log-level", "warning"],
            start_new_session=True)
        deadline = time.monotonic() + 20
        while not self.status():
            if time.monotonic() > deadline or self.agent.poll() is not None:
                raise RuntimeError("the agent does not answer")
            time.sleep(0.02)

    def stop(self, how=signal.SIGTERM):
        if self.agent and self.agent.poll() is None:
            self.agent.send_signal(how)
            self.agent.wait(timeout=20)

    def status(self):
        try:
            connection = Agent(self.api)
            connection.request("GET", "/v1/status")
            return json.loads(connection.getresponse().read())
        except OSError:
            return None

    def endpoints(self):
        return {one["name"]: one for one in self.status()["endpoints"]}

    def network(self, kind, tenant, labels=None, subnet="10.82.0.0/24", timeout=5):
        own = {"type": "ringfence-cni", "socket": self.api, "timeout": timeout}
        if tenant:
            own["tenant"] = tenant
        if labels:
            own["labels"] = labels
        first = {"type": kind, "ipMasq": False,
                 "ipam": {"type": "host-local", "dataDir": os.path.join(self.place, "ipam"),
                          "ranges": [[{"subnet": subnet}]]}}
        if kind == "bridge":
            first |= {"bridge": "cni-test", "isGateway": True}
        return {"cniVersion": "1.0.0", "name": f"net-{kind}", "plugins": [first, own]}

    def runtime(self, *arguments, **options):
        return Runtime(self.path, [self.plugins, REFERENCE], self.network(*arguments, **options))

    def space(self, name):
        path = os.path.join(self.spaces, name)
        self.mount(path)
        return path


def datagram(source, address, port, listener):
    """Whether a datagram gets from one namespace into another."""
    receive = ["nsenter", f"--net={listener}", sys.executable, "-c",
               "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
               f"s.bind(('', {port})); s.settimeout(0.7); print('open', flush=True); s.recv(9)"]
    with subprocess.Popen(receive, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True) as receiver:
        receiver.stdout.readline()
        subprocess.run(
            ["nsenter", f"--net={source}", "bash", "-c", f"echo x > /dev/udp/{address}/{port}"],
            stderr=subprocess.DEVNULL, check=False, timeout=10)
        return receiver.wait(timeout=10) == 0


def address_of(result):
    return result["ips"][0]["address"].split("/")[0]


def failure(work):
    """The code that a plugin fails with; None where it doesn't."""
    try:
        work()
    except PluginFailed as error:
        return error.code
    return None


def reference(host, true):
    web = host.runtime("bridge", "blue", {"app": "web"})
    worker = host.runtime("bridge", "blue", {"app": "worker"})
    green = host.runtime("bridge", "green")
    version = web.call(web.last, "VERSION")
    true("VERSION names 1.0.0", "1.0.0" in version["supportedVersions"])
    true("STATUS where an agent runs", web.call(web.last, "STATUS") is None)
    spaces = {name: host.space(name) for name in ("web", "worker", "green")}
    results = {"web": web.add("web", spaces["web"]), "green": green.add("green", spaces["green"]),
               "worker": worker.add("worker", spaces["worker"])}
    true("ADD hands on the result of the plugins before it",
         results["web"]["interfaces"] and address_of(results["web"]))
    ends = host.endpoints()
    true("each container is its tenant's, and enforced when ADD returns",
         [(ends[name]["tenant"], ends[name]["state"]) for name in ("web", "worker", "green")]
         == [("blue", "enforced"), ("blue", "enforced"), ("green", "enforced")])
    to_green = address_of(results["green"])
    true("what a label allows passes", datagram(spaces["web"], to_green, 7000, spaces["green"]))
    true("what it doesn't allow does not",
         not datagram(spaces["worker"], to_green, 7000, spaces["green"]))
    true("CHECK", failure(lambda: web.check("web", spaces["web"], results["web"])) is None)
    host.stop(signal.SIGKILL)
    true("STATUS fails without an agent (50)",
         failure(lambda: web.call(web.last, "STATUS")) == 50)
    late = host.space("late")
    true("ADD fails without an agent (11)", failure(lambda: web.add("late", late)) == 11)
    true("DEL does not", failure(lambda: web.delete("late", late, None)) is None)
    host.start()
    ends = host.endpoints()
    true("containers are whose they were after a restart of the agent",
         [ends.get(name, {}).get("state") for name in ("web", "worker", "green")]
         == ["enforced"] * 3)
    true("an unknown tenant is refused (100)",
         failure(lambda: host.runtime("bridge", "nobody").add("late", late)) == 100)
    web.delete("late", late, None)
    true("a namespace that nobody claims is refused (100)",
         failure(lambda: host.runtime("bridge", None).add("late", late)) == 100)
    web.delete("late", late, None)
    true("another's namespace is refused (100)", failure(
        lambda: green.call(green.last, "ADD", "web", spaces["web"])) == 100)
    web.delete("web", spaces["web"], results["web"])
    true("DEL takes a container back", "web" not in host.endpoints())
    routed = host.runtime("ptp", "blue", {"app": "web"}, subnet="10.83.0.0/24")
    result = routed.add("routed", host.space("routed"))
    true("behind ptp as well", host.endpoints()["routed"]["state"] == "enforced"
         and address_of(result).startswith("10.83."))


class Podman:
    """podman with storage, networks and state of its own, within the namespace of the host."""

    def __init__(self, host):
        self.host = host
        place = os.path.join(host.place, "podman")
        networks = os.path.join(place, "networks")
        os.makedirs(networks)
        for start, (name, tenant, labels) in enumerate((
                ("blue-web", "blue", {"app": "web"}), ("blue", "blue", None),
                ("green", "green", None))):
            network = host.network("bridge", tenant, labels, "10.84.0.0/24")
            # Each network has a list of its own of the addresses that are taken.
            network["plugins"][0]["ipam"]["ranges"][0][0] |= {
                "rangeStart": f"10.84.0.{50 * start + 10}", "rangeEnd": f"10.84.0.{50 * start + 50}"}
            network |= {"cniVersion": "0.4.0", "name": name}
            with open(os.path.join(networks, f"{name}.conflist"), "w", encoding="utf-8") as file:
                json.dump(network, file)
        configuration = os.path.join(place, "containers.conf")
        with open(configuration, "w", encoding="utf-8") as file:
            file.write("[network]\nnetwork_backend = 'cni'\n"
                       f"cni_plugin_dirs = ['{host.plugins}', '{REFERENCE}']\n"
                       f"network_config_dir = '{networks}'\n"
                       "[engine]\ncgroup_manager = 'cgroupfs'\nevents_logger = 'file'\n"
                       "[containers]\ndns_servers = ['192.0.2.1']\ncgroups = 'disabled'\n"
                       # No more than whoever runs the test may have.
                       "default_ulimits = ['nofile=1024:1024', 'nproc=1024:1024']\n"
                       "log_driver = 'k8s-file'\n")
        self.environment = dict(os.environ, CONTAINERS_CONF=configuration)
        self.words = ["podman", "--root", os.path.join(place, "root"), "--runroot",
                      os.path.join(place, "run"), "--storage-driver", "vfs"]
        self.image = os.path.join(place, "image.tar")
        # As 'ip netns add' does: mounts there have to reach whoever has mounts of his own.
        for command in ("add", "del"):
            subprocess.run(["ip", "netns", command, f"ringfence-{os.getpid()}"], check=True)

    def run(self, *words, patience=60):
        # crun knows the first version of control groups and the second, and no mixture of both: it
        # gets to see the first alone.
        alone = ["unshare", "--mount", "--propagation", "unchanged", "sh", "-c",
                 'umount /sys/fs/cgroup/unified 2>/dev/null; exec "$@"', "sh"]
        return subprocess.run(
            [*alone, "nsenter", f"--net={self.host.path}", *self.words, *words], env=self.environment,
            capture_output=True, text=True, check=False, timeout=patience)

    def make_image(self):
        """A root file system of one file and its names."""
        with tarfile.open(self.image, "w") as archive:
            archive.add("/bin/busybox", "bin/busybox")
            for name in ("sh", "nc", "ip", "sleep", "cat"):
                link = tarfile.TarInfo(f"bin/{name}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                archive.addfile(link)
            for name in ("etc", "tmp", "proc", "sys", "dev", "run"):
                folder = tarfile.TarInfo(name)
                folder.type, folder.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(folder)
        return self.run("import", self.image, "tiny")

    def clean(self):
        self.run("rm", "--all", "--force", "--time", "0")
        self.run("rmi", "--all", "--force")
        self.run("system", "reset", "--force")


def podman(host, true):
    runner = Podman(host)
    try:
        done = runner.make_image()
        true("podman imports a root file system", done.returncode == 0, done.stderr)
        done = runner.run("run", "--detach", "--name", "green", "--network", "green", "tiny",
                          "/bin/sh", "-c", "while true; do nc -l -p 7000 >> /tmp/got; done")
        true("podman starts a container", done.returncode == 0, done.stderr)
        done = runner.run("inspect", "--format", "{{range .NetworkSettings.Networks}}"
                          "{{.IPAddress}}{{end}}", "green")
        address = done.stdout.strip()
        true("which is enforced", any(
            address in one["addresses"] and one["tenant"] == "green" and one["state"] == "enforced"
            for one in host.status()["endpoints"]), f"{address} {host.status()['endpoints']}")
        for network, word in (("blue", "forbidden"), ("blue-web", "allowed")):
            runner.run("run", "--rm", "--network", network, "tiny", "/bin/sh", "-c",
                       f"echo {word} | nc -w 2 {address} 7000")
        done = runner.run("exec", "green", "cat", "/tmp/got")
        true("what a container may send arrives, and nothing else",
             done.stdout.split() == ["allowed"], done.stdout + done.stderr)
        host.stop(signal.SIGKILL)
        done = runner.run("run", "--rm", "--network", "blue", "tiny", "/bin/sh", "-c", "echo ran")
        true("without an agent podman starts none",
             done.returncode != 0 and "ran" not in done.stdout.split()
             and "no agent is listening" in done.stderr, done.stdout + done.stderr)
        host.start()
    finally:
        runner.clean()


def main():
    measures = []

    def true(measure, passed, said=""):
        say(measures, measure, "", True, bool(passed), bool(passed))
        if not passed and said:
            print(said)

    with Host(os.path.abspath(sys.argv[1])) as host:
        reference(host, true)
    if "--without-podman" not in sys.argv:
        with Host(os.path.abspath(sys.argv[1])) as host:
            podman(host, true)
    os.makedirs(os.path.join(ROOT, "results"), exist_ok=True)
    with open(os.path.join(ROOT, "results/containers.json"), "w", encoding="utf-8") as file:
        json.dump(measures, file, indent=2)
        file.write("\n")
    sys.exit(0 if all(one["pass"] for one in measures) else 1)


if __name__ == "__main__":
    if os.geteuid() != 0:
        sys.exit("namespaces are made here: run it as root")
    main()
