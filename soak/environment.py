"""What may lie about, go away or jump under the agent's feet; each with its outcome."""

import ctypes
import os
import resource
import shutil
import signal
import subprocess
import time

import clocks
from memory import MemoryGroup
from packets import Packets
from stage import NAMES, Stage, Wrong, policy
from tell import say
from places import LIBC

MNT_DETACH = 2


class Environment(Stage):
    """One agent; whatever is done to its surroundings, its endpoints stay enforced and its old policies in force."""

    names = NAMES[:1] + NAMES[5:6]

    def states(self):
        return [one["state"] for one in self.report("/v1/status")["endpoints"]]

    def mistakes(self):
        return [f"{one['place']['file']}: {one['message']}"
                for one in self.report("/v1/status")["policies"]["errors"]]

    def wait(self, what, condition, seconds=20):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if condition():
                    return
            except (OSError, Wrong, ValueError):
                pass
            time.sleep(0.02)
        raise Wrong(f"not in time: {what}")

    def rules(self):
        return {one["rule"]["policy"] for one in self.report("/v1/rules?limit=10000")["rules"]}

    def is_well(self):
        return self.states() == ["enforced"] * len(self.names)

    def fresh(self):
        """An agent over good policies."""
        self.stop()
        self.start()
        self.wait_ready()
        self.wait("all enforced", self.is_well)

    def is_followed(self):
        """A change is in force within moments; names in it tell it from others."""
        name = f"probe-{time.monotonic_ns()}"
        path = os.path.join(self.policies, "probe.yaml")
        text = (f"apiVersion: ringfence/v1\nkind: Policy\nname: {name}\nfrom: [{{tenant: red}}]\n"
                "to: [{tenant: blue}]\nallow: [{protocol: udp, ports: [9999]}]\n")
        with open(path + "~", "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(path + "~", path)
        self.wait("a change of policy", lambda: name in self.rules() and self.is_well())


# Each gives what the agent says of it, or nothing where there is nothing to say.


def told(stage, word):
    stage.wait(f"'{word}' in the status", lambda: any(word in one for one in stage.mistakes()))
    if not stage.is_well():
        raise Wrong(f"the endpoints are {stage.states()}")
    return next(one for one in stage.mistakes() if word in one).split(": ", 1)[1]


def file_that(make, word):
    def play(stage):
        path = os.path.join(stage.policies, "odd.yaml")
        make(path)
        try:
            said = told(stage, word)
        finally:
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            else:
                os.remove(path)
        stage.wait("no mistakes", lambda: not stage.mistakes())
        return said

    return play


def giant(path):
    with open(path, "w", encoding="utf-8") as file:
        file.truncate(1 << 30)


def open_to_others(path):
    with open(path, "w", encoding="utf-8") as file:
        file.write("# nothing\n")
    os.chmod(path, 0o666)


def foreign(path):
    with open(path, "w", encoding="utf-8") as file:
        file.write("# nothing\n")
    os.chown(path, 12345, 12345)


def directory_gone(stage):
    """Moved away, and a file in its place; then it is back."""
    before = stage.rules()
    os.rename(stage.policies, stage.policies + ".away")
    time.sleep(0.3)
    kept = stage.rules() == before and stage.is_well()
    with open(stage.policies, "w", encoding="utf-8") as file:
        file.write("a file\n")
    time.sleep(0.3)
    kept = kept and stage.rules() == before and stage.is_well()
    said = "; ".join(stage.mistakes())
    os.remove(stage.policies)
    os.rename(stage.policies + ".away", stage.policies)
    if not kept:
        raise Wrong("policies were revoked")
    return said


def full_disk(stage):
    """The state directory on a file system without room."""
    stage.stop()
    shutil.rmtree(stage.state, ignore_errors=True)
    os.mkdir(stage.state, 0o700)
    mount(stage.state, "size=64k")
    try:
        ballast = os.open(os.path.join(stage.state, "ballast"), os.O_CREAT | os.O_WRONLY)
        try:
            while os.write(ballast, bytes(4096)):
                pass
        except OSError:
            os.close(ballast)
        stage.start()
        stage.wait("all enforced", stage.is_well)
        stage.is_followed()
        return last_word(stage)
    finally:
        stage.stop()
        LIBC.umount2(stage.state.encode(), MNT_DETACH)
        shutil.rmtree(stage.state, ignore_errors=True)


def read_only(stage):
    """The policy directory and the state directory on file systems that can't be written to."""
    stage.stop()
    os.makedirs(stage.state, mode=0o700, exist_ok=True)
    for path in (stage.policies, stage.state):
        bind_read_only(path)
    try:
        stage.start()
        stage.wait("all enforced", stage.is_well)
        time.sleep(1.2)
        return last_word(stage)
    finally:
        stage.stop()
        for path in (stage.policies, stage.state):
            LIBC.umount2(path.encode(), MNT_DETACH)


def mount(path, options):
    if LIBC.mount(b"tmpfs", path.encode(), b"tmpfs", 0, options.encode()):
        raise OSError(ctypes.get_errno(), "mount", path)


def bind_read_only(path):
    name = path.encode()
    if LIBC.mount(name, name, None, 4096, None) or LIBC.mount(None, name, None, 4096 | 32 | 1, None):
        raise OSError(ctypes.get_errno(), "mount", path)


def last_word(stage):
    lines = [line for line in stage.last_words().splitlines() if " ringfence: " in line]
    return lines[-1].split("] ", 1)[-1] if lines else ""


def many_files(stage):
    """100,000 files: those beyond the limit are told of, the others count."""
    folder = os.path.join(stage.policies, "many")
    os.mkdir(folder)
    for number in range(100_000):
        os.close(os.open(os.path.join(folder, f"f{number:06}.yaml"), os.O_CREAT | os.O_WRONLY, 0o644))
    try:
        # The sorted rest of the directory comes behind 'many', so what was there may be beyond the limit.
        stage.wait("too many files", lambda: any("too many" in one for one in stage.mistakes()), 120)
        if not stage.is_well():
            raise Wrong(f"the endpoints are {stage.states()}")
        return next(one for one in stage.mistakes() if "too many" in one).split(": ", 1)[1]
    finally:
        shutil.rmtree(folder)
        stage.wait("no mistakes", lambda: not stage.mistakes(), 120)


def descriptors(stage):
    """None left for the agent, for a while."""
    _, most = resource.prlimit(stage.agent.pid, resource.RLIMIT_NOFILE)
    used = len(os.listdir(f"/proc/{stage.agent.pid}/fd"))
    # Its own questions need one each; so what is asked has to be asked afterwards.
    resource.prlimit(stage.agent.pid, resource.RLIMIT_NOFILE, (used, most))
    try:
        stage.write_churn(["gold"])
        subprocess.run(["ip", "netns"], check=False, capture_output=True)
        stage.agent.send_signal(signal.SIGHUP)
        time.sleep(1)
    finally:
        resource.prlimit(stage.agent.pid, resource.RLIMIT_NOFILE, (most, most))
    stage.wait("all enforced", stage.is_well)
    stage.wait("the change", lambda: "churn-gold" in stage.rules() and "churn-red" not in stage.rules())
    stage.write_churn(["red", "blue", "green", "gold"])
    return last_word(stage)


def vanishing(stage):
    """Namespaces that are gone before the agent can enter them, and names with every byte."""
    stop = time.monotonic() + 2
    made = 0
    while time.monotonic() < stop:
        raw = bytes(byte for byte in range(1, 256) if byte != ord("/"))
        name = b"red-" + raw[made % 250:made % 250 + 4]
        path = os.path.join(stage.born.encode(), name)
        os.close(os.open(path, os.O_CREAT | os.O_RDONLY))
        subprocess.run(["unshare", "--net", "mount", "--bind", "/proc/self/ns/net", path], check=False,
                       capture_output=True)
        LIBC.umount2(path, MNT_DETACH)
        os.remove(path)
        made += 1
    return f"{made} of them"


def two_agents(stage):
    """The second one refuses."""
    done = subprocess.run(stage.command(), capture_output=True, text=True, timeout=30, check=False)
    if done.returncode == 0 or "another agent is listening" not in done.stderr:
        raise Wrong(f"it ended with {done.returncode}: {done.stderr}")
    return next(line for line in done.stderr.splitlines() if "another agent" in line)


def memory(stage):
    """Less memory than the program takes, as where the kernel has none to give; then enough."""
    stage.stop()

    def bound():
        resource.setrlimit(resource.RLIMIT_DATA, (40 << 20, 40 << 20))

    stage.start(before=bound)
    try:
        code = stage.agent.wait(20)
    except subprocess.TimeoutExpired:
        raise Wrong("40 MiB were enough") from None
    stage.fresh()
    return f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"


def out_of_memory(stage):
    """Killed by the kernel in the middle of a change that takes more memory than there is; packets flow meanwhile."""
    path = os.path.join(stage.policies, "large.yaml")
    stage.stop()
    with MemoryGroup() as group:
        stage.start(before=group.join)
        stage.wait_ready()
        stage.wait("all enforced", stage.is_well)
        packets = Packets(stage)
        try:
            time.sleep(0.3)
            group.leave(256 << 10)
            with open(path, "w", encoding="utf-8") as file:
                file.write(policy("large", "red", "tenant: blue", list(range(10_000, 50_000, 2))))
            stage.agent.wait(30)
            time.sleep(0.3)
            kills = group.kills()
            os.remove(path)
            stage.fresh()
            time.sleep(0.3)
            passed, lost, sent = packets.tally()
        finally:
            packets.close()
    if not kills or passed or lost:
        raise Wrong(f"killed {kills} times; {passed} forbidden packets passed, {lost} allowed were lost")
    return f"killed in the middle of a change; of {sum(sent.values())} packets none passed or was lost that shouldn't"


CASES = {
    "a policy file of 1 GB": file_that(giant, "too large"),
    "a pipe in place of a policy file": file_that(os.mkfifo, "pipe"),
    "links in a loop": file_that(lambda path: os.symlink(path, path), "odd.yaml"),
    "a link that leads nowhere": file_that(lambda path: os.symlink("/nowhere", path), "odd.yaml"),
    "a device": file_that(lambda path: os.mknod(path, 0o600 | 0o020000, os.makedev(1, 5)), "device"),
    "a file that others may write to": file_that(open_to_others, "write to it"),
    "a file that belongs to somebody else": file_that(foreign, "12345"),
    "the policy directory gone, then a file": directory_gone,
    "100,000 policy files": many_files,
    "no descriptors left": descriptors,
    "namespaces that vanish, names of every byte": vanishing,
    "a second agent": two_agents,
    "memory short": memory,
    "killed for want of memory": out_of_memory,
    "no room for the state": full_disk,
    "file systems that are read-only": read_only,
    "clocks that jump": clocks.jumping,
}


def play(ringfence, measures, cases=None):
    with Environment(ringfence) as stage:
        stage.fresh()
        for name, case in (cases or CASES).items():
            outcome, passed = "", True
            try:
                if stage.agent.poll() is not None:
                    stage.fresh()
                outcome = case(stage)
                if stage.agent.poll() is not None:
                    stage.fresh()
                stage.is_followed()
            except (Wrong, OSError, subprocess.SubprocessError) as error:
                outcome, passed = str(error), False
            say(measures, name, "", True, passed, passed)
            if outcome:
                print(f"      {outcome}"[:200], flush=True)
