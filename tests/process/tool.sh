#!/usr/bin/env bash
# The mbmalloc command: it asks a running process, says why when it cannot, and refuses to run what the library cannot
# serve. usage: tool.sh TOOL PROBE PROBE_STATIC REFUSE MIXED_MALLOC MIXED_NEW
#        (tool_probe.c, plain and linked with -static; refuse_exec.c, mixed_malloc.c, mixed_new.c)
# shellcheck source-path=SCRIPTDIR source=served.sh
. "$(dirname "${BASH_SOURCE[0]}")/served.sh"

tool=$1 probe=$2 probe_static=$3 refuse=$4 mixed_malloc=$5 mixed_new=$6
export MBMALLOC_LIBRARY=${MBMALLOC_SO:?}
unset LD_PRELOAD MBMALLOC_OPTIONS
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null || true; rm -rf "$work"' EXIT

start() { # MODE OPTION...: the probe runs; its process (or its child's) is $pid, and ends with `stop`
    local mode=$1
    shift
    coproc PROBE { exec "$tool" run "$@" -- "$probe" "$mode"; }
    read -r _ pid <&"${PROBE[0]}"
    probe_pid=$PROBE_PID
}
stop() {
    local input=${PROBE[1]}
    kill "$pid" 2>/dev/null || true
    exec {input}>&- || true
    wait "$probe_pid" 2>/dev/null || true
}
says() { # TEXT COMMAND...: fails, and says so on standard error
    local text=$1 out
    shift
    out=$("$@" 2>&1) && fail "succeeded: $*"
    [[ $out == *"$text"* ]] || fail "'$*' said: $out"
}

# --- a process that was asked beforehand ------------------------------------------------------------------------------

