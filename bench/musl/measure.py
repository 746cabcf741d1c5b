#!/usr/bin/env python3
"""Measures programs linked with musl under musl's malloc, under the one it had before 1.2.1, and under mbmalloc: CPU
time of the same work, and peak memory.

measure.py PROGRAMS LIBMBMALLOC.SO [ROUNDS [REGEX]]   scripts/bench --musl builds what it needs and starts it
measure.py --list [REGEX]                             prints the names of the tests

PROGRAMS is the folder that tests/musl/programs.sh makes. In each round every program runs once under each allocator.
The table has medians of user + system time, ratios of these with the quartiles of single rounds, and medians of peak
memory. A program must print the same under all allocators.
"""
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ONE, MANY = "one thread", "threads"
SQL = "create table size(n); insert into size values(15000);"


def workload(name):
    return lambda programs: (["real/workloads", name], None)


def lua(_):
    return ["real/lua5.4", f"{ROOT}/tests/programs/work/work.lua", "4"], None


def sqlite(_):
    text = SQL
    for name in ("tables.sql", "queries.sql"):
        with open(f"{ROOT}/tests/programs/work/{name}", encoding="utf-8") as file:
            text += file.read()
    return ["real/sqlite3", "-batch", "-bail", ":memory:"], text


def zstd(programs):
    return ["real/zstd", "-q", "-c", "-T4", "-B512KiB", "-3", text_of(programs)], None


def redis(_):
    return ["real/redis-server"], None


def text_of(programs):
    path = os.path.join(programs, "text")
    if not os.path.exists(path):
        with open(path, "w", encoding="ascii") as file:
            file.writelines(f"{line * 7 % 9973} {line * line % 1048573:x} line {line}\n" for line in range(2000000))
    return path


TESTS = {name: (ONE, workload(name)) for name in ("pairs", "batches", "live-sets", "growth", "large")}
TESTS |= {"lua": (ONE, lua), "sqlite3": (ONE, sqlite), "redis-server": (ONE, redis)}
TESTS |= {name: (MANY, workload(name)) for name in ("pairs-threads", "live-threads", "large-threads", "exchange", "server")}
TESTS |= {"zstd -T4": (MANY, zstd)}


def load(port):
    """Sends requests to redis-server. The client runs with musl's allocator in each run."""
    ask = ["redis-benchmark", "-p", str(port), "-q", "-n", "60000", "-c", "40", "-P", "8", "-t", "set,lpush,lpop,sadd,hset,zadd"]
    cli = ["redis-cli", "-p", str(port)]
    for _ in range(200):
        if subprocess.run([*cli, "ping"], cwd=REAL, capture_output=True, check=False, executable=f"{REAL}/redis-cli").stdout == b"PONG\n":
            break
        threading.Event().wait(0.05)
    subprocess.run(ask, cwd=REAL, executable=f"{REAL}/redis-benchmark", stdout=subprocess.DEVNULL, check=True)
    subprocess.run([*cli, "shutdown", "nosave"], cwd=REAL, executable=f"{REAL}/redis-cli", capture_output=True, check=False)


REAL = ""


def run(test, how, programs, library):
    """(CPU seconds, peak MB, output) of one run."""
    command, text = TESTS[test][1](programs)
    command[0] = os.path.join(programs, command[0])
    if how == "old":
        command.insert(0, os.path.join(programs, "real/old_malloc.so"))
    port = 20000 + os.getpid() % 20000
    if test == "redis-server":
        command += ["--port", str(port), "--save", "", "--appendonly", "no"]
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as output, tempfile.NamedTemporaryFile("r") as counted:
        given.write((text or "").encode())
        given.seek(0)
        launch = [REAL + "/../launch", counted.name, "600", library if how == "mbmalloc" else "-", *command]
        with subprocess.Popen(launch, stdin=given, stdout=output) as started:
            if test == "redis-server":
                load(port)
            started.wait()
        status, _, user_us, system_us, peak_kib, *_ = map(int, counted.read().split())
        if status != 0:
            sys.exit(f"{test} under {how}: status {status}")
        output.seek(0)
        return (user_us + system_us) / 1e6, peak_kib / 1024, b"" if test == "redis-server" else output.read()


def quotient(rounds, test, how):
    """The ratio of the medians, and a text with it and the quartiles of single rounds."""
    each = sorted(rounds[test, how][i][0] / rounds[test, "mbmalloc"][i][0] for i in range(len(rounds[test, how])))
    middle = statistics.median(r[0] for r in rounds[test, how]) / statistics.median(r[0] for r in rounds[test, "mbmalloc"])
    return middle, f"{middle:.2f} ({each[len(each) // 4]:.2f} to {each[-1 - len(each) // 4]:.2f})"


def chosen(expression):
    try:
        tests = [test for test in TESTS if re.search(expression, test)]
    except re.error as error:
        wrong(f"'{expression}' is no regular expression: {error}")
    return tests or wrong(f"no test matches '{expression}'; there are {', '.join(TESTS)}")


def wrong(message):
    print("scripts/bench: --musl:", message, file=sys.stderr)
    sys.exit(2)


def main():
    global REAL
    if sys.argv[1] == "--list":
        return print("\n".join(chosen(sys.argv[2] if len(sys.argv) > 2 else ".")))
    programs, library = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    tests = chosen(sys.argv[4] if len(sys.argv) > 4 else ".")
    REAL = programs + "/real"
    allocators = ["musl", "old", "mbmalloc"]
    rounds = {(test, how): [] for test in tests for how in allocators}
    for number in range(count):
        for test in tests:
            for how in allocators[number % 3:] + allocators[:number % 3]:
                rounds[test, how].append(run(test, how, programs, library))
            if len({rounds[test, how][-1][2] for how in allocators}) != 1:
                sys.exit(f"{test}: other output under another allocator")
            print(f"round {number + 1}: {test}", file=sys.stderr)
    print("| | mbmalloc, CPU s | musl / mbmalloc | old musl / mbmalloc | peak MB: mbmalloc | musl | old |\n|---|---:|---:|---:|---:|---:|---:|")
    for kind in (ONE, MANY):
        means = {"musl": [], "old": []}
        for test in (t for t in tests if TESTS[t][0] == kind):
            figures = {how: quotient(rounds, test, how) for how in means}
            for how, mean in means.items():
                mean.append(figures[how][0])
            peak = {how: statistics.median(r[1] for r in rounds[test, how]) for how in allocators}
            print(f"| {test} | {statistics.median(r[0] for r in rounds[test, 'mbmalloc']):.2f} | {figures['musl'][1]} | {figures['old'][1]} | "
                  f"{peak['mbmalloc']:.1f} | {peak['musl']:.1f} | {peak['old']:.1f} |")
        if means["musl"]:
            print(f"| **{kind}, geometric mean** | | **{statistics.geometric_mean(means['musl']):.2f}** | "
                  f"**{statistics.geometric_mean(means['old']):.2f}** | | | |")


if __name__ == "__main__":
    main()
