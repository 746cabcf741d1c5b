# What scripts/run and scripts/test share: the packages and the build. Sourced, never run.
# shellcheck shell=bash

root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
me=scripts/$(basename "$0")

die() {
    printf '%s: %s\n' "$me" "$1" >&2
    exit "${2:-1}"
}

# The packages of the groups named by $1 (a regular expression) whose probe is missing, in one line.
missing_packages() {
    local package who probe
    while read -r package who probe _; do
        [[ $package == \#* || ! $who =~ ^($1)$ ]] && continue
        case $probe in
        /*) [[ -e $probe ]] || printf '%s ' "$package" ;;
        *) command -v "$probe" >/dev/null || printf '%s ' "$package" ;;
        esac
    done <"$root/scripts/packages"
}

# Installs what is missing of the groups $1. No service of a package is started: the tests start what they need.
need_packages() {
    local packages log
    packages=$(missing_packages "$1")
    [[ -n $packages ]] || return 0
    packages=${packages% }
    if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
        die "packages are missing; as root: apt-get install --no-install-recommends $packages"
    fi
    log=$(mktemp)
    mkdir -p "$root/build"
    # shellcheck disable=SC2086 # one word per package
    (
        flock 9
        policy=/usr/sbin/policy-rc.d
        if [[ ! -e $policy ]]; then
            trap 'rm -f "$policy"' EXIT
            printf '#!/bin/sh\nexit 101\n' >"$policy"
            chmod 755 "$policy"
        fi
        export DEBIAN_FRONTEND=noninteractive
        install=(apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=600)
        "${install[@]}" $packages || { apt-get update && "${install[@]}" $packages; }
    ) 9>"$root/build/packages.lock" </dev/null >"$log" 2>&1 ||
        die "apt-get could not install $packages: $(grep -E '^E:' "$log" | tail -1) (all of it: $log)"
    rm -f "$log"
    packages=$(missing_packages "$1")
    [[ -z $packages ]] || die "still missing after the installation: $packages"
}

# Configures build/$1 by its preset, with further options for cmake, and builds the targets after `--`.
# Quiet; the log is build/$1.log. One builder at a time.
build() {
    local preset=$1 options=()
    shift
    while [[ $# -gt 0 && $1 != -- ]]; do
        options+=("$1")
        shift
    done
    [[ $# -gt 0 ]] && shift
    mkdir -p "$root/build" 2>/dev/null || die "cannot make $root/build"
    [[ -w $root/build ]] || die "cannot write to $root/build"
    (
        flock 9
        cd "$root" || exit 1
        # A tree that was moved or copied must be configured anew.
        grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "build/$preset/CMakeCache.txt" 2>/dev/null || rm -rf "build/$preset"
        cmake --preset "$preset" "${options[@]}" && cmake --build "build/$preset" ${1:+--target "$@"}
    ) 9>"$root/build/$preset.lock" </dev/null >"$root/build/$preset.log" 2>&1
}

# The first complaint of the last build of $1, and where the rest stands.
build_fault() {
    local log=$root/build/$1.log
    printf '%s (all of it: %s)' "$(grep -m 1 -E 'error:|CMake Error' "$log" || tail -1 "$log")" "$log"
}
