"""Writes a manual page for each command, from what the program says of itself.

Usage: manpages.py RINGFENCE FOLDER VERSION

`ringfence --experimental-dump-help` gives every command, option and argument as JSON.
"""

import json
import os
import re
import subprocess
import sys


def escaped(text):
    text = text.replace("\\", "\\(rs").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", text, flags=re.M)


def names(argument):
    written = [("--" if one["kind"] == "long" else "-") + one["name"]
               for one in argument.get("names") or []]
    return sorted(written, key=lambda name: (len(name) > 2, name))


def value(argument):
    return argument.get("valueName") or "value"


def usage(argument):
    if argument["kind"] == "positional":
        text = f"\\fI{escaped(value(argument))}\\fR"
    else:
        longest = names(argument)[-1]
        text = f"\\fB{escaped(longest)}\\fR"
        if argument["kind"] == "option":
            text += f" \\fI{escaped(value(argument))}\\fR"
    text += " ..." if argument.get("isRepeating") else ""
    return f"[{text}]" if argument.get("isOptional") else text


def described(argument):
    lines = [".TP"]
    if argument["kind"] == "positional":
        lines.append(f"\\fI{escaped(value(argument))}\\fR")
    else:
        words = ", ".join(f"\\fB{escaped(name)}\\fR" for name in names(argument))
        if argument["kind"] == "option":
            words += f" \\fI{escaped(value(argument))}\\fR"
        lines.append(words)
    text = argument.get("abstract") or ""
    if argument.get("allValues"):
        text += " One of: " + ", ".join(argument["allValues"]) + "."
    if argument.get("defaultValue") not in (None, "", "[]"):
        text += f" (default: {argument['defaultValue']})"
    lines.append(escaped(text.strip()) or "\\&")
    return lines


def page(command, path, version, all_paths):
    title = "-".join(path)
    shown = [one for one in command.get("arguments") or [] if one.get("shouldDisplay", True)]
    lines = [f'.TH {title.upper()} 8 "" "ringfence {version}" "Ringfence"', ".SH NAME",
             f"{escaped(title)} \\- {escaped((command.get('abstract') or '').rstrip('.'))}",
             ".SH SYNOPSIS", f".B {escaped(' '.join(path))}"]
    lines += [usage(one) for one in shown]
    if command.get("subcommands"):
        lines.append("\\fIcommand\\fR ...")
    if command.get("discussion"):
        lines.append(".SH DESCRIPTION")
        lines += escaped(command["discussion"]).replace("\n\n", "\n.PP\n").split("\n")
    if shown:
        lines.append(".SH OPTIONS")
        for one in shown:
            lines += described(one)
    children = [one for one in command.get("subcommands") or [] if one["commandName"] != "help"]
    if children:
        lines.append(".SH COMMANDS")
        for child in children:
            name = "-".join(path + [child["commandName"]])
            lines += [".TP", f"\\fB{escaped(name)}\\fR(8)", escaped(child.get("abstract") or "")]
    if path == ["ringfence"]:
        lines += [".SH FILES", ".TP", ".I /etc/ringfence/policies", "The policy files.", ".TP",
                  ".I /var/lib/ringfence", "Counts and history over restarts.", ".TP",
                  ".I /run/ringfence/agent.sock", "Where the agent answers."]
    others = [one for one in all_paths if one != path and one[:-1] in (path[:-1], path)]
    if others:
        lines += [".SH SEE ALSO", ", ".join(
            f"\\fB{escaped('-'.join(one))}\\fR(8)" for one in others)]
    return "\n".join(lines) + "\n"


def walk(command, path):
    yield command, path
    for child in command.get("subcommands") or []:
        if child["commandName"] != "help" and child.get("shouldDisplay", True):
            yield from walk(child, path + [child["commandName"]])


def main():
    program, folder, version = sys.argv[1:]
    said = subprocess.run([program, "--experimental-dump-help"], capture_output=True, check=True)
    root = json.loads(said.stdout)["command"]
    commands = list(walk(root, ["ringfence"]))
    os.makedirs(folder, exist_ok=True)
    for command, path in commands:
        with open(os.path.join(folder, "-".join(path) + ".8"), "w", encoding="utf-8") as file:
            file.write(page(command, path, version, [other for _, other in commands]))
    print(f"{len(commands)} manual pages")


if __name__ == "__main__":
    main()
