#!/usr/bin/env bash
# The recipe for a container (README): a root folder that has a shell, some programs, their libraries and ours, and
# LD_PRELOAD in the environment. Nothing in it can be written, there is no /proc, /sys or /dev; as root, as nobody, and as
# process 1 of namespaces of its own.
# shellcheck source-path=SCRIPTDIR source=served.sh
. "$(dirname "${BASH_SOURCE[0]}")/served.sh"

skip() { echo "SKIP: $1" && exit 77; }
[[ $(id -u) == 0 ]] || skip 'needs root'
for name in chroot unshare mount ldd; do command -v $name >/dev/null || skip "needs $name"; done
unshare -m true 2>/dev/null || skip 'no mount namespaces here'

root=$work/root
mkdir -p "$root"/{bin,proc,usr/local/lib}
cp "${MBMALLOC_SO:?}" "$root/usr/local/lib/libmbmalloc.so.1"
for name in sh cat seq sort tail id env; do
    program=$(readlink -f "$(command -v $name)")
    cp "$program" "$root/bin/$name"
    for library in $(ldd "$program" | grep -o '/[^ ]*'); do cp -L --parents "$library" "$root"; done
done

# contained HOW PROFILE COMMAND...: runs the program in a mount namespace whose root cannot be written.
contained() {
    local user=0:0 flags=(-m)
    case $1 in
    nobody) user=65534:65534 ;;
    first) flags=(-m -p -f -i -n) ;;
    esac
    # shellcheck disable=SC2016 # expanded by the inner shell
    unshare "${flags[@]}" sh -c 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && root=$1 user=$2 && shift 2 &&
        exec chroot --userspec="$user" "$root" /bin/env -i PATH=/bin LD_PRELOAD=/usr/local/lib/libmbmalloc.so.1 "$@"' sh \
        "$root" "$user" "MBMALLOC_OPTIONS=verbose=1,profile=$2" "${@:3}"
}

for profile in balanced hardened; do
    for how in root nobody first; do
        # shellcheck disable=SC2016
        said=$(contained $how $profile sh -c 'seq 50000 | sort -n | tail -n 1; (: >/file) 2>/dev/null || echo closed; id -u' 2>&1) ||
            fail "$how, $profile: $said"
        [[ $said == *'serves sort pid='* && $said == *$'\n50000\n'* && $said == *$'\nclosed\n'* ]] || fail "$how, $profile: $said"
    done
done
echo "served in a container"
