#!/usr/bin/env bash
# What: php, which loads its extensions with RTLD_DEEPBIND; once with its own allocator on top of malloc, once with
# malloc alone.
set -euo pipefail
# shellcheck source=tests/programs/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

mb_need php php-cli
rounds=$(mb_scale 12 100)

mb_same pages php "$WORK/work.php" "$rounds"
mb_served 'php*' 5000
export USE_ZEND_ALLOC=0
mb_same blocks php "$WORK/work.php" "$rounds"
mb_served 'php*' 200000
