// Transparent huge pages where the heap grows (option huge_pages).
//
// What: a page fault costs as much as hundreds of mallocs, and one for 2 MiB about as much as a few dozen for 4 KiB.
//
// By default (auto) huge pages are requested (by advice, here called a wish) in a heap from 32 MiB on, for chunks of
// 2 MiB of which nothing has pages yet: those that lie in a block or that one enters, and from 64 MiB on those whose
// first unit becomes a slab; while what was taken before has been written (core/region/huge_proof.h). A block longer
// than half of the rest of the heap gets none.
//
// With huge_pages=1, in a heap from 16 MiB on, the allocator requests huge pages for chunks of 2 MiB that lie
// completely inside a block from malloc and have no pages; from 32 MiB on (64 for slabs) also for unused chunks at the
// front, which the next spans will fill. Not for memory that may stay untouched: calloc, aligned blocks, a block longer
// than all the rest of the heap, slabs while more than 1/32 of the heap is slabs that are not carved out; and for no
// shared chunk while more than 1/32 of what spans take is unused room behind blocks. If a part of a chunk is purged,
// its wish is withdrawn, since the kernel might otherwise fill the chunk again. If all of it was purged, the wish is
// withdrawn when something other than a block from malloc fills it. If the system's mode is `never`, wishes have no
// effect.
// Who: any thread. A wish is a hint: races between threads may lose one, or leave one that is not used.
// Invariant: wishes concern only chunks whose units all belong to the arena.
#ifndef MB_CORE_REGION_HUGE_H
#define MB_CORE_REGION_HUGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/config.h"
#include "core/region/span.h"
#include "platform/compiler.h"

enum { MB_HUGE_CHUNK_UNITS = 2 << 20 >> MB_UNIT_SHIFT };

// The purpose for which a span is taken.
enum mb_huge_use {
    MB_HUGE_SLAB,   // carved in sequence
    MB_HUGE_FILLED, // a block that is likely to be written
    MB_HUGE_SPARSE, // a block of which pages may stay untouched
    MB_HUGE_MOVED,  // a block that the pages of another one will be moved to
};

struct mb_huge_shared {
    _Atomic bool wanted; // written at the start, and cleared when the system refuses; relaxed
    bool careful;        // only where what was taken has been filled; written at the start
    // What is written now and then: on other lines, since each fresh slab asks for the above.
    _Atomic size_t used_end MB_CACHE_ALIGNED; // units from here on were never taken; only rises; relaxed
    _Atomic size_t taken_units;               // of short spans / pages of them that stay untouched; both halved now and then; relaxed
    _Atomic size_t unused_pages;
    _Atomic ptrdiff_t open_slabs; // slabs on fresh pages that are not carved out; relaxed
    _Atomic size_t wished_chunks; // chunks with a wish; relaxed
    _Atomic uintptr_t small_from; // what was committed at this address and above it has small pages, unless a wish says otherwise; 0: none
    _Atomic ptrdiff_t borders;    // between chunks of which the system was told different things; relaxed
};
extern MB_HIDDEN struct mb_huge_shared mb_huge_shared;

// Values of the option huge_pages.
enum mb_huge_mode { MB_HUGE_OFF, MB_HUGE_ON, MB_HUGE_AUTO };

// Called before the first span is taken.
void mb_huge_init(enum mb_huge_mode mode);

// Nothing more is asked for, nor noted.
void mb_huge_stop(void);

// Called when a span was taken, before any of it is touched; `bytes` of it will be used. True: its last chunk extends
// beyond it, and a huge page has just been requested there.
bool mb_huge_taken(const struct mb_span *span, size_t bytes, enum mb_huge_use use);

// The same for a run of pieces. Its parts of the units in which it begins and ends are not considered, since other
// blocks have the rest.
struct mb_run;
bool mb_huge_taken_run(const struct mb_run *run, enum mb_huge_use use);

// Called when pages of these units were purged / were mapped anew, with whatever mapping there is now.
void mb_huge_purged(size_t first, size_t units);
void mb_huge_lost(size_t first, size_t units);

// What the heap grows by from now on has small pages where none are asked for, even if the system's mode is `always`.
void mb_huge_grow_small(void);
bool mb_huge_is_small(const void *p);
// Called when a part of the heap has got a fresh mapping, which the system was told nothing of.
void mb_huge_renewed(void *p, size_t bytes);

// Of the units of one word of the map, those that belong to whole chunks, in a heap that may have huge pages; else all.
uint64_t mb_huge_whole(uint64_t mask);

// What a purge should give back at least, if it can, in units: a whole chunk in a heap that may have huge pages.
size_t mb_huge_least_purge(void);

// Bytes for which huge pages are requested now.
size_t mb_huge_wished_bytes(void);

// While no huge pages are wanted, or with care, nothing is counted, since all threads would write the same cache line.
MB_INLINE bool mb_huge_is_wanted(void) { return atomic_load_explicit(&mb_huge_shared.wanted, memory_order_relaxed); }
MB_INLINE void mb_huge_count_open_slabs(ptrdiff_t more) {
    if (mb_huge_is_wanted() && !mb_huge_shared.careful) atomic_fetch_add_explicit(&mb_huge_shared.open_slabs, more, memory_order_relaxed);
}
MB_INLINE void mb_huge_slab_opened(void) { mb_huge_count_open_slabs(1); }
MB_INLINE void mb_huge_slab_closed(void) { mb_huge_count_open_slabs(-1); }

#endif
