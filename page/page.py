"""Looks at the agent's page with a real browser, a real agent and real packets.

Usage: page.py RINGFENCE [--pictures]

RINGFENCE is the program. Measures are printed and written to results/page.json; with --pictures,
only docs/page-light.png and docs/page-dark.png are made anew, which takes two minutes. Needs root, Chromium
and `ip`; no network but the lab's is touched. Exits with 1 where something is wrong, not slow.
"""

import json
import os
import signal
import statistics
import sys
import time
import traceback

from browser import Browser, Trouble
from checks import CONTRAST, FINDERS, LONG_TASKS, strings_twisted
from relay import Relay
from stage import HOSTILE, ROOT, Stage, Wrong

MARK = "\\u{202e}"


class Look:
    """Everything that is looked at, and what came out."""

    def __init__(self, stage, browser):
        self.stage, self.browser = stage, browser
        self.measures = []

    def measure(self, name, unit, target, measured, holds, is_speed=False):
        self.measures.append({
            "measure": name, "unit": unit, "target": target, "measured": measured,
            "pass": bool(holds)})
        word = "ok" if holds else "slow" if is_speed else "WRONG"
        print(f"{word:<5}  {name}: {measured} {unit}  (target {target})", flush=True)
        self.measures[-1]["isSpeed"] = is_speed

    def holds(self, name, condition, detail=""):
        self.measure(name + (f" ({detail})" if detail and not condition else ""), "", True,
                     bool(condition), condition)

    def fresh(self, width=1440, height=900):
        tab = self.browser.tab(width, height)
        tab.open(self.stage.url + "/")
        tab.until("the page is live", "document.body?.dataset.link === 'live'", 10)
        tab.until("the matrix is there", "document.querySelectorAll('#field td').length > 0")
        tab.run(FINDERS)
        return tab

    def quiet(self, tab, what, origin=None):
        self.measure(f"complaints of the browser, {what}", "", 0, len(tab.complaints),
                     not tab.complaints)
        for complaint in tab.complaints[:5]:
            print(f"       {complaint[:300]}")
        strange = [url for url in tab.requests
                   if not url.startswith(((origin or self.stage.url) + "/", "data:", "about:"))]
        self.measure(f"requests to others than the agent, {what}", "", 0, len(strange), not strange)
        for url in strange[:5]:
            print(f"       {url[:300]}")

    # What is looked at.

    def loads(self):
        tab = self.fresh()
        self.holds("the matrix has a row for each tenant, the host and the world",
                   tab.run("[...document.querySelectorAll('#field tbody th')].map(e => e.textContent)")
                   == ["db", "monitoring", "payments", "shop", "host", "world"])
        cells = tab.run("[...document.querySelectorAll('#field td')].filter(e => e.className).length")
        wanted = len(self.stage.ask("matrix")["cells"])
        self.holds("each cell of the agent's matrix is filled", cells == wanted, f"{cells} of {wanted}")
        return tab

    def shows_violations(self, tab, tries=20):
        """From the packet to the row in the live drops and the red cell."""
        times = []
        for number in range(tries):
            port = 7000 + number
            sent = self.stage.send("payments-batch-1", "db-1", port)
            tab.until(
                f"the refused packet to port {port} is shown",
                "[...document.querySelectorAll('#drops-list .row b.end')].some("
                f"e => e.textContent === 'udp {port}')", 5)
            times.append((time.monotonic() - sent) * 1000)
        self.measure("from packet to page, worst of 20", "ms", "<= 1000", round(max(times), 1),
                     max(times) <= 1000)
        self.measure("from packet to page, median of 20", "ms", "<= 250",
                     round(statistics.median(times), 1), statistics.median(times) <= 250, True)
        self.holds("the pair's cell is refused now",
                   tab.run("cellOf('payments', 'db').className.split(' ')[0] === 'n'"))
        self.holds("the cell of a pair with rules stays allowed",
                   tab.run("cellOf('shop', 'payments').className === 'a'"))

    def explains(self, tab):
        """A click on a cell shows rules with file and line, and the latest violations."""
        self.stage.send("shop-worker-1", "payments-api-1", 8443)
        self.stage.call("shop-worker-1", "payments-api-1", 8443)
        tab.click("cellOf('shop', 'payments')")
        tab.until("the pair is shown",
                  "document.querySelector('#pair-body .tag')?.textContent === 'no rule'")
        rule = next(one for one in self.stage.ask("rules")["rules"]
                    if one["rule"]["policy"] == "shop-web-to-payments")
        place = rule["rule"]["place"]
        wanted = os.path.relpath(place["file"], self.stage.policies) + f":{place['line']}"
        text = tab.run("document.getElementById('pair').textContent")
        for words in ("shop → payments", wanted, "shop-web-to-payments", "team-shop",
                      "shop-worker-1 → payments-api-1", "tcp 8443", "app=web"):
            self.holds(f"the pair shows '{words}'", words in text, text[:400])
        tab.click("document.getElementById('swap')")
        tab.until("the other way round is shown",
                  "document.getElementById('pair-title').textContent.startsWith('payments')")
        tab.press("Escape")
        self.holds("Escape closes the pair", tab.run("document.getElementById('pair').hidden"))

    def obeys_keys(self, tab):
        tab.run("document.getElementById('filter').focus()")
        tab.press("Tab")
        here = "nameOf(document.activeElement.at)"
        self.holds("Tab goes from the filter into the matrix",
                   tab.run("document.activeElement.getAttribute('role') === 'gridcell'"))
        tab.press("Home", control=True)
        for key, control, wanted in (
                ("ArrowRight", False, "db monitoring"), ("ArrowDown", False, "monitoring monitoring"),
                ("ArrowLeft", False, "monitoring db"), ("ArrowUp", False, "db db"),
                ("ArrowUp", False, "db db"), ("End", False, "db world"),
                ("End", True, "world world"), ("PageUp", False, "db world"),
                ("Home", False, "db db"), ("n", False, "payments db")):
            tab.press(key, control)
            found = tab.run(here)
            self.holds(f"{'Ctrl-' if control else ''}{key} goes to {wanted}", found == wanted, found)
        words = tab.run("document.activeElement.getAttribute('aria-label')")
        self.holds("a cell says in words what it shows",
                   words.startswith("payments to db: refused now, no rule, "), words)
        tab.press("Enter")
        tab.until("Enter shows the pair", "document.activeElement.id === 'pair-title'")
        tab.press("Escape")
        self.holds("Escape goes back to the cell", tab.run(here) == "payments db")
        self.holds("the matrix is one stop of the Tab key",
                   tab.run("document.querySelectorAll('#field [tabindex=\"0\"]').length") == 1)
        tab.press("/")
        tab.write("pay")
        rows = tab.run("[...document.querySelectorAll('#field tbody th')].map(e => e.textContent)")
        self.holds("the filter leaves a tenant and whom it has to do with",
                   "payments" in rows and "shop" in rows and "host" not in rows, str(rows))
        tab.run("(() => { const f = document.getElementById('filter'); f.value = '';"
                " f.dispatchEvent(new Event('input')); f.blur(); })()")

    def follows_files(self, tab):
        """A saved file is a generation; a bad one is a mistake with its place, until it is right."""
        before = self.stage.read("shop.yaml")
        generation = self.stage.ask("status")["agent"]["generation"]
        self.stage.write("shop.yaml", before.replace("ports: [5432]", "ports: [5432, 5433]"))
        tab.until("the new generation is shown",
                  "document.querySelector('#generations .row b')?.textContent"
                  f" === '{generation + 1}'")
        row = tab.run("document.querySelector('#generations .row').textContent")
        self.holds("a generation names the file that changed", "~ shop.yaml" in row, row)
        self.stage.write("shop.yaml", before.replace("tenant: payments", "tenant: paymets"))
        tab.until("the mistake is shown", "document.querySelector('#errors .place-text')")
        text = tab.run("document.getElementById('errors').textContent")
        place = self.stage.ask("status")["policies"]["errors"][0]["place"]
        self.holds("a mistake is shown with its place and mend",
                   f"shop.yaml:{place['line']}" in text and "paymets" in text and "fix: " in text, text)
        self.stage.write("shop.yaml", before)
        tab.until("the mistake is gone", "!document.querySelector('#errors .place-text')")

    def survives_names(self, tab):
        """Files, owners, tickets and endpoints with markup in their names stay text."""
        self.stage.add_hostile()
        tab.until("the tenant is there", "!!cellOf('db', 'xn--evil.host')", 10)
        self.stage.until(self.stage.is_enforced, "the hostile endpoint is enforced")
        self.stage.send("stranger", "db-1", 6666)
        tab.until("its packet is shown", "document.getElementById('drops-list').textContent"
                  ".includes('udp 6666')")
        tab.click("cellOf('db', 'xn--evil.host')")
        tab.until("its rule is shown", "document.querySelector('#pair-body .place-text')")
        shown = tab.run("document.body.textContent.split('<script>')[0]")
        written = HOSTILE.replace("\u202e", MARK).replace("\u2066", "\\u{2066}")
        parts = {
            "an endpoint's": f"xn--evil.host/x-{written}",
            "a file's": f"z{written}.yaml:", "an owner's and a ticket's": f"{written} · {written}"}
        for whose, text in parts.items():
            self.holds(f"{whose} name is shown as it is, with controls written out", text in shown)
        self.is_unhurt(tab, "with hostile names in files and namespaces")
        # A mistake in the same file: its message quotes it.
        name = "z" + HOSTILE + ".yaml"
        text = self.stage.read(name)
        self.stage.write(name, text.replace("ports: [1]", "ports: [" + json.dumps(HOSTILE) + "]"))
        tab.until("the mistake in the hostile file is shown",
                  "document.getElementById('errors').textContent.includes('onerror')")
        self.is_unhurt(tab, "with a hostile mistake")
        self.stage.write(name, text)
        tab.press("Escape")

    def survives_answers(self):
        """Every string that the agent could answer with, made hostile: names that it would refuse too."""
        relay = Relay(self.stage.socket, strings_twisted(HOSTILE))
        try:
            tab = self.browser.tab()
            tab.open(relay.url + "/")
            tab.until("the matrix is there", "document.querySelectorAll('#field td').length > 0", 10)
            self.stage.send("payments-batch-1", "db-1", 6667)
            tab.until("drops are there", "document.querySelectorAll('#drops-list .row').length > 1", 10)
            tab.run("document.querySelector('#field td.n, #field td.a').click()")
            tab.until("a pair is there", "document.querySelectorAll('#pair-body .row').length > 1", 10)
            tab.run("document.querySelector('#drops-list button').click()")
            tab.run("document.querySelectorAll('details').forEach(one => { one.open = true; })")
            self.holds("a hostile tenant is a row of the matrix",
                       "onerror" in tab.run("document.querySelector('#field tbody th').textContent"))
            self.is_unhurt(tab, "with every answer hostile")
            self.quiet(tab, "with every answer hostile", relay.url)
            tab.do("Page.close")
        finally:
            relay.close()

    def is_unhurt(self, tab, what):
        hurt = tab.run(
            "typeof hacked !== 'undefined' || document.getElementById('injected')"
            " ? 'ran' : [...document.querySelectorAll('img, iframe, script[src], [onerror]')]"
            ".map(e => e.outerHTML).join() || (/[\\u202a-\\u202e\\u2066-\\u2069]/"
            ".test(document.body.innerText + document.body.innerHTML.split('<script>')[0])"
            " ? 'direction' : '')")
        self.measure(f"injected elements, scripts or directions, {what}", "", "none", hurt or "none",
                     not hurt)

    def keeps_markup_out(self, tab):
        """Should the page's own code ever make markup of text, the browser refuses."""
        refused = tab.run("(() => { try { document.createElement('p').innerHTML = '<b>x</b>';"
                          " return false; } catch (error) { return error instanceof TypeError; } })()")
        self.holds("the browser refuses markup made of text", refused)
        inline = tab.run("(() => { const one = document.createElement('style');"
                         " one.textContent = 'body { color: red }'; document.head.append(one);"
                         " const applied = one.sheet !== null; one.remove(); return applied; })()")
        self.holds("the browser refuses styles that are not the page's own", not inline)

    def is_readable(self, tab):
        worst = {}
        for theme in ("light", "dark"):
            tab.theme(theme)
            worst[theme] = tab.run(CONTRAST)
            self.measure(f"lowest contrast of text, {theme}", "to 1", ">= 4.5",
                         worst[theme]["ratio"], worst[theme]["ratio"] >= 4.5)
            if worst[theme]["ratio"] < 4.5:
                print(f"       {worst[theme]['where']}")
        self.holds("light and dark differ", worst["light"]["ground"] != worst["dark"]["ground"])

    def bears_a_flood(self, tab, flows=3000):
        """Thousands of refused flows at once: the page stays quick, and holds on to little."""
        tab.run(LONG_TASKS)
        start = time.monotonic()
        self.stage.send("payments-batch-1", "db-1", 20000, count=flows)
        tab.until("the flood is shown", "document.getElementById('drops-list').textContent"
                  ".includes('udp 2')", 10)
        time.sleep(max(0.0, 2.5 - (time.monotonic() - start)))
        longest = tab.run("Math.round(Math.max(0, ...longTasks))")
        rows = tab.run("document.querySelectorAll('#drops-list .row').length")
        self.measure(f"rows that the page holds after {flows} refused flows", "rows", "<= 100", rows,
                     rows <= 100)
        self.measure("longest that the page was busy in the flood", "ms", "<= 200", longest,
                     longest <= 200, True)
        start = time.monotonic()
        tab.run("document.activeElement.blur()")
        tab.press("p")
        tab.until("the list is held", "document.getElementById('drops-count').textContent === 'held'")
        took = (time.monotonic() - start) * 1000
        tab.press("p")
        self.measure("from a key to its effect after the flood", "ms", "<= 200", round(took, 1),
                     took <= 200, True)

    def holds_a_hundred(self, tab):
        """A hundred tenants: as many rows and columns, drawn at once, headers in sight."""
        names = self.stage.add_hundred()
        tab.until("a hundred rows", "document.querySelectorAll('#field tbody th').length >= 102", 10)
        lent = self.stage.lend(names)
        tab.do("Page.close")
        tab = self.fresh()
        took = tab.run(
            "new Promise(done => { const key = grid.key; grid.key = ''; const start = performance.now();"
            " showMatrix(); document.body.offsetHeight; const built = performance.now() - start;"
            " requestAnimationFrame(() => setTimeout(() => done([built, performance.now() - start,"
            " document.querySelectorAll('#field td').length]))); })")
        cells = took[2]
        self.holds("there are 10,000 cells and more", cells >= 10000, str(cells))
        self.measure(f"building and laying out {cells} cells", "ms", "<= 300", round(took[0]),
                     took[0] <= 300, True)
        self.measure(f"until {cells} cells are painted", "ms", "<= 600", round(took[1]),
                     took[1] <= 600, True)
        took = tab.run("(() => { const start = performance.now(); showMatrix(); fillGrid();"
                       " document.body.offsetHeight; return performance.now() - start; })()")
        self.measure("taking a matrix in which nothing changed", "ms", "<= 50", round(took, 1),
                     took <= 50, True)
        tab.run("document.querySelector('#field td').focus()")
        tab.press("End", control=True)
        box = tab.run(
            "(() => { const box = e => { const b = e.getBoundingClientRect();"
            " return [b.left, b.top, b.right, b.bottom]; }; const s = document.getElementById('scroller');"
            " return [box(s), box(grid.corner), box(document.activeElement),"
            " box(grid.columns[grid.at[1]]), box(grid.rows[grid.at[0]]), s.scrollTop]; })()")
        scroller, corner, cell, column, row, moved = box
        self.holds("the matrix scrolls to the last cell", moved > 100, str(moved))
        self.holds("headers stay in sight over what is scrolled",
                   abs(corner[1] - scroller[1]) < 2 and abs(column[1] - scroller[1]) < 2
                   and abs(row[0] - scroller[0]) < 2, str(box))
        self.holds("the focused cell is not hidden by a header or an edge",
                   cell[0] >= corner[2] - 1 and cell[1] >= corner[3] - 1
                   and cell[2] <= scroller[2] + 1 and cell[3] <= scroller[3] + 1, str(box))
        start = time.monotonic()
        for _ in range(20):
            tab.press("ArrowUp")
        took = (time.monotonic() - start) * 1000 / 20
        self.measure("one step with an arrow key among 10,000 cells", "ms", "<= 50", round(took, 1),
                     took <= 50, True)
        return tab, lent

    def says_when_alone(self, tab):
        """Without an agent the page says so and keeps what it has; it finds the next one by itself."""
        self.stage.stop_agent()
        tab.until("the page says that nobody answers",
                  "document.getElementById('link').textContent.includes('doesn\\'t answer since')", 10)
        self.holds("what was shown is still there",
                   tab.run("document.querySelectorAll('#field td').length") > 0)
        self.stage.start_agent()
        tab.until("the page is live again", "document.body.dataset.link === 'live'", 15)
        # Its failed requests are no complaints of the page.
        tab.complaints = [one for one in tab.complaints if "ERR_" not in one]

    def all(self):
        tab = self.loads()
        self.shows_violations(tab)
        self.explains(tab)
        self.obeys_keys(tab)
        self.follows_files(tab)
        self.is_readable(tab)
        self.quiet(tab, "at four tenants")
        self.survives_names(tab)
        self.survives_answers()
        self.bears_a_flood(tab)
        self.quiet(tab, "with hostile names and a flood")
        self.keeps_markup_out(tab)
        tab, _ = self.holds_a_hundred(tab)
        self.says_when_alone(tab)
        self.quiet(tab, "at a hundred tenants and over a restart")


