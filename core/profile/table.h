// The mapping of the heap profile: what lies where. See core/profile/profile.h.
#ifndef MB_CORE_PROFILE_TABLE_H
#define MB_CORE_PROFILE_TABLE_H

#include "core/profile/profile.h"

enum { MB_SAMPLES = 1 << 15, MB_PROBES = 64, MB_HEADS = 1 << 12, MB_STACK_BYTES = 800 << 10 };

struct mb_sample_shared {
    _Atomic uintptr_t
        address; // 0: free, MB_SAMPLE_FILLING: somebody writes the rest, which is constant while the address stands but for `bytes`
    _Atomic uint64_t bytes;
    uint64_t weight;
    uint32_t stack, mark;
};
enum { MB_SAMPLE_FILLING = 1, MB_SAMPLE_GROUPS = (MB_SAMPLES + MB_PROBES) / 64, MB_SAMPLE_WORDS = (MB_SAMPLE_GROUPS + 63) / 64 };

struct mb_profile_table_shared {
    struct mb_sample_shared sample[MB_SAMPLES + MB_PROBES];
    _Atomic uintptr_t frame[MB_PROFILE_FRAMES];    // 0: free; [0] stays 0, [1] is 1
    _Atomic uint32_t head[MB_HEADS];               // offset of the first stack of a chain; 0: none
    _Atomic uint64_t used_groups[MB_SAMPLE_WORDS]; // bit i of word w: of the 64 slots from 64 * (64 * w + i) on some have been used
    _Atomic uint64_t live_bytes, peak_bytes, taken, lost_stacks, lost_frames;
    _Atomic uint32_t used, mark;             // bytes of stacks
    _Alignas(16) char stack[MB_STACK_BYTES]; // [0]: the stack without frames
};
_Static_assert(sizeof(struct mb_profile_table_shared) <= 2 << 20, "the profile's bound");

// Where it is: for debuggers.
struct mb_profile_root_shared {
    _Atomic(struct mb_profile_table_shared *) table; // made by the first session, kept; any thread
};
extern MB_HIDDEN struct mb_profile_root_shared mb_profile_root_shared;

// NULL: no session yet.
struct mb_profile_table_shared *mb_profile_table(void);

// --- stacks ----------------------------------------------------------------------------------------------------------

// The offset of the stack with these return addresses, which is made if it is new; that of the stack without frames if
// there is no room.
uint32_t mb_profile_stack_of(struct mb_profile_table_shared *table, const uintptr_t *address, unsigned count);

MB_INLINE struct mb_profile_stack *mb_profile_stack_at(struct mb_profile_table_shared *table, uint32_t offset) {
    return (struct mb_profile_stack *)(void *)(table->stack + offset);
}

// Calls the visitor for each stack.
void mb_profile_each(struct mb_profile_table_shared *table, void (*visit)(void *context, struct mb_profile_stack *stack), void *context);

// --- walks -----------------------------------------------------------------------------------------------------------

// On a page of its own that is 0 in a forked child, so that what a thread of the parent has set does not count there.
// This needs no system call, which a sandbox might forbid.
struct mb_profile_turns_shared {
    _Atomic uint32_t walking, switching; // 1 while a thread walks / starts or ends a session
};
_Atomic uint32_t *mb_profile_walking(struct mb_profile_table_shared *table);

// Takes the peak's snapshot if it is due: so many bytes have come.
void mb_profile_look_for_peak(struct mb_profile_table_shared *table, uint64_t least_growth);

#endif
