# shellcheck shell=bash
# What: helper functions of the program tests. A test defines functions that do some work with a real program. mb_same
#   runs one of them twice in the same empty directory, without and with libmbmalloc.so preloaded, and requires the same
#   standard output, standard error, exit status and files. mb_served requires a line of statistics which shows that
#   mbmalloc served the program.
# Who: sourced by the scripts beside it. Needs MBMALLOC_SO, the path of libmbmalloc.so.
#   MB_PROGRAMS, if set, is a folder with programs for another C library or processor, to be used instead of the
#   machine's (stand_in.c). MB_TEST_LONG=1 makes the work larger, MB_TEST_KEEP=1 keeps the directory of the runs.
# Invariant: all files are in one temporary directory; no process outlives the test.

mb_fail() {
    printf 'FAIL: %s\n' "$*"
    exit 1
}

mb_skip() {
    printf 'SKIP: %s\n' "$*"
    exit 77
}

mb_say() { printf '%s\n' "$*"; }

# mb_need PROGRAM PACKAGE: the test is skipped when the program is not installed.
mb_need() {
    command -v "$1" >/dev/null 2>&1 || mb_skip "$1 is not installed (Debian package $2)"
}

# mb_scale SHORT LONG [EMULATED]: the amount of work for this run; less where programs are emulated (MB_EMULATOR).
mb_scale() {
    if [[ -n ${MB_EMULATOR:-} && $# == 3 ]]; then echo "$3" && return; fi
    if [[ ${MB_TEST_LONG:-0} == 1 ]]; then echo "$2"; else echo "$1"; fi
}

# Ends processes that a failed stage has left running (a server, for example).
mb_end_group() {
    [[ -z $mb_group ]] || kill -KILL -- "-$mb_group" 2>/dev/null || true
    mb_group=
}

mb_cleanup() {
    mb_end_group
    if [[ ${MB_TEST_KEEP:-0} == 1 ]]; then mb_say "kept: $mb_tmp"; else rm -rf -- "$mb_tmp"; fi
}

mb_begin() {
    [[ -n ${MBMALLOC_SO:-} ]] || mb_fail 'MBMALLOC_SO is not set'
    [[ -f $MBMALLOC_SO ]] || mb_fail "MBMALLOC_SO is no file: $MBMALLOC_SO"
    MBMALLOC_SO=$(realpath -- "$MBMALLOC_SO")
    mb_tmp=$(mktemp -d "${TMPDIR:-/tmp}/mb-programs.XXXXXX")
    trap mb_cleanup EXIT
    trap 'exit 130' INT TERM HUP
    ulimit -c 0
    mb_options=${MBMALLOC_OPTIONS:+,$MBMALLOC_OPTIONS} # of a test in another profile
    unset LD_PRELOAD MBMALLOC_OPTIONS MALLOC_ARENA_MAX GLIBC_TUNABLES
    export LC_ALL=C.UTF-8 TZ=UTC
    export HOME=$mb_tmp/home TMPDIR=$mb_tmp/tmp # the same paths in both runs
    export IN=$mb_tmp/in                        # what both runs read
    mkdir "$IN"
    mb_preload_by=LD_PRELOAD
    [[ -z ${MB_PROGRAMS:-} ]] || mb_preload_by=MB_PRELOAD PATH=$MB_PROGRAMS/bin:$PATH
    WORK=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/work" && pwd)
    export WORK
    mb_limit_s=${MB_TEST_STAGE_SECONDS:-$(mb_scale 400 800)}
    mb_stage=
    mb_group=
}

# Runs "$@" (a program or a function of the test) in a new directory; its output and files are then in $mb_tmp/<side>/.
# It runs in its own process group with a time limit, so that a hang ends with a message and leaves no process.
mb_run() {
    local side=$1 status=0
    shift
    rm -rf -- "${mb_tmp:?}/work" "${mb_tmp:?}/home" "${mb_tmp:?}/tmp" "${mb_tmp:?}/${side:?}"
    mkdir -- "$mb_tmp/work" "$mb_tmp/home" "$mb_tmp/tmp" "$mb_tmp/$side"
    local -a setting=(env)
    [[ $side == plain ]] || setting+=("$mb_preload_by=$MBMALLOC_SO" "MBMALLOC_OPTIONS=stats_file=$mb_tmp/stats$mb_options")
    (
        cd -- "$mb_tmp/work" || exit 1
        exec timeout -k 5 "$mb_limit_s" "${setting[@]}" \
            bash -euo pipefail -c "$(declare -f)"$'\n''"$@"' "$mb_stage" "$@"
    ) </dev/null >"$mb_tmp/$side/stdout" 2>"$mb_tmp/$side/stderr" &
    mb_group=$! # timeout makes itself the leader of a process group
    wait "$mb_group" || status=$?
    mb_end_group
    # A program of another processor may start programs of this machine, which cannot load the preloaded library.
    [[ -z ${MB_PROGRAMS:-} ]] || sed -i '/^ERROR: ld.so: object .* cannot be preloaded/d' "$mb_tmp/$side/stderr"
    mv "$mb_tmp/work" "$mb_tmp/$side/files"
    [[ $status -eq 0 ]] || mb_run_failed "$side" "$status"
}

mb_run_failed() {
    local side=$1 status=$2 why="exit status $2"
    [[ $status -ne 124 && $status -ne 137 ]] || why="exit status $2, killed or over the limit of $mb_limit_s s"
    mb_say "--- end of stdout"
    tail -n 5 "$mb_tmp/$side/stdout"
    mb_say "--- end of stderr"
    tail -n 25 "$mb_tmp/$side/stderr"
    mb_fail "$mb_stage: the $side run ended with $why"
}

# mb_same STAGE COMMAND...: the command without and with preload gives the same, byte for byte.
mb_same() {
    local t0 t1 t2
    mb_stage=$1
    shift
    rm -f "$mb_tmp/stats"
    t0=$(date +%s%N)
    mb_run plain "$@"
    t1=$(date +%s%N)
    mb_run preload "$@"
    t2=$(date +%s%N)
    mb_compare
    printf 'same  %-22s plain %5d ms  preload %5d ms  %s\n' "$mb_stage" $(((t1 - t0) / 1000000)) $(((t2 - t1) / 1000000)) \
        "$(find "$mb_tmp/plain" -type f -printf '%s\n' | awk '{ n += $1 } END { print n }') bytes compared"
}

mb_compare() {
    local plain=$mb_tmp/plain preload=$mb_tmp/preload
    # A stage with nothing to compare would always pass.
    [[ -s $plain/stdout || -n $(find "$plain/files" -type f -size +0 -print -quit) ]] ||
        mb_fail "$mb_stage: the plain run produced nothing to compare"
    if ! diff -r "$plain" "$preload" >"$mb_tmp/diff" 2>&1; then
        head -n 40 "$mb_tmp/diff" | cut -c 1-300
        mb_fail "$mb_stage: the runs without and with preload differ"
    fi
}

# mb_served NAME FLOOR: in the preloaded run of the last stage, a process whose program name matches the glob NAME has
# allocated FLOOR blocks or more. (A process that ends by _exit writes no statistics.)
mb_served() {
    local pattern=$1 floor=$2 best=-1 seen='' line name blocks
    [[ -s $mb_tmp/stats ]] || mb_fail "$mb_stage: no process wrote a statistics line"
    while read -r line; do
        [[ $line =~ ^mbmalloc-stats\ pid=[0-9]+\ blocks=([0-9]+)\ .*name=(.+)$ ]] ||
            mb_fail "$mb_stage: odd statistics line: $line"
        blocks=${BASH_REMATCH[1]} name=${BASH_REMATCH[2]##*/}
        # shellcheck disable=SC2053 # the right side is a pattern
        if [[ $name != $pattern ]]; then
            seen+=" $name"
        elif ((blocks > best)); then
            best=$blocks
        fi
    done <"$mb_tmp/stats"
    ((best >= 0)) || mb_fail "$mb_stage: no statistics line for $pattern, only for:$(mb_names "$seen")"
    ((best >= floor)) || mb_fail "$mb_stage: mbmalloc served $pattern $best blocks, expected $floor or more"
    printf '      served %-15s %d blocks (at least %d expected)\n' "$pattern" "$best" "$floor"
}

mb_names() {
    # shellcheck disable=SC2086 # one name a word
    printf '%s\n' $1 | sort | uniq -c | awk '{ printf " %s (%s)", $2, $1 }'
}

mb_begin
