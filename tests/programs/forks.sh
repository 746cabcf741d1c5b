#!/usr/bin/env bash
# What: forks.sh SHELL: a shell script that forks thousands of times: substitutions, pipelines, subshells, background
#   jobs, here-documents, traps.
set -euo pipefail
# shellcheck source=tests/programs/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

shell=${1:-bash}
mb_need "$shell" "$shell"
rounds=$(mb_scale 150 1500)
export rounds shell

work() { "$shell" "$WORK/forks.sh" "$rounds"; }

# dash ends by _exit and so writes no statistics; what it shows is that libc's heap (brk) is never opened in it, while
# the same run without preload, the control, does open it.
# shellcheck disable=SC2016 # the shell that is started expands
heaps() { "$shell" -c 'i=0; while read -r line; do case $line in *"[heap]"*) i=$((i + 1)) ;; esac; done </proc/$$/maps; echo $i'; }

mb_same forks work
mb_served sed 20 # started by the shell
if [[ $shell == bash ]]; then
    mb_served bash 2000
else
    [[ $(heaps) == 1 ]] || mb_fail "$shell has no brk heap even without preload"
    [[ $(LD_PRELOAD=$MBMALLOC_SO heaps) == 0 ]] || mb_fail "$shell took memory from libc's heap under preload"
    mb_say "      $shell opened no heap of libc's"
fi
