#!/usr/bin/env python3
"""Checks that the library uses atomic instructions (LSE) if the processor has them, and also runs on one without.

Each atomic read-modify-write must be in one of libgcc's outline functions, which test for LSE and contain both the
instruction and a loop of exclusive loads and stores. No other function of the library may contain either.

Usage: outline_atomics.py LIBMBMALLOC.SO
"""
import re
import subprocess
import sys

LSE = r"(cas|swp|ldadd|ldclr|ldset|ldeor)[alhbp]*"
LOOP = r"ld[a]?xr[bh]?|st[l]?xr[bh]?"
OUTLINE = r"__aarch64_(cas|swp|ldadd|ldclr|ldset|ldeor)\d+_\w+"


def functions(library):
    """name -> its instructions, without operands."""
    text = subprocess.run(["aarch64-linux-gnu-objdump", "-d", "--no-show-raw-insn", library], check=True, capture_output=True, text=True).stdout
    found, code = {}, []
    for line in text.splitlines():
        if start := re.fullmatch(r"[0-9a-f]+ <(.*)>:", line):
            code = found.setdefault(start.group(1), [])
        elif instruction := re.match(r"\s+[0-9a-f]+:\s+(\S+)", line):
            code.append(instruction.group(1))
    return found


def faults(code_of):
    outline = {name: code for name, code in code_of.items() if re.fullmatch(OUTLINE, name)}
    if not outline:
        yield "no outline function in the library"
    for name, code in code_of.items():
        lse = any(re.fullmatch(LSE, operation) for operation in code)
        loop = any(re.fullmatch(LOOP, operation) for operation in code)
        if name in outline and not (lse and loop and any(operation.startswith("cb") for operation in code)):
            yield f"{name}: not both an LSE instruction and a loop, with a choice"
        if name not in outline and (lse or loop):
            yield f"{name}: an atomic operation for one kind of processor only"
    print(f"{len(outline)} outline functions")


def main():
    found = list(faults(functions(sys.argv[1])))
    print(*found, sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
