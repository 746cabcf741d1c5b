#!/usr/bin/env bash
# MBMALLOC_OPTIONS: with the same seed a run repeats exactly, including its fatal line; a misspelt option gives one
# warning, and a malformed one does no harm; a setuid program takes no options from its caller.
# usage: options.sh PROBE PROBE_STATIC PROBE_OWN   (options_probe.c, preloaded into; linked with libmbmalloc.a; with mb_options)
# shellcheck source-path=SCRIPTDIR source=served.sh
. "$(dirname "${BASH_SOURCE[0]}")/served.sh"

probe=$1 probe_static=$2 probe_own=$3 so=${MBMALLOC_SO:?}

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
freed_twice() { under seed=7 "$probe" twice | sed 's/, thread [0-9]*)/)/'; } # which is named where there may be several
fatal=$(freed_twice) && fail "freed twice, and lived"
[ "$(freed_twice || true)" = "$fatal" ] || fail "the seed 7 gave another fatal line"
[[ $fatal == *"mbmalloc: double free: 0x"* ]] || fail "no fatal line: $fatal"

# --- what is wrong ----------------------------------------------------------------------------------------------------

warns() { # OPTIONS TEXT: exactly one line beside the probe's, with the text
    local out
    out=$(under "$1" "$probe") || fail "'${1:0:60}' broke the program"
    [[ $(wc -l <<<"$out") == 2 && $out == *"mbmalloc: MBMALLOC_OPTIONS: $2"* ]] || fail "'${1:0:60}' gave: $out"
}
warns stat=exit "unknown option 'stat', nearest is stats"
warns purge_delay=5 "unknown option 'purge_delay', nearest is purge_delay_ms"
warns zzz=5 "unknown option 'zzz', see MBMALLOC_OPTIONS=help"
warns background=2 "bad value '2' for background, which takes 0 or 1"
warns purge_delay_ms=-1 "bad value '-1' for purge_delay_ms, which takes 0 to 3600000 (ms, s, min)"
warns seed=99999999999999999999 "bad value '99999999999999999999' for seed"
warns stats=now "bad value 'now' for stats, which takes never, exit"
warns sized=yes "bad value 'yes' for sized, which takes warn, ignore, abort"
warns "stats_file=$(printf '%300s' '' | tr ' ' x)" "bad value 'xxx"
warns "$(printf '%20000s' '' | tr ' ' y)" "unknown option 'yyy"
warns $'\xff\x01%n%s' "unknown option '??%n%s'"
for quiet in '' , ,,,, =, =5 ,=,= seed=1,,background=0 ' SEED = 1 , Background = OFF' "profile=lowmem,purge_delay_ms=2S"; do
    [ "$(under "$quiet" "$probe" | wc -l)" = 1 ] || fail "'$quiet' gave a warning"
done
[[ $(under stats_file=/nonexistent/file "$probe") == *"stats_file: cannot append to /nonexistent/file errno=2"* ]] ||
    fail "a file that cannot be written was not named"

rc=0
under zzz=1,strict=1 "$probe" >/dev/null || rc=$?
[ "$rc" = 78 ] || fail "strict ended with $rc"
under strict=1,seed=1 "$probe" >/dev/null || fail "strict ended a program without mistakes"

# --- what is told -----------------------------------------------------------------------------------------------------

help=$(under help "$probe")
for option in background purge_delay_ms seed sized stats stats_file profile only skip help; do
    [[ $help == *"mbmalloc: $option: "* ]] || fail "help does not name $option"
done
[[ $help == *" 0x"* || $(wc -l <<<"$help") -gt 10 ]] || fail "the program did not run after help"
[[ $(under stats=exit "$probe") == *mbmalloc*blocks=[1-9]* ]] || fail "no statistics at exit"

shown=$(under show,profile=lowmem,seed=5 "$probe")
for line in "seed=5 (MBMALLOC_OPTIONS)" "purge_delay_ms=100 (profile)" "background=1 (default)"; do
    [[ $shown == *"mbmalloc: $line"* ]] || fail "show lacks '$line': $shown"
done
for line in "=AUTO huge_pages=auto (MBMALLOC_OPTIONS)" "=off huge_pages=0 (MBMALLOC_OPTIONS)" "=2 which takes 0, 1 or auto"; do
    [[ $(under "show,huge_pages${line%% *}" "$probe") == *"${line#* }"* ]] || fail "huge_pages: not '$line'"
