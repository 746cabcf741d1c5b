#!/usr/bin/env bash
# Several copies of the library in one process: linked (shared, static) and preloaded at once, and preloaded twice, the
# second time as a copy under another name, in both orders.
# usage: twins.sh TWIN TWIN_LINKED TWIN_STATIC CXX_LIBRARY   (twin.c linked with nothing, libmbmalloc.so, libmbmalloc.a)
# shellcheck source-path=SCRIPTDIR source=served.sh
. "$(dirname "${BASH_SOURCE[0]}")/served.sh"

twin=$1 twin_linked=$2 twin_static=$3 cxx=$4 so=${MBMALLOC_SO:?}
copy=$work/libanother.so
cp "$so" "$copy"

served 1000 env LD_PRELOAD="$so" "$twin" 1 mixed "$cxx"
served 1000 "$twin_linked" 1 mixed "$cxx"
served 1000 env LD_PRELOAD="$so" "$twin_linked" 1 mixed "$cxx"
copies=1 # by its soname glibc's loader takes the copy for the library
! grep -q /lib/ld-musl- "$twin" || copies=2
served 1000 env LD_PRELOAD="$copy" "$twin_linked" $copies mixed "$cxx"
served 1000 "$twin_static" 1 mixed "$cxx"
served 1000 env LD_PRELOAD="$so" "$twin_static" 2 apart "$cxx"
served 1000 env LD_PRELOAD="$copy $so" "$twin" 2 mixed "$cxx"
served 1000 env LD_PRELOAD="$so $copy" "$twin" 2 mixed "$cxx"
served 1000 env LD_PRELOAD="$so $copy" "$twin_static" 3 apart "$cxx"
echo "all copies clean"
