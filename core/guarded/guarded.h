// Guarded samples: now and then a block of the default front lies alone on a page between two pages that cannot be
// touched (option guard_rate).
//
//   | guard | slot | guard | slot | guard | ...      the block at the end of its slot, or at its start, by chance
//
// What: of refills of the front, which hand out some dozen blocks each, one in so many draws a sample, if the block is
// no longer than a page. Refills stay quick meanwhile: who ticks counts them, and one that is due makes the next refill
// of any thread ask. An overflow over the page's edge, and any use after free, is a memory fault: the handler of
// SIGSEGV tells it with the stacks of the allocation, of the free and of the access, and hands the signal on. What
// stays inside the page is found when the block is freed. A freed slot waits as long as there are others. The handler
// is set with the first sample's pool, and gives way to one that the program sets later.
// Who: any thread; slot.h says how they share a slot. At most MB_GUARDED_SLOTS samples live at a time, of a page each.
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

// Where the pool lies; nowhere before the first sample.
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

// The heap has made so many refills more, as its ticks count them (core/front/slow.c).
void mb_guarded_note_slow(struct mb_heap *heap, uint32_t refills);
MB_INLINE void mb_guarded_note(struct mb_heap *heap, uint32_t refills) {
    if (MB_LIKELY(mb_option.guard_rate <= MB_GUARD_RATE_EXACT_MAX)) return;
    if (MB_LIKELY(heap->guard_countdown > refills))
        heap->guard_countdown -= refills;
    else
        mb_guarded_note_slow(heap, refills);
}

// A refill of the heap's: a sample instead, if one is due. Aligned as a block of a slab would be. NULL: none.
void *mb_guarded_alloc(struct mb_heap *heap, size_t bytes);

// The length of the live sample that starts at p; 0: there is none.
size_t mb_guarded_bytes(const void *p);

// Of a live sample. What was written around it is reported.
void mb_guarded_free(void *p);

// p lies in the pool, but no live sample starts there.
void mb_guarded_report(enum mb_operation operation, const void *p);

struct mb_guarded_totals {
    size_t blocks, bytes;
};
struct mb_guarded_totals mb_guarded_totals(void);
// Calls `visit` for each live one.
void mb_guarded_visit(void (*visit)(void *context, uintptr_t block, size_t bytes), void *context);
// Adds them to statistics.
void mb_guarded_count(struct mb_statistics *all);

#endif
