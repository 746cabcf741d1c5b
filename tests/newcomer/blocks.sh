#!/usr/bin/env bash
# blocks.sh FILE DIRECTORY: writes each block of the Markdown file that begins with ```sh or ```cmake to
# DIRECTORY/01.sh, 02.cmake, ...
set -euo pipefail
awk -v directory="$2" '
    $0 == "```" && inside { close(file); inside = 0 }
    inside { print >file }
    /^```(sh|cmake)$/ { inside = 1; file = sprintf("%s/%02d.%s", directory, ++count, substr($0, 4)); printf "" >file }
    END { if (inside) { print FILENAME ": the last block has no end" >"/dev/stderr"; exit 1 } }' "$1"
