#!/usr/bin/env bash
# What: node: json, buffers, maps, the zlib and crypto jobs of its thread pool, worker threads, and child processes.
set -euo pipefail
# shellcheck source=tests/programs/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

mb_need node nodejs
size=$(mb_scale 1 10 0.1)
export size UV_THREADPOOL_SIZE=4 NODE_NO_WARNINGS=1

mb_same pool node "$WORK/node_pool.js" "$size"
mb_served node "$(mb_scale 20000 20000 5000)"
mb_same workers node "$WORK/node_workers.js" "$size"
mb_served node "$(mb_scale 20000 20000 5000)"
