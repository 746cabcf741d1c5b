#!/usr/bin/env bash
# What: sqlite3 in memory and on disk (rollback journal and write-ahead log): joins, windows, full-text search, json,
#   dumps. The database files are compared too.
set -euo pipefail
# shellcheck source=tests/programs/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

mb_need sqlite3 sqlite3
rows=$(mb_scale 20000 150000)
export rows

tables() { # JOURNAL
    echo "pragma journal_mode=$1; create table size(n); insert into size values($rows);"
    cat "$WORK/tables.sql"
}

in_memory() {
    { tables memory && cat "$WORK/queries.sql"; } | sqlite3 -batch -bail :memory:
}

on_disk() { # JOURNAL
    { tables "$1" && cat "$WORK/queries.sql"; } | sqlite3 -batch -bail disk.db
    sqlite3 -batch -bail disk.db '.dump' >dump.sql
    sqlite3 -batch -bail again.db <dump.sql
    sqlite3 -batch -bail again.db 'vacuum; pragma integrity_check; select count(*), sum(length(body)) from page;'
}

mb_same memory in_memory
mb_served sqlite3 20000
mb_same disk-journal on_disk delete
mb_served sqlite3 20000
mb_same disk-wal on_disk wal
mb_served sqlite3 20000
