#!/usr/bin/env bash
# Installs the build given as $1 under a temporary prefix and uses it from there as a new user would: by find_package,
# by pkg-config and by plain cc, shared and static. Every program proves that its malloc is ours. Then the public
# headers: a program that uses the region family, as C and as C++, and each header by itself, with every warning on.
set -euo pipefail

build=$1
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$build" --prefix "$work/usr" >"$work/log" || { cat "$work/log"; exit 1; }
cp "$build/install_manifest.txt" "$work"
grep -q "loader does not look in $work/usr/lib" "$work/log" || { echo "the installation does not say that the loader looks elsewhere"; exit 1; }
while read -r page; do
    page=$(basename "$page" .scd)
    [[ -s $work/usr/share/man/man${page##*.}/$page ]] || { echo "the manual page $page is not installed"; exit 1; }
done < <(find "$MB_SOURCE_DIR/preload" -name '*.scd')
libdir=$(dirname "$(find "$work/usr" -name libmbmalloc.so)")

cat >"$work/use.c" <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Prints the file that malloc comes from.
int main(void) {
    Dl_info info;
    char *volatile p = malloc(100);
    if (p == NULL || dladdr((void *)malloc, &info) == 0) return 1;
    strcpy(p, info.dli_fname);
    puts(p);
    free(p);
    return 0;
}
C

# expect PROGRAM FILE: PROGRAM's malloc comes from FILE.
expect() {
    local from
    from=$("$1")
    [[ $(basename "$from") == "$2" ]] || { echo "$1: malloc comes from $from, not from $2"; exit 1; }
}

mkdir "$work/project"
cat >"$work/project/CMakeLists.txt" <<'C'
cmake_minimum_required(VERSION 3.22)
project(use C)
# Requests for another major version or for a newer version fail.
foreach(version 2.0 0.9 1.999)
    find_package(mbmalloc ${version} QUIET)
    if(mbmalloc_FOUND)
        message(FATAL_ERROR "mbmalloc ${mbmalloc_VERSION} was found where ${version} was asked for")
    endif()
endforeach()
find_package(mbmalloc 1.0 REQUIRED)
add_executable(shared ../use.c)
target_link_libraries(shared PRIVATE mbmalloc::mbmalloc ${CMAKE_DL_LIBS})
add_executable(static ../use.c)
target_link_libraries(static PRIVATE mbmalloc::mbmalloc_static ${CMAKE_DL_LIBS})
add_executable(regions_shared ../use_regions.c)
target_link_libraries(regions_shared PRIVATE mbmalloc::mbmalloc ${CMAKE_DL_LIBS})
add_executable(regions_static ../use_regions.c)
target_link_libraries(regions_static PRIVATE mbmalloc::mbmalloc_static ${CMAKE_DL_LIBS})
set_source_files_properties(../use_regions.c PROPERTIES COMPILE_DEFINITIONS _GNU_SOURCE)
C
cp "$here/use_regions.c" "$work"
{
    cmake -G Ninja -S "$work/project" -B "$work/project/build" -DCMAKE_PREFIX_PATH="$work/usr" -DCMAKE_C_COMPILER="$CC"
    cmake --build "$work/project/build"
} >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
expect "$work/project/build/shared" libmbmalloc.so.1
expect "$work/project/build/static" static
expect "$work/project/build/regions_shared" libmbmalloc.so.1
expect "$work/project/build/regions_static" regions_static

export PKG_CONFIG_PATH=$libdir/pkgconfig
read -ra flags <<<"$(pkg-config --cflags --libs mbmalloc)"
"$CC" -o "$work/by_pkg_config" "$work/use.c" "${flags[@]}" -Wl,-rpath,"$libdir"
expect "$work/by_pkg_config" libmbmalloc.so.1

"$CC" -o "$work/by_cc" "$work/use.c" "$libdir/libmbmalloc.a"
expect "$work/by_cc" by_cc

strict=(-Wall -Wextra -Wpedantic -Wconversion -Wundef -Wshadow -Werror)
as_c=("$CC" -std=c11 "${strict[@]}")
as_cxx=("$CXX" -std=c++11 -x c++ "${strict[@]}")
use=$work/use_regions.c
"${as_c[@]}" -D_GNU_SOURCE "$use" "${flags[@]}" -o "$work/c_shared" -Wl,-rpath,"$libdir"
expect "$work/c_shared" libmbmalloc.so.1
"${as_c[@]}" -D_GNU_SOURCE -fno-pie -no-pie "$use" "${flags[@]}" -o "$work/c_no_pie" -Wl,-rpath,"$libdir"
"$work/c_no_pie" >/dev/null
"${as_c[@]}" -D_GNU_SOURCE -I"$work/usr/include" "$use" -o "$work/c_static" "$libdir/libmbmalloc.a"
expect "$work/c_static" c_static
"${as_cxx[@]}" "$use" -x none "${flags[@]}" -o "$work/cxx_shared" -Wl,-rpath,"$libdir"
expect "$work/cxx_shared" libmbmalloc.so.1
"${as_cxx[@]}" -I"$work/usr/include" "$use" -x none "$libdir/libmbmalloc.a" -o "$work/cxx_static"
expect "$work/cxx_static" cxx_static

# Functions that inline functions of public headers call must be exported: a program with all inline functions links.
include=$work/usr/include
listed=$(sed -n 's/^#include <\(mbmalloc[^>]*\)>.*/\1/p' "$include/mbmalloc/regions.h")
# shellcheck disable=SC2086 # a list of names, one a word
inlines=$(cd "$include" && sed -n 's/^MB_INLINE [^(]*\b\(mb_[a-z0-9_]*\)(.*/\1/p' $listed)
{
    printf '#include <mbmalloc.h>\nvoid (*const all[])(void) = {\n'
    # shellcheck disable=SC2086
    printf '    (void (*)(void))%s,\n' $inlines
    printf '};\nint main(void) { return 0; }\n'
} >"$work/inlines.c"
"$CC" "$work/inlines.c" "${flags[@]}" -o "$work/inlines" -Wl,-rpath,"$libdir"

headers=0
while read -r header; do
    printf '#include <%s>\nint main(void) { return 0; }\n' "$header" >"$work/alone.c"
    "${as_c[@]}" -fsyntax-only -I"$work/usr/include" "$work/alone.c"
    "${as_cxx[@]}" -fsyntax-only -I"$work/usr/include" "$work/alone.c"
    headers=$((headers + 1))
done < <(cd "$work/usr/include" && find . -name '*.h' -printf '%P\n')
(cd "$work" && cmake -P "$MB_SOURCE_DIR/preload/uninstall.cmake") >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
left=$(find "$work/usr" ! -type d -o -path '*mbmalloc*')
[[ -z $left ]] || { echo "left by the uninstallation: $left"; exit 1; }
echo "four ways of linking work; the region family from C and C++; $headers headers stand by themselves; nothing is left by the uninstallation"
