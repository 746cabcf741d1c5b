#!/usr/bin/env bash
# The library of a system whose libpthread is not there yet when it is loaded: in a copy of it the names that it refers to (the first place where
# they stand: those that it looks up come later in the file) name nothing. Heaps of ended threads are used again.
# Usage: thread_functions_late.sh PROGRAM
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 - "$MBMALLOC_SO" "$work/libmbmalloc.so" <<'P'
import sys
data = open(sys.argv[1], "rb").read()
for name in (b"pthread_key_create", b"pthread_setspecific", b"pthread_create", b"pthread_join"):
    assert data.count(name + b"\0") >= 2, name
    data = data.replace(name + b"\0", name[:-1] + b"_\0", 1)
open(sys.argv[2], "wb").write(data)
P
for library in "$MBMALLOC_SO" "$work/libmbmalloc.so"; do
    told=$(LD_PRELOAD=$library MBMALLOC_OPTIONS=stats=exit "$1" 2>&1)
    heaps=$(sed -n 's/.*heaps_ever=\([0-9]*\).*/\1/p' <<<"$told")
    [[ $heaps -le 5 ]] || { echo "$library: 300 threads, one after the other, had ${heaps:-no} heaps: $told"; exit 1; }
    echo "$heaps heaps"
done
