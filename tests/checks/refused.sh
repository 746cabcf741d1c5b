#!/usr/bin/env bash
# A processor that the library does not support is refused at configuration, with one sentence; only the test program
# that determines the processor is compiled for it.
set -uo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0

# refuses COMPILER FLAGS: the configuration fails with the expected sentence.
refuses() {
    command -v "$1" >/dev/null || { echo "not tried: $1 $2"; return; }
    rm -rf "$work/build"
    # CMake's own test of the compiler would need libraries of that processor.
    if cmake -G Ninja -S "$MB_SOURCE_DIR" -B "$work/build" -DCMAKE_TRY_COMPILE_TARGET_TYPE=STATIC_LIBRARY -DMB_TESTS=OFF \
        -DCMAKE_C_COMPILER="$1" -DCMAKE_C_FLAGS="$2" >"$work/log" 2>&1; then
        echo "not refused: $1 $2"
        bad=1
    elif ! tr -s ' \n' ' ' <"$work/log" | grep -q 'mbmalloc builds for 64-bit x86-64 and aarch64 (little-endian) only'; then
        echo "refused without the sentence: $1 $2"
        cat "$work/log"
        bad=1
    else
        echo "refused: $1 $2"
    fi
}

if [[ $(uname -m) == x86_64 ]]; then
    refuses gcc -m32
    refuses gcc -mx32
fi
for target in armv7a-linux-gnueabihf aarch64_be-linux-gnu riscv64-linux-gnu powerpc64le-linux-gnu i686-linux-gnu; do
    refuses clang --target=$target
done
exit "$bad"
