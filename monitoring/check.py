"""Holds the HTTP API and the metrics of a running agent against their descriptions.

Usage: check.py RINGFENCE [--results FILE]

Raises a lab, sends known traffic, and asks on the loopback port: metrics in both forms, through
promtool and through a Prometheus server; every path through schemathesis; pages, streams, alerts and
the dashboard. Needs root, Debian's package prometheus, and schemathesis, prometheus-client and
jsonschema from PyPI. Exits with 1 if anything is not as it should be.
"""

import argparse
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

import jsonschema
import prometheus_client.openmetrics.parser
import prometheus_client.parser

from asking import Agent, Stream, until
from stage import ROOT, Lab, address, needs_root

HERE = os.path.join(ROOT, "monitoring")
API, SERVER = 9464, 9090
FUZZ_SECONDS = 120
OPENMETRICS = "application/openmetrics-text;version=1.0.0"
POLICY = """
apiVersion: ringfence/v1
kind: Policy
name: friend-to-victim
owner: team-friend
from: [{tenant: friend}]
to: [{tenant: victim}]
allow: [{protocol: udp, ports: [5000]}]
"""


class Checks:
    """Rows of a table, and what goes into the results."""

    def __init__(self):
        self.measures = []

    def say(self, measure, unit, target, measured, good, why=""):
        print(f"   {'ok  ' if good else 'BAD '}{measure:66}{measured!s:>10} {unit}", flush=True)
        if not good and why:
            print("      " + why.strip().replace("\n", "\n      "))
        self.measures.append({"measure": measure, "unit": unit, "target": target,
                              "measured": measured, "pass": good})

    def equal(self, measure, unit, target, measured):
        self.say(measure, unit, target, measured, target == measured, f"wanted {target}")

    def run(self, measure, command, seconds=60, **options):
        """A program that has to end well, and in time."""
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False,
                                  timeout=seconds, **options)
        except subprocess.TimeoutExpired as late:
            said = b"".join(one for one in (late.stdout, late.stderr) if one)
            self.say(measure, "", 0, f"> {seconds} s", False,
                     said.decode(errors="replace")[-3000:])
            return
        self.say(measure, "", 0, done.returncode, done.returncode == 0,
                 (done.stdout + done.stderr)[-6000:])


# What needs no agent.

def files(checks):
    alerts = os.path.join(HERE, "alerts.yaml")
    checks.run("promtool check rules", ["promtool", "check", "rules", alerts])
    checks.run("promtool test rules",
               ["promtool", "test", "rules", os.path.join(HERE, "alerts-test.yaml")])
    checks.run("promtool check config",
               ["promtool", "check", "config", os.path.join(HERE, "prometheus.yaml")])


def named_metrics():
    """Every metric that the dashboard and the alerts name, by file."""
    found = {}
    for name in ("dashboard.json", "alerts.yaml"):
        with open(os.path.join(HERE, name), encoding="utf-8") as file:
            text = file.read()
        found[name] = set(re.findall(r"\b(?:ringfence|process)_[a-z_]+\b(?=[{\[ )\"])", text))
    return found


# Traffic.

def send(lab, source, target, port, flows, packets, first=20000):
    for number in range(flows):
        with lab.space(source).socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.bind((address(source, socket.AF_INET), first + number))
            for _ in range(packets):
                try:
                    sender.sendto(b"x" * 32, (address(target, socket.AF_INET), port))
                except PermissionError:
                    pass


# Metrics.

def samples(families):
    return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in families for sample in family.samples}


def value(found, name, **labels):
    return sum(number for (one, pairs), number in found.items()
               if one == name and set(labels.items()) <= set(pairs))


