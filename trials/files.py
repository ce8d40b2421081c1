"""How policy files are saved, and what other files do beside them."""

import os
import shutil

from calls import udp
from field import policy, until
from trial import OFF, case


def step(number, port=5000):
    return policy(f"step-{number}", "{tenant: blue}", "{tenant: green}", f"protocol: udp, ports: [{port}]")


def write(path, text):
    with open(path, "wb" if isinstance(text, bytes) else "w") as file:
        file.write(text)


@case("39", "links that are swapped", "each is followed",
      "configmap-reload#190, envoy#3928", modes=(OFF,))
def swapped(t):
    field = t.field()
    base, place = field.policies, os.path.join(field.place, "elsewhere")
    os.mkdir(place)
    numbers = iter(range(1, 100))

    def follows(what, change):
        number = next(numbers)
        change(number)
        t.claim(what, until(lambda: field.policies_in_force() & {f"step-{number}"}),
                field.status().get("policies"))

    def version(number):
        folder = os.path.join(base, f"..v{number}")
        os.mkdir(folder)
        write(os.path.join(folder, "web.yaml"), step(number))
        os.symlink(f"..v{number}", os.path.join(base, "..new"))
        os.rename(os.path.join(base, "..new"), os.path.join(base, "..data"))
        if not os.path.lexists(os.path.join(base, "web.yaml")):
            os.symlink("..data/web.yaml", os.path.join(base, "web.yaml"))

    for what in ("a ConfigMap is mounted", "..data is swapped", "..data is swapped again"):
        follows(what, version)
    os.unlink(os.path.join(base, "web.yaml"))

    def outside(number):
        folder = os.path.join(place, f"new-{number}")
        os.mkdir(folder)
        write(os.path.join(folder, "file.yaml"), step(number))
        os.symlink(os.path.join(folder, "file.yaml"), os.path.join(base, ".link"))
        os.rename(os.path.join(base, ".link"), os.path.join(base, "link.yaml"))
        outside.target = os.path.join(folder, "file.yaml")

    def rewritten(number):
        write(outside.target, step(number))

    def renamed_over(number):
        write(outside.target + "~", step(number))
        os.rename(outside.target + "~", outside.target)

    def replaced(number):
        folder = os.path.dirname(outside.target)
        os.rename(folder, folder + "-old")
        os.mkdir(folder)
        write(outside.target, step(number))

    for what, change in (
            ("a link into a folder that was never watched", outside),
            ("the link is swapped", outside), ("its target is rewritten", rewritten),
            ("its target is renamed over", renamed_over), ("its folder is replaced", replaced),
            ("its target is rewritten there", rewritten)):
        follows(what, change)
    shutil.rmtree(os.path.dirname(outside.target))
    os.unlink(os.path.join(base, "link.yaml"))
    t.claim("it goes when it is deleted", until(
        lambda: not any(str(one).startswith("step-") for one in field.policies_in_force())),
        field.policies_in_force())
    follows("it is back", outside)


@case("40", "files that editors and package managers leave behind", "no policy, no error", "own",
      modes=(OFF,))
def left_behind(t):
    field = t.field(policies=[("open.yaml", step(1))])
    for name in ("e.yaml~", ".e.yaml.swp", "#e.yaml#", "4913", "e.yaml.bak", "e.yaml.rpmnew",
                 "e.yaml,v", "e.yaml.dpkg-old", ".e.yaml.Xy12Z"):
        write(os.path.join(field.policies, name), step(2) if "~" in name else "not: [yaml\n")
    os.symlink("user@host.123:456", os.path.join(field.policies, ".#e.yaml"))
    field.change("later.yaml", step(3, 5001))
    status = field.status()["policies"]
    t.claim("the others are in force", until(
        lambda: {"step-1", "step-3"} <= field.policies_in_force()), field.policies_in_force())
    t.claim("no policy of theirs", status["files"] == 3 and status["policies"] == 2, status)
    t.claim("no error", not status["errors"], status["errors"])
    code, said = field.lint()
    t.claim("lint finds no mistake", code == 0, said)


@case("41", "a file whose lines are all commented out, or emptied", "its rules end", "own",
      modes=(OFF,))
