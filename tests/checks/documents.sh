#!/usr/bin/env bash
# scripts/check-documents accepts the tree as it is, and reports each kind of fault when it is made in a copy of the
# tree.
set -euo pipefail
check=$MB_SOURCE_DIR/scripts/check-documents
python3 "$check" "$MB_SOURCE_DIR"

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
tar -C "$MB_SOURCE_DIR" --exclude=./.git --exclude='./build*' -c . | tar -C "$tree" -x

# breaks FILE SED TEXT: with FILE changed by the sed script SED, the check fails and prints TEXT.
breaks() {
    cp "$tree/$1" "$tree/kept"
    sed -i "$2" "$tree/$1"
    if cmp -s "$tree/$1" "$tree/kept"; then echo "nothing to change in $1: $2" && exit 1; fi
    if said=$(python3 "$check" "$tree"); then echo "not found: $3" && exit 1; fi
    [[ $said == *"$3"* ]] || { printf 'not named: %s\n%s\n' "$3" "$said" && exit 1; }
    mv "$tree/kept" "$tree/$1"
}
breaks README.md 's,(core/README.md),(core/TOUR.md),' 'the link core/TOUR.md leads nowhere'
breaks README.md '/^| `purge_delay_ms`/s/1000/2000/' 'the default of purge_delay_ms is 1000'
breaks README.md 's/MBMALLOC_OPTIONS=verbose=1/MBMALLOC_OPTIONS=verbos=1/' 'there is no option verbos'
breaks README.md 's/`profile=hardened`/`profile=hard`/' 'the option profile has no value hard'
breaks README.md 's/^\$ mbmalloc stat /$ mbmalloc state /' 'the tool has no command state'
breaks preload/mbmalloc.1.scd 's/ \[\*--folded\*\]//' 'mbmalloc top --folded is not both in the synopsis and in the tool'
breaks preload/mbmalloc.3.scd 's/mb_serves(/mb_servers(/' 'the library has no function mb_servers'
breaks preload/mbmalloc-options.7.scd 's/\*mb_option_set\*/*mb_options_set*/' 'there is no mb_options_set'
breaks bench/README.md '/^| rpmalloc |/s/1.341/1.342/' 'rpmalloc, CPU all, trimmed mean: 1.342'
breaks tests/process/memory_options.sh 's/soft_limit=//g' 'none sets the option soft_limit'
breaks tests/process/tool.sh '/run --profile/d' 'none runs mbmalloc run --profile'
breaks README.md 's/1.20 times the CPU/0.96 times the CPU/' 'has other figures of mbmalloc'
breaks .github/CONTRIBUTING.md 's/scripts\/test --coverage/scripts\/test --covered/' 'scripts/test does not know --covered'
breaks core/README.md '3s/$/ words words words words words words words words words words words words words words words words words words words words/' 'characters, 120 are allowed'
breaks core/region/unit.h '1s,$, (core/region/no_such.h),' 'there is no core/region/no_such.h'
rm "$tree/core/heap/README.md"
said=$(python3 "$check" "$tree") && { echo 'not found: a folder without README' && exit 1; }
[[ $said == *'core/heap: no README.md'* ]]
