// Decides which blocks the heap profile samples: a Poisson process runs over the bytes handed out, and a block that
// contains one of its points is sampled.
//
// What: every heap has a separate process for each size class and one for large blocks; independent Poisson processes
// add up to one. `until` is the number of bytes of the class until the next point. A refill, which sees whole masks,
// cuts the mask before the point, so that the block with the point is allocated by the slow path, where the requested
// size is known. If a heap does not hand out a part of a mask after all, the distance is drawn again, which is correct
// because it is exponentially distributed and so does not depend on the past. A block of b bytes contains a point with
// the probability 1 - exp(-b / period), so it stands for the reciprocal of that many blocks.
// Who: the owner thread of the heap; the session: any thread. Commons have no sampler: the bytes that a thread takes
// from them count in the thread's own heap.
#ifndef MB_CORE_HEAP_SAMPLER_H
#define MB_CORE_HEAP_SAMPLER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/rng.h"
#include "core/heap/self.h"

struct mb_sampler {
    uint32_t until[MB_CLASSES]; // bytes
    uint32_t session;           // the session in which `until` was drawn
    uint64_t until_large;
    struct mb_rng rng;
};

struct mb_sampling_shared {
    _Atomic uint32_t session; // 0: off; incremented at each start. Written on start and stop (release), read by any thread
    _Atomic uint64_t period;  // bytes, on average; written before the session
    _Atomic uint64_t seed;    // likewise
    _Atomic uint64_t lost;    // samples that were due and could not be taken; any thread, relaxed
};
extern MB_HIDDEN struct mb_sampling_shared mb_sampling_shared;

enum { MB_SAMPLE_PERIOD_MAX = 256 << 20 };

MB_INLINE uint32_t mb_sampling_session(void) { return atomic_load_explicit(&mb_sampling_shared.session, memory_order_acquire); }
MB_INLINE void mb_sampling_note_lost(void) { atomic_fetch_add_explicit(&mb_sampling_shared.lost, 1, memory_order_relaxed); }

// Begins a session / ends it. With a seed other than 0 (which means a random one) the samples are determined by the
// seed and the heaps' addresses. One thread at a time.
void mb_sampling_start(uint64_t period, uint64_t seed);
void mb_sampling_stop(void);

// Whether the next block of the class, whose mask is empty, must be sampled; if so, the next point is drawn. False if
// there is no session.
bool mb_sampler_is_due(struct mb_heap *heap, unsigned class_index);
// As is_due, for a large block of so many bytes, which this call counts.
bool mb_sampler_is_due_large(struct mb_heap *heap, uint64_t bytes);

// Counts a block that was handed out but not from the heap's own masks.
void mb_sampler_count(struct mb_heap *heap, unsigned class_index);

// The part of a new mask (its lowest bits) that precedes the next point, but at least one block. Any heap.
uint64_t mb_sampler_cut(struct mb_heap *heap, unsigned class_index, uint64_t mask);

// The heap's sampler, if it has one and the next block of the class need not be sampled; else NULL.
MB_INLINE struct mb_sampler *mb_sampler_if_far(const struct mb_heap *heap, size_t class_index) {
    struct mb_sampler *sampler = heap->sampler;
    bool is_far =
        sampler != NULL && sampler->session == mb_sampling_session() && sampler->until[class_index] >= heap->front.bytes[class_index];
    return is_far ? sampler : NULL;
}
// Whether no point lies in the next `bytes` bytes of the class, which are then counted; otherwise the mask must be cut.
MB_INLINE bool mb_sampler_passes(struct mb_sampler *sampler, size_t class_index, uint64_t bytes) {
    bool passes = sampler->until[class_index] >= bytes;
    if (passes) sampler->until[class_index] -= (uint32_t)bytes;
    return passes;
}

// So many blocks, the rest of a mask, are not handed out: the next point is as much further away. (To draw it anew only
// when there is a rest would be wrong: where there is none, the point is often in the next block, because the mask was
// cut there.)
void mb_sampler_put_back(struct mb_heap *heap, unsigned class_index, unsigned blocks);

// How many blocks a sampled one of so many bytes stands for, in units of 2^-16.
enum { MB_WEIGHT_SHIFT = 16 };
uint64_t mb_sampling_weight(uint64_t bytes);

#endif
