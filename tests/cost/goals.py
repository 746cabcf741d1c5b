#!/usr/bin/env python3
"""Goals that depend on the machine: measured and printed with their spread, never failing.

Runs with and without the library take turns; compared are medians. The spread is the middle half of the runs.
"""
import os
import shutil
import statistics
import subprocess
import sys
import time

LIBRARY = os.environ.get("MBMALLOC_SO")
TIMES = os.path.join(os.environ["MB_TEST_BIN"], "cost_goal_times")


def environment(preload):
    env = {k: v for k, v in os.environ.items() if k not in ("LD_PRELOAD", "MBMALLOC_OPTIONS")}
    return {**env, "LD_PRELOAD": LIBRARY} if preload else env


def life_ns(preload):
    """The time from the spawn to the end of /bin/true."""
    program = shutil.which("true")
    env = environment(preload)
    begin = time.perf_counter_ns()
    child = os.posix_spawn(program, [program], env)
    _, status = os.waitpid(child, 0)
    if status:
        sys.exit(f"true ended with {status}")
    return time.perf_counter_ns() - begin


def operation_ns(what):
    def run(preload):
        out = subprocess.run([TIMES, what], env=environment(preload), capture_output=True, text=True, check=True)
        return int(out.stdout)
    return run


def spread(values):
    low, _, high = statistics.quantiles(values, n=4)
    return f"{statistics.median(values) / 1e6:.3f} ms ({low / 1e6:.3f} to {high / 1e6:.3f})"


def compare(measure, runs):
    """(with, without) after `runs` interleaved pairs; the first pair only warms the caches."""
    ours, plain = [], []
    for _ in range(runs + 1):
        plain.append(measure(False))
        ours.append(measure(True))
    return ours[1:], plain[1:]


def report_difference(name, measure, runs, most_ms):
    ours, plain = compare(measure, runs)
    more = (statistics.median(ours) - statistics.median(plain)) / 1e6
    print(f"{name}: {spread(ours)} with, {spread(plain)} without: {more:+.3f} ms, "
          f"goal {most_ms} ms: {'met' if more <= most_ms else 'MISSED'}")


def report_ratio(name, measure, runs, most):
    ours, plain = compare(measure, runs)
    ratio = statistics.median(ours) / statistics.median(plain)
    print(f"{name}: {spread(ours)} with, {spread(plain)} without: {ratio:.2f}x, "
          f"goal {most}x: {'met' if ratio <= most else 'MISSED'}")


def main():
    if not LIBRARY:
        print("SKIP: needs MBMALLOC_SO")
        return 77
    report_difference("true, spawn to end", life_ns, 200, 0.3)
    report_ratio("realloc doubling 1 to 512 MiB, first byte touched", operation_ns("double"), 15, 1.05)
    report_ratio("realloc doubling 1 to 512 MiB, all touched", operation_ns("double-touch"), 7, 1.05)
    report_ratio("calloc of 64 MiB, one byte touched", operation_ns("calloc"), 15, 1.05)
    return 0


sys.exit(main())
