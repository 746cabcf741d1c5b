#!/usr/bin/env bash
# What: zstd compresses with threads, at several levels, with a dictionary that it trains, and what it packs comes back
# unchanged.
set -euo pipefail
# shellcheck source=tests/programs/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

mb_need zstd zstd
mb_need awk mawk

awk -v lines="$(mb_scale 150000 1500000 15000)" 'BEGIN { for (l = 0; l < lines; l++) printf "%d %x line %d\n", l * 7 % 9973, l * l % 1048573, l }' >"$IN/text"
mkdir "$IN/many"
split -l "$(mb_scale 300 3000 30)" -a 4 "$IN/text" "$IN/many/part"

pack() {
    local level
    for level in 1 5 12; do
        zstd -q -T4 -B512KiB "-$level" "$IN/text" -o "text-$level.zst"
        zstd -q -dc "text-$level.zst" | cmp - "$IN/text"
    done
    zstd -q -T2 --long=24 -9 -c text-1.zst | cksum
    zstd -q --train "$IN"/many/part* -o dictionary
    zstd -q -T3 -D dictionary "$IN"/many/part*a --output-dir-flat .
    zstd -q -dc -D dictionary ./*a.zst | cksum
}

mb_same pack pack
mb_served zstd 30
