"""Gives each reader bytes that libFuzzer changes until they reach what no others have reached.

Usage: fuzz_readers.py [READER ...] [--seconds N] [--build] [--keep]

Builds the readers apart from the usual build, with the coverage that libFuzzer goes by and under the address sanitizer.
None may crash, touch memory that isn't its own, leave any behind, or take longer than a few seconds or more memory than it
may; the input that does it is left in results/, and its path printed. What was reached before is gone on from, in
.build/fuzz/found. With --keep, small inputs that reach something new become a part of the corpus in
Tests/FuzzTests/Corpus. Prints a table and writes results/fuzz-readers.json.
"""

import argparse
import json
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CORPUS = "Tests/FuzzTests/Corpus"
SCRATCH = ".build/fuzz"
# Beside the corpus of its own.
MORE = {"policies": ["Tests/PolicyTests/GoodPolicies", "Tests/PolicyTests/BadPolicies", "policies"],
        "rulesets": [f"{CORPUS}/nfnetlink"], "nfnetlink": [f"{CORPUS}/rulesets"]}
READERS = ["policies", "cni", "api", "rtnetlink", "nfnetlink", "rulesets", "host-filter", "inotify"]
# In seconds, MiB and bytes.
SLOWEST, MEMORY, LONGEST = 5, 768, 1 << 16
KEPT = 1 << 15


def build():
    # C is told apart, so that libyaml's branches count as well.
    command = ["swift", "build", "--product", "Fuzz", "--scratch-path", SCRATCH, "--sanitize=address",
               "-Xcc", "-fsanitize=fuzzer-no-link"]
    # The tool that the build itself runs ends without giving back what it took.
    done = subprocess.run(command, check=False,
                          env=os.environ | {"RINGFENCE_FUZZ": "1", "ASAN_OPTIONS": "detect_leaks=0"})
    if done.returncode:
        sys.exit("the readers can't be built for libFuzzer")


def environment(reader):
    """Little of what was given back is held back from new use: the sanitizer's 256 MiB would count as the reader's."""
    return os.environ | {"RINGFENCE_READER": reader, "SWIFT_BACKTRACE": "enable=no",
                         "ASAN_OPTIONS": "quarantine_size_mb=16"}


def run(reader, seconds, found, seeds):
    """What libFuzzer's end was, and what it said; one that doesn't end by itself is ended."""
    with subprocess.Popen(
            [f"{SCRATCH}/debug/Fuzz", f"-max_total_time={seconds}", f"-timeout={SLOWEST}", f"-rss_limit_mb={MEMORY}",
             f"-max_len={LONGEST}", f"-artifact_prefix=results/fuzz-{reader}-", "-print_final_stats=1", found, *seeds],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace",
            env=environment(reader)) as fuzzer:
        try:
            said = fuzzer.communicate(timeout=seconds * 3 + 300)[1]
        except subprocess.TimeoutExpired:
            fuzzer.kill()
            said = fuzzer.communicate()[1] + "\nit did not end\n"
    return fuzzer.returncode, said


def play(reader, seconds, measures):
    found = os.path.join(SCRATCH, "found", reader)
    os.makedirs(found, exist_ok=True)
    seeds = [folder for folder in [f"{CORPUS}/{reader}", *MORE.get(reader, [])] if os.path.isdir(folder)]
    code, said = run(reader, seconds, found, seeds)
    covered = [int(number) for number in re.findall(r"cov: (\d+)", said)]

    def stat(name):
        number = re.search(rf"stat::{name}:\s*(\d+)", said)
        return int(number[1]) if number else 0

    def say(measure, unit, target, measured, passed):
        measures.append({"measure": f"{reader}: {measure}", "unit": unit, "target": target, "measured": measured,
                         "pass": passed})

    tries, memory, rate = stat("number_of_executed_units"), stat("peak_rss_mb"), stat("average_exec_per_sec")
    begun, ended = (covered[0], covered[-1]) if covered else (0, 0)
    passed = code == 0 and tries > 0
    say("inputs", "inputs", "> 0", tries, tries > 0)
    say("inputs a second", "1/s", None, rate, True)
    say("branches reached by the corpus", "branches", None, begun, True)
    say("branches reached in the end", "branches", None, ended, True)
    say("crashes, hangs and excesses of memory", "times", 0, int(not passed), passed)
    say("peak of resident memory", "MiB", MEMORY, memory, memory <= MEMORY)
    print(f"  {reader:12}{tries:>10} inputs{rate:>8}/s{begun:>8} -> {ended} branches{memory:>6} MiB"
          f"{'' if passed else '   <-- WRONG'}", flush=True)
    if not passed:
        print(said[max(said.find("ERROR: "), 0):][:4000], flush=True)
        for path in re.findall(r"Test unit written to (\S+)", said):
            print(f"  {reader}: the input is in {path}; to try it again:\n"
                  f"    RINGFENCE_READER={reader} {SCRATCH}/debug/Fuzz {path}", flush=True)


def keep(reader):
    """Adds the smallest inputs that reach more than the corpus does, as long as there is room."""
    found, chosen = os.path.join(SCRATCH, "found", reader), os.path.join(SCRATCH, "chosen", reader)
    os.makedirs(chosen, exist_ok=True)
    for name in os.listdir(chosen):
        os.remove(os.path.join(chosen, name))
    corpus = f"{CORPUS}/{reader}"
    subprocess.run([f"{SCRATCH}/debug/Fuzz", "-merge=1", chosen, *MORE.get(reader, []), corpus, found],
                   capture_output=True, check=False, env=environment(reader))
    known = set()
    for name in os.listdir(corpus):
        with open(os.path.join(corpus, name), "rb") as file:
            known.add(file.read())
    room = KEPT - sum(map(len, known))
    for name in sorted(os.listdir(chosen), key=lambda one: os.path.getsize(os.path.join(chosen, one))):
        with open(os.path.join(chosen, name), "rb") as file:
            data = file.read()
        if data in known or len(data) > room:
            continue
        room -= len(data)
        with open(os.path.join(corpus, name[:12]), "wb") as file:
            file.write(data)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("readers", nargs="*", metavar="reader", help=", ".join(READERS))
    parser.add_argument("--seconds", type=int, default=30, help="for each reader")
    parser.add_argument("--build", action="store_true", help="build, and run nothing")
    parser.add_argument("--keep", action="store_true", help="add to the corpus")
    parser.add_argument("--results", default="results/fuzz-readers.json")
    options = parser.parse_args()
    os.chdir(ROOT)
    os.makedirs("results", exist_ok=True)
    build()
    if options.build:
        return
    measures = []
    for reader in options.readers or READERS:
        play(reader, options.seconds, measures)
        if options.keep:
            keep(reader)
    with open(options.results, "w", encoding="utf-8") as file:
        json.dump(measures, file, indent=2)
        file.write("\n")
    sys.exit(0 if all(one["pass"] for one in measures) else 1)


if __name__ == "__main__":
    main()
