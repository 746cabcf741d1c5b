#!/usr/bin/env bash
# What: redis-server on a loopback port of its own, loaded by redis-benchmark (many connections, pipelined) and by
#   redis-cli; what is compared is the digest of the whole data set and the answers to deterministic commands. The
#   server also reads back a snapshot, writes one from a forked child, and drops values in a thread of its own. It is
#   started and shut down by this test.
set -euo pipefail
# shellcheck source=tests/programs/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

mb_need redis-server redis-server
mb_need redis-cli redis-tools
mb_need redis-benchmark redis-tools
requests=$(mb_scale 15000 150000)
keys=$(mb_scale 20000 200000)
export requests keys

# Commands in the protocol's inline form, the same every time.
awk -v keys="$keys" 'BEGIN {
    for (i = 0; i < keys; i++) {
        printf "SET string:%d %0*d\n", i, 1 + i % 200, i
        printf "HSET hash:%d field%d value%d\n", i % 100, i, i * 7
        printf "ZADD zset:%d %d member%d\n", i % 50, i * 7919 % 10007, i
        printf "RPUSH list:%d element%d\n", i % 70, i
        if (i % 3 == 0) printf "APPEND string:%d %0*d\n", i / 2, i % 90, 0
        if (i % 4 == 0) printf "SADD set:%d m%d\n", i % 30, i * 31
        if (i % 5 == 0) printf "DEL string:%d\n", i / 5
        if (i % 6 == 0) printf "LPOP list:%d\n", i % 70
    }
}' | sed 's/$/\r/' >"$IN/commands"

cli() { redis-cli -h 127.0.0.1 -p "$port" "$@"; }

# Starts the server on a random port below the ephemeral ones (another try when somebody has it) and waits until it has
# loaded its data.
start_server() { # ARGUMENTS...
    local try wait
    for ((try = 0; try < 20; try++)); do
        port=$((10000 + RANDOM % 20000))
        redis-server --bind 127.0.0.1 --port "$port" --daemonize no --save '' --appendonly no --dir "$PWD" \
            --enable-debug-command local --logfile "$PWD/server.log" \
            --lazyfree-lazy-user-del yes --lazyfree-lazy-server-del yes "$@" &
        server=$!
        for ((wait = 0; wait < 400; wait++)); do
            kill -0 "$server" 2>/dev/null || break
            if [[ $(cli info 2>/dev/null) == *process_id:$server$'\r'*$'\n'loading:0* ]]; then return 0; fi
            sleep 0.05
        done
        kill "$server" 2>/dev/null || true
        wait "$server" || true
    done
    tail -n 20 server.log >&2
    return 1
}

stop_server() {
    cli shutdown nosave >/dev/null 2>&1 || true
    wait "$server"
}

benchmark() {
    redis-benchmark -h 127.0.0.1 -p "$port" -q -n "$requests" "$@" >/dev/null
}

look() {
    cli debug digest
    cli dbsize
    cli --raw zrange zset:7 0 20 withscores
    cli --raw lrange list:3 -5 -1
    cli --raw strlen string:4711
    cli --raw sort set:6 alpha limit 0 10
    cli --raw eval 'local t = {} for i = 1, 2000 do t[i] = redis.call("get", "string:" .. i) or i end return table.concat(t, "-")' 0 | cksum
}

work() {
    start_server
    benchmark -c 40 -P 8 -t set,get,incr,lpush,rpush,lpop,sadd,hset,zadd,mset,lrange_100
    benchmark -c 20 -d 3000 -t set,get
    benchmark -c 20 -P 16 --threads 2 setrange wide 5000 tail
    cli --pipe <"$IN/commands" | tail -n 1
    look
    cli debug reload # through a snapshot file
    cli bgsave
    until [[ $(cli info persistence) == *rdb_bgsave_in_progress:0*rdb_last_bgsave_status:ok* ]]; do sleep 0.05; done
    stop_server
    start_server --dbfilename dump.rdb
    look
    cli flushall async
    stop_server
    rm -f server.log dump.rdb # hold times
}

mb_same server work
mb_served redis-server 500000
mb_served redis-benchmark 100000
