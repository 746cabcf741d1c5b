#!/usr/bin/env bash
# Programs built with clang's sanitizers, whose runtimes are part of the program and map shadow memory, run in the same
# way with the library preloaded as without. usage: sanitizers_of_clang.sh SOURCES_DIR
# shellcheck source-path=SCRIPTDIR source=served.sh
. "$(dirname "${BASH_SOURCE[0]}")/served.sh"

sources=$1 so=${MBMALLOC_SO:?}
command -v clang >/dev/null || { echo "not here: clang"; exit 77; }
command -v "$CC" >/dev/null || exit 77
[ "$(clang -dumpmachine | cut -d- -f1)" = "$("$CC" -dumpmachine | cut -d- -f1)" ] || { echo "clang builds for another processor"; exit 77; }
export ASAN_OPTIONS=verify_asan_link_order=0

ran=0
for sanitizer in memory dataflow safe-stack scudo thread address leak undefined; do
    program=$work/$sanitizer
    if ! clang -g -O1 -w -pthread "-fsanitize=$sanitizer" -o "$program" "$sources/tool_threads.c" 2>/dev/null || ! "$program" >"$work/out" 2>&1; then
        echo "not here: -fsanitize=$sanitizer"
        continue
    fi
    for _ in 1 2 3; do # the heap lies elsewhere each time
        LD_PRELOAD=$so "$program" >"$work/out" 2>&1 || fail "$sanitizer: status $?: $(head -n 5 "$work/out")"
        [ "$(cat "$work/out")" = ran ] || fail "$sanitizer: $(head -n 5 "$work/out")"
    done
    ran=$((ran + 1))
done
[ "$ran" != 0 ] || exit 77
echo "$ran sanitizers"
