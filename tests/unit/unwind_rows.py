"""Compares the unwind rows that core/process/unwind_row.c finds for the C library's code with those of readelf, at each
address where a row begins.

usage: unwind_rows.py PROGRAM   (unwind_rows.c)
"""

import re
import shutil
import subprocess
import sys

SKIPPED = 77


def library():
    for line in open("/proc/self/maps"):
        if re.search(r"/libc\.so\.6$|/libc-2[^/]*\.so$", line):
            return line.split()[-1]
    return None


def expected(path):
    """Address -> the columns of readelf's table: CFA, ra, and rbp if it has one."""
    out = subprocess.run(["readelf", "--debug-dump=frames-interp", path], capture_output=True, text=True, check=False).stdout
    rows, names, in_fde = {}, [], False
    for line in out.splitlines():
        words = line.split()
        if " CIE" in line or " FDE " in line:
            in_fde, names = " FDE " in line, []
        elif words[:1] == ["LOC"]:
            names = words[1:]
        elif in_fde and names and re.fullmatch(r"[0-9a-f]{16}", words[0] if words else ""):
            rows[int(words[0], 16)] = dict(zip(names, words[1:]))
    return rows


def agrees(row, words):
    if words[0] == "end":
        return row["ra"] == "u"
    frame = row.get("rbp", "u")
    return ((row["CFA"] == words[0] or (row["CFA"] == "exp" and words[0].startswith("exp"))) and row["ra"] == words[1]
            and (frame == words[2] or (frame, words[2]) in (("s", "u"), ("exp", "lost"))))


def main():
    path = library()
    if shutil.which("readelf") is None or path is None:
        print("SKIP: no readelf, or another C library")
        return SKIPPED
    rows = expected(path)
    found = subprocess.run([sys.argv[1], path], input="".join(f"{a:x}\n" for a in rows), capture_output=True, text=True, check=True).stdout.splitlines()
    wrong = [(hex(a), rows[a], f) for a, f in zip(rows, found) if f != "unknown" and not agrees(rows[a], f.split())]
    unknown = found.count("unknown")
    print(f"{len(rows)} rows, {unknown} of them left to the whole unwinder, {len(wrong)} wrong", *wrong[:10], sep="\n")
    return 0 if len(found) == len(rows) > 1000 and not wrong and unknown * 50 < len(rows) else 1


sys.exit(main())
