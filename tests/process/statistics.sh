#!/usr/bin/env bash
# Statistics at the end of a process, however it ends; in each format; and the relations between the numbers.
# usage: statistics.sh PROBE   (statistics_probe.c)
# shellcheck source-path=SCRIPTDIR source=served.sh
. "$(dirname "${BASH_SOURCE[0]}")/served.sh"

probe=$1 so=${MBMALLOC_SO:?}

ending() { # OPTIONS MODE: what is written on standard error
    rm -f "$work/stats"
    env "LD_PRELOAD=$so" "MBMALLOC_OPTIONS=$1" "$probe" "$2" 2>&1 || true
}

# --- every way to end -------------------------------------------------------------------------------------------------

for mode in return closed _exit _Exit signal own_handler vfork; do
    out=$(ending stats=exit "$mode")
    [[ $(grep -c '^mbmalloc: statistics of' <<<"$out") == 1 ]] || fail "$mode: not written once: $out"
    [[ $out =~ live_blocks=([0-9]+) && ${BASH_REMATCH[1]} -ge 1000 && ${BASH_REMATCH[1]} -le 1100 ]] || fail "$mode: live_blocks: $out"
    out=$(ending "stats_file=$work/stats" "$mode")
    [[ -z $out && $(grep -c "^mbmalloc-stats pid=[0-9]* blocks=1[0-9]* large=.* name=${probe##*/}\$" "$work/stats") == 1 ]] ||
        fail "$mode: stats_file has: $(cat "$work/stats") $out"
    [[ -z $(ending seed=0 "$mode") ]] || fail "$mode: written though not asked for"
done
[[ $(ending stats=exit fork | grep -c '^mbmalloc: statistics of') == 2 ]] || fail "parent and child are to write each"
status=0
env "LD_PRELOAD=$so" MBMALLOC_OPTIONS=stats=exit "$probe" signal 2>/dev/null || status=$?
[[ $status == 143 ]] || fail "a signal ended the program with status $status"

# --- forms ------------------------------------------------------------------------------------------------------------

sum() { # the parts of resident_bytes add up
    awk -F= '$1 ~ /mbmalloc:   / {sum += $2} $1 == "mbmalloc: resident_bytes" {all = $2 + 0} END {exit !(all > 0 && sum == all)}'
}
ending stats=exit return | sum || fail "the parts do not add up"
[[ $(ending stats=exit,verbose return) == *"live_blocks=1"*": their number"* ]] || fail "no definitions with verbose"
[[ $(ending stats=exit,stats_format=JSON return) =~ ^\{\"library\":\"mbmalloc\".*\"allocations\":1[0-9]*,.*\"classes\":\[\{.*\}\]\}$ ]] ||
    fail "no JSON: $(ending stats=exit,stats_format=JSON return)"
ending "stats_file=$work/stats,stats_format=json" return
[[ $(wc -l <"$work/stats") == 1 && $(head -c 22 "$work/stats") == '{"library":"mbmalloc",' ]] || fail "stats_file in JSON: $(cat "$work/stats")"
if command -v python3 >/dev/null; then
    python3 - "$work/stats" <<'PYTHON' || fail "the JSON's numbers"
import json, sys
said = json.load(open(sys.argv[1]))
parts = ["live_resident", "part_free", "idle_page", "kept", "dirty", "tail", "metadata"]
numbers = said["statistics"]
assert numbers["resident_bytes"] == sum(numbers[part + "_bytes"] for part in parts), numbers
assert sum(c["live_blocks"] for c in said["classes"]) + numbers["large_live_blocks"] == numbers["live_blocks"], said
PYTHON
fi
ending stats=exit,stats_format=prometheus return >"$work/metrics"
grep -q '^# TYPE mbmalloc_allocations counter$' "$work/metrics" || fail "no counter for Prometheus"
grep -q '^mbmalloc_class_live_blocks{block_bytes="112"} 1[0-9]*$' "$work/metrics" || fail "no class for Prometheus"
if grep -vqE '^(# (HELP|TYPE) mbmalloc_[a-z_]+ .*|mbmalloc_[a-z_]+(\{block_bytes="[0-9]+"\})? [0-9]+)$' "$work/metrics"; then
    fail "Prometheus does not take: $(grep -vE '^(#|mbmalloc_)' "$work/metrics" | head -3)"
fi

# --- estimates, which are of a heap profile ---------------------------------------------------------------------------

estimates='(requested|rounding)_bytes'
for form in text json prometheus; do
    out=$(ending "stats=exit,verbose,stats_format=$form" return)
    grep -qE "${estimates}[\"= ]" <<<"$out" && fail "$form: an estimate without a profile: $out"
    out=$(ending "stats=exit,heap_profile=1,stats_format=$form" return)
    [[ $(grep -oE "${estimates}(\":|=| )[1-9]" <<<"$out" | wc -l) == 2 ]] || fail "$form: not both estimates with a profile: $out"
done
out=$(ending stats=exit,heap_profile=1 return) # each block is a sample
[[ $out =~ \ live_bytes=([0-9]+) ]] && live=${BASH_REMATCH[1]}
[[ $out =~ requested_bytes=([0-9]+) ]] && requested=${BASH_REMATCH[1]}
[[ $out =~ rounding_bytes=([0-9]+) && ${BASH_REMATCH[1]} == $((live - requested)) ]] || fail "rounding is not live less requested: $out"

# --- a system that does not tell --------------------------------------------------------------------------------------

out=$(ending stats=exit refused)
[[ $out == *"residency_measured=0"* ]] || fail "pages were said to be measured: $out"
sum <<<"$out" || fail "the parts do not add up without measurement"

# --- a program that allocates nothing ---------------------------------------------------------------------------------

out=$(ending stats=exit nothing)
[[ $out == *"no block has been allocated."* || $CC == *musl* ]] || fail "of a program without a block: $out" # musl's start allocates
echo "statistics clean"
