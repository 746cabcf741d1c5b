#!/usr/bin/env bash
# What: busybox's shell and the applets that it starts: thousands of forks, awk, sort, sed, tar, gzip, find.
set -euo pipefail
# shellcheck source=tests/programs/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

mb_need busybox busybox
rounds=$(mb_scale 50 500)
lines=$(mb_scale 20000 200000)
export rounds lines

forks() { MB_TRUE="busybox true" busybox sh "$WORK/forks.sh" "$rounds"; }

# shellcheck disable=SC2016 # busybox's shell expands
applets() {
    busybox sh -euc '
        seq 1 "$lines" | awk "{ print \$1 * 7919 % 10007, \$1 }" | sort -n -k1,1 -k2,2 >sorted
        sort -u -k1,1 sorted | sed -n "s/^\([0-9]*\) \(.*\)/\2-\1/p" | cksum
        mkdir -p tree/a/b
        for i in 1 2 3 4 5; do head -n $((i * 1000)) sorted >tree/a/b/part$i; done
        tar cf - tree | gzip -6 | gzip -dc | tar xf - -C .
        find tree -type f | sort | xargs md5sum
        diff -r tree tree && bzip2 -c sorted | bunzip2 -c | cmp - sorted
    '
}

mb_same forks forks
mb_same applets applets
mb_served busybox 3000
