"""Installs, upgrades, removes and purges the package in a root of its own, and has it checked.

Usage: deb_test.py RINGFENCE

First in a root where nothing runs, then with systemd as its first process: booted.py. Needs root,
debootstrap and lintian. Prints a table and writes results/deb.json. Exits with 1 if
anything is not as it should be.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
sys.path.insert(0, os.path.join(ROOT, "soak"))

from booted import check_booted  # noqa: E402
from tell import say  # noqa: E402

UNIT = os.path.join(HERE, "ringfence.service")


def build(program, folder, version):
    done = subprocess.run(
        [sys.executable, os.path.join(HERE, "deb.py"), program, folder, version],
        capture_output=True, text=True, check=True)
    return done.stdout.strip().split("\n")[-1]


class Root:
    """A small Debian of its own; nothing runs in it."""

    def __init__(self, place):
        self.path = os.path.join(place, "root")
        subprocess.run(
            ["debootstrap", "--variant=minbase",
             "--include=libmnl0,libnftnl11,libbpf1,libelf1,zlib1g,libsqlite3-0,init-system-helpers,"
             "systemd-sysv,dbus,iproute2,nftables",
             "bookworm", self.path], check=True, stdout=subprocess.DEVNULL)
        # Where Swift's runtime reads a program's arguments.
        subprocess.run(["mount", "-t", "proc", "proc", self.place("proc")], check=True)

    def leave(self):
        subprocess.run(["umount", "--lazy", self.place("proc")], check=False)

    def run(self, *words):
        return subprocess.run(
            ["chroot", self.path, *words], capture_output=True, text=True, check=False,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive",
                 "LC_ALL": "C"})

    def place(self, name):
        return os.path.join(self.path, name)

    def has(self, name):
        return os.path.lexists(self.place(name))

    def write(self, name, text):
        with open(self.place(name), "w", encoding="utf-8") as file:
            file.write(text)

    def read(self, name):
        with open(self.place(name), encoding="utf-8") as file:
            return file.read()


def check_root(root, first, second, measures):
    def true(measure, passed, said=""):
        say(measures, measure, "", True, bool(passed), bool(passed))
        if not passed and said:
            print(said)

    for package in (first, second):
        shutil.copy(package, root.path)
    done = root.run("dpkg", "--install", "/" + os.path.basename(first))
    true("installs", done.returncode == 0, done.stdout + done.stderr)
    done = root.run("ringfence", "--version")
    true("the program runs with the libraries that it depends on", done.returncode == 0,
         done.stderr)
    done = root.run("ringfence", "lint", "--policies", "/usr/share/doc/ringfence/examples/policies")
    true("the example policies are right", done.returncode == 0, done.stdout + done.stderr)
    root.write("etc/default/ringfence", 'RINGFENCE_OPTIONS="--host-filter on"\n')
    root.write("etc/ringfence/policies/mine.yaml", "# mine\n")
    done = root.run("dpkg", "--install", "--force-confold", "/" + os.path.basename(second))
    true("upgrades", done.returncode == 0, done.stdout + done.stderr)
    true("an upgrade keeps a changed configuration",
         "host-filter on" in root.read("etc/default/ringfence"))
    done = root.run("dpkg", "--remove", "ringfence")
    true("is removed", done.returncode == 0 and not root.has("usr/bin/ringfence"), done.stderr)
    true("and says that enforcement stays", "stays enforced" in done.stdout)
    true("a removal keeps configuration", root.has("etc/default/ringfence"))
    done = root.run("dpkg", "--purge", "ringfence")
    true("is purged", done.returncode == 0, done.stderr)
    left = subprocess.run(["find", ".", "-xdev", "-path", "*ringfence*"], capture_output=True,
                          text=True, check=True, cwd=root.path).stdout.split("\n")
    left = [os.path.normpath(one) for one in left if one and not one.endswith(".deb")]
    mine = {"etc/ringfence", "etc/ringfence/policies", "etc/ringfence/policies/mine.yaml"}
    true("a purge leaves nothing but the operator's policies", set(left) == mine, "\n".join(left))


def check_package(package, measures):
    done = subprocess.run(["lintian", "--no-cfg", "--tag-display-limit", "0", "--allow-root", package],
                          capture_output=True, text=True, check=False)
    tags = done.stdout.strip().split("\n")
    errors = [tag for tag in tags if tag.startswith("E:")]
    print("\n".join("    " + tag for tag in tags if tag))
    say(measures, "errors by lintian", "errors", 0, len(errors), not errors)
    say(measures, "warnings by lintian", "warnings", None,
        sum(tag.startswith("W:") for tag in tags), True)


def check_unit(program, measures):
    """The unit by itself, with the program that it names in place."""
    with tempfile.TemporaryDirectory() as place:
        unit = os.path.join(place, "ringfence.service")
        with open(UNIT, encoding="utf-8") as file:
            text = file.read()
        with open(unit, "w", encoding="utf-8") as file:
            file.write(text.replace("/usr/bin/ringfence", program))
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True,
                              text=True, check=False)
        said = [line for line in done.stderr.split("\n") if "ringfence" in line]
        print("\n".join("    " + line for line in said))
        say(measures, "complaints by systemd-analyze verify", "complaints", 0, len(said),
            done.returncode == 0 and not said)
        done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", unit],
                              capture_output=True, text=True, check=False)
        found = re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)
        level = float(found[1]) if found else None
        say(measures, "exposure by systemd-analyze security", "of 10", "<= 4", level,
            level is not None and level <= 4)


def main():
    program = os.path.abspath(sys.argv[1])
    measures = []
    with tempfile.TemporaryDirectory(prefix="ringfence-deb-") as place:
        first, second = build(program, place, "0.1.0"), build(program, place, "0.1.1")
        say(measures, "size of the package", "MiB", None,
            round(os.path.getsize(first) / (1 << 20), 1), True)
        check_package(first, measures)
        check_unit(program, measures)
        root = Root(place)
        try:
            check_root(root, first, second, measures)
        finally:
            root.leave()
        check_booted(root.path, first, second, measures)
    os.makedirs(os.path.join(ROOT, "results"), exist_ok=True)
    with open(os.path.join(ROOT, "results/deb.json"), "w", encoding="utf-8") as file:
        json.dump(measures, file, indent=2)
        file.write("\n")
    sys.exit(0 if all(one["pass"] for one in measures) else 1)


if __name__ == "__main__":
    if os.geteuid() != 0:
        sys.exit("debootstrap needs root")
    main()
