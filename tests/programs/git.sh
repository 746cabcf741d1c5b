#!/usr/bin/env bash
# What: git builds a history with branches and merges under fixed dates, packs it, and answers questions about it.
#   What is compared is what git prints (object names included) and the packs; the index holds inode numbers.
set -euo pipefail
# shellcheck source=tests/programs/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

mb_need git git
commits=$(mb_scale 25 150)
export commits

settings() {
    export GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example.org GIT_PAGER=cat
    export GIT_COMMITTER_NAME=C GIT_COMMITTER_EMAIL=c@example.org
    git config --global gc.auto 0
    git config --global init.defaultBranch main
    git config --global pack.threads 1 # more threads choose deltas in another order each time
}

at() {
    export GIT_AUTHOR_DATE="$((1600000000 + $1 * 60)) +0000"
    export GIT_COMMITTER_DATE=$GIT_AUTHOR_DATE
}

# Files that change a little with every commit: number, lines.
write_files() {
    local i
    for i in 1 2 3 4; do
        awk -v n="$1" -v file="$i" -v lines=$((400 * i)) 'BEGIN {
            for (l = 0; l < lines; l++) printf "file %d line %d value %d\n", file, l, (l % 97 == n % 97) ? n * l : l * 7
        }' >"dir$i/text$i"
    done
    seq "$1" $((60 * $1)) >"seq-$(($1 % 10))"
}

make_history() {
    local n
    mkdir dir1 dir2 dir3 dir4
    for ((n = 1; n <= commits; n++)); do
        at "$n"
        write_files "$n"
        git add -A
        git commit -q -m "change $n" -m "$(seq 1 $((n % 40)))"
        if ((n % 8 == 0)); then
            git checkout -q -b "topic$n" HEAD~4
            echo "topic $n" >"topic$n"
            git add "topic$n"
            git commit -q -m "topic $n"
            git checkout -q main
            git merge -q --no-ff -m "merge topic$n" "topic$n"
        fi
    done
    git tag -a v1 -m 'the tag'
}

inspect() {
    git log --graph --stat -p --format=fuller | git hash-object --stdin
    git shortlog -s -n HEAD
    git blame -w dir4/text4 | tail -n 20
    git grep --threads 4 -c 'value 7' HEAD | sort
    git diff --patience HEAD~10 HEAD -- dir1 | git hash-object --stdin
    git cat-file --batch-check --batch-all-objects
    git fsck --full --strict --no-progress
    git archive --format=tar v1 | git hash-object --stdin
}

work() {
    settings
    git init -q repo
    cd repo
    make_history
    inspect
    git gc -q --aggressive --prune=now
    git verify-pack -v .git/objects/pack/*.idx
    inspect
    git bundle create -q ../all.bundle --all
    git -c pack.threads=4 repack -a -d -f -q --window=30 # after the bundle, which reuses deltas
    git fsck --full --no-progress
    cd ..
    git clone -q --no-local repo copy
    git -C copy log --format=%H | git hash-object --stdin
    git -C copy -c index.threads=4 status --short
    rm -rf repo copy
}

mb_same history work
mb_served git 1000
