// Transparent huge pages where the heap grows (option huge_pages: off unless asked for, because blocks may stay
// unwritten).
//
// What: a page fault costs as much as hundreds of mallocs, and one for 2 MiB about as much as a few dozen for 4 KiB. So
// in a heap from 16 MiB on the allocator asks for huge pages for chunks (2 MiB) that lie whole in a block of malloc's
// and have no pages; from 32 MiB on (64 for slabs) also for chunks that nobody has used yet, at the front, where the
// next spans will fill them. Not for what may stay untouched: calloc, aligned blocks, a block longer than all the rest
// of the heap, and slabs while more than 1/32 of the heap is slabs that are not carved out; and no shared chunk while
// more than 1/32 of what spans take is room behind blocks. A chunk of which a part is given back loses the wish: else
// the kernel may make it whole again. One that was given back whole loses it when something other than a block of
// malloc's fills it. Where the system's mode is `never` the wishes change nothing.
// Who: any thread. A wish is a hint: races between threads may lose one, or ask for one that is not used.
// Invariant: the system is only ever asked about chunks whose units are all the arena's own.
#ifndef MB_CORE_REGION_HUGE_H
#define MB_CORE_REGION_HUGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/config.h"
#include "platform/compiler.h"

enum { MB_HUGE_CHUNK_UNITS = 2 << 20 >> MB_UNIT_SHIFT };

// What a span is taken for.
enum mb_huge_use {
    MB_HUGE_SLAB,   // carved in sequence
    MB_HUGE_FILLED, // a block that is likely to be written
    MB_HUGE_SPARSE, // a block of which pages may stay untouched
};

struct mb_huge_shared {
    _Atomic bool wanted;        // written at the start, and cleared when the system refuses; relaxed
    _Atomic size_t used_end;    // units from here on were never taken; only rises; relaxed
    _Atomic size_t taken_units; // of short spans / pages of them that stay untouched; both halved now and then; relaxed
    _Atomic size_t unused_pages;
    _Atomic ptrdiff_t open_slabs; // slabs on fresh pages that are not carved out; relaxed
    _Atomic size_t wished_chunks; // chunks with a wish; relaxed
    _Atomic ptrdiff_t borders;    // runs of them, and chunks that lost a wish: each may cost two mappings; relaxed
};
extern MB_HIDDEN struct mb_huge_shared mb_huge_shared;

// Before the first span is taken.
void mb_huge_init(bool wanted);

// A span was taken, and nothing of it was touched since; `bytes` of it will be used. True: its last chunk is one that
// goes on behind it, and a huge page was asked for there just now.
bool mb_huge_taken(size_t first, size_t units, size_t bytes, enum mb_huge_use use);

// The same for a run of pieces. What it has of a unit that it begins in is left out: others have the rest.
struct mb_run;
bool mb_huge_taken_run(const struct mb_run *run, enum mb_huge_use use);

// Pages of these units were given back to the system / mapped anew, with whatever mapping there is now.
void mb_huge_purged(size_t first, size_t units);
void mb_huge_lost(size_t first, size_t units);

// Of the units of one word of the map, those of whole chunks, in a heap that may have huge pages; else all.
uint64_t mb_huge_whole(uint64_t mask);

// Bytes for which huge pages are asked for now.
size_t mb_huge_wished_bytes(void);

// Where no huge page is wanted nothing is counted: threads would share the line.
MB_INLINE bool mb_huge_is_wanted(void) { return MB_UNLIKELY(atomic_load_explicit(&mb_huge_shared.wanted, memory_order_relaxed)); }
MB_INLINE void mb_huge_count_open_slabs(ptrdiff_t more) {
    if (mb_huge_is_wanted()) atomic_fetch_add_explicit(&mb_huge_shared.open_slabs, more, memory_order_relaxed);
}
MB_INLINE void mb_huge_slab_opened(void) { mb_huge_count_open_slabs(1); }
MB_INLINE void mb_huge_slab_closed(void) { mb_huge_count_open_slabs(-1); }

#endif
