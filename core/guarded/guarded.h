// Guarded samples: now and then a block of the default front lies alone on a page between two pages that cannot be
// touched (option guard_rate).
//
//   | guard | slot | guard | slot | guard | ...      the block at the end of its slot, or at its start, by chance
//
// What: the front refills its caches with some dozen blocks at a time; one in guard_rate refills requests a sample, if
// the block is no longer than a page. The other refills keep their fast path: the heap's tick counts them, and when a
// sample is due it makes the next refill of any thread check for it. An overflow across the page's edge, or any use
// after free, causes a memory fault; the handler for SIGSEGV reports it with the stacks of the allocation, the free and
// the access, and passes the signal on. Overflows within the page are found when the block is freed. Freed slots are
// reused as late as possible. The handler is installed when the pool is created, and a handler that the program
// installs later replaces it.
// Who: any thread; slot.h says how threads share a slot. At most MB_GUARDED_SLOTS samples live at a time, one page
// each.
// Idea: GWP-ASan (Serebryany et al., ICSE SEIP 2024), after the Electric Fence malloc debugger (Perens 1987).
#ifndef MB_CORE_GUARDED_GUARDED_H
#define MB_CORE_GUARDED_GUARDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/heap/perturb.h"
#include "core/heap/self.h"
#include "core/told/options.h"
#include "core/told/report.h"
#include "core/told/statistics.h"

enum { MB_GUARDED_SLOTS = 64, MB_GUARDED_DEPTH = 16 };

// The pool's address range; empty before the first sample.
struct mb_guarded_range_shared {
    _Atomic uintptr_t base; // written once, after bytes
    _Atomic size_t bytes;
};
extern MB_HIDDEN struct mb_guarded_range_shared mb_guarded_range_shared;

MB_INLINE bool mb_guarded_is_on(void) { return mb_option.guard_rate != 0; }

MB_INLINE bool mb_guarded_contains(const void *p) {
    uintptr_t base = atomic_load_explicit(&mb_guarded_range_shared.base, memory_order_acquire);
    return base != 0 && (uintptr_t)p - base < atomic_load_explicit(&mb_guarded_range_shared.bytes, memory_order_relaxed);
}

// Counts `refills` more refills of the heap, as its ticks report them (core/front/slow.c).
void mb_guarded_note_slow(struct mb_heap *heap, uint32_t refills);
MB_INLINE void mb_guarded_note(struct mb_heap *heap, uint32_t refills) {
    if (MB_LIKELY(mb_option.guard_rate <= MB_GUARD_RATE_EXACT_MAX)) return;
    if (MB_LIKELY(heap->guard_countdown > refills))
        heap->guard_countdown -= refills;
    else
        mb_guarded_note_slow(heap, refills);
}

// Called by a refill of the heap: returns a sample instead if one is due, aligned as a block of a slab would be; else
// NULL.
void *mb_guarded_alloc(struct mb_heap *heap, size_t bytes);

// The length of the live sample that starts at p; 0: there is none.
size_t mb_guarded_bytes(const void *p);

// Frees a live sample, and reports writes around it.
void mb_guarded_free(void *p);

// Reports a wrong pointer: p lies in the pool, but no live sample starts there.
void mb_guarded_report(enum mb_operation operation, const void *p);

struct mb_guarded_totals {
    size_t blocks, bytes;
};
struct mb_guarded_totals mb_guarded_totals(void);
// Calls `visit` for each live sample.
void mb_guarded_visit(void (*visit)(void *context, uintptr_t block, size_t bytes), void *context);
// Adds the live samples to the statistics.
void mb_guarded_count(struct mb_statistics *all);

#endif
