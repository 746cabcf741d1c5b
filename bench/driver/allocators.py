"""The allocators that are compared: their names, where Debian installs their libraries, and a check that malloc really
comes from them."""
import glob
import hashlib
import os
import subprocess

OWN = "mbmalloc"
# glibc is preloaded too: Debian's redis-server is linked with jemalloc, which only a preloaded library replaces.
PLACES = {
    "glibc": ["/lib/*/libc.so.6"],
    "jemalloc": ["/usr/lib/*/libjemalloc.so.2"],
    "mimalloc": ["/usr/lib/*/libmimalloc.so.2"],
    "tcmalloc": ["/usr/lib/*/libtcmalloc_minimal.so.4"],
    "tbbmalloc": ["/usr/lib/*/libtbbmalloc_proxy.so.2"],
    "scudo": ["/usr/lib/llvm-14/lib/clang/*/lib/linux/libclang_rt.scudo_standalone-x86_64.so"],
}
# Our own library with an option: measured only if --allocators names it.
PROFILES = {f"{OWN}-{profile}": f"profile={profile}" for profile in ("speed", "lowmem", "hardened")}
PACKAGES = {"glibc": "libc6", "jemalloc": "libjemalloc2", "mimalloc": "libmimalloc2.0", "tcmalloc": "libtcmalloc-minimal4",
            "tbbmalloc": "libtbbmalloc2", "scudo": "libclang-rt-14-dev"}


def is_rival(name):
    """False for variants of our own (mbmalloc-old=...): they are measured, but are no rivals."""
    return not name.startswith(OWN)


def options_of(name):
    return {"MBMALLOC_OPTIONS": PROFILES[name]} if name in PROFILES else {}


def origin(bin_dir, library):
    run = subprocess.run([os.path.join(bin_dir, "bench_which")], env={"LD_PRELOAD": library}, capture_output=True, text=True, check=False)
    return run.stdout.split("\n")[:2]


def find(bin_dir, own_library, extra, wanted):
    """({name: path}, [note]): the libraries that are installed and serve malloc, and why others are left out."""
    candidates = {OWN: [own_library], **PLACES, **{name: [own_library] for name in PROFILES if name in (wanted or [])},
                  **{name: [path] for name, path in extra.items()}}
    found, notes = {}, []
    for name, patterns in candidates.items():
        if wanted and name not in wanted:
            continue
        paths = sorted(path for pattern in patterns for path in glob.glob(pattern))
        if not paths:
            notes.append(f"{name} is not installed")
            continue
        path = os.path.abspath(paths[-1])
        if any(os.path.realpath(o or "/") != os.path.realpath(path) for o in origin(bin_dir, path)):
            notes.append(f"{name} does not take over malloc and free: left out")
            continue
        found[name] = path
    notes += [f"unknown allocator: {name}" for name in wanted or [] if name not in candidates]
    return found, notes


def describe(name, path):
    """The version of the package and the hash of the file, so that a reader can use the same library."""
    with open(path, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()[:16]
    version = ""
    if name in PACKAGES:
        query = subprocess.run(["dpkg-query", "-W", "-f=${Version}", PACKAGES[name]], capture_output=True, text=True, check=False)
        version = query.stdout
    return {"version": version, "sha256": digest}