def metrics(checks, agent):
    status, headers, body = agent.get("/metrics")
    checks.equal("/metrics answers", "", 200, status)
    checks.equal("its content type", "", "text/plain; version=0.0.4; charset=utf-8",
                 headers["Content-Type"])
    checks.run("promtool check metrics", ["promtool", "check", "metrics"], input=body.decode())
    text = samples(prometheus_client.parser.text_string_to_metric_families(body.decode()))
    checks.equal("rule packets", "packets", 50,
                 value(text, "ringfence_rule_packets_total", policy="friend-to-victim"))
    checks.equal("rule bytes", "bytes", 50 * 60,
                 value(text, "ringfence_rule_bytes_total", policy="friend-to-victim"))
    pair = {"source": "mallory", "destination": "victim", "reason": "noRule"}
    for unit, target in (("packets", 120), ("bytes", 120 * 60), ("flows", 30)):
        checks.equal(f"refused {unit} of a pair", unit, target,
                     value(text, f"ringfence_refused_{unit}_total", **pair))
    checks.equal("endpoints that are enforced", "", 4,
                 value(text, "ringfence_endpoints", state="enforced"))
    checks.say("resident memory", "bytes", "> 0",
               value(text, "process_resident_memory_bytes"),
               value(text, "process_resident_memory_bytes") > 1 << 20)

    _, headers, body = agent.get("/metrics", {"Accept": OPENMETRICS})
    checks.equal("the content type of OpenMetrics", "",
                 "application/openmetrics-text; version=1.0.0; charset=utf-8",
                 headers["Content-Type"])
    other = samples(prometheus_client.openmetrics.parser.text_string_to_metric_families(
        body.decode()))
    checks.equal("series that one form has and the other lacks", "", 0,
                 len(set(text) ^ set(other)))
    names = {name for name, _ in text}
    for file, wanted in named_metrics().items():
        missing = sorted(wanted - names)
        checks.say(f"metrics of {file} that there are not, of {len(wanted)}", "", 0, len(missing),
                   not missing and len(wanted) > 5, ", ".join(missing))


def scrape(checks, lab, agent):
    """A Prometheus server reads it, and sees what was sent."""
    with tempfile.TemporaryDirectory() as place:
        with open(os.path.join(HERE, "prometheus.yaml"), encoding="utf-8") as file:
            text = file.read().replace("scrape_interval: 15s",
                                       "scrape_interval: 500ms\n  scrape_timeout: 500ms\n"
                                       "  evaluation_interval: 500ms")
        with open(os.path.join(place, "prometheus.yaml"), "w", encoding="utf-8") as file:
            file.write(text.replace("- alerts.yaml", f"- {HERE}/alerts.yaml"))
        with open(os.path.join(place, "log"), "wb") as log, subprocess.Popen(
                lab.inside() + ["prometheus", f"--config.file={place}/prometheus.yaml",
                                f"--storage.tsdb.path={place}/data",
                                f"--web.listen-address=127.0.0.1:{SERVER}"],
                stdout=log, stderr=log) as server:
            try:
                watch(checks, agent)
            finally:
                server.terminate()
                server.wait(timeout=20)


def watch(checks, agent):
    def ask(path):
        try:
            return agent.json(path, port=SERVER)["data"]
        except (OSError, RuntimeError, ValueError):
            return {}

    query = ("/api/v1/query?query=ringfence_refused_packets_total"
             "%7Bsource%3D%22mallory%22%2Cdestination%3D%22victim%22%7D")
    seen = until(lambda: ask(query).get("result"), 20)
    result = ask(query).get("result") or [{"value": [0, "0"]}]
    checks.say("a Prometheus server reads it", "packets", 120, int(result[0]["value"][1]),
               bool(seen) and result[0]["value"][1] == "120")
    targets = ask("/api/v1/targets").get("activeTargets", [{}])
    checks.equal("its last error", "", "", targets[0].get("lastError"))
    until(lambda: all(rule["health"] == "ok" for rule in alerts(ask)) and alerts(ask), 20)
    checks.equal("alerts that it can evaluate", "", len(re.findall(
        r"- alert: ", read("alerts.yaml"))), sum(rule["health"] == "ok" for rule in alerts(ask)))


def alerts(ask):
    return [rule for group in ask("/api/v1/rules").get("groups", []) for rule in group["rules"]
            if rule["type"] == "alerting"]


def read(name):
    with open(os.path.join(HERE, name), encoding="utf-8") as file:
        return file.read()


# Paths.

