#!/usr/bin/env bash
# Every program in mbmalloc(3) compiles without a warning against the installed headers and runs successfully, linked
# with libmbmalloc.a. usage: manual_examples.sh INCLUDE_DIR
set -euo pipefail
page=${MB_SOURCE_DIR:?}/preload/mbmalloc.3.scd include=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

awk -v work="$work" '
    /^```/ {inside = !inside; if (inside) file = sprintf("%s/example%d.c", work, ++count); next}
    inside {gsub(/\\\\/, "\\"); print > file}' "$page"
count=0
for source in "$work"/example*.c; do
    # clang removes a malloc whose block is not used, and assumes that it succeeds.
    "${CC:-cc}" -std=gnu11 -O1 -fno-builtin -Wall -Wextra -Werror -I"$include" "$source" "${MBMALLOC_A:?}" -lpthread -o "$work/program"
    "$work/program" >"$work/out" || { cat "$source"; echo "status $?"; exit 1; }
    count=$((count + 1))
done
[[ $count -ge 5 ]] || { echo "only $count examples found"; exit 1; }
echo "$count examples run"
