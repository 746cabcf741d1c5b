"""The conditions of a run for the report: processor, memory, kernel, commit; no host name and no path."""
import os
import platform
import subprocess


def first_value(path, key):
    try:
        with open(path, encoding="utf-8") as file:
            for line in file:
                if line.startswith(key):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return "unknown"


def content(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return "unknown"


def describe():
    memory = first_value("/proc/meminfo", "MemTotal").split()
    return {
        "processor": first_value("/proc/cpuinfo", "model name"),
        "cpus": os.cpu_count(),
        "memory_gib": round(int(memory[0]) / 1048576, 1) if memory[0].isdigit() else None,
        "architecture": platform.machine(),
        "kernel": platform.release(),
        "libc": " ".join(platform.libc_ver()),
        "huge_pages": content("/sys/kernel/mm/transparent_hugepage/enabled"),
        "overcommit": content("/proc/sys/vm/overcommit_memory"),
    }


def commit(root):
    def git(*arguments):
        return subprocess.run(["git", "-C", root, *arguments], capture_output=True, text=True, check=False).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", "core", "preload", "platform", "CMakeLists.txt", "bench")
    return (git("rev-parse", "HEAD") or "unknown") + ("+changes" if changed else "")