def write(measures):
    os.makedirs(os.path.join(ROOT, "results"), exist_ok=True)
    keys = ("measure", "unit", "target", "measured", "pass")
    with open(os.path.join(ROOT, "results/page.json"), "w", encoding="utf-8") as file:
        json.dump([{key: one[key] for key in keys} for one in measures], file, indent=2)
        file.write("\n")


def main():
    arguments = [one for one in sys.argv[1:] if one != "--pictures"]
    if len(arguments) != 1 or os.geteuid() != 0:
        sys.exit(__doc__ if len(arguments) != 1 else "the lab makes namespaces: run this as root")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    measures, status, start = [], 1, time.monotonic()
    try:
        with Stage(arguments[0]) as stage:
            browser = Browser()
            look = Look(stage, browser)
            measures = look.measures
            try:
                if "--pictures" in sys.argv:
                    from pictures import take
                    take(look)
                else:
                    look.all()
            finally:
                browser.close()
        status = 0 if all(one["pass"] or one["isSpeed"] for one in measures) else 1
    except (Wrong, Trouble) as wrong:
        measures.append({"measure": str(wrong), "unit": "", "target": "holds", "isSpeed": False,
                         "measured": "does not", "pass": False})
        traceback.print_exc()
        print(f"not as it should be: {wrong}", file=sys.stderr)
    took = round(time.monotonic() - start, 1)
    failed = sum(not one["pass"] and not one["isSpeed"] for one in measures)
    if "--pictures" not in sys.argv:
        measures.append({"measure": "the whole", "unit": "s", "target": "<= 30", "measured": took,
                         "pass": took <= 30, "isSpeed": True})
        write(measures)
    print(f"{len(measures) - failed} of {len(measures)} are as they should be, {took} s")
    sys.exit(status)


if __name__ == "__main__":
    main()
