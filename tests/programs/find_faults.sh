#!/usr/bin/env bash
# What: the program tests are able to fail: lib.sh notices a library that is not loaded, serves nothing or too little,
# changes a byte or crashes; it notices a stage that produces nothing or fails, and ends the processes that such a stage
# left running.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
tmp=$(mktemp -d "${TMPDIR:-/tmp}/mb-faults.XXXXXX")
trap 'rm -rf -- "$tmp"' EXIT

# library NAME: compiles a library from C on standard input.
library() { "${CC:-cc}" -shared -fPIC -o "$tmp/$1.so" -x c -; }

library inert <<<'int inert;'
library few <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
__attribute__((destructor)) static void report(void)
{
    FILE *f = fopen(strchr(getenv("MBMALLOC_OPTIONS"), '=') + 1, "a");
    fprintf(f, "mbmalloc-stats pid=1 blocks=99 large=0 heaps=1 spans=1 name=bash\n");
    fclose(f);
}
C
library byte <<'C'
#include <stdio.h>
__attribute__((destructor)) static void change(void) { puts("x"); }
C
library crash <<'C'
#include <stdlib.h>
__attribute__((constructor)) static void crash(void) { abort(); }
C
echo 'no library' >"$tmp/text.so"

# expect LIBRARY MESSAGE COMMANDS: the test of these commands fails with this message; 'passes' means it does not fail.
expect() {
    local status=0 message=$2
    MBMALLOC_SO=$tmp/$1.so timeout 300 bash -euo pipefail -c ". '$here/lib.sh'; $3" >"$tmp/log" 2>&1 || status=$?
    if [[ $message == passes ]]; then
        [[ $status == 0 ]] && return
    elif [[ $status == 1 ]] && grep -q "^FAIL: .*$message" "$tmp/log"; then
        return
    fi
    printf 'FAIL: with the library "%s" expected "%s" from: %s\n' "$1" "$message" "$3"
    cat "$tmp/log"
    exit 1
}

expect inert passes 'mb_same s echo hello'
expect few passes 'mb_same s echo hello; mb_served bash 99; mb_served "ba*" 99'
expect none 'is no file' 'mb_same s echo hello'
expect text 'without and with preload differ' 'mb_same s echo hello'
expect inert 'no process wrote a statistics line' 'mb_same s echo hello; mb_served bash 1'
expect few 'served bash 99 blocks, expected 100' 'mb_same s echo hello; mb_served bash 100'
expect few 'no statistics line for cat, only for: bash' 'mb_same s echo hello; mb_served cat 1'
expect byte 'without and with preload differ' 'mb_same s echo hello'
expect byte 'without and with preload differ' 'f() { sort -u >file; echo; }; mb_same s f'
expect crash 'the preload run ended with' 'mb_same s echo hello'
expect inert 'produced nothing to compare' 'mb_same s true'
expect inert 'the plain run ended with exit status 3' 'f() { echo hello; (exit 3); echo on; }; mb_same s f'
expect inert 'over the limit of 1 s' 'mb_limit_s=1; f() { sleep 30; }; mb_same s f'
expect inert 'the plain run ended with exit status 1' "f() { sleep 300 & echo \$! >'$tmp/pid'; return 1; }; mb_same s f"
# A process that was killed by a signal may exist for another moment.
for _ in {1..600}; do
    [[ -d /proc/$(<"$tmp/pid") ]] || exit 0
    sleep 0.1
done
echo 'FAIL: a process of a failed stage was left behind'
exit 1
