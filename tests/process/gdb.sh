#!/usr/bin/env bash
# preload/mbmalloc-gdb.py on a live process and on its core file: both give the same, correct answers.
# The library file has the notes of all static probes.
# usage: gdb.sh PROBE   (gdb_probe.c)
# shellcheck source-path=SCRIPTDIR source=served.sh
. "$(dirname "${BASH_SOURCE[0]}")/served.sh"

probe=$1 script=${MB_SOURCE_DIR:?}/preload/mbmalloc-gdb.py so=${MBMALLOC_SO:?}

for name in slab_new purge thread_begin thread_end sample sample_freed; do
    readelf -n "$so" | grep -A1 'Provider: mbmalloc' | grep -q "Name: $name\$" || fail "no probe $name in the library's notes"
done

command -v gdb >/dev/null || { echo "SKIP: no gdb; the probes were looked for"; exit 77; }

ask() { # ARGUMENT...: what the commands say
    gdb -q -nx -batch -iex 'set debuginfod enabled off' -ex 'set pagination off' -ex 'set startup-with-shell off' "$@" -ex "source $script" -ex 'mb heap' -ex 'mb who small + 10' \
        -ex 'mb who gone' -ex 'mb who large + 100000' -ex 'mb who of_thread' -ex 'mb who &small' -ex 'mb class 100' -ex 'mb threads' 2>&1
}
ask -ex "set environment LD_PRELOAD $so" -ex 'break stop_here' -ex 'run' -ex "generate-core-file $work/core" "$probe" >"$work/live"
grep -q 'mb heap\|block size' "$work/live" || { cat "$work/live"; echo "SKIP: gdb cannot run a program here"; exit 77; }
ask "$probe" "$work/core" >"$work/dead"

check() { # FILE
    local text
    text=$(cat "$1")
    [[ $text =~ $'\n'\ +112\ +[0-9]+\ +([0-9]+)\ +([0-9]+)\  && ${BASH_REMATCH[1]} -ge 1000 && ${BASH_REMATCH[1]} -le 1010 &&
       ${BASH_REMATCH[2]} -ge 290 ]] || fail "blocks of 112 bytes: $text"
    [[ $text == *"200 large blocks of 600.0 MiB"* ]] || fail "no large block: $text"
    [[ $text == *": 10 bytes into a live block of 112 bytes at 0x"*"belongs to thread 1 "* ]] || fail "small: $text"
    [[ $text == *": 0 bytes into a free block of 112 bytes at 0x"* ]] || fail "gone: $text"
    [[ $text == *": 100000 bytes into a live large block of 3.0 MiB at 0x"* ]] || fail "large: $text"
    [[ $text == *": 0 bytes into a live block of 48 bytes at 0x"*"belongs to thread 2 "* ||
       $text == *": 0 bytes into a live block of 48 bytes at 0x"* ]] || fail "of_thread: $text"
    [[ $text == *": not in the heap"* ]] || fail "a variable: $text"
    [[ $text == *" slabs of blocks of 112 bytes"* ]] || fail "class: $text"
    [[ $text =~ heap\ 0x[0-9a-f]+:\ thread\ 1\ [^:]*:\ ([0-9]+)\ blocks\ handed\ out && ${BASH_REMATCH[1]} -ge 1301 ]] || fail "threads: $text"
}
check "$work/live"
check "$work/dead"
diff <(grep -E '^ |: |slabs of' "$work/live" | grep -v LWP | grep -E 'block|heap' | sed 's/thread [0-9]* ([^)]*)/T/') \
     <(grep -E '^ |: |slabs of' "$work/dead" | grep -v LWP | grep -E 'block|heap' | sed 's/thread [0-9]* ([^)]*)/T/') >"$work/diff" ||
    fail "the process and its core differ: $(cat "$work/diff")"

# While the heap profile samples every block, `mb who` prints the calls that allocated a block.
ask -ex "set environment LD_PRELOAD $so" -ex "set environment MBMALLOC_OPTIONS heap_profile=1" -ex 'break stop_here' -ex 'run' \
    -ex "generate-core-file $work/sampled" "$probe" >"$work/sampled.live"
ask "$probe" "$work/sampled" >"$work/sampled.dead"
for file in "$work/sampled.live" "$work/sampled.dead"; do
    text=$(sed -n '/: 10 bytes into a live block/,/: 0 bytes into a free block/p' "$file")
    [[ $text == *"a sample of the heap profile: 100 bytes, allocated by"*" main "*"gdb_probe.c:"* ]] || fail "the sample of small: $(cat "$file")"
    text=$(sed -n '/into a live large block/,/into a live block of/p' "$file")
    [[ $text == *"a sample of the heap profile: 3145728 bytes, allocated by"*" main "* ]] || fail "the sample of large: $(cat "$file")"
    text=$(sed -n '/: 0 bytes into a live block of /,$p' "$file")
    [[ $text == *"a sample of the heap profile: 40 bytes, allocated by"*" hold "* ]] || fail "the sample of of_thread: $(cat "$file")"
done
grep -q 'heap profile' "$work/live" && fail "samples without a heap profile: $(cat "$work/live")"
echo "gdb clean"
