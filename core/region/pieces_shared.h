// How many pieces are free (core/region/pieces.h), for the two files of that. Any thread, relaxed: figures that steer.
#ifndef MB_CORE_REGION_PIECES_SHARED_H
#define MB_CORE_REGION_PIECES_SHARED_H

#include <stdatomic.h>
#include <stddef.h>

#include "platform/compiler.h"

extern MB_HIDDEN struct mb_pieces_shared {
    _Atomic size_t free;    // pieces
    _Atomic size_t warm;    //   those that hold pages
    _Atomic size_t settled; // free when whole units went back last
    _Atomic size_t taken;   //   and how many were taken since
    _Atomic size_t cursor;  // the word that the next look begins with
} mb_pieces_shared;

MB_INLINE void mb_count_add(_Atomic size_t *counter, size_t n) { atomic_fetch_add_explicit(counter, n, memory_order_relaxed); }
MB_INLINE void mb_count_subtract(_Atomic size_t *counter, size_t n) { atomic_fetch_sub_explicit(counter, n, memory_order_relaxed); }
MB_INLINE size_t mb_count_look(const _Atomic size_t *counter) { return atomic_load_explicit(counter, memory_order_relaxed); }

#endif
