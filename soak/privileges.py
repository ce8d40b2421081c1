"""Takes the agent's capabilities away, one at a time, and tells what breaks.

Usage: privileges.py RINGFENCE

Needs root and setpriv; no network but the lab's is touched. Prints a table and writes
results/privileges.json. Exits with 1 if the set that the service has is too small.
"""

import json
import os
import subprocess
import sys
import time

from stage import NAMES, ROOT, Stage
from tell import say

SERVICE = ["net_admin", "sys_admin", "bpf", "sys_ptrace"]


class Limited(Stage):
    """A stage whose agent has some capabilities and no way to others."""

    capabilities = SERVICE
    more = []

    def command(self, ringfence=None):
        # What runs as root has all that the bounding set leaves.
        bounds = ",".join(["-all"] + [f"+{name}" for name in self.capabilities])
        return ["setpriv", "--no-new-privs", f"--bounding-set={bounds}", "--inh-caps=-all",
                *super().command(ringfence), *self.more]

    def attempt(self, capabilities, more=(), patience=6):
        """Whether all is enforced with these, and what the agent says if it isn't."""
        self.capabilities, self.more = capabilities, list(more)
        with open(self.log, "w", encoding="utf-8"):
            pass
        self.start()
        try:
            return self.judge(patience)
        finally:
            self.stop()

    def judge(self, patience):
        deadline = time.monotonic() + patience
        reason = "it does not answer"
        while time.monotonic() < deadline and self.agent.poll() is None:
            try:
                status = self.report("/v1/status")
            except OSError:
                time.sleep(0.05)
                continue
            states = [one["state"] for one in status["endpoints"]]
            problem = status["agent"].get("hostFilterProblem")
            if len(states) >= len(NAMES) and set(states) == {"enforced"} and not problem:
                return True, ""
            reason = problem or f"{states.count('enforced')} of {len(NAMES)} endpoints are enforced"
            time.sleep(0.05)
        words = [line for line in self.last_words().split("\n") if line.startswith("Error:")]
        return False, (words or [reason])[-1].strip()


def main():
    measures = []
    with Limited(sys.argv[1]) as stage:
        modes = {"tables": [], "tables and host filter": ["--host-filter", "on"]}
        for mode, more in modes.items():
            works, why = stage.attempt(SERVICE, more)
            say(measures, f"{mode}, with what the service has", "", True, works, works)
            if why:
                print(f"      {why}")
            for name in SERVICE:
                works, why = stage.attempt([one for one in SERVICE if one != name], more)
                say(measures, f"{mode}, without CAP_{name.upper()}", "", None,
                    "works" if works else "breaks", True)
                if why:
                    print(f"      {why}")
        pids(stage, measures)
    os.makedirs(os.path.join(ROOT, "results"), exist_ok=True)
    with open(os.path.join(ROOT, "results/privileges.json"), "w", encoding="utf-8") as file:
        json.dump(measures, file, indent=2)
        file.write("\n")
    sys.exit(0 if all(one["pass"] for one in measures) else 1)


def pids(stage, measures):
    """A namespace that is known by a process alone, which has more rights than the agent."""
    with subprocess.Popen(["unshare", "--net", "sleep", "60"]) as process:
        try:
            stage.save("process.yaml", "apiVersion: ringfence/v1\nkind: Tenant\nname: guest\n"
                       f"endpoints: [{{pid: {process.pid}}}]")
            for capabilities in (SERVICE, [one for one in SERVICE if one != "sys_ptrace"]):
                stage.capabilities, stage.more = capabilities, []
                stage.start()
                stage.wait_ready()
                time.sleep(0.3)
                found = any(one["tenant"] == "guest"
                            for one in stage.report("/v1/status")["endpoints"])
                stage.stop()
                has = "sys_ptrace" in capabilities
                say(measures, "a namespace by process, " + (
                    "with what the service has" if has else "without CAP_SYS_PTRACE"), "",
                    True if has else None, "works" if found else "breaks", found or not has)
        finally:
            process.terminate()


if __name__ == "__main__":
    if os.geteuid() != 0:
        sys.exit("namespaces are made here: run it as root")
    main()
