#!/usr/bin/env python3
"""Checks that the library's start takes at most 12 system calls besides the loader's own.

Counts all calls of a process with the library preloaded that allocates one block in main, minus the calls of the same
program without the library that allocates nothing, minus those of the loader for one more shared object: from the openat
that finds it to the close of that descriptor, and mprotect inside its mapping (RELRO).
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

BUDGET = 12
SKIP = 77
CALL = re.compile(r"^(?:\d+ +)?([a-z_0-9]+)\((.*)\) += +(\S+)")


def trace(program, library, mode):
    """The calls of one run as (name, arguments, result)."""
    with tempfile.NamedTemporaryFile("r") as log:
        command = ["strace", "-f", "-o", log.name]
        if library:
            command += ["-E", "LD_PRELOAD=" + library]
        run = subprocess.run(command + [program, mode], capture_output=True, text=True, check=False)
        if run.returncode != 0 or run.stdout != "main\n":
            if "ptrace" in run.stderr or "PTRACE" in run.stderr:
                print("SKIP: strace cannot trace here")
                sys.exit(SKIP)
            sys.exit(f"the traced program failed: {run.returncode} {run.stderr}")
        return [m.groups() for m in map(CALL.match, log) if m]


def loaders_own(calls, library):
    """Indices of the calls that the loader makes to bring in the library."""
    begin = next(i for i, (name, args, result) in enumerate(calls)
                 if name in ("openat", "open") and library in args and int(result) >= 0)
    descriptor = calls[begin][2]
    end = next(i for i in range(begin, len(calls)) if calls[i][:2] == ("close", descriptor))
    own = set(range(begin, end + 1))
    low, high = 1 << 64, 0
    for name, args, result in (calls[i] for i in own):
        if name == "mmap":
            low = min(low, int(result, 16))
            high = max(high, int(result, 16) + int(args.split(", ")[1]))
    for i, (name, args, _) in enumerate(calls):
        if name == "mprotect" and low <= int(args.split(",")[0], 16) < high:
            own.add(i)
    return own


def extra_calls(program, library, mode):
    """How many calls the library adds, and the calls among which they are."""
    without = trace(program, None, "none")
    calls = trace(program, library, mode)
    own = loaders_own(calls, library)
    rest = [call for i, call in enumerate(calls) if i not in own]
    print(f"{mode}: {len(calls)} calls, {len(own)} of them to load the library, {len(without)} without it: "
          f"{len(rest) - len(without)} added")
    return len(rest) - len(without), rest


def main():
    library, program = os.environ.get("MBMALLOC_SO"), os.path.join(os.environ["MB_TEST_BIN"], "cost_start")
    if not shutil.which("strace"):
        print("SKIP: needs strace")
        return SKIP
    if not library:
        print("SKIP: needs MBMALLOC_SO")
        return SKIP
    extra, calls = extra_calls(program, library, "one")
    extra_calls(program, library, "some")
    print(f"at most {BUDGET} are allowed for one block")
    if extra > BUDGET:
        for name, args, result in calls:
            print(f"  {name}({args}) = {result}")
    return 0 if extra <= BUDGET else 1


sys.exit(main())
