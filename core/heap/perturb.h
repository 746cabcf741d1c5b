// mallopt(M_PERTURB): blocks are filled with the complement of a byte when they are allocated, and with the byte when
// they are freed.
//
// What: without an instruction in the fast paths. For malloc a whole mask of blocks is filled when the mask is made.
// For free, heaps that are made while this is on own their slabs by another token than their thread's, so each free
// takes the slow path of remote frees, which fills. Large blocks are filled when they are allocated. calloc clears
// afterwards.
// Who: any thread reads, relaxed; mallopt and the start (behind mb_cpu_look) write.
#ifndef MB_CORE_HEAP_PERTURB_H
#define MB_CORE_HEAP_PERTURB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/compiler.h"

struct mb_perturb_shared {
    _Atomic uint32_t byte;      // 0: off
    _Atomic bool guarded;       // the next refill may have to be a guarded sample (core/guarded)
    _Atomic bool watched;       // the heap profile wants to see refills and large blocks (core/heap/sampler.h)
    _Atomic bool only_watched;  // the heap profile is all that refills are not quick for
    _Atomic bool quick_refills; // nothing is filled, guarded or watched, and the processor counts bits; false before the start
};
extern MB_HIDDEN struct mb_perturb_shared mb_perturb_shared;

// Up to this guard_rate each refill is asked whether it is a sample; else ticks count refills, and quick ones stay
// quick until one is due.
static const uint64_t MB_GUARD_RATE_EXACT_MAX = 500;

MB_INLINE uint32_t mb_perturb_byte(void) { return atomic_load_explicit(&mb_perturb_shared.byte, memory_order_relaxed); }

// Whether slow paths have nothing to fill, to record or to ask the processor: one test for all three.
MB_INLINE bool mb_perturb_quick_refills(void) { return atomic_load_explicit(&mb_perturb_shared.quick_refills, memory_order_relaxed); }

// Whether the heap profile alone is what they are not quick for.
MB_INLINE bool mb_perturb_only_watched(void) { return atomic_load_explicit(&mb_perturb_shared.only_watched, memory_order_relaxed); }

void mb_perturb_set(uint32_t byte);
void mb_perturb_watch(bool watched);
void mb_perturb_set_guarded(bool guarded);
// Whether it was set; it is not from now on.
bool mb_perturb_take_guarded(void);

// Fills the blocks of a mask / a block that is handed out / one that is freed.
void mb_perturb_mask(uintptr_t base, size_t block_bytes, uint64_t mask);
void mb_perturb_handed_out(void *p, size_t bytes);
void mb_perturb_freed(void *p, size_t bytes);

#endif
