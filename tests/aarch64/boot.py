#!/usr/bin/env python3
"""Boots Debian's arm64 kernel in qemu-system-aarch64 and runs the tests of an aarch64 build there.

The root file system is an archive in memory with a static busybox, bash, glibc's libraries for the target, and the
tests under the paths at which they were built; with tests that need python, gdb, valgrind, binutils or a compiler,
Debian's packages for these, too. qemu-user, which emulates a single program, implements madvise, mincore, resource
limits, ptrace and /proc in its own way; here a real kernel does.

Usage: boot.py BUILD_DIR [REGEX for names of tests] [--processor NAME of qemu's] [--pages 4|16|64]
Needs qemu-system-aarch64, and fetches Debian's arm64 packages by scripts/debian. A kernel with pages of 64 KiB, which
none of them has, is built by kernel.sh. Prints a line for each test; exit
status 0 if all have passed or were skipped.
"""
import argparse
import glob
import json
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LIBRARIES = "/usr/aarch64-linux-gnu/lib"
PACKAGES = ["busybox-static", "bash", "libtinfo6"]
# What some commands need beyond these, with all that it depends on: Debian's own glibc, too, which valgrind needs.
TOOLS = [(r"python3 |/overcommit2\.sh", ["python3"]),
         (r"/gdb\.sh", ["gdb", "binutils", "diffutils"]),
         (r"/valgrind\.sh", ["valgrind"]),
         (r"/(heap_profile|stacks)\.sh", ["binutils", "gzip"]),
         (r"/tools\.sh", ["gcc", "libc6-dev"]),
         (r"/under\.sh -u", ["util-linux"])]  # busybox's setpriv knows no users
NOT_HERE = r"/python3? |tests/aarch64/.*\.sh|tests/programs/|/recipes\.sh"  # run on the machine itself, or need too much
SLOWER = 10  # factor for the time limits of tests
APPLETS = ("sh env mktemp chown setpriv mount poweroff timeout date rm chmod cat sleep mkdir cp true false grep sed id dirname basename head "
           "tail cut tr sort wc ls ln stat uname touch awk seq test expr kill ps").split()


INSTALL = b"""#!/bin/sh
# Debian's busybox has no `install [-m MODE] FROM TO`.
[ "$1" != -m ] || { mode=$2; shift 2; }
cp "$1" "$2" && chmod "${mode:-755}" "$2"
"""


GETCONF = b"""#!/bin/sh
[ "$1" = PAGESIZE ] && echo $(($(sed -n 's/^KernelPageSize: *\\([0-9]*\\) kB/\\1/p' /proc/self/smaps | head -1) * 1024))
"""


class Archive:
    """Writes an initramfs, a cpio archive in "newc" format."""

    def __init__(self, path):
        self.file, self.count, self.known = open(path, "wb"), 0, set()

    def entry(self, name, mode, data=b"", device=(0, 0)):
        self.count += 1
        name = name.lstrip("/").encode() + b"\0"
        fields = (self.count, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name), 0)
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + name
        self.file.write(head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4))

    def folder(self, path):
        for end in [i for i, c in enumerate(path) if c == "/" and i > 0] + [len(path)]:
            if path[:end] not in self.known:
                self.known.add(path[:end])
                self.entry(path[:end], 0o040755)

    def bytes(self, path, data, mode=0o100755):
        if path not in self.known:
            self.known.add(path)
            self.folder(os.path.dirname(path))
            self.entry(path, mode, data)

    def copy(self, path, source=None):
        with open(source or path, "rb") as file:
            self.bytes(path, file.read())

    def link(self, path, to):
        if path not in self.known:
            self.known.add(path)
            self.folder(os.path.dirname(path))
            self.entry(path, 0o120777, to.encode())

    def tree(self, top):
        """Files and links of a package; what says how to use it is left out."""
        for folder, folders, names in os.walk(top):
            inside = folder[len(top):]
            folders[:] = [name for name in folders if not re.fullmatch("/usr/share/(doc|man|locale)", f"{inside}/{name}")]
            for name in names + [name for name in folders if os.path.islink(os.path.join(folder, name))]:
                source, path = os.path.join(folder, name), f"{inside}/{name}"
                if os.path.islink(source):
                    self.link(path, os.readlink(source))
                elif os.path.isfile(source):
                    self.copy(path, source)

    def close(self):
        self.entry("TRAILER!!!", 0)
        self.file.close()


