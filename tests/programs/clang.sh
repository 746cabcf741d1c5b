#!/usr/bin/env bash
# What: clang on the generated C and C++ of the gcc and g++ tests: objects, and a linked program, which then runs.
set -euo pipefail
# shellcheck source=tests/programs/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

mb_need clang clang
mb_need awk mawk

awk -v functions="$(mb_scale 40 400)" -f "$WORK/gen_c.awk" >"$IN/large.c"
awk -v types="$(mb_scale 2 10)" -f "$WORK/gen_cxx.awk" >"$IN/types.cc"

c_object() { clang -O2 -g -c "$IN/large.c" -o large.o; }
cxx_program() {
    clang++ -std=c++17 -g "$IN/types.cc" -o types
    ./types
}

mb_same c-object c_object
mb_served 'clang*' 200000
mb_same cxx-program cxx_program
mb_served 'clang*' 200000