def commented_out(t):
    field = t.field(policies=[("a.yaml", step(1, 5001)), ("b.yaml", step(2, 5002))])
    target = field.v4("green-1")
    for port, name, text in ((5001, "a.yaml", "# " + step(1, 5001).replace("\n", "\n# ")),
                             (5002, "b.yaml", "")):
        t.server(field, "green-1", port)
        t.claim(f"port {port} is open", udp(field, "blue-1", target, port))
        write(os.path.join(field.policies, name), text)
        t.claim(f"port {port} closes", until(
            lambda: not udp(field, "blue-1", target, port, 0.3)))
        t.claim(f"status names {name}", until(
            lambda: name in str(field.status()["policies"]["warnings"])),
            field.status()["policies"])
        policy_name = "step-1" if name == "a.yaml" else "step-2"
        t.claim(f"the log names {policy_name}", policy_name in field.log_text(), field.last_words())


@case("42", "line ends, byte order marks, other encodings", "CRLF is read, the rest has a clear error",
      "ddev#1677, wazuh-packages#1410", modes=(OFF,))
def encodings(t):
    field = t.field("blue-1")
    text = step(1)
    for what, data, is_right, words in (
            ("CRLF", text.replace("\n", "\r\n"), True, ()),
            ("no line end at the end", text.rstrip("\n"), True, ()),
            ("--- at the end", text + "---\n", True, ()),
            ("--- before and after", "---\n" + text + "---\n---\n", True, ()),
            ("a byte order mark", b"\xef\xbb\xbf" + text.encode(), False, ("byte order mark",)),
            ("UTF-16", text.encode("utf-16"), False, ("UTF-8", "UTF-16")),
            ("Latin-1 in a comment", b"# caf\xe9\n" + text.encode(), False, ("UTF-8",)),
            ("a tab", text.replace("from:", "from:\n\t").replace("[{tenant: blue}]", "- world"),
             False, ("tab",)),
            ("a no-break space", text.replace("from: [{tenant: blue}]",
                                              "from:\n\u00a0\u00a0- tenant: blue"),
             False, ("U+00A0", "no-break"))):
        code, said = field.lint(data)
        t.claim(f"{what} is {'read' if is_right else 'refused in clear words'}",
                code == 0 if is_right else code == 1 and any(one in said for one in words), said)
    code, said = field.lint(text.replace("\n", "\r"))
    t.claim("carriage returns alone are read or refused with a place",
            code == 0 or "checked.yaml:" in said, said)


@case("43", "web.json and web.YAML among the policies", "named as ignored", "own", modes=(OFF,))
def ignored(t):
    field = t.field("blue-1")
    for name in ("web.json", "web.YAML"):
        write(os.path.join(field.policies, name), step(1))
    code, said = field.lint()
    for name in ("web.json", "web.YAML"):
        t.claim(f"lint names {name}", name in said, said)
        t.claim(f"status names {name}", until(lambda: name in str(field.status()["policies"])),
                field.status()["policies"])
        t.claim(f"the log names {name}", until(lambda: name in field.log_text()))
    t.claim("lint exits with 0 or 1", code in (0, 1), code)


@case("48", "300 saves, and a rule of 1,000 ports", "the last save counts", "own", modes=(OFF,))
def many_saves(t):
    field = t.field()
    many = ", ".join(str(one) for one in range(20000, 22000, 2))
    text = (f"apiVersion: ringfence/v1\nkind: Policy\nname: many\nfrom: [{{tenant: blue}}]\n"
            f"to: [{{tenant: green}}]\nallow: [{{protocol: udp, ports: [{many}]}}]\n")
    for number in range(300):
        field.save("often.yaml", step(number, 5000 + number) if number % 2 else text)
    t.server(field, "green-1", 5299)
    t.server(field, "green-1", 20000)
    target = field.v4("green-1")
    t.claim("the last save is in force", udp(field, "blue-1", target, 5299, 15),
            field.status()["policies"])
    t.claim("the ones before are not", not udp(field, "blue-1", target, 20000, 0.3))
    field.save("often.yaml", text)
    t.claim("1,000 ports come into force", udp(field, "blue-1", target, 20000, 15))
    t.claim("the files are in order", not field.status()["policies"]["errors"])
