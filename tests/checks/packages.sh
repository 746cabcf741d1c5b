#!/usr/bin/env bash
# Makes the packages of the build given as $1 (.tar.gz and .deb), installs each in a place of its own, uses it from
# there and removes it: nothing may be left. Then what the .deb says of itself: the C library it needs is no newer than
# the symbols that it takes.
set -euo pipefail

build=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "$1"; exit 1; }
version=$(sed -n 's/.*define MBMALLOC_VERSION "\(.*\)"/\1/p' "$MB_SOURCE_DIR/core/base/version.h")
soname=libmbmalloc.so.${version%%.*}

(cd "$work" && cpack --config "$build/CPackConfig.cmake" -B "$work") >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }

printf '#include <mbmalloc.h>\n#include <stdio.h>\nint main(void) { return puts(mb_version_string()) < 0; }\n' >"$work/use.c"

# use PREFIX: links a program with the installed library and runs it, and preloads the library into another program.
use() {
    local lib=$1/lib
    [[ -e $1/share/man/man3/mbmalloc.3 ]] || fail "$1 has no manual page"
    PKG_CONFIG_PATH=$lib/pkgconfig pkg-config --exact-version="$version" mbmalloc || fail "pkg-config does not say $version"
    # shellcheck disable=SC2046 # words
    "$CC" "$work/use.c" -o "$work/use" $(PKG_CONFIG_PATH=$lib/pkgconfig pkg-config --cflags --libs mbmalloc)
    [[ $(LD_LIBRARY_PATH=$lib "$work/use") == "$version" ]] || fail "a program linked with $lib does not say $version"
    LD_PRELOAD=$lib/$soname MBMALLOC_OPTIONS=stats_file=$work/stats ls / >/dev/null
    grep -q '^mbmalloc-stats' "$work/stats" || fail "$lib/$soname does not serve"
    rm "$work/stats"
}

mkdir "$work/tar"
tar -xzf "$work/mbmalloc-$version-"*.tar.gz -C "$work/tar" --strip-components=1
use "$work/tar"
rm -r "$work/tar"

deb=$(echo "$work/mbmalloc_${version/-/\~}"_*.deb)
[[ -e $deb ]] || fail "no .deb of version ${version/-/\~}"
needed=$(dpkg-deb -f "$deb" Depends | sed -n 's/.*libc6 (>= \([0-9.]*\)).*/\1/p')
taken=$(dpkg-deb --fsys-tarfile "$deb" | tar -xO "./usr/lib/libmbmalloc.so.${version%%-*}" | strings -a | sed -n 's/^GLIBC_\([0-9.]*\)$/\1/p' | sort -V | tail -1)
[[ $(printf '%s\n' "$taken" "$needed" | sort -V | tail -1) == "$needed" ]] || fail "takes symbols of GLIBC_$taken, but depends on libc6 $needed"

# An empty root directory: its dpkg knows no other package and cannot run scripts.
root=$work/root
mkdir -p "$root/var/lib/dpkg/"{info,updates,triggers} "$root/var/log"
touch "$root/var/lib/dpkg/"{status,available}
in_root() {
    local words=()
    [[ $(id -u) == 0 ]] || words=(unshare --map-root-user)
    PATH=$PATH:/usr/sbin:/sbin "${words[@]}" dpkg --root="$root" --log=/dev/null --force-depends "$@" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
}
if [[ $(id -u) != 0 ]] && ! unshare --map-root-user true 2>/dev/null; then
    echo "SKIP: the .tar.gz works; dpkg needs root or a user namespace to install the .deb"
    exit 77
fi
in_root --install "$deb"
use "$root/usr"
in_root --purge mbmalloc
left=$(find "$root" -name '*mbmalloc*')
[[ -z $left ]] || fail "left by the .deb: $left"
echo "the packages of $version install, serve and go"