start threads --monitor --options purge_delay_ms=600000 # what is free stays until it is asked for
out=$("$tool" stat "$pid")
[[ $out == *"mbmalloc "*" in process $pid, "* && $out == *"of it is in slabs of blocks of 512 bytes."* ]] || fail "stat: $out"
[[ $out == *$'\n''       512 '* && $out != *$'\033'* ]] || fail "stat has no row for 512 bytes, or colours: $out"
rows=$(sed -n '/^ *thread name/,$p' <<<"$out")
name=${probe##*/}
[[ $(wc -l <<<"$rows") == 6 && $rows == *" $pid ${name:0:15} "*"MiB"* ]] || fail "stat's threads: $out"
"$tool" stat "$pid" --json >"$work/a.json"
[[ $(grep -o '"thread":[0-9]*,"free_bytes":[1-9][0-9]*' "$work/a.json" | wc -l) == 5 ]] || fail "threads in JSON: $(cat "$work/a.json")"
sum=$(tr ',{' '\n\n' <"$work/a.json" | awk -F'[":]+' '/^"(live_resident|part_free|idle_page|kept|dirty|tail|metadata)_bytes"/ && !seen[$2]++ {sum += $3}
    /^"resident_bytes"/ && !all {all = $3} END {print (all > 0 && sum == all ? "right" : "wrong")}')
[[ $sum == right ]] || fail "the parts do not add up: $(cat "$work/a.json")"
grep -qE '"(requested|rounding)_bytes"' "$work/a.json" && fail "an estimate without a profile: $(cat "$work/a.json")"
rss=$(awk '/^Rss:/ {sum += $2} END {print sum}' "/proc/$pid/smaps")
resident=$(sed 's/.*"statistics":{"resident_bytes":\([0-9]*\),.*/\1/' "$work/a.json")
[[ $((resident >> 10)) -le $rss && $((resident >> 10)) -ge $((rss / 2)) ]] || fail "resident $resident bytes of $rss KiB"
[[ $("$tool" stat "$pid" -i 0.1 -n 3 | grep -c "^per second") == 2 ]] || fail "no rates"
[[ $("$tool" trim "$pid") == *"has given back "[1-9]*MiB ]] || fail "trim gave nothing"
"$tool" stat "$pid" --json >"$work/b.json"
"$tool" diff "$work/a.json" "$work/b.json" >"$work/diff"
grep -q '^purged_bytes .* -> .*+' "$work/diff" || fail "diff: $(cat "$work/diff")"
[[ -z $("$tool" diff "$work/a.json" "$work/a.json") ]] || fail "diff of a file with itself"
"$tool" set "$pid" purge_delay_ms=50 || fail "set"
says "nothing was changed" "$tool" set "$pid" seed=5
[[ $("$tool" doctor "$pid") == *"ok  malloc, free and their kin come from $MBMALLOC_LIBRARY."*"Option monitor=1."* ]] || fail "doctor: $("$tool" doctor "$pid")"

# --- the picture ------------------------------------------------------------------------------------------------------

[[ $("$tool" map "$pid" -o "$work/map.html") == "$work/map.html" ]] || fail "map"
units=$(sed -n "s/.*DATA='\([^']*\)'.*/\1/p" "$work/map.html" | tr ' ' '\n' | awk -F, '{n += $1; slabs += $2 == 1 ? $1 : 0} END {print n, slabs}')
read -r all slabs <<<"$units"
[[ $all -ge 400 && $slabs -ge 300 && $slabs -le $all ]] || fail "the picture has $all units, $slabs of slabs"
grep -qE '(src|href)=' "$work/map.html" && fail "the page needs something else"
browser=$(command -v chromium || command -v google-chrome || true)
if [ -n "$browser" ]; then
    HOME=$work timeout 40 "$browser" --headless --no-sandbox --disable-gpu --dump-dom "file://$work/map.html" >"$work/dom" 2>/dev/null || true
    grep -q "data-drawn=\"use $all\"" "$work/dom" || fail "the browser drew: $(grep -o 'data-drawn="[^"]*"' "$work/dom")"
    echo "drawn by $browser"
else
    echo "no browser here: the picture was not drawn"
fi
stop

# --- threads that allocate all the time, children ---------------------------------------------------------------------

start churn --monitor
for _ in 1 2 3; do "$tool" stat "$pid" --json >"$work/c.json" || fail "stat while 64 threads allocate"; done
"$tool" trim "$pid" >/dev/null || fail "trim while 64 threads allocate"
"$tool" map "$pid" -o "$work/map.html" >/dev/null || fail "map while 64 threads allocate"
[ -e "/proc/$pid" ] || fail "the program did not live on"
stop
start fork --monitor
[[ $("$tool" stat "$pid") == *"in process $pid, "* ]] || fail "stat of a forked child"
stop
for place in /run/user/$(id -u) /dev/shm; do
    for page in "$place/mbmalloc-$pid" "$place/mbmalloc-$(id -u)-$pid"; do # the child is nobody's to wait for
        for ((tries = 0; tries < 600; tries++)); do [ -e "$page" ] || break; sleep 0.1; done
        [ ! -e "$page" ] || fail "its page has stayed"
    done
done

# --- what cannot be asked, what cannot be run -------------------------------------------------------------------------

start sleep
says "was not asked beforehand" "$tool" stat "$pid"
stop
says "there is no process" "$tool" stat 999999999
out=$("$refuse" ftruncate "$tool" run --monitor -- "$probe" 2>&1 </dev/null) || fail "no page may be made, and the program did not run: $out"
[[ $out == *"monitor: no page can be made"* ]] || fail "no page may be made: $out"
coproc PROBE { exec "$refuse" clone,clone3,mincore "$tool" run --monitor -- "$probe" churn_alone; }
read -r _ pid <&"${PROBE[0]}"
probe_pid=$PROBE_PID
[[ $("$tool" stat "$pid") == *"every page that was used counts."* ]] || fail "a process that may neither make threads nor ask for pages"
stop
"$probe" sleep < <(sleep 60 2>/dev/null) >/dev/null 2>&1 &
says "does not run under libmbmalloc.so" "$tool" stat $!
says "malloc, free and their kin come from the C library" "$tool" doctor $!
kill $!
says "linked statically" "$tool" run -- "$probe_static"
says "there is no such program" "$tool" run -- no-such-program
printf '#!%s\n' "$probe_static" >"$work/script"
chmod +x "$work/script"
says "linked statically" "$tool" run -- "$work/script"
if [ "$(id -u)" = 0 ]; then
    cp "$probe" "$work/setuid"
    chown 65534 "$work/setuid"
    chmod 4755 "$work/setuid"
    says "it is setuid" "$tool" run -- "$work/setuid"
fi
(cd "$work" && "$tool" run --heap-profile=relative.pb.gz -- "$probe" elsewhere </dev/null >/dev/null)
[[ -s $work/relative.pb.gz ]] || fail "the profile is not where the command was given"

# --- mixed allocators -------------------------------------------------------------------------------------------------

wait_for() { # COMMAND...: it runs and is ready; its process is $pid, and ends with `stop`
    coproc PROBE { exec "$@"; }
    probe_pid=$PROBE_PID pid=$PROBE_PID
    read -r _ <&"${PROBE[0]}"
}
odd_ones="memalign, posix_memalign, aligned_alloc, valloc, " # musl has no pvalloc
wait_for "$mixed_malloc"
says "!!  Mixed allocators: malloc comes from $mixed_malloc, but from " "$tool" doctor "$pid"
out=$("$tool" doctor "$pid" || true)
[[ $out == *"/libc"*".so"*": $odd_ones"*"malloc_usable_size. A block of one of them"*"  ok  The program defines malloc itself: "* && $(grep -c Mixed <<<"$out") == 1 ]] || fail "mixed: $out"
stop
wait_for env "LD_PRELOAD=$MBMALLOC_LIBRARY" "$mixed_malloc"
out=$("$tool" doctor "$pid" || true)
[[ $out == *"/libmbmalloc.so"*": $odd_ones"*"malloc_usable_size, reallocarray, cfree. A block"*"serves only what the program passes on."* ]] || fail "mixed: $out"
stop
says "$odd_ones" "$tool" doctor -- "$mixed_malloc"
says "it defines malloc itself" "$tool" doctor -- "$mixed_malloc"
wait_for env "LD_PRELOAD=$MBMALLOC_LIBRARY" "$mixed_new"
out=$("$tool" doctor "$pid" || true)
[[ $out == *"ok  malloc, free and their kin come"*"!!  operator new comes from $mixed_new, but operator delete from "*"/libmbmalloc.so"* ]] || fail "new: $out"
stop
says "!!  operator new comes from $mixed_new, but operator delete from " "$tool" doctor -- "$mixed_new"
out=$("$tool" doctor -- "$probe" 2>&1 || true)
[[ $out != *"from"*"but"* ]] || fail "the probe defines no name: $out"

says "there is no command" "$tool" what
for command in run doctor stat trim set map diff; do
    says "usage: mbmalloc $command" "$tool" "$command"
    "$tool" "$command" --help >/dev/null || fail "$command --help"
done
[[ $("$tool" --version) == "mbmalloc "[1-9]* && $("$tool" --help) == "usage: mbmalloc COMMAND"* ]] || fail "--version, --help"
[[ $("$tool" run --stats -- "$probe" 2>&1 </dev/null) == *"blocks"* ]] || fail "run --stats: $("$tool" run --stats -- "$probe" 2>&1 </dev/null)"
[[ $("$tool" run --stats=json -- "$probe" 2>&1 </dev/null) == *'"statistics":{'* ]] || fail "run --stats=json"
[[ $("$tool" run --profile lowmem --options show -- "$probe" 2>&1 </dev/null) == *"purge_delay_ms=100 (profile)"* ]] || fail "run with options"
out=$(MALLOC_ARENA_MAX=2 GLIBC_TUNABLES=glibc.malloc.arena_max=2 MBMALLOC_OPTIONS=stat=exit "$tool" doctor -- "$probe" 2>&1 </dev/null || true)
[[ $out == *"nearest is stats"* && $out == *"!!  glibc.malloc.arena_max in GLIBC_TUNABLES"* && $out == *"!!  MALLOC_ARENA_MAX"* ]] ||
    fail "doctor does not see what does nothing: $out"
out=$(MALLOC_PERTURB_=5 GLIBC_TUNABLES=glibc.rtld.nns=3:glibc.malloc.trim_threshold=1000 "$tool" doctor -- "$probe" 2>&1 </dev/null || true)
[[ $out == *"ok  glibc.malloc.trim_threshold in GLIBC_TUNABLES acts"* && $out == *"ok  MALLOC_PERTURB_=5 acts"* && $out != *rtld* ]] || fail "doctor: $out"
echo "tool clean"
