#!/bin/sh
# What: forks.sh ROUNDS: every round forks more than twenty times, in every way a POSIX shell knows, and prints what
# the children did.
# shellcheck disable=SC2046,SC2116,SC2154 # the needless forks are the point; pid is set by eval
set -eu

weigh() {
    if [ "$1" -gt 0 ]; then echo $(($(weigh $(($1 - 1))) + $1)); else echo 0; fi
}

round() {
    n=$1
    a=$(echo "$n" | sed 's/$/x/' | tr x y)
    b=$( (cd / && pwd) )$(printf '%s' "$(printf '%s' "$(echo "$n")")")
    for k in 1 2 3 4; do
        (exit "$k") &
        eval "job$k=\$!"
    done
    sum=0
    for k in 1 2 3 4; do
        eval "pid=\$job$k"
        status=0
        wait "$pid" || status=$?
        sum=$((sum + status))
    done
    c=$(cat <<TEXT
here $n $a
TEXT
    )
    ${MB_TRUE:-/bin/true}
    d=$(trap 'echo trapped' EXIT; long=$b; while [ ${#long} -lt 3000 ]; do long=$long$long-; done; echo ${#long})
    set -- $(echo 1 2 3 4 5 6 7 8 9)
    echo "$n $a $b $sum $c $# $(weigh 6) $d"
}

n=0
while [ "$n" -lt "$1" ]; do
    round "$n"
    n=$((n + 1))
done
