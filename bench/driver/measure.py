"""Runs one test once under one allocator and returns its figures."""
import json
import os
import re
import socket
import subprocess
import tempfile
import time


class Bench:
    """What all runs share: the folders of the built programs and of the inputs, and the scale."""

    def __init__(self, bin_dir, work, scale, idle_ms):
        self.bin, self.work, self.scale, self.idle_ms = bin_dir, work, scale, idle_ms

    def program(self, name):
        return os.path.join(self.bin, "bench_" + name)

    def environment(self, extra):
        return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": self.work, "LC_ALL": "C.UTF-8", "TMPDIR": self.work,
                "MB_BENCH_SCALE": str(self.scale), "MB_BENCH_IDLE_MS": str(self.idle_ms), **extra}


def launched(bench, test, library, result):
    return [bench.program("launch"), result, str(test.timeout), library, *test.command]


def read_result(path):
    with open(path, encoding="utf-8") as file:
        status, wall_ns, user_us, sys_us, peak, minor, major = map(int, file.read().split())
    return {"status": status, "wall_s": wall_ns / 1e9, "user_s": user_us / 1e6, "sys_s": sys_us / 1e6,
            "cpu_s": (user_us + sys_us) / 1e6, "peak_kib": peak, "faults": minor + major}


def from_workload(text):
    """Reads the `bench: key=value` lines. The cost that the workload reports replaces that of the whole process."""
    said = {key: float(value) for key, value in re.findall(r"^bench: (\w+)=([-\d.]+)$", text, re.M)}
    figures = {key: value for key, value in said.items() if key not in ("cpu_ms", "work_wall_ms", "faults")}
    if "cpu_ms" in said:
        figures.update(cpu_s=said["cpu_ms"] / 1e3, wall_s=said["work_wall_ms"] / 1e3, faults=int(said["faults"]))
    return figures


def from_micro(text):
    """Reads Google Benchmark's JSON: the time of the process per operation, without its start and end."""
    entry = json.loads(text)["benchmarks"][0]
    operations = entry.get("operations", 1) or 1
    return {"op_ns": entry["cpu_time"] / operations, "wall_op_ns": entry["real_time"] / operations, "cpu_s": entry["cpu_time"] * entry["iterations"] / 1e9,
            "wall_s": entry["real_time"] * entry["iterations"] / 1e9}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for_port(port, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            time.sleep(0.02)
    return False


def run_server(bench, test, library, result, environment):
    """Runs the server under the allocator and its client without one. The wall time is the client's, all else the
    server's."""
    port = str(free_port())
    fill = lambda words: [word.replace("{port}", port) for word in words]
    command = [bench.program("launch"), result, str(test.timeout), library, *fill(test.command)]
    with subprocess.Popen(command, env=environment, cwd=bench.work, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        took = {}
        try:
            if wait_for_port(int(port), 20):
                begin = time.monotonic()
                for client in test.clients:
                    subprocess.run(fill(client), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=test.timeout, check=True)
                took["wall_s"] = time.monotonic() - begin
            subprocess.run(fill(test.stop), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=20, check=False)
            server.wait(20)
        except (subprocess.SubprocessError, OSError):
            took["status"] = 1
            server.terminate()  # the launcher then ends the server's process group
    if not os.path.exists(result):
        return {"status": 1}
    return {**read_result(result), **took}


def run_once(bench, test, library, options):
    environment = {**bench.environment(test.env), **options}
    if test.prepare:
        test.prepare(bench)
    with tempfile.TemporaryDirectory(dir=bench.work) as scratch:
        result = os.path.join(scratch, "result")
        if test.kind == "server":
            return run_server(bench, test, library, result, environment)
        with open(os.path.join(scratch, "out"), "w+b") as out, open(os.path.join(scratch, "err"), "w+b") as err:
            subprocess.run(launched(bench, test, library, result), env=environment, cwd=bench.work, stdin=subprocess.DEVNULL,
                           stdout=out, stderr=err, check=False)
            figures = read_result(result) if os.path.exists(result) else {"status": 1}
            if figures["status"] != 0:
                err.seek(0)
                return {"status": figures["status"], "error": err.read(300).decode(errors="replace").replace(bench.work, "").replace(bench.bin, "")}
            out.seek(0)
            text = out.read().decode(errors="replace") if test.kind != "program" else ""
        if test.kind == "micro":
            figures.update(from_micro(text))
        elif test.kind == "own":
            figures.update(from_workload(text))
        return figures
