#!/usr/bin/env bash
# Programs built with a sanitizer run with the library preloaded, and the sanitizer finds the same as without, since its
# own malloc serves. An audit library (LD_AUDIT) and the preload do not disturb each other. What this compiler lacks is
# named and skipped.
# usage: tools.sh SOURCES_DIR
# shellcheck source-path=SCRIPTDIR source=served.sh
. "$(dirname "${BASH_SOURCE[0]}")/served.sh"

sources=$1 so=${MBMALLOC_SO:?}
export ASAN_OPTIONS=verify_asan_link_order=0 # any preloaded library comes before ASan's

build() { # SANITIZER: $work/SANITIZER
    "$CC" -g -O1 -fsanitize="$1" -Wno-use-after-free -pthread -o "$work/$1" "$sources/tool_threads.c" 2>/dev/null ||
        "$CC" -g -O1 -fsanitize="$1" -pthread -o "$work/$1" "$sources/tool_threads.c" 2>/dev/null || return 1
    "$work/$1" >"$work/out" 2>&1 && [ "$(cat "$work/out")" = ran ]
}

runs() { # SANITIZER: no word but the program's
    LD_PRELOAD=$so "$work/$1" >"$work/out" 2>&1 || fail "$1: status $?: $(head -n 5 "$work/out")"
    [ "$(cat "$work/out")" = ran ] || fail "$1: $(head -n 5 "$work/out")"
}

finds() { # SANITIZER FAULT TEXT
    "$work/$1" "$2" >"$work/alone" 2>&1 || true
    grep -q "$3" "$work/alone" || { echo "$1 does not find '$2' here at all"; return 0; }
    LD_PRELOAD=$so "$work/$1" "$2" >"$work/out" 2>&1 || true
    grep -q "$3" "$work/out" || fail "$1 does not find '$2': $(head -n 5 "$work/out")"
}

for sanitizer in thread address leak undefined; do
    if build "$sanitizer"; then runs "$sanitizer"; else echo "not here: -fsanitize=$sanitizer"; fi
done
[ ! -x "$work/thread" ] || finds thread race "data race"
[ ! -x "$work/address" ] || finds address after "heap-use-after-free"
[ ! -x "$work/leak" ] || finds leak leak "detected memory leaks"

"$CC" -shared -fPIC -D_GNU_SOURCE -o "$work/audit.so" "$sources/tool_audit.c"
"$CC" -pthread -w -o "$work/plain" "$sources/tool_threads.c"
LD_AUDIT=$work/audit.so "$work/plain" >/dev/null || fail "the audit library does not work without the preload"
served 1000 env "LD_AUDIT=$work/audit.so" "LD_PRELOAD=$so" "$work/plain"
"$CC" -shared -fPIC -D_GNU_SOURCE -w -o "$work/audit2.so" "$sources/tool_audit.c" -Wl,--no-as-needed "$so" "-Wl,-rpath,$(dirname "$so")"
served 1000 env "LD_AUDIT=$work/audit2.so" "LD_PRELOAD=$so" "$work/plain"
echo "out of the way of tools"
