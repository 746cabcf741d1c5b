#!/usr/bin/env bash
# What: sort with several threads, in memory, through temporary files that a compressor it starts packs, and by key;
#   join, uniq and comm read the results.
set -euo pipefail
# shellcheck source=tests/programs/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

mb_need sort coreutils
mb_need gzip gzip
mb_need awk mawk

awk -v lines="$(mb_scale 200000 1500000)" 'BEGIN {
    state = 17
    for (i = 0; i < lines; i++) {
        state = (state * 16807) % 2147483647
        printf "%x name-%d %.*s\n", state, state % 5003, i % 60, "some more text that is as long as the longest line of them"
    }
}' >"$IN/lines"
head -n "$(mb_scale 40000 300000)" "$IN/lines" >"$IN/fewer"

in_memory() {
    sort --parallel=4 -S 200M "$IN/lines" -o by-text
    sort --parallel=4 -S 200M -k2,2V -k1,1 "$IN/lines" -o by-version
    sort --parallel=4 -u -k2,2 "$IN/lines" | uniq -c | cksum
    comm -13 by-text <(sort -r "$IN/lines" | sort --parallel=3) | wc -l
}

through_files() {
    sort --parallel=4 -S 500K --batch-size=5 --compress-program=gzip -k3 -k1,1 "$IN/fewer" -o merged
    sort --check -k3 -k1,1 merged
    sort --parallel=4 -R --random-source="$IN/fewer" -S 500K "$IN/fewer" | cksum
    sort -m merged merged -k3 -k1,1 | cksum
}

mb_same in-memory in_memory
mb_served sort 20
mb_same through-files through_files
mb_served sort 50
mb_served gzip 20
