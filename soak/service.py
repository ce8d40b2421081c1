"""Plays the service manager's part for the agent, and checks what a manager can count on.

Usage: service.py RINGFENCE

Needs root and `nft`; no network but the lab's is touched. Prints a table and writes
results/service.json. Exits with 1 if anything is not as it should be.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

from manager import reserve_descriptors
from stage import NAMES, ROOT, Stage
from tell import say


def waited(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def nft(stage, *words):
    return subprocess.run(["nsenter", f"--net={stage.path(NAMES[0])}", "nft", *words],
                          capture_output=True, text=True, check=False, timeout=20)


def listing(stage, option="-a"):
    done = nft(stage, "-s", option, "list", "table", "inet", "ringfence")
    # The first lines name the owner, whose process may be gone.
    lines = (done.stdout if done.returncode == 0 else done.stderr).split("\n")
    return "\n".join(line for line in lines if "progname" not in line)


def check(stage, measures):
    def true(measure, passed):
        say(measures, measure, "", True, bool(passed), bool(passed))

    manager = stage.manager
    stage.agent = manager.start(stage.command(), watchdog=400_000)
    true("READY=1 when all is in force", manager.ready.wait(20) and stage.is_ready())
    true("a socket is kept for each endpoint", waited(lambda: len(manager.names()) == len(NAMES)))
    true("STATUS tells how many endpoints are enforced", waited(
        lambda: any(f"{len(NAMES)} of {len(NAMES)} endpoints" in status
                    for status in manager.heard("STATUS"))))
    signs = manager.signs
    true("WATCHDOG=1 twice in the time it waits", waited(lambda: manager.signs >= signs + 4, 1.5))
    manager.ready.clear()
    stage.agent.send_signal(signal.SIGHUP)
    true("SIGHUP: RELOADING=1 with the time, then READY=1", manager.ready.wait(10)
         and manager.heard("RELOADING") and manager.heard("MONOTONIC_USEC"))
    check_killed(stage, measures, true)


def check_killed(stage, measures, true):
    manager = stage.manager
    before = listing(stage)
    stage.kill()
    edit = nft(stage, "flush", "chain", "inet", "ringfence", "input")
    true("killed: nobody else can change a table", edit.returncode != 0
         and "not permitted" in edit.stderr)
    nft(stage, "flush", "ruleset")
    true("killed: 'flush ruleset' passes the table by", listing(stage) == before)
    written = writes(stage, lambda: (
        setattr(stage, "agent", manager.start(stage.command(), watchdog=400_000)),
        manager.ready.wait(20)))
    true("the next agent takes the tables back", listing(stage) == before)
    say(measures, "changes that it writes to do so", "changes", 0, written, written == 0)
    true("and owns them", "flags owner" in listing(stage))
    stage.kill()
    manager.rename(lambda name: "table-" + "-".join(str(int(word, 36)) for word in name.split("-")))
    manager.ready.clear()
    written = writes(stage, lambda: (
        setattr(stage, "agent", manager.start(stage.command(), watchdog=400_000)),
        manager.ready.wait(20)))
    say(measures, "sockets by the longer names of an earlier release: changes", "changes", 0, written,
        written == 0 and listing(stage) == before)
    true("which get short names", waited(lambda: len(manager.names()) == len(NAMES) and not any(
        name.startswith("table") for name in manager.names())))
    written = writes(stage, lambda: (stage.write_churn(["gold"]), time.sleep(0.5)))
    true("as a change of policy shows, which it writes", written > 0)
    stage.kill()
    shutil.rmtree(stage.state)
    stage.agent = manager.start(stage.command(), watchdog=400_000)
    true("ready over tables that nobody knows the generation of", waited(stage.is_ready))
    check_end(stage, true)


def check_end(stage, true):
    manager = stage.manager
    names = manager.names()
    subprocess.run(["umount", stage.path(NAMES[-1])], check=True)
    os.remove(stage.path(NAMES[-1]))
    true("a socket is given back when its endpoint goes",
         waited(lambda: len(manager.names()) == len(names) - 1))
    stage.kill(signal.SIGTERM)
    true("STOPPING=1 at the end", manager.heard("STOPPING"))
    true("an agent that ends leaves the sockets where they are",
         len(manager.names()) == len(names) - 1)
    stage.dismiss_manager()
    true("without a manager the tables stay, and belong to nobody",
         nft(stage, "add", "chain", "inet", "ringfence", "foreign").returncode == 0)
    stage.start()
    stage.wait_ready()
    true("and the next agent takes them over, and mends what was changed",
         waited(lambda: "chain foreign" not in listing(stage))
         and "type filter hook input" in listing(stage))
    time.sleep(4)
    stage.kill()
    stage.employ_manager()
    stage.agent = stage.manager.start(stage.command())
    true("a manager that is new gets the sockets of tables that stood without one",
         waited(lambda: len(stage.manager.names()) == len(names) - 1))


def writes(stage, work):
    """How many transactions the kernel saw in one endpoint while something is done."""
    with subprocess.Popen(["nsenter", f"--net={stage.path(NAMES[0])}", "nft", "monitor"],
                          stdout=subprocess.PIPE, text=True) as monitor:
        time.sleep(0.3)
        work()
        time.sleep(0.3)
        monitor.terminate()
        said = monitor.stdout.read()
    return len(re.findall(r"^# new generation", said, flags=re.M))


def main():
    measures = []
    reserve_descriptors()
    with Stage(sys.argv[1]) as stage:
        stage.employ_manager()
        check(stage, measures)
    os.makedirs(os.path.join(ROOT, "results"), exist_ok=True)
    with open(os.path.join(ROOT, "results/service.json"), "w", encoding="utf-8") as file:
        json.dump(measures, file, indent=2)
        file.write("\n")
    sys.exit(0 if all(one["pass"] for one in measures) else 1)


if __name__ == "__main__":
    if os.geteuid() != 0:
        sys.exit("namespaces are made here: run it as root")
    main()
