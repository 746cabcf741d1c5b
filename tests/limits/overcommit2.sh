#!/usr/bin/env bash
# Strict overcommit in the kernel: sets vm.overcommit_memory=2 for a few seconds and always restores the old value.
# Needs root and a machine whose commit charge is far from its limit; must run alone. With MB_TEST_LONG=1 it also uses
# up the remaining charge, so that the allocator is really refused (and so is, for about a second, every other process
# on the machine).
set -euo pipefail

setting=/proc/sys/vm/overcommit_memory
meminfo() { awk -v key="$1:" '$1 == key { print $2 }' /proc/meminfo; }

[ -w "$setting" ] || { echo "SKIP: $setting is not writable here"; exit 77; }
if [ "$(meminfo CommitLimit)" -lt $(($(meminfo Committed_AS) + 2097152)) ]; then
    echo "SKIP: less than 2 GiB of commit charge is free on this machine"
    exit 77
fi
old=$(cat "$setting")
trap 'echo "$old" >"$setting"' EXIT
echo 2 >"$setting" 2>/dev/null || { echo "SKIP: cannot set $setting"; exit 77; }
[ "$(cat "$setting")" = 2 ] || { echo "SKIP: $setting does not keep its value"; exit 77; }

under() { env ${MBMALLOC_SO:+"LD_PRELOAD=$MBMALLOC_SO"} "$@"; }
under "$MB_TEST_BIN/limits_overcommit" ${MB_TEST_LONG:+refuse}
[ "$(under python3 -c 'import threading
t = [threading.Thread(target=lambda: [bytes(n) for n in range(5000)]) for _ in range(4)]
[x.start() for x in t]; [x.join() for x in t]
print(sum(map(len, [str(i) * 50 for i in range(100000)])))')" = 24444500 ]
for _ in 1 2 3 4 5 6 7 8 9 10; do under /bin/true; done
echo ok
