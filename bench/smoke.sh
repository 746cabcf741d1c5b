#!/usr/bin/env bash
# Runs the driver from end to end on a tiny set: smoke.sh BIN LIBRARY. Checks that every test was measured for every
# allocator and that table, plots and raw data are there. Exit code 77: something that it needs is missing.
set -euo pipefail
bin=$1 library=$2
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
skip() { echo "SKIP: $1"; exit 77; }
[[ -x $bin/bench_launch ]] || skip "the benchmarks are not built (target mb_bench)"
[[ -x $bin/bench_micro ]] || skip "libbenchmark-dev was missing when this was built"
for program in python3 perl; do
    command -v "$program" >/dev/null || skip "no $program"
done
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
MB_BENCH_BIN=$bin MBMALLOC_SO=$library MB_BENCH_IDLE_MS=50 "$root/scripts/bench" --quick --scale 0.02 --rounds 2 --out "$out" \
    --allocators mbmalloc,glibc --only '^(micro/pair/64|micro/cross/ring/64|latency/small|macro/maps|macro/idle_threads|program/perl)$'
count=$(grep -c '"test"' "$out/raw.jsonl")
[[ $count == 24 ]] || { echo "24 measurements expected, $count found"; exit 1; }
! grep '"status": [^0]' "$out/raw.jsonl" || { echo "a measured program failed"; exit 1; }
for file in report.md tradeoff.svg {cpu,peak}-{small,threads,programs}.svg; do
    [[ -s $out/$file ]] || { echo "$file is missing"; exit 1; }
done
# What a page needs of a plot: at most 1,200 pixels wide, and no two words in one place.
python3 - "$out"/*.svg <<'PYTHON'
import sys
import xml.dom.minidom
for path in sys.argv[1:]:
    root = xml.dom.minidom.parse(path).documentElement
    assert float(root.getAttribute("width")) <= 1200, path
    assert "prefers-color-scheme: dark" in root.toxml(), path
    boxes = []
    for text in root.getElementsByTagName("text"):
        if not text.hasAttribute("x"):
            continue
        said, x, y = text.firstChild.data, float(text.getAttribute("x")), float(text.getAttribute("y"))
        wide = 6.5 * len(said)
        x -= {"start": 0, "middle": wide / 2, "end": wide}[text.getAttribute("text-anchor")]
        box = (x, y - 10, x + wide, y, said)
        assert -1 <= x and x + wide <= float(root.getAttribute("width")) + 1, (path, said, "is cut off")
        for other in boxes:
            assert not (box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3]), (path, said, other[4])
        boxes.append(box)
PYTHON
grep -q 'micro/pair/64' "$out/report.md"
echo ok
