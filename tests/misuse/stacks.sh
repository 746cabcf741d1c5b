#!/usr/bin/env bash
# The report of profile=debug about a fault, made readable by `mbmalloc symbols`: the functions that found the fault,
# allocated the block and freed it appear in the right places.
# usage: stacks.sh TOOL PROGRAM   (stacks.c)
set -uo pipefail
tool=$1 program=$2 so=${MBMALLOC_SO:?}
failed=0

if ! command -v addr2line >/dev/null; then
    echo "SKIP: no addr2line (binutils)"
    exit 77
fi
ulimit -c 0

report() { # OPTIONS BYTES FAULT
    env "LD_PRELOAD=$so" "MBMALLOC_OPTIONS=profile=debug$1" "$program" "$2" "$3" 2>&1 | "$tool" symbols
}

# Prints the function names in the part of a report that begins with the given words.
part() {
    awk -v from="$1" 'index($0, from) { on = 1; next } /^mbmalloc:   [a-z]|^mbmalloc: [a-z]/ { on = 0 } on' <<<"$out"
}

wrong() {
    printf '%s: %s:\n%s\n' "$case" "$1" "$(head -40 <<<"$out")"
    failed=1
}

has() { # PART FUNCTION
    grep -qw "$2" <<<"$(part "$1")" || wrong "'$1' does not name $2"
}

innermost() { # PART FUNCTION: it is the first that is not the library's
    local names
    names=$(part "$1")
    grep -qw "$2" <<<"${names%%$'\n'*}" || wrong "'$1' does not begin with $2"
}

says() {
    grep -q "$1" <<<"$out" || wrong "does not say '$1'"
}

for bytes in 50 20000 600000; do
    for fault in double remote-twice calloc-double realloc-double; do
        case="$bytes $fault" out=$(report "" "$bytes" "$fault")
        says '^mbmalloc: double free: 0x.* ms ago'
        innermost "found in thread" free_again_here
        has "found in thread" commit
        [[ $fault == remote* ]] && has "freed by thread" free_in_thread
        [[ $fault == calloc* ]] && innermost "allocated by thread" allocate_zeroed_here
        [[ $fault == realloc* ]] && innermost "allocated by thread" allocate_by_realloc_here
        [[ $fault == double || $fault == remote* ]] && innermost "allocated by thread" allocate_here
        innermost "freed by thread" free_here
    done
    for fault in overflow interior; do
        case="$bytes $fault" out=$(report "" "$bytes" "$fault")
        innermost "found in thread" free_again_here
        innermost "allocated by thread" allocate_here
        says "stacks.c:"
    done
    case="$bytes resize" out=$(report "" "$bytes" resize)
    innermost "found in thread" resize_here
    case="$bytes check" out=$(report ",on_error=log,check=never" "$bytes" check)
    has "found in thread" check_here
    innermost "allocated by thread" allocate_here
    says "^faults 2$"
    [[ $(grep -c 'heap overflow' <<<"$out") == 2 ]] || wrong "not both are told"
done
for bytes in 50 3000; do
    case="$bytes underflow" out=$(report "" "$bytes" underflow)
    innermost "allocated by thread" allocate_here
    case="$bytes reuse" out=$(report ",quarantine=0" "$bytes" reuse)
    says "^mbmalloc: write after free: "
    has "found in thread" reuse_here
    innermost "freed by thread" free_here
    case="$bytes exit" out=$(report "" "$bytes" exit)
    says "^mbmalloc: write after free: .* (exit, "
    innermost "allocated by thread" allocate_here
    innermost "freed by thread" free_here
    case="$bytes leak" out=$(report ",leaks=3" "$bytes" leak)
    says "^mbmalloc: live at exit: $((3 * bytes)) bytes in 3 blocks$"
    has "live at exit: $bytes bytes in 1 blocks" allocate_zeroed_here
done

# An access to a guard page is reported itself.
for bytes in 64 8192 70000; do
    case="$bytes guarded overflow" out=$(report ",guard=all" "$bytes" touch-behind)
    says "^mbmalloc: heap overflow (touched behind the block): .* bytes behind the block of $bytes bytes at "
    innermost "found in thread" read_here
    innermost "allocated by thread" allocate_here
    case="$bytes guarded use" out=$(report ",guard=all" "$bytes" touch-freed)
    says "^mbmalloc: use after free: .* freed [0-9]* ms ago"
    innermost "found in thread" read_here
    innermost "allocated by thread" allocate_here
    innermost "freed by thread" free_here
done

# The report has as many calls as the option says.
case="stacks=1" out=$(report ",stacks=1" 50 double)
innermost "allocated by thread" allocate_here
[[ $(part "allocated by thread" | grep -c '#') == 1 ]] || wrong "stacks=1 keeps more than one call"

# The other way to walk a stack, by frame pointers; this program has them.
case="frames" out=$(report ",stack_walk=frames" 50 double)
innermost "found in thread" free_again_here
innermost "allocated by thread" allocate_here
innermost "freed by thread" free_here

# A second run has the same addresses.
case=seed out=$(report ",seed=7" 50 double)
[[ $(report ",seed=7" 50 double | grep -o 'double free: 0x[0-9a-f]*') == "$(grep -o 'double free: 0x[0-9a-f]*' <<<"$out")" ]] ||
    wrong "seed=7 gives two addresses"
[[ $(report ",seed=8" 50 double | grep -o 'double free: 0x[0-9a-f]*') != "$(grep -o 'double free: 0x[0-9a-f]*' <<<"$out")" ]] ||
    wrong "seed=8 gives the address of seed=7"
exit $failed
