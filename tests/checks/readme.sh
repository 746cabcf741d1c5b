#!/usr/bin/env bash
# README's commands in ```console blocks, copied from there and run in order; its line of verbose=1 and its message
# about a double free are what the library prints. (Those in ```sh and ```cmake blocks are run by scripts/test
# --newcomer.) usage: readme.sh TOOL
#
# `scripts/run` becomes a preload of the library that is tested, PID the last program that was started with --monitor,
# 30 seconds one.
set -euo pipefail

tool=$1 readme=${MB_SOURCE_DIR:?}/README.md
export MBMALLOC_LIBRARY=${MBMALLOC_SO:?}
unset LD_PRELOAD MBMALLOC_OPTIONS
work=$(mktemp -d)
pid=
trap '[[ -z $pid ]] || kill "$pid" 2>/dev/null || true; rm -rf "$work"' EXIT
fail() { printf '%s\n' "$*" >&2; exit 1; }

mkdir "$work/bin"
ln -s "$tool" "$work/bin/mbmalloc"
PATH=$work/bin:$PATH
"${CC:-cc}" -O1 -fno-builtin "$MB_SOURCE_DIR/tests/newcomer/app.c" -o "$work/app"
cd "$work"

# same_line SHOWN SAID: the lines are equal except for addresses, paths and process ids.
same_line() {
    local form='s/0x[0-9a-f.]*/ADDRESS/g; s,/[^ ;]*/libmbmalloc[.so0-9]*,LIBRARY,g; s/pid=[0-9]*/pid/g'
    [[ $(sed "$form" <<<"$1") == "$(sed "$form" <<<"$2")" ]]
}

commands=0 shown=
while IFS= read -r line; do
    if [[ $line != '$ '* ]]; then
        same_line "$line" "$(head -n 1 said)" || fail "README shows '$line', but '$shown' says: $(cat said)"
        continue
    fi
    shown=${line#$ }
    command=${shown%%  *#*}
    command=${command/scripts\/run/env LD_PRELOAD=$MBMALLOC_SO}
    command=${command/--seconds 30/--seconds 1}
    command=${command/PID/$pid}
    if [[ $command == *--monitor* ]]; then
        : >said # what the command before said is gone before the new one, in the background, says something
        eval "APP_STAYS=1 exec $command" >said 2>&1 &
        pid=$!
        for _ in $(seq 600); do [[ -s said ]] || sleep 0.1; done
        [[ -s said ]] || fail "'$shown' does not start"
    else
        status=0
        eval "$command" >said 2>&1 || status=$?
        [[ $status == 0 || ($status == 1 && $command == *doctor*) ]] || fail "'$shown' fails ($status): $(cat said)"
        [[ -s said || -s app.pb.gz ]] || fail "'$shown' says nothing"
    fi
    commands=$((commands + 1))
done < <(awk '/^```/ { inside = $0 == "```console"; next } inside' "$readme")
[[ $commands -ge 7 ]] || fail "only $commands commands were found"

shown=$(grep -o '`mbmalloc: double free: [^`]*`' "$readme" | tr -d '`')
[[ -n $shown ]] || fail "README has no message about a double free"
said=$(ulimit -c 0; APP_FREES_TWICE=1 LD_PRELOAD=$MBMALLOC_SO ./app 2>&1) && fail "a double free goes unseen"
grep -qx 'mbmalloc: double free: 0x[0-9a-f]* (free, a block of 64 bytes)' <<<"$said" || fail "said: $said"
same_line "$shown" "$(grep '^mbmalloc: double' <<<"$said")" || fail "README shows '$shown', the library says: $said"
echo "$commands commands of README run"
