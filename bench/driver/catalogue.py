"""The list of tests: for each its name, its command, and the programs that it needs."""
import dataclasses
import os
import re
import shutil
import subprocess
from typing import Callable, Optional

import inputs


@dataclasses.dataclass
class Test:
    name: str
    kind: str  # micro (Google Benchmark's JSON), own (our workloads' lines), program, server
    command: list
    env: dict = dataclasses.field(default_factory=dict)
    prepare: Optional[Callable] = None  # called before each run, not measured
    needs: tuple = ()
    timeout: int = 300
    clients: tuple = ()
    stop: tuple = ()
    counted: bool = True  # part of the geometric means

    @property
    def part(self):
        """The kind of load (small blocks, large blocks, threads, programs); the report has figures for each."""
        return part_of(self.name)


# A test belongs to the first part whose expression matches its name.
PARTS = [("programs", re.compile("^program/")),
         ("threads", re.compile("^(micro/(cross|thread|live_threads|exchange)/|macro/(server|requests|asymmetric|phases|maps|leak_idle|idle_threads)|scaling/)")),
         ("large", re.compile("^(micro/(large/|growth/(medium|1M|25M)|written/(256K|2M)|realloc/(large|doubling)|calloc/(128K|1M|64M))|latency/large)")),
         ("small", re.compile(""))]


def part_of(name):
    return next(part for part, names in PARTS if names.search(name))


QUICK = re.compile(r"^(micro/(pair/64|batch/random/64x10000|live/1e5|calloc/256|realloc/in_turn|aligned/64|large/jittered/1M|cross/ring/64"
                   r"|cross/free_only/mixed|thread/one_block)|latency/small|macro/(server|phases|maps|symbolic|leak_idle|idle_threads)"
                   r"|program/(python|lua|perl|true))$")


def micro(bench):
    program = bench.program("micro")
    if not os.path.exists(program):
        return []
    env = {"MB_BENCH_SCALE": str(bench.scale)}
    names = subprocess.run([program, "--benchmark_list_tests"], env=env, capture_output=True, text=True, check=True).stdout.split()
    tests = []
    for full in names:
        name = full.split("/iterations:")[0]
        command = [program, f"--benchmark_filter=^{re.escape(name)}/iterations:", "--benchmark_format=json"]
        group = "scaling" if name.startswith("scaling/") else "micro"
        tests.append(Test(name if group == "scaling" else "micro/" + name, "micro", command, counted=group == "micro"))
    return tests


def own(bench, long):
    names = ["server", "requests", "asymmetric", "phases", "survivors", "maps", "symbolic", "leak_idle", "idle_threads"]
    tests = [Test("macro/" + name, "own", [bench.program(name)]) for name in names]
    if long:
        tests.append(Test("macro/survivors_60", "own", [bench.program("survivors"), "60"], timeout=1800))
    tests += [Test("latency/" + name, "own", [bench.program("latency"), name], counted=False) for name in ("small", "mixed", "large", "remote")]
    return tests


def redis(bench):
    client = ["redis-benchmark", "-h", "127.0.0.1", "-p", "{port}", "-q", "-n", inputs.count(bench, 60000), "-r", "100000", "-P", "16"]
    return Test("program/redis", "server",
                ["redis-server", "--port", "{port}", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--daemonize", "no"],
                needs=("redis-server", "redis-benchmark", "redis-cli"),
                clients=([*client, "-d", "100", "-t", "set,get,lpush,lpop,sadd,hset,zadd"], [*client, "-d", "1000", "-t", "set,get"]),
                stop=["redis-cli", "-h", "127.0.0.1", "-p", "{port}", "shutdown", "nosave"])


def programs(bench):
    at = lambda name: os.path.join(bench.work, name)
    made = lambda name, make: lambda b: inputs.ensure(b, name, make)
    source = made("large.cpp", inputs.cpp_source)
    repository = made("repository", inputs.git_repository)

    def script(name, tool, file, make, env=None, before=(), after=()):
        return Test("program/" + name, "program", [tool, *before, at(file), *after], env=env or {}, prepare=made(file, make), needs=(tool,))

    return [
        Test("program/true", "program", ["sh", "-c", f"i=0; while [ $i -lt {inputs.count(bench, 300)} ]; do /bin/true; i=$((i+1)); done"]),
        Test("program/g++", "program", ["g++", "-std=c++17", "-O1", "-c", at("large.cpp"), "-o", at("large.o")], prepare=source, needs=("g++",)),
        Test("program/clang++", "program", ["clang++", "-std=c++17", "-O1", "-c", at("large.cpp"), "-o", at("large.o")], prepare=source, needs=("clang++",)),
        script("python", "python3", "work.py", inputs.python_script, {"PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "1"}),
        script("perl", "perl", "work.pl", inputs.perl_script, {"PERL_HASH_SEED": "1"}),
        script("lua", "lua5.4", "work.lua", inputs.lua_script),
        script("node", "node", "work.js", inputs.node_script),
        Test("program/sqlite", "program", ["sqlite3", ":memory:", ".read " + at("work.sql")], prepare=made("work.sql", inputs.sql_script), needs=("sqlite3",)),
        Test("program/git_log", "program", ["git", "-C", at("repository"), "--no-pager", "log", "-p", "--stat", "-M"], prepare=repository, needs=("git",)),
        Test("program/git_gc", "program", ["git", "-C", at("repository"), "-c", "pack.threads=2", "repack", "-a", "-d", "-f", "-q", "--window=20"],
             prepare=repository, needs=("git",)),
        script("ghostscript", "gs", "work.ps", inputs.postscript, None, ("-q", "-dNOPAUSE", "-dBATCH", "-dNOSAFER", "-sDEVICE=pdfwrite", "-o", at("work.pdf"))),
        script("z3", "z3", "work.smt2", inputs.smt_problem),
        redis(bench),
    ]


def tests(bench, long, quick, only):
    """(tests, notes) in the order of a round."""
    chosen, notes = [], []
    for test in micro(bench) + own(bench, long) + programs(bench):
        if (quick and not only and not QUICK.search(test.name)) or (only and not re.search(only, test.name)):
            continue
        missing = [need for need in test.needs if shutil.which(need) is None]
        if missing:
            notes.append(f"{test.name} is left out: no {', '.join(missing)}")
            continue
        chosen.append(test)
    if not os.path.exists(bench.program("micro")):
        notes.append("no micro benchmarks: libbenchmark-dev was missing at build time")
    return chosen, notes
