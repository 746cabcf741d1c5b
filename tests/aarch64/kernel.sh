#!/usr/bin/env bash
# Builds a kernel for arm64 with pages of 64 KiB, which no package of Debian has, of the package linux-source-6.1 with
# kernel.config; once, in about 9 minutes of one processor. Prints its path.
set -euo pipefail
here=$(cd "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
home=$root/build/debian/kernel-64k
image=$home/arch/arm64/boot/Image
stamp=$(sha256sum "$here/kernel.config" | cut -c1-16)
[[ ! -e $home/$stamp.done ]] || { echo "$image"; exit; }

packages=$("$root/scripts/debian" arm64 linux-source-6.1:all)
log=$root/build/kernel-64k.log
exec 3>&1 4>&2 >"$log" 2>&1
trap '[[ -e $home/$stamp.done ]] || { tail -n 20 "$log" && echo "FAIL: no kernel was built; see $log"; } >&4' EXIT
rm -rf "$home"
mkdir -p "$home"
tar xf "$packages/usr/src/linux-source-6.1.tar.xz" -C "$home" --strip-components=1
export ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu-
make -s -C "$home" KCONFIG_ALLCONFIG="$here/kernel.config" allnoconfig
# An option that another one hides is dropped in silence.
missing=$(grep '^CONFIG' "$here/kernel.config" | grep -vxFf "$home/.config" || true)
[[ -z $missing ]] || { echo "not taken: $missing" && exit 1; }
make -s -C "$home" -j"$(nproc)" Image
touch "$home/$stamp.done"
echo "$image" >&3
