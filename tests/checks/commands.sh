#!/usr/bin/env bash
# Wrong use of scripts/run, scripts/test and scripts/bench: each mistake gives one line and an exit status, before
# anything is installed or built; and a second scripts/run repeats no work. Runs in a copy of the tree with the library
# of this build, where cmake is replaced by a program that only records that it was called.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { printf '%s\n' "$1"; exit 1; }
copy() { mkdir -p "$1" && tar -C "$MB_SOURCE_DIR" --exclude=./.git --exclude='./build*' --exclude=./bench/results -c . | tar -C "$1" -x; }

tree=$work/tree
copy "$tree"
mkdir -p "$work/bin" "$tree/build/release"
printf '#!/bin/sh\necho called >>"%s"\nexit 1\n' "$work/cmake-log" >"$work/bin/cmake"
chmod +x "$work/bin/cmake"
export PATH=$work/bin:$PATH
unset LD_PRELOAD MBMALLOC_OPTIONS

# expect STATUS TEXT COMMAND...: it ends with this status and says one line with TEXT in it on stderr, or nothing where
# TEXT is empty.
expect() {
    local status=$1 text=$2 got=0 said
    shift 2
    said=$("$@" 2>&1 >"$work/out" </dev/null) || got=$?
    [[ $got == "$status" ]] || fail "$*: exit status $got, not $status: $said"
    [[ $said == *"$text"* && $said != *$'\n'* ]] || fail "$*: one line with '$text' expected, said: $said"
    [[ -n $text || -z $said ]] || fail "$*: says $said"
}
calls() { wc -l <"$work/cmake-log"; }
: >"$work/cmake-log"

cd "$tree"
for command in run test bench; do
    expect 0 '' "scripts/$command" --help
    grep -q "^  scripts/$command " "$work/out" || fail "scripts/$command --help does not show how it is called"
done

for script in scripts/*; do
    [[ -f $script && -x $script ]] || continue
    expect 0 '' "$script" --help
    grep -q . "$work/out" || fail "$script --help says nothing"
done

# --- packages: where one is installed, what shows that it is there is there -------------------------------------------
if command -v dpkg-query >/dev/null; then
    for list in scripts/packages bench/packages; do
        while read -r package _ probe why; do
            [[ -n $package && $package != \#* ]] || continue
            [[ -n $why ]] || fail "$list: $package has no reason"
            [[ $(dpkg-query -W -f='${Status}' "$package" 2>/dev/null) == 'install ok installed' ]] || continue
            case $probe in
            /*) compgen -G "$probe" >/dev/null || fail "$list: $package is installed, but there is no $probe" ;;
            *) command -v "$probe" >/dev/null || fail "$list: $package is installed, but there is no $probe" ;;
            esac
        done <$list
    done
fi

# --- scripts/run ------------------------------------------------------------------------------------------------------
cp "$MBMALLOC_SO" build/release/libmbmalloc.so
echo "CMAKE_HOME_DIRECTORY:INTERNAL=$tree" >build/release/CMakeCache.txt # else the folder is made anew
sleep 0.05 # the clock of files is no finer than some milliseconds
: >build/release/.built
expect 0 '' scripts/run true
expect 3 '' scripts/run sh -c 'exit 3'
expect 0 '' scripts/run env
grep -qxF "LD_PRELOAD=$tree/build/release/libmbmalloc.so" "$work/out" || fail "scripts/run preloads nothing"
(cd scripts && expect 0 '' bash run true)
ln -s "$tree/scripts/run" "$work/bin/mbrun"
(cd / && expect 0 '' mbrun true)
expect 127 'no such program: mb-no-such' scripts/run mb-no-such
expect 2 'scripts/run PROGRAM' scripts/run
expect 2 'no such option' scripts/run --bad true
[[ $(calls) == 0 ]] || fail "scripts/run calls cmake where nothing has changed"
sleep 0.05
touch core/base/version.h
expect 1 'the build failed' scripts/run true
[[ $(calls) == 1 ]] || fail "scripts/run does not see that a header is newer"
: >build/release/.built
expect 0 '' scripts/run true
sleep 0.05
touch -d '2001-01-01' core/base/version.h # an older version of the file that was copied over it
expect 1 'the build failed' scripts/run true
: >build/release/.built
sleep 0.05
rm core/base/version.h
expect 1 'the build failed' scripts/run true

# --- a path that the loader cannot name -------------------------------------------------------------------------------
# shellcheck disable=SC2016 # a dollar in a name
for name in 'a b' 'a:b' "it's" 'a$b'; do
    copy "$work/odd/$name"
    [[ $name != *[\ :]* ]] || expect 1 'the path may have no space' "$work/odd/$name/scripts/run" true
    expect 1 'the path may have no space' "$work/odd/$name/scripts/test"
    expect 1 'the path may have no space' "$work/odd/$name/scripts/bench"
    [[ ! -e $work/odd/$name/build ]] || fail "something was built in '$name'"
done

# --- scripts/bench ----------------------------------------------------------------------------------------------------
before=$(calls)
expect 2 'no regular expression' scripts/bench --only '['
expect 2 'no run in' scripts/bench --report "$work"
: >"$work/raw.jsonl"
expect 1 'is damaged' python3 bench/driver --report "$work"
expect 2 'cannot be read' scripts/bench other=/no/such.so
expect 2 'is no library' scripts/bench other=CMakeLists.txt
expect 2 'NAME=PATH' scripts/bench other
expect 2 'is none of' scripts/bench --allocators mbmalloc,nobody
expect 2 'unrecognized' scripts/bench --bad
for value in 0 -1 many; do
    expect 2 rounds scripts/bench --rounds "$value"
    expect 2 scale scripts/bench --scale "$value"
done
[[ $(calls) == "$before" ]] || fail "scripts/bench builds before it has looked at its options"
echo "faults are one line each, and nothing is done twice"
