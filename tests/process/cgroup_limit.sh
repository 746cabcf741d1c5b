#!/usr/bin/env bash
# limit=50% is relative to the memory limit of the control group: tested in a group that the test creates, if it may.
# usage: cgroup_limit.sh PROBE   (limit_probe.c: prints how many MiB it could have)
# shellcheck source-path=SCRIPTDIR source=served.sh
. "$(dirname "${BASH_SOURCE[0]}")/served.sh"
probe=$1 so=${MBMALLOC_SO:?}

had() { env "LD_PRELOAD=$so" "MBMALLOC_OPTIONS=$1" "$probe"; }

[[ $(had limit=40M) -ge 35 && $(had limit=40M) -le 40 ]] || fail "limit=40M gave $(had limit=40M) MiB"
[[ $(had limit=0) == 100 ]] || fail "without a limit $(had limit=0) MiB"

for root in /sys/fs/cgroup/memory /sys/fs/cgroup; do
    group=$root/mbmalloc-test-$$ limit=memory.max
    [[ $root == */memory ]] && limit=memory.limit_in_bytes
    mkdir "$group" 2>/dev/null || continue
    trap 'rm -rf "$work"; rmdir "$group"' EXIT
    if echo $((80 << 20)) >"$group/$limit" 2>/dev/null && (echo $BASHPID >"$group/cgroup.procs") 2>/dev/null; then
        got=$(echo $BASHPID >"$group/cgroup.procs" && had limit=50%)
        [[ $got -ge 35 && $got -le 40 ]] || fail "limit=50% of 80 MiB gave $got MiB"
        echo "a share of the control group's limit counts"
        exit 0
    fi
    rmdir "$group"
    trap 'rm -rf "$work"' EXIT
done
[[ $(had limit=100%) -ge 1 ]] || fail "limit=100% gave nothing"
echo "SKIP: no control group with a memory limit can be made here; limit=40M was tested"
exit 77
