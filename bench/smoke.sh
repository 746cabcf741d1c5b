#!/usr/bin/env bash
# Runs the driver from end to end on a tiny set: smoke.sh BIN LIBRARY. Checks that every test was measured for every allocator and
# that table, plots and raw data are there. Exit code 77: something that it needs is missing.
set -euo pipefail
bin=$1 library=$2
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
skip() { echo "SKIP: $1"; exit 77; }
[[ -x $bin/bench_launch ]] || skip "the benchmarks are not built (target mb_bench)"
[[ -x $bin/bench_micro ]] || skip "libbenchmark-dev was missing when this was built"
for program in python3 gnuplot perl; do
    command -v "$program" >/dev/null || skip "no $program"
done
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
MB_BENCH_BIN=$bin MBMALLOC_SO=$library MB_BENCH_IDLE_MS=50 "$root/scripts/bench" --quick --scale 0.02 --rounds 2 --out "$out" \
    --allocators mbmalloc,glibc --only '^(micro/pair/64|micro/cross/ring/64|latency/small|macro/maps|macro/idle_threads|program/perl)$'
count=$(grep -c '"test"' "$out/raw.jsonl")
[[ $count == 24 ]] || { echo "24 measurements expected, $count found"; exit 1; }
! grep '"status": [^0]' "$out/raw.jsonl" || { echo "a measured program failed"; exit 1; }
for file in report.md cpu.svg memory.svg tradeoff.svg; do
    [[ -s $out/$file ]] || { echo "$file is missing"; exit 1; }
done
grep -q 'micro/pair/64' "$out/report.md"
echo ok
