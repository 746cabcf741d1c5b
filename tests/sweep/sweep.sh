#!/usr/bin/env bash
# A sweep over programs that people run: each does the same work without and with the library preloaded, and must print
# the same and leave the same files; its largest process may take at most 1.15 times the memory that it takes under
# glibc and 20 MB more, or stands below with the cause. The CPU time of a run on each side stands beside it, to be
# looked at: it varies with what else the machine does.
#
#   sweep.sh [--list] [NAME...]      all programs, or those named; MBMALLOC_SO names the library
#
# Started by scripts/test --programs, which builds the library and installs the packages. Takes minutes, and is no part
# of the other tests. A program that is not installed is said to be skipped; so is one whose two runs without the
# library differ already. Each program is a function of programs.sh; everything lives in one temporary directory.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
limit_s=300
tries=3 # of a memory peak that is too high: the least one counts

# shellcheck source=tests/sweep/programs.sh
. "$here/programs.sh"

mapfile -t all < <(declare -F | sed -n 's/^declare -f run_//p')
if [[ ${1:-} == --list ]]; then printf '%s\n' "${all[@]}"; exit 0; fi
so=$(realpath -- "${MBMALLOC_SO:?}")
names=("$@")
[[ $# -gt 0 ]] || names=("${all[@]}")

tmp=$(mktemp -d "${TMPDIR:-/tmp}/mb-sweep.XXXXXX")
session=
trap '[[ -z $session ]] || kill -KILL -- "-$session" 2>/dev/null; rm -rf -- "$tmp"' EXIT
chmod 755 "$tmp"
ulimit -c 0
unset LD_PRELOAD MBMALLOC_OPTIONS MALLOC_ARENA_MAX GLIBC_TUNABLES
export LC_ALL=C.UTF-8 TZ=UTC REAL_HOME=${HOME:-/}

# once SIDE NAME: one run; its output and files are then in $tmp/SIDE/; sets status, peak_kib and cpu_cs (1/100 s).
once() {
    local side=$1 name=$2 setting=(env)
    rm -rf -- "$tmp/work" "${tmp:?}/$side"
    mkdir "$tmp/work" "$tmp/$side"
    chmod 777 "$tmp/work"
    [[ $side != preload ]] || setting+=("LD_PRELOAD=$so" "MBMALLOC_OPTIONS=stats_file=$tmp/stats")
    # In its own session, so that all processes it starts can be ended. GNU time measures the peak of the command or of
    # any process that was waited for.
    (
        cd "$tmp/work" && export HOME=$tmp/work TMPDIR=$tmp/work
        exec setsid time -q -f '%M %U %S' -o "$tmp/peak" timeout --foreground "$limit_s" "${setting[@]}" \
            bash -euo pipefail -c ". '$here/programs.sh'; run_$name" "$name" </dev/null >"$tmp/$side/stdout" 2>"$tmp/stderr"
    ) &
    session=$! status=0
    wait "$session" || status=$?
    kill -KILL -- "-$session" 2>/dev/null || true
    read -r peak_kib cpu_cs < <(awk '{ printf "%d %d\n", $1, ($2 + $3) * 100 + .5 }' "$tmp/peak")
    [[ ! -d $tmp/work/keep ]] || mv "$tmp/work/keep" "$tmp/$side/keep"
}

is_too_much() { (($2 * 100 > $1 * 115 + 20 * 1024 * 100)); } # PLAIN_KIB PRELOAD_KIB

# sweep NAME: prints one line; status 0 passed, 1 failed, 77 skipped
sweep() {
    local name=$1 plain_kib preload_kib plain_cs preload_cs try served
    command -v "${command_of[$name]:-$name}" >/dev/null 2>&1 || { printf '%-12s SKIP: not installed\n' "$name"; return 77; }
    once plain "$name"
    [[ $status == 0 && -s $tmp/plain/stdout ]] ||
        { printf '%-12s SKIP: ends with %s without the library: %s\n' "$name" "$status" "$(tail -n 1 "$tmp/stderr" | cut -c 1-150)"; return 77; }
    plain_kib=$peak_kib plain_cs=$cpu_cs
    rm -f "$tmp/stats"
    for ((try = 0, preload_kib = -1; try < tries; try++)); do
        once preload "$name"
        if [[ $status != 0 ]] || ! diff -r "$tmp/plain" "$tmp/preload" >"$tmp/diff" 2>&1; then
            rm -rf -- "$tmp/first" "$tmp/reference" && mv "$tmp/preload" "$tmp/first" && cp "$tmp/stderr" "$tmp/stderr-preload" && [[ $status == 0 ]] && mv "$tmp/plain" "$tmp/reference"
            differs "$name" && return 1 || return 77
        fi
        ((preload_kib >= 0 && preload_kib <= peak_kib)) || preload_kib=$peak_kib preload_cs=$cpu_cs
        is_too_much "$plain_kib" "$preload_kib" || break
    done
    served=$(sed -n 's/^mbmalloc-stats .*blocks=\([0-9]*\) .* name=\(.*\)/\1 blocks (\2)/p' "$tmp/stats" 2>/dev/null | sort -n)
    served=$(grep -v '(bash)$' <<<"$served" | tail -n 1)
    report "$name" "$plain_kib" "$preload_kib" "$plain_cs" "$preload_cs" "${served:-0}"
}

# The run with the library had another result. Has a second run without it, too?
differs() {
    local name=$1 first_status=$status
    if [[ $first_status == 0 ]]; then
        once plain "$name"
        if ! diff -r "$tmp/reference" "$tmp/plain" >/dev/null 2>&1; then
            printf '%-12s SKIP: two runs without the library differ\n' "$name"
            return 1
        fi
    fi
    printf '%-12s FAIL: status %s with the library; %s\n' "$name" "$first_status" "$(head -n 3 "$tmp/diff" 2>/dev/null | cut -c 1-200 | tr '\n' ' ')"
    tail -n 5 "$tmp/stderr-preload" | cut -c 1-200 | sed 's/^/    /'
    return 0
}

report() { # NAME PLAIN_KIB PRELOAD_KIB PLAIN_CS PRELOAD_CS SERVED
    local verdict=same result=0
    if [[ ${6%% *} == 0 ]]; then verdict="FAIL: no statistics: not served" result=1
    elif is_too_much "$2" "$3" && [[ -n ${cause_of[$1]:-} ]]; then verdict="same; more memory: ${cause_of[$1]}"
    elif is_too_much "$2" "$3"; then verdict="FAIL: more than 1.15 times the memory and 20 MB" result=1
    fi
    awk -v name="$1" -v a="$2" -v b="$3" -v c="$4" -v d="$5" -v served="$6" -v verdict="$verdict" \
        'BEGIN { printf "%-12s %8.1f MB %8.1f MB %5.2f  %7.2f s %7.2f s %5.2f  %s, %s\n", name, a / 1024, b / 1024, b / a, c / 100, d / 100, (d + .01) / (c + .01), verdict, served }'
    return "$result"
}

printf '%-12s %11s %11s %5s %10s %9s %5s\n' program glibc mbmalloc ratio 'CPU glibc' mbmalloc ratio
well=0 bad=0 skipped=0
for name in "${names[@]}"; do
    declare -F "run_$name" >/dev/null || { echo "no program '$name'; --list names them"; exit 2; }
    result=0
    sweep "$name" || result=$?
    case $result in 0) well=$((well + 1)) ;; 77) skipped=$((skipped + 1)) ;; *) bad=$((bad + 1)) ;; esac
done
printf '%d programs well, %d at fault, %d skipped\n' "$well" "$bad" "$skipped"
[[ $bad == 0 && $well -gt 0 ]]
