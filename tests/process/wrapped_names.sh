#!/usr/bin/env bash
# Wrappers of the C library's functions that allocate under a lock: a program's whole life works, whatever the order of
# the preloaded libraries. usage: wrapped_names.sh PROGRAM WRAPPERS [ordinary]; with the last word also programs of this
# machine
# shellcheck source-path=SCRIPTDIR source=served.sh
. "$(dirname "${BASH_SOURCE[0]}")/served.sh"

program=$1 wrappers=$2 so=${MBMALLOC_SO:?}
LD_PRELOAD=$wrappers "$program" >/dev/null || fail "the wrappers do not work under the libc's own malloc"
served 1000 env "LD_PRELOAD=$wrappers $so" "$program"
served 1000 env "LD_PRELOAD=$so $wrappers" "$program"
[[ ${3:-} == ordinary ]] || exit 0
served 10 env "LD_PRELOAD=$wrappers $so" ls / >/dev/null
served 10 env "LD_PRELOAD=$wrappers $so" bash -c '(echo a; true) | sort'
served 10 env "LD_PRELOAD=$wrappers $so" python3 -c 'import threading; threading.Thread(target=print, args=("thread",)).start()'
