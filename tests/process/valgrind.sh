#!/usr/bin/env bash
# A small program under valgrind: callgrind, and memcheck with the interception of malloc in user libraries switched
# off, so that mbmalloc itself runs on valgrind's simulated machine.
# usage: valgrind.sh PROGRAM   (small.c)
# shellcheck source-path=SCRIPTDIR source=served.sh
. "$(dirname "${BASH_SOURCE[0]}")/served.sh"

program=$1
if ! command -v valgrind > /dev/null; then
    echo "SKIP: no valgrind"
    exit 77
fi

# run OPTIONS...   the program under valgrind, its output in $work/out, valgrind's in $work/err.
run() {
    if ! (served 1000 env LD_PRELOAD="${MBMALLOC_SO:?}" valgrind --error-exitcode=9 "$@" "$program") \
        > "$work/out" 2> "$work/err"; then
        cat "$work/out" "$work/err"
        fail "valgrind $*"
    fi
    grep -q '^small program done$' "$work/out" || fail "no output under valgrind $*"
    tail -n 1 "$work/out"
}

run --tool=callgrind --callgrind-out-file="$work/callgrind.out"
grep -q '^fn=.*malloc' "$work/callgrind.out" || fail "callgrind saw no malloc"
run --tool=memcheck --soname-synonyms=somalloc=nouserintercepts
grep -q 'ERROR SUMMARY: 0 errors' "$work/err" || fail "memcheck found errors: $(cat "$work/err")"
grep -q 'total heap usage: 0 allocs' "$work/err" || fail "memcheck replaced malloc: mbmalloc did not run"
