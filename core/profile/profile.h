// The heap profile: live sampled blocks by address, and call stacks with what they have allocated.
//
// What: one mapping of at most 2 MiB, made by the first session and kept: a table of samples (a window of 64 slots for
// each address, so that no chain grows), a table of code addresses, and stacks one behind the other, found by chains.
// What does not fit is lost: a sample is counted as such, a stack that does not fit is the one without frames, a frame
// is address 1.
// Who: any thread, without a lock: a slot is claimed by compare-and-swap and published by its address, a stack by its
// chain's head, so a forked child finds at worst a slot that nobody fills any more. Walks (snapshots of the peak,
// writing) are one at a time. Bytes are those asked for; a block that realloc left where it was has its new length.
#ifndef MB_CORE_PROFILE_PROFILE_H
#define MB_CORE_PROFILE_PROFILE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/compiler.h"

// --- sessions --------------------------------------------------------------------------------------------------------

// Begins to sample a block every `period` bytes on average, from nothing. 0, or a negative errno value: -EBUSY while
// there is a session.
int mb_profile_start(uint64_t period);
void mb_profile_stop(void);

// What is allocated from now on counts as growth.
void mb_profile_mark(void);

// --- blocks ----------------------------------------------------------------------------------------------------------

// A block that its heap's sampler has chosen has come to be live: the caller's stack is taken here. `counted`: the
// bytes that the sampler counted.
void mb_profile_add(const void *p, uint64_t bytes, uint64_t counted);

// The block is being freed / has another length now, if it is a sampled one.
void mb_profile_remove(const void *p);
void mb_profile_resize(const void *p, uint64_t bytes);
// It was asked for with so many bytes, which malloc has not seen.
void mb_profile_correct(const void *p, uint64_t bytes);

// --- what there is ---------------------------------------------------------------------------------------------------

enum mb_profile_value {
    MB_ALLOCATED, // since the session's start
    MB_LIVE,
    MB_PEAK,  // live when most bytes were, within a sixteenth
    MB_GROWN, // live and allocated since the last mark
    MB_PROFILE_VALUES
};

struct mb_amount_shared {
    _Atomic uint64_t weight; // blocks, in units of 2^-16
    _Atomic uint64_t bytes;
};

struct mb_profile_stack {
    uint32_t hash, next, frames, spare;
    struct mb_amount_shared of[MB_PROFILE_VALUES];
    uint32_t frame[]; // indices of mb_profile_frame, innermost first
};

// Counts what is live into the stacks and calls the visitor for each, until mb_profile_walk_end. False: another thread
// walks, or there is no profile.
bool mb_profile_walk(void (*visit)(void *context, const struct mb_profile_stack *stack), void *context);

// The code address of an index, 0: none. Indices are below MB_PROFILE_FRAMES.
enum { MB_PROFILE_FRAMES = 1 << 14 };
uintptr_t mb_profile_frame(uint32_t index);
void mb_profile_frames_used(uint64_t bits[MB_PROFILE_FRAMES / 64]); // bit i: index i has an address

struct mb_profile_facts {
    uint64_t period, samples, lost_samples, lost_stacks, lost_frames;
};
void mb_profile_facts(struct mb_profile_facts *out);

// Bytes asked for in the blocks that are live and were allocated in the session, as its samples say; 0: there was none.
uint64_t mb_profile_live_bytes(void);

#endif
