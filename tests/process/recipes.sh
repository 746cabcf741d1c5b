#!/usr/bin/env bash
# Runs the commands of preload/recipes/README.md as they are written there, and checks the essential parts of their
# output.
# usage: recipes.sh TOOL
# shellcheck source-path=SCRIPTDIR source=served.sh
. "$(dirname "${BASH_SOURCE[0]}")/served.sh"

page=${MB_SOURCE_DIR:?}/preload/recipes/README.md
unset LD_PRELOAD MBMALLOC_OPTIONS
export MBMALLOC_LIBRARY=${MBMALLOC_SO:?}
mkdir "$work/bin"
ln -s "$1" "$work/bin/mbmalloc"
export PATH=$work/bin:/usr/bin:$PATH HOME=$work # the system's python3, not one that a version manager puts before it
cp "$(dirname "$page")"/*.{c,py} "$work"
cd "$work"
port=$((20000 + RANDOM % 10000))
while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((20000 + RANDOM % 10000)); done # somebody's

# recipe HEADING: runs the section's lines that begin with "$ " in one shell, whose background processes end with it.
recipe() {
    {
        # shellcheck disable=SC2016
        echo 'set -euo pipefail; trap "kill \${!:-nobody} 2>/dev/null || true" EXIT'
        awk -v head="## $1" '/^## / {on = $0 == head} on && /^\$ / {print substr($0, 3)}' "$page" | sed "s/7400/$port/" |
            while IFS= read -r line; do
                echo "$line"
                [[ $line != *redis-server*'&' ]] || echo "for i in {1..600}; do redis-cli -p $port ping >pong 2>&1 && break; sleep 0.1; done"
                # shellcheck disable=SC2016
                [[ $line != *sessions*'&' ]] || echo 'for i in {1..600}; do mbmalloc stat $! 2>&1 | grep -q " 33 % live" && break; sleep 0.1; done'
                # shellcheck disable=SC2016
                [[ $line != *shutdown* ]] || echo 'wait $! || true'
            done
    } >recipe.sh
    [[ $(wc -l <recipe.sh) -ge 4 ]] || fail "no commands under '$1'"
    bash recipe.sh >out 2>errors || fail "$1: status $?: $(cat recipe.sh out errors)"
    out=$(cat out)
}

if command -v redis-server >/dev/null && command -v redis-benchmark >/dev/null; then
    recipe "Who holds the memory of redis-server under load?"
    [[ $out == *"inuse_space: "*" MiB -> "*" MiB, +"*" MiB"* ]] || fail "redis: diff: $out"
    [[ $out =~ inuse_space:\ ([0-9]+)[0-9.]*\ MiB\ in && ${BASH_REMATCH[1]} -ge 10 ]] || fail "redis: top: $out"
    grep -q '<title>pushGenericCommand: ' redis.svg || fail "redis: flame: $(grep -o '<title>[^<]*' redis.svg)"
else
    echo "no redis here"
fi

recipe "Who holds the memory of a Python program?"
[[ $out == *"500 customers"*"orders.svg"*"peak_space: "* ]] || fail "python: $out"
grep -q '<title>PyEval_EvalCode: \|<title>_PyEval_EvalFrameDefault: ' orders.svg || fail "python: flame: $(grep -o '<title>[^<]*' orders.svg)"
[[ $out =~ peak_space:\ ([0-9]+)[0-9.]*\ MiB && ${BASH_REMATCH[1]} -ge 60 ]] || fail "python: top: $out"

recipe "Why is my resident set three times what I use?"
[[ $out == *" MiB resident: 33 % live, 66 % free"*"in slabs of blocks of 1024 bytes."* ]] || fail "sessions: $out"
[[ $out == *"sessions.html"*" has given back "*" MiB"* ]] || fail "sessions: $out"
grep -q "DATA='" sessions.html || fail "no map"
echo "as the page says"
