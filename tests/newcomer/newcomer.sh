#!/usr/bin/env bash
# What a newcomer does, on a bare Debian 12 (debootstrap) with git, gcc and apt: every command of README.md, copied from
# its ```sh blocks, one block after the other, as a user who may use sudo and, on another bare system, as root. Its
# ```cmake blocks become a project that is built. Besides: a user without sudo is told what to install, the second
# scripts/run is quick, and everything works without a network once it is installed. Run by `scripts/test --newcomer`;
# with --all scripts/test runs whole there.
#
# README's commands find app.c, app (compiled from it) and script.sh in the folder that they are run in.
set -euo pipefail

root=$(cd "$(dirname "$(readlink -f "$0")")/../.." && pwd)
here=$root/tests/newcomer
place=$root/build/newcomer
skip() { printf 'SKIP: %s\n' "$1"; exit 77; }
fail() { printf 'newcomer: %s\n' "$1" >&2; exit 1; }
say() { printf '\n== %s\n' "$1"; }

[[ $(id -u) == 0 ]] || skip "only root can make a system (debootstrap, chroot)"
command -v debootstrap >/dev/null || skip "no debootstrap"
mkdir -p "$place"
if [[ ! -e $place/base/.complete ]]; then
    say "makes a bare Debian 12"
    rm -rf "$place/base"
    debootstrap --variant=minbase bookworm "$place/base" >"$place/debootstrap.log" 2>&1 ||
        skip "debootstrap cannot make a system: $(tail -1 "$place/debootstrap.log")"
    touch "$place/base/.complete"
fi

# inside SYSTEM USER COMMAND [ARGS...]: runs the command in the system, in the user's clone. Its mounts and processes
# end with it.
inside() {
    # shellcheck disable=SC2016 # expanded inside
    unshare --mount --pid --fork ${network:+--net} bash -c '
        mount --rbind /dev "$1/dev" && mount -t proc proc "$1/proc" && mount -t tmpfs tmpfs "$1/tmp" || exit 125
        home=/root
        [[ $2 == root ]] || home=/home/$2
        exec chroot "$1" /usr/bin/env -i HOME="$home" USER="$2" PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
            setpriv --reuid "$2" --regid "$2" --init-groups bash -c "cd \"\$HOME/mbmalloc\" && exec \"\$@\"" bash "${@:3}"
    ' bash "$@" </dev/null
}
network=

# system NAME: makes a bare system with git, gcc, sudo, a user, and a clone of this tree for root and for the user.
system() {
    local home
    rm -rf "${place:?}/$1"
    cp -a "$place/base" "$place/$1"
    cp -L /etc/resolv.conf "$place/$1/etc/resolv.conf"
    chroot "$place/$1" bash -c 'export DEBIAN_FRONTEND=noninteractive
        apt-get update -qq && apt-get install -qq -y --no-install-recommends git gcc sudo && useradd -m -s /bin/bash newcomer' >"$place/$1.log" 2>&1 ||
        { tail -3 "$place/$1.log"; skip "the bare system has no network"; }
    ! chroot "$place/$1" bash -c 'type -P python3 || type -P make || type -P cmake' || fail "the system is not bare"
    for home in root home/newcomer; do
        home=$place/$1/$home/mbmalloc
        mkdir "$home"
        # What is here now, committed or not.
        git -C "$root" ls-files -z --cached --others --exclude-standard | (cd "$root" && xargs -0 ls -d 2>/dev/null) |
            tar -C "$root" -c -T - | tar -C "$home" -x
        git -C "$home" init -q
        git -C "$home" add -A
        git -C "$home" -c user.name=newcomer -c user.email=newcomer@localhost commit -qm 'README as it is'
        cp "$here/app.c" "$home"
        printf '#!/bin/sh\necho hello\n' >"$home/script.sh"
        chmod +x "$home/script.sh"
        gcc -O1 "$here/app.c" -o "$home/app"
    done
    chroot "$place/$1" chown -R newcomer: /home/newcomer
    chroot "$place/$1" chown -R root: /root
}

# a_project SYSTEM USER HOME BLOCK: builds app with the library by a project whose CMakeLists.txt ends with the block.
a_project() {
    mkdir "$3/project"
    { printf 'cmake_minimum_required(VERSION 3.22)\nproject(app C)\nadd_executable(app ../app.c)\n'; cat "$4"; } >"$3/project/CMakeLists.txt"
    chmod -R a+rwX "$3/project"
    inside "$1" "$2" bash -euo pipefail -c 'cmake -S project -B project/build && cmake --build project/build && project/build/app &&
        MBMALLOC_OPTIONS=verbose=1 project/build/app 2>&1 | grep -q ^mbmalloc' || fail "README's CMake block fails as $2"
    rm -rf "$3/project"
}

# every_command SYSTEM USER HOME: runs README's shell blocks, each by a bash of its own that ends at the first command
# that fails, and builds the projects of its cmake blocks.
every_command() {
    local block blocks
    blocks=$(mktemp -d)
    "$here/blocks.sh" "$root/README.md" "$blocks"
    [[ -n $(ls "$blocks") ]] || fail "README.md has no \`\`\`sh block"
    for block in "$blocks"/*; do
        # The whole run takes half an hour.
        [[ ${MB_TEST_LONG:-0} == 1 ]] || sed -i 's|^scripts/test\( *#.*\)\{0,1\}$|scripts/test -R test_margin|' "$block"
        say "README, block $(basename "$block"), as $2"
        cat "$block"
        echo --
        if [[ $block == *.cmake ]]; then
            a_project "$1" "$2" "$3" "$block"
            continue
        fi
        install -m 644 "$block" "$3/.block"
        inside "$1" "$2" bash -euo pipefail .block || fail "README's block $(basename "$block") fails as $2 (see above)"
    done
    rm -r "$blocks"
}

# quick SYSTEM USER: the processor time that scripts/run adds to the start of a program when the library is built: the
# median of 41 starts. Processor time, because on a busy machine the time on the clock is that of the other programs.
quick() {
    # shellcheck disable=SC2016
    inside "$1" "$2" bash -euo pipefail -c '
        TIMEFORMAT="%U %S"
        spent() { { time "$@"; } 2>&1 | awk "{ print int((\$1 + \$2) * 1000000) }"; }
        for i in $(seq 41); do
            echo $(($(spent scripts/run /bin/true) - $(spent /bin/true)))
        done | sort -n | sed -n "21p"' >"$place/quick"
    printf 'the second scripts/run adds %s us of processor time to the start of a program (the median of 41, limit 30000)\n' "$(<"$place/quick")"
    [[ $(<"$place/quick") -lt 30000 ]] || fail "scripts/run is slow"
}

say "a user without sudo is told what is missing"
system user
clone=$place/user/home/newcomer/mbmalloc
status=0
said=$(inside "$place/user" newcomer scripts/run true 2>&1) || status=$?
printf '%s\n' "$said"
[[ $status == 1 && $said == 'scripts/run: packages are missing; as root: apt-get install '* && $said != *$'\n'* ]] || fail "one line expected, and exit status 1"
echo 'newcomer ALL=(ALL) NOPASSWD: ALL' >"$place/user/etc/sudoers.d/newcomer"
every_command "$place/user" newcomer "$clone"
quick "$place/user" newcomer

say "without a network"
network=no
inside "$place/user" newcomer bash -euo pipefail -c 'touch core/base/version.h && scripts/run ./app && scripts/test -R test_margin >/dev/null'
network=
rm -rf "${place:?}/user"

system root
every_command "$place/root" root "$place/root/root/mbmalloc"
rm -rf "${place:?}/root"
say "a newcomer gets through"
