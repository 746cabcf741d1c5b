#!/usr/bin/env bash
# Options about memory that no other test sets: soft_limit returns free memory to the system where nothing else would do
# so this early, and quarantine_large delays the reuse of freed large blocks of profile=hardened.
# usage: memory_options.sh PROBE   (limit_probe.c)
# shellcheck source-path=SCRIPTDIR source=served.sh
. "$(dirname "${BASH_SOURCE[0]}")/served.sh"

probe=$1
under() { LD_PRELOAD=${MBMALLOC_SO:?} MBMALLOC_OPTIONS=$1 "$probe" "$2"; }

still=purge_delay_ms=60000,background=0
without=$(under $still soft) with=$(under $still,soft_limit=8M soft) far=$(under $still,soft_limit=1G soft)
if [[ $(getconf PAGESIZE) -le 16384 ]]; then # with pages as long as a slab each slab has one that is not free
    [[ $without -ge 30 && $far -ge 30 ]] || fail "without a soft limit only $without MiB stay, with one of 1 GiB $far"
    [[ $with -le 20 ]] || fail "with soft_limit=8M $with MiB stay, $without without"
fi

waits=$(under profile=hardened again) none=$(under profile=hardened,quarantine_large=0 again)
[[ $waits == 0 && $none -ge 100 ]] || fail "of 200 large blocks $waits lie where one was before, with quarantine_large=0 $none"
echo "$with MiB with soft_limit=8M, $without without; $none of 200 addresses again with quarantine_large=0, else $waits"