done
[[ $(under show,purge_delay_ms=7,profile=lowmem "$probe") == *"purge_delay_ms=7 (MBMALLOC_OPTIONS)"* ]] ||
    fail "a profile was stronger than the option itself"
active=$(under verbose=1,purge_delay_ms=5s "$probe" | grep '^mbmalloc') || fail "verbose said nothing"
[[ $active =~ ^mbmalloc\ [0-9.a-z-]+:\ serves\ ${probe##*/}\ pid=[0-9]+\ from\ "$so"\;\ options:.*purge_delay_ms=5000 ]] ||
    fail "verbose said: $active"
active=$(env -u LD_PRELOAD MBMALLOC_OPTIONS=verbose "$probe_static" 2>&1)
[[ $active == *"from the program itself"* || $active == *"from $probe_static;"* ]] || fail "verbose in a static program: $active" # musl names it

# --- names of mappings ------------------------------------------------------------------------------------------------

named=$(under names=1 cat /proc/self/maps) || true # of another libc than this machine's
[[ $(under names=0 cat /proc/self/maps) != *"mbmalloc blocks"* ]] || fail "mappings are named though nobody asked"
if [[ $named == *"[anon:mbmalloc blocks]"* ]]; then
    [[ $named == *"[anon:mbmalloc descriptors]"*  && $named == *"[anon:mbmalloc metadata]"* ]] || fail "some mappings have no name: $named"
else
    echo "this kernel does not name mappings"
fi

# --- the program's own variable ---------------------------------------------------------------------------------------

own=$(env "LD_PRELOAD=$so" "$probe_own" 2>&1)
[[ $own == *"purge_delay_ms=3000 (mb_options)"* && $own == *"stats=exit (mb_options)"* ]] || fail "mb_options did not count: $own"
own=$(under purge_delay_ms=4s "$probe_own")
[[ $own == *"purge_delay_ms=4000 (MBMALLOC_OPTIONS)"* && $own == *"stats=exit (mb_options)"* ]] || fail "who is stronger: $own"

# --- who is served ----------------------------------------------------------------------------------------------------

is_served() { # OPTIONS PROGRAM: whether mbmalloc serves it
    [[ $(under "$1,stats=exit" "$2") == *mbmalloc*blocks=* ]]
}
name=${probe##*/}
for options in "only=$name" "only=x:$name" "only=${name:0:8}*" "skip=x:y" "skip=${name}s" "only=*,skip=other"; do
    is_served "$options" "$probe" || fail "not served with $options"
done
for options in "skip=$name" "only=other" "only=${name}s" "skip=x:${name:0:4}*" "only=$name,skip=$name" "skip=*"; do
    is_served "$options" "$probe" && fail "served with $options"
    [ "$(under "$options,help,show,verbose,zzz" "$probe" | wc -l)" = 1 ] || fail "not served with $options, and it printed"
done
(exec -a renamed env "LD_PRELOAD=$so" "MBMALLOC_OPTIONS=skip=renamed,stats=exit" bash -c "exec -a renamed '$probe'" 2>&1) |
    grep -q '^mbmalloc: at exit' && fail "argv[0] was not looked at"
printf '#!%s\n' "$(command -v bash)" >"$work/script.sh"
chmod +x "$work/script.sh"
if under seed=1 bash -c : >/dev/null; then # else the library is for another libc than this machine's
    is_served skip=script.sh "$work/script.sh" && fail "a script's name was not looked at"
    is_served skip=other.sh "$work/script.sh" || fail "another script's name was looked at"
fi

# --- secure execution -------------------------------------------------------------------------------------------------

if [ "$(id -u)" = 0 ] && setpriv --reuid=65534 --regid=65534 --clear-groups true 2>/dev/null; then # busybox's cannot
    chmod 755 "$work"
    cp "$probe_static" "$work/probe"
    chmod 4755 "$work/probe"
    mkdir -m 777 "$work/open"
    out=$(setpriv --reuid=65534 --regid=65534 --clear-groups \
        env "MBMALLOC_OPTIONS=seed=7,stats=exit,help,show,verbose,stats_file=$work/open/stats" "$work/probe" 2>&1)
    if [[ $out == *" secure"* ]]; then # no: mounted nosuid
        [[ $(wc -l <<<"$out") == 1 ]] || fail "a setuid program printed: $out"
        [ ! -e "$work/open/stats" ] || fail "a setuid program wrote statistics"
    fi
fi
MBMALLOC_OPTIONS="stats_file=$work/stats" "$probe_static" >/dev/null
[ -s "$work/stats" ] || fail "the same program wrote none without setuid"
echo "options clean"
