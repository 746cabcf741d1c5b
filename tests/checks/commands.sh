#!/usr/bin/env bash
# Wrong use of scripts/run, scripts/test, scripts/bench, scripts/soak and the other scripts: each mistake gives one line
# on stderr and exit status 2, before anything is installed or built. A second scripts/run repeats no work. Runs in a
# copy of the tree with the library of this build, where cmake is replaced by a program that only records its calls.
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

# expect STATUS TEXT COMMAND...: the command ends with this status and writes to stderr one line with TEXT in it, or
# nothing if TEXT is empty.
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
for command in run test bench soak; do
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
expect 2 'is damaged' python3 bench/driver --report "$work"
expect 2 'cannot be read' scripts/bench other=/no/such.so
expect 2 'is no library' scripts/bench other=CMakeLists.txt
expect 2 'NAME=PATH' scripts/bench other
expect 2 'is none of' scripts/bench --allocators mbmalloc,nobody
expect 2 'unrecognized' scripts/bench --bad
for value in 0 -1 many; do
    expect 2 rounds scripts/bench --rounds "$value"
    expect 2 scale scripts/bench --scale "$value"
done
expect 2 'two libraries' scripts/bench "x=$MBMALLOC_SO" "x=$MBMALLOC_SO"
expect 2 'no name of a folder' scripts/bench --name ../x
expect 2 'goes first' scripts/bench --quick --musl
expect 2 'number of rounds' scripts/bench --musl many
expect 2 'no regular expression' scripts/bench --musl 1 '['
expect 2 'no test matches' scripts/bench --musl 1 nosuch
expect 2 'not '"'b'" scripts/bench --musl 1 a b

# --- scripts/test (ctest ignores options that it does not know, and would run all tests) ------------------------------
for option in -x --bad '-j x' '--target=musl' '--all --bad' '--coverage --bad' '--target musl --bad' '--programs --bad'; do
    # shellcheck disable=SC2086 # several words
    expect 2 scripts/test scripts/test $option
done
expect 2 'needs a regular expression' scripts/test -R
expect 2 'no regular expression' scripts/test -R '('
expect 2 'no regular expression' scripts/test --target aarch64 '['
expect 2 'no option' scripts/test test_margin
expect 2 'musl or aarch64' scripts/test --target
expect 2 'musl or aarch64' scripts/test --target arm64
expect 2 'takes 4, 16 or 64' scripts/test --target aarch64 --pages 8
expect 2 '--pages goes with' scripts/test --pages 16
expect 2 'needs a number' scripts/test --timeout soon
expect 2 'no such program' scripts/test --programs nosuch
expect 2 'no such program' scripts/test --target aarch64 --programs nosuch
expect 2 'not for musl' scripts/test --target musl --programs
expect 2 'exclude each other' scripts/test --coverage --newcomer
expect 2 'no option' scripts/test --newcomer twice
expect 2 'chooses nothing' scripts/test --newcomer -R margin

# --- scripts/soak -----------------------------------------------------------------------------------------------------
for minutes in many 0 1.5 08 99999999999999999999 ''; do
    expect 2 'number of minutes' scripts/soak "$minutes"
done
expect 2 'no such option' scripts/soak --bad
for profile in nosuch '' --bad nosuch,guard_rate=5; do
    expect 2 'no such profile' scripts/soak 1 balanced "$profile"
done

# --- the others -------------------------------------------------------------------------------------------------------
for script in check-abi check-documents check-exports check-format check-hotpath check-includes check-tidy coverage-report debian fuzz \
    misuse-matrix options-manual; do
    expect 2 "scripts/$script" "scripts/$script" --bad
done
expect 2 'which packages' scripts/debian arm64 --apart
expect 2 'no such run' scripts/fuzz 1 nosuch
expect 2 'no sources' scripts/check-includes "$work"
expect 2 'no tree' scripts/check-documents "$work"
[[ $(calls) == "$before" ]] || fail "a script builds before it has checked its options"
echo "faults are one line each, and nothing is done twice"
