#!/usr/bin/env bash
# What: lua, whose every object is a realloc or free of its own: tables, strings, closures, coroutines, collections.
set -euo pipefail
# shellcheck source=tests/programs/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

lua=
for candidate in lua5.4 lua5.3 lua5.1 luajit lua; do
    if command -v "$candidate" >/dev/null 2>&1; then
        lua=$candidate
        break
    fi
done
[[ -n $lua ]] || mb_skip 'lua is not installed (Debian package lua5.4)'
rounds=$(mb_scale 3 40)

mb_same objects "$lua" "$WORK/work.lua" "$rounds"
mb_served 'lua*' 200000
