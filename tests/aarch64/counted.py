#!/usr/bin/env python3
"""Counts the instructions inside libmbmalloc.so that a malloc and its free execute on aarch64.

qemu-user runs the workload of scripts/check-hotpath one instruction at a time and logs the address of each. The count is
the difference of two runs of different length, without the start. The seed is fixed, since with so few pairs the random
order of blocks changes the count by 2, and there is no periodic purge. The limits are in scripts/budgets. Blocks that
another thread frees are left out: how often the threads interfere depends on qemu.

Usage: counted.py LIBMBMALLOC.SO PAIR_PROGRAM QEMU [ITS OPTIONS]
"""
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LENGTHS = {"turn": (1000, 2000), "batch": (1000, 2000), "set": (4000, 8000)}
SKIP = 77


def budget(name):
    with open(os.path.join(ROOT, "scripts/budgets"), encoding="utf-8") as file:
        return next(float(words[1]) for words in map(str.split, file) if words[:1] == [name])


def one_by_one(qemu):
    """The name of qemu's option, which has changed with version 8.1."""
    options = subprocess.run([qemu, "-help"], capture_output=True, text=True, check=False).stdout
    return "-one-insn-per-tb" if "one-insn-per-tb" in options else "-singlestep"


def executed_in(library, log):
    """The number of instructions in the trace whose addresses lie in the library."""
    file, start, end, count = None, 0, 0, 0
    name = re.escape(os.path.basename(library))
    with open(log, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if line.startswith("Trace "):
                count += start <= int(line.split("/", 2)[1], 16) < end
            elif found := re.search(rf'openat\(.*{name}".*= (\d+)$', line):
                file = found.group(1)
            elif file and not end and (found := re.search(rf"mmap\([^,]*,(\d+),PROT_EXEC\|PROT_READ,[^,]*,{file},0\) = (0x[0-9a-f]+)", line)):
                start = int(found.group(2), 16)
                end = start + int(found.group(1))
    return count


def instructions(library, program, emulator, how, pairs):
    with tempfile.TemporaryDirectory() as folder:
        log = os.path.join(folder, "log")
        command = [emulator[0], one_by_one(emulator[0]), "-strace", "-d", "exec,nochain", "-D", log, *emulator[1:],
                   "-E", f"LD_PRELOAD={library}", "-E", "MBMALLOC_OPTIONS=seed=1,purge_delay_ms=1000000", program, how, str(pairs)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
        return executed_in(library, log)


def main():
    library, program, *emulator = sys.argv[1:]
    if not emulator:
        print("SKIP: no emulator that could count")
        return SKIP
    good = True
    for how, (short, long) in LENGTHS.items():
        few, many = (instructions(library, program, emulator, how, pairs) for pairs in (short, long))
        cost, limit = (many - few) / (long - short), budget(f"pair_in_{how}_aarch64")
        fine = 4 <= cost <= limit  # a library that was not found in the trace costs nothing: that is no pass
        print(f"in_{how}: {cost:.2f} instructions a pair, budget {limit:g}{'' if fine else '  <- FAILS'}")
        good = good and fine
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
