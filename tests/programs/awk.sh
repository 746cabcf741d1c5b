#!/usr/bin/env bash
# What: awk (each of mawk and gawk that is there): arrays, fields, substitutions, printf and pipes.
set -euo pipefail
# shellcheck source=tests/programs/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

lines=$(mb_scale 40000 400000)
run=0
for awk in mawk gawk; do
    command -v "$awk" >/dev/null 2>&1 || continue
    run=$((run + 1))
    mb_same "$awk" "$awk" -v "lines=$lines" -f "$WORK/work.awk"
    mb_served "$awk" 10000
done
((run > 0)) || mb_skip 'no awk is installed (Debian packages mawk, gawk)'
