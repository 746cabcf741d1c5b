#!/usr/bin/env bash
# What: programs.sh FOLDER: unpacks Debian's arm64 packages of programs that people run, and makes in FOLDER/bin a
# stand-in (tests/programs/stand_in.c) for each of these programs and for those that they start.
set -euo pipefail
root=$(cd "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
folder=$1
mkdir -p "$folder"/{bin,real}
packages=$("$root/scripts/debian" arm64 --with-dependencies python3 git sqlite3 redis-server redis-tools gcc libc6-dev perl nodejs zstd lua5.4)
ln -sfn "$packages" "$folder/root"
# gcc looks for its own files beside bin, and for the programs that it starts in bin (COMPILER_PATH).
mkdir -p "$folder/lib/gcc/aarch64-linux-gnu/12"
ln -sfn "$packages/usr/lib/aarch64-linux-gnu" "$folder/lib/aarch64-linux-gnu"
for file in "$packages"/usr/lib/gcc/aarch64-linux-gnu/12/*; do
    case ${file##*/} in cc1 | collect2 | lto*) ;; *) ln -sfn "$file" "$folder/lib/gcc/aarch64-linux-gnu/12/" ;; esac
done
gcc -static -O2 -o "$folder/stand_in" "$root/tests/programs/stand_in.c"

# stand_in NAME PATH: makes bin/NAME, which starts the program PATH of the packages.
stand_in() {
    [[ -e $packages/$2 ]] || { echo "FAIL: no $2 in Debian's arm64 packages" && exit 1; }
    ln -sfn "$packages/$2" "$folder/real/$1"
    ln -f "$folder/stand_in" "$folder/bin/$1"
}
for name in git git-upload-pack git-receive-pack sqlite3 redis-server redis-cli redis-benchmark perl node zstd lua5.4; do stand_in "$name" "usr/bin/$name"; done
stand_in python3 usr/bin/python3.11
for name in gcc as ld; do stand_in "$name" "usr/bin/aarch64-linux-gnu-$name"; done
for name in cc1 collect2 lto1 lto-wrapper; do stand_in "$name" "usr/lib/gcc/aarch64-linux-gnu/12/$name"; done
