"""A Debian root that runs: systemd as its first process, in namespaces and a control group of its own."""

import os
import signal
import subprocess
import sys
import tempfile
import time

# What a machine has mounted when its init begins; the rest is systemd's work. The settings below
# /proc/sys are this machine's as well: nobody in there may change them.
RAISE = """
set -e
root=$1
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,ro,bind "$root/proc/sys"
if [ -e "$root/proc/sysrq-trigger" ]; then mount --bind /dev/null "$root/proc/sysrq-trigger"; fi
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t bpf -o mode=0700 bpf "$root/sys/fs/bpf"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for name in null zero full random urandom tty; do
    touch "$root/dev/$name"
    mount --bind "/dev/$name" "$root/dev/$name"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
mkdir -p "$root/.old"
cd "$root"
pivot_root . .old
exec chroot . /bin/sh -c 'umount --lazy /.old && rmdir /.old
    exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C /lib/systemd/systemd'
"""


class Silent(Exception):
    """The machine does not come up."""


def remove(folder, attempts=100):
    """Removes a control group, whose processes may still be ending."""
    for left in range(attempts, 0, -1):
        try:
            return os.rmdir(folder)
        except OSError:
            if left == 1:
                raise
            time.sleep(0.05)


class Machine:
    def __init__(self, root):
        self.mounted = self.group = self.outer = self.init = None
        self.log = tempfile.TemporaryFile()
        # Whoever ends this process by a signal ends the machine as well.
        for one in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(one, lambda number, _: sys.exit(128 + number))
        try:
            self.group = self.make_group()
            self.outer = subprocess.Popen(
                ["unshare", "--mount", "--pid", "--uts", "--ipc", "--net", "--cgroup", "--fork",
                 "--kill-child", "sh", "-c", RAISE, "sh", root],
                stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, preexec_fn=self.join)
            self.init = self.find_init()
            self.wait()
        except BaseException:
            self.leave()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.leave()

    def make_group(self):
        """A control group of version 2: systemd takes the one it is started in for the root."""
        with open("/proc/self/mounts", encoding="utf-8") as file:
            trees = [line.split()[1] for line in file if line.split()[2] == "cgroup2"]
        if not trees:
            self.mounted = tempfile.mkdtemp(prefix="ringfence-cgroup-")
            subprocess.run(["mount", "-t", "cgroup2", "cgroup2", self.mounted], check=True)
            trees = [self.mounted]
        group = os.path.join(trees[0], f"ringfence-{os.getpid()}")
        os.mkdir(group)
        return group

    def join(self):
        with open(os.path.join(self.group, "cgroup.procs"), "w", encoding="ascii") as file:
            file.write("0")

    def find_init(self):
        for _ in range(200):
            with open(f"/proc/{self.outer.pid}/task/{self.outer.pid}/children",
                      encoding="ascii") as file:
                children = file.read().split()
            if children:
                return int(children[0])
            time.sleep(0.01)
        raise Silent("unshare starts nothing")

    def wait(self, seconds=60):
        begun = time.monotonic()
        while True:
            state = self.run("systemctl", "is-system-running").stdout.strip()
            if state in ("running", "degraded"):
                return
            lasted = time.monotonic() - begun
            if lasted > seconds or self.outer.poll() is not None:
                self.log.seek(0)
                raise Silent(f"systemd is {state or 'not there'} after {lasted:.1f} s\n"
                             + self.log.read().decode(errors="replace"))
            time.sleep(0.1)

    def run(self, *words, patience=120):
        return subprocess.run(
            ["nsenter", "--target", str(self.init), "--mount", "--pid", "--uts", "--ipc", "--net",
             "--cgroup", "--root", "--wd", *words],
            capture_output=True, text=True, check=False, timeout=patience, stdin=subprocess.DEVNULL,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive",
                 "LC_ALL": "C"})

    def path(self, name):
        """Where a network namespace of the machine is seen from outside."""
        return f"/proc/{self.init}/root/run/netns/{name}"

    def leave(self):
        # The end of its first process ends all others in there, and its namespaces.
        if self.outer:
            try:
                os.kill(self.init or self.outer.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.outer.wait(60)
        self.log.close()
        for folder, _, _ in os.walk(self.group or "", topdown=False):
            remove(folder)
        if self.mounted:
            subprocess.run(["umount", "--lazy", self.mounted], check=False)
            os.rmdir(self.mounted)
