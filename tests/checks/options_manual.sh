#!/usr/bin/env bash
# mbmalloc-options(7) describes the options that the library has: the text between the marks in the page is what
# options_manual prints.
# usage: options_manual.sh PRINTER [--update]   (--update writes that text into the page)
set -euo pipefail
printer=$1 page=${MB_SOURCE_DIR:?}/preload/mbmalloc-options.7.scd
begin='; begin of the table (scripts/options-manual)' end='; end of the table'

made=$(mktemp)
trap 'rm -f "$made"' EXIT
{
    sed "\\|^$begin|q" "$page"
    "$printer" | sed -E '/^[*\t]/s/([a-z])_([a-z])/\1\\_\2/g'
    sed -n "\\|^$end|,\$p" "$page"
} >"$made"
if [[ ${2-} == --update ]]; then
    cat "$made" >"$page"
elif ! diff -u "$page" "$made"; then
    echo "the page lacks what core/told/option_table.h says: scripts/options-manual --update"
    exit 1
fi
