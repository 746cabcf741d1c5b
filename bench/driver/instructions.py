"""Counts the instructions of a malloc and its free with callgrind, as the difference of two runs of different
length."""
import os
import re
import shutil
import subprocess

PAIRS = (20000, 60000)


def total(bench, library, pairs, batch):
    run = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", bench.program("instructions"), str(pairs), batch],
                         env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LD_PRELOAD": library}, capture_output=True, text=True, check=False)
    counted = re.search(r"Collected : (\d+)", run.stderr)
    return int(counted.group(1)) if run.returncode == 0 and counted else None


def count(bench, allocators):
    if shutil.which("valgrind") is None:
        return {}
    counts = {}
    for name, library in allocators.items():
        counts[name] = {}
        for batch in ("1", "100"):
            few, many = (total(bench, library, pairs, batch) for pairs in PAIRS)
            if few and many:
                counts[name][batch] = round((many - few) / (PAIRS[1] - PAIRS[0]), 2)
    return counts
