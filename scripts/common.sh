# Functions that scripts/run, scripts/test, scripts/bench and others share: messages, installation of packages, the
# build. To be sourced, not run.
# shellcheck shell=bash

root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
me=scripts/$(basename "$(readlink -f "$0")")

tell() { printf '%s: %s\n' "$me" "$1" >&2; }

die() {
    tell "$1"
    exit "${2:-1}"
}

# wrong TEXT: ends because the command line is wrong.
wrong() { die "$1; see $me --help" 2; }

# The comment at the head of a script is its --help.
usage() { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; }

# show TEXT: reports progress. On a terminal each report overwrites the last one; a log gets at most one in 10 seconds.
shown=0
show() {
    if [[ -t 2 ]]; then
        printf '\r\e[K%s: %s' "$me" "$1" >&2
    elif ((SECONDS - shown >= 10)); then
        tell "$1"
        shown=$SECONDS
    fi
}
show_end() { [[ ! -t 2 ]] || printf '\r\e[K' >&2; }

# In LD_PRELOAD a space or a colon separates file names; the other characters break CMake or shell commands.
case $root in
*[[:space:]:\;\"\'\\\$\`\*\?\[\]\<\>\|\&\(\)\#]*)
    die "the path may have no space, colon or other special character: $root" ;;
esac

# --- packages ---------------------------------------------------------------------------------------------------------

# missing_packages FILE WHO...: prints in one line the packages of FILE that are needed and not installed. Each WHO is
# the name of a group, a test or a build variant, and is matched against the regular expression in FILE's second column;
# `everything` stands for all tests. FILE's third column, a command or a path (with wildcards), is there if the package
# is.
missing_packages() {
    local file=$1 package who probe one
    shift
    while read -r package who probe _; do
        [[ -n $package && $package != \#* ]] || continue
        case $probe in
        /*) ! compgen -G "$probe" >/dev/null || continue ;;
        *) ! command -v "$probe" >/dev/null || continue ;;
        esac
        for one in "$@"; do
            if [[ ($one == everything && $who != newcomer) || $one =~ ^($who)$ ]]; then
                printf '%s ' "$package"
                break
            fi
        done
    done <"$root/$file"
}

# apt_get ARGS...: runs apt-get in English, by sudo unless we are root, and shows its progress.
apt_get() {
    local line kind percent words=()
    [[ $(id -u) == 0 ]] || words=(sudo)
    # shellcheck disable=SC2094 # the status lines are on descriptor 3 of apt-get, and stdout goes to the log
    "${words[@]}" env LC_ALL=C DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 -o APT::Status-Fd=1 "$@" </dev/null 2>&1 |
        while IFS= read -r line; do
            case $line in
            dlstatus:*) kind=fetches ;;
            pmstatus:*) kind='unpacks and sets up' ;;
            *) printf '%s\n' "$line" >>"$log"; continue ;;
            esac
            IFS=: read -r _ _ percent _ <<<"$line"
            show "$kind packages, ${percent%.*} %"
        done
}

# apt_plan PACKAGES...: prints what their installation takes (number of packages, download, disk), or nothing if apt-get
# does not know the packages.
apt_plan() {
    local words=()
    [[ $(id -u) == 0 ]] || words=(sudo)
    "${words[@]}" env LC_ALL=C apt-get install --assume-no --no-install-recommends "$@" 2>/dev/null </dev/null |
        sed -n -e 's/^[0-9]* upgraded, \([0-9]*\) newly installed.*/\1 packages/p' \
            -e 's/^Need to get \(.*\) of archives\./, \1 to fetch/p' \
            -e 's/^After this operation, \(.*\) of additional disk space will be used\./, \1 on disk/p' | tr -d '\n'
}

# install_packages PACKAGES...: installs them without starting their services: the tests start what they need.
install_packages() {
    local policy=/usr/sbin/policy-rc.d plan words=()
    [[ $(id -u) == 0 ]] || words=(sudo)
    plan=$(apt_plan "$@")
    if [[ -z $plan ]]; then
        tell "asks the package server for its lists"
        apt_get update
        show_end
        plan=$(apt_plan "$@")
    fi
    tell "installs $* (with what they need: ${plan:-unknown})"
    if [[ ! -e $policy ]]; then
        # shellcheck disable=SC2064 # the words are those of now
        trap "${words[*]} rm -f $policy" EXIT
        "${words[@]}" install -m 755 /dev/stdin $policy <<<$'#!/bin/sh\nexit 101'
    fi
    apt_get install -y --no-install-recommends "$@" || { apt_get update && apt_get install -y --no-install-recommends "$@"; }
}

# need_packages FILE WHO...: installs what missing_packages prints; as root, or by sudo if it needs no password or can
# ask for one on a terminal.
need_packages() {
    local packages log
    read -ra packages <<<"$(missing_packages "$@")"
    [[ ${#packages[@]} -gt 0 ]] || return 0
    command -v apt-get >/dev/null || die "missing, and there is no apt-get to install them: ${packages[*]}"
    if [[ $(id -u) != 0 ]] && ! { command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [[ -t 0 && -t 2 ]]; }; }; then
        die "packages are missing; as root: apt-get install --no-install-recommends ${packages[*]}"
    fi
    log=$(mktemp)
    make_build_folder
    (
        flock 9
        install_packages "${packages[@]}"
    ) 9>"$root/build/packages.lock" || {
        show_end
        die "apt-get could not install ${packages[*]}: $(grep -E '^E:' "$log" | tail -1) (all of it: $log)"
    }
    show_end
    rm -f "$log"
    read -ra packages <<<"$(missing_packages "$@")"
    [[ ${#packages[@]} -eq 0 ]] || die "still missing after the installation: ${packages[*]}"
}

# --- build ------------------------------------------------------------------------------------------------------------

make_build_folder() {
    mkdir -p "$root/build" 2>/dev/null || die "cannot make $root/build"
    [[ -w $root/build ]] || die "cannot write to $root/build"
}

# configure PRESET [CMAKE OPTIONS...]: runs cmake, unless the last run had the same options. (When CMakeLists.txt
# changes, the build itself runs cmake again.)
configure() {
    local preset=$1 place=$root/build/$1
    shift
    # A tree that was moved or copied must be configured anew.
    grep -qsxF "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "$place/CMakeCache.txt" || rm -rf "$place"
    if [[ -e $place/.options && $(<"$place/.options") == "$*" && $place/.options -nt $root/CMakePresets.json && -e $place/build.ninja ]]; then
        return 0
    fi
    (cd "$root" && cmake --preset "$preset" "$@") || return 1
    printf '%s\n' "$*" >"$place/.options"
}

# show_build PRESET: copies stdin to stdout and shows ninja's "[12/93] ..." as progress.
show_build() {
    local line
    while IFS= read -r line; do
        printf '%s\n' "$line"
        [[ ! $line =~ ^\[([1-9][0-9]*)/([0-9]+)\] ]] || show "builds $1, ${BASH_REMATCH[1]} of ${BASH_REMATCH[2]}"
    done
    show_end
}

# build/PRESET/.built has the time at which the last successful build of the library began, and does not exist during a
# build: scripts/run compares it with the sources.
begin_stamp() {
    rm -f "$place/.building"
    case " $* " in
    '  ' | *' mbmalloc '* | *' mb_product '* | *' all '*) rm -f "$place/.built" && : >"$place/.building" ;;
    esac
}
end_stamp() { [[ ! -e $place/.building ]] || mv "$place/.building" "$place/.built"; }

# build PRESET [CMAKE OPTIONS...] -- [TARGETS...]: configures build/PRESET and builds these targets, or all. The log is
# build/PRESET.log. A lock lets one build run at a time.
build() {
    local preset=$1 options=()
    shift
    while [[ $# -gt 0 && $1 != -- ]]; do
        options+=("$1")
        shift
    done
    [[ $# -eq 0 ]] || shift
    make_build_folder
    (
        flock 9
        place=$root/build/$preset
        {
            configure "$preset" "${options[@]}" && begin_stamp "$@" && cmake --build "$place" ${1:+--target "$@"} && end_stamp
        } </dev/null 2>&1 | show_build "$preset" >"$root/build/$preset.log"
    ) 9>"$root/build/$preset.lock"
}

# build_fault PRESET: prints the first error of the last build, and the path of its log.
build_fault() {
    local log=$root/build/$1.log
    printf '%s (all of it: %s)' "$(grep -m 1 -E 'error:|CMake Error' "$log" || tail -1 "$log")" "$log"
}
