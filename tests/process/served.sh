# shellcheck shell=bash
# Sourced: runs programs and proves by the library's own statistics that mbmalloc served them.
#
# served LEAST COMMAND...   runs COMMAND; fails unless it succeeds and a process of it had at least LEAST blocks.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "FAIL: $*" >&2
    exit 1
}

most_blocks() {
    sed -n 's/^mbmalloc-stats .*blocks=\([0-9]*\) large=.*/\1/p' "$1" | sort -n | tail -n 1
}

served() {
    local least=$1 stats="$work/stats" blocks
    shift
    rm -f "$stats"
    MBMALLOC_OPTIONS="stats_file=$stats" "$@" || fail "status $? from: $*"
    [ -s "$stats" ] || fail "no statistics from: $*"
    blocks=$(most_blocks "$stats")
    [ "${blocks:-0}" -ge "$least" ] || fail "only ${blocks:-no} blocks served in: $*"
    echo "served $blocks blocks: $*"
}
