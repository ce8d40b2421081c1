"""Makes the pictures of the page in docs/, from a running lab."""

import os
import time

from stage import ROOT, Wrong

LIMIT = 300_000
# A refusal is news for a minute; then its cell says that it was earlier.
NEWS = 61


def take(look):
    """One picture at four tenants in light, one at a hundred in dark."""
    stage, folder = look.stage, os.environ.get("PICTURES", os.path.join(ROOT, "docs"))
    listeners = [stage.listen(name, port) for name, port in (
        ("db-1", 5432), ("payments-api-1", 8443), ("shop-web-1", 443))]
    refuse_earlier(stage)
    tab = look.fresh(1520, 900)
    time.sleep(NEWS)
    tab.theme("light")
    four_tenants(stage, tab)
    keep(tab, os.path.join(folder, "page-light.png"))
    stage.write("backup.yaml", stage.read("backup.yaml").replace("tenant: dbs", "tenant: db"))
    lent = stage.lend(stage.add_hundred())
    refuse_between(stage, lent, 5, 3)
    time.sleep(NEWS)
    tab.theme("dark")
    refuse_between(stage, dict(list(lent.items())[:7]), 3, 2)
    stage.call("shop-worker-1", "payments-api-1", 8443)
    tab.run("deselect()")
    show(tab, "document.querySelector('#field td.n').click()")
    keep(tab, os.path.join(folder, "page-dark.png"))
    for listener in listeners:
        listener.socket.close()


def four_tenants(stage, tab):
    for _ in range(30):
        stage.call("shop-web-1", "db-1", 5432)
        stage.call("shop-web-1", "payments-api-1", 8443)
    stage.write("shop.yaml", stage.read("shop.yaml").replace("[5432]", "[5432, 5433]"))
    time.sleep(0.3)
    stage.write("backup.yaml", stage.read("backup.yaml").replace("tenant: db", "tenant: dbs"))
    stage.send("stranger", "shop-web-1", 53)
    stage.send("db-replica-1", "shop-web-1", 443, count=2)
    stage.call("payments-batch-1", "db-1", 5432)
    stage.call("shop-worker-1", "payments-api-1", 8443)
    show(tab, "cellOf('shop', 'payments').click()")


def show(tab, click):
    """Has the page ask for all that is new, and open a pair."""
    time.sleep(0.5)
    tab.run("refresh()")
    tab.run(click)
    tab.until("violations of the pair", "document.querySelector('#pair-body li .tag')", 10)
    tab.away()
    time.sleep(1.5)


def refuse_earlier(stage):
    stage.send("payments-batch-1", "monitoring-1", 9093)
    stage.send("db-1", "payments-api-1", 8443)
    stage.send("monitoring-1", "db-1", 22, count=3)


def refuse_between(stage, lent, step, start):
    spare = list(lent.values())
    for number, name in enumerate(spare):
        stage.send(name, spare[(number * step + start) % len(spare)], 8443)


def keep(tab, path):
    size = tab.picture(path)
    print(f"{os.path.relpath(path, ROOT)}: {size:,} bytes", flush=True)
    if size > LIMIT:
        raise Wrong(f"{path} has more than {LIMIT:,} bytes")
