#!/usr/bin/env bash
# What: g++ on generated C++17 that instantiates many templates, optimised and with debug information; the program then
# runs.
set -euo pipefail
# shellcheck source=tests/programs/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

mb_need g++ g++
mb_need awk mawk

awk -v types="$(mb_scale 2 15)" -f "$WORK/gen_cxx.awk" >"$IN/types.cc"

program() {
    g++ -std=c++17 -O1 -g -save-temps=obj "$IN/types.cc" -o types # leaves preprocessed source, assembly and object
    ./types
}

mb_same program program
mb_served 'cc1plus' 500000
mb_served 'as' 10000
mb_served '*ld*' 2000
mb_served 'types' 100
