"""The benchmark driver: measures programs under several allocators and writes report.md and plots. scripts/bench builds
what it needs and starts it. Uses only Python's standard library."""
import argparse
import hashlib
import json
import os
import re
import sys

import allocators
import catalogue
import instructions
import machine
import plots
import report
from figures import Figures
from measure import Bench
from session import Session

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Parser(argparse.ArgumentParser):
    def error(self, message):
        """Prints an error as one line, without the usage."""
        fail(message.removeprefix("argument extra: "))


def fail(message, status=2):
    print("scripts/bench:", message, file=sys.stderr)
    sys.exit(status)


def pattern(text):
    try:
        return re.compile(text) and text
    except re.error as error:
        raise argparse.ArgumentTypeError(f"'{text}' is no regular expression: {error}") from None


def results(text):
    if not os.path.isfile(os.path.join(text, "raw.jsonl")):
        raise argparse.ArgumentTypeError(f"there is no run in '{text}' (no file raw.jsonl)")
    return text


def library(text):
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise argparse.ArgumentTypeError(f"'{text}' is no option, and a library is named as NAME=PATH.so")
    try:
        with open(path, "rb") as file:
            if file.read(4) != b"\x7fELF":
                raise argparse.ArgumentTypeError(f"'{path}' is no library")
    except OSError as error:
        raise argparse.ArgumentTypeError(f"'{path}' cannot be read: {error.strerror}") from None
    return name, path


def arguments():
    parser = Parser(prog="scripts/bench", add_help=False, allow_abbrev=False)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", type=pattern)
    parser.add_argument("--allocators", type=lambda text: text.split(","))
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--scale", type=float)
    parser.add_argument("--name")
    parser.add_argument("--out")
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--instructions", action="store_true")
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--report", metavar="DIR", type=results)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("extra", nargs="*", type=library)
    options = parser.parse_args()
    named = [name for name, _ in options.extra]
    for name in named:
        if named.count(name) > 1:
            parser.error(f"two libraries have the name {name}")
    options.extra = dict(options.extra)
    if options.rounds is not None and options.rounds < 1:
        parser.error("--rounds: at least one")
    if options.scale is not None and not 0 < options.scale <= 1000:
        parser.error("--scale: more than 0, at most 1000")
    if options.name is not None and (options.name in ("", ".", "..") or "/" in options.name):
        parser.error(f"--name: '{options.name}' is no name of a folder")
    known = [allocators.OWN, *allocators.PLACES, *allocators.PROFILES, *options.extra]
    for name in options.allocators or []:
        if name not in known:
            parser.error(f"--allocators: '{name}' is none of {', '.join(known)}")
    options.rounds = options.rounds or (2 if options.quick else 6)
    options.scale = options.scale or (0.1 if options.quick else 1.0)
    return options


def command_line(options):
    """The command as it was typed, without paths of this machine."""
    words, drop = ["scripts/bench"], False
    for word in sys.argv[1:]:
        if drop or word in ("--out", "--name"):
            drop = not drop
            continue
        name, _, path = word.partition("=")
        words.append(f"{name}={os.path.basename(path)}" if name in options.extra else word)
    return " ".join(words)


def make_header(options, bench, tests, found):
    header = {
        "command": command_line(options), "commit": machine.commit(ROOT), "machine": machine.describe(), "rounds": options.rounds,
        "scale": options.scale, "idle_ms": bench.idle_ms, "allocators": {name: allocators.describe(name, path) for name, path in found.items()},
        "tests": [{"name": test.name, "counted": test.counted, "part": test.part} for test in tests],
    }
    same = {key: header[key] for key in ("commit", "machine", "scale", "idle_ms", "allocators", "tests")}
    header["fingerprint"] = hashlib.sha256(json.dumps(same, sort_keys=True).encode()).hexdigest()[:16]
    return header


