// The heap profile: live sampled blocks by address, and call stacks with what they have allocated.
//
// What: one mapping of at most 2 MiB, made by the first session and kept: a hash table of samples (each address may be
// in one of 64 slots), a table of code addresses, and stacks stored one after the other and found by hash chains. What
// does not fit is lost: a sample is counted as lost, a stack is replaced by the stack without frames, a frame by
// address 1.
// Who: any thread, without a lock: a slot is claimed by compare-and-swap and published by storing its address, a stack
// by its chain's head. So in a forked child the worst case is a slot that is never filled. Only one walk (a snapshot of
// the peak, writing) runs at a time. Bytes are those requested; a block that realloc left in place has its new length.
#ifndef MB_CORE_PROFILE_PROFILE_H
#define MB_CORE_PROFILE_PROFILE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/compiler.h"

// --- sessions --------------------------------------------------------------------------------------------------------

// Begins to sample one block in every `period` bytes on average, with an empty profile. 0, or a negative errno value:
// -EBUSY if there is a session already.
int mb_profile_start(uint64_t period);
void mb_profile_stop(void);

// From now on, what is allocated counts as growth.
void mb_profile_mark(void);

// --- blocks ----------------------------------------------------------------------------------------------------------

// A block chosen by its heap's sampler was allocated: records the caller's stack. `counted`: the bytes that the sampler
// counted.
void mb_profile_add(const void *p, uint64_t bytes, uint64_t counted);

// If the block is sampled: it is being freed / it has another length now.
void mb_profile_remove(const void *p);
void mb_profile_resize(const void *p, uint64_t bytes);
// The program has requested so many bytes for the block, a number that malloc was not given.
void mb_profile_correct(const void *p, uint64_t bytes);

// --- reading ---------------------------------------------------------------------------------------------------------

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

// Adds up the live samples for each stack and calls the visitor for each stack; ends with mb_profile_walk_end. False:
// another thread is walking, or there is no profile.
bool mb_profile_walk(void (*visit)(void *context, const struct mb_profile_stack *stack), void *context);

// The code address with an index; 0: none. Indices are below MB_PROFILE_FRAMES.
enum { MB_PROFILE_FRAMES = 1 << 14 };
uintptr_t mb_profile_frame(uint32_t index);
void mb_profile_frames_used(uint64_t bits[MB_PROFILE_FRAMES / 64]); // bit i: index i has an address

struct mb_profile_facts {
    uint64_t period, samples, lost_samples, lost_stacks, lost_frames;
};
void mb_profile_facts(struct mb_profile_facts *out);

// The requested bytes of live blocks that were allocated in the session, estimated from its samples; 0: no session.
uint64_t mb_profile_live_bytes(void);

#endif
