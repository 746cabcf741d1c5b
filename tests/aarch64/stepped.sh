#!/usr/bin/env bash
# What: stepped.sh PROGRAM LIBMBMALLOC.SO EMULATOR...: runs fork_step.c in each of its scenarios, each in a process of
# its own, under qemu-user; some scenarios a second time on a processor without LSE, where atomic operations are loops
# that are stepped over.
set -euo pipefail
program=$1 library=$2
shift 2
[[ $# -gt 0 ]] || { echo 'SKIP: no emulator' && exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# place NAME: prints the symbol's offset in the library.
place() { aarch64-linux-gnu-nm "$library" | sed -n "s/ [a-zA-Z] $1\$//p"; }
MB_WIPED=$(place mb_fork_watch_shared)
MB_EXITS=$(place thread_exits)
[[ -n $MB_WIPED && -n $MB_EXITS ]] || { echo "FAIL: mb_fork_watch_shared or thread_exits is not in $library" && exit 1; }
export MB_WIPED MB_EXITS MBMALLOC_OPTIONS=background=0

bad=0
step() { # SCENARIO EMULATOR...
    local scenario=$1
    shift
    "$@" -E "LD_PRELOAD=$library" "$program" "$scenario" "$work/visited" || bad=1
}
for scenario in $("$@" "$program" --list); do step "$scenario" "$@"; done
rm -f "$work/visited"
for scenario in pairs give-to-a-peer collect; do step "$scenario" "$@" -cpu cortex-a53; done
exit $bad
