"""Shows Ringfence at work on four tenants of a lab, and checks every single thing that it shows.

Usage: demo.py RINGFENCE [RESULTS]

RINGFENCE is the program. The measures are written to RESULTS (results/demo.json). Needs root, the
commands `nft` and `ip`, and nothing else; no network but the lab's is touched. Exits with 1 if
anything is not as it should be.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from wire import Knocking, Listener, Transfer, connects

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LAB = os.path.join(ROOT, "lab/demo.yaml")
SPACES = "/run/ringfence-lab/demo/ns"
WEB, WORKER, DB, API = (
    f"{SPACES}/{name}" for name in ("shop-web-1", "shop-worker-1", "db-1", "payments-api-1"))


class Wrong(Exception):
    """Something that was shown is not as it should be."""


class Demo:
    def __init__(self, ringfence, results):
        self.ringfence = os.path.abspath(ringfence)
        self.results = results
        self.place = tempfile.mkdtemp(prefix="ringfence-demo-")
        self.policies = os.path.join(self.place, "policies")
        self.socket = os.path.join(self.place, "agent.sock")
        self.log = open(os.path.join(self.place, "agent.log"), "w", encoding="utf-8")
        self.agent = None
        self.measures = []
        self.transfers = []
        self.addresses = {}
        self.started = time.monotonic()
        self.steps = 0

    # Telling.

    def step(self, title):
        self.steps += 1
        print(f"\n\033[1m{self.steps}. {title}\033[0m" if sys.stdout.isatty()
              else f"\n{self.steps}. {title}", flush=True)

    def say(self, text):
        print(f"   {text}", flush=True)

    def show(self, text, limit=40):
        lines = text.rstrip("\n").split("\n")
        for line in lines[:limit]:
            print(f"   | {line}")
        if len(lines) > limit:
            print(f"   | ... {len(lines) - limit} lines more")
        sys.stdout.flush()

    def check(self, holds, claim):
        print(f"   {'ok' if holds else 'WRONG'}: {claim}", flush=True)
        if not holds:
            raise Wrong(claim)

    def measure(self, name, unit, target, measured, holds):
        self.measures.append(
            {"measure": name, "unit": unit, "target": target, "measured": measured, "pass": holds})
        self.check(holds, f"{name}: {measured} {unit} (target {target})")

    # Commands.

    def run(self, *arguments, shown=True, status=0):
        """Runs a command of ringfence; what it is and what it says are shown."""
        if shown:
            self.say("$ ringfence " + " ".join(arguments).replace(self.place + "/", ""))
        done = subprocess.run(
            [self.ringfence, *arguments], capture_output=True, text=True, cwd=ROOT, check=False)
        if done.returncode != status:
            self.show(done.stdout + done.stderr)
            self.still_there()
            raise Wrong(f"ringfence {arguments[0]} exited with {done.returncode}, not {status}")
        return done.stdout

    def ask(self, command, *arguments, shown=True):
        return self.run(command, *arguments, "--socket", self.socket, shown=shown)

    def asked(self, command, *arguments):
        return json.loads(self.ask(command, *arguments, "--output", "json", shown=False))

    def until(self, claim, condition, patience=5):
        """Waits for a condition; the time that it took."""
        start = time.monotonic()
        while not condition():
            if time.monotonic() - start > patience:
                raise Wrong(f"not within {patience} s: {claim}")
            time.sleep(0.02)
        return time.monotonic() - start

    def now(self):
        """A moment after everything that was refused so far, as --since takes it."""
        self.ask("violations", shown=False)
        seconds = time.time() + 0.001
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
        return f"{moment}.{int(seconds % 1 * 1000):03}Z"

    def save(self, name, change):
        """Saves a policy file as an editor does; the moment at which it was there."""
        path = os.path.join(self.policies, name)
        with open(path, encoding="utf-8") as file:
            before = file.read()
        after = change(before)
        assert after != before, f"{name} is not what the demo thinks it is"
        with open(path + "~", "w", encoding="utf-8") as file:
            file.write(after)
        old, new = before.split("\n"), after.split("\n")
        for line in [line for line in old if line not in new]:
            self.say(f"- {line}")
        for line in [line for line in new if line not in old]:
            self.say(f"+ {line}")
        saved = time.monotonic()
        os.rename(path + "~", path)
        return saved

    def address(self, namespace, port):
        return self.addresses[os.path.basename(namespace)], port

    # The agent.

    def start_agent(self):
        self.agent = subprocess.Popen(
            [self.ringfence, "agent", "--policies", self.policies, "--namespaces", SPACES,
             "--host-namespace", "/run/ringfence-lab/demo/rf-demo", "--socket", self.socket,
             "--state", os.path.join(self.place, "state")],
            stderr=self.log, start_new_session=True)
        self.until("the agent answers", self.answers)

    def answers(self):
        self.still_there()
        done = subprocess.run(
            [self.ringfence, "status", "--socket", self.socket, "--output", "json"],
            capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return False
        endpoints = json.loads(done.stdout)["endpoints"]
        return bool(endpoints) and all(one["state"] == "enforced" for one in endpoints)

    def still_there(self):
        """The agent ends when it is told to, and at no other time."""
        if self.agent is None or self.agent.poll() is None:
            return
        with open(self.log.name, encoding="utf-8", errors="replace") as log:
            self.show("".join(log.readlines()[-40:]))
        raise Wrong(f"the agent ended with {self.agent.returncode}")

    def stop_agent(self, how):
        if self.agent is None:
            return
        self.agent.send_signal(how)
        try:
            self.agent.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.agent.kill()
            self.agent.wait()
        self.agent = None

    def probe(self, shown=True):
        """Holds the kernel against the policies; exits with 1 where they differ."""
        text = self.run(
            "lab", "probe", os.path.relpath(LAB, ROOT), "--policies", self.policies,
            *([] if shown else ["--output", "json"]), shown=shown)
        return text if shown else json.loads(text)

    def is_open(self):
        """Whether everything reaches everything; a new link takes a moment for IPv6."""
        report = json.loads(self.run(
            "lab", "probe", os.path.relpath(LAB, ROOT), "--output", "json", shown=False))
        return all(way["seen"] == "reached" for way in report["ways"])

    # What is shown.

    def raise_lab(self):
        self.step("A lab: four tenants and a stranger, in namespaces of their own")
        if "demo" in self.run("lab", "list", shown=False).split():
            raise Wrong("a lab 'demo' is up already\n  fix: run 'ringfence lab down demo'")
        self.lab_is_ours = True
        self.show(self.run("lab", "up", os.path.relpath(LAB, ROOT)).split("\n")[0])
        for name in sorted(os.listdir(SPACES)):
            found = json.loads(self.run(
                "lab", "exec", f"demo/{name}", "--", "ip", "-json", "-4", "address", "show",
                "dev", "eth0", shown=False))
            self.addresses[name] = found[0]["addr_info"][0]["local"]
        took = self.until("everything passes, IPv6 as well", self.is_open)
        self.say(f"(the links were ready after {took:.1f} s)")
        self.check(self.is_open(), "without an agent everything passes")

    def enforce(self):
        self.step("The agent, on a copy of policies/: closed by default, opened by rules")
        shutil.copytree(os.path.join(ROOT, "policies"), self.policies)
        self.run("lint", "--policies", self.policies)
        start = time.monotonic()
        self.start_agent()
        took = time.monotonic() - start
        self.show(self.ask("status"))
        self.measure(
            "from the agent's start to every endpoint enforced", "s", "<= 2", round(took, 3),
            took <= 2)

    def matrix(self):
        self.step("Every way between them, IPv4 and IPv6, with real packets")
        self.show(self.probe(), limit=120)
        report = self.probe(shown=False)
        wrong = sum(not way["agrees"] for way in report["ways"])
        self.measure(
            f"ways that differ from the policies, of {len(report['ways'])}", "ways", 0, wrong,
            wrong == 0)

    def denied(self):
        self.step("Why was this dropped, and by whose rule?")
        since = self.now()
        self.say("a worker of the shop calls the payment API on tcp 8443 ...")
        self.check(not connects(WORKER, self.address(API, 8443)), "the call is refused")

        def found():
            return [one for one in self.asked("violations", "--since", since)["violations"]
                    if one["source"].get("endpoint") == "shop-worker-1"
                    and one["destination"].get("endpoint") == "payments-api-1"]

        self.until("the refused flow is reported", found)
        self.show(self.ask("violations", "--since", since))
        violation = found()[-1]
        closest = violation.get("closest", {})
        self.check(violation["reason"] == "noRule", "the reason is that no rule admits it")
        rule = closest.get("rule", {})
        complete = (
            violation["source"].get("tenant") == "shop"
            and violation["destination"].get("tenant") == "payments"
            and rule.get("policy") == "shop-web-to-payments" and rule.get("owner") == "team-shop"
            and rule.get("place", {}).get("line", 0) > 0 and "app=web" in closest["lack"])
        self.measure(
            "refused calls reported with tenants, reason and closest rule", "calls", 1,
            int(complete), complete)

    def opened(self):
        self.step("A saved file opens it, while the worker goes on knocking")
        knocking = Knocking(WORKER, self.address(API, 8443), 40001)
        try:
            time.sleep(0.3)
            self.check(knocking.opened is None, f"{knocking.tries} calls so far, none answered")
            saved = self.save("shop.yaml", open_to_workers)
            self.until("the call is answered", lambda: knocking.opened is not None)
        finally:
            knocking.stop()
        took = (knocking.opened - saved) * 1000
        self.measure(
            "from the saved file to the first answered call", "ms", "<= 50", round(took, 2),
            took <= 50)

    def cut(self):
        self.step("Another takes a rule away: established connections stop, others don't notice")
        lost = Transfer(WEB, self.address(DB, 5432), self.databases)
        kept = Transfer(WEB, self.address(API, 8443), self.payments)
        self.transfers = [lost, kept]
        time.sleep(0.5)
        self.check(
            lost.received.bytes > 0 and kept.received.bytes > 0,
            "the shop sends to the database and to the payment API without a pause")
        since = self.now()
        kept.received.longest_gap = 0
        saved = self.save("shop.yaml", without_database)
        self.until("the transfer stands still", lambda: time.monotonic() - lost.received.last > 0.3)
        stopped = (lost.received.last - saved) * 1000
        before = lost.received.bytes
        time.sleep(1.5)
        after = lost.received.bytes - before
        self.say(f"the database received {before:,} bytes in all")
        self.measure(
            "from the saved file to the last byte of the cut connection", "ms", "<= 50",
            round(max(stopped, 0), 2), stopped <= 50)
        self.measure("bytes that arrive after that, in 1.5 s", "bytes", 0, after, after == 0)
        gap = kept.received.longest_gap * 1000
        self.measure(
            "longest pause of the connection that stays", "ms", "<= 200", round(gap, 2), gap <= 200)
        self.show(self.ask("violations", "--since", since))
        reasons = [one["reason"] for one in self.asked("violations", "--since", since)["violations"]
                   if one["destination"].get("endpoint") == "db-1"]
        self.check("revoked" in reasons, "the violation's reason is 'revoked'")
        lost.stop()

    def mistaken(self):
        self.step("A bad file changes nothing, and says what is wrong with it")
        self.save("shop.yaml", lambda text: text.replace("tenant: payments", "tenant: paymets"))
        self.until(
            "the mistake is reported", lambda: self.asked("status")["policies"]["errors"])
        errors = self.asked("status")["policies"]["errors"]
        place = errors[0]["place"]
        self.show(f"{place['file'].replace(self.place + '/', '')}:{place['line']}:"
                  f"{place['column']}: {errors[0]['message']}\n  fix: {errors[0]['fix']}")
        self.check(
            connects(WORKER, self.address(API, 8443)), "what the last good file opened stays open")
        self.save("shop.yaml", lambda text: text.replace("tenant: paymets", "tenant: payments"))
        self.until(
            "the mistake is mended", lambda: not self.asked("status")["policies"]["errors"])

    def killed(self):
        self.step("The agent is killed: nothing opens, nothing breaks")
        generation = self.asked("status")["agent"]["generation"]
        self.stop_agent(signal.SIGKILL)
        wrong = sum(not way["agrees"] for way in self.probe(shown=False)["ways"])
        self.measure("ways that differ without an agent", "ways", 0, wrong, wrong == 0)
        self.start_agent()
        self.check(
            self.asked("status")["agent"]["generation"] == generation,
            f"the next agent finds generation {generation} and keeps it")
        kept = self.transfers[1]
        before = kept.received.bytes
        time.sleep(0.2)
        self.check(
            kept.received.bytes > before, "the connection to the payment API goes on through it all")

    def protected(self):
        self.step("While the agent runs, not even root takes the rules away by accident")
        self.run("lab", "exec", "demo/db-1", "--", "nft", "flush", "ruleset")
        self.check(
            not connects(WEB, self.address(DB, 5432)), "after 'nft flush ruleset' it is still closed")

    def counted(self):
        self.step("What passed by each rule, and what was refused between tenants")
        self.show(self.ask("counters"), limit=60)
        report = self.asked("counters")
        payments = sum(rule["counts"]["bytes"] for rule in report["rules"]
                       if rule["policy"] == "shop-web-to-payments")
        sent = self.transfers[1].received.bytes
        self.check(
            payments >= sent > 0,
            f"the rule to the payment API counted {payments:,} bytes; {sent:,} of data arrived")
        self.check(
            any(pair["reason"] == "revoked" for pair in report["refused"]),
            "the cut connection is counted between its tenants")

    def readable(self):
        self.step("The kernel's own words, for those who don't believe an agent")
        words = ["lab", "exec", "demo/shop-web-1", "--", "nft", "list", "map", "inet", "ringfence"]
        for name in ("peers4", "rules"):
            listing = self.run(*words, name)
            self.show(listing)
            self.check(
                "elements = {" in listing and "comment" in listing,
                f"the map '{name}' is readable, with the policy's words in it")

    # The whole.

    def play(self):
        self.lab_is_ours = False
        self.raise_lab()
        self.enforce()
        self.matrix()
        self.databases = Listener(DB, 5432)
        self.payments = Listener(API, 8443)
        for show in (self.denied, self.opened, self.cut, self.mistaken, self.killed,
                     self.protected, self.counted, self.readable):
            show()
        took = time.monotonic() - self.started
        self.step("Cleaning up")
        self.measure("the whole demo", "s", "< 60", round(took, 1), took < 60)

    def clean(self):
        """Takes everything down that was put up, whatever happened."""
        for transfer in self.transfers:
            transfer.running = False
        self.stop_agent(signal.SIGTERM)
        if self.lab_is_ours:
            subprocess.run([self.ringfence, "lab", "down", "demo"], check=False)
        self.log.close()
        shutil.rmtree(self.place, ignore_errors=True)

    def write(self):
        os.makedirs(os.path.dirname(self.results), exist_ok=True)
        with open(self.results, "w", encoding="utf-8") as file:
            json.dump(self.measures, file, indent=2)
            file.write("\n")


def open_to_workers(text):
    """The call to the payment API, for workers as well."""
    head, tail = text.split("name: shop-web-to-payments")
    return head + "name: shop-web-to-payments" + tail.replace(
        "matchLabels: {app: web}",
        "matchExpressions: [{key: app, operator: In, values: [web, worker]}]", 1)


def without_database(text):
    """The file without its first document, which opens the database."""
    return text.split("---\n", 1)[1]


def main():
    if len(sys.argv) < 2 or os.geteuid() != 0:
        sys.exit(__doc__ if len(sys.argv) < 2 else "the demo makes namespaces: run it as root")
    demo = Demo(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else f"{ROOT}/results/demo.json")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    status = 1
    try:
        demo.play()
        status = 0
    except Wrong as wrong:
        demo.measures.append(
            {"measure": str(wrong), "unit": "", "target": "holds", "measured": "does not",
             "pass": False})
        print(f"\nnot as it should be: {wrong}", file=sys.stderr)
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        status = 130
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        demo.clean()
        demo.write()
    if status == 0:
        print(f"   everything is as it should be: {len(demo.measures)} measures in "
              f"{os.path.relpath(demo.results)}")
    sys.exit(status)


if __name__ == "__main__":
    main()
