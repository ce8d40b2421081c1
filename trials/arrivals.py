"""Namespaces that come, go, change places and share names."""

import os
import stat
import time

from births import mount
from calls import tcp, udp
from field import policy, until
from trial import OFF, ON, ONLY, case

OPEN = 5000
BLUE_TO_GREEN = ("open.yaml", policy("open", "{tenant: blue}", "{tenant: green}",
                                     f"protocol: udp, ports: [{OPEN}]"))
ADDRESS = "10.90.0.99"


@case("04", "an address changes hands, small policies", "none of 900 datagrams arrives",
      "code-on-incus#478, antrea#6507")
def changes_hands(t):
    field = t.field("green-1", policies=[BLUE_TO_GREEN])
    sent = arrived = 0
    for number in range(6):
        field.bear("blue-9")
        field.plug("blue-9", f"{ADDRESS}/24")
        server = t.server(field, "green-1", OPEN)
        t.claim(f"blue's calls pass, round {number + 1}",
                udp(field, "blue-9", field.v4("green-1"), OPEN, 15))
        server.close()
        ready = os.path.join(field.place, "ready")
        field.namespace(ready)
        field.bury("blue-9")
        until(lambda: "rf-blue-9" not in field.sh("host", "ip -o link"))
        field.plug("red-9", f"{ADDRESS}/24", path=ready)
        stream = t.stream(field, ready, field.v4("green-1"), OPEN, "green-1")
        field.births.add("red-9")
        with open(field.path("red-9"), "x", encoding="ascii"):
            pass
        field.run(["mount", "--bind", ready, field.path("red-9")])
        field.mounts.append(field.path("red-9"))
        stream.has_sent(150)
        field.wait_enforced("red-9", ADDRESS)
        stream.close()
        sent, arrived = sent + stream.sent, arrived + len(stream.arrived)
        field.bury("red-9")
        field.run(["umount", ready])
        os.remove(ready)
        field.mounts.remove(ready)
        until(lambda: "rf-red-9" not in field.sh("host", "ip -o link"))
    t.fact(f"{arrived} of {sent} passed")
    t.claim("none arrives", arrived == 0, arrived)


@case("13", "a link to /proc/PID/ns/net in the folder", "followed, and ends with the process",
      "firejail#3664", modes=(OFF,))
def link_to_process(t):
    field = t.field("green-1", policies=[BLUE_TO_GREEN])
    t.server(field, "green-1", OPEN)
    field.births.add("blue-9")
    for number in (1, 2):
        process = field.process(["unshare", "--net", "sleep", "300"])
        path = f"/proc/{process.pid}/ns/net"
        until(lambda: os.stat(path).st_ino != os.stat("/proc/self/ns/net").st_ino)
        field.plug(f"blue-{number}", f"10.90.0.{98 + number}/24", path=path)
        os.symlink(path, field.path("blue-9") + "~")
        os.rename(field.path("blue-9") + "~", field.path("blue-9"))
        t.claim(f"process {number} is followed", udp(field, "blue-9", field.v4("green-1"), OPEN, 15))
    began = time.monotonic()
    process.kill()
    process.wait()
    if t.claim("its endpoint ends", until(lambda: not field.endpoint("blue-9"), 30)):
        t.within("the endpoint ends", time.monotonic() - began, 20)
    t.claim("its veth is gone", until(lambda: "rf-blue-2" not in field.sh("host", "ip -o link")))
    os.unlink(field.path("blue-9"))


@case("14", "files in the folder that are no namespaces", "carried on, and named",
      "containerd#10431, neutron#59", modes=(OFF,))
def stale_names(t):
    field = t.field("green-1", policies=[BLUE_TO_GREEN])
    t.server(field, "green-1", OPEN)
    place = field.born
    for name in ("blue-file", "blue-text"):
        with open(os.path.join(place, name), "w", encoding="ascii") as file:
            file.write("" if name == "blue-file" else "no namespace\n")
    os.chmod(os.path.join(place, "blue-file"), 0)
    os.mkdir(os.path.join(place, "blue-folder"))
    os.mkfifo(os.path.join(place, "blue-fifo"))
    os.mknod(os.path.join(place, "blue-socket"), stat.S_IFSOCK | 0o600)
    os.symlink("/nowhere", os.path.join(place, "blue-link"))
    names = sorted(os.listdir(place))
    field.bear("blue-9")
    field.plug("blue-9", f"{ADDRESS}/24")
    t.claim("a namespace beside them works", udp(field, "blue-9", field.v4("green-1"), OPEN, 15))

    def unnamed():
        said = str(field.status())
        return [name for name in names if name not in said]

    until(lambda: not unnamed())
    t.claim("status names each", not unnamed(), f"not named: {', '.join(unnamed())}")
    os.remove(os.path.join(place, "blue-file"))
    field.bury("blue-9")
    field.bear("blue-file")
    field.plug("blue-file", "10.90.0.98/24")
    t.claim("a mount over a stale name works", udp(
        field, "blue-file", field.v4("green-1"), OPEN, 15))


