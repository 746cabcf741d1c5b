#!/usr/bin/env bash
# MBMALLOC_OPTIONS: a seed repeats a run, its fatal line included; what is misspelt is one warning, what is malformed no harm;
# a setuid program takes no option from its caller.
# usage: options.sh PROBE PROBE_STATIC   (options_probe.c, preloaded into; linked with libmbmalloc.a)
# shellcheck source-path=SCRIPTDIR source=served.sh
. "$(dirname "${BASH_SOURCE[0]}")/served.sh"

probe=$1 probe_static=$2 so=${MBMALLOC_SO:?}

under() { # OPTIONS COMMAND...: the command's output, both streams
    local options=$1
    shift
    env "LD_PRELOAD=$so" "MBMALLOC_OPTIONS=$options" "$@" 2>&1
}

# --- the seed ---------------------------------------------------------------------------------------------------------

first=$(under seed=7 "$probe")
for _ in 1 2 3 4 5; do [ "$(under seed=7 "$probe")" = "$first" ] || fail "the seed 7 gave other addresses"; done
[ "$(under seed=8 "$probe")" != "$first" ] || fail "the seeds 7 and 8 gave the same addresses"
[ "$(under seed=0 "$probe")" != "$(under seed=0 "$probe")" ] || fail "without a seed the addresses were the same twice"
fatal=$(under seed=7 "$probe" twice) && fail "freed twice, and lived"
[ "$(under seed=7 "$probe" twice || true)" = "$fatal" ] || fail "the seed 7 gave another fatal line"
[[ $fatal == *"mbmalloc: double free: 0x"* ]] || fail "no fatal line: $fatal"

# --- what is wrong ----------------------------------------------------------------------------------------------------

warns() { # OPTIONS TEXT: exactly one line beside the probe's, with the text
    local out
    out=$(under "$1" "$probe") || fail "'${1:0:60}' broke the program"
    [[ $(wc -l <<<"$out") == 2 && $out == *"mbmalloc: MBMALLOC_OPTIONS: $2"* ]] || fail "'${1:0:60}' gave: $out"
}
warns stat=exit "unknown option 'stat', nearest is stats"
warns purge_delay=5 "unknown option 'purge_delay', nearest is purge_delay_ms"
warns background=2 "bad value '2' for background"
warns purge_delay_ms=-1 "bad value '-1' for purge_delay_ms"
warns seed=99999999999999999999 "bad value '99999999999999999999' for seed"
warns stats=now "bad value 'now' for stats"
warns "stats_file=$(printf '%300s' '' | tr ' ' x)" "bad value 'xxx"
warns "$(printf '%20000s' '' | tr ' ' y)" "unknown option 'yyy"
warns $'\xff\x01%n%s' "unknown option '"
for quiet in '' , ,,,, =, =5 ,=,= seed=1,,background=0, stats_file=/nonexistent/file; do
    [ "$(under "$quiet" "$probe" | wc -l)" = 1 ] || fail "'$quiet' gave a warning"
done
help=$(under help=exit "$probe")
for option in background purge_delay_ms seed stats stats_file help; do
    [[ $help == *"mbmalloc: $option: "* ]] || fail "help does not name $option"
done
[[ $(under stats=exit "$probe") == *mbmalloc*blocks=[1-9]* ]] || fail "no statistics at exit"

# --- secure execution -------------------------------------------------------------------------------------------------

if [ "$(id -u)" = 0 ]; then
    chmod 755 "$work"
    install -m 4755 "$probe_static" "$work/probe"
    mkdir -m 777 "$work/open"
    out=$(setpriv --reuid=65534 --regid=65534 --clear-groups \
        env "MBMALLOC_OPTIONS=seed=7,stats=exit,help=exit,stats_file=$work/open/stats" "$work/probe" 2>&1)
    if [[ $out == *" secure"* ]]; then # no: mounted nosuid
        [[ $(wc -l <<<"$out") == 1 ]] || fail "a setuid program printed: $out"
        [ ! -e "$work/open/stats" ] || fail "a setuid program wrote statistics"
    fi
fi
MBMALLOC_OPTIONS="stats_file=$work/stats" "$probe_static" >/dev/null
[ -s "$work/stats" ] || fail "the same program wrote none without setuid"
echo "options clean"
