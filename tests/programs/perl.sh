#!/usr/bin/env bash
# What: perl: strings, hashes, regular expressions, sorting, packing; then interpreter threads (where perl has them) and
#   forks.
set -euo pipefail
# shellcheck source=tests/programs/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

mb_need perl perl
export PERL_HASH_SEED=7 PERL_PERTURB_KEYS=0
size=$(mb_scale 1 8)
export size

mb_same text perl "$WORK/perl_text.pl" "$size"
mb_served perl 300000
mb_same parallel perl "$WORK/perl_parallel.pl" "$size"
mb_served perl 50000