@case("15", "another namespace over the same name", "followed", "systemd#2741")
def over_the_name(t):
    field = t.field("green-1", policies=[BLUE_TO_GREEN])
    t.server(field, "green-1", OPEN)
    field.bear("blue-9")
    field.plug("blue-9", f"{ADDRESS}/24")
    t.claim("the first works", udp(field, "blue-9", field.v4("green-1"), OPEN, 15))
    # As the unit netns@.service does: the name is unmounted and bound to the unit's own.
    field.run(["umount", field.path("blue-9")])
    mount(field.path("blue-9"))
    field.plug("blue-8", "10.90.0.98/24", path=field.path("blue-9"))
    t.claim("the one in its place works", udp(field, "blue-9", field.v4("green-1"), OPEN, 15))
    field.mounts.append(field.path("blue-9"))
    field.run(["unshare", f"--net={field.path('blue-9')}", "true"])
    field.plug("blue-7", "10.90.0.97/24", path=field.path("blue-9"))
    t.claim("the one on top of it works", udp(field, "blue-9", field.v4("green-1"), OPEN, 15),
            f"{field.cli('status')} {field.violations()} {field.last_words()}")
    field.bear("red-9")
    field.plug("red-9", "10.90.0.96/24")
    field.wait_enforced("red-9", "10.90.0.96")
    t.claim("a stranger is refused", not udp(field, "red-9", field.v4("green-1"), OPEN, 0.5))


@case("16", "a tenant's pattern means the host's namespace", "never enforced there, and named",
      modes=(OFF, ON))
def host_claimed(t):
    field = t.field("green-1")
    field.births.add("blue-default")
    path = field.path("blue-default")
    with open(path, "x", encoding="ascii"):
        pass
    field.run(["mount", "--bind", field.host, path])
    field.mounts.append(path)
    field.bear("blue-9")
    field.plug("blue-9", f"{ADDRESS}/24")
    field.wait_enforced("blue-9", ADDRESS)
    tables = field.sh("host", "nft list tables")
    t.claim("the host has no table of it", "ringfence" not in tables, tables)
    named = until(lambda: "blue-default" in str(field.status()), 5)
    t.claim("status names it", named, field.cli("status"))


@case("17", "a rootless namespace in a user namespace", "enforced; its root can't delete the table",
      "podman#10384, #22934", modes=(OFF,))
def rootless(t):
    field = t.field("green-1", policies=[BLUE_TO_GREEN])
    process = field.process(["unshare", "--user", "--map-root-user", "--net", "sleep", "300"],
                            user=65534, group=65534, extra_groups=[])
    path = f"/proc/{process.pid}/ns/net"
    until(lambda: os.stat(path).st_ino != os.stat("/proc/self/ns/net").st_ino)
    field.save("rootless.yaml", "apiVersion: ringfence/v1\nkind: Tenant\nname: gold\n"
               f"endpoints: [{{pid: {process.pid}}}]\n")
    field.plug("gold-1", f"{ADDRESS}/24", path=path)
    t.claim("it is enforced", until(lambda: any(
        one["tenant"] == "gold" and one["state"] == "enforced" and ADDRESS in one["addresses"]
        for one in field.status()["endpoints"])), field.status()["endpoints"])
    inside = ["nsenter", f"--target={process.pid}", "--user", "--net", "--preserve-credentials"]
    for words in (["nft", "delete", "table", "inet", "ringfence"], ["nft", "flush", "ruleset"]):
        field.run(inside + words, check=False, user=65534, group=65534, extra_groups=[])
        held = field.run(["nsenter", f"--net={path}", "nft", "list", "tables"]).stdout
        t.claim(f"{' '.join(words)} changes nothing", "inet ringfence" in held, held)
    t.server(field, "green-1", OPEN)
    t.claim("it is still closed", not udp(field, path, field.v4("green-1"), OPEN, 0.5))


@case("46", "links that are renamed, moved and made again", "closed all the time",
      "moby#20716, incus#4008", modes=(OFF, ON, ONLY))
def moved_links(t):
    field = t.field("green-1")
    field.bear("blue-9")
    field.plug("blue-9", f"{ADDRESS}/24")
    field.wait_enforced("blue-9", ADDRESS)
    stream = t.stream(field, "blue-9", field.v4("green-1"), OPEN, "green-1")
    other = "ip link add lab2 type bridge; ip link set lab2 up"
    for script in ("ip link set rf-blue-9 down name rf-moved up", other,
                   "ip link set rf-moved master lab2", "ip link set rf-moved master lab",
                   "ip link set rf-moved nomaster", "ip link set rf-moved master lab",
                   "ip link set rf-moved down name rf-blue-9; ip link set rf-blue-9 up"):
        field.sh("host", script)
        stream.has_sent(100)
    for _ in range(3):
        field.sh("host", "ip link del rf-blue-9")
        field.plug("blue-9", f"{ADDRESS}/24")
        stream.has_sent(100)
    # The name goes, a process stays in the namespace.
    field.process(["nsenter", f"--net={field.path('blue-9')}", "sleep", "300"])
    field.bury("blue-9")
    stream.has_sent(300)
    until(lambda: not field.endpoint("blue-9"))
    stream.has_sent(300)
    stream.close()
    t.fact(f"{len(stream.arrived)} of {stream.sent} passed")
    t.claim("none arrives", not stream.arrived, len(stream.arrived))
    t.claim("green works", until(lambda: field.is_enforced("green-1")), field.status())
    t.claim("TCP is refused too", not tcp(field, "host", field.v4("green-1"), OPEN, 0.3))
