"""Reads every form of report with a reader of that form that isn't ours.

Usage: check_reports.py RINGFENCE [--results FILE]

Audits the demo's lab twice: as the agent left it, and with a table gone and names that try to break out of each form.
OSCAL is read by compliance-trestle, the others by what Python has. Needs root.
"""

import csv
import html.parser
import io
import json
import os
import re
import sys
import tempfile
import uuid
import xml.etree.ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "audit"))
from sample import Stage  # noqa: E402  pylint: disable=wrong-import-position

FORMS = ("html", "json", "csv", "oscal.json", "xml", "sarif")
HOSTILE = "</script>\"'&<b>]]>=1+1 \u00e9\u202e"
ODD_POLICY = f"""\
apiVersion: ringfence/v1
kind: Policy
name: odd
owner: {json.dumps(HOSTILE)}
from: [{{tenant: monitoring}}]
to: [{{tenant: shop}}]
allow: [{{protocol: tcp, ports: [7777]}}]
"""


class Page(html.parser.HTMLParser):
    """What a page loads, and the elements that are left open."""

    VOID = {"meta", "br", "img", "input", "link", "hr", "col", "path", "rect", "circle", "line", "use"}

    def __init__(self):
        super().__init__()
        self.loads, self.open, self.scripts, self.wrong = [], [], 0, []

    def handle_starttag(self, tag, attrs):
        names = dict(attrs)
        self.scripts += tag == "script"
        target = names.get("src") or (names.get("href") if tag in ("link", "image", "use") else None)
        if target and not target.startswith(("#", "data:")):
            self.loads.append(target)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in self.VOID:
            return
        if not self.open or self.open[-1] != tag:
            self.wrong.append(tag)
        else:
            self.open.pop()


def check_html(text, report):
    page = Page()
    page.feed(text)
    assert not page.loads, f"the page loads {page.loads}"
    assert not page.wrong and not page.open, f"elements that don't match: {page.wrong} {page.open}"
    assert "url(http" not in text and "@import" not in text, "the page's style loads something"
    assert len(report["checks"]) > 0


def check_json(text, report):
    assert json.loads(text) == report
    outcomes = {"proven", "notProven", "violated"}
    for key in ("assertions", "checks", "controls", "finished", "format", "kernel", "machine", "matrix",
                "outcome", "policies", "rules", "started"):
        assert key in report, f"no {key}"
    assert report["outcome"] in outcomes
    assert {check["outcome"] for check in report["checks"]} <= outcomes


def check_csv(text, report):
    rows = list(csv.reader(io.StringIO(text), strict=True))
    assert len({len(row) for row in rows}) == 1, "rows of several lengths"
    assert len(rows) > len(report["checks"]), "fewer rows than checks"
    # A spreadsheet takes such a cell for a formula.
    assert not any(cell[:1] in "=+@" and cell[:1] for row in rows for cell in row), "a formula"


def check_oscal(text, report):
    from trestle.oscal.assessment_results import Model  # pylint: disable=import-outside-toplevel
    results = Model.parse_obj(json.loads(text)).assessment_results
    found = results.results[0]
    assert len(found.observations) == len(report["checks"])
    known = {one.uuid for one in found.observations}
    for finding in found.findings or []:
        for related in finding.related_observations or []:
            assert related.observation_uuid in known, "an observation that isn't there"
    for one in re.findall(r'"uuid": ?"([^"]*)"', text):
        uuid.UUID(one)


def check_xml(text, report):
    root = xml.etree.ElementTree.fromstring(text)
    cases = list(root.iter("testcase"))
    assert len(cases) == int(root.get("tests")) == len(report["checks"])
    for key, outcome in (("failures", "violated"), ("errors", "notProven")):
        count = sum(check["outcome"] == outcome for check in report["checks"])
        assert int(root.get(key)) == count, f"{key}: {root.get(key)} for {count}"
        assert sum(case.find(key[:-1]) is not None for case in cases) == count


def check_sarif(text, report):
    log = json.loads(text)
    assert log["version"] == "2.1.0"
    run = log["runs"][0]
    rules = {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    for result in run["results"]:
        assert result["ruleId"] in rules, f"no rule {result['ruleId']}"
        assert result["level"] in ("none", "note", "warning", "error")
        assert result["message"]["text"]
        for location in result.get("locations", []):
            place = location["physicalLocation"]
            assert not re.search(r"[\s<>\"]", place["artifactLocation"]["uri"]), "an address that is none"
            assert place["region"]["startLine"] >= 1
    is_wrong = any(check["outcome"] == "violated" for check in report["checks"])
    assert any(result["level"] == "error" for result in run["results"]) == is_wrong


CHECKS = dict(zip(FORMS, (check_html, check_json, check_csv, check_oscal, check_xml, check_sarif)))


def look(stage, name, status):
    """Audits, and gives a measure for each form."""
    words = [word for form in FORMS for word in ("--report", f"{name}.{form}")]
    stage.audit("--no-record", *words, statuses=(status,))
    def read(form):
        with open(os.path.join(stage.place, f"{name}.{form}"), encoding="utf-8", newline="") as file:
            return file.read()
    report = json.loads(read("json"))
    measures = []
    for form, check in CHECKS.items():
        try:
            check(read(form), report)
            wrong = ""
        except Exception as error:  # pylint: disable=broad-exception-caught
            wrong = f"{type(error).__name__}: {error}"[:600]
            print(f"{name}.{form}: {wrong}")
        measures.append({"measure": f"{name} audit as {form}", "unit": "", "target": True,
                         "measured": not wrong, "pass": not wrong})
    return measures


def main():
    results = sys.argv[sys.argv.index("--results") + 1] if "--results" in sys.argv else None
    with tempfile.TemporaryDirectory(prefix="ringfence-reports-") as place:
        stage = Stage(sys.argv[1], place, "reports")
        with open(os.path.join(place, "policies", "odd &<b>'name.yaml"), "w", encoding="utf-8") as file:
            file.write(ODD_POLICY)
        try:
            stage.up()
            measures = look(stage, "proven", 0)
            stage.stop()
            stage.inside("shop-web-1", "nft", "delete", "table", "inet", "ringfence")
            measures += look(stage, "violated", 1)
        finally:
            stage.down()
    if results:
        with open(results, "w", encoding="utf-8") as file:
            json.dump(measures, file, indent=2)
            file.write("\n")
    failed = sum(not measure["pass"] for measure in measures)
    print(f"{len(measures) - failed} forms of reports read, {failed} wrong")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
