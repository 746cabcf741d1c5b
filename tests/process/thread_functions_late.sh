#!/usr/bin/env bash
# The library on a system where libpthread is loaded later than the library: simulated by a copy in which the names in
# the table of functions that it looks up at the start (core/process/foreign.h, 28 bytes each) match nothing. Heaps of
# ended threads must still be reused.
# Usage: thread_functions_late.sh PROGRAM
set -euo pipefail

command -v python3 >/dev/null || { echo 'SKIP: needs python3'; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 - "$MBMALLOC_SO" "$work/libmbmalloc.so" <<'P'
import sys
data = open(sys.argv[1], "rb").read()
for name in (b"pthread_key_create", b"pthread_setspecific", b"pthread_create", b"pthread_join"):
    entry = name.ljust(28, b"\0")
    assert data.count(entry) == 1, name
    data = data.replace(entry, b"no" + entry[2:])
open(sys.argv[2], "wb").write(data)
P
for library in "$MBMALLOC_SO" "$work/libmbmalloc.so"; do
    told=$(LD_PRELOAD=$library MBMALLOC_OPTIONS=stats=exit "$1" 2>&1)
    heaps=$(sed -n 's/.*heaps_ever=\([0-9]*\).*/\1/p' <<<"$told")
    [[ $heaps -le 5 ]] || { echo "$library: 300 threads, one after the other, had ${heaps:-no} heaps: $told"; exit 1; }
    echo "$heaps heaps"
done
