#!/usr/bin/env bash
# Data that is written at the start is read-only afterwards (core/base/sealed.h): a write to any variable marked
# MB_SEALED causes a memory fault, in every profile, also after the library itself has had to write such data later, in
# forked children, and in programs that allocate before our constructors run.
# usage: sealed.sh PROBE CXX_PROBE STATIC_PROBE   (sealed_probe.c; linked with a C++ library; linked with libmbmalloc.a)
# shellcheck source-path=SCRIPTDIR source=served.sh
. "$(dirname "${BASH_SOURCE[0]}")/served.sh"

# NAME OFFSET of what lies in the section.
listed() { objdump -t "$1" | awk 'NF >= 6 && $4 == "mb_sealed" && $3 == "O" { print $NF, $1 }'; }

# check WHAT SYMBOLS OUTPUT: the probe's output says that it has tried each of the symbols.
check() {
    local symbols=$2 wanted
    wanted=$(wc -l <<<"$symbols")
    [[ $3 == "$wanted tried" ]] || fail "$1: $3, of $wanted"
}

command -v objdump >/dev/null || { echo "SKIP: needs objdump"; exit 77; }
[[ $(getconf PAGESIZE) -le 4096 ]] || { echo "SKIP: large pages"; exit 77; }
symbols=$(listed "${MBMALLOC_SO:?}")
for name in mb_init_shared mb_option mb_os_hook mb_foreign_sealed libc call_shared exit_key_shared fault_shared page_state_shared earlier_copy mb_hard_classes; do
    grep -q "^$name[. ]" <<<"$symbols" || fail "$name is not among the sealed variables: $symbols"
done

for options in '' guard_rate=1 profile=hardened profile=debug skip=sealed_probe; do
    for when in now child; do
        said=$(timeout 100 env "LD_PRELOAD=$MBMALLOC_SO" "MBMALLOC_OPTIONS=$options" "$1" $when <<<"$symbols")
        check "'$options' $when" "$symbols" "$said"
    done
done
check "C++" "$symbols" "$(timeout 100 env "LD_PRELOAD=$MBMALLOC_SO" "$2" now <<<"$symbols")"
static_symbols=$(listed "$3")
check "static" "$static_symbols" "$(timeout 100 "$3" now <<<"$static_symbols")"
echo "$(wc -l <<<"$symbols") variables are sealed"
