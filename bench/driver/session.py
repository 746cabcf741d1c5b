"""Runs the rounds: in each, every test under every allocator. Each result is written to disk at once, so that an
interrupted run can be continued."""
import json
import os
import sys
import time

from allocators import options_of
from measure import run_once


class Progress:
    """A progress bar with an estimate of the time left, from what each test took before; a line every 15 s if stderr is
    no terminal."""

    def __init__(self, total, known):
        self.total, self.done, self.took = total, 0, dict(known)
        self.terminal = sys.stderr.isatty()
        self.begun = self.shown = time.monotonic()

    def left(self, todo):
        mean = sum(self.took.values()) / len(self.took) if self.took else 1.0
        return sum(self.took.get(key, mean) for key in todo)

    def show(self, todo, what):
        now = time.monotonic()
        if not self.terminal and now - self.shown < 15:
            return
        self.shown = now
        seconds = int(self.left(todo))
        bar = "#" * (30 * self.done // max(1, self.total))
        line = f"[{bar:<30}] {self.done}/{self.total}  {seconds // 60}:{seconds % 60:02d} left  {what}"
        sys.stderr.write(f"\r\x1b[K{line[:150]}" if self.terminal else line + "\n")
        sys.stderr.flush()

    def close(self):
        if self.terminal:
            sys.stderr.write("\r\x1b[K")


class Session:
    def __init__(self, folder, header):
        self.path = os.path.join(folder, "raw.jsonl")
        self.header = header
        self.runs = []

    def resume(self):
        """Takes over the results of an earlier session with the same header; true if there is one. Drops a line that
        the interruption has cut short."""
        try:
            with open(self.path, encoding="utf-8") as file:
                lines = file.read().split("\n")
            header = json.loads(lines[0])["header"]
        except (OSError, ValueError, KeyError):
            return False
        if header["fingerprint"] != self.header["fingerprint"]:
            return False
        self.header = header
        self.runs = [json.loads(line) for line in lines[1:-1] if line.endswith("}")]
        return True

    def rewrite(self):
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        with open(self.path, "w", encoding="utf-8") as file:
            for line in [{"header": self.header}, *self.runs]:
                file.write(json.dumps(line) + "\n")

    def measure(self, bench, tests, allocators, rounds):
        """Measures what is missing. The order of the allocators rotates from round to round, so that none is always
        first."""
        done = {(run["round"], run["test"], run["allocator"]) for run in self.runs}
        names = list(allocators)
        todo = []
        for number in range(1, rounds + 1):
            turned = names[number % len(names):] + names[:number % len(names)]
            todo += [(number, test, name) for test in tests for name in turned if (number, test.name, name) not in done]
        progress = Progress(len(todo), {(run["test"], run["allocator"]): run["took_s"] for run in self.runs})
        with open(self.path, "a", encoding="utf-8") as file:
            for i, (number, test, name) in enumerate(todo):
                progress.show([(t.name, a) for _, t, a in todo[i:]], f"round {number} {test.name} {name}")
                run = self.run(bench, number, test, name, allocators[name])
                progress.took[test.name, name] = run["took_s"]
                progress.done += 1
                file.write(json.dumps(run) + "\n")
                file.flush()
        progress.close()

    def run(self, bench, number, test, name, library):
        begin = time.monotonic()
        figures = run_once(bench, test, library, options_of(name))
        run = {"round": number, "test": test.name, "allocator": name, **{k: round(v, 4) if isinstance(v, float) else v for k, v in figures.items()},
               "took_s": round(time.monotonic() - begin, 2)}
        self.runs.append(run)
        return run
