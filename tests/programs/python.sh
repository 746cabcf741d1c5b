#!/usr/bin/env bash
# What: python3 with its own small-object allocator and with PYTHONMALLOC=malloc: json and friends, threads that hand
#   objects over, fork by multiprocessing and by hand while threads allocate.
set -euo pipefail
# shellcheck source=tests/programs/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

mb_need python3 python3
python=$(python3 -c 'import sys; print(sys.executable)') # python3 may be a wrapper script
export python PYTHONHASHSEED=1 PYTHONDONTWRITEBYTECODE=1
size=$(mb_scale 1 8 0.1)
export size
few=$(mb_scale 15000 15000 2000) many=$(mb_scale 500000 500000 50000)

with_pymalloc() { "$python" "$WORK/$1" "$size"; }
with_malloc() { PYTHONMALLOC=malloc "$python" "$WORK/$1" "$size"; }

mb_same json with_pymalloc py_json.py
mb_served 'python3*' "$few"
mb_same json-malloc with_malloc py_json.py
mb_served 'python3*' "$many"
mb_same threads with_pymalloc py_threads.py
mb_served 'python3*' "$few"
mb_same threads-malloc with_malloc py_threads.py
mb_served 'python3*' "$many"
mb_same fork with_pymalloc py_fork.py
mb_served 'python3*' "$(mb_scale 50000 50000 2000)"
mb_same fork-malloc with_malloc py_fork.py
mb_served 'python3*' "$(mb_scale 100000 100000 10000)"