def fuzz(checks, lab, agent):
    """Everything that has an end, with what the description admits and with what it doesn't.

    Each parameter at and beyond its bounds, every method, and random requests: as many as fit into
    the time, but each path is asked. The port that it asks changes nothing, so POST isn't there.
    """
    report = os.path.join(lab.place, "schemathesis.json")
    environment = dict(os.environ, SCHEMATHESIS_HOOKS="fuzz_hooks", PYTHONPATH=HERE,
                       NO_COLOR="1")
    checks.run("schemathesis finds nothing", lab.inside() + [
        sys.executable, "-B", "-m", "schemathesis.cli", "run", f"http://127.0.0.1:{API}/openapi.json",
        "--exclude-path", "/v1/events", "--checks", "all", "--max-examples", "25",
        "--phases", "examples,coverage,fuzzing", "--seed", "7", "--suppress-health-check", "all",
        "--no-color", "--generation-database", "none", "--request-timeout", "20",
        "--max-time", str(FUZZ_SECONDS), "--report-json-path", report],
        seconds=FUZZ_SECONDS + 60, env=environment, cwd=lab.place)
    if not os.path.exists(report):
        return
    with open(report, encoding="utf-8") as file:
        said = json.load(file)
    # All but the endless stream, and the description, which it reads and doesn't test.
    paths = len(agent.json("/openapi.json")["paths"]) - 2
    checks.equal("paths that it asked", "", paths, said["operations"]["tested"])
    made = said["test_cases"]["generated"]
    checks.say("requests that it made", "", "> 500", made, made > 500)


def pages(checks, agent):
    """Every violation and every rule is on one page, and no more."""
    for path, key, field in (("/v1/violations", "violations", "violations"),
                             ("/v1/rules", "rules", "rules")):
        whole = [json.dumps(one, sort_keys=True) for one in agent.json(path)[key]]
        found, cursor = [], None
        while True:
            page = agent.json(f"{path}?limit=3" + (f"&cursor={cursor}" if cursor else ""))
            found += [json.dumps(one, sort_keys=True) for one in page[field]]
            cursor = page.get("next")
            if not cursor or len(found) > len(whole):
                break
        checks.say(f"{field}, page by page", "", len(whole), len(found),
                   sorted(found) == sorted(whole) and len(whole) > 3)


def streams(checks, lab, agent):
    document = agent.json("/openapi.json")
    validator = jsonschema.Draft202012Validator(
        {"$ref": "#/components/schemas/Violation", "components": document["components"]})
    events = Stream(agent, "/v1/events")
    lines = Stream(agent, "/v1/violations?follow=true&tenant=bystander")
    checks.equal("the content type of events", "", "text/event-stream", events.type)
    checks.equal("the content type of lines", "", "application/x-ndjson", lines.type)
    until(lambda: events.lines and lines.lines)
    # Somebody who asks all the time must not make the streams wait.
    for _ in range(30):
        agent.get("/v1/violations?limit=1")
    sent = time.monotonic()
    send(lab, "mallory-1", "victim-1", 7100, 1, 1, 30000)
    send(lab, "bystander-1", "victim-1", 7200, 1, 1, 30000)

    def told():
        return [one for one in events.events() if one[1] == "violation"]

    until(lambda: len(told()) >= 2 and len(lines.objects()) >= 1, 5)
    time.sleep(0.1)
    checks.equal("events of two refused flows", "", 2, len(told()))
    checks.equal("lines of the tenant that was asked for", "", ["bystander"],
                 [one["source"]["tenant"] for _, one in lines.objects()])
    wrong = [error.message for one in [event[2] for event in told()]
             + [line for _, line in lines.objects()] for error in validator.iter_errors(one)]
    checks.say("fields that the description lacks", "", 0, len(wrong), not wrong, "\n".join(wrong))
    late = max([moment for moment, _, _ in told()] or [sent + 60]) - sent
    checks.say("time from the first packet to the last event", "ms", "<= 250",
               round(late * 1000, 1), late <= 0.25)
    lab.save("more.yaml", POLICY.replace("friend-to-victim", "more").replace("5000", "5001"))
    until(lambda: any(name == "generation" for _, name, _ in events.events()), 5)
    generations = [data for _, name, data in events.events() if name == "generation"]
    checks.equal("events of a saved file", "", ["added"],
                 [change["kind"] for one in generations for change in one["changes"]])
    events.close()
    lines.close()