def stripped(path):
    with tempfile.NamedTemporaryFile() as out:
        done = subprocess.run(["aarch64-linux-gnu-strip", "--strip-debug", "-o", out.name, path], capture_output=True, check=False)
        with open(out.name if done.returncode == 0 else path, "rb") as file:
            return file.read()


def tests_of(build, wanted):
    """(name, command, environment, time limit) of each test but those of NOT_HERE."""
    listed = json.loads(subprocess.run(["ctest", "--test-dir", build, "--show-only=json-v1"], check=True, capture_output=True, text=True).stdout)
    for test in listed["tests"]:
        command = test.get("command", [])
        properties = {p["name"]: p["value"] for p in test["properties"]}
        while command and (command[0].endswith("qemu-aarch64-static") or command[0] in ("-L", LIBRARIES.rsplit("/", 1)[0])):
            command = command[1:]
        if not command or not re.search(wanted, test["name"]) or re.search(NOT_HERE, " ".join(command)):
            continue
        yield test["name"], command, properties.get("ENVIRONMENT", []), int(properties.get("TIMEOUT", 60))


def quoted(word):
    return "'" + word.replace("'", "'\\''") + "'"


def script(tests):
    lines = ["#!/bin/sh", "export PATH=/usr/bin:/bin LC_ALL=C", "mount -t proc none /proc", "mount -t sysfs none /sys", "mount -t devtmpfs none /dev",
             "mkdir -p /dev/shm /tmp", "ln -s /proc/self/fd /dev/fd", "mount -t tmpfs none /tmp", "mount -t tmpfs none /dev/shm", "uname -a",
             "echo 80 >/proc/sys/vm/overcommit_ratio",  # limits_overcommit2 needs 2 GiB
             "echo 'page size: '$(sed -n 's/KernelPageSize: *//p' /proc/self/smaps | head -1)"]
    for name, command, environment, limit in tests:
        words = " ".join(quoted(word) for word in ["env", f"MB_TEST_SLOWER={SLOWER}", *environment, *command])
        lines += [f"cd {quoted(os.path.dirname(command[-1] if command[0].endswith('bash') else command[0]) or '/')} 2>/dev/null", "begin=$(date +%s)",
                  f"timeout -s KILL {limit * SLOWER} {words} >/tmp/out 2>&1 </dev/null; result=$?",
                  f"echo \"RESULT {name} $result $(($(date +%s) - begin))\"",
                  "[ $result = 0 ] || [ $result = 77 ] || { tail -n 60 /tmp/out; echo; }"]
    return "\n".join([*lines, "poweroff -f", ""])