def folder_of(options, header):
    """The folder of the results: below bench/results, which is part of the repository, only for a run of all tests."""
    if options.out:
        return os.path.abspath(options.out)
    whole = not (options.quick or options.only or options.allocators or options.scale != 1.0)
    base = os.path.join(ROOT, "bench", "results") if whole else os.path.join(ROOT, "build", "bench-results")
    kind = "quick" if options.quick else "full" if whole else "part"
    changed = "-changes" if header["commit"].endswith("+changes") else ""
    return os.path.join(base, options.name or f"{kind}-{header['commit'][:8]}{changed}-{header['fingerprint'][:6]}")


def write_report(folder, header, runs, notes, counts):
    figures = Figures(runs, header["tests"], list(header["allocators"]))
    drawn = plots.draw(figures, folder)
    with open(os.path.join(folder, "report.md"), "w", encoding="utf-8") as file:
        file.write(report.text(figures, header, notes, counts, drawn))
    print(report.summary(figures))
    print(report.goals(figures))
    print(report.worst(figures))
    for note in notes:
        print("note:", note)
    print("written:", os.path.relpath(folder, ROOT) if folder.startswith(ROOT) else folder)
    return figures


def read_extras(folder):
    try:
        with open(os.path.join(folder, "extras.json"), encoding="utf-8") as file:
            extras = json.load(file)
    except (OSError, ValueError):
        extras = {}
    return extras.get("notes", []), extras.get("instructions", {})


def report_only(folder):
    with open(os.path.join(folder, "raw.jsonl"), encoding="utf-8") as file:
        try:
            lines = [json.loads(line) for line in file if line.rstrip().endswith("}")]
            lines[0]["header"]["tests"]
        except (ValueError, LookupError):
            fail(f"{file.name} was not written by scripts/bench, or is damaged")
    write_report(os.path.abspath(folder), lines[0]["header"], lines[1:], *read_extras(folder))


def main():
    options = arguments()
    if options.check:
        return None
    if options.report:
        return report_only(options.report)
    bin_dir = os.path.abspath(os.environ["MB_BENCH_BIN"])
    work = os.path.join(bin_dir, f"work-{options.scale:g}")
    os.makedirs(work, exist_ok=True)
    bench = Bench(bin_dir, work, options.scale, int(os.environ.get("MB_BENCH_IDLE_MS", "300" if options.quick else "1500")))
    tests, notes = catalogue.tests(bench, options.long, options.quick, options.only)
    if options.list:
        return print("\n".join(test.name for test in tests))
    if not tests:
        fail(f"no test matches '{options.only}' (--list names them)" if options.only else "there is no test to run")
    found, missing = allocators.find(bin_dir, os.environ["MBMALLOC_SO"], options.extra, options.allocators)
    if not found:
        fail("no allocator to measure: " + "; ".join(missing), 1)
    header = make_header(options, bench, tests, found)
    folder = folder_of(options, header)
    session = Session(folder, header)
    if not options.fresh and session.resume():
        print(f"goes on with an earlier run ({len(session.runs)} measurements)", file=sys.stderr)
        session.header["rounds"] = max(session.header["rounds"], options.rounds)
    try:
        session.rewrite()
    except OSError as error:
        fail(f"cannot write to {folder}: {error.strerror}")
    try:
        session.measure(bench, tests, found, options.rounds)
    except KeyboardInterrupt:
        print(file=sys.stderr)  # end the line of the progress bar
        fail("interrupted; the same command continues from here", 1)
    counts = instructions.count(bench, found) if options.instructions else {}
    with open(os.path.join(folder, "extras.json"), "w", encoding="utf-8") as file:
        json.dump({"notes": notes + missing, "instructions": counts}, file)
    figures = write_report(folder, session.header, session.runs, notes + missing, counts)
    own_failures = [key for key in figures.failures if key[1] == allocators.OWN]
    return sys.exit(1 if own_failures else 0)


if __name__ == "__main__":
    main()