def sinks(checks, lab, agent):
    """A file that is rotated under the agent, beside a syslog server that isn't there."""
    path = os.environ["RINGFENCE_SINKS_FILE_PATH"]

    def ports(name):
        with open(name, encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
        return [one["record"]["ports"]["destination"] for one in lines
                if one["event"] == "violation" and one["record"]["source"].get("tenant") == "mallory"]

    def arrived(port):
        return os.path.exists(path) and port in ports(path)

    send(lab, "mallory-1", "victim-1", 7300, 1, 1, 31000)
    checks.say("a refused flow stands in the file sink", "", True, until(lambda: arrived(7300), 5),
               arrived(7300))
    os.rename(path, path + ".moved")
    lab.agent.send_signal(signal.SIGHUP)
    until(lambda: "rescan" in agent_log(lab), 5)
    send(lab, "mallory-1", "victim-1", 7400, 1, 1, 31000)
    until(lambda: arrived(7400), 5)
    checks.equal("flows in the file after a rotation by others", "", [7400], ports(path))
    checks.say("flows in the file that was moved", "", "> 3", len(ports(path + ".moved")),
               len(ports(path + ".moved")) > 3 and 7400 not in ports(path + ".moved"))
    status = {one["name"]: one for one in agent.json("/v1/status")["sinks"]}
    checks.equal("records that the file lost", "", {"failed": 0, "full": 0, "limited": 0},
                 status["file"]["lost"])
    checks.say("what status says of a dead syslog server", "", "a problem",
               "a problem" if "problem" in status["syslog"] else "nothing",
               "problem" in status["syslog"])
    line = lab.agent.stdout.readline()
    checks.equal("the first event on the standard output", "", "generation",
                 json.loads(line)["event"])
    # A reader that goes away must not take the agent with it.
    lab.agent.stdout.close()
    for number in range(3):
        send(lab, "mallory-1", "victim-1", 7500 + number, 1, 1, 31000)
    until(lambda: "problem" in stdout_status(agent), 5)
    checks.say("what status says of a pipe that nobody reads", "", "a problem",
               stdout_status(agent).get("problem", "nothing").split(":")[0],
               lab.agent.poll() is None and "problem" in stdout_status(agent))
    # Its queue is 10 records long.
    checks.say("records that the dead one lost", "", "> 0", status["syslog"]["lost"]["full"],
               status["syslog"]["lost"]["full"] > 0 and status["syslog"]["waiting"] == 10)


def stdout_status(agent):
    return next(one for one in agent.json("/v1/status")["sinks"] if one["name"] == "stdout")


def agent_log(lab):
    with open(os.path.join(lab.place, "agent.log"), encoding="utf-8") as log:
        return log.read()


def strangers(checks, agent):
    """A page of somebody else's that makes a browser call this machine by another name."""
    status, _, _ = agent.get("/v1/status", {"Host": "attacker.example"})
    checks.equal("a request for another host", "", 421, status)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("ringfence")
    parser.add_argument("--results", default=os.path.join(ROOT, "results/api.json"))
    parser.add_argument("--short", action="store_true", help="leave schemathesis out")
    options = parser.parse_args()
    checks = Checks()
    files(checks)
    written = tempfile.TemporaryDirectory(prefix="ringfence-sinks-")
    os.environ.update(RINGFENCE_SINKS_FILE_PATH=os.path.join(written.name, "events.jsonl"),
                      RINGFENCE_SINKS_SYSLOG_ADDRESS="tcp:127.0.0.1:1",
                      RINGFENCE_SINKS_SYSLOG_QUEUE="10", RINGFENCE_SINKS_STDOUT_ENABLED="true")
    with written, Lab(options.ringfence, {"friend.yaml": POLICY}, listen=API, name="watch",
                      stdout=subprocess.PIPE) as lab:
        agent = Agent(lab.host, API)
        if not until(lambda: reached(agent)):
            sys.exit("nothing listens on the loopback port")
        # Somebody takes what is allowed, so that nothing is answered.
        with lab.space("victim-1").socket(socket.AF_INET, socket.SOCK_DGRAM) as taker:
            taker.bind((address("victim-1", socket.AF_INET), 5000))
            send(lab, "friend-1", "victim-1", 5000, 10, 5)
        send(lab, "mallory-1", "victim-1", 6000, 30, 4)
        metrics(checks, agent)
        scrape(checks, lab, agent)
        pages(checks, agent)
        streams(checks, lab, agent)
        sinks(checks, lab, agent)
        strangers(checks, agent)
        if not options.short:
            fuzz(checks, lab, agent)
    os.makedirs(os.path.dirname(options.results), exist_ok=True)
    with open(options.results, "w", encoding="utf-8") as file:
        json.dump(checks.measures, file, indent=2)
        file.write("\n")
    good = sum(one["pass"] for one in checks.measures)
    print(f"\n{good} of {len(checks.measures)} are as they should be")
    sys.exit(0 if good == len(checks.measures) else 1)


def reached(agent):
    try:
        return agent.get("/healthz")[0] == 200
    except OSError:
        return False


if __name__ == "__main__":
    needs_root()
    main()
