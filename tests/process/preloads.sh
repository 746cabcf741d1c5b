#!/usr/bin/env bash
# Other preloaded libraries, before ours and after it: allocators, the C library's own debugger and profiler of malloc,
# wrappers of many functions. The first allocator serves, and the program runs. Libraries that are not installed are
# named and skipped. usage: preloads.sh SOURCES_DIR
# shellcheck source-path=SCRIPTDIR source=served.sh
. "$(dirname "${BASH_SOURCE[0]}")/served.sh"

sources=$1 so=${MBMALLOC_SO:?}
command -v "$CC" >/dev/null || { echo "not here: $CC"; exit 77; }
"$CC" -pthread -w -o "$work/program" "$sources/tool_threads.c"
program=$work/program
folders=(/usr/lib/"$("$CC" -print-multiarch)" /usr/lib64 /usr/lib /lib64 /lib)

path_of() { # NAME: the first of its versions
    find "${folders[@]}" -maxdepth 2 -name "$1*" 2>/dev/null | head -n 1
}

beside() { # ALLOCATES PATH: `yes` if it serves malloc itself where it comes first
    served 1000 env "LD_PRELOAD=$so:$2" "$program" >/dev/null 2>"$work/err" || fail "$2 behind: $(tail -n 3 "$work/err")"
    if [ "$1" = no ]; then
        served 1000 env "LD_PRELOAD=$2:$so" "$program" >/dev/null 2>"$work/err" || fail "$2 before: $(tail -n 3 "$work/err")"
    else
        env "LD_PRELOAD=$2:$so" "$program" >"$work/out" 2>&1 || fail "status $?: $(tail -n 3 "$work/out")"
        grep -qx ran "$work/out" || fail "$2 first: $(tail -n 3 "$work/out")"
    fi
    echo "beside $2"
}

while read -r allocates name; do
    path=$(path_of "$name")
    if [ -z "$path" ]; then
        echo "not here: $name"
    elif ! LD_PRELOAD=$path "$program" >"$work/alone" 2>&1; then
        echo "does not work alone: $path"
    else
        beside "$allocates" "$path"
    fi
done <<'LIST'
yes libjemalloc.so.
yes libtcmalloc_minimal.so.
yes libmimalloc.so.
yes libmemusage.so
yes libc_malloc_debug.so.0
no libnss_wrapper.so
no libsocket_wrapper.so
no libuid_wrapper.so
no libeatmydata.so
no libfakeroot-sysv.so
no libfaketimeMT.so.1
LIST
echo "well beside others"
