#!/usr/bin/env bash
# Heap profiles of programs as a user makes them: at exit, of a running process, of forked children, with closed
# descriptors; read by mbmalloc top and, where they are installed, by pprof and protoc.
# usage: heap_profile.sh TOOL PROBE [KNOWN]   (heap_profile_probe.c, profile_known.cpp)
# shellcheck source-path=SCRIPTDIR source=served.sh
. "$(dirname "${BASH_SOURCE[0]}")/served.sh"

tool=$1 probe=$2 known=${3-}
export MBMALLOC_LIBRARY=${MBMALLOC_SO:?} PPROF_TMPDIR=$work HOME=$work
unset LD_PRELOAD MBMALLOC_OPTIONS
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null || true; rm -rf "$work"' EXIT

near() { # WHAT IS SHOULD: within 5 %
    awk -v is="$2" -v should="$3" 'BEGIN {exit !(is >= should * 0.95 && is <= should * 1.05)}' || fail "$1: $2 instead of $3"
}
value_of() { # FILE VALUE FUNCTION: what stacks with the function have
    "$tool" top "$1" --folded --value "$2" | awk -v name="$3" '{n = $NF; sub(/ [^ ]*$/, ""); if (index(";" $0 ";", ";" name ";") || index(";" $0 ";", ";" name "();")) sum += n} END {print sum + 0}'
}
sampled() { # FILE OPTION... -- MODE: at 4 KiB
    local file=$1 mode=${!#}
    MBMALLOC_OPTIONS="heap_profile=4K,heap_profile_file=$file,seed=3" LD_PRELOAD=$MBMALLOC_LIBRARY "$probe" "$mode"
}
expect_held() { # FILE
    near "small_blocks" "$(value_of "$1" inuse_space small_blocks)" 40000000
    near "long_blocks" "$(value_of "$1" inuse_space long_blocks)" 20000000
    near "large_blocks" "$(value_of "$1" inuse_space large_blocks)" 40000000
    near "objects" "$(value_of "$1" inuse_objects small_blocks)" 400000
    near "in_turn" "$(value_of "$1" alloc_space in_turn)" 100000000
    [[ $(value_of "$1" inuse_space in_turn) -lt 100000 ]] || fail "in_turn holds $(value_of "$1" inuse_space in_turn)"
    near "the peak" "$(value_of "$1" peak_space hold)" 100000000
}

# --- at exit ----------------------------------------------------------------------------------------------------------

sampled "$work/exit.pb.gz" exit
gzip -t "$work/exit.pb.gz" || fail "no gzip file"
[[ $(stat -c %a "$work/exit.pb.gz") == 600 ]] || fail "the file can be read by others"
expect_held "$work/exit.pb.gz"
top=$("$tool" top "$work/exit.pb.gz" -n 2)
[[ $top == *"inuse_space: "*"lost_samples=0"* && $top == *" small_blocks"* ]] || fail "top: $top"

sampled "$work/closed.pb.gz" closed
expect_held "$work/closed.pb.gz"

sampled "$work/fork.%p.pb.gz" fork
files=("$work"/fork.*.pb.gz)
[[ ${#files[@]} == 2 ]] || fail "profiles: ${files[*]}"
parent=${files[0]} child=${files[1]}
[[ $(value_of "$parent" inuse_space small_blocks) != 0 ]] || parent=${files[1]} child=${files[0]}
expect_held "$parent"
[[ $(value_of "$child" inuse_space small_blocks) == 0 ]] || fail "the child has freed them"
# In musl finding an object needs the loader's lock, so that a forked child has no call stacks.
childs_stacks=1
[[ ${CC-} != *musl* ]] || childs_stacks=0
[[ $childs_stacks == 0 ]] || near "long_blocks of the child" "$(value_of "$child" inuse_space long_blocks)" 20000000

# --- realloc, aligned blocks, large ones that grow, frees by another thread, C++ --------------------------------------

sampled "$work/resized.pb.gz" resized
near "moved_blocks" "$(value_of "$work/resized.pb.gz" inuse_space moved_blocks)" 40000000
near "objects of moved_blocks" "$(value_of "$work/resized.pb.gz" inuse_objects moved_blocks)" 200000
near "what moved_blocks has taken" "$(value_of "$work/resized.pb.gz" alloc_space moved_blocks)" 48000000
near "growing_blocks" "$(value_of "$work/resized.pb.gz" inuse_space growing_blocks)" 120000000
near "what growing_blocks has taken" "$(value_of "$work/resized.pb.gz" alloc_space growing_blocks)" 180000000
near "aligned_blocks" "$(value_of "$work/resized.pb.gz" inuse_space aligned_blocks)" 20480000
near "others_blocks" "$(value_of "$work/resized.pb.gz" inuse_space others_blocks)" 10000000
near "what others_blocks has taken" "$(value_of "$work/resized.pb.gz" alloc_space others_blocks)" 20000000
if [ -n "$known" ]; then
    MBMALLOC_OPTIONS="heap_profile=4K,heap_profile_file=$work/known.%p.pb.gz,seed=3" LD_PRELOAD=$MBMALLOC_LIBRARY "$known"
    known=$(echo "$work"/known.*)
    for held in objects=25000000 aligned=20480000 shared=25600000; do near "${held%=*}" "$(value_of "$known" peak_space "${held%=*}")" "${held#*=}"; done
    near "grows" "$(value_of "$known" alloc_space grows)" 67108856
    near "deleted" "$(value_of "$known" alloc_space deleted)" 16200000
    [[ $(value_of "$known" inuse_space deleted) -lt 3000000 ]] || fail "deleted() holds $(value_of "$known" inuse_space deleted)"
fi

# --- run, and the usual rate ------------------------------------------------------------------------------------------

(cd "$work" && "$tool" run --heap-profile -- "$probe" exit)
files=("$work"/heap.*.pb.gz)
[[ ${#files[@]} == 1 && $(value_of "${files[0]}" inuse_space main) -gt 50000000 ]] || fail "run --heap-profile: ${files[*]}"
"$tool" run --heap-profile="$work/named.pb.gz" -- "$probe" exit
[[ -s $work/named.pb.gz ]] || fail "run --heap-profile=FILE"

# --- what goes wrong is said ------------------------------------------------------------------------------------------

says() { # TEXT COMMAND...
    local text=$1 out
    shift
    out=$("$@" 2>&1 >/dev/null) || true
    [[ $out == *"$text"* ]] || fail "'$*' said: $out"
}
says "heap_profile_file: cannot write /no/such/folder/f errno=2" sampled /no/such/folder/f exit
says "errno=28" sampled /dev/full exit
says "not in the hardened profile" env MBMALLOC_OPTIONS=heap_profile=4K,profile=hardened LD_PRELOAD="$MBMALLOC_LIBRARY" "$probe" exit
says "lost=" env MBMALLOC_OPTIONS="heap_profile=64,heap_profile_file=$work/lost" LD_PRELOAD="$MBMALLOC_LIBRARY" "$probe" exit
[[ $("$tool" top "$work/lost" -n 1) != *"lost_samples=0 "* ]] || fail "the profile does not say what it lost"
says "is no profile" "$tool" top <(gzip -c "$0") 
says "there is no value 'x' in it; there are alloc_objects" "$tool" top "$work/exit.pb.gz" --value x
head -c 500 "$work/exit.pb.gz" >"$work/short.pb.gz"
says "gzip cannot unpack it" "$tool" top "$work/short.pb.gz"

# --- a running process ------------------------------------------------------------------------------------------------

coproc PROBE { exec "$tool" run --monitor -- "$probe" live; }
read -r pid <&"${PROBE[0]}"
for seconds in 0.5 3 20 60; do # on a busy machine the program may not run in the shortest
    [[ $("$tool" prof "$pid" --seconds $seconds --period 4096 -o "$work/live.pb.gz") == "$work/live.pb.gz" ]] || fail "prof"
    grown=$(value_of "$work/live.pb.gz" growth_space leaks) rest=$(value_of "$work/live.pb.gz" growth_space in_turn)
    [[ $grown -le 50000 ]] || break
done
[[ $grown -gt 50000 && $rest -lt $((grown / 5 + 20000)) ]] || fail "leaks grew by $grown, in_turn by $rest"
[[ $(value_of "$work/live.pb.gz" alloc_space in_turn) -gt $grown ]] || fail "in_turn allocates most"
for seconds in 1 5 30 60; do
    "$tool" prof "$pid" --seconds $seconds --period 4096 -o "$work/again.pb.gz" >/dev/null || fail "a second time"
    [[ $(value_of "$work/again.pb.gz" growth_space leaks) -le 10000 ]] || break
done
[[ $(value_of "$work/again.pb.gz" growth_space leaks) -gt 10000 ]] || fail "the second profile has no growth"
[[ -z $(ls /dev/shm/mbmalloc-*"$pid"*.pb.gz /run/user/*/mbmalloc-"$pid"*.pb.gz 2>/dev/null) ]] || fail "a file was left"
kill "$pid"
pid=
says "there is no process" "$tool" prof 999999999

# --- 64 threads, forks, every block sampled ---------------------------------------------------------------------------

for rate in 1 700 64K; do
    MBMALLOC_OPTIONS="heap_profile=$rate,heap_profile_file=$work/storm.%p" LD_PRELOAD=$MBMALLOC_LIBRARY "$probe" storm 2>/dev/null || fail "storm at $rate: $?"
    for file in "$work"/storm.*; do gzip -t "$file" || fail "storm at $rate: $file"; done
    rm "$work"/storm.*
done

# --- flame graphs and differences -------------------------------------------------------------------------------------

[[ $("$tool" flame "$work/exit.pb.gz") == "$work/exit.svg" ]] || fail "flame"
[[ $("$tool" flame "$work/exit.pb.gz" --value alloc_objects -o "$work/objects.svg") == "$work/objects.svg" ]] || fail "flame --value -o"
grep -q '<title>small_blocks: ' "$work/objects.svg" || fail "a flame graph of objects without small_blocks"
grep -q '<title>small_blocks: 3[0-9.]* MiB, [34][0-9.]* %</title>' "$work/exit.svg" || fail "flame: $(grep -o '<title>small[^<]*' "$work/exit.svg")"
[[ $(grep -c '^<g>' "$work/exit.svg") -ge 7 ]] || fail "flame has $(grep -c '^<g>' "$work/exit.svg") boxes"
if command -v xmllint >/dev/null; then xmllint --noout "$work/exit.svg" || fail "the picture is no XML"; fi
[[ $childs_stacks == 0 || $("$tool" diff "$work/exit.pb.gz" "$child" -n 1) == *" -38"*" MiB "*" small_blocks" ]] || fail "diff: $("$tool" diff "$work/exit.pb.gz" "$child")"
[[ $childs_stacks == 0 || $("$tool" diff "$work/exit.pb.gz" "$child" --value inuse_objects -n 1) == *" small_blocks" ]] || fail "diff --value"
[[ $("$tool" diff "$work/exit.pb.gz" "$work/exit.pb.gz" | wc -l) == 2 ]] || fail "diff of a profile with itself"

# --- other readers ----------------------------------------------------------------------------------------------------

if command -v go >/dev/null; then
    pprof=$(go tool pprof -top -unit=B -sample_index=inuse_space "$probe" "$work/exit.pb.gz" 2>/dev/null) || fail "pprof: $pprof"
    near "pprof's small_blocks" "$(awk '$NF == "small_blocks" {print $1 + 0}' <<<"$pprof")" 40000000
    [[ $pprof == *"Build ID: "[0-9a-f]* ]] || fail "pprof sees no build-id: $pprof"
    if command -v dot >/dev/null; then
        go tool pprof -svg -output="$work/graph.svg" "$probe" "$work/exit.pb.gz" 2>/dev/null && grep -q small_blocks "$work/graph.svg" || fail "pprof -svg"
    fi
else
    echo "SKIP: no go tool pprof here"
fi
if command -v protoc >/dev/null; then
    gzip -dc "$work/exit.pb.gz" | protoc --decode_raw >"$work/raw" || fail "protoc cannot decode it"
    [[ $(grep -c '^1 {' "$work/raw") == 8 && $(grep -c '^2 {' "$work/raw") -ge 4 ]] || fail "protoc: $(head "$work/raw")"
else
    echo "SKIP: no protoc here"
fi
echo "right"
