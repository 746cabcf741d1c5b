#!/usr/bin/env bash
# What: tar packs a generated tree; xz and zstd compress it with threads, and the archive comes back unchanged.
set -euo pipefail
# shellcheck source=tests/programs/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

mb_need tar tar
mb_need xz xz-utils
mb_need zstd zstd
mb_need awk mawk

make_tree() {
    local d
    for ((d = 0; d < $(mb_scale 20 30); d++)); do
        mkdir -p "$IN/tree/directory-$d/a/long/way/down/where/the/name/is/over/one/hundred/characters/when/all/is/said/and/done/$d"
        awk -v d="$d" -v lines="$(mb_scale 400 1200)" -v top="$IN/tree/directory-$d" 'BEGIN {
            for (f = 0; f < 40; f++) {
                name = top (f % 3 ? "" : "/a/long") "/file-" f
                for (l = 0; l < lines; l++) printf "%d %x line %d of %d\n", l * (d + 7) % 9973, l * l * (f + 3) % 1048573, l, f > name
                close(name)
            }
        }'
        ln -s "file-$d" "$IN/tree/directory-$d/link"
        ln "$IN/tree/directory-$d/file-1" "$IN/tree/directory-$d/hard"
    done
}
make_tree

pack() {
    tar --create --file tree.tar --sort=name --mtime=@1600000000 --owner=0 --group=0 --numeric-owner --format=pax \
        --pax-option=delete=atime,delete=ctime -C "$IN" tree
    xz -T4 -3 --block-size=1MiB --keep tree.tar
    xz -T4 -dc tree.tar.xz | cmp - tree.tar
    xz --list tree.tar.xz | tail -n 1
    zstd -q -T4 -B512KiB -5 tree.tar -o tree.tar.zst
    zstd -q -dc tree.tar.zst | cmp - tree.tar
    zstd -q -T2 --long=24 -12 -c tree.tar.xz | cksum
    tar --list --verbose --file tree.tar | cksum
}

unpack() {
    tar --create --file - -I 'xz -T3 -1' -C "$IN" tree | tar --extract --file - -I 'xz -T3'
    diff -r --no-dereference "$IN/tree" tree
    find tree -type f -exec cksum {} + | sort
    rm -rf tree
}

mb_same pack pack
mb_served tar 500
mb_served xz 30
mb_served zstd 30
mb_same unpack unpack
mb_served tar 500
