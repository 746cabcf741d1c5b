#!/usr/bin/env bash
# What: programs.sh FOLDER NAMES...: builds programs that people run from Debian's sources with musl-gcc, once, into
# FOLDER/bin (stand-ins, see tests/programs/stand_in.c) and FOLDER/real. Names: lua sqlite3 zstd redis busybox workloads
# (bench/musl), and old_malloc: musl with the malloc that it had before 1.2.1.
set -euo pipefail
root=$(cd "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
folder=$1
shift
mkdir -p "$folder"/{bin,real,kernel}
folder=$(cd "$folder" && pwd)
cc='musl-gcc -std=gnu11 -O2'

# musl-tools has no kernel headers, which redis and busybox include.
for headers in linux asm-generic mtd "$(uname -m)-linux-gnu/asm"; do
    [[ ! -d /usr/include/$headers ]] || ln -sfn "/usr/include/$headers" "$folder/kernel/${headers##*/}"
done

build_lua() {
    make -s -C src CC="$cc" SYSCFLAGS='-DLUA_USE_POSIX -DLUA_USE_DLOPEN' SYSLIBS='-Wl,-E -ldl' AR='ar rc' lua
    cp src/lua "$folder/real/lua5.4"
}

build_sqlite3() {
    mkdir -p build
    (cd build && ../configure --disable-tcl --disable-readline && make -s sqlite3.c shell.c)
    $cc -DSQLITE_ENABLE_FTS5 -DSQLITE_ENABLE_MATH_FUNCTIONS -DSQLITE_THREADSAFE=1 build/shell.c build/sqlite3.c -o "$folder/real/sqlite3" -lm
}

build_zstd() {
    make -s -C programs CC="$cc" HAVE_THREAD=1 HAVE_ZLIB=0 HAVE_LZMA=0 HAVE_LZ4=0 zstd-release
    cp programs/zstd "$folder/real/zstd"
}

build_redis() {
    make -s CC="$cc -idirafter $folder/kernel" MALLOC=libc USE_SYSTEMD=no BUILD_TLS=no OPTIMIZATION=-O2 V=1
    cp src/redis-server src/redis-cli src/redis-benchmark "$folder/real/"
}

# Applets that need further kernel headers are left out.
build_busybox() {
    make -s HOSTCC=gcc defconfig
    sed -i -e 's/^CONFIG_\(TC\|FEATURE_TC_INGRESS\|SELINUX\|PAM\)=y/# CONFIG_\1 is not set/' -e 's/^# CONFIG_FEATURE_SH_STANDALONE is not set/CONFIG_FEATURE_SH_STANDALONE=y/' \
        -e 's/^# CONFIG_FEATURE_PREFER_APPLETS is not set/CONFIG_FEATURE_PREFER_APPLETS=y/' -e "s|^CONFIG_EXTRA_CFLAGS=.*|CONFIG_EXTRA_CFLAGS=\"-idirafter $folder/kernel\"|" .config
    yes '' | make -s HOSTCC=gcc oldconfig
    make -s HOSTCC=gcc CC=musl-gcc busybox
    cp busybox "$folder/real/busybox"
}

build_old_malloc() {
    ./configure --with-malloc=oldmalloc --prefix="$folder/old_malloc"
    make -s lib/libc.so
    cp lib/libc.so "$folder/real/old_malloc.so"
}

# Programs of this tree: the workloads of bench/musl, and the launcher that measures a run.
build_workloads() {
    $cc -Wall -Wextra -Werror "$root/bench/musl/workloads.c" -o "$folder/real/workloads"
    gcc -static -O2 "$root/bench/driver/launch.c" -o "$folder/launch"
}

declare -A source_of=([lua]=lua5.4 [sqlite3]=sqlite3 [zstd]=libzstd [redis]=redis [busybox]=busybox [old_malloc]=musl)

build_one() {
    local name=$1 work=$folder/work/$1 source
    rm -rf "$work"
    mkdir -p "$folder/work"
    if [[ -n ${source_of[$name]:-} ]]; then
        source=$("$root/scripts/debian" source "${source_of[$name]}")
        cp -r "$source" "$work"
    else
        mkdir "$work"
    fi
    (cd "$work" && { yes '' 2>/dev/null || true; } | "build_$name") >"$folder/$name.log" 2>&1 || {
        tail -n 20 "$folder/$name.log"
        echo "FAIL: $name was not built: $folder/$name.log"
        exit 1
    }
    rm -rf "$work"
}

MAKEFLAGS=-j$(nproc)
export MAKEFLAGS
command -v musl-gcc >/dev/null || { echo 'SKIP: musl-gcc is not installed (Debian package musl-tools)' && exit 77; }
[[ -x $folder/stand_in ]] || gcc -static -O2 -o "$folder/stand_in" "$root/tests/programs/stand_in.c"
for name in "$@"; do
    [[ -e $folder/$name.built && ($name != workloads || $root/bench/musl/workloads.c -ot $folder/$name.built) ]] || { build_one "$name" && touch "$folder/$name.built"; }
done
for real in "$folder"/real/*; do
    ln -f "$folder/stand_in" "$folder/bin/$(basename "$real")"
done
