#!/usr/bin/env bash
# Heap profiles under adverse conditions: sessions that start and end under 64 threads, forks and execs; sandboxes; no
# /proc; limits of address space.
# usage: profile_storm.sh TOOL PROBE   (profile_storm.c, linked with the library)
# shellcheck source-path=SCRIPTDIR source=served.sh
. "$(dirname "${BASH_SOURCE[0]}")/served.sh"

tool=$1 probe=$2
unset LD_PRELOAD MBMALLOC_OPTIONS

for options in "" "heap_profile=300,heap_profile_file=$work/storm.%p" "stack_walk=frames"; do
    MBMALLOC_OPTIONS=$options timeout 300 "$probe" switch || fail "switch with '$options': $?"
done
files=("$work"/storm.*)
[[ ${#files[@]} -ge 10 ]] || fail "profiles: ${files[*]}"
for file in "${files[@]}"; do gzip -t "$file" || fail "$file"; done
"$tool" top "${files[0]}" -n 3 >/dev/null || fail "top ${files[0]}"

refused() { # TEXT MODE: the program ends well and says TEXT
    local out status=0
    out=$(MBMALLOC_OPTIONS="heap_profile=4K,heap_profile_file=$work/refused" "$probe" "$2" 2>&1) || status=$?
    [[ $status == 77 ]] && { echo "SKIP: no seccomp filters here"; exit 77; }
    [[ $status == 0 && $out == *"$1"* ]] || fail "$2: status $status: $out"
}
refused "cannot write $work/refused errno=1" no-files
MBMALLOC_OPTIONS="" "$probe" no-memory || fail "no-memory: $?"

# shellcheck disable=SC2016
hide='mount -t tmpfs none /proc && exec "$@"'
if unshare -rm true 2>/dev/null; then
    MBMALLOC_OPTIONS="heap_profile=300,heap_profile_file=$work/hidden.%p" unshare -rm bash -c "$hide" - "$probe" switch || fail "without /proc: $?"
    files=("$work"/hidden.*)
    [[ ${#files[@]} -ge 10 ]] || fail "without /proc: profiles: ${files[*]}"
    gzip -t "${files[@]}" || fail "without /proc: ${files[*]}"
else
    echo "no namespaces here: /proc stays"
fi

(ulimit -v 60000; MBMALLOC_OPTIONS="heap_profile=300,heap_profile_file=$work/small" "$probe" ends) || fail "with 60 MB of address space: $?"
echo "right"
