#!/usr/bin/env bash
# What: gcc on generated C: a large file without optimisation, a smaller one with -O2 to assembly, and a program built
#   with link-time optimisation (plugins by dlopen, several cooperating processes), which then runs.
set -euo pipefail
# shellcheck source=tests/programs/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

mb_need gcc gcc
mb_need awk mawk

awk -v functions="$(mb_scale 400 1500)" -f "$WORK/gen_c.awk" >"$IN/large.c"
awk -v functions="$(mb_scale 30 300)" -f "$WORK/gen_c.awk" >"$IN/small.c"

object() { gcc -g -c "$IN/large.c" -o large.o; }
assembly() { gcc -O2 -Wall -Wextra -S "$IN/small.c" -o small.s; }
program() {
    gcc -O1 -pipe -flto=2 -frandom-seed=1 -s "$IN/small.c" -o small
    ${MB_EMULATOR:-} ./small
}

mb_same object object
mb_served 'cc1' 20000
mb_served 'as' 2000
mb_served '*gcc*' 100
mb_same assembly assembly
mb_served 'cc1' 20000
mb_same program program
mb_served 'lto1' 10000
mb_served '*ld*' 1000
