"""A control group that bounds the memory of a process, in either version."""

import os
import re


class MemoryGroup:
    """Bounds whatever joins it; goes when it is left, which needs whoever joined to have ended."""

    def __init__(self):
        with open("/proc/self/mounts", encoding="utf-8") as file:
            mounts = [line.split()[1:4] for line in file]
        # Each: where it is, and its files for how much is used, how much may be, and what happened.
        for place, kind, options in mounts:
            if kind == "cgroup" and "memory" in options.split(","):
                self.files = ("memory.usage_in_bytes", "memory.limit_in_bytes", "memory.oom_control")
                break
            if kind == "cgroup2" and "memory" in read(place, "cgroup.subtree_control").split():
                self.files = ("memory.current", "memory.max", "memory.events")
                break
        else:
            raise OSError("no control group bounds memory here")
        self.path = os.path.join(place, f"ringfence-{os.getpid()}")

    def __enter__(self):
        os.mkdir(self.path)
        return self

    def __exit__(self, *_):
        os.rmdir(self.path)

    def join(self):
        """Called in the process that is to be bound."""
        write(self.path, "cgroup.procs", "0")

    def leave(self, more):
        """Lets so many bytes more be used than are now."""
        used, limit, _ = self.files
        write(self.path, limit, str(int(read(self.path, used)) + more))

    def kills(self):
        """How often the kernel killed somebody in it for want of memory."""
        found = re.search(r"^oom_kill (\d+)", read(self.path, self.files[2]), flags=re.M)
        return int(found[1]) if found else 0


def read(place, name):
    with open(os.path.join(place, name), encoding="ascii") as file:
        return file.read()


def write(place, name, text):
    with open(os.path.join(place, name), "w", encoding="ascii") as file:
        file.write(text)
