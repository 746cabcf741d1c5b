#!/usr/bin/env bash
# What: the workloads of bench/musl with less work: threads that allocate, exchange and free blocks, and a server with a
# thread for each connection.
set -euo pipefail
# shellcheck source=tests/programs/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../programs/lib.sh"

mb_need workloads bench/musl
amount=$(mb_scale 40000 1000000)

for workload in pairs batches live-sets growth large pairs-threads live-threads large-threads exchange server; do
    mb_same "$workload" workloads "$workload" "$amount"
    mb_served workloads 500
done