def unpacked(*arguments):
    """The folder with these packages."""
    done = subprocess.run([os.path.join(ROOT, "scripts/debian"), "arm64", *arguments], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()


def build_archive(path, build, tests):
    packages = unpacked(*PACKAGES)
    lines = [" ".join(command) for _, command, *_ in tests]
    tools = [names for pattern, names in TOOLS if any(re.search(pattern, line) for line in lines)]
    archive = Archive(path)
    for folder in ("/proc", "/sys", "/dev", "/tmp", "/etc", "/usr/bin", "/var/tmp", "/root"):
        archive.folder(folder)
    archive.entry("/dev/console", 0o020600, device=(5, 1))
    archive.copy("/bin/busybox", packages + "/bin/busybox")
    for name in APPLETS:
        archive.link("/bin/" + name, "busybox")
    archive.link("/usr/bin/env", "/bin/busybox")
    archive.copy("/bin/bash", packages + "/bin/bash")
    for names in tools:
        archive.tree(unpacked("--apart", "--with-dependencies", *names))
    archive.link("/usr/bin/bash", "/bin/bash")  # by which of the two ctest starts it depends on the machine
    archive.bytes("/bin/install", INSTALL)
    archive.bytes("/bin/getconf", GETCONF)
    archive.bytes("/etc/passwd", b"root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n")
    for folder, source in (("/lib", LIBRARIES), ("/lib", packages + "/lib/aarch64-linux-gnu")):
        for name in sorted(os.listdir(source)):
            if re.search(r"\.so(\.|$)", name) and os.path.isfile(os.path.join(source, name)):
                with open(os.path.join(source, name), "rb") as file:
                    data = file.read()
                if data[:4] == b"\x7fELF":
                    archive.bytes(f"{folder}/{name}", data)
    for folder, folders, names in os.walk(build):
        folders[:] = [name for name in folders if name != "programs"]  # for qemu-user
        for name in names:
            file = os.path.join(folder, name)
            with open(file, "rb") as content:
                if content.read(4) == b"\x7fELF" and not re.search(r"\.o$", name):
                    if tools:  # they want to name lines
                        archive.copy(file)
                    else:
                        archive.bytes(file, stripped(file))
    with open(build + "/CMakeCache.txt", encoding="utf-8") as file:
        source = re.search(r"^CMAKE_HOME_DIRECTORY:INTERNAL=(.*)$", file.read(), re.M).group(1)
    for top in ("tests/process", "tests/limits", "tests/cost", "tests/misuse", "preload"):
        for name in os.listdir(os.path.join(source, top)):
            if re.search(r"\.(sh|py)$|^tool_.*\.c$", name):
                archive.copy(os.path.join(source, top, name))
    archive.bytes("/init", script(tests).encode())
    archive.close()


def kernel(pages):
    """The newest kernel of Debian's arm64 with pages of so many KiB, or one that is built of its source; the one that
    was fetched or built before, if there is one."""
    if pages == "64":
        return subprocess.run([os.path.join(ROOT, "tests/aarch64/kernel.sh")], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    flavour, suite = {"4": ("arm64", ""), "16": ("arm64-16k", "trixie")}[pages]
    debian = [os.path.join(ROOT, "scripts/debian")]
    environment = {**os.environ, "MB_DEBIAN_SUITE": suite}
    home = os.path.join(ROOT, "build/debian" + (suite and "-" + suite))
    fetched = sorted(glob.glob(f"{home}/arm64/boot/vmlinuz-*-{flavour}"))
    if fetched:
        return fetched[-1]
    configuration = subprocess.run([*debian, "lists", "arm64"], check=True, capture_output=True, text=True, env=environment).stdout.strip()
    depends = subprocess.run(["apt-cache", "show", f"linux-image-{flavour}:arm64"], capture_output=True, text=True, check=True,
                             env={**os.environ, "APT_CONFIG": configuration}).stdout
    image = re.search(rf"linux-image-\d[\w.+-]*-{flavour}\b", depends).group(0)
    folder = subprocess.run([*debian, "arm64", image], check=True, capture_output=True, text=True, env=environment).stdout.strip()
    return os.path.join(folder, "boot", image.replace("linux-image", "vmlinuz"))


def run(command):
    results = {}
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace") as machine:
        for line in machine.stdout:
            line = line.rstrip("\r\n")
            found = re.match(r"RESULT (\S+) (\d+) (\d+)$", line)
            if found:
                results[found.group(1)] = int(found.group(2))
                line = f"{ {0: 'passed', 77: 'skipped'}.get(results[found.group(1)], 'FAILED')}  {found.group(1)}  {found.group(3)} s"
            print(line, flush=True)
    return results


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("wanted", nargs="?", default=".")
    parser.add_argument("--processor", default="neoverse-n1")
    parser.add_argument("--pages", default="4", choices=["4", "16", "64"], help="KiB, of the kernel")
    arguments = parser.parse_args()
    build = os.path.abspath(arguments.build)
    tests = list(tests_of(build, arguments.wanted))
    with tempfile.TemporaryDirectory() as work:
        build_archive(work + "/root.cpio", build, tests)
        results = run(["qemu-system-aarch64", "-M", "virt", "-cpu", arguments.processor, "-smp", "2", "-m", "4096", "-nographic", "-no-reboot", "-net", "none",
                       "-accel", "tcg,thread=multi", "-kernel", kernel(arguments.pages), "-initrd", work + "/root.cpio",
                       "-append", "console=ttyAMA0 quiet panic=-1 sysctl.kernel.randomize_va_space=2"])
    bad = [name for name, *_ in tests if results.get(name, 1) not in (0, 77)]
    print(f"{sum(r == 0 for r in results.values())} passed, {len(bad)} failed, {sum(r == 77 for r in results.values())} skipped")
    print("\n".join(bad))
    return 1 if bad or not tests else 0


if __name__ == "__main__":
    sys.exit(main())
