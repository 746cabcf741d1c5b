#!/usr/bin/env bash
# Breaks each rule of scripts/check-includes once, in a small tree, and expects a report of that fault.
set -euo pipefail

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree"/{platform,core/base,core/region,core/heap,preload,scripts}

# write PATH: the file's text comes from stdin.
write() { cat >"$tree/$1"; }

reset() {
    find "$tree" -type f -delete
    write platform/os.h <<<'int mb_os(void);'
    write core/base/list.h <<<'#include "platform/os.h"'
    write core/region/arena.h <<<'#include "core/base/list.h"'
    write core/heap/heap.c <<<'#include "core/region/arena.h"'
}

# expect TEXT: the check fails and prints TEXT.
expect() {
    local said
    if said=$("$MB_SOURCE_DIR/scripts/check-includes" "$tree"); then
        echo "not found: $1"
        exit 1
    fi
    [[ $said == *"$1"* ]] || { printf 'expected: %s\nsaid: %s\n' "$1" "$said"; exit 1; }
}

lines() { for ((i = 0; i < $1; i++)); do echo "$2"; done; }

reset
"$MB_SOURCE_DIR/scripts/check-includes" "$tree"

write core/base/list.h <<<'#include "core/region/arena.h"'
expect 'core/base may not include core/region'

reset
write core/base/list.h <<<'#include "core/base/other.h"'
write core/base/other.h <<<'#include "core/base/list.h"'
expect 'include cycle'

reset
write core/base/list.h <<<'#include "../../platform/os.h"'
expect 'is no file from the root'

reset
write core/heap/heap.c <<<'#if 1
#endif'
expect '#if outside platform/'

reset
write core/heap/heap.h <<<'struct heap {
    _Atomic unsigned count;
};'
expect '_Atomic outside a struct *_shared'
write core/heap/heap.h <<<'struct heap_shared {
    _Atomic unsigned count;
};'
"$MB_SOURCE_DIR/scripts/check-includes" "$tree"

reset
{ echo 'int f(void)'; echo '{'; lines 60 '    f();'; echo '}'; } | write core/heap/heap.c
expect 'f has 63 lines'

reset
lines 321 '// a line' | write core/heap/heap.c
expect '321 lines, at most 320'

# A call of an upper layer that the caller has declared itself is found in the object files.
objects=$tree/build/CMakeFiles/mb_core_objects.dir
mkdir -p "$objects"/core/{base,region}
build() { "$CC" -c -o "$objects/$1.o" -x c -; }
calls() { "$MB_SOURCE_DIR/scripts/check-includes" --calls "$tree/build"; }
build core/base/list.c <<<'int mb_low(void) { return 1; }'
build core/region/arena.c <<<'int mb_low(void); int mb_high(void) { return mb_low(); }'
calls
build core/base/list.c <<<'int mb_high(void); int mb_low(void) { return mb_high(); }'
if said=$(calls); then
    echo 'not found: a call up'
    exit 1
fi
[[ $said == *'core/base may not use mb_high of core/region'* ]] || { echo "said: $said"; exit 1; }

reset
write core/heap/heap.c <<<"// $(lines 30 word | tr '\n' ' ')"
expect "a comment's line of"
write core/heap/heap.c <<<"//   a table:   $(lines 30 word | tr '\n' ' ')"
"$MB_SOURCE_DIR/scripts/check-includes" "$tree"
