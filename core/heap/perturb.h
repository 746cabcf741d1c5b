// What mallopt(M_PERTURB) asks for: blocks are filled when they are handed out, with the byte's complement, and when they are freed, with the byte.
//
// What: malloc fills a whole mask when it is made, which no fast path sees. So that free comes to where it can fill, heaps that are made while this
// is on own their slabs by another token than their thread's: each free is one by another thread. Large blocks are filled when they are handed out.
// calloc clears after that.
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
    _Atomic bool guarded;       // refills may have to be guarded samples (core/guarded)
    _Atomic bool watched;       // the heap profile wants to see refills and large blocks (core/heap/sampler.h)
    _Atomic bool quick_refills; // nothing is filled, guarded or watched, and the processor counts bits; false before the start
};
extern MB_HIDDEN struct mb_perturb_shared mb_perturb_shared;

MB_INLINE uint32_t mb_perturb_byte(void) { return atomic_load_explicit(&mb_perturb_shared.byte, memory_order_relaxed); }

// Whether a slow path needs to fill nothing, to tell nobody and to ask the processor nothing: one look for all.
MB_INLINE bool mb_perturb_quick_refills(void) { return atomic_load_explicit(&mb_perturb_shared.quick_refills, memory_order_relaxed); }

void mb_perturb_set(uint32_t byte);
void mb_perturb_watch(bool watched);
void mb_perturb_set_guarded(bool guarded);

// Fills the blocks of a mask / a block that is handed out / one that is freed.
void mb_perturb_mask(uintptr_t base, size_t block_bytes, uint64_t mask);
void mb_perturb_handed_out(void *p, size_t bytes);
void mb_perturb_freed(void *p, size_t bytes);

#endif
