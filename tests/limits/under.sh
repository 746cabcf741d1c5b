#!/usr/bin/env bash
# Runs a program with the library preloaded, under limits that are set before it starts.
# Usage: under.sh [-v KIB] [-d KIB] [-l KIB] [-u] [-o OPTIONS] -- PROGRAM [ARG...]
#   -v, -d, -l: ulimit of that letter; -u: as user nobody, if started by root (copies program and library to a folder
#   that nobody can read); -o: MBMALLOC_OPTIONS. Without MBMALLOC_SO the program runs with the libc's own malloc.
set -euo pipefail

unprivileged=
copies=
while getopts v:d:l:uo: option; do
    case $option in
    v | d | l) ulimit -"$option" "$OPTARG" || { echo "SKIP: cannot set ulimit -$option $OPTARG"; exit 77; } ;;
    u) unprivileged=1 ;;
    o) export MBMALLOC_OPTIONS=$OPTARG ;;
    *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))

program=$1
library=${MBMALLOC_SO:-}
shift
run=()
if [ -n "$unprivileged" ] && [ "$(id -u)" = 0 ]; then
    copies=$(mktemp -d)
    trap 'rm -rf "$copies"' EXIT
    chmod 755 "$copies"
    install -m 755 "$program" "$copies/program"
    program=$copies/program
    if [ -n "$library" ]; then
        install -m 755 "$library" "$copies/libmbmalloc.so"
        library=$copies/libmbmalloc.so
    fi
    run=(setpriv --reuid=65534 --regid=65534 --clear-groups)
fi
[ -z "$library" ] || run+=(env "LD_PRELOAD=$library")
[ -n "$copies" ] || exec "${run[@]}" "$program" "$@"
"${run[@]}" "$program" "$@" # not exec: the trap has to run
