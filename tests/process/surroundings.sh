#!/usr/bin/env bash
# Unusual environments of a program: without randomised addresses, with the legacy layout of mappings, with an unlimited
# stack, with no locked memory, no spare descriptor, no /proc and /sys, as nobody in a user namespace, without any
# standard stream.
# usage: surroundings.sh SMALL   (small.c)
# shellcheck source-path=SCRIPTDIR source=served.sh
. "$(dirname "${BASH_SOURCE[0]}")/served.sh"

chmod 755 "$work"
install -m 755 "$1" "$work/small"
install -m 755 "${MBMALLOC_SO:?}" "$work/libmbmalloc.so"
small=(env "LD_PRELOAD=$work/libmbmalloc.so" "$work/small")

# Not every machine permits all of this.
served_where_permitted() { # COMMAND...: the part before the program, which must be able to run `true`
    if "$@" true 2>/dev/null; then served 1000 "$@" "${small[@]}"; else echo "not permitted: $*"; fi
}
served 1000 "${small[@]}"
served_where_permitted setarch -R
served_where_permitted setarch -L
served_where_permitted setarch -RL
for limit in "-s unlimited" "-s 256" "-l 0" "-n 4" "-v 200000" "-d 50000" "-c 0"; do
    served_where_permitted bash -c "ulimit $limit && exec \"\$@\"" bash
done
hide='mount -t tmpfs none /proc && mount -t tmpfs none /sys && exec "$@"'
served_where_permitted unshare -m sh -c "$hide" sh
chmod 777 "$work"
served_where_permitted setpriv --reuid=65534 --regid=65534 --clear-groups unshare -U
rm -f "$work/stats"
MBMALLOC_OPTIONS="stats_file=$work/stats" "${small[@]}" <&- >&- 2>&- || true # it cannot print
[ "$(most_blocks "$work/stats")" -ge 1000 ] || fail "without standard streams"
echo "well everywhere"
